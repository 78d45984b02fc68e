//! Precision, recall and F1 of each class.

use maud::{Markup, html};

use super::{Level, Numbering, folded_table, isolated, level_heads};
use crate::report::chart::Chart;
use crate::report::figures::{self, Polygon};
use crate::report::{Average, ModelReport, Scores, cell, clean};

pub(super) fn section(model: &ModelReport, numbering: &mut Numbering, level: Level) -> Markup {
    let ModelReport { track, segment, .. } = model;
    let caption = html! {
        "Precision, recall and F1 of each class in per cent. Bars are whole clips, strokes are segments."
    };
    let bars = numbering.figure(&figures::classes(track, segment), &caption);
    let radar = f1_radar(
        "F1 of each class as a radar chart. The numbers are in the table below.",
        &[("whole clips".into(), track), ("segments".into(), segment)],
    );
    let radar = radar.map(|chart| numbering.figure(&chart, &html! { "F1 of each class in per cent." }));
    let missing: Vec<&str> = (track.classes.iter().zip(&track.per_class))
        .filter(|(_, class)| class.support == 0)
        .map(|(name, _)| name.as_str())
        .collect();
    html! {
        (level.heading("Results by class"))
        div.pair { (bars) @if let Some(radar) = radar { (radar) } }
        (folded_table("Classes as a table", &table(track, segment)))
        @if !missing.is_empty() && track.n > 0 {
            p.note { "No clips of " (clean(&missing.join(", "))) " were evaluated, so their accuracy is unknown." }
        }
    }
}

/// A radar chart of the F1 of several sets of the same classes. Classes without examples are left out.
/// Returns nothing if fewer than three remain.
pub(super) fn f1_radar(title: &str, sets: &[(String, &Scores)]) -> Option<Chart> {
    let (_, first) = sets.first()?;
    let shown: Vec<usize> = (0..first.classes.len())
        .filter(|&class| sets.iter().any(|(_, s)| s.per_class.get(class).is_some_and(|c| c.support > 0)))
        .collect();
    if shown.len() < 3 {
        return None;
    }
    let names: Vec<String> = shown.iter().map(|&class| first.classes[class].clone()).collect();
    let polygons: Vec<Polygon> = sets
        .iter()
        .filter(|(_, scores)| scores.n > 0)
        .map(|(name, scores)| Polygon {
            name: name.clone(),
            values: shown.iter().map(|&class| scores.per_class.get(class).map_or(0.0, |c| c.f1)).collect(),
        })
        .collect();
    Some(figures::radar(title, &names, &polygons))
}

fn table(track: &Scores, segment: &Scores) -> Markup {
    let class = |scores: &Scores, index: usize| {
        let of = scores.per_class.get(index).copied().unwrap_or_default();
        cells(of.support, [of.precision, of.recall, of.f1])
    };
    let mean =
        |scores: &Scores, average: Average| cells(scores.n, [average.precision, average.recall, average.f1]);
    html! {
        thead {
            (level_heads(4))
            tr { th { "Class" } @for _ in 0..2 { th.n { "n" } th.n { "Precision" } th.n { "Recall" } th.n { "F1" } } }
        }
        tbody {
            @for (index, name) in track.classes.iter().enumerate() {
                tr { th scope="row" { (isolated(name)) } (class(track, index)) (class(segment, index)) }
            }
        }
        tfoot {
            tr { th scope="row" { "Macro mean" } (mean(track, track.macro_average)) (mean(segment, segment.macro_average)) }
            tr { th scope="row" { "Weighted mean" } (mean(track, track.weighted_average)) (mean(segment, segment.weighted_average)) }
        }
    }
}

fn cells(n: usize, fractions: [f64; 3]) -> Markup {
    html! { td.n { (n) } @for fraction in fractions { td.n { (cell(fraction)) } } }
}
