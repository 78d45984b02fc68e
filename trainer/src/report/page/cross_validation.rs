//! The folds of a cross-validation.

use maud::{Markup, html};

use super::{Level, Numbering, folded_table};
use crate::report::{FoldScore, ModelReport, cell, figures, mean_and_deviation};

pub(super) fn section(model: &ModelReport, numbering: &mut Numbering, level: Level) -> Markup {
    let folds = &model.folds;
    let caption = html! {
        "Accuracy of the folds of the cross-validation. Lines are means. Bands are one standard deviation wide on each side."
    };
    html! {
        (level.heading("Cross-validation"))
        (numbering.figure(&figures::folds(folds), &caption))
        (folded_table("Folds as a table, in per cent", &table(folds)))
    }
}

fn table(folds: &[FoldScore]) -> Markup {
    let spread = |value: fn(&FoldScore) -> f64| {
        let (mean, deviation) = mean_and_deviation(&folds.iter().map(value).collect::<Vec<f64>>());
        format!("{} ± {}", cell(mean), cell(deviation))
    };
    html! {
        thead { tr {
            th.n { "Fold" } th.n { "Clips" } th.n { "Accuracy" } th.n { "Macro F1" }
            th.n { "Segments" } th.n { "Accuracy" }
        } }
        tbody {
            @for fold in folds {
                tr {
                    td.n { (fold.fold) }
                    td.n { (fold.tracks) } td.n { (cell(fold.track_accuracy)) } td.n { (cell(fold.track_f1)) }
                    td.n { (fold.segments) } td.n { (cell(fold.segment_accuracy)) }
                }
            }
        }
        tfoot { tr {
            th.n scope="row" { "Mean" }
            td {} td.n { (spread(|f| f.track_accuracy)) } td.n { (spread(|f| f.track_f1)) }
            td {} td.n { (spread(|f| f.segment_accuracy)) }
        } }
    }
}
