//! The sheet about the model: accuracy, limitations, data, networks. All figures come from the networks'
//! manifest.

mod figures;

use cratedigger_protocol::{Metric, ModelInfo};
use leptos::prelude::*;

use self::figures::{confusion, headline, metric_row, metric_table};
use super::sheet::dialog;
use crate::app::Page;
use crate::i18n::Words;
use crate::state::{Sheet, State};
use crate::text;

/// The sheet.
#[component]
pub fn AboutSheet(page: Page) -> impl IntoView {
    let state = page.state;
    let body = move || {
        let w = state.words();
        let networks = state.models.list.with(|models| {
            if models.is_empty() {
                view! { <p>{w.hero.loading_networks}</p> }.into_any()
            } else {
                models.iter().map(|model| network(w, model)).collect_view().into_any()
            }
        });
        view! {
            <p class="lead">{w.about.lead}</p>
            {accuracy(state)}
            <h3>{w.about.limitations}</h3>
            <ul class="plain">{w.about.limits().map(|words| view! { <li>{words}</li> }).collect_view()}</ul>
            <h3>{w.about.data}</h3>
            <p>{w.about.data_words}</p>
            <h3>{w.about.networks}</h3>
            {networks}
            <h3>{w.about.privacy}</h3>
            <p>{w.about.privacy_words}</p>
        }
    };
    dialog(state, Sheet::About, |w| w.about.title, body.into_any())
}

/// All figures: of the shipped networks, their confusions, and of networks trained for other splits.
fn accuracy(state: State) -> impl IntoView {
    let w = state.words();
    let models = state.models.list.get();
    // The shipped networks were trained on all but the test clips of one protocol. Figures of other
    // protocols belong to networks that were trained again.
    let own: Vec<&Metric> = models.iter().flat_map(|model| &model.metrics).collect();
    let is_own = |metric: &Metric| own.iter().any(|own| own.protocol == metric.protocol);
    let (together, again): (Vec<Metric>, Vec<Metric>) =
        state.models.metrics.get().into_iter().partition(is_own);
    // The figures of a single network are those of the ensemble.
    let together = if models.len() > 1 { together } else { Vec::new() };
    let matrix = together
        .iter()
        .chain(own.iter().copied())
        .find_map(|metric| Some(confusion(state, metric, metric.confusion.as_ref()?)));
    let shipped = (!own.is_empty()).then(|| {
        // With several networks, the table has one row for each; segments are counted for all together.
        let listed = |metric: &&Metric| models.len() == 1 || metric.level == "track";
        let all = together.iter().map(|metric| metric_row(w, w.about.all_together, metric)).collect_view();
        let each = models
            .iter()
            .flat_map(|model| model.metrics.iter().filter(listed).map(|m| metric_row(w, &model.name, m)))
            .collect_view();
        view! {
            <h3>{w.about.accuracy}</h3>
            {headline(w, &models, &together).map(|words| view! { <p>{words}</p> })}
            {metric_table(w, w.about.accuracy, None, (all, each))}
        }
    });
    let again = (!again.is_empty()).then(|| {
        let rows = again.iter().map(|m| metric_row(w, w.about.trained_again, m)).collect_view();
        view! {
            <p>{w.about.other_splits}</p>
            {metric_table(w, w.about.trained_again, Some("other-splits"), rows)}
        }
    });
    view! { {shipped} {matrix} {again} }
}

/// Name, description and size of a network.
fn network(w: &'static Words, model: &ModelInfo) -> impl IntoView + use<> {
    let size =
        text::fill(w.about.parameters, &[&model.parameters.to_string(), &text::kilobytes(model.bytes)]);
    view! {
        <p class="network">
            <strong>{model.name.clone()}</strong>
            " "
            {model.summary.clone()}
            <small>{size}</small>
        </p>
    }
}
