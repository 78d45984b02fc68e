//! Converts any number of channels to mono, at one or several sample rates.

use cratedigger_dsp::Resampler;

use crate::{Block, DecodeError, Decoder, Note, Notes};

/// Number of frames per test for cancellation.
const CHUNK: usize = 4096;
/// Threshold of the ratio of the mix's power to the mean power of the channels, below which the channels
/// cancel: −20 dB. The mix of 64 independent channels has −18 dB.
const CANCELS: f64 = 0.01;
/// Threshold of this ratio above which the channels no longer cancel. It is higher (hysteresis), so that
/// the mix does not switch back and forth.
const RECOVERS: f64 = 0.06;
/// Number of consecutive chunks that must be above [`RECOVERS`].
const RECOVERED: u32 = 2;
/// Mean power below which a chunk is not tested: −100 dB relative to full scale.
const SILENT: f64 = 1e-10;
/// Factor by which old powers decay with each chunk: full power is below −20 dB after nine chunks,
/// 0.8 s at 44.1 kHz.
const MEMORY: f64 = 0.6;

/// Mixes channels to mono: their mean, or a single channel if they cancel each other.
///
/// Karaoke tracks and cables with swapped wires give the same sound in both channels with opposite signs;
/// the mean of such channels is silence. If the mean is more than 20 dB below the channels' power over about
/// a second, the mix is the loudest channel alone. Otherwise the mix equals [`cratedigger_dsp::downmix`] bit
/// by bit. A change between both is cross-faded over one chunk of 4096 frames. The result does not depend on
/// how the input is divided into pushes.
#[derive(Clone, Debug, Default)]
pub struct Mixer {
    pending: Vec<Vec<f32>>,
    mean_power: f64,
    powers: Vec<f64>,
    /// Index of the channel that is used alone, while the channels cancel.
    alone: Option<usize>,
    judged: bool,
    recovered: u32,
    frames: u64,
    first: Option<u64>,
    cancelled: u64,
}

impl Mixer {
    /// A mixer for one recording.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes channels of equal length and appends the finished part of the mix to `out`. A change of the
    /// number of channels finishes the mix of the earlier channels.
    pub fn push(&mut self, channels: &[Vec<f32>], out: &mut Vec<f32>) {
        if self.pending.len() != channels.len() {
            self.finish(out);
            self.pending = vec![Vec::new(); channels.len()];
            self.powers = vec![0.0; channels.len()];
            (self.mean_power, self.alone, self.judged, self.recovered) = (0.0, None, false, 0);
        }
        if channels.len() <= 1 {
            if let Some(only) = channels.first() {
                out.extend_from_slice(only);
                self.frames += only.len() as u64;
            }
            return;
        }
        for (pending, new) in self.pending.iter_mut().zip(channels) {
            pending.extend_from_slice(new);
        }
        let frames = self.pending.iter().map(Vec::len).min().unwrap_or(0);
        let whole = frames / CHUNK * CHUNK;
        for start in (0..whole).step_by(CHUNK) {
            self.mix(start, start + CHUNK, out);
        }
        for pending in &mut self.pending {
            pending.drain(..whole);
        }
    }

    /// Ends the recording: appends the mix of the last frames.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let frames = self.pending.iter().map(Vec::len).min().unwrap_or(0);
        if frames > 0 {
            self.mix(0, frames, out);
        }
        self.pending.iter_mut().for_each(Vec::clear);
    }

    /// The first frame at which the channels cancel, and the number of frames at which they do; `None` if
    /// they never cancel.
    pub fn cancelled(&self) -> Option<(u64, u64)> {
        self.first.map(|first| (first, self.cancelled))
    }

    fn mix(&mut self, start: usize, end: usize, out: &mut Vec<f32>) {
        let channels: Vec<&[f32]> =
            self.pending.iter().map(|channel| channel.get(start..end).unwrap_or_default()).collect();
        let Some((first, others)) = channels.split_first() else { return };
        let mut mean = first.to_vec();
        for channel in others {
            for (sum, sample) in mean.iter_mut().zip(*channel) {
                *sum += sample;
            }
        }
        let gain = 1.0 / channels.len() as f32;
        mean.iter_mut().for_each(|sample| *sample *= gain);

        let power = |samples: &[f32]| samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>();
        self.mean_power = self.mean_power * MEMORY + power(&mean);
        for (power_of, channel) in self.powers.iter_mut().zip(&channels) {
            *power_of = *power_of * MEMORY + power(channel);
        }
        let all = self.powers.iter().sum::<f64>() / self.powers.len().max(1) as f64;
        let before = self.alone;
        if all > SILENT * (end - start) as f64 {
            let ratio = self.mean_power / all;
            if self.alone.is_none() && ratio < CANCELS {
                // The loudest channel, the first of equals.
                self.alone = (0..self.powers.len()).rev().max_by(|a, b| {
                    let of = |index: &usize| self.powers.get(*index).copied().unwrap_or(0.0);
                    of(a).total_cmp(&of(b))
                });
            }
            self.recovered = if ratio > RECOVERS { self.recovered + 1 } else { 0 };
            if self.recovered >= RECOVERED {
                self.alone = None;
            }
        }
        let frames = end - start;
        if self.alone.is_some() {
            self.first.get_or_insert(self.frames);
            self.cancelled += frames as u64;
        }
        let pick =
            |which: Option<usize>| which.and_then(|index| channels.get(index)).copied().unwrap_or(&mean);
        if before == self.alone || !self.judged {
            out.extend_from_slice(pick(self.alone));
        } else {
            let step = 1.0 / frames as f32;
            let faded = pick(before).iter().zip(pick(self.alone)).enumerate();
            out.extend(faded.map(|(at, (old, new))| old + (new - old) * (at as f32 * step)));
        }
        self.judged |= all > SILENT * frames as f64;
        self.frames += frames as u64;
    }
}

/// One target sample rate.
struct Target {
    rate: u32,
    resampler: Option<Resampler>,
}

/// Decodes a file to mono at one or several rates, block by block, in constant memory.
///
/// If the sample rate or the number of channels changes within the file, the output continues without a
/// change.
pub struct MonoReader {
    decoder: Decoder,
    mixer: Mixer,
    targets: Vec<Target>,
    /// Sample rate in Hz of the current blocks; 0 before the first.
    rate: u32,
    mixed: Vec<f32>,
    /// Duration of the mix up to the last change of the sample rate, in seconds.
    seconds: f64,
    /// Number of frames mixed since then.
    frames: u64,
    /// Number of these frames at which the channels cancel and that are already in the notes.
    noted: u64,
    ended: bool,
}

impl MonoReader {
    /// Converts the samples of `decoder` to mono at each of `rates` in Hz.
    ///
    /// # Errors
    /// A rate outside [`cratedigger_dsp::MIN_RATE`]…[`cratedigger_dsp::MAX_RATE`].
    pub fn new(decoder: Decoder, rates: &[u32]) -> Result<Self, DecodeError> {
        for rate in rates {
            Resampler::new(*rate, *rate)?;
        }
        Ok(Self {
            decoder,
            mixer: Mixer::new(),
            targets: rates.iter().map(|rate| Target { rate: *rate, resampler: None }).collect(),
            rate: 0,
            mixed: Vec::new(),
            seconds: 0.0,
            frames: 0,
            noted: 0,
            ended: false,
        })
    }

    /// Decodes the next block and appends it to `out`, which has one vector per target rate. Returns false
    /// after the end, when nothing was appended.
    ///
    /// # Errors
    /// As [`Decoder::next_block`], and a file whose sample rate cannot be resampled.
    pub fn read(&mut self, out: &mut [Vec<f32>]) -> Result<bool, DecodeError> {
        if self.ended {
            return Ok(false);
        }
        match self.decoder.next_block()? {
            Some(block) => self.take(&block, out)?,
            None => {
                self.ended = true;
                self.flush(out)?;
            }
        }
        Ok(true)
    }

    /// The notes so far; complete after the end.
    pub fn notes(&self) -> &[Note] {
        self.decoder.notes()
    }

    /// The decoder, for its format and its duration so far.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    fn take(&mut self, block: &Block, out: &mut [Vec<f32>]) -> Result<(), DecodeError> {
        if self.rate != block.sample_rate {
            let planned = self
                .targets
                .iter()
                .map(|target| Resampler::new(block.sample_rate, target.rate))
                .collect::<Result<Vec<_>, _>>();
            let planned = match planned {
                Ok(planned) => planned,
                Err(error) if self.rate == 0 => return Err(error.into()),
                Err(error) => {
                    // A damaged header within the stream; later blocks may be valid again.
                    let at = self.seconds + self.frames as f64 / f64::from(self.rate);
                    self.decoder.notes_mut().add(Note::StreamLeftOut { at, what: error.to_string() });
                    return Ok(());
                }
            };
            self.flush(out)?;
            self.rate = block.sample_rate;
            for (target, resampler) in self.targets.iter_mut().zip(planned) {
                target.resampler = Some(resampler);
            }
        }
        self.mixer.push(&block.channels, &mut self.mixed);
        self.resample(out)?;
        self.note();
        Ok(())
    }

    fn resample(&mut self, out: &mut [Vec<f32>]) -> Result<(), DecodeError> {
        self.frames += self.mixed.len() as u64;
        for (target, out) in self.targets.iter_mut().zip(out) {
            if let Some(resampler) = &mut target.resampler {
                resampler.push(&self.mixed, out)?;
            }
        }
        self.mixed.clear();
        Ok(())
    }

    /// Ends the part with one sample rate.
    fn flush(&mut self, out: &mut [Vec<f32>]) -> Result<(), DecodeError> {
        self.mixer.finish(&mut self.mixed);
        self.resample(out)?;
        self.note();
        for (target, out) in self.targets.iter_mut().zip(out) {
            if let Some(resampler) = &mut target.resampler {
                resampler.finish(out)?;
            }
        }
        if self.rate > 0 {
            self.seconds += self.frames as f64 / f64::from(self.rate);
        }
        self.frames = 0;
        self.noted = 0;
        self.mixer = Mixer::new();
        Ok(())
    }

    /// Adds a note about channels that cancel, if the mixer found more of them.
    fn note(&mut self) {
        let Some((first, cancelled)) = self.mixer.cancelled().filter(|(_, frames)| *frames > self.noted)
        else {
            return;
        };
        let rate = f64::from(self.rate.max(1));
        let notes: &mut Notes = self.decoder.notes_mut();
        notes.add(Note::ChannelsCancel {
            first: self.seconds + first as f64 / rate,
            seconds: (cancelled - self.noted) as f64 / rate,
        });
        self.noted = cancelled;
    }
}
