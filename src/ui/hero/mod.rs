//! The large area at the top: invitation, progress, result.

mod live;
mod result;
mod sources;
mod working;

use leptos::prelude::*;

pub use self::sources::{ACCEPT, Sources};
use super::controls::icon;
use super::icons;
use crate::app::Page;
use crate::i18n::format_name;
use crate::state::{Phase, Song, State, Status};
use crate::text;

/// The large area at the top.
#[component]
pub fn Hero(page: Page, phase: Memo<Phase>, dragging: ReadSignal<bool>) -> impl IntoView {
    let state = page.state;
    // The content is drawn again when one of these changes, not with every segment.
    let key = Memo::new(move |_| (phase.get(), state.shown.get(), state.language.get()));
    let body = move || {
        let (phase, ..) = key.get();
        match (phase, state.song()) {
            (Phase::Live, _) => live::listening(page).into_any(),
            (Phase::Idle, _) | (_, None) => entrance(page, dragging).into_any(),
            (Phase::Failed, Some(song)) => failure(page, song).into_any(),
            (Phase::Done, Some(song)) => result::answer(page, song).into_any(),
            (Phase::Waiting | Phase::Decoding | Phase::Analysing, Some(song)) => {
                working::working(page, song).into_any()
            }
        }
    };
    view! {
        <section class="hero" aria-live="off">
            {body}
            {move || notes(state)}
            {move || notice(state)}
        </section>
    }
}

/// The message about the shown song or, if there is none, about the page.
fn notice(state: State) -> Option<impl IntoView> {
    let about_song = state.song().and_then(|song| song.notice.get());
    let notice = about_song.or_else(|| state.notice.get())?;
    Some(view! {
        <p class="notice" role="status" data-testid="notice">
            {state.words().trouble.notice(notice)}
        </p>
    })
}

/// What was left out or mended while the shown song was decoded.
fn notes(state: State) -> Option<impl IntoView> {
    let notes = state.song()?.notes.get();
    let w = &state.words().notes;
    let items =
        notes.iter().map(|note| view! { <li data-testid="note">{w.sentence(note)}</li> }).collect_view();
    (!notes.is_empty()).then(|| {
        view! {
            <ul class="notes" data-testid="notes" aria-label=w.title>
                {items}
            </ul>
        }
    })
}

/// The invitation, before the first song.
fn entrance(page: Page, dragging: ReadSignal<bool>) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().hero;
    view! {
        <h1 class="invitation">
            {move || if dragging.get() { w().let_go } else { w().drop_a_song }}
            " "
            <span class="invitation-more">{move || w().see_its_genre}</span>
        </h1>
        <p class="lead">{move || w().lead}</p>
        <div class="sources">
            <Sources page compact=false />
        </div>
        <p class="formats">{move || w().formats}</p>
    }
}

/// Name and length of a song.
fn title(song: Song) -> impl IntoView {
    view! {
        <p class="song-title">
            <span class="song-name">{song.title()}</span>
            {move || {
                song.info.get().map(|info| view! { <span class="length">{text::clock(info.seconds)}</span> })
            }}
        </p>
    }
}

/// A song without a result: the reason, and what the visitor can do.
fn failure(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let sentence = move || match song.status.get() {
        Status::Failed(trouble) => {
            let what = song.detail.get().unwrap_or_default();
            w().trouble.trouble(trouble, &format_name(state.language.get(), &what))
        }
        _ => String::new(),
    };
    view! {
        {title(song)}
        <h1 class="genre none">
            <span class="genre-name">{move || w().hero.no_answer}</span>
        </h1>
        <p class="trouble" role="alert" data-testid="error">
            {sentence}
        </p>
        <div class="actions">
            <button
                type="button"
                class="button quiet"
                data-testid="retry"
                on:click=move |_| page.engine(|engine| engine.retry(song.id))
            >
                {icon(icons::RETRY)}
                {move || w().hero.retry}
            </button>
        </div>
    }
}
