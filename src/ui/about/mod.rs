//! The sheet about the model: accuracy, limitations, data, networks. All figures come from the networks'
//! manifest.

mod figures;
mod robustness;

use cratedigger_protocol::{Metric, ModelInfo};
use leptos::prelude::*;

use self::figures::{confusion, headline, is_plain, metric_row, metric_table};
use super::sheet::dialog;
use crate::app::Page;
use crate::i18n::Words;
use crate::state::{Sheet, Song, State};
use crate::text;

/// Id of the heading about the tags.
pub const TAGS: &str = "about-tags";

/// The sheet.
#[component]
pub fn AboutSheet(page: Page) -> impl IntoView {
    let state = page.state;
    // As a memo, so that the sheet is not drawn again with every result.
    let song_has_tags = Memo::new(move |_| {
        let has_some = |song: &Song| song.result.with(|r| r.as_ref().is_some_and(|r| !r.tags.is_empty()));
        state.songs.with(|songs| songs.iter().any(has_some))
    });
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
            <ul class="plain">{w.about.limits(knows_non_music(state)).map(|words| view! { <li>{words}</li> }).collect_view()}</ul>
            <h3>{w.about.data}</h3>
            <p>{w.about.data_words}</p>
            <h3>{w.about.networks}</h3>
            {networks}
            {(song_has_tags.get() || state.models.list.with(|all| all.iter().any(predicts_tags)))
                .then(|| {
                    view! {
                        <h3 id=TAGS>{w.about.tags}</h3>
                        <p data-testid="tags-words">{w.about.tags_words}</p>
                    }
                })}
            <h3>{w.about.privacy}</h3>
            <p>{w.about.privacy_words}</p>
        }
    };
    dialog(state, Sheet::About, |w| w.about.title, body.into_any())
}

/// Whether the rejection of non-music sounds was measured.
fn knows_non_music(state: State) -> bool {
    let w = state.words();
    state.models.list.with(|models| {
        state.models.metrics.with(|together| !robustness::non_music(w, models, together).is_empty())
    })
}

/// Whether a network predicts tags. The manifest does not say so; only musicnn does.
fn predicts_tags(model: &ModelInfo) -> bool {
    let texts = [Some(&model.name), Some(&model.summary), model.licence.as_ref()];
    texts.into_iter().flatten().any(|text| text.to_lowercase().contains("musicnn"))
}

/// All figures: of the shipped networks, their confusions, and of networks trained for other splits.
fn accuracy(state: State) -> impl IntoView {
    let w = state.words();
    let models = state.models.list.get();
    let figures = state.models.metrics.get();
    let conditions = robustness::conditions(w, &models, &figures);
    let non_music = robustness::non_music(w, &models, &figures);
    let non_music = (!non_music.is_empty()).then(|| {
        let sentences = non_music.into_iter().map(|words| view! { <p>{words}</p> }).collect_view();
        view! {
            <h3>{w.about.non_music}</h3>
            <div data-testid="non-music-figures">{sentences}</div>
        }
    });
    // The shipped networks were trained on all but the test clips of one protocol. Figures of other
    // protocols belong to networks that were trained again.
    let own: Vec<&Metric> =
        models.iter().flat_map(|model| &model.metrics).filter(|metric| is_plain(metric)).collect();
    let is_own = |metric: &Metric| own.iter().any(|own| own.protocol == metric.protocol);
    let (together, again): (Vec<Metric>, Vec<Metric>) =
        figures.iter().filter(|metric| is_plain(metric)).cloned().partition(is_own);
    // The figures of a single network are those of the ensemble.
    let together = if models.len() > 1 { together } else { Vec::new() };
    let matrix = together
        .iter()
        .chain(own.iter().copied())
        .find_map(|metric| Some(confusion(state, metric, metric.confusion.as_ref()?)));
    let shipped = (!own.is_empty()).then(|| {
        // With several networks, the table has one row for each; segments are counted for all together.
        let listed = |metric: &&Metric| is_plain(metric) && (models.len() == 1 || metric.level == "track");
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
    view! { {shipped} {matrix} {again} {conditions} {non_music} }
}

/// Name, description, size and licence of a network.
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
        {model.licence.clone().map(|notice| licence(w, notice))}
    }
}

/// The licence notice of weights that come from elsewhere.
fn licence(w: &'static Words, notice: String) -> impl IntoView {
    view! {
        <div class="licence" data-testid="licence">
            <p class="quiet-words">{w.about.licence_words}</p>
            <details>
                <summary>{w.about.licence}</summary>
                <pre tabindex="0">{notice}</pre>
            </details>
        </div>
    }
}
