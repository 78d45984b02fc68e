//! Evaluation: networks and their weights as bundles, metrics on a split, ensembles, export, import of
//! published networks.

pub mod alike;
mod bundle;
pub mod calibrate;
pub mod classify;
pub mod collection;
pub mod combine;
pub mod crossval;
pub mod embed;
mod evaluation;
pub mod export;
mod kept;
pub mod pool;
pub mod published;
pub mod rejection;
pub mod sections;
pub mod song_features;
mod stacking;
pub mod tagging;
pub mod teach;
pub mod web_page;
mod windows;

pub use bundle::{ModelBundle, Precision};
pub(crate) use evaluation::metrics_of;
pub use evaluation::{
    Evaluated, Measure, Predictions, evaluate, evaluate_conditions, open_data, plan_of, predict_part,
};
pub use kept::{Measured, kept_evaluation};

pub use crate::store::Evaluation;
