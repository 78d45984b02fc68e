//! State of the page, as signals. The engine writes them, the views read them.

mod answer;
mod collection;
mod explanation;
mod live;
mod models;
mod playback;
mod segment;
mod song;
mod tagging;

use std::collections::BTreeMap;

pub use cratedigger_client::{FullSet, LiveSource, Status};
use leptos::prelude::*;

pub use self::answer::{Answer, Sound};
pub use self::collection::{Collection, Compared, FeatureState, Own, OwnAnswer, OwnClass, Teaching};
pub use self::explanation::{Explanation, Tiles};
pub use self::live::Live;
pub use self::models::{Devices, Models};
pub use self::playback::Playback;
pub use self::segment::{Run, Segment};
pub use self::song::{Song, SongInfo, SongResult};
pub use self::tagging::{Outcome, TagChoices, TagProgress, TagReport, TagRow, TagWork, Tagging, Unwritten};
use crate::i18n::{Language, Words};
use crate::text;
use crate::trouble::Notice;

/// A sheet that lies over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// Accuracy and description of the networks.
    About,
    /// Device, theme, language and so on.
    Settings,
    /// Classes of one's own.
    Teach,
    /// Similar songs.
    Alike,
    /// Tags in the files.
    Tags,
}

/// Phase of the page, for styles and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No song.
    Idle,
    /// Live listening.
    Live,
    /// A song in the queue.
    Waiting,
    /// A song that the browser decodes.
    Decoding,
    /// A song that a worker analyses.
    Analysing,
    /// A song with a result.
    Done,
    /// A song without a result.
    Failed,
}

impl Phase {
    /// Name in the page's test hooks and styles.
    pub fn id(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Live => "live",
            Self::Waiting => "waiting",
            Self::Decoding => "decoding",
            Self::Analysing => "analysing",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether the timeline of a song is shown.
    pub fn has_deck(self) -> bool {
        matches!(self, Self::Waiting | Self::Decoding | Self::Analysing | Self::Done)
    }
}

impl From<Status> for Phase {
    fn from(status: Status) -> Self {
        match status {
            Status::Waiting => Self::Waiting,
            Status::Decoding => Self::Decoding,
            Status::Analysing => Self::Analysing,
            Status::Done => Self::Done,
            Status::Failed(_) => Self::Failed,
            Status::Cancelled => Self::Idle,
        }
    }
}

/// State of the page; copies are handles to the same signals.
#[derive(Clone, Copy)]
pub struct State {
    /// All songs, in the order of the queue.
    pub songs: RwSignal<Vec<Song>>,
    /// Id of the shown song.
    pub shown: RwSignal<Option<u32>>,
    /// A message that concerns no song.
    pub notice: RwSignal<Option<Notice>>,
    /// Cursor and player of the shown song.
    pub playback: Playback,
    /// Live listening.
    pub live: Live,
    /// Classes of one's own, and similar songs.
    pub collection: Collection,
    /// Tags in the files.
    pub tagging: Tagging,
    /// The networks.
    pub models: Models,
    /// The devices.
    pub devices: Devices,
    /// The explanation that the visitor asked for, of the shown song.
    pub explanation: RwSignal<Option<Explanation>>,
    /// Language of the page.
    pub language: RwSignal<Language>,
    /// The open sheet.
    pub sheet: RwSignal<Option<Sheet>>,
    /// Whether conference mode is on: large type for a large room.
    pub conference: RwSignal<bool>,
    /// Whether a newer version of the page is ready.
    pub update_ready: RwSignal<bool>,
    /// Parent of the owners of all songs. Songs must not belong to whatever code adds them.
    owner: StoredValue<Owner>,
    /// Owner of the signals of each song, by id.
    owners: StoredValue<BTreeMap<u32, Owner>>,
    last_id: StoredValue<u32>,
}

impl State {
    /// No songs, no networks, no devices.
    pub fn new(language: Language) -> Self {
        Self {
            songs: RwSignal::new(Vec::new()),
            shown: RwSignal::new(None),
            notice: RwSignal::new(None),
            playback: Playback::new(),
            live: Live::new(),
            collection: Collection::new(),
            tagging: Tagging::new(),
            models: Models::new(),
            devices: Devices::new(),
            explanation: RwSignal::new(None),
            language: RwSignal::new(language),
            sheet: RwSignal::new(None),
            conference: RwSignal::new(false),
            update_ready: RwSignal::new(false),
            owner: StoredValue::new(Owner::current().unwrap_or_default()),
            owners: StoredValue::new(BTreeMap::new()),
            last_id: StoredValue::new(0),
        }
    }

    /// The page's texts.
    pub fn words(&self) -> &'static Words {
        self.language.get().words()
    }

    /// The page's texts, untracked.
    pub fn words_now(&self) -> &'static Words {
        self.language.get_untracked().words()
    }

    /// Name of class `index`, as written inside a sentence.
    pub fn genre(&self, index: usize) -> String {
        self.words().genre(&self.models.class(index))
    }

    /// An answer as a heading.
    pub fn answer(&self, answer: Answer) -> String {
        let w = &self.words().hero;
        match answer {
            Answer::Genre(class) => text::heading(&self.genre(class)),
            Answer::NoneOfThese => w.none_of_these.into(),
            Answer::NonMusic(sound) => w.no_music(sound),
        }
    }

    /// The shown song.
    pub fn song(&self) -> Option<Song> {
        let shown = self.shown.get()?;
        self.songs.with(|all| all.iter().find(|song| song.id == shown).copied())
    }

    /// The shown song, untracked.
    pub fn song_now(&self) -> Option<Song> {
        self.find(self.shown.get_untracked()?)
    }

    /// The song with this id, untracked.
    pub fn find(&self, id: u32) -> Option<Song> {
        self.songs.with_untracked(|all| all.iter().find(|song| song.id == id).copied())
    }

    /// Adds a song at the end of the queue.
    pub fn add(&self, added: f64, name: String, audible: bool, status: Status) -> Song {
        let id = self.last_id.try_update_value(|id| {
            *id += 1;
            *id
        });
        let id = id.unwrap_or_default();
        let owner = self.owner.with_value(Owner::child);
        let song = owner.with(|| Song::new(id, added, name, audible, status));
        self.owners.update_value(|all| {
            all.insert(id, owner);
        });
        self.songs.update(|all| all.push(song));
        song
    }

    /// Removes a song.
    pub fn remove(&self, id: u32) {
        if self.shown.get_untracked() == Some(id) {
            self.show(None);
        }
        self.songs.update(|all| all.retain(|song| song.id != id));
        self.collection.assign(id, None);
        self.tagging.rows.update(|rows| rows.retain(|row| row.song != id));
        if self.collection.target.get_untracked() == Some(id) {
            self.collection.target.set(None);
        }
        let owners = self.owners;
        // The signals go after the next frame, when no view reads them any more.
        request_animation_frame(move || drop(owners.try_update_value(|all| all.remove(&id))));
    }

    /// Shows a song, or none.
    pub fn show(&self, id: Option<u32>) {
        if self.shown.get_untracked() != id {
            self.playback.reset();
            self.explanation.set(None);
            self.shown.set(id);
        }
    }

    /// Current phase of the page.
    pub fn phase(&self) -> Phase {
        if self.live.is_on() {
            return Phase::Live;
        }
        self.song().map_or(Phase::Idle, |song| song.status.get().into())
    }
}
