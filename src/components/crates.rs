//! The crate: one record a genre, always in the same place. The more probable a genre, the further
//! its record is pulled out.

use leptos::prelude::*;

use crate::app::Page;
use crate::text;

/// All genres with their probabilities: of the song, or of the moment that the cursor is at.
#[component]
pub fn Crate(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    // None while nothing is known; the second is whether it is a moment's.
    let shares = Memo::new(move |_| -> (Option<Vec<f32>>, Option<f64>) {
        if state.live.ear.get().is_some() {
            let last = state.live.heard.with(|all| all.last().and_then(|s| s.verdict.clone()));
            return (last.map(|verdict| verdict.probabilities), None);
        }
        let Some(song) = state.song() else { return (None, None) };
        if let Some(moment) = state.moment() {
            let there = song.segment_at(moment).and_then(|segment| segment.verdict);
            if let Some(verdict) = there {
                return (Some(verdict.probabilities), Some(moment));
            }
        }
        (song.probabilities(), None)
    });
    let best = Memo::new(move |_| shares.with(|(shares, _)| Some(text::ranked(shares.as_ref()?).first()?.0)));
    let caption = move || {
        let (known, moment) = shares.with(|(shares, moment)| (shares.is_some(), *moment));
        let done = state.song().is_some_and(|song| song.outcome.with(Option::is_some));
        match (state.live.ear.get().is_some(), known, moment) {
            (true, ..) => w().crate_now.to_string(),
            (_, false, _) => w().crate_empty.to_string(),
            (_, true, Some(time)) => text::fill(w().crate_at, &[&text::clock(time)]),
            (_, true, None) if done => w().crate_song.to_string(),
            (_, true, None) => w().crate_so_far.to_string(),
        }
    };
    let record = move |class: usize| {
        let share = Memo::new(move |_| shares.with(|(shares, _)| shares.as_ref()?.get(class).copied()));
        view! {
            <li
                class="record"
                class:best=move || best.get() == Some(class)
                data-testid="genre-bar"
                data-class=class.to_string()
                data-genre=move || state.class(class)
                data-probability=move || share.get().map(|share| share.to_string())
                style=("--share", move || format!("{:.4}", share.get().unwrap_or_default().clamp(0.0, 1.0)))
            >
                <span class="record-share" aria-hidden=move || share.get().is_none().then_some("true")>
                    {move || share.get().map_or_else(|| "\u{a0}".into(), |share| text::percent(share.into()))}
                </span>
                <span class="sleeve">
                    <span class="sleeve-name">{move || text::heading(&state.genre(class))}</span>
                </span>
            </li>
        }
    };
    view! {
        <figure class="crate" class:known=move || shares.with(|(shares, _)| shares.is_some())>
            <ol class="records" aria-label=move || w().all_genres>
                {move || {
                    let count = state.classes.with(Vec::len);
                    (0..count).map(record).collect_view()
                }}
            </ol>
            <div class="board" aria-hidden="true">
                <span class="board-grip"></span>
            </div>
            <figcaption>{caption}</figcaption>
        </figure>
    }
}
