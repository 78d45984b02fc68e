//! The crate: one record for each genre, always in the same place. The more probable a genre, the
//! further its record is pulled out.

use leptos::prelude::*;

use crate::app::Page;
use crate::probabilities::argmax;
use crate::state::{Answer, Segment, State};
use crate::text;

/// Probabilities that the crate shows.
#[derive(Clone, Default, PartialEq)]
struct Shown {
    /// `None` while nothing is known.
    probabilities: Option<Vec<f32>>,
    /// The time in seconds that they belong to; `None` for the whole song.
    moment: Option<f64>,
    /// Whether the answer is *No music*, so that the genres do not count.
    no_music: bool,
}

impl Shown {
    /// Probabilities of the live sound, of the segment at the cursor, or of the song.
    fn now(state: State) -> Self {
        if state.live.is_on() {
            let last = |all: &Vec<Segment>| all.last().cloned();
            return state.live.segments.with(last).map(|last| Self::of(last, None)).unwrap_or_default();
        }
        let Some(song) = state.song() else { return Self::default() };
        if let Some(moment) = state.playback.moment() {
            let here = song.segment_at(moment).filter(|segment| segment.probabilities.is_some());
            if let Some(segment) = here {
                return Self::of(segment, Some(moment));
            }
        }
        let no_music = song.answer().and_then(Answer::sound).is_some();
        Self { probabilities: song.probabilities(), moment: None, no_music }
    }

    /// The ensemble's probabilities for a segment.
    fn of(segment: Segment, moment: Option<f64>) -> Self {
        let no_music = segment.answer().and_then(Answer::sound).is_some();
        Self { probabilities: segment.probabilities.map(|p| p.ensemble), moment, no_music }
    }
}

/// All genres with their probabilities.
#[component]
pub fn Crate(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().library;
    let shown = Memo::new(move |_| Shown::now(state));
    let known = move || shown.with(|shown| shown.probabilities.is_some());
    let no_music = move || shown.with(|shown| shown.no_music);
    let best = Memo::new(move |_| {
        shown.with(|shown| argmax(shown.probabilities.as_ref().filter(|_| !shown.no_music)?))
    });
    view! {
        <figure class="crate" class:known=known class:no-music=no_music>
            <ol class="records" aria-label=move || w().all_genres>
                {move || {
                    let count = state.models.classes.with(Vec::len);
                    (0..count).map(|class| record(state, class, shown, best)).collect_view()
                }}
            </ol>
            <div class="board" aria-hidden="true">
                <span class="board-grip"></span>
            </div>
            <figcaption>{move || caption(state, shown)}</figcaption>
        </figure>
    }
}

/// Says whether the probabilities belong to the song, to a time or to live sound.
fn caption(state: State, shown: Memo<Shown>) -> String {
    let w = &state.words().library;
    let (known, moment) = shown.with(|shown| (shown.probabilities.is_some(), shown.moment));
    if shown.with(|shown| shown.no_music) {
        return w.crate_no_music.to_string();
    }
    let done = state.song().is_some_and(|song| song.result.with(Option::is_some));
    match (state.live.is_on(), known, moment) {
        (true, ..) => w.crate_now.to_string(),
        (_, false, _) => w.crate_empty.to_string(),
        (_, true, Some(time)) => text::fill(w.crate_at, &[&text::clock(time)]),
        (_, true, None) if done => w.crate_song.to_string(),
        (_, true, None) => w.crate_so_far.to_string(),
    }
}

/// One genre.
fn record(state: State, class: usize, shown: Memo<Shown>, best: Memo<Option<usize>>) -> impl IntoView {
    let probability =
        Memo::new(move |_| shown.with(|shown| shown.probabilities.as_ref()?.get(class).copied()));
    let height = move || format!("{:.4}", probability.get().unwrap_or_default().clamp(0.0, 1.0));
    let percent = move || probability.get().map_or_else(|| "\u{a0}".into(), |p| text::percent(p.into()));
    view! {
        <li
            class="record"
            class:best=move || best.get() == Some(class)
            data-testid="genre-bar"
            data-class=class.to_string()
            data-genre=move || state.models.class(class)
            data-probability=move || probability.get().map(|p| p.to_string())
            style=("--share", height)
        >
            <span class="record-share" aria-hidden=move || probability.get().is_none().then_some("true")>
                {percent}
            </span>
            <span class="sleeve">
                <span class="sleeve-name">{move || text::heading(&state.genre(class))}</span>
            </span>
        </li>
    }
}
