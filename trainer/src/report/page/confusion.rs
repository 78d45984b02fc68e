//! The confusion matrices.

use maud::{Markup, html};

use super::{Level, Numbering, folded_table, isolated};
use crate::report::{ModelReport, Scores, figures};

pub(super) fn section(model: &ModelReport, numbering: &mut Numbering, level: Level) -> Markup {
    let clips = (model.track.n > 0).then(|| matrix("clips", &model.track, numbering));
    let segments = (model.segment.n > 0).then(|| matrix("segments", &model.segment, numbering));
    html! {
        (level.heading("Confusion matrix"))
        @match (clips, segments) {
            (Some(clips), Some(segments)) => {
                (clips)
                details { summary { "Confusion matrix of segments" } (segments) }
            }
            (Some(only), None) | (None, Some(only)) => (only),
            (None, None) => p { "Nothing was evaluated." },
        }
    }
}

fn matrix(unit: &str, scores: &Scores, numbering: &mut Numbering) -> Markup {
    let caption = html! {
        "Confusion matrix of " (unit) ": labels in rows, predictions in columns. The colour shows the fraction of the "
        "row, blue for correct and orange for wrong predictions."
    };
    html! {
        (numbering.figure(&figures::confusion(unit, scores), &caption))
        (folded_table("Confusion matrix as a table", &table(scores)))
    }
}

fn table(scores: &Scores) -> Markup {
    html! {
        thead { tr {
            th { "Label \\ predicted" }
            @for class in &scores.classes { th.n { (isolated(class)) } }
            th.n { "Total" }
        } }
        tbody {
            @for (class, row) in scores.classes.iter().zip(&scores.confusion) {
                @let total: usize = row.iter().sum();
                tr {
                    th scope="row" { (isolated(class)) }
                    @for &n in row {
                        td.n { @if n > 0 { (n) " (" (format!("{:.0}\u{202f}%", 100.0 * n as f64 / total as f64)) ")" } @else { "0" } }
                    }
                    td.n { (total) }
                }
            }
        }
    }
}
