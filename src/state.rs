//! What the page knows, as signals. The engine writes, the components read.

use cratedigger_protocol::{DeviceKind, Event, MemberOutput, ModelInfo};
use leptos::prelude::*;

use crate::engine::policy::{DeviceState, Mode};
use crate::spectrogram::{Dirty, Spectrogram};
use crate::trouble::Trouble;

/// Where the page stands with its song.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No song.
    Idle,
    /// The browser decodes the file.
    Decoding,
    /// A worker has the song, or will have it as soon as it is ready.
    Analysing,
    /// There is a result.
    Done,
    /// There is none, and [`State::trouble`] says why.
    Failed,
}

impl Phase {
    /// Its name in the page's test hooks and styles.
    pub fn id(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Decoding => "decoding",
            Self::Analysing => "analysing",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether a song is under way.
    pub fn is_busy(self) -> bool {
        matches!(self, Self::Decoding | Self::Analysing)
    }
}

/// What a worker says about a song when it starts on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outline {
    /// Its length.
    pub seconds: f64,
    /// How many segments will be judged or found silent.
    pub segments: u32,
}

/// One segment of the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// 0-based.
    pub index: u32,
    /// In seconds.
    pub start: f64,
    /// In seconds.
    pub end: f64,
    /// None if it is silent.
    pub verdict: Option<Verdict>,
    /// Counts up when a song is done again, so that its cell is drawn again.
    pub revision: u32,
}

/// Probabilities for a segment or a song.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The ensemble's.
    pub probabilities: Vec<f32>,
    /// Each network's.
    pub members: Vec<MemberOutput>,
}

impl Verdict {
    /// The most probable class.
    pub fn best(&self) -> Option<usize> {
        crate::text::ranked(&self.probabilities).first().map(|(class, _)| *class)
    }
}

/// A song's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// For the whole song.
    pub verdict: Verdict,
    /// Who computed it.
    pub device: DeviceKind,
    /// In all.
    pub milliseconds: f64,
    /// To the first segment.
    pub milliseconds_to_first: f64,
}

/// All of it; copies are handles to the same signals.
#[derive(Clone, Copy)]
pub struct State {
    /// Where the page stands.
    pub phase: RwSignal<Phase>,
    /// Why the song has no result.
    pub trouble: RwSignal<Option<Trouble>>,
    /// Something that the visitor should know and that isn't an end.
    pub notice: RwSignal<Option<String>>,
    /// The file's name.
    pub file: RwSignal<String>,
    /// The genres, in the order of all probabilities.
    pub classes: RwSignal<Vec<String>>,
    /// The networks.
    pub models: RwSignal<Vec<ModelInfo>>,
    /// The visitor's choice.
    pub mode: RwSignal<Mode>,
    /// How the CPU stands.
    pub cpu: RwSignal<DeviceState>,
    /// How the GPU stands.
    pub gpu: RwSignal<DeviceState>,
    /// The song's outline.
    pub outline: RwSignal<Option<Outline>>,
    /// Its segments so far, in order.
    pub segments: RwSignal<Vec<Segment>>,
    /// How many of them this run has given: a song that is done again starts from 0, while its
    /// segments stay.
    pub progress: RwSignal<u32>,
    /// The segment that the visitor points at.
    pub active: RwSignal<Option<u32>>,
    /// Its spectrogram so far. Not a signal: it is large, and painted piece by piece.
    pub picture: StoredValue<Spectrogram>,
    /// What of it isn't painted yet.
    pub dirty: RwSignal<Vec<Dirty>>,
    /// The result.
    pub outcome: RwSignal<Option<Outcome>>,
}

impl State {
    /// No song and no device.
    pub fn new() -> Self {
        Self {
            phase: RwSignal::new(Phase::Idle),
            trouble: RwSignal::new(None),
            notice: RwSignal::new(None),
            file: RwSignal::new(String::new()),
            classes: RwSignal::new(Vec::new()),
            models: RwSignal::new(Vec::new()),
            mode: RwSignal::new(Mode::default()),
            cpu: RwSignal::new(DeviceState::Off),
            gpu: RwSignal::new(DeviceState::Off),
            outline: RwSignal::new(None),
            segments: RwSignal::new(Vec::new()),
            progress: RwSignal::new(0),
            active: RwSignal::new(None),
            picture: StoredValue::new(Spectrogram::default()),
            dirty: RwSignal::new(Vec::new()),
            outcome: RwSignal::new(None),
        }
    }

    /// The id of class `index`.
    pub fn class(&self, index: usize) -> String {
        self.classes.with(|classes| classes.get(index).cloned()).unwrap_or_default()
    }

    /// Back to no song.
    pub fn clear(&self) {
        self.phase.set(Phase::Idle);
        self.trouble.set(None);
        self.notice.set(None);
        self.file.set(String::new());
        self.outcome.set(None);
        self.outline.set(None);
        self.progress.set(0);
        self.active.set(None);
        self.segments.set(Vec::new());
        self.picture.set_value(Spectrogram::default());
        self.dirty.set(vec![Dirty::All]);
    }

    /// A new song.
    pub fn begin(&self, name: String) {
        self.clear();
        self.file.set(name);
        self.phase.set(Phase::Decoding);
    }

    /// The song has no result.
    pub fn fail(&self, trouble: Trouble) {
        self.notice.set(None);
        self.trouble.set(Some(trouble));
        self.phase.set(Phase::Failed);
    }

    /// Takes in what a worker says about the current song.
    pub fn apply(&self, device: DeviceKind, event: Event, payload: Option<Vec<f32>>) {
        match event {
            Event::Started { seconds, segments, bands, columns, .. } => {
                let outline = Outline { seconds, segments };
                // A song that is done again: what is there stays until it is replaced.
                if self.outline.get_untracked() != Some(outline) {
                    self.segments.set(Vec::new());
                    self.picture.set_value(Spectrogram::new(seconds, bands, columns));
                    self.outline.set(Some(outline));
                    self.dirty.set(vec![Dirty::All]);
                }
                self.progress.set(0);
                self.phase.set(Phase::Analysing);
            }
            Event::Segment { index, start, end, probabilities, members, .. } => {
                let verdict = Some(Verdict { probabilities, members });
                self.place(Segment { index, start, end, verdict, revision: 0 });
                let dirty = payload.and_then(|values| {
                    self.picture.try_update_value(|picture| picture.insert(index, start, end, values))
                });
                if let Some(dirty) = dirty.filter(|dirty| *dirty != Dirty::Nothing) {
                    self.dirty.update(|all| all.push(dirty));
                }
            }
            Event::Silent { index, start, end, .. } => {
                self.place(Segment { index, start, end, verdict: None, revision: 0 });
            }
            Event::Finished { probabilities, members, milliseconds, milliseconds_to_first, .. } => {
                self.outcome.set(Some(Outcome {
                    verdict: Verdict { probabilities, members },
                    device,
                    milliseconds,
                    milliseconds_to_first,
                }));
                self.phase.set(Phase::Done);
            }
            Event::Cancelled { .. } => self.clear(),
            Event::Ready { .. } | Event::Failed { .. } => {}
        }
    }

    fn place(&self, mut segment: Segment) {
        self.progress.update(|done| *done += 1);
        self.segments.update(|all| match all.binary_search_by_key(&segment.index, |s| s.index) {
            Ok(at) => {
                if let Some(old) = all.get_mut(at) {
                    segment.revision = old.revision.wrapping_add(1);
                    *old = segment;
                }
            }
            Err(at) => all.insert(at, segment),
        });
    }
}
