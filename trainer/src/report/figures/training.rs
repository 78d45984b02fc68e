//! Training curves: values over epochs.

use maud::{Markup, html};

use super::{QUARTERS, WIDTH, percent_label};
use crate::report::EpochMetrics;
use crate::report::chart::{
    Axes, Chart, Point, SMALL, Tone, curve, line, mark, nice_ticks, spread, text, width_of,
};

/// With more epochs than this, a curve has one mark, at its end.
const MARKED_EPOCHS: usize = 24;

/// One curve: a name and its value in every epoch. Values that are not finite are left out.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) value: fn(&EpochMetrics) -> f64,
}

/// A chart of several curves over the epochs of a training.
pub(crate) struct Curves<'a> {
    /// Title: the text alternative of the chart.
    pub(crate) title: String,
    /// Name of the vertical axis.
    pub(crate) y_name: &'a str,
    pub(crate) epochs: &'a [EpochMetrics],
    pub(crate) series: &'a [Series],
    /// Values are fractions, on an axis from 0 to 100 %. Else the axis ends at the maximum.
    pub(crate) fractions: bool,
    /// The epoch to mark as the best one.
    pub(crate) best: Option<usize>,
}

impl Curves<'_> {
    pub(crate) fn chart(&self) -> Chart {
        let points: Vec<Vec<Point>> = self.series.iter().map(|series| self.points(series)).collect();
        let greatest = points.iter().flatten().map(|(_, y)| *y).fold(0.0, f64::max);
        let ticks = if self.fractions { QUARTERS.to_vec() } else { nice_ticks(greatest) };
        let top = ticks.last().copied().unwrap_or(1.0);
        let first = self.epochs.iter().map(|e| e.epoch).min().unwrap_or(1) as f64;
        let last = self.epochs.iter().map(|e| e.epoch).max().unwrap_or(1) as f64;
        let longest = self.series.iter().map(|series| width_of(series.name, SMALL)).fold(0.0, f64::max);
        let frame = [40.0, 32.0, WIDTH - longest - 14.0, 232.0];
        let axes = Axes { frame, x: [first, last], y: [0.0, top] };
        let shapes = html! {
            (axes.y_name(self.y_name))
            (axes.y_grid(&ticks, |y| if self.fractions { percent_label(y) } else { short(y) }))
            (axes.x_ticks(&epoch_ticks(first, last), |x| format!("{x:.0}")))
            (axes.x_name("epoch"))
            @if let Some(best) = self.best {
                @let ((x, low), (_, high)) = (axes.at(best as f64, 0.0), axes.at(best as f64, top));
                (line((x, low), (x, high), Tone::Rule))
                (text("best", (x, high - 8.0)).middle().small(Tone::Muted))
            }
            (self.curves(&axes, &points))
        };
        Chart::new((WIDTH, 270.0), self.title.as_str(), shapes)
    }

    fn points(&self, series: &Series) -> Vec<Point> {
        let points = self.epochs.iter().map(|epoch| (epoch.epoch as f64, (series.value)(epoch)));
        points.filter(|(_, y)| y.is_finite()).collect()
    }

    /// The curves, each with its name at its right end.
    fn curves(&self, axes: &Axes, points: &[Vec<Point>]) -> Markup {
        let pixels: Vec<(usize, Vec<Point>)> = points
            .iter()
            .map(|points| points.iter().map(|&(x, y)| axes.at(x, y)).collect::<Vec<Point>>())
            .enumerate()
            .filter(|(_, pixels)| !pixels.is_empty())
            .collect();
        let ends: Vec<f64> = pixels.iter().filter_map(|(_, pixels)| pixels.last()).map(|&(_, y)| y).collect();
        let ends = spread(&ends, 13.0, [axes.frame[1], axes.frame[3] - 6.0]);
        html! {
            @for ((index, pixels), label_y) in pixels.iter().zip(ends) {
                @let tone = Tone::Series(*index);
                @let unmarked = if pixels.len() > MARKED_EPOCHS { pixels.len() - 1 } else { 0 };
                (curve(pixels, tone))
                @for &pixel in pixels.iter().skip(unmarked) { (mark(*index, pixel)) }
                (text(self.series[*index].name, (axes.frame[2] + 9.0, label_y)).small(tone))
            }
        }
    }
}

/// The first and the last epoch, and round numbers between them that do not touch these.
fn epoch_ticks(first: f64, last: f64) -> Vec<f64> {
    let length = last - first;
    let mut ticks = vec![first];
    ticks.extend(
        nice_ticks(last)
            .into_iter()
            .filter(|x| x.fract() == 0.0 && x - first > 0.05 * length && last - x > 0.07 * length),
    );
    ticks.push(last);
    ticks.dedup();
    ticks
}

/// A value with as many decimals as it needs, at most four.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_have_ticks() {
        assert_eq!(epoch_ticks(1.0, 1.0), [1.0]);
        assert_eq!(epoch_ticks(1.0, 3.0), [1.0, 2.0, 3.0]);
        assert_eq!(epoch_ticks(1.0, 40.0), [1.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(epoch_ticks(1.0, 41.0), [1.0, 10.0, 20.0, 30.0, 41.0]);
    }

    #[test]
    fn values_are_short() {
        assert_eq!([0.0, 0.25, 2.0, 200.0, 0.30000000000000004].map(short), ["0", "0.25", "2", "200", "0.3"]);
    }
}
