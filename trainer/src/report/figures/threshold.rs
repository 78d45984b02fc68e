//! The curve behind the answer *None of these*.

use maud::html;

use super::{QUARTERS, WIDTH, percent_label};
use crate::report::chart::{Axes, Chart, Point, Tone, curve, line, mark, text};
use crate::report::{Threshold, percent};

/// The fraction of refused non-music over the fraction of refused music, for every
/// threshold, with the chosen one.
pub(crate) fn threshold(threshold: &Threshold) -> Chart {
    let rates: Vec<Point> =
        threshold.curve.iter().map(|point| (point.music_refused, point.non_music_refused)).collect();
    let (value, music, non_music) =
        (threshold.chosen.threshold, threshold.chosen.music_refused, threshold.chosen.non_music_refused);
    let axes = Axes { frame: [40.0, 32.0, 390.0, 382.0], x: [0.0, 1.0], y: [0.0, 1.0] };
    let pixels: Vec<Point> = rates.into_iter().map(|(x, y)| axes.at(x, y)).collect();
    let chosen = axes.at(music, non_music);
    let note = [
        format!("threshold {value:.3}"),
        format!("refuses {} of music", percent(music)),
        format!("and {} of non-music", percent(non_music)),
    ];
    let shapes = html! {
        (axes.y_name("non-music refused, %"))
        (axes.y_grid(&QUARTERS, percent_label))
        (axes.x_grid(&QUARTERS))
        (axes.x_ticks(&QUARTERS, percent_label))
        (axes.x_name("music refused, %"))
        (line(axes.at(0.0, 0.0), axes.at(1.0, 1.0), Tone::Rule))
        (curve(&pixels, Tone::Series(0)))
        (mark(1, chosen))
        // Below the point and to its right or left: a curve better than chance leaves room there.
        @for (row, words) in note.iter().enumerate() {
            @let y = (chosen.1 + 16.0).min(axes.frame[3] - 50.0) + 15.0 * row as f64;
            @let label = text(words, (chosen.0 + if music < 0.6 { 10.0 } else { -10.0 }, y)).tone(Tone::Series(1)).halo();
            @if music < 0.6 { (label) } @else { (label.end()) }
        }
    };
    let title = format!(
        "None of these: a threshold of {value:.3} refuses {} of music and {} of non-music, area under the curve {:.3}",
        percent(music),
        percent(non_music),
        threshold.area
    );
    Chart::new((WIDTH + 16.0, 420.0), title, shapes)
}
