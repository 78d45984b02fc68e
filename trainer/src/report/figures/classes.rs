//! Precision, recall and F1 of each class as bars.

use maud::{Markup, html};

use super::WIDTH;
use crate::report::Scores;
use crate::report::chart::{Chart, Point, TEXT, Tone, line, rectangle, shortened, text, width_of};

/// Height of a class in pixels.
const ROW: f64 = 21.0;
/// Upper end of the bars.
const TOP: f64 = 42.0;
/// Between two panels.
const GAP: f64 = 22.0;

/// One of the three measures: name and value of a class.
type Measure = (&'static str, fn(&Scores, usize) -> f64);

const MEASURES: [Measure; 3] = [
    ("precision", |scores, class| scores.per_class.get(class).map_or(0.0, |c| c.precision)),
    ("recall", |scores, class| scores.per_class.get(class).map_or(0.0, |c| c.recall)),
    ("F1", |scores, class| scores.per_class.get(class).map_or(0.0, |c| c.f1)),
];

/// Precision, recall and F1 of each class: bars for whole clips, strokes across them for segments.
pub(crate) fn classes(track: &Scores, segment: &Scores) -> Chart {
    let names: Vec<String> = track.classes.iter().map(|class| shortened(class, 13)).collect();
    let left = names.iter().map(|name| width_of(name, TEXT)).fold(30.0, f64::max) + 9.0;
    let width = (WIDTH - left - 3.0 * GAP) / 3.0;
    let bottom = TOP + ROW * names.len() as f64;
    let shapes = html! {
        @for (index, name) in names.iter().enumerate() {
            @let tone = if supported(track, index) { Tone::Ink } else { Tone::Muted };
            (text(name, (left - 9.0, middle_of(index))).end().tone(tone))
        }
        @for (number, (name, value)) in MEASURES.into_iter().enumerate() {
            @let x = left + number as f64 * (width + GAP);
            (text(name, (x, TOP - 17.0)))
            (grid(x, width, bottom))
            @for index in 0..names.len() {
                @if supported(track, index) {
                    (bar((x, middle_of(index)), width * value(track, index)))
                    @if supported(segment, index) {
                        (stroke((x + width * value(segment, index), middle_of(index))))
                    }
                } @else {
                    // Without examples recall is undefined; precision is 0 if the class was predicted.
                    @let predicted = number == 0 && track.per_class.get(index).is_some_and(|class| class.predicted > 0);
                    (text(if predicted { "0" } else { "–" }, (x + 4.0, middle_of(index))).small(Tone::Muted))
                }
            }
        }
    };
    let title = "Precision, recall and F1 of each class. The numbers are in the table below.";
    Chart::new((WIDTH, bottom + 24.0), title, shapes)
}

fn supported(scores: &Scores, class: usize) -> bool {
    scores.per_class.get(class).is_some_and(|class| class.support > 0)
}

/// The vertical middle of a class.
fn middle_of(index: usize) -> f64 {
    TOP + ROW * (index as f64 + 0.5)
}

fn grid(x: f64, width: f64, bottom: f64) -> Markup {
    html! {
        (line((x, TOP), (x, bottom), Tone::Rule))
        (line((x + width / 2.0, TOP), (x + width / 2.0, bottom), Tone::Grid))
        (line((x + width, TOP), (x + width, bottom), Tone::Grid))
        (text("0", (x, bottom + 11.0)).small(Tone::Muted))
        (text("100", (x + width, bottom + 11.0)).end().small(Tone::Muted))
    }
}

fn bar((x, y): Point, width: f64) -> Markup {
    rectangle((x, y - 5.0), (x + width, y + 5.0), Tone::Series(0), 1.0)
}

/// A vertical stroke with a margin in the colour of the page, visible on a bar and beside it.
fn stroke((x, y): Point) -> Markup {
    html! {
        (rectangle((x - 2.0, y - 8.5), (x + 2.0, y + 8.5), Tone::Paper, 1.0))
        (rectangle((x - 1.0, y - 8.0), (x + 1.0, y + 8.0), Tone::Series(1), 1.0))
    }
}
