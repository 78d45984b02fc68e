//! Mono out of any channels, at one or several rates.

use cratedigger_dsp::Resampler;

use crate::{Block, DecodeError, Decoder, Note, Notes};

/// Frames that are judged at once.
const CHUNK: usize = 4096;
/// Power of the mix over the mean power of the channels, below which the channels cancel: −20 dB.
/// The mix of 64 independent channels still has −18 dB.
const CANCELS: f64 = 0.01;
/// The same from which they no longer do: above, so that the mix does not flicker.
const RECOVERS: f64 = 0.06;
/// Chunks in a row that have to be above it.
const RECOVERED: u32 = 2;
/// Mean power below which there is nothing to judge: −100 dB of full scale.
const SILENT: f64 = 1e-10;
/// What of the powers is kept from chunk to chunk: full power is below −20 dB after nine chunks,
/// 0.8 s at 44.1 kHz.
const MEMORY: f64 = 0.6;

/// Mixes channels to mono: their mean, or one channel where they cancel.
///
/// Karaoke tracks and cables with swapped wires have the same sound in both channels with opposite
/// signs; their mean is silence. Where the mean has less than −20 dB of the channels' power over
/// about a second, the loudest channel alone is the mix. Elsewhere the mix is
/// [`cratedigger_dsp::downmix`]'s, bit by bit. A change between both is faded over one chunk of
/// 4096 frames. The result does not depend on how the input was cut into pushes.
#[derive(Clone, Debug, Default)]
pub struct Mixer {
    pending: Vec<Vec<f32>>,
    mean_power: f64,
    powers: Vec<f64>,
    /// The channel that is used alone.
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

    /// Takes channels of equal length and appends to `out` the mix that is ready. A change in the
    /// number of channels ends what came before.
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

    /// Frame at which the channels cancel for the first time, and the number of frames in which
    /// they do.
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
                // The first of the loudest.
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

/// One target rate.
struct Target {
    rate: u32,
    resampler: Option<Resampler>,
}

/// Decodes a file to mono at one or several rates, block by block, in constant memory.
///
/// A change of rate or channels within the file is converted: the stream goes on.
pub struct MonoReader {
    decoder: Decoder,
    mixer: Mixer,
    targets: Vec<Target>,
    /// Rate of the blocks that the mixer holds, in Hz.
    rate: u32,
    mixed: Vec<f32>,
    /// Length of what was mixed up to the last change of rate, in seconds.
    seconds: f64,
    /// Frames that were mixed since.
    frames: u64,
    /// Of these, the frames in which the channels cancel and that are in the notes.
    noted: u64,
    ended: bool,
}

impl MonoReader {
    /// Reads `decoder` on to mono at each of `rates`, in Hz.
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

    /// Decodes some more and appends to `out`, one vector a target rate. False after the end, when
    /// nothing was appended.
    ///
    /// # Errors
    /// As [`Decoder::next_block`], and a file whose sample rate cannot be resampled.
    pub fn read(&mut self, out: &mut [Vec<f32>]) -> Result<bool, DecodeError> {
        self.read_with(out, |_| ())
    }

    /// As [`MonoReader::read`]; also passes each block of the file, with all its channels at the
    /// file's own rate, to `each`.
    ///
    /// # Errors
    /// As [`MonoReader::read`].
    pub fn read_with(
        &mut self,
        out: &mut [Vec<f32>],
        each: impl FnOnce(&Block),
    ) -> Result<bool, DecodeError> {
        if self.ended {
            return Ok(false);
        }
        match self.decoder.next_block()? {
            Some(block) => {
                each(&block);
                self.take(&block, out)?;
            }
            None => {
                self.ended = true;
                self.flush(out)?;
            }
        }
        Ok(true)
    }

    /// What was left out or mended up to now; complete after the end.
    pub fn notes(&self) -> &[Note] {
        self.decoder.notes()
    }

    /// The decoder, for its format and its length up to now.
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
                    // A damaged header in mid-stream; what follows may be good again.
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

    /// Ends the stretch of one sample rate.
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

    /// Passes on what the mixer found.
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
