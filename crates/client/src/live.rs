//! Live sound: captures the microphone or a tab, and writes the recording.

#![allow(unsafe_code, reason = "wasm_bindgen generates it for imported functions")]

use js_sys::Float32Array;
use wasm_bindgen::prelude::*;
use web_sys::{File, MediaStream};

#[wasm_bindgen(module = "/src/live.js")]
extern "C" {
    /// A capture in JavaScript.
    type Tap;

    #[wasm_bindgen(js_name = capture, catch)]
    async fn js_capture(
        source: &JsValue,
        tap: &str,
        on_piece: &Closure<dyn FnMut(Float32Array, f64)>,
        on_level: &Closure<dyn FnMut(f32, f64)>,
        on_end: &Closure<dyn FnMut()>,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    async fn stop(this: &Tap, name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = wavFile)]
    fn js_wav_file(samples: &Float32Array, rate: u32, name: &str) -> File;
}

/// A source of live sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveSource {
    /// The microphone.
    Microphone,
    /// A tab, or the whole system.
    Tab,
}

/// Why a capture did not start.
#[derive(Debug)]
pub enum CaptureError {
    /// The user or the browser refused, or the source has no sound; the browser's exception.
    Refused(JsValue),
    /// The browser does not process sound. Firefox does not on a machine without an audio output.
    NoOutput,
}

impl From<JsValue> for CaptureError {
    fn from(error: JsValue) -> Self {
        // `capture` in live.js gives this name to its error.
        let no_output = error.dyn_ref::<js_sys::Error>().is_some_and(|error| error.name() == "NoOutput");
        if no_output { Self::NoOutput } else { Self::Refused(error) }
    }
}

/// A running capture. It must be stopped with [`Capture::stop`], which releases the source.
pub struct Capture {
    tap: Tap,
    // The browser calls these until the capture is stopped.
    _on_piece: Closure<dyn FnMut(Float32Array, f64)>,
    _on_level: Closure<dyn FnMut(f32, f64)>,
    _on_end: Closure<dyn FnMut()>,
}

impl Capture {
    /// Asks the user for the source and captures it for at most ten minutes. No sound leaves the page.
    ///
    /// `tap` is the absolute URL of `tap.js`. About once a second, `on_piece` gets the last three seconds as one channel, and their sample rate in Hz; these
    /// are the arguments of [`Client::listen`](crate::Client::listen). `on_level` gets the peak level,
    /// 0…1, and the seconds captured so far, about 20 times a second. `on_end` is called when the source
    /// ends by itself or the time is over; the capture still has to be stopped.
    ///
    /// # Errors
    ///
    /// See [`CaptureError`].
    pub async fn start(
        source: LiveSource,
        tap: &str,
        on_piece: impl FnMut(Float32Array, u32) + 'static,
        on_level: impl FnMut(f32, f64) + 'static,
        on_end: impl FnMut() + 'static,
    ) -> Result<Self, CaptureError> {
        let source = match source {
            LiveSource::Microphone => "microphone",
            LiveSource::Tab => "tab",
        };
        Self::of(&source.into(), tap, on_piece, on_level, on_end).await
    }

    /// Captures a stream of the host's own, which goes on when the capture is stopped. Otherwise like
    /// [`Capture::start`].
    ///
    /// # Errors
    ///
    /// See [`CaptureError`].
    pub async fn start_with(
        stream: &MediaStream,
        tap: &str,
        on_piece: impl FnMut(Float32Array, u32) + 'static,
        on_level: impl FnMut(f32, f64) + 'static,
        on_end: impl FnMut() + 'static,
    ) -> Result<Self, CaptureError> {
        Self::of(stream, tap, on_piece, on_level, on_end).await
    }

    async fn of(
        source: &JsValue,
        tap: &str,
        mut on_piece: impl FnMut(Float32Array, u32) + 'static,
        on_level: impl FnMut(f32, f64) + 'static,
        on_end: impl FnMut() + 'static,
    ) -> Result<Self, CaptureError> {
        let on_piece = Closure::<dyn FnMut(Float32Array, f64)>::new(move |samples, rate: f64| {
            on_piece(samples, rate.round() as u32);
        });
        let on_level = Closure::<dyn FnMut(f32, f64)>::new(on_level);
        let on_end = Closure::<dyn FnMut()>::new(on_end);
        let tap = js_capture(source, tap, &on_piece, &on_level, &on_end).await?;
        Ok(Self { tap: tap.unchecked_into(), _on_piece: on_piece, _on_level: on_level, _on_end: on_end })
    }

    /// Stops, and gives the recording as a WAV file; `None` if nothing was captured.
    pub async fn stop(self, name: &str) -> Option<File> {
        // The closures are dropped after this await: the browser may be inside one of them.
        self.tap.stop(name).await.ok()?.dyn_into().ok()
    }
}

/// Writes one channel of samples, −1…1, as a WAV file with 16 bits. `rate` is in Hz.
pub fn wav_file(samples: &Float32Array, rate: u32, name: &str) -> File {
    js_wav_file(samples, rate, name)
}
