//! A report of one model, or of several side by side: one HTML file that needs nothing else.
//!
//! It holds figures and pictures as text and vector graphics, fetches nothing, runs no script, and
//! follows the reader's preference for light or dark; printed, it is light. Every picture has its
//! numbers in a table below it.

mod canvas;
mod models;
mod page;
mod palette;
mod pictures;
mod threshold;

use anyhow::{Result, ensure};

pub use models::{cross_validation_report, measured_reports, model_report, protocol_label, write_report};
pub use threshold::threshold_svg;

use crate::metrics::{FoldScore, Scores};
use crate::train::EpochMetrics;

/// What a report says of one model under one protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelReport {
    /// Its name.
    pub name: String,
    /// What it is, in one line.
    pub summary: String,
    /// Number of trained parameters.
    pub parameters: u64,
    /// Bytes of its weights in half precision.
    pub bytes: u64,
    /// Name of the protocol that it was measured under.
    pub protocol: String,
    /// What that protocol means, in a sentence or two.
    pub protocol_explanation: String,
    /// Seed of the training, where it had one.
    pub seed: Option<u64>,
    /// What data it learned from and was measured on.
    pub data: String,
    /// Figures over segments, each judged by itself.
    pub segment: Scores,
    /// Figures over whole clips.
    pub track: Scores,
    /// What was measured after each epoch of the training; may be empty.
    pub curves: Vec<EpochMetrics>,
    /// Whether it learned from the clips that these curves call validation, too.
    pub valid_is_learned: bool,
    /// More that belongs to it, as names and values: its configuration, where it was trained.
    pub facts: Vec<(String, String)>,
    /// The folds of a cross-validation; empty without one.
    pub folds: Vec<FoldScore>,
}

/// Writes the report: of one model in full, of several a comparison first and then each in full.
///
/// # Errors
/// There is no model, one has no classes, or the figures of a model's clips and segments are of
/// different classes.
pub fn html(title: &str, models: &[ModelReport]) -> Result<String> {
    ensure!(!models.is_empty(), "a report needs at least one model");
    for model in models {
        let (track, segment) = (&model.track, &model.segment);
        ensure!(!track.classes.is_empty(), "{}: a report needs at least one class", model.name);
        ensure!(
            track.classes == segment.classes,
            "{}: clips and segments differ in their classes",
            model.name
        );
        for scores in [track, segment] {
            let n = scores.classes.len();
            let square = scores.confusion.len() == n && scores.confusion.iter().all(|row| row.len() == n);
            ensure!(
                square && scores.per_class.len() == n,
                "{}: figures of some classes are missing",
                model.name
            );
        }
    }
    page::page(title, models)
}

/// A share in per cent, with a narrow space that does not break.
fn percent(share: f64) -> String {
    format!("{:.1}\u{202f}%", 100.0 * share)
}

/// A text without control characters, which neither HTML nor a reader can make sense of.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
