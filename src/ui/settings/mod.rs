//! The settings sheet.

mod choices;
mod devices;
mod diagnostics;

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use self::choices::{language_choices, network_choices, theme_choices};
use self::devices::device_settings;
use self::diagnostics::diagnostics;
use super::controls::{self, icon};
use super::icons;
use super::sheet::dialog;
use crate::app::Page;
use crate::state::{Sheet, State};
use crate::trouble::Notice;
use crate::{glue, history, settings};

/// The sheet.
#[component]
pub fn SettingsSheet(page: Page) -> impl IntoView {
    let state = page.state;
    let body = view! {
        {device_settings(page)}
        {network_choices(page)}
        {theme_choices(state)}
        {language_choices(state)}
        {motion(state)}
        {history_settings(page)}
        {diagnostics_settings(state)}
    };
    dialog(state, Sheet::Settings, |w| w.frame.settings, body.into_any())
}

/// A check box that shows a signal.
fn check(
    testid: &'static str,
    words: impl Fn() -> &'static str + Send + 'static,
    on: RwSignal<bool>,
    act: impl Fn(bool) + 'static,
) -> impl IntoView {
    let set = move |now| {
        on.set(now);
        act(now);
    };
    controls::check(testid, words, move || on.get(), set)
}

fn motion(state: State) -> impl IntoView {
    let w = move || &state.words().settings;
    view! {
        <fieldset>
            <legend>{move || w().motion_title}</legend>
            {check("still", move || w().keep_still, RwSignal::new(settings::still()), settings::set_still)}
        </fieldset>
    }
}

fn history_settings(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().settings;
    let keeps = RwSignal::new(history::enabled());
    view! {
        <fieldset>
            <legend>{move || w().history_title}</legend>
            {check("keep-history", move || w().keep_history, keeps, move |on| history::enable(state, on))}
            <p class="quiet-words">{move || w().history_hint}</p>
            <button
                type="button"
                class="button quiet small"
                data-testid="clear-history"
                on:click=move |_| page.clear()
            >
                {move || w().clear_history}
            </button>
        </fieldset>
    }
}

fn diagnostics_settings(state: State) -> impl IntoView {
    let w = move || &state.words().settings;
    let copy = move |_| {
        let words = diagnostics(state);
        spawn_local(async move {
            let copied = glue::copy_text(&words).await.is_ok();
            state.notice.set(Some(if copied { Notice::Copied } else { Notice::NotKept }));
        });
    };
    view! {
        <fieldset>
            <legend>{move || w().diagnostics_title}</legend>
            <p class="quiet-words">{move || w().diagnostics_hint}</p>
            <button type="button" class="button quiet small" data-testid="copy-diagnostics" on:click=copy>
                {icon(icons::COPY)}
                {move || w().copy_diagnostics}
            </button>
            <pre class="diagnostics" tabindex="0" data-testid="diagnostics">{move || diagnostics(state)}</pre>
        </fieldset>
    }
}
