//! The reliability diagram.

use maud::{Markup, html};

use super::{QUARTERS, WIDTH, percent_label};
use crate::report::chart::{Axes, Chart, Point, Tone, curve, error_bar, line, mark, rectangle};
use crate::report::{ReliabilityBin, Scores, percent, wilson};

/// Accuracy over confidence with 95 % intervals, and below it a histogram of the confidences. `level` names
/// the examples: clips or segments.
pub(crate) fn calibration(level: &str, scores: &Scores, series: usize) -> Chart {
    let most = scores.reliability.iter().map(|bin| bin.n).max().unwrap_or(0).max(1) as f64;
    let axes = Axes { frame: [40.0, 32.0, WIDTH - 10.0, 252.0], x: [0.0, 1.0], y: [0.0, 1.0] };
    let counts = Axes { frame: [40.0, 272.0, WIDTH - 10.0, 326.0], x: [0.0, 1.0], y: [0.0, most] };
    let bins: Vec<&ReliabilityBin> = scores.reliability.iter().filter(|bin| bin.n > 0).collect();
    let shapes = html! {
        (axes.y_name("accuracy, %"))
        (axes.y_grid(&QUARTERS, percent_label))
        (line(axes.at(0.0, 0.0), axes.at(1.0, 1.0), Tone::Rule))
        (counts.y_grid(&[0.0, most], |n| format!("{n:.0}")))
        (counts.x_ticks(&QUARTERS, percent_label))
        (counts.x_name("confidence, %"))
        (histogram(&counts, &bins, series))
        (accuracies(&axes, &bins, series))
    };
    let title = format!(
        "{level}: accuracy over confidence, expected calibration error {}. The numbers are in the table below.",
        percent(scores.calibration_error)
    );
    Chart::new((WIDTH, 364.0), title, shapes)
}

fn histogram(axes: &Axes, bins: &[&ReliabilityBin], series: usize) -> Markup {
    html! {
        @for bin in bins {
            @let (from, to) = (axes.at(bin.low, bin.n as f64), axes.at(bin.high, 0.0));
            (rectangle((from.0 + 1.0, from.1), (to.0 - 1.0, to.1), Tone::Series(series), 0.45))
        }
    }
}

fn accuracies(axes: &Axes, bins: &[&ReliabilityBin], series: usize) -> Markup {
    let points: Vec<Point> = bins.iter().map(|bin| axes.at(bin.confidence, bin.accuracy)).collect();
    html! {
        @for bin in bins {
            @let [low, high] = wilson((bin.accuracy * bin.n as f64).round() as usize, bin.n);
            (error_bar(axes.at(bin.confidence, low), axes.at(bin.confidence, high), Tone::Series(series)))
        }
        (curve(&points, Tone::Series(series)))
        @for point in points { (mark(series, point)) }
    }
}
