//! Mixing to mono where channels may cancel each other.

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
/// a second, the mix is the loudest channel alone. Otherwise the mix equals [`downmix`](crate::downmix) bit
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
    ///
    /// ```
    /// use cratedigger_dsp::Mixer;
    ///
    /// assert_eq!(Mixer::new().cancelled(), None);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes channels of equal length and appends the finished part of the mix to `out`. A change of the
    /// number of channels finishes the mix of the earlier channels.
    ///
    /// ```
    /// use cratedigger_dsp::Mixer;
    ///
    /// let (mut mixer, mut mono) = (Mixer::new(), Vec::new());
    /// mixer.push(&[vec![1.0; 5000], vec![0.5; 5000]], &mut mono);
    /// assert_eq!(mono, vec![0.75; 4096]); // whole blocks of 4096 frames
    /// ```
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
    ///
    /// ```
    /// use cratedigger_dsp::Mixer;
    ///
    /// let (mut mixer, mut mono) = (Mixer::new(), Vec::new());
    /// mixer.push(&[vec![1.0; 5000], vec![0.5; 5000]], &mut mono);
    /// mixer.finish(&mut mono);
    /// assert_eq!(mono, vec![0.75; 5000]);
    /// ```
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let frames = self.pending.iter().map(Vec::len).min().unwrap_or(0);
        if frames > 0 {
            self.mix(0, frames, out);
        }
        self.pending.iter_mut().for_each(Vec::clear);
    }

    /// The first frame at which the channels cancel, and the number of frames at which they do; `None` if
    /// they never cancel.
    ///
    /// ```
    /// use cratedigger_dsp::Mixer;
    ///
    /// let (mut mixer, mut mono) = (Mixer::new(), Vec::new());
    /// mixer.push(&[vec![0.5; 8192], vec![-0.5; 8192]], &mut mono);
    /// assert_eq!(mixer.cancelled(), Some((0, 8192)));
    /// assert_eq!(mono, vec![0.5; 8192]); // the first channel alone
    /// ```
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
