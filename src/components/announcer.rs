//! Says aloud, through a screen reader, what others see: in few words, since every segment would
//! be one too many.

use leptos::prelude::*;

use crate::app::Page;
use crate::state::Phase;
use crate::text;

/// A live region without a look.
#[component]
pub fn Announcer(page: Page) -> impl IntoView {
    let state = page.state;
    let quarter = Memo::new(move |_| {
        let total = state.outline.get().map_or(0, |outline| outline.segments);
        (state.progress.get() * 4).checked_div(total).unwrap_or(0) * 25
    });
    let words = move || match state.phase.get() {
        // A failure is an alert of its own.
        Phase::Idle | Phase::Failed => String::new(),
        Phase::Decoding => format!("Decoding {}", state.file.get()),
        Phase::Analysing => format!("Listening, {} percent done", quarter.get()),
        Phase::Done => state
            .outcome
            .get()
            .and_then(|outcome| {
                let (class, share) = *text::ranked(&outcome.verdict.probabilities).first()?;
                Some(format!("Result: {}, {}", text::genre(&state.class(class)), text::percent(share.into())))
            })
            .unwrap_or_default(),
    };
    view! { <div class="hidden" role="status" aria-live="polite">{words}</div> }
}
