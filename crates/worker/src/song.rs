//! One song, from samples to prediction, in batches with turns of the event loop in between.

use std::cell::RefCell;
use std::ops::Range;

use cratedigger_dsp::DspError;
use cratedigger_protocol::{Event, FailureKind, MemberOutput, ModelSet};
use cratedigger_zoo::{
    AnalyseError, Analyser, MIN_SECONDS, Prediction, SongAccumulator, SongPrediction, character,
    probabilities,
};
use js_sys::Promise;
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageChannel;

use crate::queue::{Job, Shared};
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
        };
        Self::new(kind, error)
    }
}

/// Milliseconds since the worker started.
pub(crate) fn now() -> f64 {
    wire::scope().performance().map_or(0.0, |p| p.now())
}

/// Analyses one song and posts its events; false if it was cancelled.
pub(crate) async fn analyse(
    models: &mut ActiveModels,
    batch: usize,
    job: &Job,
    shared: &RefCell<Shared>,
) -> Result<bool, Failure> {
    let started = now();
    let ActiveModels { analyser, set } = models;
    let mut source = Source::new(job, analyser.sample_rate(), analyser.sample_rates())?;
    let segments = announce(analyser, job, &source)?;
    let mut progress = Progress::new(job.id, f64::from(analyser.sample_rate()), analyser.song());
    let mut peaks = Peaks::default();
    while progress.segments < segments.len() {
        // The first segment alone, so that the page shows a result early; the others in batches.
        let count = if progress.segments == 0 { 1 } else { batch };
        let batch = &segments[progress.segments..(progress.segments + count).min(segments.len())];
        source.read_to(batch.last().map_or(0, |s| s.end))?;
        peaks.post(job.id, progress.rate, source.signal(), false);
        let predictions = analyser.predict(&source.signals, batch).await?;
        for (segment, prediction) in batch.iter().zip(predictions) {
            progress.post(analyser, segment, prediction, started);
        }
        yield_to_messages().await;
        if shared.borrow().is_cancelled() {
            return Ok(false);
        }
    }
    // The page also draws a rest too short for a segment.
    source.read_to(usize::MAX)?;
    peaks.post(job.id, progress.rate, source.signal(), true);
    let Some(prediction) = progress.song.prediction() else {
        return Err(Failure::new(FailureKind::Silent, "every segment is silent"));
    };
    if let Some(traits) = character::measure(source.signal(), analyser.sample_rate())? {
        wire::post(&Event::Character { id: job.id, traits }, None);
    }
    let to_first = progress.milliseconds_to_first.unwrap_or_default();
    wire::post(&finished(analyser, *set, job.id, prediction, now() - started, to_first), None);
    Ok(true)
}

/// Posts [`Event::Started`] and returns the song's segments.
fn announce(analyser: &Analyser, job: &Job, source: &Source<'_>) -> Result<Vec<Range<usize>>, Failure> {
    let seconds = source.frames() as f64 / f64::from(job.sample_rate);
    if seconds < MIN_SECONDS {
        let detail = format!("{seconds:.3} s is less than {MIN_SECONDS} s");
        return Err(Failure::new(FailureKind::TooShort, detail));
    }
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

fn finished(
    analyser: &Analyser,
    set: ModelSet,
    id: u32,
    song: SongPrediction,
    milliseconds: f64,
    milliseconds_to_first: f64,
) -> Event {
    Event::Finished {
        id,
        probabilities: song.ensemble,
        none: song.decision.none,
        non_music: None,
        tags: Vec::new(),
        conditions: Vec::new(),
        set,
        members: members(analyser, song.members),
        milliseconds,
        milliseconds_to_first,
    }
}

/// The predictions of a song so far.
struct Progress {
    id: u32,
    /// The networks' sample rate in Hz.
    rate: f64,
    /// Segments posted, the silent ones included.
    segments: usize,
    song: SongAccumulator,
    milliseconds_to_first: Option<f64>,
}

impl Progress {
    fn new(id: u32, rate: f64, song: SongAccumulator) -> Self {
        Self { id, rate, segments: 0, song, milliseconds_to_first: None }
    }

    /// Posts the next segment; no prediction if it is silent.
    fn post(
        &mut self,
        analyser: &Analyser,
        segment: &Range<usize>,
        prediction: Option<Prediction>,
        started: f64,
    ) {
        let (start, end) = (segment.start as f64 / self.rate, segment.end as f64 / self.rate);
        let (id, index) = (self.id, self.segments as u32);
        self.segments += 1;
        let Some(prediction) = prediction else {
            wire::post(&Event::Silent { id, index, start, end }, None);
            return;
        };
        self.milliseconds_to_first.get_or_insert_with(|| now() - started);
        self.song.add(&prediction);
        let song = self.song.prediction();
        let event = Event::Segment {
            id,
            index,
            start,
            end,
            probabilities: probabilities(&prediction.ensemble),
            members: members(analyser, prediction.members.iter().map(|m| probabilities(m)).collect()),
            none: song.as_ref().is_some_and(|song| song.decision.none),
            non_music: None,
            song_non_music: None,
            settled: false,
            song: song.map(|song| song.ensemble).unwrap_or_default(),
        };
        wire::post(&event, Some(&prediction.spectra.db));
    }
}

fn members(analyser: &Analyser, outputs: Vec<Vec<f32>>) -> Vec<MemberOutput> {
    analyser
        .models()
        .zip(outputs)
        .map(|(model, probabilities)| MemberOutput { model: model.entry().name.clone(), probabilities })
        .collect()
}

/// Samples of one slice of the waveform: about 86 slices a second.
const SLICE: usize = 256;

/// The peaks of the waveform, as far as they were sent.
#[derive(Default)]
struct Peaks {
    /// Slices sent.
    sent: usize,
}

impl Peaks {
    /// Sends the slices that are complete by now; with `all`, a shorter last one too.
    fn post(&mut self, id: u32, rate: f64, signal: &[f32], all: bool) {
        let slices = if all { signal.len().div_ceil(SLICE) } else { signal.len() / SLICE };
        let Some(new) = signal.get(self.sent * SLICE..(slices * SLICE).min(signal.len())) else { return };
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
