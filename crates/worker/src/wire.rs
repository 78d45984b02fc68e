//! Messages to and from JavaScript.

use cratedigger_protocol::{Event, Request};
use js_sys::{Array, Float32Array};
use serde::Serialize;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::DedicatedWorkerGlobalScope;

/// This worker's global object.
pub(crate) fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Sends an event and transfers the buffer of its payload.
pub(crate) fn post(event: &Event, payload: Option<&[f32]>) {
    if let Err(error) = post_to_owner(event, payload) {
        // Messages fail, so the console is the only way to report it.
        web_sys::console::error_1(&error);
    }
}

/// Sends a message to whoever started this worker, and transfers the buffer of its payload.
pub(crate) fn post_to_owner(header: &impl Serialize, payload: Option<&[f32]>) -> Result<(), JsValue> {
    let message = message(header)?;
    let transfer = Array::new();
    if let Some(values) = payload {
        let array = Float32Array::from(values);
        message.push(&array);
        transfer.push(&array.buffer());
    }
    scope().post_message_with_transfer(&message, &transfer)
}

/// A message without a payload.
pub(crate) fn message(header: &impl Serialize) -> Result<Array, JsValue> {
    Ok(Array::of1(&header.serialize(&serde_wasm_bindgen::Serializer::json_compatible())?))
}

/// Splits a message into the request and its channels.
pub(crate) fn read(message: &JsValue) -> Result<(Request, Vec<Float32Array>), String> {
    if !Array::is_array(message) {
        return Err("the message is not an array".into());
    }
    let message = Array::from(message);
    let mut parts = message.iter();
    let header = parts.next().unwrap_or(JsValue::UNDEFINED);
    let request = serde_wasm_bindgen::from_value(header).map_err(|e| e.to_string())?;
    let channels = parts
        .map(|part| part.dyn_into::<Float32Array>().map_err(|_| "a payload is not a Float32Array".to_owned()))
        .collect::<Result<_, _>>()?;
    Ok((request, channels))
}

/// The message of a JavaScript error.
pub(crate) fn describe(value: &JsValue) -> String {
    value
        .dyn_ref::<js_sys::Error>()
        .map(|e| String::from(e.message()))
        .or_else(|| value.as_string())
        .unwrap_or_else(|| format!("{value:?}"))
}
