//! Confidence against accuracy.

use maud::{Markup, html};

use super::{Level, Numbering, folded_table, level_heads, optional_cell};
use crate::report::{ModelReport, ReliabilityBin, cell, figures, percent};

pub(super) fn section(model: &ModelReport, numbering: &mut Numbering, level: Level) -> Markup {
    let levels = [("Whole clips", &model.track), ("Segments", &model.segment)];
    let figures: Vec<Markup> = levels
        .into_iter()
        .enumerate()
        .filter(|(_, (_, scores))| scores.n > 0)
        .map(|(series, (name, scores))| {
            let caption = html! {
                (name) ". Top: accuracy over confidence, with 95\u{202f}% intervals. Bottom: number of examples "
                "at each confidence. Expected calibration error " (percent(scores.calibration_error)) "."
            };
            numbering.figure(&figures::calibration(name, scores, series), &caption)
        })
        .collect();
    html! {
        (level.heading("Calibration"))
        p {
            "Confidence is the probability of the predicted class. A calibrated model is on the diagonal: its "
            "accuracy equals its confidence. Below the diagonal, the model is overconfident."
        }
        @if figures.is_empty() { p { "Nothing was evaluated." } } @else {
            div.pair { @for figure in figures { (figure) } }
            (folded_table("Bins as a table", &table(&model.track.reliability, &model.segment.reliability)))
        }
    }
}

fn table(track: &[ReliabilityBin], segment: &[ReliabilityBin]) -> Markup {
    let cells = |bin: &ReliabilityBin| {
        html! {
            td.n { (bin.n) }
            (optional_cell((bin.n > 0).then_some(bin.confidence)))
            (optional_cell((bin.n > 0).then_some(bin.accuracy)))
        }
    };
    html! {
        thead {
            (level_heads(3))
            tr { th { "Confidence, %" } @for _ in 0..2 { th.n { "n" } th.n { "Mean" } th.n { "Accuracy" } } }
        }
        tbody {
            @for (track, segment) in track.iter().zip(segment) {
                tr { th scope="row" { (cell(track.low)) "–" (cell(track.high)) } (cells(track)) (cells(segment)) }
            }
        }
    }
}
