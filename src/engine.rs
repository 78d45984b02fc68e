//! Connects the page to the client: the components' requests go to [`Client`], the client's updates go
//! into the [`State`], and the user's choices go into storage.

use std::cell::Cell;
use std::rc::Rc;

pub use cratedigger_client::policy;
pub use cratedigger_client::settings::RULES;
use cratedigger_client::settings::{Choice, LocalStorage};
use cratedigger_client::{
    Client, Collection, ExplanationUpdate, Files, Interval, ModelChoice, Prediction, Settings, SongUpdate,
    Tagging, Update as Change, page_folder,
};
use cratedigger_protocol::{DeviceKind, Event, ModelSet, Rule};
use js_sys::Float32Array;
use leptos::prelude::*;
use web_sys::File;

use self::policy::Mode;
use crate::history;
use crate::probabilities::Probabilities;
use crate::state::{Explanation, Live, Segment, Song, State, Status, Tiles};
use crate::trouble::Notice;

/// The page's access to the client.
pub struct Engine {
    state: State,
    client: Client,
    collection: Collection,
    tagging: Tagging,
    last_added: Cell<f64>,
}

impl Engine {
    /// Starts the client with the stored settings.
    pub fn start(state: State) -> Rc<Self> {
        let settings = Settings::load(&LocalStorage);
        state.devices.mode.set(settings.mode);
        state.models.wanted.set(settings.models.set);
        state.models.rule.set(settings.models.rule);
        let files = Files::in_folder(page_folder().unwrap_or_default());
        let collection = Collection::new(files.clone());
        let tagging = Tagging::new(files.clone());
        let client = Client::start(files, settings, move |update| apply(state, update));
        Rc::new(Self { state, client, collection, tagging, last_added: Cell::new(0.0) })
    }

    /// The page's files.
    pub fn files(&self) -> &Files {
        self.client.files()
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The client's worker for the songs of the crate together.
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    /// The client's worker for tags.
    pub fn tagging(&self) -> &Tagging {
        &self.tagging
    }

    /// Adds songs to the queue, in this order; with `show`, the first of them is shown. Returns their ids.
    pub fn open(&self, files: Vec<File>, show: bool) -> Vec<u32> {
        let songs: Vec<(u32, File)> = files
            .into_iter()
            .map(|file| {
                // `added` is the key in the history, so two songs of one drop must differ.
                let added = js_sys::Date::now().max(self.last_added.get() + 1.0);
                self.last_added.set(added);
                (self.state.add(added, file.name(), true, Status::Waiting).id, file)
            })
            .collect();
        if let Some((first, _)) = songs.first().filter(|_| show) {
            self.state.show(Some(*first));
        }
        let ids = songs.iter().map(|(song, _)| *song).collect();
        for (song, file) in songs {
            self.client.open(song, file);
        }
        ids
    }

    /// The file of a song, to be played.
    pub fn file(&self, song: u32) -> Option<File> {
        self.client.file(song)
    }

    /// Cancels a song. Its partial results stay.
    pub fn cancel(&self, id: u32) {
        self.client.cancel(id);
    }

    /// Cancels all songs that wait or are under way.
    pub fn cancel_all(&self) {
        self.client.cancel_all();
    }

    /// Analyses a song again that failed or was cancelled.
    pub fn retry(&self, id: u32) {
        self.client.retry(id);
    }

    /// Analyses a song again that only the fast networks have analysed.
    pub fn ask_all(&self, id: u32) {
        self.client.retry(id);
    }

    /// Takes a song out of the list.
    pub fn remove(&self, id: u32) {
        self.client.remove(id);
        self.state.remove(id);
    }

    /// Moves a waiting song one place ahead.
    pub fn raise(&self, id: u32) {
        self.client.raise(id);
    }

    /// Chooses a device. The song under way stays where it is.
    pub fn set_mode(&self, mode: Mode) {
        self.state.devices.mode.set(mode);
        self.client.set_mode(mode);
        self.save();
    }

    /// Chooses the networks and the rule that combines them. The song under way is not affected.
    pub fn set_networks(&self, set: ModelSet, rule: Option<Rule>) {
        self.state.models.wanted.set(set);
        self.state.models.rule.set(rule);
        self.client.set_models(ModelChoice { set, rule });
        self.save();
    }

    /// Analyses a piece of live sound, unless a worker still has the last piece.
    pub fn listen(&self, samples: Float32Array, sample_rate: u32) {
        self.client.listen(samples, sample_rate);
    }

    /// Asks which parts of a segment speak for a class. Replaces an earlier question.
    pub fn explain(&self, song: Song, segment: &Segment, class: usize) {
        let range = Interval { start: segment.start, end: segment.end };
        self.client.explain(song.id, segment.index, range, class);
    }

    /// Drops the question that [`Engine::explain`] asked.
    pub fn stop_explaining(&self) {
        self.client.stop_explaining();
    }

    fn save(&self) {
        self.client.settings().save(&LocalStorage);
    }
}

/// Id of a rule in storage and in the page's test hooks.
pub fn rule_id(rule: Option<Rule>) -> &'static str {
    rule.id()
}

/// Id of a set of networks in storage and in the page's test hooks.
pub fn set_id(set: ModelSet) -> &'static str {
    set.id()
}

/// Writes an update of the client into the page's state.
fn apply(state: State, update: Change) {
    match update {
        Change::Song { song, update } => {
            if let Some(song) = state.find(song) {
                apply_to_song(state, song, update);
            }
        }
        Change::Raised { song, over } => state.songs.update(|all| {
            let place = |id: u32| all.iter().position(|song| song.id == id);
            if let (Some(later), Some(earlier)) = (place(song), place(over)) {
                all.swap(later, earlier);
            }
        }),
        Change::Device { kind: DeviceKind::Cpu, state: device } => state.devices.cpu.set(device),
        Change::Device { kind: DeviceKind::WebGpu, state: device } => state.devices.gpu.set(device),
        Change::FullSet(full) => state.models.full.set(full),
        Change::Classes(classes) => {
            if state.models.classes.with_untracked(|old| *old != classes) {
                state.models.classes.set(classes);
            }
        }
        Change::Models { models, metrics, typical, .. } => {
            state.models.list.set(models);
            state.models.metrics.set(metrics);
            state.models.typical.set(typical);
        }
        // The state of the full set says it.
        Change::Kept { .. } => {}
        Change::Live(prediction) => apply_to_live(state.live, prediction),
        Change::Explanation(update) => apply_explanation(state, update),
        Change::Warning(text) => web_sys::console::warn_1(&text.into()),
    }
}

fn apply_to_song(state: State, song: Song, update: SongUpdate) {
    match update {
        SongUpdate::Status(status) => {
            // A new analysis has its own notes.
            if status == Status::Decoding {
                song.notes.set(Vec::new());
                song.detail.set(None);
            }
            if !status.is_open() {
                song.show_waiting();
            }
            song.status.set(status);
        }
        SongUpdate::Notes(notes) => song.notes.update(|all| all.extend(notes)),
        SongUpdate::Detail(detail) => song.detail.set(Some(detail)),
        SongUpdate::Notice(notice) => song.notice.set(notice.map(Notice::from)),
        SongUpdate::Output { device, event, payload } => {
            let finished = matches!(*event, Event::Finished { .. });
            song.apply(device, *event, Some(payload));
            if finished {
                history::keep(state, song);
            }
        }
    }
}

/// Adds a piece of live sound at the end of what was heard so far.
fn apply_to_live(live: Live, prediction: Option<Prediction>) {
    // The last answer may come after the user has stopped listening.
    if live.source.get_untracked().is_none() {
        return;
    }
    let (probabilities, non_music) = match prediction {
        Some(Prediction { probabilities, members, non_music }) => {
            (Some(Probabilities { ensemble: probabilities, members }), non_music)
        }
        None => (None, None),
    };
    let end = live.seconds.get_untracked();
    live.segments.update(|all| {
        let start = all.last().map_or((end - 1.0).max(0.0), |last| last.end);
        let index = u32::try_from(all.len()).unwrap_or(u32::MAX);
        all.push(Segment { index, start, end, probabilities, non_music, revision: 0 });
    });
}

fn apply_explanation(state: State, update: ExplanationUpdate) {
    match update {
        ExplanationUpdate::Asked { song, segment, class } => {
            state.explanation.set(Some(Explanation { song, segment, class, tiles: None }));
        }
        ExplanationUpdate::Answered(cratedigger_client::Tiles { rows, columns, values }) => {
            state.explanation.update(|all| {
                if let Some(explained) = all {
                    explained.tiles = Some(Tiles { rows, columns, values });
                }
            });
        }
        ExplanationUpdate::Failed => {
            state.notice.set(Some(Notice::NotExplained));
            state.explanation.set(None);
        }
        ExplanationUpdate::Stopped => state.explanation.set(None),
    }
}
