//! Masthead and footer.

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::controls::icon;
use super::hero::Sources;
use super::icons;
use crate::app::Page;
use crate::engine::policy::DeviceState;
use crate::glue;
use crate::state::{Phase, Sheet, State};

/// Name of the page, and the buttons that do not concern one song.
#[component]
pub fn Masthead(page: Page, phase: Memo<Phase>) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    view! {
        <header class="masthead">
            <a class="skip" href="#main">
                {move || w().frame.skip}
            </a>
            <p class="name">
                <svg class="mark" viewBox="0 0 64 64" aria-hidden="true">
                    <circle class="mark-disc" cx="32" cy="25" r="21" />
                    <circle class="mark-groove" cx="32" cy="25" r="15.5" />
                    <circle class="mark-groove" cx="32" cy="25" r="11.5" />
                    <circle class="mark-label" cx="32" cy="25" r="7" />
                    <path class="mark-crate" d="M6 32h52v25a3 3 0 0 1-3 3H9a3 3 0 0 1-3-3z" />
                    <path class="mark-slat" d="M6 41h52M6 50.500h52" />
                </svg>
                "Cratedigger"
            </p>
            <nav class="tools" aria-label=move || w().frame.tools>
                <Show when=move || phase.get() != Phase::Idle>
                    <span class="tool-add">
                        <Sources page compact=true />
                    </span>
                </Show>
                <button
                    type="button"
                    class="tool"
                    data-testid="open-about"
                    on:click=move |_| state.sheet.set(Some(Sheet::About))
                >
                    {icon(icons::ABOUT)}
                    <span>{move || w().frame.about}</span>
                </button>
                <button
                    type="button"
                    class="tool"
                    data-testid="open-settings"
                    on:click=move |_| state.sheet.set(Some(Sheet::Settings))
                >
                    {icon(icons::SETTINGS)}
                    <span>{move || w().frame.settings}</span>
                </button>
                <button
                    type="button"
                    class="tool"
                    data-testid="conference"
                    aria-pressed=move || state.conference.get().to_string()
                    on:click=move |_| state.conference.update(|on| *on = !*on)
                >
                    {icon(icons::SCREEN)}
                    <span>{move || w().frame.conference}</span>
                </button>
            </nav>
        </header>
    }
}

/// Privacy, the devices in use, and the notice of a new version.
#[component]
pub fn Footer(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    view! {
        <footer class="foot">
            <p class="promise">{move || w().frame.promise}</p>
            <p class="devices-line">{move || devices(state)}</p>
            <Show when=move || state.update_ready.get()>
                <p class="update" role="status" data-testid="update">
                    {move || w().frame.update_ready}
                    " "
                    <button type="button" class="link" on:click=move |_| spawn_local(glue::update())>
                        {move || w().frame.update_now}
                    </button>
                </p>
            </Show>
        </footer>
    }
}

/// The devices in use, as a sentence.
fn devices(state: State) -> &'static str {
    let frame = &state.words().frame;
    let ready = |device: &DeviceState| matches!(device, DeviceState::Ready { .. });
    match (state.devices.cpu.get(), state.devices.gpu.with(ready)) {
        (_, true) => frame.footer_both,
        (DeviceState::Ready { .. }, false) => frame.footer_cpu,
        (DeviceState::Failed(_), false) => frame.footer_none,
        _ => frame.footer_loading,
    }
}
