//! The page's own decoder: a worker that decodes one file piece by piece.

use std::rc::Rc;

use cratedigger_protocol::decode::{DecodeEvent, DecodeRequest};
use js_sys::{Array, Float32Array};
use wasm_bindgen::prelude::*;
use web_sys::File;

use crate::files::Files;
use crate::worker::{Running, describe};

/// A report from a decoder.
pub(crate) enum Report {
    /// A message, with its samples if there are any.
    Event(DecodeEvent, Option<Float32Array>),
    /// The worker could not be loaded, or crashed.
    Lost(String),
}

/// A running decoder. Dropping it terminates its worker.
pub(crate) struct Decoder(Running);

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
        let report = Rc::new(report);
        let heard = Rc::clone(&report);
        let lost = move |error| report(Report::Lost(error));
        let decoder =
            Self(Running::start("worker-decode", files, move |message| heard(read(message)), lost)?);
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
        self.0.post(request, &file.into_iter().map(JsValue::from).collect())
    }
}

fn read(message: &JsValue) -> Report {
    let parts = Array::from(message);
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
