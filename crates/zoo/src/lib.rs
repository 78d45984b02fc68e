//! The networks, what they are fed with, and how their answers become one.
//!
//! The trainer and the web workers both stand on this crate, so that what was trained is what
//! runs: a [`InputSpec`] makes a network's input from samples, an [`Architecture`] builds the
//! network, a [`Manifest`] ties both to a file of weights by hashes, and an [`Analyser`] runs a
//! song through all of them. No back end is named here: every function takes bytes and a burn
//! `Device`, and the binary chose what that is.

#![forbid(unsafe_code)]

mod analyser;
mod cnn;
mod ensemble;
mod golden;
mod input_spec;
mod inputs;
mod manifest;
mod model;
pub mod nets;
pub mod preparation;

pub use analyser::{AnalyseError, Analyser, Prediction, SongPrediction, Spectra};
pub use cnn::{Block, Cnn, CnnConfig};
pub use ensemble::{
    Combination, Decision, EnsembleRule, Stacking, argmax, at_temperature, combine, log_softmax,
    probabilities,
};
pub use golden::{GOLDEN_TOLERANCE, golden_signal};
pub use input_spec::{InputSpec, InputSpecError, MIN_SECONDS, SILENCE};
pub use inputs::{
    ColourMap, Extractor, Features, Input, LogMel, LogMelPlan, Normalise, PictureInput, Sequence, Stacked,
    prepare,
};
pub use manifest::{
    DataRecord, FORMAT, Golden, Manifest, ManifestError, Metric, ModelEntry, Training, sha256_hex,
};
pub use model::{Architecture, LoadError, Model, Network, batch};
pub use preparation::{Preparation, PreparationError};

/// The genres of GTZAN, in the alphabetical order in which every network numbers them.
pub const GTZAN_GENRES: [&str; 10] =
    ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"];
