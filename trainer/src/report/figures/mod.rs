//! The charts of a report.

mod accuracies;
mod calibration;
mod classes;
mod confusion;
mod folds;
mod radar;
mod threshold;
mod training;

pub(crate) use accuracies::accuracies;
pub(crate) use calibration::calibration;
pub(crate) use classes::classes;
pub(crate) use confusion::confusion;
pub(crate) use folds::folds;
pub(crate) use radar::{Polygon, radar};
pub(crate) use threshold::threshold;
pub(crate) use training::{Curves, Series};

/// Width in pixels of a chart that stands beside another one. It is the width of a phone, so that text
/// keeps its size there.
const WIDTH: f64 = 384.0;

/// Ticks of an axis from 0 to 100 %.
const QUARTERS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// A fraction as an axis label, in per cent without the unit.
fn percent_label(fraction: f64) -> String {
    format!("{:.0}", 100.0 * fraction)
}
