//! A report of one model or of several models: one HTML file that needs nothing else.
//!
//! It contains numbers and charts as text and vector graphics, fetches nothing and runs no script. It
//! follows the reader's preference for light or dark; on paper it is light. Every chart has its numbers
//! in a table.

mod chart;
mod figures;
mod format;
mod models;
mod page;

use anyhow::{Result, ensure};

pub use models::{cross_validation_report, measured_reports, model_report, protocol_label, write_report};

use crate::eval::calibrate::Threshold;
use crate::metrics::{Average, FoldScore, ReliabilityBin, Scores, mean_and_deviation, wilson};
use crate::store::UnderCondition;
use crate::train::EpochMetrics;

use format::{cell, clean, count, interval, percent, size};

/// The content of a report about one model under one protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelReport {
    /// Name of the model.
    pub name: String,
    /// Description of the model in one line.
    pub summary: String,
    /// Number of trained parameters.
    pub parameters: u64,
    /// Size of its weights in half precision, in bytes.
    pub bytes: u64,
    /// Name of the evaluation protocol.
    pub protocol: String,
    /// Explanation of the protocol in one or two sentences.
    pub protocol_explanation: String,
    /// Seed of the training, if it had one.
    pub seed: Option<u64>,
    /// The data that it was trained and evaluated on.
    pub data: String,
    /// Metrics of segments, each classified by itself.
    pub segment: Scores,
    /// Metrics of whole clips.
    pub track: Scores,
    /// Metrics of the same clips under conditions; empty if not measured.
    pub conditions: Vec<UnderCondition>,
    /// Metrics after each epoch of the training; may be empty.
    pub curves: Vec<EpochMetrics>,
    /// Whether it was trained on the clips that `curves` call validation, too.
    pub valid_is_learned: bool,
    /// More facts as names and values: its configuration, where it was trained.
    pub facts: Vec<(String, String)>,
    /// Folds of a cross-validation; empty without one.
    pub folds: Vec<FoldScore>,
}

/// Writes the report: one model in full, or a comparison of several models followed by each in full.
///
/// # Errors
/// Fails if there is no model, if a model has no classes, or if the metrics of clips and segments have
/// different classes.
pub fn html(title: &str, models: &[ModelReport]) -> Result<String> {
    ensure!(!models.is_empty(), "a report needs at least one model");
    for model in models {
        let (track, segment) = (&model.track, &model.segment);
        ensure!(!track.classes.is_empty(), "{}: a report needs at least one class", model.name);
        ensure!(
            track.classes == segment.classes,
            "{}: clips and segments have different classes",
            model.name
        );
        for scores in [track, segment] {
            let n = scores.classes.len();
            let square = scores.confusion.len() == n && scores.confusion.iter().all(|row| row.len() == n);
            ensure!(
                square && scores.per_class.len() == n,
                "{}: metrics of some classes are missing",
                model.name
            );
        }
    }
    Ok(page::page(title, models).into_string())
}

/// Draws the fraction of refused non-music over the fraction of refused music for every threshold of *None of
/// these*, as a complete SVG file.
pub fn threshold_svg(threshold: &Threshold) -> String {
    figures::threshold(threshold).file()
}
