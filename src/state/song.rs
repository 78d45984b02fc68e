//! One song of the crate.

use cratedigger_client::Status;
use cratedigger_protocol::decode::Note;
use cratedigger_protocol::{Character, Condition, DeviceKind, Event, ModelSet, NonMusic, Section, Tag};
use leptos::prelude::*;

use super::answer::Answer;
use super::collection::{FeatureState, OwnAnswer};
use super::segment::Segment;
use crate::fine::Fine;
use crate::peaks::Peaks;
use crate::probabilities::{Probabilities, argmax};
use crate::spectrogram::{Dirty, Spectrogram};
use crate::trouble::Notice;

/// Of so many shown segments, one may wait.
const AT_ONCE: usize = 50;

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
    /// Kind and probability of non-music, if a network predicts it.
    pub non_music: Option<NonMusic>,
    /// Whether the remaining segments are unlikely to change the answer.
    pub settled: bool,
}

impl SoFar {
    /// The answer.
    pub fn answer(&self) -> Option<Answer> {
        Answer::of(argmax(&self.probabilities), self.none, self.non_music.as_ref())
    }

    /// The prediction that follows `before`. A settled answer stays settled until it changes.
    fn after(mut self, before: Option<&Self>) -> Self {
        let held = before.is_some_and(|before| before.settled && before.answer() == self.answer());
        self.settled |= held;
        self
    }
}

/// Final result of a song.
#[derive(Clone, Debug, PartialEq)]
pub struct SongResult {
    /// Probabilities for the whole song.
    pub probabilities: Probabilities,
    /// Whether the result is *None of these*: the confidence is below the threshold.
    pub none: bool,
    /// Kind and probability of non-music, if a network predicts it.
    pub non_music: Option<NonMusic>,
    /// Tags of the song, the strongest first.
    pub tags: Vec<Tag>,
    /// Sections in order of time, without gaps.
    pub sections: Vec<Section>,
    /// Conditions of the recording under which the networks are less accurate.
    pub conditions: Vec<Condition>,
    /// The networks that analysed the song.
    pub set: ModelSet,
    /// The device that computed the result.
    pub device: DeviceKind,
    /// Computation time in milliseconds.
    pub milliseconds: f64,
    /// Computation time until the first segment was sent, in milliseconds.
    pub milliseconds_to_first: f64,
    /// Number of workers that computed; 0 if unknown.
    pub workers: u32,
    /// WebAssembly memory of these workers, in bytes.
    pub memory: f64,
}

impl SongResult {
    /// The answer.
    pub fn answer(&self) -> Option<Answer> {
        Answer::of(self.probabilities.best(), self.none, self.non_music.as_ref())
    }

    /// The probability to show beside the answer: that of non-music, or of the most probable genre.
    pub fn confidence(&self) -> Option<f32> {
        match (self.answer()?, &self.non_music) {
            (Answer::NonMusic(_), Some(non_music)) => Some(non_music.probability),
            _ => self.probabilities.ensemble.get(self.probabilities.best()?).copied(),
        }
    }
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
    /// Stage of the song, from the queue to a result.
    pub status: RwSignal<Status>,
    /// A message that does not end the analysis.
    pub notice: RwSignal<Option<Notice>>,
    /// What was left out or mended while the file was decoded.
    pub notes: RwSignal<Vec<Note>>,
    /// The decoder's words about the trouble that ended the analysis. English.
    pub detail: RwSignal<Option<String>>,
    /// Length and number of segments, once the worker has sent them.
    pub info: RwSignal<Option<SongInfo>>,
    /// The segments so far, in order of time, whatever the order in which they arrived.
    pub segments: RwSignal<Vec<Segment>>,
    /// Segments that are not among them yet; see [`Song::place`].
    waiting: StoredValue<Vec<Segment>>,
    /// The prediction from the segments of this analysis so far.
    pub so_far: RwSignal<Option<SoFar>>,
    /// Number of segments that this analysis has given. A repeated analysis starts from 0 and keeps
    /// the old segments until it replaces them.
    pub progress: RwSignal<u32>,
    /// The spectrogram so far. Not a signal, because it is large and is painted in parts.
    pub spectrogram: StoredValue<Spectrogram>,
    /// The columns of a long song's spectrogram that it does not keep itself.
    pub fine: StoredValue<Fine, LocalStorage>,
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
    /// Hash of the file's content, once its features were found.
    pub content: RwSignal<Option<String>>,
    /// The artist in the file's tags, if any, once they were read.
    pub artist: StoredValue<Option<Option<String>>>,
    /// Counts the times that its file was replaced by another state.
    pub renewed: RwSignal<u32>,
    /// Whether its features are known.
    pub features: RwSignal<FeatureState>,
    /// The answer with the visitor's own classes.
    pub own: RwSignal<Option<OwnAnswer>>,
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
            notes: RwSignal::new(Vec::new()),
            detail: RwSignal::new(None),
            info: RwSignal::new(None),
            segments: RwSignal::new(Vec::new()),
            waiting: StoredValue::new(Vec::new()),
            so_far: RwSignal::new(None),
            progress: RwSignal::new(0),
            spectrogram: StoredValue::new(Spectrogram::default()),
            fine: StoredValue::new_local(Fine::default()),
            dirty: RwSignal::new(Vec::new()),
            peaks: StoredValue::new(Peaks::default()),
            peaks_grown: RwSignal::new(0),
            character: RwSignal::new(None),
            result: RwSignal::new(None),
            content: RwSignal::new(None),
            artist: StoredValue::new(None),
            renewed: RwSignal::new(0),
            features: RwSignal::new(FeatureState::Unknown),
            own: RwSignal::new(None),
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

    /// The answer about the song, final or so far.
    pub fn answer(&self) -> Option<Answer> {
        let result = self.result.with(|result| result.as_ref()?.answer());
        result.or_else(|| self.so_far.with(|so_far| so_far.as_ref()?.answer()))
    }

    /// Whether the analysis has an answer that its remaining segments are unlikely to change.
    pub fn is_settled(&self) -> bool {
        self.so_far.with(|so_far| so_far.as_ref().is_some_and(|so_far| so_far.settled))
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
                self.begin(SongInfo { seconds, segments }, Spectrogram::new(bands, columns, segments));
            }
            Event::Length { seconds, segments, .. } => self.info.set(Some(SongInfo { seconds, segments })),
            Event::Noted { note, .. } => self.notes.update(|notes| notes.push(note)),
            Event::Waveform { first, step, .. } => {
                let _ = self.peaks.try_update_value(|peaks| {
                    peaks.insert(first, step, payload.as_deref().unwrap_or_default());
                });
                self.peaks_grown.update(|n| *n = n.wrapping_add(1));
            }
            Event::Segment {
                index,
                start,
                end,
                probabilities,
                members,
                song,
                none,
                non_music,
                song_non_music,
                settled,
                ..
            } => {
                let probabilities = Some(Probabilities { ensemble: probabilities, members });
                self.place(Segment { index, start, end, probabilities, non_music, revision: 0 });
                if !song.is_empty() {
                    let now = SoFar { probabilities: song, none, non_music: song_non_music, settled };
                    self.so_far.update(|so_far| *so_far = Some(now.after(so_far.as_ref())));
                }
                self.extend_spectrogram(index, start, end, payload);
            }
            Event::Silent { index, start, end, .. } => {
                self.place(Segment { index, start, end, probabilities: None, non_music: None, revision: 0 });
            }
            Event::Finished {
                probabilities,
                members,
                none,
                non_music,
                tags,
                sections,
                conditions,
                set,
                milliseconds,
                milliseconds_to_first,
                workers,
                memory,
                ..
            } => {
                self.result.set(Some(SongResult {
                    probabilities: Probabilities { ensemble: probabilities, members },
                    none,
                    non_music,
                    tags,
                    sections,
                    conditions,
                    set,
                    device,
                    milliseconds,
                    milliseconds_to_first,
                    workers,
                    memory,
                }));
                self.end(Status::Done);
            }
            Event::Character { traits, .. } => self.character.set(Some(traits)),
            Event::Cancelled { .. } => self.end(Status::Cancelled),
            Event::Ready { .. }
            | Event::Kept { .. }
            | Event::Wanted { .. }
            | Event::Explained { .. }
            | Event::Embedded { .. }
            | Event::Collection { .. }
            | Event::Failed { .. } => {}
        }
    }

    /// Starts an analysis. A repeated one keeps the old segments until it replaces them.
    fn begin(&self, info: SongInfo, spectrogram: Spectrogram) {
        if self.info.get_untracked() != Some(info) {
            self.segments.set(Vec::new());
            self.spectrogram.set_value(spectrogram);
            self.fine.set_value(Fine::default());
            self.peaks.set_value(Peaks::default());
            self.info.set(Some(info));
            self.dirty.set(vec![Dirty::All]);
        }
        self.waiting.set_value(Vec::new());
        self.so_far.set(None);
        self.progress.set(0);
        self.status.set(Status::Analysing);
    }

    /// Adds or replaces a segment. With many segments, some wait and are shown together: what is drawn of them takes
    /// time in proportion to all segments.
    fn place(&self, segment: Segment) {
        self.progress.update(|done| *done += 1);
        let waiting = self.waiting.try_update_value(|waiting| {
            waiting.push(segment);
            waiting.len()
        });
        if waiting.unwrap_or_default() > self.segments.with_untracked(Vec::len) / AT_ONCE {
            self.show_waiting();
        }
    }

    /// Ends the analysis.
    fn end(&self, status: Status) {
        self.show_waiting();
        self.status.set(status);
    }

    /// Shows the segments that wait.
    pub fn show_waiting(&self) {
        let waiting = self.waiting.try_update_value(std::mem::take).unwrap_or_default();
        if waiting.is_empty() {
            return;
        }
        self.segments.update(|all| {
            for mut segment in waiting {
                match all.binary_search_by_key(&segment.index, |s| s.index) {
                    Ok(at) => {
                        if let Some(old) = all.get_mut(at) {
                            segment.revision = old.revision.wrapping_add(1);
                            *old = segment;
                        }
                    }
                    Err(at) => all.insert(at, segment),
                }
            }
        });
    }

    /// Adds a segment's spectrogram and marks what has to be painted.
    fn extend_spectrogram(&self, index: u32, start: f64, end: f64, payload: Option<Vec<f32>>) {
        let Some(values) = payload else { return };
        let dirty = self.spectrogram.try_update_value(|all| all.insert(index, start, end, &values));
        if self.spectrogram.try_with_value(Spectrogram::is_coarse) == Some(true) {
            let _ = self.fine.try_update_value(|fine| fine.put(index, Spectrogram::packed(&values)));
        }
        if let Some(dirty) = dirty.filter(|dirty| *dirty != Dirty::Nothing) {
            self.dirty.update(|all| all.push(dirty));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::Sound;
    use super::*;

    const CPU: DeviceKind = DeviceKind::Cpu;

    fn segment(index: u32, song: [f32; 2], none: bool) -> Event {
        segment_of(index, song, none, None, false)
    }

    fn segment_of(
        index: u32,
        song: [f32; 2],
        none: bool,
        non_music: Option<NonMusic>,
        settled: bool,
    ) -> Event {
        Event::Segment {
            id: 1,
            index,
            start: f64::from(index) * 3.0,
            end: f64::from(index) * 3.0 + 3.0,
            probabilities: vec![0.9, 0.1],
            members: Vec::new(),
            song: song.to_vec(),
            none,
            non_music: non_music.clone(),
            song_non_music: non_music,
            settled,
        }
    }

    fn started(segments: u32) -> Event {
        Event::Started { id: 1, seconds: f64::from(segments) * 3.0, segments, bands: 1, columns: 2 }
    }

    fn finished(probabilities: [f32; 2], non_music: Option<NonMusic>) -> Event {
        Event::Finished {
            id: 1,
            probabilities: probabilities.to_vec(),
            none: non_music.is_some(),
            non_music,
            tags: vec![Tag { name: "rock".into(), strength: 0.5 }],
            sections: Vec::new(),
            conditions: vec![Condition::Clipped],
            set: ModelSet::Fast,
            members: Vec::new(),
            milliseconds: 1.0,
            milliseconds_to_first: 1.0,
            workers: 2,
            memory: 1e6,
        }
    }

    fn speech() -> Option<NonMusic> {
        Some(NonMusic { kind: "speech".into(), probability: 0.97, rejected: true })
    }

    /// Runs a test on a new song.
    fn with_song(test: impl FnOnce(Song)) {
        let owner = Owner::new();
        test(owner.with(|| Song::new(1, 0.0, "a.wav".into(), true, Status::Waiting)));
    }

    #[test]
    fn shows_the_workers_prediction_so_far_and_then_the_result() {
        with_song(|song| {
            song.apply(CPU, started(2), None);
            assert_eq!((song.answer(), song.status.get()), (None, Status::Analysing));
            song.apply(CPU, segment(0, [0.4, 0.6], true), Some(vec![-10.0, -20.0]));
            assert_eq!((song.probabilities(), song.progress.get()), (Some(vec![0.4, 0.6]), 1));
            assert_eq!(song.answer(), Some(Answer::NoneOfThese));
            assert_eq!(song.dirty.get(), [Dirty::All, Dirty::All]);
            song.apply(CPU, finished([0.7, 0.3], None), None);
            assert_eq!((song.answer(), song.status.get()), (Some(Answer::Genre(0)), Status::Done));
        });
    }

    #[test]
    fn segments_are_placed_by_their_index_and_counted_once() {
        with_song(|song| {
            song.apply(CPU, started(6), None);
            for (done, index) in (1u32..).zip([4, 1, 5, 0, 3, 2]) {
                let silent = Event::Silent {
                    id: 1,
                    index,
                    start: f64::from(index) * 3.0,
                    end: f64::from(index + 1) * 3.0,
                };
                let event = if index == 3 { silent } else { segment(index, [0.4, 0.6], false) };
                song.apply(CPU, event, Some(vec![-10.0, -20.0]));
                assert_eq!(song.progress.get(), done);
                let order: Vec<u32> = song.segments.get().iter().map(|segment| segment.index).collect();
                assert!(order.is_sorted() && order.contains(&index), "{order:?}");
            }
            assert_eq!(song.segment_at(7.0).map(|segment| segment.index), Some(2));
            assert_eq!(song.segment_at(10.0).map(|segment| segment.best()), Some(None));
        });
    }

    #[test]
    fn many_segments_are_shown_together_and_all_at_the_end() {
        with_song(|song| {
            let changes = StoredValue::new(0);
            let shown = Memo::new(move |_| song.segments.with(Vec::len));
            song.apply(CPU, started(5000), None);
            for index in 0..5000 {
                let before = shown.get();
                song.apply(CPU, segment(index, [0.4, 0.6], false), None);
                changes.update_value(|n| *n += i32::from(shown.get() != before));
                assert!(shown.get() <= index as usize + 1 && shown.get() + 101 > index as usize);
            }
            assert!(changes.get_value() < 500, "{}", changes.get_value());
            song.apply(CPU, finished([0.7, 0.3], None), None);
            assert_eq!((shown.get(), song.progress.get()), (5000, 5000));
        });
    }

    #[test]
    fn a_time_that_is_not_analysed_yet_has_no_segment() {
        with_song(|song| {
            song.apply(CPU, started(6), None);
            song.apply(CPU, segment(4, [0.4, 0.6], false), Some(vec![-10.0, -20.0]));
            assert_eq!(song.segment_at(1.0), None);
            assert_eq!(song.segment_at(13.0).map(|segment| segment.index), Some(4));
        });
    }

    #[test]
    fn non_music_is_the_answer_of_the_segment_the_song_so_far_and_the_result() {
        with_song(|song| {
            song.apply(CPU, started(2), None);
            song.apply(CPU, segment_of(0, [0.9, 0.1], true, speech(), false), None);
            let expected = Some(Answer::NonMusic(Sound::Speech));
            assert_eq!(song.answer(), expected);
            let first = song.segment(0);
            assert_eq!(first.as_ref().and_then(Segment::answer), expected);
            assert_eq!(first.and_then(|segment| segment.best()), None);
            song.apply(CPU, finished([0.9, 0.1], speech()), None);
            assert_eq!(song.answer(), expected);
            assert_eq!(song.result.get().and_then(|result| result.confidence()), Some(0.97));
        });
    }

    #[test]
    fn an_answer_stays_settled_until_it_changes() {
        with_song(|song| {
            song.apply(CPU, started(6), None);
            let settled = |index, probabilities, says| {
                song.apply(CPU, segment_of(index, probabilities, false, None, says), None);
                song.is_settled()
            };
            assert!(!settled(3, [0.9, 0.1], false));
            assert!(settled(1, [0.9, 0.1], true));
            assert!(settled(4, [0.8, 0.2], false));
            assert!(!settled(0, [0.2, 0.8], false));
            assert!(settled(2, [0.2, 0.8], true));
            song.apply(CPU, started(6), None);
            assert!(!song.is_settled());
        });
    }

    #[test]
    fn a_repeated_analysis_replaces_segments_one_by_one() {
        with_song(|song| {
            for event in [started(2), segment(1, [0.4, 0.6], false), segment(0, [0.4, 0.6], false)] {
                song.apply(CPU, event, None);
            }
            song.apply(CPU, started(2), None);
            assert_eq!((song.segments.get().len(), song.progress.get(), song.so_far.get()), (2, 0, None));
            song.apply(CPU, segment(1, [0.4, 0.6], false), None);
            let revisions: Vec<_> = song.segments.get().iter().map(|segment| segment.revision).collect();
            assert_eq!((revisions, song.progress.get()), (vec![0, 1], 1));
        });
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
