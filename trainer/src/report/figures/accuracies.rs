//! Accuracies of several models.

use maud::{Markup, html};

use super::{QUARTERS, WIDTH, percent_label};
use crate::report::chart::{Axes, Chart, Tone, error_bar, mark, shortened, text};
use crate::report::{ModelReport, Scores, percent};

/// Height of a model in pixels.
const ROW: f64 = 52.0;
const TOP: f64 = 20.0;

/// Accuracies of several models with their 95 % intervals.
pub(crate) fn accuracies(models: &[ModelReport]) -> Chart {
    let bottom = TOP + ROW * models.len() as f64;
    let axes = Axes { frame: [8.0, TOP, WIDTH - 14.0, bottom], x: [0.0, 1.0], y: [0.0, 1.0] };
    let shapes = html! {
        (axes.x_grid(&QUARTERS))
        (axes.x_ticks(&QUARTERS, percent_label))
        (axes.x_name("accuracy, %"))
        @for (index, model) in models.iter().enumerate() {
            @let y = TOP + ROW * index as f64;
            @let name = format!("{} · {}", shortened(&model.name, 32), shortened(&model.protocol, 20));
            (text(&name, (14.0, y + 10.0)).halo())
            @for (series, scores) in [&model.track, &model.segment].into_iter().enumerate() {
                @if scores.n > 0 { (accuracy(&axes, y + 25.0 + 12.0 * series as f64, scores, series)) }
            }
        }
    };
    let title =
        format!("Accuracy of {} models with intervals. The numbers are in the table above.", models.len());
    Chart::new((WIDTH, bottom + 40.0), title, shapes)
}

/// One accuracy as a mark on its interval, with its value on the side that has room.
fn accuracy(axes: &Axes, y: f64, scores: &Scores, series: usize) -> Markup {
    let at = |fraction: f64| (axes.at(fraction, 0.0).0, y);
    let ([low, high], tone) = (scores.interval, Tone::Series(series));
    let value = percent(scores.accuracy);
    html! {
        (error_bar(at(low), at(high), tone))
        (mark(series, at(scores.accuracy)))
        @if high < 0.8 {
            (text(&value, (at(high).0 + 7.0, y)).small(tone).halo())
        } @else {
            (text(&value, (at(low).0 - 7.0, y)).end().small(tone).halo())
        }
    }
}
