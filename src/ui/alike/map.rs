//! The map of the crate: a point for each song, and the same as a table.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use crate::state::{Song, State};

/// The map, once there are enough songs.
pub(super) fn map(state: State) -> impl IntoView {
    let w = move || &state.words().alike;
    let places = state.collection.places;
    let any = Memo::new(move |_| places.with(|places| !places.is_empty()));
    view! {
        <Show when=move || any.get()>
            <h3 id="map-title">{move || w().map_title}</h3>
            <p class="quiet-words">{move || w().map_hint}</p>
            {points(state)}
            <details class="as-table">
                <summary>{move || w().as_table}</summary>
                {table(state)}
            </details>
        </Show>
    }
}

/// The songs on the map from left to right.
fn from_left(state: State) -> Vec<(Song, [f32; 2])> {
    let mut places = state.collection.places.get();
    places.sort_by(|a, b| a.1[0].total_cmp(&b.1[0]));
    places.into_iter().filter_map(|(id, place)| Some((state.find(id)?, place))).collect()
}

/// A list box whose options lie on a plane, because single points would be too small to be focused one by one.
fn points(state: State) -> impl IntoView {
    let target = state.collection.target;
    let active = RwSignal::new(None::<u32>);
    let at = move || active.get().or(target.get());
    let on_key = move |event: KeyboardEvent| {
        let ids: Vec<u32> = untrack(|| from_left(state)).iter().map(|(song, _)| song.id).collect();
        let place = untrack(at).and_then(|id| ids.iter().position(|other| *other == id));
        let next = match (event.key().as_str(), place) {
            ("ArrowRight" | "ArrowDown", Some(place)) => ids.get(place + 1).or(ids.last()),
            ("ArrowLeft" | "ArrowUp", Some(place)) => ids.get(place.saturating_sub(1)),
            ("ArrowRight" | "ArrowDown" | "ArrowLeft" | "ArrowUp" | "Home", _) => ids.first(),
            ("End", _) => ids.last(),
            ("Enter" | " ", Some(place)) => {
                target.set(ids.get(place).copied());
                ids.get(place)
            }
            _ => return,
        };
        event.prevent_default();
        active.set(next.copied());
    };
    let label = move || {
        let song = at().and_then(|id| state.find(id));
        song.map(|song| name(state, &song)).unwrap_or_default()
    };
    let options = move || {
        from_left(state)
            .into_iter()
            .map(|(song, [x, y])| {
                let id = song.id;
                let class =
                    move || song.answer().and_then(|answer| answer.class()).map(|class| class.to_string());
                view! {
                    <span
                        role="option"
                        id=format!("map-{id}")
                        class="point"
                        class:active=move || at() == Some(id)
                        data-testid="map-point"
                        data-class=class
                        aria-selected=move || (target.get() == Some(id)).to_string()
                        aria-label=move || name(state, &song)
                        title=move || name(state, &song)
                        style=("--x", format!("{x:.4}"))
                        style=("--y", format!("{y:.4}"))
                        on:click=move |_| {
                            active.set(Some(id));
                            target.set(Some(id));
                        }
                    ></span>
                }
            })
            .collect_view()
    };
    view! {
        <div
            class="map"
            role="listbox"
            tabindex="0"
            aria-labelledby="map-title"
            aria-activedescendant=move || at().map(|id| format!("map-{id}"))
            data-testid="map"
            on:keydown=on_key
        >
            {options}
        </div>
        <p class="map-label" aria-hidden="true">
            {label}
        </p>
    }
}

/// Title and genre of a song.
fn name(state: State, song: &Song) -> String {
    let answer = song.answer().map(|answer| format!(", {}", state.answer(answer))).unwrap_or_default();
    format!("{}{answer}", song.title())
}

fn table(state: State) -> impl IntoView {
    let w = move || &state.words().alike;
    let rows = move || {
        from_left(state)
            .into_iter()
            .map(|(song, [x, y])| {
                view! {
                    <tr>
                        <th scope="row">{song.title()}</th>
                        <td>{move || song.answer().map(|answer| state.answer(answer))}</td>
                        <td class="figure">{format!("{x:.2}")}</td>
                        <td class="figure">{format!("{y:.2}")}</td>
                    </tr>
                }
            })
            .collect_view()
    };
    view! {
        <table>
            <thead>
                <tr>
                    <th scope="col">{move || w().song}</th>
                    <th scope="col">{move || w().genre}</th>
                    <th scope="col">{move || w().across}</th>
                    <th scope="col">{move || w().up}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
}
