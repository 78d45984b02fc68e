//! One song, from samples to verdict, in pieces that let messages in between.

use std::cell::RefCell;

use cratedigger_dsp::{DspError, Resampler, downmix};
use cratedigger_protocol::{Event, FailureKind, MemberOutput};
use cratedigger_zoo::{AnalyseError, Analyser, MIN_SECONDS, Prediction, probabilities};
use js_sys::{Float32Array, Promise};
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageChannel;

use crate::queue::{Job, Shared};
use crate::{Failure, Loaded, character, wire};

/// Samples of each channel that are taken out of JavaScript's memory at a time.
const BLOCK: usize = 1 << 16;

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
            AnalyseError::InputSpec(_) => FailureKind::Models,
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
    loaded: &mut Loaded,
    batch: usize,
    job: &Job,
    shared: &RefCell<Shared>,
) -> Result<bool, Failure> {
    let started = now();
    let Loaded { analyser, set } = loaded;
    let mut source = Source::new(job, analyser.sample_rate())?;
    let seconds = source.frames as f64 / f64::from(job.sample_rate);
    if seconds < MIN_SECONDS {
        return Err(Failure::new(
            FailureKind::TooShort,
            format!("{seconds:.3} s is less than {MIN_SECONDS} s"),
        ));
    }
    let rate = f64::from(analyser.sample_rate());
    let segments = analyser.segments(source.resampled_length());
    let (bands, columns) = analyser.spectra_shape();
    wire::post(
        &Event::Started {
            id: job.id,
            seconds,
            segments: segments.len() as u32,
            bands: bands as u32,
            columns: columns as u32,
        },
        None,
    );

    let mut judged: Vec<Prediction> = Vec::new();
    let mut to_first = None;
    let mut outline = Outline::default();
    let mut index = 0;
    while index < segments.len() {
        // The first segment alone, so that something is seen at once; the others in batches.
        let count = if index == 0 { 1 } else { batch };
        let batch = &segments[index..(index + count).min(segments.len())];
        source.read_to(batch.last().map_or(0, |s| s.end))?;
        outline.post(job.id, rate, &source.signal, false);
        let answers = analyser.judge(&source.signal, batch).await?;
        for (segment, answer) in batch.iter().zip(answers) {
            let (start, end) = (segment.start as f64 / rate, segment.end as f64 / rate);
            let (id, place) = (job.id, index as u32);
            match answer {
                None => wire::post(&Event::Silent { id, index: place, start, end }, None),
                Some(mut judgement) => {
                    to_first.get_or_insert_with(|| now() - started);
                    let db = std::mem::take(&mut judgement.spectra.db); // long songs have many
                    let (own, own_members) = (
                        probabilities(&judgement.ensemble),
                        judgement.members.iter().map(|m| probabilities(m)).collect(),
                    );
                    judged.push(judgement);
                    let so_far = analyser.verdict(&judged);
                    wire::post(
                        &Event::Segment {
                            id,
                            index: place,
                            start,
                            end,
                            probabilities: own,
                            members: members(analyser, own_members),
                            none: so_far.as_ref().is_some_and(|song| song.decision.none),
                            non_music: None,
                            song_non_music: None,
                            settled: false,
                            song: so_far.map(|song| song.ensemble).unwrap_or_default(),
                        },
                        Some(&db),
                    );
                }
            }
            index += 1;
        }
        let_messages_in().await;
        if shared.borrow().is_cancelled() {
            return Ok(false);
        }
    }
    // What is too short for a segment of its own is drawn, too.
    source.read_to(usize::MAX)?;
    outline.post(job.id, rate, &source.signal, true);
    let Some(verdict) = analyser.verdict(&judged) else {
        return Err(Failure::new(FailureKind::Silent, "every segment is silent"));
    };
    if let Some(traits) = character::of(&source.signal, analyser.sample_rate())? {
        wire::post(&Event::Character { id: job.id, traits }, None);
    }
    wire::post(
        &Event::Finished {
            id: job.id,
            probabilities: verdict.ensemble,
            none: verdict.decision.none,
            non_music: None,
            tags: Vec::new(),
            conditions: Vec::new(),
            set: *set,
            members: members(analyser, verdict.members),
            milliseconds: now() - started,
            milliseconds_to_first: to_first.unwrap_or_default(),
        },
        None,
    );
    Ok(true)
}

fn members(analyser: &Analyser, outputs: Vec<Vec<f32>>) -> Vec<MemberOutput> {
    analyser
        .models()
        .zip(outputs)
        .map(|(model, probabilities)| MemberOutput { model: model.entry().name.clone(), probabilities })
        .collect()
}

/// Samples of one slice of the waveform: some 86 slices a second.
const SLICE: usize = 256;

/// The waveform, as far as it was sent.
#[derive(Default)]
struct Outline {
    sent: usize,
}

impl Outline {
    /// Sends the slices that are whole by now; with `all`, a shorter last one, too.
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

/// The song's samples, mixed and resampled only as far as they are needed.
pub(crate) struct Source<'a> {
    channels: &'a [Float32Array],
    frames: usize,
    taken: usize,
    resampler: Option<Resampler>,
    resampled_length: usize,
    /// What was read so far, at the networks' rate.
    pub(crate) signal: Vec<f32>,
    blocks: Vec<Vec<f32>>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(job: &'a Job, rate: u32) -> Result<Self, Failure> {
        let Some(first) = job.channels.first() else {
            return Err(DspError::NoChannels.into());
        };
        let frames = first.length() as usize;
        for (channel, samples) in job.channels.iter().enumerate() {
            if samples.length() as usize != frames {
                return Err(DspError::UnequalChannels {
                    channel,
                    expected: frames,
                    found: samples.length() as usize,
                }
                .into());
            }
        }
        let resampler = Resampler::new(job.sample_rate, rate)?;
        Ok(Self {
            channels: &job.channels,
            frames,
            taken: 0,
            resampled_length: resampler.output_length(frames as u64) as usize,
            resampler: Some(resampler),
            signal: Vec::new(),
            blocks: vec![Vec::new(); job.channels.len()],
        })
    }

    pub(crate) fn resampled_length(&self) -> usize {
        self.resampled_length
    }

    /// Goes on until `signal` holds `samples` samples, or all there are.
    pub(crate) fn read_to(&mut self, samples: usize) -> Result<(), DspError> {
        while self.signal.len() < samples {
            let Some(resampler) = self.resampler.as_mut() else { break };
            if self.taken == self.frames {
                resampler.finish(&mut self.signal)?;
                self.resampler = None;
                break;
            }
            let end = (self.taken + BLOCK).min(self.frames);
            for (block, channel) in self.blocks.iter_mut().zip(self.channels) {
                block.resize(end - self.taken, 0.0);
                channel.subarray(self.taken as u32, end as u32).copy_to(block);
            }
            let views: Vec<&[f32]> = self.blocks.iter().map(Vec::as_slice).collect();
            resampler.push(&downmix(&views)?, &mut self.signal)?;
            self.taken = end;
        }
        Ok(())
    }
}

/// Waits for one turn of the event loop, so that a cancel request can be heard. A message channel
/// and not a timer, because nested timers are held back by 4 ms each.
pub(crate) async fn let_messages_in() {
    let Ok(channel) = MessageChannel::new() else { return };
    let turn = Promise::new(&mut |resolve, _| {
        channel.port1().set_onmessage(Some(&resolve));
        if channel.port2().post_message(&wasm_bindgen::JsValue::NULL).is_err() {
            let _ = resolve.call0(&wasm_bindgen::JsValue::NULL); // go on without the turn
        }
    });
    // It is never rejected.
    let _ = JsFuture::from(turn).await;
    channel.port1().close();
}
