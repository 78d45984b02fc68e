//! Several models side by side.

use maud::{Markup, html};

use super::classes::f1_radar;
use super::{Numbering, folded_table, isolated};
use crate::report::chart::DISTINCT_SERIES;
use crate::report::{ModelReport, Scores, cell, clean, count, figures, size};

pub(super) fn section(models: &[ModelReport], numbering: &mut Numbering) -> Markup {
    let caption = html! {
        "All models. Accuracy with its 95\u{202f}% interval, macro F1 and expected calibration error (ECE) are in per cent."
    };
    let table = numbering.table(&caption, &overview(models));
    let caption = html! {
        "Accuracy with its 95\u{202f}% interval. Discs are whole clips, squares are segments."
    };
    let accuracies = numbering.figure(&figures::accuracies(models), &caption);
    let protocols_differ = models.windows(2).any(|pair| pair[0].protocol != pair[1].protocol);
    html! {
        section {
            h2 { "Side by side" }
            (table)
            @if protocols_differ {
                p.note {
                    "These models were evaluated under different protocols. Do not compare accuracies across protocols: "
                    "their test clips differ in difficulty."
                }
            }
            div.pair { (accuracies) (radar(models, numbering)) }
            (folded_table("F1 of each class for whole clips, in per cent", &classes(models)))
        }
    }
}

fn overview(models: &[ModelReport]) -> Markup {
    html! {
        thead {
            tr {
                th { "Model" } th { "Protocol" } th.n { "Parameters" } th.n { "Size (f16)" } th { "Level" }
                th.n { "n" } th.n { "Accuracy" } th.n { "95\u{202f}% interval" } th.n { "Macro F1" }
                th.n { abbr title="expected calibration error" { "ECE" } }
            }
        }
        @for (index, model) in models.iter().enumerate() {
            tbody {
                tr {
                    th scope="rowgroup" rowspan="2" { a href={ "#model-" (index + 1) } { (clean(&model.name)) } }
                    td.whole rowspan="2" { (clean(&model.protocol)) }
                    td.n rowspan="2" { (count(model.parameters)) }
                    td.n rowspan="2" { (size(model.bytes)) }
                    (metrics("clips", &model.track))
                }
                tr { (metrics("segments", &model.segment)) }
            }
        }
    }
}

fn metrics(level: &str, scores: &Scores) -> Markup {
    html! {
        td.level { (level) }
        td.n { (count(scores.n as u64)) }
        @if scores.n > 0 {
            td.n { b { (cell(scores.accuracy)) } }
            td.n { (cell(scores.interval[0])) "–" (cell(scores.interval[1])) }
            td.n { (cell(scores.macro_average.f1)) }
            td.n { (cell(scores.calibration_error)) }
        } @else {
            @for _ in 0..4 { td.n { "–" } }
        }
    }
}

/// The F1 of each class of the models that share the classes of the first one. A chart can show no more
/// models than there are distinct series; it shows those with the highest macro F1.
fn radar(models: &[ModelReport], numbering: &mut Numbering) -> Markup {
    let classes = models.first().map(|model| &model.track.classes);
    let mut shown: Vec<&ModelReport> =
        models.iter().filter(|m| Some(&m.track.classes) == classes && m.track.n > 0).collect();
    let comparable = shown.len();
    shown.sort_by(|a, b| b.track.macro_average.f1.total_cmp(&a.track.macro_average.f1));
    shown.truncate(DISTINCT_SERIES);
    if shown.len() < 2 {
        return html! {};
    }
    let sets: Vec<(String, &Scores)> =
        shown.iter().map(|model| (format!("{} · {}", model.name, model.protocol), &model.track)).collect();
    let title = "F1 of each class and model as a radar chart. The numbers are in the table below.";
    let caption = html! {
        "F1 of each class for whole clips, in per cent"
        @if comparable > shown.len() { ", of the " (shown.len()) " models with the highest macro F1" }
        "."
    };
    html! { @if let Some(chart) = f1_radar(title, &sets) { (numbering.figure(&chart, &caption)) } }
}

fn classes(models: &[ModelReport]) -> Markup {
    let names = models.first().map_or(&[][..], |model| &model.track.classes);
    html! {
        thead { tr {
            th { "Class" }
            @for model in models { th.n { (clean(&model.name)) br; (clean(&model.protocol)) } }
        } }
        tbody {
            @for (index, name) in names.iter().enumerate() {
                tr {
                    th scope="row" { (isolated(name)) }
                    @for model in models {
                        td.n {
                            @if model.track.classes == names {
                                @if let Some(class) = model.track.per_class.get(index) { (cell(class.f1)) }
                            } @else { "–" }
                        }
                    }
                }
            }
        }
    }
}
