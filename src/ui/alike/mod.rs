//! The sheet of similar songs: list, playlist, map.

mod map;

use leptos::prelude::*;

use self::map::map;
use super::controls::small_button;
use super::icons;
use super::sheet::dialog;
use crate::app::Page;
use crate::collection::alike;
use crate::state::{FeatureState, Sheet, Song, State, Status};
use crate::text;

/// The sheet.
#[component]
pub fn AlikeSheet(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().alike;
    let open = Memo::new(move |_| state.sheet.get() == Some(Sheet::Alike));
    let ready = Memo::new(move |_| alike::ready(state).iter().map(|song| song.id).collect::<Vec<_>>());
    let enough = Memo::new(move |_| ready.with(Vec::len) > 1);
    // Songs of which there is nothing to come do not count.
    let total = Memo::new(move |_| {
        let counts = |song: &&Song| {
            song.features.get() == FeatureState::Ready
                || song.features.get() != FeatureState::Failed
                    && (song.status.get().is_open()
                        || song.status.get() == Status::Done
                            && (song.audible || song.content.with(Option::is_some)))
        };
        state.songs.with(|all| all.iter().filter(counts).count())
    });
    let progress = move || {
        let (ready, total) = (ready.with(Vec::len), total.get());
        (ready < total).then(|| text::fill(w().working, &[&ready.to_string(), &total.to_string()]))
    };
    let body = view! {
        <Show when=move || open.get()>
            <p class="lead">{move || w().lead}</p>
            <p role="status" class="quiet-words" data-testid="alike-state">
                {progress}
            </p>
            <Show when=move || enough.get() fallback=move || view! { <p>{move || w().none_yet}</p> }>
                {chooser(state, ready)}
                {similar(state)}
                {map(state)}
            </Show>
        </Show>
    };
    dialog(state, Sheet::Alike, |w| w.alike.title, body.into_any())
}

/// The choice of the song that others are compared with.
fn chooser(state: State, ready: Memo<Vec<u32>>) -> impl IntoView {
    let w = move || &state.words().alike;
    let target = state.collection.target;
    let options = move || {
        let ids = ready.get().into_iter();
        ids.filter_map(|id| state.find(id))
            .map(|song| {
                let id = song.id;
                view! {
                    <option value=id.to_string() prop:selected=move || target.get() == Some(id)>
                        {song.title()}
                    </option>
                }
            })
            .collect_view()
    };
    view! {
        <label class="alike-choice">
            <span>{move || w().song}</span>
            <select
                class="select"
                data-testid="alike-song"
                on:change=move |event| target.set(event_target_value(&event).parse().ok())
            >
                <option value="" prop:selected=move || target.get().is_none()>
                    {move || w().choose}
                </option>
                {options}
            </select>
        </label>
    }
}

/// The similar songs, and the playlist.
fn similar(state: State) -> impl IntoView {
    let w = move || &state.words().alike;
    let compared = state.collection.compared;
    let any = Memo::new(move |_| compared.with(|compared| !compared.similar.is_empty()));
    let items = move || {
        let near = compared.with(|compared| compared.similar.clone()).into_iter();
        near.filter_map(|(id, cosine)| Some((state.find(id)?, cosine)))
            .map(|(song, cosine)| item(state, song, cosine))
            .collect_view()
    };
    view! {
        <Show when=move || any.get()>
            <h3>{move || w().list_title}</h3>
            <p class="quiet-words">{move || w().list_hint}</p>
            <ol class="alike-list" data-testid="alike-list">
                {items}
            </ol>
            {small_button(
                "alike-playlist",
                Some(icons::SAVE),
                move || w().playlist,
                move || alike::save_playlist(state),
            )}
            <p class="quiet-words">{move || w().playlist_hint}</p>
        </Show>
    }
}

/// One similar song; a click compares others with it.
fn item(state: State, song: Song, cosine: f32) -> impl IntoView {
    let class = move || song.answer().and_then(|answer| answer.class()).map(|class| class.to_string());
    view! {
        <li data-testid="alike-item">
            <button
                type="button"
                class="row-name"
                data-class=class
                on:click=move |_| state.collection.target.set(Some(song.id))
            >
                <span class="swatch"></span>
                " "
                {song.title()}
            </button>
            <span class="figure">{format!("{cosine:.2}")}</span>
        </li>
    }
}
