//! A song in the queue or in work.

use leptos::prelude::*;

use super::title;
use crate::app::Page;
use crate::engine::policy::DeviceState;
use crate::state::{Song, State, Status};
use crate::text;

/// The prediction so far and the progress.
pub fn working(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().hero;
    let none = Memo::new(move |_| song.is_none());
    let best = Memo::new(move |_| song.best());
    let name = move || match best.get() {
        Some(_) if none.get() => w().none_of_these.to_string(),
        Some(class) => text::heading(&state.genre(class)),
        None => w().listening_large.to_string(),
    };
    let class = move || best.get().filter(|_| !none.get()).map(|class| class.to_string());
    view! {
        {title(song)}
        <h1 class="genre pending" data-class=class>
            <span class="genre-name">{name}</span>
        </h1>
        <p class="sure">{move || progress_words(state, song)}</p>
        {bar(state, song)}
        <div class="actions">
            <button
                type="button"
                class="button quiet"
                data-testid="cancel"
                on:click=move |_| page.engine(|engine| engine.cancel(song.id))
            >
                {move || w().cancel}
            </button>
        </div>
    }
}

/// The current step of the analysis.
fn progress_words(state: State, song: Song) -> String {
    let w = &state.words().hero;
    match (song.status.get(), song.info.get()) {
        (Status::Waiting, _) => {
            let before = state.songs.with(|all| {
                all.iter()
                    .take_while(|other| other.id != song.id)
                    .filter(|other| other.status.get().is_open())
                    .count()
            });
            w.waiting(before)
        }
        (Status::Decoding, _) => w.decoding.to_string(),
        (_, Some(info)) => {
            text::fill(w.segments_of, &[&song.progress.get().to_string(), &info.segments.max(1).to_string()])
        }
        _ if matches!(state.devices.cpu.get(), DeviceState::Loading) => w.loading_networks.to_string(),
        _ => w.starting.to_string(),
    }
}

/// The progress bar.
fn bar(state: State, song: Song) -> impl IntoView {
    let label = move || state.words().hero.progress;
    let total = Memo::new(move |_| song.info.get().map(|info| info.segments.max(1)));
    move || match total.get() {
        Some(total) => view! {
            <progress
                data-testid="progress"
                aria-label=label
                max=total.to_string()
                value=move || song.progress.get().to_string()
            ></progress>
        }
        .into_any(),
        // Without a value it shows that the page is busy.
        None => view! { <progress data-testid="progress" aria-label=label></progress> }.into_any(),
    }
}
