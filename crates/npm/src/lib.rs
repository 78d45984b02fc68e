//! The npm package's bindings: [`Client`] as a class of JavaScript.
//!
//! It passes calls to the client, and the client's updates to one function as plain objects
//! ([`message`]). `js/classifier.js` makes promises of them; the package's users see only that. The words
//! of errors are in [`advice`].

#![deny(unsafe_code)]
#![allow(unsafe_code, reason = "wasm_bindgen generates it for exported functions")]

pub mod advice;
pub mod message;

use std::collections::BTreeMap;

use cratedigger_client::machine::Audio;
use cratedigger_client::settings::Choice as _;
use cratedigger_client::{
    Capture, CaptureError, Client, Files, LiveSource, Mode, ModelChoice, Settings, Sound,
};
use cratedigger_protocol::ModelSet;
use js_sys::{Float32Array, Function, Promise};
use serde::Deserialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use web_sys::{File, MediaStream};

use crate::message::Translator;

/// What the package's JavaScript passes to [`Engine::new`].
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    /// Absolute URL of the folder with the files, with a slash at its end.
    folder: String,
    /// Absolute URLs of the files that are elsewhere, by name.
    #[serde(default)]
    moved: BTreeMap<String, String>,
    /// Absolute URL of another manifest.
    #[serde(default)]
    manifest: Option<String>,
    /// Id of a [`Mode`].
    device: String,
    /// Id of a [`ModelSet`].
    set: String,
}

/// A client. `free` ends its workers.
#[wasm_bindgen]
pub struct Engine(Client);

#[wasm_bindgen]
impl Engine {
    /// Starts the workers. `observer` gets every [`Message`](message::Message).
    ///
    /// # Errors
    ///
    /// The options are not complete, or name an unknown device or set.
    #[wasm_bindgen(constructor)]
    pub fn new(options: JsValue, observer: Function) -> Result<Engine, JsError> {
        console_error_panic_hook::set_once();
        let Options { folder, moved, manifest, device, set } = serde_wasm_bindgen::from_value(options)?;
        let mode = Mode::from_id(&device).ok_or_else(|| JsError::new("unknown device"))?;
        let set = ModelSet::from_id(&set).ok_or_else(|| JsError::new("unknown set of networks"))?;
        let mut files = Files::in_folder(folder).with_moved(moved);
        if let Some(url) = manifest {
            files = files.with_manifest(&url);
        }
        let settings = Settings { mode, models: ModelChoice { set, rule: None } };
        let translator = Translator::default();
        Ok(Self(Client::start(files, settings, move |update| {
            if let Some(message) = translator.message(update).and_then(|message| message::value(&message)) {
                // The package's own function does not throw.
                let _ = observer.call1(&JsValue::UNDEFINED, &message);
            }
        })))
    }

    /// Puts a file at the end of the queue.
    pub fn open(&self, song: u32, file: File) {
        self.0.open(song, file);
    }

    /// Puts samples at the end of the queue: one array a channel, and their rate in Hz.
    #[wasm_bindgen(js_name = openSamples)]
    pub fn open_samples(&self, song: u32, channels: Vec<Float32Array>, sample_rate: u32) {
        self.0.open_sound(song, Sound::Samples(Audio { sample_rate, channels }));
    }

    /// Stops a song and forgets it.
    pub fn remove(&self, song: u32) {
        self.0.remove(song);
    }

    /// Stops all songs, so that nothing keeps the client alive.
    #[wasm_bindgen(js_name = cancelAll)]
    pub fn cancel_all(&self) {
        self.0.cancel_all();
    }

    /// Captures live sound; resolves to a [`Recorder`]. `source` is `"microphone"`, `"tab"` or a
    /// `MediaStream`. `on_level` gets the peak level and the seconds so far; `on_end` is called when the source ends.
    pub fn listen(&self, source: JsValue, on_level: Function, on_end: Function) -> Promise {
        let client = self.0.clone();
        let tap = client.files().url("tap.js");
        let on_piece = {
            let client = client.clone();
            move |samples, rate| client.listen(samples, rate)
        };
        // The package's own functions do not throw.
        let on_level = move |level: f32, seconds: f64| {
            let _ = on_level.call2(&JsValue::UNDEFINED, &level.into(), &seconds.into());
        };
        let on_end = move || {
            let _ = on_end.call0(&JsValue::UNDEFINED);
        };
        future_to_promise(async move {
            let started = match (source.as_string().as_deref(), source.dyn_ref::<MediaStream>()) {
                (Some("microphone"), _) => {
                    Capture::start(LiveSource::Microphone, &tap, on_piece, on_level, on_end).await
                }
                (Some("tab"), _) => Capture::start(LiveSource::Tab, &tap, on_piece, on_level, on_end).await,
                (_, Some(stream)) => Capture::start_with(stream, &tap, on_piece, on_level, on_end).await,
                _ => return Err(message::error("bad-input", advice::BAD_SOURCE, String::new())),
            };
            match started {
                Ok(capture) => Ok(Recorder(capture).into()),
                Err(CaptureError::NoOutput) => {
                    Err(message::error("no-output", advice::NO_OUTPUT, String::new()))
                }
                Err(CaptureError::Refused(error)) => {
                    Err(message::error("no-source", advice::NO_SOURCE, message::describe(&error)))
                }
            }
        })
    }
}

/// A capture of live sound that runs.
#[wasm_bindgen]
pub struct Recorder(Capture);

#[wasm_bindgen]
impl Recorder {
    /// Ends it; resolves to the recording as a WAV file, or to `undefined` if nothing was captured.
    pub fn stop(self, name: String) -> Promise {
        future_to_promise(async move { Ok(self.0.stop(&name).await.map_or(JsValue::UNDEFINED, Into::into)) })
    }
}
