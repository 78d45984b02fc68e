//! Says aloud, through a screen reader, what others see: in few words, since every segment would
//! be one too many.

use leptos::prelude::*;

use crate::app::Page;
use crate::state::Status;
use crate::text;

/// A live region without a look.
#[component]
pub fn Announcer(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let song = move || state.song();
    let quarter = Memo::new(move |_| {
        let song = song()?;
        let total = song.outline.get().map_or(0, |outline| outline.segments);
        Some((song.progress.get() * 4).checked_div(total).unwrap_or(0) * 25)
    });
    let words = Memo::new(move |_| match song().map(|song| (song, song.status.get())) {
        // A failure is an alert of its own.
        None | Some((_, Status::Failed(_) | Status::Waiting)) => String::new(),
        Some((_, Status::Cancelled)) => w().status_cancelled.to_string(),
        Some((song, Status::Decoding)) => format!("{} {}", w().decoding, song.title()),
        Some((_, Status::Analysing)) => {
            text::fill(w().announce_progress, &[&quarter.get().unwrap_or(0).to_string()])
        }
        Some((song, Status::Done)) => song
            .outcome
            .get()
            .and_then(|outcome| {
                let (class, share) = *text::ranked(&outcome.verdict.probabilities).first()?;
                if outcome.none {
                    return Some(text::fill(
                        w().none_words,
                        &[&state.genre(class), &text::percent(share.into())],
                    ));
                }
                Some(text::fill(w().announce_result, &[&state.genre(class), &text::percent(share.into())]))
            })
            .unwrap_or_default(),
    });
    // Live, the genre of the moment, when it changes.
    let live = Memo::new(move |_| {
        state.live.ear.get()?;
        let class = state.live.heard.with(|all| all.last()?.verdict.as_ref()?.best())?;
        Some(state.genre(class))
    });
    view! {
        <div class="hidden" role="status" aria-live="polite" data-testid="announcer">
            {move || live.get().unwrap_or_else(|| words.get())}
        </div>
    }
}
