//! The handle that every view gets: the state to read, the engine to call.

use std::rc::Rc;

use cratedigger_client::{Client, Collection, Tagging};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{DataTransfer, File, HtmlAudioElement};

use crate::engine::Engine;
use crate::glue::{self, Found};
use crate::state::{Song, State};
use crate::trouble::Notice;
use crate::{ear, history};

/// The handle that every view gets; copies refer to the same page.
#[derive(Clone, Copy)]
pub struct Page {
    /// The state of the page.
    pub state: State,
    engine: StoredValue<Rc<Engine>, LocalStorage>,
    /// The element that plays the shown song.
    pub audio: StoredValue<Option<HtmlAudioElement>, LocalStorage>,
}

impl Page {
    /// Starts the engine.
    pub fn start(state: State) -> Self {
        Self {
            state,
            engine: StoredValue::new_local(Engine::start(state)),
            audio: StoredValue::new_local(None),
        }
    }

    /// Calls the engine, unless the page is being torn down.
    pub fn engine(&self, act: impl FnOnce(&Rc<Engine>)) {
        if let Some(engine) = self.engine.try_get_value() {
            act(&engine);
        }
    }

    /// The client, unless the page is being torn down.
    pub fn client(&self) -> Option<Client> {
        self.engine.try_get_value().map(|engine| engine.client().clone())
    }

    /// The worker for the songs of the crate together, unless the page is being torn down.
    pub fn collection(&self) -> Option<Collection> {
        self.engine.try_get_value().map(|engine| engine.collection().clone())
    }

    /// The worker for tags, unless the page is being torn down.
    pub fn tagging(&self) -> Option<Tagging> {
        self.engine.try_get_value().map(|engine| engine.tagging().clone())
    }

    /// Moves the cursor and the player to a time in seconds.
    pub fn seek(&self, time: f64) {
        let Some(info) = self.state.song_now().and_then(|song| song.info.get_untracked()) else { return };
        let time = time.clamp(0.0, info.seconds);
        self.state.playback.seek(time);
        if let Some(audio) = self.audio.try_get_value().flatten() {
            audio.set_current_time(time);
        }
    }

    /// Plays or pauses the shown song.
    pub fn toggle(&self) {
        let Some(audio) = self.audio.try_get_value().flatten() else { return };
        if !self.state.song_now().is_some_and(|song| song.audible) {
            return;
        }
        if audio.paused() {
            // If the browser refuses, the element's events say so.
            let _ = audio.play();
        } else {
            let _ = audio.pause();
        }
    }

    /// Opens files that were dropped, pasted or chosen as a folder.
    pub fn take(&self, found: &Found) {
        let files: Vec<File> = found.files().iter().filter_map(|file| file.dyn_into().ok()).collect();
        let notice = match (files.is_empty(), found.folder(), found.left()) {
            (true, true, _) => Some(Notice::NoSongs),
            (true, false, _) if found.address() => Some(Notice::OnlyAddress),
            (true, false, _) => Some(Notice::NoFile),
            (false, _, 0) => None,
            (false, _, left) => Some(Notice::LeftOut(left)),
        };
        self.open(files, notice);
    }

    /// Opens files that were chosen, and shows the first one.
    pub fn open(&self, files: Vec<File>, notice: Option<Notice>) {
        self.state.notice.set(notice);
        ear::stop_aside(*self);
        self.engine(|engine| {
            engine.open(files, true);
        });
    }

    /// Opens files as songs of a class of the lesson.
    pub fn open_for_class(&self, files: Vec<File>, class: u32) {
        self.state.notice.set(None);
        self.engine(|engine| {
            for song in engine.open(files, false) {
                self.state.collection.assign(song, Some(class));
            }
        });
    }

    /// Opens the files of a drop as songs of a class of the lesson. Call it inside the event handler.
    pub fn take_for_class(self, data: Option<&DataTransfer>, class: u32) {
        let found = glue::files_of(data);
        spawn_local(async move {
            let Ok(found) = JsFuture::from(found).await else { return };
            let found: Found = found.unchecked_into();
            let files = found.files().iter().filter_map(|file| file.dyn_into().ok()).collect();
            self.open_for_class(files, class);
        });
    }

    /// Opens the files of a drop or a paste. Call it inside the event handler: browsers empty the list
    /// when the handler returns.
    pub fn take_data(self, data: Option<&DataTransfer>) {
        let found = glue::files_of(data);
        spawn_local(async move {
            if let Ok(found) = JsFuture::from(found).await {
                self.take(found.unchecked_ref());
            }
        });
    }

    /// Shows the next or the previous song with a result; wraps around at the end.
    pub fn turn(&self, forward: bool) {
        let done: Vec<u32> = self.state.songs.with_untracked(|all| {
            let done = |song: &&Song| song.result.with_untracked(Option::is_some);
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

    /// Removes a song from the crate and from the history.
    pub fn remove(&self, id: u32) {
        if let Some(song) = self.state.find(id) {
            history::forget(song.added);
        }
        self.engine(|engine| engine.remove(id));
    }

    /// Removes all songs that are not in the queue or in work, and the history.
    pub fn clear(&self) {
        history::clear(self.state);
        let old: Vec<u32> = self.state.songs.with_untracked(|all| {
            all.iter().filter(|s| !s.status.get_untracked().is_open()).map(|s| s.id).collect()
        });
        self.engine(|engine| old.into_iter().for_each(|id| engine.remove(id)));
    }
}
