//! The page as a whole.

mod input;
mod page;

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

pub use self::page::Page;
use crate::state::State;
use crate::ui::{
    AboutSheet, AlikeSheet, Announcer, Crate, Deck, Footer, Hero, Masthead, Player, SettingsSheet, Shelf,
    TagsSheet, TeachSheet, Votes, Why,
};
use crate::{collection, history, settings, tagging};

/// How long conference mode shows a song that does not play.
const TURN: Duration = Duration::from_secs(9);

/// The page.
#[component]
pub fn App() -> impl IntoView {
    let state = State::new(settings::language());
    let page = Page::start(state);
    settings::apply(state);
    spawn_local(async move {
        collection::lesson::load(state).await;
        history::load(state).await;
    });
    collection::start(page);
    tagging::start(page);
    let dragging = input::accept_files(page);
    input::listen_to_keys(page);
    input::leave_conference_with_full_screen(state);
    settings::go_offline_when_ready(state);
    turn_in_conference(page);

    let phase = Memo::new(move |_| state.phase());
    view! {
        <div
            class="page"
            class:conference=move || state.conference.get()
            class:dragging=move || dragging.get()
            data-testid="drop-zone"
        >
            <Masthead page phase />
            <main data-state=move || phase.get().id() data-testid="main" id="main">
                <div class="stage">
                    <Hero page phase dragging />
                    <Crate page />
                </div>
                <Deck page phase />
                <Why page />
                <Votes page />
                <Shelf page />
            </main>
            <Footer page />
        </div>
        <AboutSheet page />
        <SettingsSheet page />
        <TeachSheet page />
        <AlikeSheet page />
        <TagsSheet page />
        <Player page />
        <Announcer page />
    }
}

/// In conference mode, shows the next song after [`TURN`], unless a song plays or the page listens.
fn turn_in_conference(page: Page) {
    let state = page.state;
    Effect::new(move |timer: Option<Option<IntervalHandle>>| {
        if let Some(Some(old)) = timer {
            old.clear();
        }
        if !state.conference.get() {
            return None;
        }
        let next = move || {
            let listens = state.live.source.with_untracked(Option::is_some);
            if !state.playback.playing.get_untracked() && !listens {
                page.turn(true);
            }
        };
        set_interval_with_handle(next, TURN).ok()
    });
}
