//! The ribbon: one cell for each segment, and the name of the genre over each run of segments, so that
//! colour is not needed. The Tab key stops at one cell only; arrow keys move between the cells.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::zoom::Zoom;
use crate::app::Page;
use crate::probabilities::ranked;
use crate::state::{Run, Segment, Song, State};
use crate::text;
use crate::time_range::TimeRange;

/// The ribbon.
#[component]
pub fn Ribbon(page: Page, song: Song, zoom: Zoom, runs: Memo<Vec<Run>>) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().deck;
    // Index of the cell at which the Tab key stops.
    let focused = RwSignal::new(0u32);
    let strip = move || TimeRange::whole(zoom.seconds.get()).place(zoom.view.get());
    let names = move || {
        let shown = zoom.view.get();
        runs.with(|all| all.iter().filter_map(|run| name(state, *run, shown)).collect_view())
    };
    view! {
        <div
            class="ribbon"
            role="group"
            aria-label=move || w().segments_keys
            on:keydown=move |event| move_focus(song, focused, &event)
        >
            // The whole song, of which a part is visible.
            <div class="strip" style:left=move || strip().0 style:width=move || strip().1>
                <For
                    each=move || song.segments.get()
                    key=move |segment| (segment.index, segment.revision, state.language.get())
                    children=move |segment| cell(page, zoom, focused, segment)
                />
            </div>
            // The cells tell a screen reader the same.
            <div class="runs" aria-hidden="true">
                {names}
            </div>
        </div>
    }
}

/// Moves the focus to another cell. The focus event of that cell does the rest.
fn move_focus(song: Song, focused: RwSignal<u32>, event: &ev::KeyboardEvent) {
    let target = song.segments.with_untracked(|all| {
        let at = all.binary_search_by_key(&focused.get_untracked(), |s| s.index).unwrap_or(0);
        let last = all.len().saturating_sub(1);
        let at = match event.key().as_str() {
            "ArrowLeft" | "ArrowUp" => at.saturating_sub(1),
            "ArrowRight" | "ArrowDown" => (at + 1).min(last),
            "Home" => 0,
            "End" => last,
            _ => return None,
        };
        all.get(at).map(|segment| segment.index)
    });
    if let Some(index) = target {
        event.prevent_default();
        let cell = document().get_element_by_id(&cell_id(index));
        if let Some(cell) = cell.and_then(|cell| cell.dyn_into::<HtmlElement>().ok()) {
            let _ = cell.focus();
        }
    }
}

/// The button of one segment.
fn cell(page: Page, zoom: Zoom, focused: RwSignal<u32>, segment: Segment) -> impl IntoView {
    let state = page.state;
    let hover = state.playback.hover;
    let label = label(state, &segment);
    let (range, best) = (segment.range(), segment.best());
    let (left, width) = range.place(TimeRange::whole(zoom.seconds_now()));
    let Segment { index, start, end, probabilities, .. } = segment;
    view! {
        <button
            type="button"
            class="cell"
            id=cell_id(index)
            data-testid="segment"
            data-index=index.to_string()
            data-start=start.to_string()
            data-end=end.to_string()
            data-genre=best.map(|class| state.models.class(class))
            data-class=best.map(|class| class.to_string())
            data-silent=probabilities.is_none().then_some("true")
            aria-label=label
            tabindex=move || if focused.get() == index { "0" } else { "-1" }
            style:left=move || left.clone()
            style:width=move || width.clone()
            on:focus=move |event| {
                focused.set(index);
                // Not for a pointer, which must still find the cell that it pressed.
                let by_key = event_target::<Element>(&event).matches(":focus-visible");
                if by_key.unwrap_or(false) {
                    zoom.set(zoom.view_now().showing_all(zoom.seconds_now(), range));
                }
            }
            on:click=move |_| page.seek(start)
            on:pointerenter=move |_| hover.set(range.within(zoom.view_now()).map(|seen| seen.time(0.5)))
            on:pointerleave=move |_| hover.set(None)
        ></button>
    }
}

/// Time and the three most probable genres of a segment, for screen readers.
fn label(state: State, segment: &Segment) -> String {
    let w = &state.words().deck;
    let span = text::fill(w.from_to, &[&text::clock(segment.start), &text::clock(segment.end)]);
    let Some(probabilities) = &segment.probabilities else { return format!("{span}: {}", w.silent) };
    let top: Vec<_> = ranked(&probabilities.ensemble)
        .into_iter()
        .take(3)
        .map(|(class, probability)| format!("{} {}", state.genre(class), text::percent(probability.into())))
        .collect();
    format!("{span}: {}", top.join(", "))
}

/// The name over a run, placed over its visible part.
fn name(state: State, run: Run, shown: TimeRange) -> Option<impl IntoView> {
    let (left, width) = run.range.within(shown)?.place(shown);
    let (long, short) = match run.class.map(|class| state.genre(class)) {
        Some(name) => (text::heading(&name), text::abbreviation(&name)),
        None => (state.words().deck.silent.to_string(), "–".into()),
    };
    Some(view! {
        <span
            class="run"
            data-class=run.class.map(|class| class.to_string())
            style:left=move || left.clone()
            style:width=move || width.clone()
        >
            <span class="run-long">{long}</span>
            <span class="run-short">{short}</span>
        </span>
    })
}

fn cell_id(index: u32) -> String {
    format!("segment-{index}")
}
