//! Several CPU workers for one song.
//!
//! The song's worker starts helpers: workers of its own, with the same script and the same compiled module.
//! It gives them excerpts of the song and gets predictions; all else about the song stays with it. Results
//! are used in the order of the parts, so they do not depend on the number of workers. A helper that is lost
//! or slow costs time only: the song's worker does the missing parts itself.

pub(crate) mod helper;
mod helpers;

use cratedigger_protocol::Rule;
use cratedigger_zoo::{Prediction, Spectra};
use js_sys::Uint8Array;
use serde::{Deserialize, Serialize};

pub(crate) use helpers::{Helpers, Job, NAME};

/// The networks as they were fetched, for helpers. The bytes are not in WebAssembly's memory.
pub(crate) struct Fetched {
    /// The manifest.
    pub(crate) manifest: Uint8Array,
    /// The weights of each network.
    pub(crate) weights: Vec<Uint8Array>,
    /// The rule that the page chose.
    pub(crate) rule: Option<Rule>,
}

/// From the song's worker to a helper.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Task {
    /// Load these networks. Payload: a `Uint8Array` with the manifest, and one for each network's weights.
    Load { rule: Option<Rule> },
    /// Predict a part of the song. Payload: for each segment one `Float32Array` for each track.
    Predict { part: usize, segments: Vec<Vec<TrackHead>> },
}

/// An excerpt's track without its samples.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct TrackHead {
    rate: u32,
    start: usize,
}

/// From a helper to the song's worker. Any other message says that the helper is of no use.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Answer {
    /// The networks are loaded.
    Loaded,
    /// Predictions for a part; `None` for a silent segment. Payload: one `Float32Array` with the spectra of
    /// the audible segments.
    Predicted {
        part: usize,
        segments: Vec<Option<Outputs>>,
        /// Size of the helper's WebAssembly memory in bytes.
        memory: f64,
    },
}

/// A [`Prediction`] without the values of its spectra.
#[derive(Serialize, Deserialize)]
struct Outputs {
    members: Vec<Vec<f32>>,
    ensemble: Vec<f32>,
    non_music: Vec<f32>,
    tags: Vec<f32>,
    bands: usize,
    columns: usize,
}

impl Outputs {
    /// The outputs, and the values of the spectra.
    fn of(prediction: Prediction) -> (Self, Vec<f32>) {
        let Prediction { members, ensemble, non_music, tags, spectra } = prediction;
        let Spectra { bands, columns, db } = spectra;
        (Self { members, ensemble, non_music, tags, bands, columns }, db)
    }

    /// The prediction. Takes its values from the beginning of `spectra`.
    fn prediction(self, spectra: &mut impl Iterator<Item = f32>) -> Prediction {
        let Self { members, ensemble, non_music, tags, bands, columns } = self;
        let db = spectra.take(bands.saturating_mul(columns)).collect();
        Prediction { members, ensemble, non_music, tags, spectra: Spectra { bands, columns, db } }
    }
}

/// Size of this worker's WebAssembly memory in bytes.
pub(crate) fn memory() -> f64 {
    js_sys::Reflect::get(&wasm_bindgen::memory(), &"buffer".into())
        .and_then(|buffer| js_sys::Reflect::get(&buffer, &"byteLength".into()))
        .ok()
        .and_then(|length| length.as_f64())
        .unwrap_or_default()
}
