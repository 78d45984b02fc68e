//! The HTML page: its frame, its sections in their order, and their building blocks.

mod calibration;
mod classes;
mod comparison;
mod confusion;
mod cross_validation;
mod errors;
mod model;
mod results;
mod training;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{self, Chart};
use super::{ModelReport, Scores, cell, clean, count, interval, percent};

const STYLE: &str = include_str!("../report.css");

/// The page of one model, or of several: a comparison first, then each model.
pub(super) fn page(title: &str, models: &[ModelReport]) -> Markup {
    let numbering = &mut Numbering::default();
    let body = match models {
        [model] => html! {
            header {
                h1 { (clean(title)) }
                (lead(model))
            }
            (sections(model, numbering, Level::Page))
        },
        models => html! {
            header {
                h1 { (clean(title)) }
                p.lead { "Comparison of " (models.len()) " models, followed by each model." }
                (contents(models))
            }
            (comparison::section(models, numbering))
            @for (index, model) in models.iter().enumerate() {
                section.model id={ "model-" (index + 1) } {
                    h2 { (clean(&model.name)) }
                    (lead(model))
                    (sections(model, numbering, Level::Section))
                }
            }
        },
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // The page fetches nothing, even if a name passed the escaping.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (clean(title)) }
                style { (PreEscaped(chart::STYLE)) (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    }
}

fn contents(models: &[ModelReport]) -> Markup {
    html! {
        nav aria-label="Models" {
            ol {
                @for (index, model) in models.iter().enumerate() {
                    li { a href={ "#model-" (index + 1) } { (clean(&model.name)) } ", " (clean(&model.protocol)) }
                }
            }
        }
    }
}

/// The summary of a model and its two accuracies.
fn lead(model: &ModelReport) -> Markup {
    let ModelReport { track, segment, .. } = model;
    html! {
        p.lead { (clean(&model.summary)) }
        p.headline {
            @if track.n > 0 {
                strong { (percent(track.accuracy)) }
                " of " (count(track.n as u64)) " clips correct"
                span.interval { " (95\u{202f}% interval " (interval(track)) ")" }
            } @else {
                "No clips were evaluated"
            }
            @if segment.n > 0 {
                ", " strong { (percent(segment.accuracy)) } " of " (count(segment.n as u64)) " segments correct"
            }
            ". Protocol: " (clean(&model.protocol)) "."
        }
    }
}

fn sections(model: &ModelReport, numbering: &mut Numbering, level: Level) -> Markup {
    html! {
        section { (results::section(model, numbering, level)) }
        @if !model.folds.is_empty() { section { (cross_validation::section(model, numbering, level)) } }
        section { (confusion::section(model, numbering, level)) }
        section { (classes::section(model, numbering, level)) }
        section { (calibration::section(model, numbering, level)) }
        section { (errors::section(model, numbering, level)) }
        section { (training::section(model, numbering, level)) }
        section { (model::section(model, level)) }
    }
}

/// Where the sections of a model stand. It decides the level of their headings.
#[derive(Clone, Copy)]
enum Level {
    /// The page is about one model.
    Page,
    /// Each model has a section of the page.
    Section,
}

impl Level {
    fn heading(self, text: &str) -> Markup {
        match self {
            Self::Page => html! { h2 { (text) } },
            Self::Section => html! { h3 { (text) } },
        }
    }
}

/// Numbers the figures and tables of a page.
#[derive(Default)]
struct Numbering {
    figures: usize,
    tables: usize,
}

impl Numbering {
    /// A chart with its number and caption.
    fn figure(&mut self, chart: &Chart, caption: &Markup) -> Markup {
        self.figures += 1;
        html! {
            figure {
                div.picture { (chart.element(&format!("figure-{}", self.figures))) }
                figcaption { b { "Figure " (self.figures) ". " } (caption) }
            }
        }
    }

    /// A table with its number and caption. The caption stands outside of the table, so that it stays in
    /// place while a wide table scrolls.
    fn table(&mut self, caption: &Markup, content: &Markup) -> Markup {
        self.tables += 1;
        let id = format!("table-{}", self.tables);
        html! {
            p.caption id=(id) { b { "Table " (self.tables) ". " } (caption) }
            div.table { table aria-labelledby=(id) { (content) } }
        }
    }
}

/// The numbers of a figure as a table that opens on demand.
fn folded_table(summary: &str, content: &Markup) -> Markup {
    html! {
        details {
            summary { (summary) }
            div.table { table { (content) } }
        }
    }
}

/// A name from the data. `bdi` isolates its text direction from the text around it.
fn isolated(text: &str) -> Markup {
    html! { bdi { (clean(text)) } }
}

/// The name of a class, or a question mark.
fn class_name(scores: &Scores, index: usize) -> &str {
    scores.classes.get(index).map_or("?", String::as_str)
}

/// Column heads that span whole clips and segments, `columns` each, after a first empty one.
fn level_heads(columns: usize) -> Markup {
    html! {
        tr {
            th {}
            @for level in ["Whole clips", "Segments"] { th.group colspan=(columns) scope="colgroup" { (level) } }
        }
    }
}

/// A cell, empty with a dash if there is no value.
fn optional_cell(value: Option<f64>) -> Markup {
    html! { td.n { @if let Some(value) = value { (cell(value)) } @else { "–" } } }
}
