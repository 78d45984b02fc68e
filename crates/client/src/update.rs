//! What a host learns from the client.

use cratedigger_protocol::decode::Note;
use cratedigger_protocol::{
    DeviceKind, Event, MemberOutput, Metric, ModelInfo, ModelSet, NonMusic, TypicalCharacter,
};

use crate::policy::DeviceState;
use crate::trouble::{SongNotice, Trouble};

/// A song's id. The host chooses it; it must be new for every song that it opens.
pub type SongId = u32;

/// Where a song stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In the queue.
    Waiting,
    /// The file is decoded.
    Decoding,
    /// A worker has the song, or will have it as soon as it is ready.
    Analysing,
    /// There is a result.
    Done,
    /// There is no result, for this reason.
    Failed(Trouble),
    /// The user stopped the song.
    Cancelled,
}

impl Status {
    /// Stable id, for styles and tests.
    pub fn id(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Decoding => "decoding",
            Self::Analysing => "analysing",
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the song is waiting or under way.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Decoding | Self::Analysing)
    }
}

/// State of the full set of networks, the one that is loaded after the small one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FullSet {
    /// The manifest names none, or no worker is ready yet.
    #[default]
    None,
    /// There is one, and it was not loaded yet.
    Offered,
    /// A worker loads and checks it.
    Loading,
    /// It analyses the next song.
    Ready,
    /// It could not be loaded.
    Failed,
}

impl FullSet {
    /// Stable id, for styles and tests.
    pub fn id(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Offered => "offered",
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }
}

/// A part of a song.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Start in seconds.
    pub start: f64,
    /// End in seconds.
    pub end: f64,
}

/// Probabilities for a piece of sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The ensemble's, in the order of the classes.
    pub probabilities: Vec<f32>,
    /// Each network's own.
    pub members: Vec<MemberOutput>,
    /// How probable it is that the sound is no music, if a network predicts it.
    pub non_music: Option<NonMusic>,
}

/// Which parts of a segment speak for a class: values over time and pitch.
#[derive(Clone, Debug, PartialEq)]
pub struct Tiles {
    /// Bands.
    pub rows: usize,
    /// Intervals of time.
    pub columns: usize,
    /// `rows` × `columns` values, row after row, lowest band first; positive speaks for the class.
    pub values: Vec<f32>,
}

/// Something changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// About one song.
    Song {
        /// Which.
        song: SongId,
        /// What changed.
        update: SongUpdate,
    },
    /// A waiting song changed places in the queue with one that came before it.
    Raised {
        /// The song that is earlier now.
        song: SongId,
        /// The song that is later now.
        over: SongId,
    },
    /// A device changed its state.
    Device {
        /// Which.
        kind: DeviceKind,
        /// Its new state.
        state: DeviceState,
    },
    /// The full set changed its state.
    FullSet(FullSet),
    /// The classes, in the order of all probabilities.
    Classes(Vec<String>),
    /// The networks that are loaded now.
    Models {
        /// The device whose worker has loaded them.
        device: DeviceKind,
        /// Which set they are.
        set: ModelSet,
        /// Each network.
        models: Vec<ModelInfo>,
        /// Accuracies of the ensemble; empty under another rule than the manifest's.
        metrics: Vec<Metric>,
        /// Typical character of the training clips, if the manifest has it.
        typical: Option<TypicalCharacter>,
    },
    /// A device could not load other networks, and keeps those that it has.
    Kept {
        /// Which device.
        device: DeviceKind,
        /// The set that it could not load.
        set: ModelSet,
    },
    /// A piece of live sound was analysed; `None` if it is silent.
    Live(Option<Prediction>),
    /// About the explanation that was asked for last.
    Explanation(ExplanationUpdate),
    /// What went wrong, for a developer. If it ends a song or a device, this comes before the update about it.
    Warning(String),
}

/// Something about a song changed.
#[derive(Clone, Debug, PartialEq)]
pub enum SongUpdate {
    /// Where it stands.
    Status(Status),
    /// The remark to show with it, replacing any earlier one.
    Notice(Option<SongNotice>),
    /// What was left out or mended while the file was decoded, in addition to earlier notes of this analysis.
    Notes(Vec<Note>),
    /// The decoder's words about the trouble that comes next: the name of a format, or what is wrong. English.
    Detail(String),
    /// A worker's output: one of [`Event::Started`], [`Event::Length`], [`Event::Waveform`],
    /// [`Event::Segment`], [`Event::Silent`], [`Event::Noted`], [`Event::Character`] and [`Event::Finished`]. Segments come in any order. A song
    /// that is analysed again starts over with [`Event::Started`]. The `id` in the event is the worker's, not the song's.
    Output {
        /// The device that computed it.
        device: DeviceKind,
        /// The event.
        event: Box<Event>,
        /// The event's payload; see there. Empty for an event without one.
        payload: Vec<f32>,
    },
}

/// The life of an explanation.
#[derive(Clone, Debug, PartialEq)]
pub enum ExplanationUpdate {
    /// It was asked for and is computed.
    Asked {
        /// The song.
        song: SongId,
        /// The segment, 0-based.
        segment: u32,
        /// The class.
        class: usize,
    },
    /// The answer.
    Answered(Tiles),
    /// It could not be computed.
    Failed,
    /// The user gave up on it.
    Stopped,
}
