//! Accuracies of the folds of a cross-validation.

use maud::{Markup, html};

use super::{WIDTH, percent_label};
use crate::report::chart::{Axes, Chart, Tone, line, mark, rectangle, spread, text};
use crate::report::{FoldScore, mean_and_deviation, percent};

/// A name and the accuracy of each fold.
type Level = (&'static str, Vec<f64>);

/// Accuracies of the folds, with their mean and standard deviation.
pub(crate) fn folds(folds: &[FoldScore]) -> Chart {
    let levels: [Level; 2] = [
        ("clips", folds.iter().map(|fold| fold.track_accuracy).collect()),
        ("segments", folds.iter().map(|fold| fold.segment_accuracy).collect()),
    ];
    let [low, high] = tenths_around(levels.iter().flat_map(|(_, values)| values.iter().copied()));
    let ticks: Vec<f64> = (low..=high).map(|tick| f64::from(tick) / 10.0).collect();
    let axes = Axes {
        frame: [40.0, 32.0, WIDTH - 100.0, 212.0],
        x: [0.5, folds.len() as f64 + 0.5],
        y: [f64::from(low) / 10.0, f64::from(high) / 10.0],
    };
    let every = folds.len().div_ceil(12).max(1);
    let numbers: Vec<f64> = (1..=folds.len()).step_by(every).map(|fold| fold as f64).collect();
    let [clips, segments] = levels.each_ref().map(|(_, values)| mean_and_deviation(values).0);
    let title = format!(
        "Accuracy of {} folds, on average {} for clips and {} for segments. The numbers are in the table below.",
        folds.len(),
        percent(clips),
        percent(segments)
    );
    let shapes = html! {
        (axes.y_name("accuracy, %"))
        (axes.y_grid(&ticks, percent_label))
        (axes.x_ticks(&numbers, |x| format!("{x:.0}")))
        (axes.x_name("fold"))
        (spreads(&axes, &levels))
        @for (series, (_, values)) in levels.iter().enumerate() {
            @for (index, &value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
                (mark(series, axes.at(index as f64 + 1.0, value)))
            }
        }
    };
    Chart::new((WIDTH, 250.0), title, shapes)
}

/// A line at the mean of each level, a band of one standard deviation to each side, and both as text.
fn spreads(axes: &Axes, levels: &[Level]) -> Markup {
    let spreads: Vec<(f64, f64)> = levels.iter().map(|(_, values)| mean_and_deviation(values)).collect();
    let heights: Vec<f64> = spreads.iter().map(|(mean, _)| axes.at(0.5, *mean).1).collect();
    let heights = spread(&heights, 30.0, [axes.frame[1] + 7.0, axes.frame[3] - 7.0]);
    let [start, end] = axes.x;
    html! {
        @for (series, ((name, _), ((mean, deviation), y))) in levels.iter().zip(spreads.iter().zip(heights)).enumerate() {
            @let (tone, x) = (Tone::Series(series), axes.frame[2] + 9.0);
            @if mean.is_finite() && deviation.is_finite() {
                (rectangle(axes.at(start, mean + deviation), axes.at(end, mean - deviation), tone, 0.13))
                (line(axes.at(start, *mean), axes.at(end, *mean), tone))
            }
            (text(name, (x, y - 7.0)).small(tone))
            @let values = if mean.is_finite() { format!("{:.1} ± {:.1}", 100.0 * mean, 100.0 * deviation) } else { "–".into() };
            (text(&values, (x, y + 7.0)).small(tone))
        }
    }
}

/// A range of at least two tenths that covers fractions with a margin. The folds differ by little and are
/// dots, not bars; therefore the axis need not begin at 0.
fn tenths_around(fractions: impl Iterator<Item = f64>) -> [u32; 2] {
    let (least, greatest) = fractions
        .filter(|fraction| fraction.is_finite())
        .fold((1.0_f64, 0.0_f64), |(low, high), fraction| (low.min(fraction), high.max(fraction)));
    let tenth = |value: f64| (10.0 * value).round().clamp(0.0, 10.0) as u32;
    let low = tenth(least - 0.1).min(8);
    [low, tenth(greatest + 0.1).max(low + 2)]
}
