//! Tells screen readers what happens, in few words.

use leptos::prelude::*;

use crate::app::Page;
use crate::state::{Answer, Segment, Song, SongResult, State, Status};
use crate::text;

/// An invisible live region.
#[component]
pub fn Announcer(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let quarter = Memo::new(move |_| state.song().map_or(0, |song| percent_in_quarters(&song)));
    let words = Memo::new(move |_| {
        let Some(song) = state.song() else { return String::new() };
        match song.status.get() {
            // A failure has an alert of its own.
            Status::Failed(_) | Status::Waiting => String::new(),
            Status::Cancelled => w().library.status_cancelled.to_string(),
            Status::Decoding => format!("{} {}", w().hero.decoding, song.title()),
            Status::Analysing if song.is_settled() => {
                let answer = song.answer().map(|answer| state.answer(answer)).unwrap_or_default();
                text::fill(w().frame.announce_settled, &[&answer])
            }
            Status::Analysing => text::fill(w().frame.announce_progress, &[&quarter.get().to_string()]),
            Status::Done => song
                .result
                .with(|result| result.as_ref().map(|result| spoken(state, result)))
                .unwrap_or_default(),
        }
    });
    // While listening: the current answer, whenever it changes.
    let live = Memo::new(move |_| {
        state.live.source.get()?;
        let answer = state.live.segments.with(|all| all.last().and_then(Segment::answer))?;
        Some(match answer {
            Answer::Genre(class) => state.genre(class),
            other => state.answer(other),
        })
    });
    view! {
        <div class="hidden announcer" role="status" aria-live="polite" data-testid="announcer">
            {move || live.get().unwrap_or_else(|| words.get())}
        </div>
    }
}

/// Progress in percent, rounded down to quarters.
fn percent_in_quarters(song: &Song) -> u32 {
    let total = song.info.get().map_or(0, |info| info.segments);
    (song.progress.get() * 4).checked_div(total).unwrap_or(0) * 25
}

/// The result as a sentence.
fn spoken(state: State, result: &SongResult) -> String {
    let w = state.words();
    let (Some(answer), Some(probability)) = (result.answer(), result.confidence()) else {
        return String::new();
    };
    let percent = text::percent(probability.into());
    let class = result.probabilities.best().unwrap_or_default();
    match answer {
        Answer::NonMusic(sound) => w.hero.no_music_sentence(sound, &percent),
        Answer::NoneOfThese => text::fill(w.hero.none_words, &[&state.genre(class), &percent]),
        Answer::Genre(class) => text::fill(w.frame.announce_result, &[&state.genre(class), &percent]),
    }
}
