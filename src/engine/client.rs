//! One worker, as the page sees it.

use cratedigger_protocol::{DeviceKind, Event, Request};
use js_sys::{Array, Float32Array, JSON};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, BlobPropertyBag, ErrorEvent, MessageEvent, Url, Worker, WorkerOptions};

/// What a worker reports.
pub enum Report {
    /// A message, with its payload if it has one.
    Event(Event, Option<Float32Array>),
    /// It has crashed, or says what can't be understood.
    Died(String),
}

/// A running worker; dropping it terminates the worker.
pub struct Client {
    worker: Worker,
    script: String,
    // The worker calls these for as long as it lives.
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Client {
    /// Starts the worker of this kind. `base` is the absolute URL of the page's folder.
    ///
    /// A worker that is loaded from a URL has its own content security policy, from its own HTTP
    /// headers, and the page's `<meta>` doesn't reach it. One that is started from a `blob:` URL
    /// inherits the page's. So it is started from a blob: then "nothing leaves this machine"
    /// holds for the code that has the samples too, on any static host.
    pub fn start(kind: DeviceKind, base: &str, report: impl Fn(Report) + 'static) -> Result<Self, JsValue> {
        let name = match kind {
            DeviceKind::Cpu => "worker-cpu",
            DeviceKind::WebGpu => "worker-gpu",
        };
        let source = format!(
            "\"use strict\";\nconst base = {};\nconst name = {};\n{}",
            JSON::stringify(&base.into())?,
            JSON::stringify(&name.into())?,
            include_str!("shim.js")
        );
        let options = BlobPropertyBag::new();
        options.set_type("text/javascript");
        let blob = Blob::new_with_str_sequence_and_options(&Array::of1(&source.into()), &options)?;
        let script = Url::create_object_url_with_blob(&blob)?;
        let options = WorkerOptions::new();
        options.set_name(name);
        let worker = Worker::new_with_options(&script, &options)?;

        let report = std::rc::Rc::new(report);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new({
            let report = report.clone();
            move |message: MessageEvent| {
                let parts = Array::from(&message.data());
                let payload = parts.get(1).dyn_into::<Float32Array>().ok();
                match serde_wasm_bindgen::from_value(parts.get(0)) {
                    Ok(event) => report(Report::Event(event, payload)),
                    Err(error) => report(Report::Died(error.to_string())),
                }
            }
        });
        let on_error = Closure::<dyn FnMut(ErrorEvent)>::new(move |error: ErrorEvent| {
            report(Report::Died(error.message()));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Self { worker, script, _on_message: on_message, _on_error: on_error })
    }

    /// Sends a request; the buffers of `payload` go with it and are empty here afterwards.
    pub fn send(&self, request: &Request, payload: &[Float32Array]) -> Result<(), JsValue> {
        let header = request.serialize(&serde_wasm_bindgen::Serializer::json_compatible())?;
        let message = Array::of1(&header);
        let buffers = Array::new();
        for samples in payload {
            message.push(samples);
            buffers.push(&samples.buffer());
        }
        self.worker.post_message_with_transfer(&message, &buffers)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
        // A URL that can't be revoked is nothing that anyone could act on.
        let _ = Url::revoke_object_url(&self.script);
    }
}
