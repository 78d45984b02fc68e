//! Facts about the model: its data, its size, its configuration.

use maud::{Markup, html};

use super::Level;
use crate::report::{ModelReport, clean, count, size};

pub(super) fn section(model: &ModelReport, level: Level) -> Markup {
    html! {
        (level.heading("Model and data"))
        dl {
            dt { "Model" } dd { (clean(&model.name)) }
            dt { "Data" } dd { (clean(&model.data)) }
            dt { "Seed" } dd { @if let Some(seed) = model.seed { (seed) } @else { "none" } }
            dt { "Parameters" } dd { (count(model.parameters)) }
            dt { "Weights" } dd { (size(model.bytes)) " in half precision" }
            @for (name, value) in &model.facts {
                dt { (clean(name)) } dd { (clean(value)) }
            }
        }
    }
}
