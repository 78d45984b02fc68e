//! Choices between a few values: networks, theme, language.

use cratedigger_protocol::{ModelInfo, ModelSet, Rule};
use leptos::prelude::*;

use crate::app::Page;
use crate::i18n::Language;
use crate::settings::{self, Theme};
use crate::state::{FullSet, State};
use crate::{engine, text};

/// One value of a choice, as a segment of a switch.
pub fn choice(
    group: &'static str,
    testid: String,
    name: impl Fn() -> &'static str + Send + 'static,
    checked: impl Fn() -> bool + Send + 'static,
    act: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <label class="choice">
            <input type="radio" name=group data-testid=testid prop:checked=checked on:change=move |_| act() />
            <span>{name}</span>
        </label>
    }
}

/// The set of networks and the rule that combines them, if there is a full set.
pub fn network_choices(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    view! {
        <Show when=move || state.models.full.get() != FullSet::None>
            <fieldset data-testid="networks" data-state=move || state.models.full.get().id()>
                <legend>{move || w().about.networks}</legend>
                <div class="choices">
                    {[ModelSet::Fast, ModelSet::Full].map(|set| set_choice(page, set)).collect_view()}
                </div>
                <p class="quiet-words">{move || full_set(state)}</p>
                <div class="choices" role="group" aria-label=move || w().settings.rule_title>
                    {engine::RULES.map(|rule| rule_choice(page, rule)).collect_view()}
                </div>
                <p class="quiet-words">{move || w().settings.rule_hint}</p>
            </fieldset>
        </Show>
    }
}

fn set_choice(page: Page, set: ModelSet) -> impl IntoView {
    let models = page.state.models;
    let w = move || &page.state.words().settings;
    choice(
        "networks",
        format!("networks-{}", engine::set_id(set)),
        move || match set {
            ModelSet::Fast => w().networks_fast,
            ModelSet::Full => w().networks_full,
        },
        move || models.wanted.get() == set,
        move || page.engine(|engine| engine.set_networks(set, models.rule.get_untracked())),
    )
}

fn rule_choice(page: Page, rule: Option<Rule>) -> impl IntoView {
    let models = page.state.models;
    let w = move || &page.state.words().settings;
    choice(
        "rule",
        format!("rule-{}", engine::rule_id(rule)),
        move || match rule {
            None => w().rule_measured,
            Some(Rule::Sum) => w().rule_sum,
            Some(Rule::Product) => w().rule_product,
            Some(Rule::Vote) => w().rule_vote,
        },
        move || models.rule.get() == rule,
        move || page.engine(|engine| engine.set_networks(models.wanted.get_untracked(), rule)),
    )
}

/// State of the full set, as a sentence.
fn full_set(state: State) -> String {
    let w = &state.words().settings;
    match state.models.full.get() {
        FullSet::None | FullSet::Offered => w.networks_hint.into(),
        FullSet::Loading => w.device_loading.into(),
        FullSet::Ready => {
            let size = |all: &Vec<ModelInfo>| (all.len(), all.iter().map(|model| model.bytes).sum());
            let (count, bytes) = state.models.list.with(size);
            text::fill(w.networks_ready, &[&count.to_string(), &text::kilobytes(bytes)])
        }
        FullSet::Failed => w.networks_failed.into(),
    }
}

/// Light, dark, or as the system.
pub fn theme_choices(state: State) -> impl IntoView {
    let w = move || &state.words().settings;
    let theme = RwSignal::new(settings::theme());
    let one = move |one: Theme| {
        choice(
            "theme",
            format!("theme-{}", one.id()),
            move || match one {
                Theme::System => w().theme_system,
                Theme::Light => w().theme_light,
                Theme::Dark => w().theme_dark,
            },
            move || theme.get() == one,
            move || {
                theme.set(one);
                settings::set_theme(one);
            },
        )
    };
    view! {
        <fieldset>
            <legend>{move || w().theme_title}</legend>
            <div class="choices">{Theme::ALL.map(one).collect_view()}</div>
        </fieldset>
    }
}

/// Language of the page.
pub fn language_choices(state: State) -> impl IntoView {
    let one = move |one: Language| {
        choice(
            "language",
            format!("language-{}", one.id()),
            move || one.words().frame.language_name,
            move || state.language.get() == one,
            move || settings::set_language(state, one),
        )
    };
    view! {
        <fieldset>
            <legend>{move || state.words().settings.language_title}</legend>
            <div class="choices">{Language::ALL.map(one).collect_view()}</div>
        </fieldset>
    }
}
