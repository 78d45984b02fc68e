//! The page as a whole.

use std::rc::Rc;

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{ClipboardEvent, DataTransfer, DragEvent, HtmlAudioElement, KeyboardEvent};

use crate::components::{
    AboutSheet, Announcer, Audio, Crate, Deck, Footer, Hero, Masthead, SettingsSheet, Shelf, Votes, Why,
};
use crate::engine::Engine;
use crate::glue::{self, Found};
use crate::state::State;
use crate::trouble::Notice;
use crate::{ear, history, settings};

/// What every component needs: the state to read, the engine to ask.
#[derive(Clone, Copy)]
pub struct Page {
    /// What the page knows.
    pub state: State,
    engine: StoredValue<Rc<Engine>, LocalStorage>,
    /// What plays the shown song.
    pub audio: StoredValue<Option<HtmlAudioElement>, LocalStorage>,
}

impl Page {
    /// The engine, unless the page is being torn down.
    pub fn engine(&self, act: impl FnOnce(&Rc<Engine>)) {
        if let Some(engine) = self.engine.try_get_value() {
            act(&engine);
        }
    }

    /// Moves the cursor, and the sound with it.
    pub fn seek(&self, time: f64) {
        let Some(outline) = self.state.song_now().and_then(|song| song.outline.get_untracked()) else {
            return;
        };
        let time = time.clamp(0.0, outline.seconds);
        self.state.position.set(time);
        self.state.sought.update(|n| *n = n.wrapping_add(1));
        if let Some(audio) = self.audio.try_get_value().flatten() {
            audio.set_current_time(time);
        }
    }

    /// Plays, or pauses.
    pub fn toggle(&self) {
        let Some(audio) = self.audio.try_get_value().flatten() else { return };
        if !self.state.song_now().is_some_and(|song| song.audible) {
            return;
        }
        if audio.paused() {
            // A browser that refuses says so by the element's events.
            let _ = audio.play();
        } else {
            let _ = audio.pause();
        }
    }

    /// Takes what was dropped or picked.
    pub fn take(&self, found: &Found) {
        let files: Vec<web_sys::File> =
            found.files().iter().filter_map(|file| file.dyn_into().ok()).collect();
        let notice = match (files.is_empty(), found.folder(), found.left()) {
            (true, true, _) => Some(Notice::NoSongs),
            (true, false, _) => Some(Notice::NoFile),
            (false, _, 0) => None,
            (false, _, left) => Some(Notice::LeftOut(left)),
        };
        self.state.notice.set(notice);
        ear::stop_aside(*self);
        self.engine(|engine| engine.open(files, true));
    }

    fn take_data(self, data: Option<DataTransfer>) {
        spawn_local(async move {
            if let Ok(found) = glue::files_of(data.as_ref()).await {
                self.take(found.unchecked_ref());
            }
        });
    }

    /// Puts the next song that is done on the turntable, in either direction; around the end.
    pub fn turn(&self, forward: bool) {
        let done: Vec<u32> = self.state.songs.with_untracked(|all| {
            let done = |song: &&crate::state::Song| song.outcome.with_untracked(Option::is_some);
            all.iter().filter(done).map(|song| song.id).collect()
        });
        let shown = self.state.shown.get_untracked();
        let at = done.iter().position(|id| Some(*id) == shown);
        let next = match (at, forward) {
            (Some(at), true) => done.get(at + 1).or_else(|| done.first()),
            (Some(at), false) => at.checked_sub(1).and_then(|at| done.get(at)).or_else(|| done.last()),
            (None, _) => done.first(),
        };
        if next.is_some() {
            self.state.show(next.copied());
        }
    }
}

/// How long conference mode leaves a song on the turntable that isn't played.
const TURN: std::time::Duration = std::time::Duration::from_secs(9);

/// The page.
#[component]
pub fn App() -> impl IntoView {
    let state = State::new(settings::language());
    let page = Page {
        state,
        engine: StoredValue::new_local(Engine::start(state)),
        audio: StoredValue::new_local(None),
    };
    settings::apply(state);
    history::load(state);
    let dragging = accept_files(page);
    listen_to_keys(page);
    settings::go_offline_when_ready(state);

    Effect::new(move |turning: Option<Option<IntervalHandle>>| {
        if let Some(Some(old)) = turning {
            old.clear();
        }
        if !state.conference.get() {
            return None;
        }
        let next = move || {
            if !state.playing.get_untracked() && state.live.ear.with_untracked(Option::is_none) {
                page.turn(true);
            }
        };
        set_interval_with_handle(next, TURN).ok()
    });

    let phase = Memo::new(move |_| state.phase());
    view! {
        <div
            class="page"
            class:conference=move || state.conference.get()
            class:dragging=move || dragging.get()
            data-testid="drop-zone"
        >
            <Masthead page phase />
            <main data-state=move || phase.get() data-testid="main" id="main">
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
        <Audio page />
        <Announcer page />
    }
}

/// Makes the whole window take files; tells whether one is being dragged over it.
fn accept_files(page: Page) -> ReadSignal<bool> {
    let (dragging, set_dragging) = signal(false);
    let holds_files = |event: &DragEvent| {
        event.data_transfer().is_some_and(|data| data.types().includes(&"Files".into(), 0))
    };
    // The listeners live as long as the page, so their handles are not needed.
    let over = move |event: DragEvent| {
        if holds_files(&event) {
            // Without this the browser would open the file instead.
            event.prevent_default();
            if let Some(data) = event.data_transfer() {
                data.set_drop_effect("copy");
            }
            set_dragging.maybe_update(|now| !std::mem::replace(now, true));
        }
    };
    let _ = window_event_listener(ev::dragenter, over);
    let _ = window_event_listener(ev::dragover, over);
    let _ = window_event_listener(ev::dragleave, move |event| {
        // Leaving one element for another says where to; leaving the window doesn't.
        if event.related_target().is_none() {
            set_dragging.set(false);
        }
    });
    let _ = window_event_listener(ev::drop, move |event| {
        event.prevent_default();
        set_dragging.set(false);
        page.take_data(event.data_transfer());
    });
    let _ = window_event_listener(ev::paste, move |event: ClipboardEvent| {
        let data = event.clipboard_data();
        let files = data.as_ref().is_some_and(|data| data.types().includes(&"Files".into(), 0));
        // Words in the clipboard are no song, and no reason to complain.
        if files {
            event.prevent_default();
            page.take_data(data);
        }
    });
    dragging
}

/// Space plays from anywhere, as in every player; keys of a control that has the focus are its own.
fn listen_to_keys(page: Page) {
    let _ = window_event_listener(ev::keydown, move |event: KeyboardEvent| {
        let modified = event.ctrl_key() || event.alt_key() || event.meta_key();
        let busy = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()).is_some_and(
            |element| {
                element
                    .closest("button, a, input, select, summary, textarea, dialog")
                    .ok()
                    .flatten()
                    .is_some()
            },
        );
        if modified || event.default_prevented() {
            return;
        }
        let conference = page.state.conference.get_untracked();
        match event.key().as_str() {
            "Escape" if conference => page.state.conference.set(false),
            "ArrowRight" | "PageDown" if conference && !busy => page.turn(true),
            "ArrowLeft" | "PageUp" if conference && !busy => page.turn(false),
            " " if !busy => {
                event.prevent_default();
                page.toggle();
            }
            _ => {}
        }
    });
}
