//! Messages to and from JavaScript.

use std::cell::RefCell;

use cratedigger_protocol::decode::{DecodeEvent, DecodeRequest, Problem};
use js_sys::{Array, Float32Array};
use serde::Serialize as _;
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, File, MessageEvent};

use crate::file::FileBytes;
use crate::job::{Answer, Job, failed};

/// Installs the message handler; returns at once.
pub(crate) fn start() {
    console_error_panic_hook::set_once();
    let job = RefCell::new(None);
    let handler = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        let (event, samples) = handle(&mut job.borrow_mut(), &message.data());
        post(&event, samples.as_deref());
    });
    scope().set_onmessage(Some(handler.as_ref().unchecked_ref()));
    handler.forget(); // needed as long as the worker lives
}

fn handle(job: &mut Option<Job>, message: &JsValue) -> Answer {
    let parts = Array::from(message);
    match serde_wasm_bindgen::from_value(parts.get(0)) {
        Ok(DecodeRequest::Open { start, end }) => {
            let (event, opened) = match open(&parts.get(1), start, end) {
                Ok(opened) => (DecodeEvent::Opened { sample_rate: opened.rate() }, Some(opened)),
                Err(event) => (event, None),
            };
            *job = opened;
            (event, None)
        }
        Ok(DecodeRequest::Next) => match job {
            Some(job) => job.next(),
            None => (problem("no file is open"), None),
        },
        Err(error) => (problem(&error.to_string()), None),
    }
}

fn open(file: &JsValue, start: f64, end: Option<f64>) -> Result<Job, DecodeEvent> {
    let file: &File = file.dyn_ref().ok_or_else(|| problem("the payload is not a file"))?;
    let name = file.name();
    let hint = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let bytes = FileBytes::new(file.clone().into()).map_err(|_| problem("files cannot be read here"))?;
    Job::open(bytes, hint, start, end).map_err(|error| failed(&error, 0.0))
}

fn problem(detail: &str) -> DecodeEvent {
    DecodeEvent::Failed { problem: Problem::Unreadable, detail: detail.to_owned(), at: 0.0 }
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Sends an event and transfers the buffer of its samples.
fn post(event: &DecodeEvent, samples: Option<&[f32]>) {
    let sent = event
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(JsValue::from)
        .and_then(|header| {
            let message = Array::of1(&header);
            let transfer = Array::new();
            if let Some(samples) = samples {
                let array = Float32Array::from(samples);
                message.push(&array);
                transfer.push(&array.buffer());
            }
            scope().post_message_with_transfer(&message, &transfer)
        });
    if let Err(error) = sent {
        // Messages do not work, so only the console is left.
        web_sys::console::error_1(&error);
    }
}
