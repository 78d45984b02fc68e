//! The classes of a lesson with their songs, and the songs of the crate.

use leptos::prelude::*;

use super::chosen;
use crate::app::Page;
use crate::collection::lesson::{CLASSES, songs_of};
use crate::state::{FeatureState, OwnClass, Song, State, Status};
use crate::text;
use crate::ui::controls::{icon, small_button};
use crate::ui::hero::ACCEPT;
use crate::ui::icons;

/// All classes, and the button that adds one.
pub(super) fn class_list(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().teach;
    let classes = state.collection.classes;
    let ids = Memo::new(move |_| classes.with(|all| all.iter().map(|class| class.id).collect::<Vec<_>>()));
    let full = Memo::new(move |_| classes.with(Vec::len) >= *CLASSES.end());
    view! {
        <For each=move || ids.get() key=|id| *id children=move |id| class(page, id) />
        <Show when=move || !full.get()>
            {small_button(
                "add-class",
                Some(icons::PLUS),
                move || w().add_class,
                move || {
                    classes_add(state);
                },
            )}
        </Show>
    }
}

fn classes_add(state: State) {
    state.collection.add_class(String::new());
}

/// Place and name of a class.
fn place_and_name(all: &[OwnClass], id: u32) -> Option<(usize, String)> {
    let place = all.iter().position(|class| class.id == id)?;
    Some((place + 1, all.get(place)?.name.clone()))
}

/// One class: its name, its songs, and the ways to add songs. Songs can be dropped on it.
fn class(page: Page, id: u32) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().teach;
    let classes = state.collection.classes;
    let known = Memo::new(move |_| classes.with(|all| place_and_name(all, id)).unwrap_or_default());
    let title = move || text::fill(w().class_n, &[&known.get().0.to_string()]);
    let called = move || {
        let name = known.get().1;
        if name.trim().is_empty() { title() } else { name }
    };
    let songs = Memo::new(move |_| songs_of(state, id).iter().map(|song| song.id).collect::<Vec<_>>());
    let rename = move |event| {
        let name = event_target_value(&event);
        classes.update(|all| {
            if let Some(class) = all.iter_mut().find(|class| class.id == id) {
                class.name = name;
            }
        });
    };
    view! {
        <fieldset
            class="own-class"
            data-testid="own-class"
            on:drop=move |event| {
                event.prevent_default();
                page.take_for_class(event.data_transfer().as_ref(), id);
            }
        >
            <legend>{title}</legend>
            <div class="sheet-tools">
                <input
                    type="text"
                    class="select"
                    maxlength="40"
                    data-testid="class-name"
                    aria-label=move || format!("{} {}", w().name, known.get().0)
                    placeholder=move || w().name
                    prop:value=move || known.get().1
                    on:input=rename
                />
                <label class="button quiet small">
                    <input
                        type="file"
                        class="hidden"
                        multiple
                        accept=ACCEPT
                        data-testid="class-songs"
                        on:change=move |event| page.open_for_class(chosen(&event_target(&event)), id)
                    />
                    {icon(icons::FILE)}
                    <span>{move || w().choose_songs}<span class="hidden">{move || format!(" ({})", called())}</span></span>
                </label>
                <span class="quiet-words">{move || w().drop_here}</span>
                <button
                    type="button"
                    class="icon-button"
                    data-testid="remove-class"
                    aria-label=move || text::fill(w().remove_class, &[&called()])
                    on:click=move |_| state.collection.remove_class(id)
                >
                    {icon(icons::CLOSE)}
                </button>
            </div>
            <ul class="own-songs">
                <For each=move || songs.get() key=|id| *id children=move |song| member(state, song) />
            </ul>
        </fieldset>
    }
}

/// A song of a class.
fn member(state: State, id: u32) -> Option<impl IntoView> {
    let w = move || &state.words().teach;
    let song = state.find(id)?;
    Some(view! {
        <li data-testid="class-song">
            <span class="own-song">{song.title()}</span>
            <span class="quiet-words">{move || feature_words(state, &song)}</span>
            <button
                type="button"
                class="icon-button"
                aria-label=move || text::fill(w().take_out, &[&song.title()])
                on:click=move |_| state.collection.assign(id, None)
            >
                {icon(icons::CLOSE)}
            </button>
        </li>
    })
}

/// Whether a song can be used already.
fn feature_words(state: State, song: &Song) -> &'static str {
    let w = &state.words().teach;
    match (song.features.get(), song.status.get()) {
        (FeatureState::Ready, _) => "",
        (FeatureState::Failed, _) | (_, Status::Failed(_) | Status::Cancelled) => w.song_failed,
        (FeatureState::Working, _) => w.song_working,
        (FeatureState::Unknown, _) => w.song_unknown,
    }
}

/// The songs of the crate, each with a choice of its class.
pub(super) fn crate_songs(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().teach;
    let ids = Memo::new(move |_| state.songs.with(|all| all.iter().map(|song| song.id).collect::<Vec<_>>()));
    view! {
        <Show when=move || !ids.with(Vec::is_empty)>
            <details class="as-table" data-testid="teach-crate">
                <summary>{move || w().crate_title}</summary>
                <p class="quiet-words">{move || w().crate_hint}</p>
                <table>
                    <thead>
                        <tr>
                            <th scope="col">{move || state.words().library.song}</th>
                            <th scope="col">{move || w().your_class}</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || ids.get() key=|id| *id children=move |id| choice(state, id) />
                    </tbody>
                </table>
            </details>
        </Show>
    }
}

/// A song of the crate with a choice of its class.
fn choice(state: State, id: u32) -> Option<impl IntoView> {
    let w = move || &state.words().teach;
    let song = state.find(id)?;
    let collection = state.collection;
    let chosen = Memo::new(move |_| collection.lesson.with(|lesson| lesson.get(&id).copied()));
    let options = move || {
        let all = collection.classes.get().into_iter().zip(1_usize..);
        all.map(|(OwnClass { id, name }, place)| {
            let called = || text::fill(w().class_n, &[&place.to_string()]);
            let name = if name.trim().is_empty() { called() } else { name };
            view! {
                <option value=id.to_string() prop:selected=move || chosen.get() == Some(id)>
                    {name}
                </option>
            }
        })
        .collect_view()
    };
    Some(view! {
        <tr>
            <th scope="row">{song.title()}</th>
            <td>
                <select
                    class="select"
                    data-testid="class-choice"
                    aria-label=move || text::fill(w().class_of, &[&song.title()])
                    on:change=move |event| collection.assign(id, event_target_value(&event).parse().ok())
                >
                    <option value="" prop:selected=move || chosen.get().is_none()>
                        {move || w().no_class}
                    </option>
                    {options}
                </select>
            </td>
        </tr>
    })
}
