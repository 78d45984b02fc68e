//! A song in the queue or in work.

use leptos::prelude::*;

use super::title;
use crate::app::Page;
use crate::engine::policy::DeviceState;
use crate::state::{Answer, Song, Sound, State, Status};
use crate::text;

/// The prediction so far and the progress.
pub fn working(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().hero;
    let answer = Memo::new(move |_| song.answer());
    let name = move || match answer.get() {
        Some(answer) => state.answer(answer),
        None => w().listening_large.to_string(),
    };
    let class = move || answer.get().and_then(Answer::class).map(|class| class.to_string());
    let sound = move || answer.get().and_then(Answer::sound);
    view! {
        {title(song)}
        <h1
            class="genre pending"
            class:no-music=move || sound().is_some()
            data-testid="answer-so-far"
            data-non-music=move || sound().map(Sound::id)
            data-class=class
        >
            <span class="genre-name">{name}</span>
        </h1>
        <p class="sure">{listening(state, song)} {move || progress_words(state, song)}</p>
        {bar(state, song)}
        <Show when=move || song.is_settled()>
            <p class="quiet-words">{move || w().settled_words}</p>
        </Show>
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

/// Whether the answer may still change. Nothing before the worker has the song.
fn listening(state: State, song: Song) -> impl IntoView {
    let w = move || &state.words().hero;
    let settled = Memo::new(move |_| song.is_settled());
    let started = Memo::new(move |_| song.status.get() == Status::Analysing && song.info.get().is_some());
    move || match (started.get(), settled.get()) {
        (false, _) => ().into_any(),
        (true, false) => {
            view! { <span data-testid="still-listening">{w().still_listening} " "</span> }.into_any()
        }
        (true, true) => view! { <strong data-testid="settled">{w().settled} " "</strong> }.into_any(),
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
