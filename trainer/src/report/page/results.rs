//! Metrics over whole clips and over segments.

use maud::{Markup, html};

use super::{Level, Numbering};
use crate::data::conditions::Condition;
use crate::report::{ModelReport, Scores, cell, clean, count};
use crate::store::UnderCondition;

/// A name and a value as text.
type Row = (&'static str, fn(&Scores) -> String);

const ROWS: [Row; 9] = [
    ("Accuracy, %", |s| cell(s.accuracy)),
    ("95\u{202f}% interval", |s| format!("{}–{}", cell(s.interval[0]), cell(s.interval[1]))),
    ("Top-3 accuracy, %", |s| cell(s.top3_accuracy)),
    ("Macro F1, %", |s| cell(s.macro_average.f1)),
    ("Macro precision, %", |s| cell(s.macro_average.precision)),
    ("Macro recall, %", |s| cell(s.macro_average.recall)),
    ("Expected calibration error, %", |s| cell(s.calibration_error)),
    ("Log loss", |s| format!("{:.3}", s.log_loss)),
    ("Brier score", |s| format!("{:.3}", s.brier)),
];

pub(super) fn section(model: &ModelReport, numbering: &mut Numbering, level: Level) -> Markup {
    let levels = [&model.track, &model.segment];
    let content = html! {
        thead { tr { th {} th.n { "Whole clips" } th.n { "Segments" } } }
        tbody {
            tr { th scope="row" { "Number" } @for scores in levels { td.n { (count(scores.n as u64)) } } }
            @for (name, value) in ROWS {
                tr {
                    th scope="row" { (name) }
                    @for scores in levels { td.n { @if scores.n > 0 { (value(scores)) } @else { "–" } } }
                }
            }
        }
    };
    html! {
        (level.heading("Results"))
        p { b { "Protocol " (clean(&model.protocol)) ". " } (clean(&model.protocol_explanation)) }
        (numbering.table(&html! { "Metrics for whole clips and for single segments." }, &content))
        p.note {
            "The intervals are Wilson intervals and assume independent examples. Segments of one clip are not "
            "independent, so the interval for segments is too narrow. Macro metrics are means over the classes. "
            "The expected calibration error is the mean gap between confidence and accuracy. Log loss and Brier "
            "score measure the probabilities themselves. For these three, lower is better."
        }
        @if !model.conditions.is_empty() { (conditions(model, numbering)) }
    }
}

/// Accuracy on clips as they are and under each condition.
fn conditions(model: &ModelReport, numbering: &mut Numbering) -> Markup {
    let row = |name: &str, scores: &Scores| {
        html! {
            tr {
                th scope="row" { (clean(name)) }
                td.n { (scores.n) }
                td.n { (cell(scores.accuracy)) }
                td.n { (cell(scores.interval[0])) "–" (cell(scores.interval[1])) }
                td.n { (cell(scores.calibration_error)) }
            }
        }
    };
    let content = html! {
        thead {
            tr {
                th { "Condition" } th.n { "Number" } th.n { "Accuracy, %" } th.n { "95\u{202f}% interval" }
                th.n { "Calibration error, %" }
            }
        }
        tbody {
            (row("as it is", &model.track))
            @for UnderCondition { condition, track, .. } in &model.conditions {
                (row(Condition::describe_name(condition), track))
            }
        }
    };
    numbering.table(&html! { "Whole clips under conditions." }, &content)
}
