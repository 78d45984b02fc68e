//! One song of the crate.

use cratedigger_client::Status;
use cratedigger_protocol::{Character, DeviceKind, Event, ModelSet};
use leptos::prelude::*;

use super::segment::Segment;
use crate::peaks::Peaks;
use crate::probabilities::{Probabilities, argmax};
use crate::spectrogram::{Dirty, Spectrogram};
use crate::trouble::Notice;

/// Facts about a song that are known before its first segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SongInfo {
    /// Length in seconds.
    pub seconds: f64,
    /// Number of segments, silent ones included.
    pub segments: u32,
}

/// The prediction from the segments so far, by the ensemble's own rule.
#[derive(Clone, Debug, PartialEq)]
pub struct SoFar {
    /// Probability of each class.
    pub probabilities: Vec<f32>,
    /// Whether the prediction is *None of these*.
    pub none: bool,
}

/// Final result of a song.
#[derive(Clone, Debug, PartialEq)]
pub struct SongResult {
    /// Probabilities for the whole song.
    pub probabilities: Probabilities,
    /// Whether the result is *None of these*: the confidence is below the threshold.
    pub none: bool,
    /// The networks that analysed the song.
    pub set: ModelSet,
    /// The device that computed the result.
    pub device: DeviceKind,
    /// Computation time in milliseconds.
    pub milliseconds: f64,
    /// Part of it until the first segment was sent.
    pub milliseconds_to_first: f64,
}

/// One song of the crate; copies are handles to the same signals. The signals belong to an owner of
/// the song's own, which [`super::State::remove`] drops.
#[derive(Clone, Copy)]
pub struct Song {
    /// Number on this page.
    pub id: u32,
    /// Time when the song was added, in milliseconds since 1970; its key in the history.
    pub added: f64,
    /// Name of the file.
    pub name: StoredValue<String>,
    /// Whether the file is still there, to be played or analysed again.
    pub audible: bool,
    /// Where the song is on its way to a result.
    pub status: RwSignal<Status>,
    /// A message that does not end the analysis.
    pub notice: RwSignal<Option<Notice>>,
    /// Length and number of segments, once the worker has sent them.
    pub info: RwSignal<Option<SongInfo>>,
    /// The segments so far, in order.
    pub segments: RwSignal<Vec<Segment>>,
    /// The prediction from the segments of this analysis so far.
    pub so_far: RwSignal<Option<SoFar>>,
    /// Number of segments that this analysis has given. A repeated analysis starts from 0 and keeps
    /// the old segments until it replaces them.
    pub progress: RwSignal<u32>,
    /// The spectrogram so far. Not a signal, because it is large and is painted in parts.
    pub spectrogram: StoredValue<Spectrogram>,
    /// Parts of the spectrogram that are not painted yet.
    pub dirty: RwSignal<Vec<Dirty>>,
    /// The waveform so far. Not a signal, because it is large.
    pub peaks: StoredValue<Peaks>,
    /// Counts up when the waveform grows.
    pub peaks_grown: RwSignal<u32>,
    /// Plain descriptors of the song.
    pub character: RwSignal<Option<Character>>,
    /// The final result.
    pub result: RwSignal<Option<SongResult>>,
}

impl Song {
    /// A song without segments. Its signals belong to the current owner.
    pub(super) fn new(id: u32, added: f64, name: String, audible: bool, status: Status) -> Self {
        Self {
            id,
            added,
            name: StoredValue::new(name),
            audible,
            status: RwSignal::new(status),
            notice: RwSignal::new(None),
            info: RwSignal::new(None),
            segments: RwSignal::new(Vec::new()),
            so_far: RwSignal::new(None),
            progress: RwSignal::new(0),
            spectrogram: StoredValue::new(Spectrogram::default()),
            dirty: RwSignal::new(Vec::new()),
            peaks: StoredValue::new(Peaks::default()),
            peaks_grown: RwSignal::new(0),
            character: RwSignal::new(None),
            result: RwSignal::new(None),
        }
    }

    /// Name of the song.
    pub fn title(&self) -> String {
        self.name.try_get_value().unwrap_or_default()
    }

    /// Length in seconds; 0 while it is unknown.
    pub fn seconds(&self) -> f64 {
        self.info.get().map_or(0.0, |info| info.seconds)
    }

    /// Probabilities of the song: of the result or, before it, of the segments so far.
    pub fn probabilities(&self) -> Option<Vec<f32>> {
        let result = self.result.with(|result| Some(result.as_ref()?.probabilities.ensemble.clone()));
        result.or_else(|| self.so_far.with(|so_far| Some(so_far.as_ref()?.probabilities.clone())))
    }

    /// The most probable class of the song, final or so far.
    pub fn best(&self) -> Option<usize> {
        argmax(&self.probabilities()?)
    }

    /// Whether the prediction is *None of these*, final or so far.
    pub fn is_none(&self) -> bool {
        let result = self.result.with(|result| Some(result.as_ref()?.none));
        result.or_else(|| self.so_far.with(|so_far| Some(so_far.as_ref()?.none))).unwrap_or_default()
    }

    /// The segment at a time in seconds.
    pub fn segment_at(&self, time: f64) -> Option<Segment> {
        self.segments.with(|all| all.iter().rev().find(|s| s.start <= time && time < s.end).cloned())
    }

    /// The segment with this index.
    pub fn segment(&self, index: u32) -> Option<Segment> {
        self.segments.with(|all| all.iter().find(|segment| segment.index == index).cloned())
    }

    /// Stores what a worker sent about the song. `payload` is the event's `Float32Array`.
    pub fn apply(&self, device: DeviceKind, event: Event, payload: Option<Vec<f32>>) {
        match event {
            Event::Started { seconds, segments, bands, columns, .. } => {
                self.begin(SongInfo { seconds, segments }, Spectrogram::new(bands, columns));
            }
            Event::Waveform { first, step, .. } => {
                let _ = self.peaks.try_update_value(|peaks| {
                    peaks.insert(first, step, payload.as_deref().unwrap_or_default());
                });
                self.peaks_grown.update(|n| *n = n.wrapping_add(1));
            }
            Event::Segment { index, start, end, probabilities, members, song, none, .. } => {
                let probabilities = Some(Probabilities { ensemble: probabilities, members });
                self.place(Segment { index, start, end, probabilities, revision: 0 });
                if !song.is_empty() {
                    self.so_far.set(Some(SoFar { probabilities: song, none }));
                }
                self.extend_spectrogram(index, start, end, payload);
            }
            Event::Silent { index, start, end, .. } => {
                self.place(Segment { index, start, end, probabilities: None, revision: 0 });
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
                self.result.set(Some(SongResult {
                    probabilities: Probabilities { ensemble: probabilities, members },
                    none,
                    set,
                    device,
                    milliseconds,
                    milliseconds_to_first,
                }));
                self.status.set(Status::Done);
            }
            Event::Character { traits, .. } => self.character.set(Some(traits)),
            Event::Cancelled { .. } => self.status.set(Status::Cancelled),
            Event::Ready { .. } | Event::Kept { .. } | Event::Explained { .. } | Event::Failed { .. } => {}
        }
    }

    /// Starts an analysis. A repeated one keeps the old segments until it replaces them.
    fn begin(&self, info: SongInfo, spectrogram: Spectrogram) {
        if self.info.get_untracked() != Some(info) {
            self.segments.set(Vec::new());
            self.spectrogram.set_value(spectrogram);
            self.peaks.set_value(Peaks::default());
            self.info.set(Some(info));
            self.dirty.set(vec![Dirty::All]);
        }
        self.so_far.set(None);
        self.progress.set(0);
        self.status.set(Status::Analysing);
    }

    /// Adds or replaces a segment.
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

    /// Adds a segment's spectrogram and marks what has to be painted.
    fn extend_spectrogram(&self, index: u32, start: f64, end: f64, payload: Option<Vec<f32>>) {
        let Some(values) = payload else { return };
        let dirty = self.spectrogram.try_update_value(|all| all.insert(index, start, end, &values));
        if let Some(dirty) = dirty.filter(|dirty| *dirty != Dirty::Nothing) {
            self.dirty.update(|all| all.push(dirty));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(index: u32, song: [f32; 2], none: bool) -> Event {
        Event::Segment {
            id: 1,
            index,
            start: f64::from(index) * 3.0,
            end: f64::from(index) * 3.0 + 3.0,
            probabilities: vec![0.9, 0.1],
            members: Vec::new(),
            song: song.to_vec(),
            none,
            non_music: None,
            song_non_music: None,
            settled: false,
        }
    }

    const STARTED: Event = Event::Started { id: 1, seconds: 6.0, segments: 2, bands: 1, columns: 2 };

    fn finished(probabilities: [f32; 2]) -> Event {
        Event::Finished {
            id: 1,
            probabilities: probabilities.to_vec(),
            none: false,
            non_music: None,
            tags: Vec::new(),
            conditions: Vec::new(),
            set: ModelSet::Fast,
            members: Vec::new(),
            milliseconds: 1.0,
            milliseconds_to_first: 1.0,
        }
    }

    #[test]
    fn shows_the_workers_prediction_so_far_and_then_the_result() {
        let owner = Owner::new();
        let song = owner.with(|| Song::new(1, 0.0, "a.wav".into(), true, Status::Waiting));
        let cpu = DeviceKind::Cpu;
        song.apply(cpu, STARTED, None);
        assert_eq!((song.best(), song.is_none(), song.status.get()), (None, false, Status::Analysing));
        song.apply(cpu, segment(0, [0.4, 0.6], true), Some(vec![-10.0, -20.0]));
        assert_eq!((song.best(), song.is_none(), song.progress.get()), (Some(1), true, 1));
        assert_eq!(song.dirty.get(), [Dirty::All, Dirty::All]);
        song.apply(cpu, finished([0.7, 0.3]), None);
        assert_eq!((song.best(), song.is_none(), song.status.get()), (Some(0), false, Status::Done));
    }

    #[test]
    fn a_repeated_analysis_replaces_segments_one_by_one() {
        let owner = Owner::new();
        let song = owner.with(|| Song::new(1, 0.0, "a.wav".into(), true, Status::Waiting));
        let cpu = DeviceKind::Cpu;
        for event in [STARTED, segment(0, [0.4, 0.6], false), segment(1, [0.4, 0.6], false)] {
            song.apply(cpu, event, None);
        }
        song.apply(cpu, STARTED, None);
        assert_eq!((song.segments.get().len(), song.progress.get(), song.so_far.get()), (2, 0, None));
        song.apply(cpu, segment(0, [0.4, 0.6], false), None);
        let revisions: Vec<_> = song.segments.get().iter().map(|segment| segment.revision).collect();
        assert_eq!((revisions, song.progress.get()), (vec![1, 0], 1));
    }

    #[test]
    fn the_signals_of_a_song_go_with_its_owner() {
        let owner = Owner::new();
        let song = owner.with(|| Song::new(1, 0.0, "a.wav".into(), true, Status::Waiting));
        assert_eq!(song.title(), "a.wav");
        drop(owner);
        assert_eq!((song.title(), song.status.try_get()), (String::new(), None));
    }
}
