//! The samples of a job, mixed to mono and resampled piece by piece.

use cratedigger_dsp::{DspError, Resampler, downmix};
use js_sys::Float32Array;

use crate::Failure;
use crate::queue::Job;

/// Samples of each channel copied out of JavaScript's memory at a time.
const BLOCK: usize = 1 << 16;

/// The samples of a job, read only as far as they are needed.
pub(crate) struct Source<'a> {
    channels: &'a [Float32Array],
    frames: usize,
    taken: usize,
    resampler: Option<Resampler>,
    resampled_length: usize,
    /// The samples read so far, mono, at the networks' sample rate.
    pub(crate) signal: Vec<f32>,
    blocks: Vec<Vec<f32>>,
}

impl<'a> Source<'a> {
    /// Nothing is read yet. `rate` is the networks' sample rate in Hz.
    pub(crate) fn new(job: &'a Job, rate: u32) -> Result<Self, Failure> {
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

    /// Samples of each channel, at the job's own sample rate.
    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// Length of [`Source::signal`] once all samples are read.
    pub(crate) fn resampled_length(&self) -> usize {
        self.resampled_length
    }

    /// Reads until `signal` holds `samples` samples, or all of them.
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
