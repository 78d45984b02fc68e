//! Live listening.

use leptos::prelude::*;

use crate::app::Page;
use crate::ear;
use crate::state::{Answer, Live, LiveSource, Segment, Sound};
use crate::text;
use crate::ui::controls::icon;
use crate::ui::icons;

/// Number of cells of the ribbon.
const CELLS: usize = 60;

/// Current genre, level and a ribbon of the last minute.
pub fn listening(page: Page) -> impl IntoView {
    let state = page.state;
    let live = state.live;
    let w = move || state.words();
    // The outer `None` means that nothing was heard yet, the inner one silence.
    let answer = Memo::new(move |_| live.segments.with(|all| all.last().map(Segment::answer)));
    let class = move || answer.get().flatten().and_then(Answer::class).map(|class| class.to_string());
    let sound = move || answer.get().flatten().and_then(Answer::sound);
    let level = move || format!("{:.3}", live.level.get().clamp(0.0, 1.0));
    let name = move || match answer.get() {
        Some(Some(answer)) => state.answer(answer),
        Some(None) => w().live.silence.to_string(),
        None => w().hero.listening_large.to_string(),
    };
    view! {
        <p class="song-title">
            <span class="song-name">
                {move || match live.source.get() {
                    Some(LiveSource::Tab) => w().live.hearing_tab,
                    _ => w().live.hearing_microphone,
                }}
            </span>
            <span class="length" data-testid="live-time">{move || text::clock(live.seconds.get())}</span>
        </p>
        <h1
            class="genre"
            class:no-music=move || sound().is_some()
            data-testid="live-genre"
            data-non-music=move || sound().map(Sound::id)
            data-class=class
        >
            <span class="genre-name">{name}</span>
        </h1>
        <div class="level" aria-hidden="true">
            <span class="level-fill" style=("--level", level)></span>
        </div>
        <div class="live-ribbon" aria-hidden="true" data-testid="live-ribbon">{move || cells(live)}</div>
        <p class="sure">{move || w().live.hint}</p>
        <div class="actions">
            <button type="button" class="button" data-testid="stop" on:click=move |_| ear::stop(page)>
                {icon(icons::STOP)}
                {move || w().live.stop}
            </button>
        </div>
    }
}

/// One cell for each of the last segments.
fn cells(live: Live) -> impl IntoView {
    live.segments.with(|all| {
        all.iter()
            .skip(all.len().saturating_sub(CELLS))
            .map(|segment| {
                let class = segment.best().map(|class| class.to_string());
                let sound = segment.answer().and_then(Answer::sound).map(Sound::id);
                view! { <span class="live-cell" data-class=class data-non-music=sound></span> }
            })
            .collect_view()
    })
}
