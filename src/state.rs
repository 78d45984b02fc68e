//! What the page knows, as signals. The engine writes, the components read.

pub use cratedigger_client::{FullSet as Full, LiveSource as Ear, Status};
use cratedigger_protocol::{Character, DeviceKind, Event, MemberOutput, Metric, ModelInfo, ModelSet, Rule};
use leptos::prelude::*;

use crate::engine::policy::{DeviceState, Mode};
use crate::spectrogram::{Dirty, Spectrogram};
use crate::stretch::Stretch;
use crate::trouble::Notice;
use crate::waveform::Waveform;
use crate::words::{Language, Words};

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
    pub verdict: Option<Probabilities>,
    /// Counts up when a song is done again, so that its cell is drawn again.
    pub revision: u32,
}

impl Segment {
    /// Where it lies in the song.
    pub fn stretch(&self) -> Stretch {
        Stretch { from: self.start, span: self.end - self.start }
    }
}

/// Segments of one genre, one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// None if they are silent.
    pub class: Option<usize>,
    /// Where they lie in the song.
    pub stretch: Stretch,
}

impl Run {
    /// All of a song's, in order.
    pub fn all(segments: &[Segment]) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for segment in segments {
            let class = segment.verdict.as_ref().and_then(|verdict| verdict.best());
            match runs.last_mut() {
                Some(run) if run.class == class && segment.start - run.stretch.to() < 0.1 => {
                    run.stretch.span = segment.end - run.stretch.from;
                }
                _ => runs.push(Self { class, stretch: segment.stretch() }),
            }
        }
        runs
    }
}

/// Probabilities for a segment or a song.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities {
    /// The ensemble's.
    pub probabilities: Vec<f32>,
    /// Each network's.
    pub members: Vec<MemberOutput>,
}

impl Probabilities {
    /// The most probable class.
    pub fn best(&self) -> Option<usize> {
        best(&self.probabilities)
    }

    /// How many networks say the same as the ensemble.
    pub fn agree(&self) -> usize {
        self.members.iter().filter(|member| best(&member.probabilities) == self.best()).count()
    }
}

fn best(probabilities: &[f32]) -> Option<usize> {
    crate::text::ranked(probabilities).first().map(|(class, _)| *class)
}

/// A song's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// For the whole song.
    pub verdict: Probabilities,
    /// Whether it is none of the classes: the confidence is too little to name one.
    pub none: bool,
    /// Which networks judged it.
    pub set: ModelSet,
    /// Who computed it.
    pub device: DeviceKind,
    /// In all.
    pub milliseconds: f64,
    /// To the first segment.
    pub milliseconds_to_first: f64,
}

/// One record of the crate; copies are handles to the same signals.
#[derive(Clone, Copy)]
pub struct Song {
    /// Its number on this page.
    pub id: u32,
    /// When it was added, in milliseconds since 1970: its key in the history.
    pub added: f64,
    /// The file's name.
    pub name: StoredValue<String>,
    /// Whether its sound is still there, to be played or judged again.
    pub audible: bool,
    /// Where it stands.
    pub status: RwSignal<Status>,
    /// Something that the visitor should know and that isn't an end.
    pub notice: RwSignal<Option<Notice>>,
    /// Its outline.
    pub outline: RwSignal<Option<Outline>>,
    /// Its segments so far, in order.
    pub segments: RwSignal<Vec<Segment>>,
    /// How many of them this run has given: a song that is done again starts from 0, while its
    /// segments stay.
    pub progress: RwSignal<u32>,
    /// Its spectrogram so far. Not a signal: it is large, and painted piece by piece.
    pub picture: StoredValue<Spectrogram>,
    /// What of it isn't painted yet.
    pub dirty: RwSignal<Vec<Dirty>>,
    /// Its waveform so far.
    pub wave: StoredValue<Waveform>,
    /// Counts up when the waveform grows.
    pub wave_grown: RwSignal<u32>,
    /// What it is like.
    pub traits: RwSignal<Option<Character>>,
    /// The result.
    pub outcome: RwSignal<Option<Outcome>>,
}

/// Which parts of a segment's sound speak for a genre.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The song.
    pub song: u32,
    /// Its segment.
    pub segment: u32,
    /// The genre.
    pub class: usize,
    /// None while it is being worked out.
    pub tiles: Option<Tiles>,
}

/// Values over time and pitch.
#[derive(Clone, Debug, PartialEq)]
pub struct Tiles {
    /// Bands.
    pub rows: usize,
    /// Stretches of time.
    pub columns: usize,
    /// Row after row, lowest tones first; positive speaks for the genre.
    pub values: Vec<f32>,
}

impl Song {
    fn new(id: u32, added: f64, name: String, audible: bool, status: Status) -> Self {
        Self {
            id,
            added,
            name: StoredValue::new(name),
            audible,
            status: RwSignal::new(status),
            notice: RwSignal::new(None),
            outline: RwSignal::new(None),
            segments: RwSignal::new(Vec::new()),
            progress: RwSignal::new(0),
            picture: StoredValue::new(Spectrogram::default()),
            dirty: RwSignal::new(Vec::new()),
            wave: StoredValue::new(Waveform::default()),
            wave_grown: RwSignal::new(0),
            traits: RwSignal::new(None),
            outcome: RwSignal::new(None),
        }
    }

    /// Its name.
    pub fn title(&self) -> String {
        self.name.try_get_value().unwrap_or_default()
    }

    /// Probabilities of the song: the result's or, before that, those of the segments so far.
    pub fn probabilities(&self) -> Option<Vec<f32>> {
        if let Some(outcome) = self.outcome.get() {
            return Some(outcome.verdict.probabilities);
        }
        self.segments.with(|all| so_far(all))
    }

    /// The segment that a moment falls into.
    pub fn segment_at(&self, time: f64) -> Option<Segment> {
        self.segments.with(|all| all.iter().rev().find(|s| s.start <= time && time < s.end).cloned())
    }

    /// Takes in what a worker says about it.
    pub fn apply(&self, device: DeviceKind, event: Event, payload: Option<Vec<f32>>) {
        match event {
            Event::Started { seconds, segments, bands, columns, .. } => {
                let outline = Outline { seconds, segments };
                // A song that is done again: what is there stays until it is replaced.
                if self.outline.get_untracked() != Some(outline) {
                    self.segments.set(Vec::new());
                    self.picture.set_value(Spectrogram::new(bands, columns));
                    self.wave.set_value(Waveform::default());
                    self.outline.set(Some(outline));
                    self.dirty.set(vec![Dirty::All]);
                }
                self.progress.set(0);
                self.status.set(Status::Analysing);
            }
            Event::Waveform { first, step, .. } => {
                let _ = self.wave.try_update_value(|wave| {
                    wave.insert(first, step, payload.as_deref().unwrap_or_default());
                });
                self.wave_grown.update(|n| *n = n.wrapping_add(1));
            }
            Event::Segment { index, start, end, probabilities, members, .. } => {
                let verdict = Some(Probabilities { probabilities, members });
                self.place(Segment { index, start, end, verdict, revision: 0 });
                let dirty = payload.and_then(|values| {
                    self.picture.try_update_value(|picture| picture.insert(index, start, end, &values))
                });
                if let Some(dirty) = dirty.filter(|dirty| *dirty != Dirty::Nothing) {
                    self.dirty.update(|all| all.push(dirty));
                }
            }
            Event::Silent { index, start, end, .. } => {
                self.place(Segment { index, start, end, verdict: None, revision: 0 });
            }
            Event::Finished {
                probabilities,
                members,
                none,
                set,
                milliseconds,
                milliseconds_to_first,
                ..
            } => {
                self.outcome.set(Some(Outcome {
                    verdict: Probabilities { probabilities, members },
                    none,
                    set,
                    device,
                    milliseconds,
                    milliseconds_to_first,
                }));
                self.status.set(Status::Done);
            }
            Event::Character { traits, .. } => self.traits.set(Some(traits)),
            Event::Cancelled { .. } => self.status.set(Status::Cancelled),
            Event::Ready { .. } | Event::Kept { .. } | Event::Explained { .. } | Event::Failed { .. } => {}
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

    fn dispose(self) {
        self.name.dispose();
        self.status.dispose();
        self.notice.dispose();
        self.outline.dispose();
        self.segments.dispose();
        self.progress.dispose();
        self.picture.dispose();
        self.dirty.dispose();
        self.wave.dispose();
        self.wave_grown.dispose();
        self.traits.dispose();
        self.outcome.dispose();
    }
}

/// The normalised geometric mean of the segments' distributions: what the result will be if the
/// rest of the song goes on like this.
fn so_far(segments: &[Segment]) -> Option<Vec<f32>> {
    let mut sum: Vec<f32> = Vec::new();
    let mut count = 0u16;
    for verdict in segments.iter().filter_map(|segment| segment.verdict.as_ref()) {
        sum.resize(verdict.probabilities.len(), 0.0);
        for (sum, p) in sum.iter_mut().zip(&verdict.probabilities) {
            *sum += p.max(1e-12).ln();
        }
        count = count.saturating_add(1);
    }
    if count == 0 {
        return None;
    }
    let means: Vec<f32> = sum.iter().map(|s| (s / f32::from(count)).exp()).collect();
    let total: f32 = means.iter().sum();
    Some(means.into_iter().map(|p| p / total.max(f32::MIN_POSITIVE)).collect())
}

/// Live listening: copies are handles to the same signals.
#[derive(Clone, Copy)]
pub struct Live {
    /// To what, if at all.
    pub ear: RwSignal<Option<Ear>>,
    /// For how long.
    pub seconds: RwSignal<f64>,
    /// How loud it is, 0…1.
    pub level: RwSignal<f32>,
    /// What was heard so far, about one a second.
    pub heard: RwSignal<Vec<Segment>>,
}

/// Which of the page's sheets lies over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// How often the networks are right, and what they are.
    About,
    /// Device, theme, language and so on.
    Settings,
}

/// All of it; copies are handles to the same signals.
#[derive(Clone, Copy)]
pub struct State {
    /// The records, in the order of their turn.
    pub songs: RwSignal<Vec<Song>>,
    /// The one on the turntable.
    pub shown: RwSignal<Option<u32>>,
    /// Something about what was dropped that concerns no song.
    pub notice: RwSignal<Option<Notice>>,
    /// Live listening.
    pub live: Live,
    /// The genres, in the order of all probabilities.
    pub classes: RwSignal<Vec<String>>,
    /// The networks.
    pub models: RwSignal<Vec<ModelInfo>>,
    /// Figures of all networks together.
    pub together: RwSignal<Vec<Metric>>,
    /// Which networks the visitor wants, once they are there.
    pub wanted: RwSignal<ModelSet>,
    /// How they shall decide; none for as they were measured.
    pub rule: RwSignal<Option<Rule>>,
    /// How the full set stands.
    pub full: RwSignal<Full>,
    /// The visitor's choice of device.
    pub mode: RwSignal<Mode>,
    /// How the CPU stands.
    pub cpu: RwSignal<DeviceState>,
    /// How the GPU stands.
    pub gpu: RwSignal<DeviceState>,
    /// The language of the page.
    pub language: RwSignal<Language>,
    /// Which sheet is open.
    pub sheet: RwSignal<Option<Sheet>>,
    /// Large type for a room full of people.
    pub conference: RwSignal<bool>,
    /// Where the cursor stands in the shown song, in seconds.
    pub position: RwSignal<f64>,
    /// Counts up when the visitor goes somewhere: unlike the position, not when the sound does.
    pub sought: RwSignal<u32>,
    /// Where the visitor points, if at all.
    pub hover: RwSignal<Option<f64>>,
    /// Whether the shown song plays.
    pub playing: RwSignal<bool>,
    /// What was asked about the shown song: why a segment sounds like a genre.
    pub explained: RwSignal<Option<Explained>>,
    /// Whether a newer version of the page lies ready.
    pub update_ready: RwSignal<bool>,
    owner: StoredValue<Owner>,
    last_id: StoredValue<u32>,
}

impl State {
    /// No song and no device.
    pub fn new(language: Language) -> Self {
        Self {
            songs: RwSignal::new(Vec::new()),
            shown: RwSignal::new(None),
            notice: RwSignal::new(None),
            live: Live {
                ear: RwSignal::new(None),
                seconds: RwSignal::new(0.0),
                level: RwSignal::new(0.0),
                heard: RwSignal::new(Vec::new()),
            },
            // Until the worker names those of its networks: so that the crate stands there at once.
            classes: RwSignal::new(GENRES.map(String::from).into()),
            models: RwSignal::new(Vec::new()),
            together: RwSignal::new(Vec::new()),
            wanted: RwSignal::new(ModelSet::Full),
            rule: RwSignal::new(None),
            full: RwSignal::new(Full::None),
            mode: RwSignal::new(Mode::default()),
            cpu: RwSignal::new(DeviceState::Off),
            gpu: RwSignal::new(DeviceState::Off),
            language: RwSignal::new(language),
            sheet: RwSignal::new(None),
            conference: RwSignal::new(false),
            position: RwSignal::new(0.0),
            sought: RwSignal::new(0),
            hover: RwSignal::new(None),
            playing: RwSignal::new(false),
            explained: RwSignal::new(None),
            update_ready: RwSignal::new(false),
            owner: StoredValue::new(Owner::current().unwrap_or_default()),
            last_id: StoredValue::new(0),
        }
    }

    /// The page's sentences.
    pub fn words(&self) -> &'static Words {
        self.language.get().words()
    }

    /// The same, without asking to be told of another language.
    pub fn words_now(&self) -> &'static Words {
        self.language.get_untracked().words()
    }

    /// The id of class `index`.
    pub fn class(&self, index: usize) -> String {
        self.classes.with(|classes| classes.get(index).cloned()).unwrap_or_default()
    }

    /// The name of class `index`, for people.
    pub fn genre(&self, index: usize) -> String {
        self.words().genre(&self.class(index))
    }

    /// The song on the turntable.
    pub fn song(&self) -> Option<Song> {
        let shown = self.shown.get()?;
        self.songs.with(|all| all.iter().find(|song| song.id == shown).copied())
    }

    /// The same, untracked.
    pub fn song_now(&self) -> Option<Song> {
        self.find(self.shown.get_untracked()?)
    }

    /// A song by its id, untracked.
    pub fn find(&self, id: u32) -> Option<Song> {
        self.songs.with_untracked(|all| all.iter().find(|song| song.id == id).copied())
    }

    /// Adds a record at the end. Its signals live as long as the page, or until it is removed:
    /// they must not belong to whatever runs just now.
    pub fn add(&self, added: f64, name: String, audible: bool, status: Status) -> Song {
        let id = self.last_id.try_update_value(|id| {
            *id += 1;
            *id
        });
        let owner = self.owner.get_value();
        let song = owner.with(|| Song::new(id.unwrap_or_default(), added, name, audible, status));
        self.songs.update(|all| all.push(song));
        song
    }

    /// Takes a record out.
    pub fn remove(&self, id: u32) {
        let song = self.find(id);
        if self.shown.get_untracked() == Some(id) {
            self.show(None);
        }
        self.songs.update(|all| all.retain(|song| song.id != id));
        if let Some(song) = song {
            // Not before what still shows it is gone.
            request_animation_frame(move || song.dispose());
        }
    }

    /// Puts a record on the turntable.
    pub fn show(&self, id: Option<u32>) {
        if self.shown.get_untracked() != id {
            self.playing.set(false);
            self.position.set(0.0);
            self.hover.set(None);
            self.explained.set(None);
            self.shown.set(id);
        }
    }

    /// Where the page stands, for styles and tests.
    pub fn phase(&self) -> &'static str {
        if self.live.ear.get().is_some() {
            return "live";
        }
        match self.song().map(|song| song.status.get()) {
            None | Some(Status::Cancelled) => "idle",
            Some(status) => status.id(),
        }
    }

    /// The moment that the page is about, if it is about one and not about the whole song.
    pub fn moment(&self) -> Option<f64> {
        self.hover.get().or_else(|| {
            let position = self.position.get();
            (self.playing.get() || position > 0.0).then_some(position)
        })
    }
}

/// The genres of GTZAN, in alphabetical order: what the crate shows before a worker is there.
const GENRES: [&str; 10] =
    ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"];
