//! Analyses one song in batches, and yields to the event loop between them so that it can be cancelled.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use cratedigger_dsp::DspError;
use cratedigger_protocol::{Condition, Event, FailureKind, MemberOutput, ModelSet};
use cratedigger_zoo::condition::conditions;
use cratedigger_zoo::{
    AnalyseError, Analyser, MIN_SECONDS, Observation, Parts, Prediction, SongAccumulator, SongPrediction,
    Sound, character, probabilities, spread_order,
};
use js_sys::Promise;
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageChannel;

use crate::queue::{Job, Shared};
use crate::share::{self, Helpers};
use crate::source::Source;
use crate::{ActiveModels, Failure, wire};

impl From<DspError> for Failure {
    fn from(error: DspError) -> Self {
        Self::new(FailureKind::BadSamples, error)
    }
}

impl From<AnalyseError> for Failure {
    fn from(error: AnalyseError) -> Self {
        let kind = match error {
            AnalyseError::Device { .. } => FailureKind::Device,
            AnalyseError::Dsp(_) => FailureKind::BadSamples,
            AnalyseError::InputSpec(_) | AnalyseError::Rate(_) => FailureKind::Models,
            AnalyseError::NoEmbedding => FailureKind::BadRequest,
        };
        Self::new(kind, error)
    }
}

/// Milliseconds since the worker started.
pub(crate) fn now() -> f64 {
    wire::scope().performance().map_or(0.0, |p| p.now())
}

/// Seconds of a song that are read before the worker yields to the event loop.
const SECONDS_A_TURN: f64 = 12.0;

/// Analyses one song and posts its events; false if it was cancelled.
///
/// The first audible segment is predicted alone, so that the page shows a result early. Then the rest of
/// the song is read, and its segments are predicted in an order that is spread over the song, so that the
/// answer settles early.
pub(crate) async fn analyse(
    models: &mut ActiveModels,
    job: &Job,
    shared: &RefCell<Shared>,
) -> Result<bool, Failure> {
    let started = now();
    let ActiveModels { analyser, set, batch, fetched, .. } = models;
    let mut source = Source::new(job, analyser.sample_rate(), analyser.sample_rates())?;
    let segments = announce(analyser, job, &source)?;
    let mut progress = Progress::new(job.id, analyser, segments, started);
    let mut peaks = Peaks::default();
    let mut first = 0;
    while first < progress.segments.len() && progress.milliseconds_to_first.is_none() {
        source.read_to(progress.segments.get(first).map_or(0, |segment| segment.end))?;
        peaks.post(job.id, progress.rate, 0, source.signal(), false);
        let predictions = progress.predict(analyser, &source, &[first]).await?;
        progress.post(analyser, &[first], predictions);
        first += 1;
        if is_cancelled(shared).await {
            return Ok(false);
        }
    }
    let mut helpers = Helpers::start(progress.segments.len() - first, fetched.as_ref());
    let step = (SECONDS_A_TURN * progress.rate) as usize;
    while !source.is_finished() {
        source.read_to(source.signal().len() + step)?;
        peaks.post(job.id, progress.rate, 0, source.signal(), source.is_finished());
        if is_cancelled(shared).await {
            return Ok(false);
        }
    }
    let rest: Vec<usize> =
        spread_order(progress.segments.len()).into_iter().filter(|index| *index >= first).collect();
    let chunks: Vec<&[usize]> = rest.chunks((*batch).max(1)).collect();
    if !progress.predict_all(analyser, &source, &chunks, &mut helpers, shared).await? {
        return Ok(false);
    }
    progress.helpers = helpers.used();
    drop(helpers);
    let Some(prediction) = progress.song.prediction() else {
        return Err(Failure::new(FailureKind::Silent, "every segment is silent"));
    };
    if let Some(traits) = character::measure(source.signal(), analyser.sample_rate())? {
        wire::post(&Event::Character { id: job.id, traits }, None);
    }
    let conditions = conditions(source.signal(), analyser.sample_rate(), source.clipping())?;
    if let Some(note) = source.channels_cancel() {
        wire::post(&Event::Noted { id: job.id, note }, None);
    }
    wire::post(&progress.finished(analyser, *set, prediction, conditions), None);
    Ok(true)
}

/// Waits for one turn of the event loop, and returns whether the job has been cancelled.
pub(crate) async fn is_cancelled(shared: &RefCell<Shared>) -> bool {
    yield_to_messages().await;
    shared.borrow().is_cancelled()
}

/// Returns the length of a song in seconds, or an error if it is too short.
pub(crate) fn check_length(job: &Job, source: &Source<'_>) -> Result<f64, Failure> {
    let seconds = source.frames() as f64 / f64::from(job.sample_rate);
    if seconds < MIN_SECONDS {
        let detail = format!("{seconds:.3} s is less than {MIN_SECONDS} s");
        return Err(Failure::new(FailureKind::TooShort, detail));
    }
    Ok(seconds)
}

/// Posts [`Event::Started`] and returns the song's segments.
fn announce(analyser: &Analyser, job: &Job, source: &Source<'_>) -> Result<Vec<Range<usize>>, Failure> {
    let seconds = check_length(job, source)?;
    let segments = analyser.segments(source.resampled_length());
    let (bands, columns) = analyser.spectra_shape();
    let event = Event::Started {
        id: job.id,
        seconds,
        segments: segments.len() as u32,
        bands: bands as u32,
        columns: columns as u32,
    };
    wire::post(&event, None);
    Ok(segments)
}

/// The predictions of a song so far.
pub(crate) struct Progress {
    id: u32,
    /// Sample rate in Hz at which segments are counted.
    rate: f64,
    segments: Vec<Range<usize>>,
    /// Number of segments, as far as it is known.
    pub(crate) total: usize,
    /// Number of posted segments, silent ones included.
    posted: usize,
    pub(crate) song: SongAccumulator,
    /// Posted segments by index, for the sections.
    observations: BTreeMap<u32, Observation>,
    /// Start of the job, in milliseconds of [`now`].
    started: f64,
    pub(crate) milliseconds_to_first: Option<f64>,
    /// Helpers that predicted something, and their memory in bytes.
    helpers: (u32, f64),
}

impl Progress {
    pub(crate) fn new(id: u32, analyser: &Analyser, segments: Vec<Range<usize>>, started: f64) -> Self {
        Self {
            id,
            rate: f64::from(analyser.sample_rate()),
            total: segments.len(),
            segments,
            posted: 0,
            song: analyser.song(),
            observations: BTreeMap::new(),
            started,
            milliseconds_to_first: None,
            helpers: (0, 0.0),
        }
    }

    /// Predicts the segments with these indices in one batch.
    async fn predict(
        &self,
        analyser: &mut Analyser,
        source: &Source<'_>,
        indices: &[usize],
    ) -> Result<Vec<Option<Prediction>>, Failure> {
        Ok(analyser.predict(&source.signals, &self.ranges(indices)).await?)
    }

    /// Predicts and posts segments in the order of `chunks`, with helpers; false if the job was cancelled.
    async fn predict_all(
        &mut self,
        analyser: &mut Analyser,
        source: &Source<'_>,
        chunks: &[&[usize]],
        helpers: &mut Helpers,
        shared: &RefCell<Shared>,
    ) -> Result<bool, Failure> {
        let chunk = |part: usize| chunks.get(part).copied().unwrap_or_default();
        let mut parts = Parts::new(chunks.len());
        loop {
            let segments = |part| self.ranges(chunk(part));
            helpers.turn(&mut parts, &share::Job { analyser, signals: &source.signals, segments: &segments });
            while let Some((part, predictions)) = parts.next_result() {
                self.post(analyser, chunk(part), predictions);
            }
            let Some(part) = parts.give_or_repeat() else { return Ok(true) };
            parts.finish(part, self.predict(analyser, source, chunk(part)).await?);
            if is_cancelled(shared).await {
                return Ok(false);
            }
        }
    }

    /// The samples of the segments with these indices.
    fn ranges(&self, indices: &[usize]) -> Vec<Range<usize>> {
        indices.iter().filter_map(|index| self.segments.get(*index)).cloned().collect()
    }

    /// Posts segments; those without a prediction are silent.
    fn post(&mut self, analyser: &Analyser, indices: &[usize], predictions: Vec<Option<Prediction>>) {
        for ((index, segment), prediction) in indices.iter().zip(self.ranges(indices)).zip(predictions) {
            self.post_one(analyser, *index, &segment, prediction);
        }
    }

    /// Posts a segment. `prediction` is `None` for a silent segment.
    pub(crate) fn post_one(
        &mut self,
        analyser: &Analyser,
        index: usize,
        segment: &Range<usize>,
        prediction: Option<Prediction>,
    ) {
        let (start, end) = (segment.start as f64 / self.rate, segment.end as f64 / self.rate);
        let (id, index) = (self.id, index as u32);
        self.posted += 1;
        let sound = prediction.as_ref().map(|prediction| Sound {
            classes: probabilities(&prediction.ensemble),
            non_music: prediction.non_music.clone(),
        });
        self.observations.insert(index, Observation { start, end, sound });
        let Some(prediction) = prediction else {
            wire::post(&Event::Silent { id, index, start, end }, None);
            return;
        };
        self.milliseconds_to_first.get_or_insert_with(|| now() - self.started);
        self.song.add(&prediction);
        let song = self.song.prediction();
        let event = Event::Segment {
            id,
            index,
            start,
            end,
            probabilities: probabilities(&prediction.ensemble),
            members: members(analyser, prediction.class_probabilities()),
            none: song.as_ref().is_some_and(|song| song.decision.none),
            non_music: analyser.non_music(&prediction.non_music),
            song_non_music: song.as_ref().and_then(|song| analyser.non_music(&song.non_music)),
            settled: self.song.settled(self.total.saturating_sub(self.posted)),
            song: song.map(|song| song.ensemble).unwrap_or_default(),
        };
        wire::post(&event, Some(&prediction.spectra.db));
    }

    pub(crate) fn finished(
        &self,
        analyser: &Analyser,
        set: ModelSet,
        song: SongPrediction,
        conditions: Vec<Condition>,
    ) -> Event {
        Event::Finished {
            id: self.id,
            probabilities: song.ensemble,
            none: song.decision.none,
            non_music: analyser.non_music(&song.non_music),
            tags: analyser.tags(&song.tags),
            sections: analyser.sections(&self.observations.values().cloned().collect::<Vec<_>>()),
            conditions,
            set,
            members: members(analyser, song.members),
            milliseconds: now() - self.started,
            milliseconds_to_first: self.milliseconds_to_first.unwrap_or_default(),
            workers: 1 + self.helpers.0,
            memory: share::memory() + self.helpers.1,
        }
    }
}

fn members(analyser: &Analyser, outputs: Vec<Vec<f32>>) -> Vec<MemberOutput> {
    analyser
        .models()
        .zip(outputs)
        .map(|(model, probabilities)| MemberOutput { model: model.entry().name.clone(), probabilities })
        .collect()
}

/// Samples of one slice of the waveform: about 86 slices per second at 22 050 Hz.
const SLICE: usize = 256;

/// Sends the peaks of the waveform part by part.
#[derive(Default)]
pub(crate) struct Peaks {
    /// Number of slices sent.
    sent: usize,
}

impl Peaks {
    /// Sends the new complete slices; with `all`, also a shorter last one. `signal` begins at
    /// sample `start` of the song.
    pub(crate) fn post(&mut self, id: u32, rate: f64, start: usize, signal: &[f32], all: bool) {
        let end = start + signal.len();
        let slices = if all { end.div_ceil(SLICE) } else { end / SLICE };
        let place = |slice: usize| (slice * SLICE).saturating_sub(start).min(signal.len());
        let Some(new) = signal.get(place(self.sent)..place(slices)) else { return };
        if new.is_empty() {
            return;
        }
        let pairs: Vec<f32> = new
            .chunks(SLICE)
            .flat_map(|slice| {
                let (low, high) = slice.iter().fold((f32::MAX, f32::MIN), |(l, h), s| (l.min(*s), h.max(*s)));
                [low, high]
            })
            .collect();
        let first = self.sent as u32;
        wire::post(&Event::Waveform { id, first, step: SLICE as f64 / rate }, Some(&pairs));
        self.sent = slices;
    }
}

/// Waits for one turn of the event loop, so that a cancel request can be received. Uses a message
/// channel instead of a timer, because browsers delay nested timers by 4 ms each.
pub(crate) async fn yield_to_messages() {
    let Ok(channel) = MessageChannel::new() else { return };
    let turn = Promise::new(&mut |resolve, _| {
        channel.port1().set_onmessage(Some(&resolve));
        if channel.port2().post_message(&wasm_bindgen::JsValue::NULL).is_err() {
            let _ = resolve.call0(&wasm_bindgen::JsValue::NULL); // continue without the turn
        }
    });
    // The promise is never rejected.
    let _ = JsFuture::from(turn).await;
    channel.port1().close();
}
