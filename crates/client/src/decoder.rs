//! The page's own decoder: a worker that decodes one file piece by piece.

use std::rc::Rc;

use cratedigger_protocol::decode::{DecodeEvent, DecodeRequest};
use js_sys::{Array, Float32Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, File, MessageEvent};

use crate::files::Files;
use crate::worker::{Script, describe};

/// A report from a decoder.
pub(crate) enum Report {
    /// A message, with its samples if there are any.
    Event(DecodeEvent, Option<Float32Array>),
    /// The worker could not be loaded, or crashed.
    Lost(String),
}

/// A running decoder. Dropping it terminates its worker.
pub(crate) struct Decoder {
    script: Script,
    // The worker calls these for as long as it lives.
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Decoder {
    /// Starts a worker and has it open a file from `start` to `end`, in seconds.
    ///
    /// # Errors
    ///
    /// The browser's exception, if it refuses blobs or workers.
    pub(crate) fn start(
        files: &Files,
        file: &File,
        (start, end): (f64, Option<f64>),
        report: impl Fn(Report) + 'static,
    ) -> Result<Self, JsValue> {
        let script = Script::start("worker-decode", files)?;
        let report = Rc::new(report);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new({
            let report = Rc::clone(&report);
            move |message: MessageEvent| report(read(&message))
        });
        let on_error = Closure::<dyn FnMut(ErrorEvent)>::new(move |error: ErrorEvent| {
            report(Report::Lost(error.message()));
        });
        script.worker().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        script.worker().set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let decoder = Self { script, _on_message: on_message, _on_error: on_error };
        decoder.send(&DecodeRequest::Open { start, end }, Some(file))?;
        Ok(decoder)
    }

    /// Asks for the next piece.
    ///
    /// # Errors
    ///
    /// The browser's exception, if the message cannot be posted.
    pub(crate) fn pull(&self) -> Result<(), JsValue> {
        self.send(&DecodeRequest::Next, None)
    }

    fn send(&self, request: &DecodeRequest, file: Option<&File>) -> Result<(), JsValue> {
        let header = request.serialize(&serde_wasm_bindgen::Serializer::json_compatible())?;
        let message = Array::of1(&header);
        if let Some(file) = file {
            message.push(file);
        }
        self.script.worker().post_message(&message)
    }
}

fn read(message: &MessageEvent) -> Report {
    let parts = Array::from(&message.data());
    match serde_wasm_bindgen::from_value(parts.get(0)) {
        Ok(event) => Report::Event(event, parts.get(1).dyn_into().ok()),
        // The shim's own message about a worker that could not be loaded has another form.
        Err(error) => {
            let detail =
                js_sys::Reflect::get(&parts.get(0), &"detail".into()).ok().and_then(|d| d.as_string());
            Report::Lost(detail.unwrap_or_else(|| describe(&error.into())))
        }
    }
}
