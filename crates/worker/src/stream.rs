//! One song of any length: samples come in pieces, and are dropped when their segments are predicted.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use cratedigger_protocol::{Event, FailureKind};
use cratedigger_zoo::condition::{BandMeter, ClippingMeter, of_meters};
use cratedigger_zoo::{Analyser, MIN_SECONDS, SongStream, character};
use js_sys::Float32Array;

use crate::queue::{Job, Shared};
use crate::song::{Peaks, Progress, is_cancelled, now};
use crate::{ActiveModels, Failure, wire};

/// Smallest relative change of the expected length that the page is told.
const NEWS: f64 = 0.02;

/// A piece of a song.
pub(crate) enum Piece {
    /// Samples, and the expected length of the song in seconds.
    Samples(Float32Array, f64),
    /// There are no more.
    End,
}

/// The pieces of one song that came and were not taken.
#[derive(Default)]
pub(crate) struct Pieces {
    waiting: VecDeque<Piece>,
    waker: Option<Waker>,
}

impl Pieces {
    /// Adds a piece.
    pub(crate) fn push(&mut self, piece: Piece) {
        self.waiting.push_back(piece);
        self.wake();
    }

    /// Has the waiting job look again: for a piece, or because it was cancelled.
    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The next piece of the running job; `None` once it is cancelled.
async fn next(shared: &RefCell<Shared>, id: u32) -> Option<Piece> {
    poll_fn(|context| {
        let mut state = shared.borrow_mut();
        if state.is_cancelled() {
            return Poll::Ready(None);
        }
        let Some(pieces) = state.pieces.get_mut(&id) else { return Poll::Ready(None) };
        match pieces.waiting.pop_front() {
            Some(piece) => Poll::Ready(Some(piece)),
            None => {
                pieces.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}

/// Analyses a song that comes in pieces, and posts its events; false if it was cancelled. Segments are
/// predicted in order of time. Each piece is answered by [`Event::Wanted`] when it is done with.
pub(crate) async fn analyse(
    models: &mut ActiveModels,
    batch: usize,
    job: &Job,
    shared: &RefCell<Shared>,
) -> Result<bool, Failure> {
    let started = now();
    let ActiveModels { analyser, set, .. } = models;
    let mut song = Song::new(analyser, job)?;
    let mut progress = Progress::new(job.id, analyser, Vec::new(), started);
    loop {
        let Some(piece) = next(shared, job.id).await else { return Ok(false) };
        song.take(analyser, &piece)?;
        progress.total = song.told.map_or(0, |(_, segments)| segments as usize);
        loop {
            // The first answer comes from one segment.
            let most = if progress.milliseconds_to_first.is_some() { batch.max(1) } else { 1 };
            let ready = song.stream.ready(most);
            if ready.is_empty() {
                break;
            }
            let windows: Vec<_> = ready.iter().map(|segment| segment.window.clone()).collect();
            let predictions = analyser.predict(song.stream.signals(), &windows).await?;
            for (segment, prediction) in ready.iter().zip(predictions) {
                progress.post_one(analyser, segment.index, &segment.place, prediction);
            }
            if is_cancelled(shared).await {
                return Ok(false);
            }
        }
        song.stream.drop_done();
        if matches!(piece, Piece::End) {
            break;
        }
        wire::post(&Event::Wanted { id: job.id }, None);
        if is_cancelled(shared).await {
            return Ok(false);
        }
    }
    let Some(prediction) = progress.song.prediction() else {
        return Err(Failure::new(FailureKind::Silent, "every segment is silent"));
    };
    if let Some(traits) = character::measure(song.stream.middle(), analyser.sample_rate())? {
        wire::post(&Event::Character { id: job.id, traits }, None);
    }
    let conditions = of_meters(song.band.levels(), &song.clipping);
    wire::post(&progress.finished(analyser, *set, prediction, conditions), None);
    Ok(true)
}

/// The samples of a song, and what is measured while they pass.
struct Song {
    id: u32,
    stream: SongStream,
    peaks: Peaks,
    band: BandMeter,
    /// Sees the mono mix: other channels do not come here.
    clipping: ClippingMeter,
    /// Seconds and segments of the song that the page was told.
    told: Option<(f64, u32)>,
    samples: Vec<f32>,
}

impl Song {
    fn new(analyser: &Analyser, job: &Job) -> Result<Self, Failure> {
        Ok(Self {
            id: job.id,
            stream: analyser.stream(job.sample_rate)?,
            peaks: Peaks::default(),
            band: BandMeter::new(analyser.sample_rate())?,
            clipping: ClippingMeter::default(),
            told: None,
            samples: Vec::new(),
        })
    }

    fn take(&mut self, analyser: &Analyser, piece: &Piece) -> Result<(), Failure> {
        let before = self.stream.length();
        let expected = match piece {
            Piece::Samples(samples, expected) => {
                self.samples.resize(samples.length() as usize, 0.0);
                samples.copy_to(&mut self.samples);
                self.clipping.push([self.samples.as_slice()]);
                self.stream.expect(*expected);
                self.stream.push(&self.samples)?;
                Some(*expected)
            }
            Piece::End => {
                self.stream.finish()?;
                None
            }
        };
        self.tell_length(analyser, expected)?;
        let rate = f64::from(self.stream.rate());
        let (start, recent) = self.stream.recent();
        self.band.push(recent.get(before.saturating_sub(start)..).unwrap_or_default())?;
        self.peaks.post(self.id, rate, start, recent, expected.is_none());
        Ok(())
    }

    /// Posts [`Event::Started`] at the start, and [`Event::Length`] when the expectation changes. At the end,
    /// nothing more is expected.
    fn tell_length(&mut self, analyser: &Analyser, expected: Option<f64>) -> Result<(), Failure> {
        let rate = f64::from(self.stream.rate());
        let there = self.stream.length() as f64 / rate;
        if expected.is_none() && there < MIN_SECONDS {
            let detail = format!("{there:.3} s is less than {MIN_SECONDS} s");
            return Err(Failure::new(FailureKind::TooShort, detail));
        }
        let seconds = expected.map_or(there, |expected| expected.max(there));
        let samples = expected.map_or(self.stream.length(), |_| (seconds * rate).round() as usize);
        let segments = analyser.segments(samples).len() as u32;
        let id = self.id;
        match self.told {
            None => {
                let (bands, columns) = analyser.spectra_shape();
                let (bands, columns) = (bands as u32, columns as u32);
                wire::post(&Event::Started { id, seconds, segments, bands, columns }, None);
            }
            // Small changes would only make the timeline tremble.
            Some((told, _))
                if expected.is_some() && there <= told && (seconds - told).abs() < NEWS * told =>
            {
                return Ok(());
            }
            Some(_) => wire::post(&Event::Length { id, seconds, segments }, None),
        }
        self.told = Some((seconds, segments));
        Ok(())
    }
}
