//! The ribbon: one cell for each segment, and the name of the genre over each run of segments, so that
//! colour is not needed. The Tab key stops at one cell only; arrow keys move between the cells.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::zoom::Zoom;
use crate::app::Page;
use crate::probabilities::ranked;
use crate::state::{Answer, Run, Segment, Song, Sound, State};
use crate::text;
use crate::time_range::TimeRange;

/// The ribbon.
#[component]
pub fn Ribbon(page: Page, song: Song, zoom: Zoom, runs: Memo<Vec<Run>>) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().deck;
    let focused = RwSignal::new(0u32);
    // Index of the cell at which the Tab key stops: the one that had the focus last or, because segments
    // arrive in any order, the first one that is there.
    let stop = Memo::new(move |_| song.segments.with(|all| stop(all, focused.get())));
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
            on:keydown=move |event| move_focus(song, stop, &event)
        >
            // The whole song, of which a part is visible.
            <div class="strip" style:left=move || strip().0 style:width=move || strip().1>
                <For
                    each=move || song.segments.get()
                    key=move |segment| (segment.index, segment.revision, state.language.get())
                    children=move |segment| cell(page, zoom, focused, stop, segment)
                />
            </div>
            // The cells tell a screen reader the same.
            <div class="runs" aria-hidden="true">
                {names}
            </div>
        </div>
    }
}

/// The index of the cell at which the Tab key stops.
fn stop(segments: &[Segment], focused: u32) -> u32 {
    match segments.binary_search_by_key(&focused, |segment| segment.index) {
        Ok(_) => focused,
        Err(_) => segments.first().map_or(0, |segment| segment.index),
    }
}

/// The index of the cell that a key goes to from the cell `from`, among the segments that are there.
/// `None` for other keys.
fn neighbour(segments: &[Segment], from: u32, key: &str) -> Option<u32> {
    let at = segments.binary_search_by_key(&from, |segment| segment.index).unwrap_or_else(|at| at);
    let last = segments.len().saturating_sub(1);
    let at = match key {
        "ArrowLeft" | "ArrowUp" => at.saturating_sub(1),
        "ArrowRight" | "ArrowDown" => (at + 1).min(last),
        "Home" => 0,
        "End" => last,
        _ => return None,
    };
    segments.get(at).map(|segment| segment.index)
}

/// Moves the focus to another cell. The focus event of that cell does the rest.
fn move_focus(song: Song, stop: Memo<u32>, event: &ev::KeyboardEvent) {
    let from = stop.get_untracked();
    let target = song.segments.with_untracked(|all| neighbour(all, from, &event.key()));
    if let Some(index) = target {
        event.prevent_default();
        let cell = document().get_element_by_id(&cell_id(index));
        if let Some(cell) = cell.and_then(|cell| cell.dyn_into::<HtmlElement>().ok()) {
            let _ = cell.focus();
        }
    }
}

/// The button of one segment.
fn cell(page: Page, zoom: Zoom, focused: RwSignal<u32>, stop: Memo<u32>, segment: Segment) -> impl IntoView {
    let state = page.state;
    let hover = state.playback.hover;
    let label = label(state, &segment);
    let (range, best) = (segment.range(), segment.best());
    let sound = segment.answer().and_then(Answer::sound);
    // Unlike the genres' patterns, the pattern of non-music has no name on the page.
    let tip = sound.map(|_| label.clone());
    // The length of a long song is known exactly only at its end.
    let place = move || range.place(TimeRange::whole(zoom.seconds.get()));
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
            data-non-music=sound.map(Sound::id)
            title=tip
            aria-label=label
            tabindex=move || if stop.get() == index { "0" } else { "-1" }
            style:left=move || place().0
            style:width=move || place().1
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

/// Time and the three most probable genres of a segment, or that it is not music, for screen readers.
fn label(state: State, segment: &Segment) -> String {
    let w = &state.words().deck;
    let span = text::fill(w.from_to, &[&text::clock(segment.start), &text::clock(segment.end)]);
    let Some(probabilities) = &segment.probabilities else { return format!("{span}: {}", w.silent) };
    if let Some(non_music) = segment.non_music.as_ref().filter(|non_music| non_music.rejected) {
        let answer = state.words().hero.no_music(Sound::of(&non_music.kind));
        return format!("{span}: {answer} {}", text::percent(non_music.probability.into()));
    }
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
    let named = |name: &str| (text::heading(name), text::abbreviation(name));
    let (long, short) = match run.answer {
        Some(Answer::Genre(class)) => named(&state.genre(class)),
        Some(Answer::NonMusic(sound)) => named(state.words().hero.sound_label(sound)),
        Some(Answer::NoneOfThese) | None => (state.words().deck.silent.to_string(), "–".into()),
    };
    Some(view! {
        <span
            class="run"
            data-class=run.class().map(|class| class.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_move_among_the_segments_that_are_there() {
        let segment = |index: u32| Segment {
            index,
            start: f64::from(index) * 3.0,
            end: f64::from(index) * 3.0 + 3.0,
            probabilities: None,
            non_music: None,
            revision: 0,
        };
        let some = [2, 5, 9].map(segment);
        assert_eq!((stop(&some, 0), stop(&some, 5), stop(&[], 3)), (2, 5, 0));
        assert_eq!(neighbour(&some, 2, "ArrowRight"), Some(5));
        assert_eq!(neighbour(&some, 2, "ArrowLeft"), Some(2));
        assert_eq!(neighbour(&some, 9, "ArrowRight"), Some(9));
        assert_eq!((neighbour(&some, 5, "Home"), neighbour(&some, 5, "End")), (Some(2), Some(9)));
        assert_eq!((neighbour(&some, 5, "a"), neighbour(&[], 0, "End")), (None, None));
    }
}
