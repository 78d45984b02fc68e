//! One web worker.

use std::rc::Rc;

use cratedigger_protocol::{DeviceKind, Event, Request};
use js_sys::{Array, Float32Array, JSON};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, BlobPropertyBag, ErrorEvent, MessageEvent, Url, Worker, WorkerOptions};

use crate::files::Files;

/// A report from a worker.
pub(crate) enum Report {
    /// A message with its payload, which is empty if there is none.
    Event(Event, Vec<f32>),
    /// The worker crashed, or sent an unreadable message.
    Lost(String),
}

/// A worker's script under way. Dropping it terminates the worker.
struct Script {
    worker: Worker,
    url: String,
}

impl Script {
    /// Starts the worker whose files are `name.js` and `name_bg.wasm`.
    ///
    /// A worker that is loaded from a URL takes its content security policy from its own HTTP headers;
    /// the page's `<meta>` does not apply to it. A worker from a `blob:` URL inherits the page's policy.
    /// The worker is started from a blob, so that "nothing leaves this machine" also holds for the code
    /// that has the samples, on any static host.
    ///
    /// # Errors
    ///
    /// The browser's exception, if it refuses blobs or workers.
    fn start(name: &str, files: &Files) -> Result<Self, JsValue> {
        let source = format!(
            "\"use strict\";\nconst script = {};\nconst binary = {};\n{}",
            JSON::stringify(&files.url(&format!("{name}.js")).into())?,
            JSON::stringify(&files.url(&format!("{name}_bg.wasm")).into())?,
            include_str!("shim.js")
        );
        let options = BlobPropertyBag::new();
        options.set_type("text/javascript");
        let blob = Blob::new_with_str_sequence_and_options(&Array::of1(&source.into()), &options)?;
        let url = Url::create_object_url_with_blob(&blob)?;
        let options = WorkerOptions::new();
        options.set_name(name);
        let worker = Worker::new_with_options(&url, &options)?;
        Ok(Self { worker, url })
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
        // Nobody could act on a URL that cannot be revoked.
        let _ = Url::revoke_object_url(&self.url);
    }
}

/// A running worker and those who hear it. Dropping it terminates the worker.
pub(crate) struct Running {
    script: Script,
    // The worker calls these for as long as it lives.
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Running {
    /// Starts the worker whose files are `name.js` and `name_bg.wasm`; see [`Script::start`]. `on_message` gets the data
    /// of each message, `on_error` the text of an error that the worker did not catch.
    ///
    /// # Errors
    ///
    /// The browser's exception, if it refuses blobs or workers.
    pub(crate) fn start(
        name: &str,
        files: &Files,
        on_message: impl Fn(&JsValue) + 'static,
        on_error: impl Fn(String) + 'static,
    ) -> Result<Self, JsValue> {
        let script = Script::start(name, files)?;
        let on_message =
            Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| on_message(&message.data()));
        let on_error =
            Closure::<dyn FnMut(ErrorEvent)>::new(move |error: ErrorEvent| on_error(error.message()));
        script.worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        script.worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Self { script, _on_message: on_message, _on_error: on_error })
    }

    /// Sends a request with a payload, which is copied.
    ///
    /// # Errors
    ///
    /// The browser's exception, if the message cannot be posted.
    pub(crate) fn post(&self, request: &impl Serialize, payload: &Array) -> Result<(), JsValue> {
        self.script.worker.post_message(&Array::of1(&header(request)?).concat(payload))
    }

    /// Sends a request. The buffers of `payload` are transferred and are empty here afterwards.
    ///
    /// # Errors
    ///
    /// The browser's exception, if the message cannot be posted.
    fn transfer(&self, request: &impl Serialize, payload: &[Float32Array]) -> Result<(), JsValue> {
        let message = Array::of1(&header(request)?);
        let buffers = Array::new();
        for samples in payload {
            message.push(samples);
            buffers.push(&samples.buffer());
        }
        self.script.worker.post_message_with_transfer(&message, &buffers)
    }
}

fn header(request: &impl Serialize) -> Result<JsValue, JsValue> {
    Ok(request.serialize(&serde_wasm_bindgen::Serializer::json_compatible())?)
}

/// A running worker that analyses songs. Dropping it terminates the worker.
pub(crate) struct Handle(Running);

impl Handle {
    /// Starts the worker of this kind; see [`Script::start`].
    ///
    /// # Errors
    ///
    /// The browser's exception, if it refuses blobs or workers.
    pub(crate) fn start(
        kind: DeviceKind,
        files: &Files,
        report: impl Fn(Report) + 'static,
    ) -> Result<Self, JsValue> {
        let name = match kind {
            DeviceKind::Cpu => "worker-cpu",
            DeviceKind::WebGpu => "worker-gpu",
        };
        let report = Rc::new(report);
        let heard = Rc::clone(&report);
        let lost = move |error| report(Report::Lost(error));
        Ok(Self(Running::start(name, files, move |message| heard(read(message)), lost)?))
    }

    /// Sends a request. The buffers of `payload` are transferred and are empty here afterwards.
    ///
    /// # Errors
    ///
    /// The browser's exception, if the message cannot be posted.
    pub(crate) fn send(&self, request: &Request, payload: &[Float32Array]) -> Result<(), JsValue> {
        self.0.transfer(request, payload)
    }
}

fn read(message: &JsValue) -> Report {
    let parts = Array::from(message);
    let payload = parts.get(1).dyn_into::<Float32Array>().map(|values| values.to_vec()).unwrap_or_default();
    match serde_wasm_bindgen::from_value(parts.get(0)) {
        Ok(event) => Report::Event(event, payload),
        Err(error) => Report::Lost(error.to_string()),
    }
}

/// The message of a JavaScript error.
pub(crate) fn describe(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()))
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "unknown error".into())
}
