//! What stands above and below the song.

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::{icon, icons};
use crate::app::Page;
use crate::engine::policy::DeviceState;
use crate::glue;
use crate::state::Sheet;

/// The name of the house, and the way to everything that isn't about one song.
#[component]
pub fn Masthead(page: Page, phase: Memo<&'static str>) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    view! {
        <header class="masthead">
            <a class="skip" href="#main">
                {move || w().skip}
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
            <nav class="tools" aria-label=move || w().tools>
                <Show when=move || phase.get() != "idle">
                    <span class="tool-add">
                        <super::hero::Sources page compact=true />
                    </span>
                </Show>
                <button
                    type="button"
                    class="tool"
                    data-testid="open-about"
                    on:click=move |_| state.sheet.set(Some(Sheet::About))
                >
                    {icon(icons::ABOUT)}
                    <span>{move || w().about}</span>
                </button>
                <button
                    type="button"
                    class="tool"
                    data-testid="open-settings"
                    on:click=move |_| state.sheet.set(Some(Sheet::Settings))
                >
                    {icon(icons::SETTINGS)}
                    <span>{move || w().settings}</span>
                </button>
                <button
                    type="button"
                    class="tool"
                    data-testid="conference"
                    aria-pressed=move || state.conference.get().to_string()
                    on:click=move |_| state.conference.update(|on| *on = !*on)
                >
                    {icon(icons::SCREEN)}
                    <span>{move || w().conference}</span>
                </button>
            </nav>
        </header>
    }
}

/// What the page promises, and what computes.
#[component]
pub fn Footer(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let device = move || {
        let ready = |device: DeviceState| matches!(device, DeviceState::Ready { .. });
        match (ready(state.cpu.get()), ready(state.gpu.get())) {
            (_, true) => w().footer_both,
            (true, false) => w().footer_cpu,
            (false, false) => match state.cpu.get() {
                DeviceState::Failed(_) => w().footer_none,
                _ => w().footer_loading,
            },
        }
    };
    view! {
        <footer class="foot">
            <p class="promise">{move || w().promise}</p>
            <p class="devices-line">{device}</p>
            <Show when=move || state.update_ready.get()>
                <p class="update" role="status" data-testid="update">
                    {move || w().update_ready}
                    " "
                    <button type="button" class="link" on:click=move |_| spawn_local(glue::update())>
                        {move || w().update_now}
                    </button>
                </p>
            </Show>
        </footer>
    }
}
