//! Messages to and from JavaScript.

use cratedigger_protocol::{Event, Request};
use js_sys::{Array, Float32Array, Uint8Array};
use serde::Serialize;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::DedicatedWorkerGlobalScope;

/// This worker's global object.
pub(crate) fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// What goes with an event.
pub(crate) enum Payload<'a> {
    None,
    Floats(&'a [f32]),
    Bytes(&'a [u8]),
}

/// What came with a request.
pub(crate) struct Received {
    pub(crate) channels: Vec<Float32Array>,
    pub(crate) bytes: Option<Uint8Array>,
}

/// Sends an event and transfers the buffer of its payload.
pub(crate) fn post(event: &Event, payload: Option<&[f32]>) {
    post_with(event, payload.map_or(Payload::None, Payload::Floats));
}

/// Sends an event with any payload, whose buffer is transferred.
pub(crate) fn post_with(event: &Event, payload: Payload<'_>) {
    if let Err(error) = send(event, payload) {
        // Messages fail, so the console is the only way to report it.
        web_sys::console::error_1(&error);
    }
}

/// Sends a message to whoever started this worker, and transfers the buffer of its payload.
pub(crate) fn post_to_owner(header: &impl Serialize, payload: Option<&[f32]>) -> Result<(), JsValue> {
    send(header, payload.map_or(Payload::None, Payload::Floats))
}

fn send(header: &impl Serialize, payload: Payload<'_>) -> Result<(), JsValue> {
    let message = message(header)?;
    let transfer = Array::new();
    match payload {
        Payload::None => {}
        Payload::Floats(values) => {
            let array = Float32Array::from(values);
            message.push(&array);
            transfer.push(&array.buffer());
        }
        Payload::Bytes(bytes) => {
            let array = Uint8Array::from(bytes);
            message.push(&array);
            transfer.push(&array.buffer());
        }
    }
    scope().post_message_with_transfer(&message, &transfer)
}

/// A message without a payload.
pub(crate) fn message(header: &impl Serialize) -> Result<Array, JsValue> {
    Ok(Array::of1(&header.serialize(&serde_wasm_bindgen::Serializer::json_compatible())?))
}

/// Splits a message into the request and its payload.
pub(crate) fn read(message: &JsValue) -> Result<(Request, Received), String> {
    if !Array::is_array(message) {
        return Err("the message is not an array".into());
    }
    let message = Array::from(message);
    let mut parts = message.iter();
    let header = parts.next().unwrap_or(JsValue::UNDEFINED);
    let request = serde_wasm_bindgen::from_value(header).map_err(|e| e.to_string())?;
    let mut received = Received { channels: Vec::new(), bytes: None };
    for part in parts {
        match part.dyn_into::<Float32Array>() {
            Ok(channel) => received.channels.push(channel),
            Err(part) => {
                let other = |_| "a payload is neither a Float32Array nor a Uint8Array".to_owned();
                received.bytes = Some(part.dyn_into::<Uint8Array>().map_err(other)?);
            }
        }
    }
    Ok((request, received))
}

/// The message of a JavaScript error.
pub(crate) fn describe(value: &JsValue) -> String {
    value
        .dyn_ref::<js_sys::Error>()
        .map(|e| String::from(e.message()))
        .or_else(|| value.as_string())
        .unwrap_or_else(|| format!("{value:?}"))
}
