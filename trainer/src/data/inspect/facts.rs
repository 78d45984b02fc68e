//! Properties of a recording, found block by block.

use cratedigger_decode::Block;
use cratedigger_zoo::SILENCE;
use sha2::{Digest as _, Sha256};

/// Minimum number of consecutive samples at full scale that count as clipping. A loud note without clipping
/// reaches full scale once.
const FLAT: usize = 3;
/// Length of the windows that are judged silent or not, in seconds.
const WINDOW_SECONDS: usize = 3;
/// Peak below which nothing counts as clipped.
const LOUD: f32 = 0.5;
/// What of the peak counts as full scale: clipping can happen at any level near the recording's peak.
const AT_TOP: f32 = 0.9999;

/// Properties of the audio.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Length in seconds.
    pub(super) seconds: f64,
    /// Sample rate in Hz, of the start.
    pub(super) sample_rate: u32,
    /// Number of channels, of the start.
    pub(super) channels: usize,
    /// Fraction of clipped samples.
    pub(super) clipped: f64,
    /// Fraction of silent windows of 3 seconds.
    pub(super) silent: f64,
}

/// One channel's samples at its peak.
#[derive(Clone, Debug, Default)]
struct Top {
    peak: f32,
    run: usize,
    flat: usize,
}

impl Top {
    fn add(&mut self, sample: f32) {
        let level = sample.abs();
        if level > self.peak {
            // What was the top is no longer.
            if self.peak < AT_TOP * level {
                (self.run, self.flat) = (0, 0);
            }
            self.peak = level;
        }
        let at_top = self.peak > LOUD && level >= AT_TOP * self.peak;
        self.run = if at_top { self.run + 1 } else { 0 };
        self.flat += match self.run {
            FLAT => FLAT,
            more if more > FLAT => 1,
            _ => 0,
        };
    }
}

/// Collects the properties of a recording and a hash of its samples, in constant memory.
#[derive(Clone, Debug, Default)]
pub(super) struct FactFinder {
    hash: Sha256,
    format: (u32, usize),
    first: Option<(u32, usize)>,
    tops: Vec<Top>,
    samples: usize,
    seconds: f64,
    windows: usize,
    silent: usize,
    /// Frames of the window that is not complete, and whether one of them is audible.
    open: (usize, bool),
}

impl FactFinder {
    /// Takes the next samples.
    pub(super) fn add(&mut self, block: &Block) {
        let format = (block.sample_rate, block.channels.len());
        if self.format != format {
            self.hash.update(block.sample_rate.to_le_bytes());
            self.hash.update((block.channels.len() as u64).to_le_bytes());
            self.format = format;
            self.first.get_or_insert(format);
            self.end_window();
        }
        let frames = block.frames();
        self.tops.resize_with(self.tops.len().max(block.channels.len()), Top::default);
        for (top, channel) in self.tops.iter_mut().zip(&block.channels) {
            channel.iter().for_each(|sample| top.add(*sample));
        }
        // Frame by frame, so that the hash does not depend on the size of blocks.
        let mut bytes = Vec::with_capacity(4 * frames * block.channels.len());
        for frame in 0..frames {
            for channel in &block.channels {
                bytes.extend(channel.get(frame).copied().unwrap_or_default().to_le_bytes());
            }
        }
        self.hash.update(&bytes);
        self.samples += frames * block.channels.len();
        self.seconds += frames as f64 / f64::from(block.sample_rate.max(1));
        self.find_silence(block);
    }

    fn find_silence(&mut self, block: &Block) {
        let window = (WINDOW_SECONDS * block.sample_rate as usize).max(1);
        let mut at = 0;
        while at < block.frames() {
            let end = (at + window - self.open.0).min(block.frames());
            let audible = |channel: &Vec<f32>| {
                channel.get(at..end).unwrap_or_default().iter().any(|s| s.abs() >= SILENCE)
            };
            self.open.1 |= block.channels.iter().any(audible);
            self.open.0 += end - at;
            at = end;
            if self.open.0 >= window {
                self.end_window();
            }
        }
    }

    fn end_window(&mut self) {
        if self.open.0 > 0 {
            self.windows += 1;
            self.silent += usize::from(!self.open.1);
        }
        self.open = (0, false);
    }

    /// The properties, and the SHA-256 of the samples: the same audio in another lossless container has the
    /// same.
    pub(super) fn finish(mut self) -> (Facts, String) {
        self.end_window();
        let (sample_rate, channels) = self.first.unwrap_or_default();
        let flat: usize = self.tops.iter().map(|top| top.flat).sum();
        let facts = Facts {
            seconds: self.seconds,
            sample_rate,
            channels,
            clipped: flat as f64 / self.samples.max(1) as f64,
            silent: self.silent as f64 / self.windows.max(1) as f64,
        };
        let hash = self.hash.finalize();
        (facts, hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(channels: &[Vec<f32>], size: usize) -> (Facts, String) {
        let mut finder = FactFinder::default();
        for start in (0..channels[0].len()).step_by(size) {
            let part = |channel: &Vec<f32>| channel[start..(start + size).min(channel.len())].to_vec();
            finder.add(&Block { sample_rate: 100, channels: channels.iter().map(part).collect() });
        }
        finder.finish()
    }

    /// The properties do not depend on how the sound comes in blocks.
    #[test]
    fn blocks_do_not_matter() {
        let left: Vec<f32> =
            (0..1000).map(|n| if n < 600 { 0.9 * (n as f32 * 0.3).sin() } else { 0.0 }).collect();
        let right: Vec<f32> = left.iter().map(|s| s.clamp(-0.7, 0.7)).collect();
        let (facts, hash) = found(&[left.clone(), right.clone()], 1000);
        assert_eq!((facts.seconds, facts.sample_rate, facts.channels), (10.0, 100, 2));
        assert_eq!(facts.silent, 0.5); // windows of 300 frames: two of four
        let clipped = right.iter().filter(|s| s.abs() >= 0.7).count() as f64 / 2000.0;
        assert!(facts.clipped > 0.8 * clipped && facts.clipped <= clipped, "{} {clipped}", facts.clipped);
        for size in [1, 7, 299, 300] {
            let (other, same) = found(&[left.clone(), right.clone()], size);
            assert_eq!((other.clipped, other.silent, &same), (facts.clipped, facts.silent, &hash), "{size}");
        }
        assert_ne!(found(&[right, left], 1000).1, hash);
    }
}
