//! The samples of a job, mixed to mono and resampled piece by piece.

use cratedigger_dsp::{DspError, Mixer, Resampler};
use cratedigger_protocol::decode::Note;
use cratedigger_zoo::condition::ClippingMeter;
use cratedigger_zoo::{Signals, place_at};
use js_sys::Float32Array;

use crate::Failure;
use crate::queue::Job;

/// Number of samples of each channel that are copied from JavaScript's memory at a time.
const BLOCK: usize = 1 << 16;

/// The samples of a job, read only as far as they are needed.
pub(crate) struct Source<'a> {
    channels: &'a [Float32Array],
    frames: usize,
    taken: usize,
    /// Of the samples, in Hz.
    own_rate: u32,
    mixer: Mixer,
    mixed: Vec<f32>,
    /// Sample rate in Hz at which positions in the song are counted.
    rate: u32,
    /// One resampler for each sample rate in Hz; empty once all samples are read.
    resamplers: Vec<(u32, Resampler)>,
    resampled_length: usize,
    /// The samples read so far, mono, at every sample rate that a network needs.
    pub(crate) signals: Signals,
    blocks: Vec<Vec<f32>>,
    clipping: ClippingMeter,
}

impl<'a> Source<'a> {
    /// A source of which nothing is read yet. `rates` are the required sample rates in Hz; positions are
    /// counted at `rate`, which is one of them.
    pub(crate) fn new(job: &'a Job, rate: u32, rates: &[u32]) -> Result<Self, Failure> {
        let Some(first) = job.channels.first() else {
            return Err(DspError::NoChannels.into());
        };
        let frames = first.length() as usize;
        for (channel, samples) in job.channels.iter().enumerate() {
            if samples.length() as usize != frames {
                let found = samples.length() as usize;
                return Err(DspError::UnequalChannels { channel, expected: frames, found }.into());
            }
        }
        let resampled_length = Resampler::new(job.sample_rate, rate)?.output_length(frames as u64) as usize;
        let signals = Signals::empty(rates);
        let resamplers = signals
            .rates()
            .map(|rate| Ok((rate, Resampler::new(job.sample_rate, rate)?)))
            .collect::<Result<_, DspError>>()?;
        Ok(Self {
            channels: &job.channels,
            frames,
            taken: 0,
            own_rate: job.sample_rate,
            mixer: Mixer::new(),
            mixed: Vec::new(),
            rate,
            resamplers,
            resampled_length,
            signals,
            blocks: vec![Vec::new(); job.channels.len()],
            clipping: ClippingMeter::default(),
        })
    }

    /// Number of samples of each channel, at the job's own sample rate.
    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// Number of samples of [`Source::signal`] once all samples are read.
    pub(crate) fn resampled_length(&self) -> usize {
        self.resampled_length
    }

    /// The samples read so far, mono, at the rate at which positions are counted.
    pub(crate) fn signal(&self) -> &[f32] {
        self.signals.at(self.rate)
    }

    /// Whether all samples are read.
    pub(crate) fn is_finished(&self) -> bool {
        self.resamplers.is_empty()
    }

    /// The meter of clipped samples, for the samples read so far.
    pub(crate) fn clipping(&self) -> &ClippingMeter {
        &self.clipping
    }

    /// Whether the song is read up to sample `samples`, at every sample rate.
    fn is_read_to(&self, samples: usize) -> bool {
        self.signals.rates().all(|rate| self.signals.at(rate).len() >= place_at(samples, self.rate, rate))
    }

    /// Reads until [`Source::signal`] holds `samples` samples, or all of them.
    pub(crate) fn read_to(&mut self, samples: usize) -> Result<(), DspError> {
        while !self.resamplers.is_empty() && !self.is_read_to(samples) {
            if self.taken == self.frames {
                self.mixer.finish(&mut self.mixed);
                self.resample()?;
                for (rate, mut resampler) in self.resamplers.drain(..) {
                    if let Some(signal) = self.signals.at_mut(rate) {
                        resampler.finish(signal)?;
                    }
                }
                break;
            }
            let end = (self.taken + BLOCK).min(self.frames);
            for (block, channel) in self.blocks.iter_mut().zip(self.channels) {
                block.resize(end - self.taken, 0.0);
                channel.subarray(self.taken as u32, end as u32).copy_to(block);
            }
            let views: Vec<&[f32]> = self.blocks.iter().map(Vec::as_slice).collect();
            self.clipping.push(views.iter().copied());
            self.mixer.push(&self.blocks, &mut self.mixed);
            self.resample()?;
            self.taken = end;
        }
        Ok(())
    }

    /// What is to say about channels that cancel each other; complete once all samples are read.
    pub(crate) fn channels_cancel(&self) -> Option<Note> {
        let seconds = |frames: u64| frames as f64 / f64::from(self.own_rate);
        let (first, frames) = self.mixer.cancelled()?;
        Some(Note::ChannelsCancel { first: seconds(first), seconds: seconds(frames) })
    }

    /// Passes the mixed samples to the resamplers.
    fn resample(&mut self) -> Result<(), DspError> {
        for (rate, resampler) in &mut self.resamplers {
            if let Some(signal) = self.signals.at_mut(*rate) {
                resampler.push(&self.mixed, signal)?;
            }
        }
        self.mixed.clear();
        Ok(())
    }
}
