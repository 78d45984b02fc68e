//! Mixing to mono where channels may cancel each other.

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
/// [`downmix`](crate::downmix)'s, bit by bit. A change between both is faded over one chunk of
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
