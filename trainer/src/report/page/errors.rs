//! The wrong predictions with the highest confidence.

use maud::{Markup, html};

use super::{Level, Numbering, class_name, isolated};
use crate::report::{ModelReport, Scores, cell};

pub(super) fn section(model: &ModelReport, numbering: &mut Numbering, level: Level) -> Markup {
    html! {
        (level.heading("Most confident errors"))
        @if model.track.mistakes.is_empty() { p { "No clip was predicted wrongly." } } @else {
            (table("clips", &model.track, numbering))
        }
        @if !model.segment.mistakes.is_empty() {
            details {
                summary { "Most confident errors for segments" }
                (table("segments", &model.segment, numbering))
            }
        }
    }
}

fn table(unit: &str, scores: &Scores, numbering: &mut Numbering) -> Markup {
    let caption = html! {
        "The wrong predictions for " (unit) " with the highest confidence, and the probability of their label. "
        "Both are in per cent."
    };
    let content = html! {
        thead { tr {
            th { "Name" } th { "Label" } th { "Predicted" } th.n { "Confidence" } th.n { "Probability of label" }
        } }
        tbody {
            @for mistake in &scores.mistakes {
                tr {
                    td.id { (isolated(&mistake.id)) }
                    td { (isolated(class_name(scores, mistake.label))) }
                    td { (isolated(class_name(scores, mistake.predicted))) }
                    td.n { (cell(mistake.confidence)) }
                    td.n { (cell(mistake.label_probability)) }
                }
            }
        }
    };
    numbering.table(&caption, &content)
}
