//! The networks, their inputs, and the ensemble.
//!
//! Trainer and web workers use this crate, so that a network runs as it was trained. An [`InputSpec`]
//! defines a network's input, an [`Architecture`] builds the network, a [`Manifest`] ties both to a file
//! of weights by hashes, and an [`Analyser`] predicts songs with all networks. [`explain()`] finds the
//! parts of the sound that speak for a class, [`character`] measures descriptors such as tempo, and
//! [`condition`] detects recordings on which the networks are less accurate. The crate does not depend on
//! a back end: functions take bytes and a burn `Device`, which the binary chooses.

#![forbid(unsafe_code)]

mod analyser;
pub mod character;
pub mod condition;
mod ensemble;
mod excerpt;
mod explain;
mod extractor;
mod golden;
mod input_spec;
mod inputs;
mod log_power;
#[cfg(feature = "fit")]
mod logistic;
mod manifest;
mod model;
pub mod nets;
mod parts;
pub mod preparation;
mod sections;
mod signals;
mod song;
mod stream;

pub use analyser::{AnalyseError, Analyser, Prediction, Spectra};
pub use cratedigger_protocol::Metric;
pub use ensemble::{
    Combination, Decision, EnsembleRule, Stacking, argmax, at_temperature, combine, log_softmax, non_music,
    of_classes, probabilities,
};
pub use excerpt::{Excerpt, Track};
pub use explain::{ExplainError, Explanation, explain};
pub use extractor::{Extractor, LogMelPlan, prepare};
pub use golden::{GOLDEN_TOLERANCE, golden_signal};
pub use input_spec::{InputSpec, InputSpecError, MIN_SECONDS, SILENCE};
pub use inputs::{ColourMap, Features, Input, LogMel, Normalise, PictureInput, Sequence, Stacked};
pub use log_power::{LogPowerMel, LogPowerMelPlan, loudness};
#[cfg(feature = "fit")]
pub use logistic::{Examples, LogisticError, LogisticRegression};
pub use manifest::{DataRecord, FORMAT, Golden, Manifest, ManifestError, ModelEntry, Training, sha256_hex};
pub use model::{Architecture, LoadError, Model, Network, batch};
pub use parts::Parts;
pub use preparation::{Preparation, PreparationError};
pub use sections::{Observation, SectionModel, Sound};
pub use signals::{Signals, place_at};
pub use song::{SongAccumulator, SongPrediction, spread_order};
pub use stream::{ReadySegment, SongStream};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The genres of GTZAN in alphabetical order, the order of classes of every network.
pub const GTZAN_GENRES: [&str; 10] =
    ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"];
