//! Augmentation of training data: of recordings, spectrograms, and pairs of either.
//!
//! Random functions take a generator instead of using the system's entropy. [`generator`] makes one from
//! a seed, so that a run is reproducible on every machine. The caller draws the strength of each
//! augmentation.

use std::f64::consts::TAU;
use std::ops::Range;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, StandardNormal};
use realfft::num_complex::Complex32;

use crate::{DspError, Istft, Resampler, Spectrogram, Stft, check_finite, check_length};

/// Samples per frame of the phase vocoder: librosa's default.
const N_FFT: usize = 2048;
/// Samples from one frame of the phase vocoder to the next: librosa's default.
const HOP_LENGTH: usize = N_FFT / 4;

/// The largest change of level, in dB up or down.
pub const MAX_DB: f32 = 120.0;
/// The largest factor of time stretching, in both directions.
pub const MAX_STRETCH: f64 = 8.0;
/// The largest pitch shift in semitones, up or down: a factor of [`MAX_STRETCH`].
pub const MAX_SEMITONES: f64 = 36.0;

/// A random number generator that depends only on its seed: ChaCha with 8 rounds.
///
/// ```
/// use cratedigger_dsp::augment::generator;
/// use rand::Rng;
///
/// assert_eq!(generator(7).next_u64(), generator(7).next_u64());
/// assert_ne!(generator(7).next_u64(), generator(8).next_u64());
/// ```
pub fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn refuse<T>(name: &'static str, value: f64, reason: &'static str) -> Result<T, DspError> {
    Err(DspError::Parameter { name, value, reason })
}

fn check_db(name: &'static str, db: f32) -> Result<(), DspError> {
    if db.abs() <= MAX_DB { Ok(()) } else { refuse(name, f64::from(db), "±120 dB is the limit") }
}

fn check_signal(signal: &[f32]) -> Result<(), DspError> {
    if signal.is_empty() {
        return Err(DspError::Length { name: "signal", expected: 1, found: 0 });
    }
    check_finite(signal)
}

// Recordings

/// Changes the level of a recording in place: multiplies every sample by 10^(db / 20), without
/// clipping.
///
/// ```
/// use cratedigger_dsp::augment::gain;
///
/// let mut signal = [0.5, -0.25];
/// gain(&mut signal, 20.0)?; // times 10
/// assert_eq!(signal, [5.0, -2.5]);
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// A gain that is NaN or beyond ±[`MAX_DB`], or a sample that is NaN or infinite.
pub fn gain(signal: &mut [f32], db: f32) -> Result<(), DspError> {
    check_finite(signal)?;
    check_db("db", db)?;
    let factor = 10_f64.powf(f64::from(db) / 20.0) as f32;
    signal.iter_mut().for_each(|s| *s *= factor);
    Ok(())
}

/// Adds white Gaussian noise in place, `snr_db` dB below the mean power of the signal:
/// snr_db = 10 · log₁₀(Σ signal² / Σ noise²) in expectation. Silence stays silent.
///
/// ```
/// use cratedigger_dsp::augment::{add_noise, generator};
///
/// let mut signal = vec![0.5_f32; 22_050];
/// add_noise(&mut signal, 20.0, &mut generator(1))?;
/// let noise = signal.iter().map(|s| (s - 0.5).powi(2)).sum::<f32>() / signal.len() as f32;
/// let snr_db = 10.0 * (0.25 / noise).log10();
/// assert!((snr_db - 20.0).abs() < 0.2);
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// A ratio that is NaN or beyond ±[`MAX_DB`], or a sample that is NaN or infinite.
pub fn add_noise<R: Rng + ?Sized>(signal: &mut [f32], snr_db: f32, rng: &mut R) -> Result<(), DspError> {
    check_finite(signal)?;
    check_db("snr_db", snr_db)?;
    if signal.is_empty() {
        return Ok(());
    }
    let power = signal.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / signal.len() as f64;
    let deviation = (power / 10_f64.powf(f64::from(snr_db) / 10.0)).sqrt();
    for sample in signal {
        let normal: f64 = StandardNormal.sample(rng);
        *sample += (deviation * normal) as f32;
    }
    Ok(())
}

/// Content of the gap that a shifted signal leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vacancy {
    /// The samples shifted out at the other end: `np.roll(y, samples)`. Usual for excerpts of music,
    /// which have no natural beginning; it produces a click where the ends meet.
    #[default]
    Wrap,
    /// Silence.
    Zeros,
}

/// Shifts a recording in time, in place: later by `samples` samples, or earlier if negative. The length
/// does not change.
///
/// ```
/// use cratedigger_dsp::augment::{Vacancy, time_shift};
///
/// let mut signal = [1.0, 2.0, 3.0];
/// time_shift(&mut signal, 1, Vacancy::Wrap)?;
/// assert_eq!(signal, [3.0, 1.0, 2.0]);
/// time_shift(&mut signal, -1, Vacancy::Zeros)?;
/// assert_eq!(signal, [1.0, 2.0, 0.0]);
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// A sample that is NaN or infinite.
pub fn time_shift(signal: &mut [f32], samples: isize, vacancy: Vacancy) -> Result<(), DspError> {
    check_finite(signal)?;
    let length = signal.len();
    if length == 0 {
        return Ok(());
    }
    let distance = samples.unsigned_abs();
    if vacancy == Vacancy::Zeros && distance >= length {
        signal.fill(0.0);
        return Ok(());
    }
    if samples >= 0 {
        signal.rotate_right(distance % length);
    } else {
        signal.rotate_left(distance % length);
    }
    if vacancy == Vacancy::Zeros {
        let empty = if samples >= 0 { 0..distance } else { length - distance..length };
        signal[empty].fill(0.0);
    }
    Ok(())
}

/// Makes a recording of `n` samples faster (`rate` above 1) or slower (below 1) at the same pitch:
/// `librosa.effects.time_stretch(y, rate=rate)`. The result has n / rate samples, rounded half to
/// even.
///
/// This is the phase vocoder: each frame of the result interpolates the magnitudes of two neighbouring
/// frames of the input, and its phases advance as between these two. Source:
/// `librosa.phase_vocoder`, after D. P. W. Ellis, "A phase vocoder in Matlab" (2002). Frames
/// have 2048 samples, 512 apart.
///
/// ```
/// use cratedigger_dsp::augment::time_stretch;
///
/// let tone: Vec<f32> = (0..22_050).map(|i| (0.1254 * i as f32).sin()).collect(); // 440 Hz
/// let fast = time_stretch(&tone, 2.0)?;
/// assert_eq!(fast.len(), 11_025);
/// let crossings = fast.windows(2).filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0)).count();
/// assert!(crossings.abs_diff(440) < 10); // still 440 Hz, for half a second
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// No samples, a sample that is NaN or infinite, or a rate outside
/// 1/[`MAX_STRETCH`]…[`MAX_STRETCH`].
pub fn time_stretch(signal: &[f32], rate: f64) -> Result<Vec<f32>, DspError> {
    check_signal(signal)?;
    if !(1.0 / MAX_STRETCH..=MAX_STRETCH).contains(&rate) {
        return refuse("rate", rate, "1/8…8 is needed");
    }
    let mut columns = Columns::new(signal)?;
    let mut inverse = Istft::new(N_FFT, HOP_LENGTH)?;
    let mut out = Vec::new();
    inverse.begin((signal.len() as f64 / rate).round_ties_even() as usize, &mut out);

    let bins = columns.stft.bins();
    let mut spectrum = vec![Complex32::default(); bins];
    // Phases accumulate over the whole recording, and only the phase modulo a turn matters. Single
    // precision would lose it.
    let mut phases: Vec<f64> = Vec::new();
    for frame in 0.. {
        let step = f64::from(frame) * rate;
        if step >= columns.frames as f64 {
            break;
        }
        columns.seek(step as usize)?;
        if frame == 0 {
            phases.clone_from(&columns.first.phases);
        }
        let weight = step - step.floor();
        for (bin, (value, phase)) in spectrum.iter_mut().zip(&mut phases).enumerate() {
            let (first, second) = (&columns.first, &columns.second);
            let magnitude = (1.0 - weight) * first.magnitudes[bin] + weight * second.magnitudes[bin];
            let (sin, cos) = phase.sin_cos();
            *value = Complex32::new((magnitude * cos) as f32, (magnitude * sin) as f32);
            // The phase advance of the bin's centre frequency per hop, and the deviation from it,
            // within half a turn.
            let expected = TAU * bin as f64 * HOP_LENGTH as f64 / N_FFT as f64;
            let beyond = second.phases[bin] - first.phases[bin] - expected;
            *phase += expected + beyond - TAU * (beyond / TAU).round_ties_even();
        }
        inverse.add(frame as usize, &mut spectrum, &mut out)?;
    }
    inverse.finish(&mut out)?;
    Ok(out)
}

/// A frame's spectrum as magnitude and phase in radians.
#[derive(Default)]
struct Column {
    magnitudes: Vec<f64>,
    phases: Vec<f64>,
}

/// Two neighbouring frames of a signal, moved forward step by step.
struct Columns<'a> {
    signal: &'a [f32],
    stft: Stft,
    frames: usize,
    buffer: Vec<Complex32>,
    /// Index of the first frame.
    at: usize,
    first: Column,
    second: Column,
}

impl<'a> Columns<'a> {
    fn new(signal: &'a [f32]) -> Result<Self, DspError> {
        let stft = Stft::new(N_FFT)?;
        let buffer = vec![Complex32::default(); stft.bins()];
        let frames = 1 + signal.len() / HOP_LENGTH;
        let mut this =
            Self { signal, stft, frames, buffer, at: 0, first: Column::default(), second: Column::default() };
        this.first = this.column(0)?;
        this.second = this.column(1)?;
        Ok(this)
    }

    fn seek(&mut self, at: usize) -> Result<(), DspError> {
        if at == self.at {
            return Ok(());
        }
        self.first = if at == self.at + 1 { std::mem::take(&mut self.second) } else { self.column(at)? };
        self.second = self.column(at + 1)?;
        self.at = at;
        Ok(())
    }

    /// A frame; zeros after the last.
    fn column(&mut self, frame: usize) -> Result<Column, DspError> {
        if frame < self.frames {
            self.stft.spectrum(self.signal, frame * HOP_LENGTH, &mut self.buffer)?;
        } else {
            self.buffer.fill(Complex32::default());
        }
        let values = || self.buffer.iter().map(|v| (f64::from(v.re), f64::from(v.im)));
        Ok(Column {
            magnitudes: values().map(|(re, im)| re.hypot(im)).collect(),
            phases: values().map(|(re, im)| im.atan2(re)).collect(),
        })
    }
}

/// Shifts the pitch of a recording up (`semitones` above 0) or down (below 0) at the same length:
/// `librosa.effects.pitch_shift(y, sr=…, n_steps=semitones)`. This is [`time_stretch`] by
/// 2^(−semitones / 12), then resampling to the old length. Rounding may cut samples or add zeros at
/// the end.
///
/// librosa resamples with soxr, this crate with [`Resampler`], which needs a ratio of integers: the
/// nearest convergent of the ratio's continued fraction with terms up to 4096, which deviates by less
/// than half a cent (hundredth of a semitone).
///
/// ```
/// use cratedigger_dsp::augment::pitch_shift;
///
/// let tone: Vec<f32> = (0..22_050).map(|i| (0.1254 * i as f32).sin()).collect(); // 440 Hz
/// let octave = pitch_shift(&tone, 12.0)?;
/// assert_eq!(octave.len(), tone.len());
/// let crossings = octave.windows(2).filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0)).count();
/// assert!(crossings.abs_diff(2 * 880) < 20); // 880 Hz
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// No samples, a sample that is NaN or infinite, or a shift that is NaN or beyond
/// ±[`MAX_SEMITONES`].
pub fn pitch_shift(signal: &[f32], semitones: f64) -> Result<Vec<f32>, DspError> {
    check_signal(signal)?;
    if semitones.is_nan() || semitones.abs() > MAX_SEMITONES {
        return refuse("semitones", semitones, "±36 semitones are the limit");
    }
    let factor = (semitones / 12.0).exp2();
    // Rounding of the power must not exceed the limit.
    let rate = (1.0 / factor).clamp(1.0 / MAX_STRETCH, MAX_STRETCH);
    let stretched = time_stretch(signal, rate)?;
    let (from, to) = fraction(factor, 4096);
    // Only the ratio matters, but the resampler must accept both rates.
    let scale = crate::MIN_RATE.div_ceil(from.min(to));
    let mut resampler = Resampler::new(from * scale, to * scale)?;
    let mut out = Vec::new();
    resampler.push(&stretched, &mut out)?;
    resampler.finish(&mut out)?;
    out.resize(signal.len(), 0.0);
    Ok(out)
}

/// The last convergent of a number's continued fraction with both terms at most `largest`. The
/// number must be within 1/`largest`…`largest`.
fn fraction(number: f64, largest: u32) -> (u32, u32) {
    let (mut before, mut now) = ((0_u64, 1_u64), (1_u64, 0_u64));
    let mut rest = number;
    loop {
        let whole = rest.floor();
        // Saturates if the remainder is almost 0, which ends the loop.
        let term = whole as u64;
        let next = (
            term.saturating_mul(now.0).saturating_add(before.0),
            term.saturating_mul(now.1).saturating_add(before.1),
        );
        if next.0.max(next.1) > u64::from(largest) {
            break;
        }
        (before, now) = (now, next);
        if rest == whole {
            break;
        }
        rest = 1.0 / (rest - whole);
    }
    (now.0.max(1) as u32, now.1.max(1) as u32)
}

// Spectrograms

/// The value that a mask writes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fill {
    /// The mean of the whole spectrogram before any mask.
    #[default]
    Mean,
    /// A given value. Zero is the mean of normalised features, but the loudest value of decibels below
    /// the maximum.
    Value(f32),
}

/// Masks over bands and frames of a spectrogram. Source: Park et al., "SpecAugment" (2019), without
/// time warping.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecAugment {
    /// Number of masks over bands.
    pub band_masks: usize,
    /// Largest number of bands of one mask: the paper's F.
    pub max_bands: usize,
    /// Number of masks over frames.
    pub frame_masks: usize,
    /// Largest number of frames of one mask: the paper's T.
    pub max_frames: usize,
    /// The value that the masks write.
    pub fill: Fill,
}

impl Default for SpecAugment {
    /// The paper's policy LD for 80 bands: two masks of up to 27 bands, two of up to 100 frames.
    fn default() -> Self {
        Self { band_masks: 2, max_bands: 27, frame_masks: 2, max_frames: 100, fill: Fill::default() }
    }
}

/// Positions of masks. They may overlap and may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masks {
    /// Bands covered by each mask over bands, in all frames.
    pub bands: Vec<Range<usize>>,
    /// Frames covered by each mask over frames, in all bands.
    pub frames: Vec<Range<usize>>,
}

/// Largest number of masks of one kind.
pub const MAX_MASKS: usize = 1000;

impl SpecAugment {
    /// Applies the masks in place and returns their positions. The width of each mask is uniform from 0
    /// to its largest number (at most the size of the spectrogram), its position uniform among those
    /// where it fits.
    ///
    /// ```
    /// use cratedigger_dsp::Spectrogram;
    /// use cratedigger_dsp::augment::{Fill, SpecAugment, generator};
    ///
    /// let mut spectrogram = Spectrogram { bands: 64, frames: 100, data: vec![1.0; 6400] };
    /// let policy = SpecAugment { max_bands: 8, max_frames: 10, fill: Fill::Value(0.0), ..SpecAugment::default() };
    /// let masks = policy.apply(&mut spectrogram, &mut generator(1))?;
    /// for band in masks.bands.into_iter().flatten() {
    ///     assert!(spectrogram.data[band * 100..(band + 1) * 100].iter().all(|value| *value == 0.0));
    /// }
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// An empty spectrogram, data that do not fit its shape, a value or fill that is NaN or infinite, or
    /// more than [`MAX_MASKS`] masks of a kind.
    pub fn apply<R: Rng + ?Sized>(
        &self,
        spectrogram: &mut Spectrogram,
        rng: &mut R,
    ) -> Result<Masks, DspError> {
        let Spectrogram { bands, frames, data } = spectrogram;
        self.apply_to(data, *bands, *frames, rng)
    }

    /// [`SpecAugment::apply`] on the values of a spectrogram of `bands` rows of `frames` values.
    ///
    /// ```
    /// use cratedigger_dsp::augment::{Fill, SpecAugment, generator};
    ///
    /// let mut data = vec![1.0; 64 * 100];
    /// let policy = SpecAugment { max_bands: 8, max_frames: 10, fill: Fill::Value(0.0), ..SpecAugment::default() };
    /// let masks = policy.apply_to(&mut data, 64, 100, &mut generator(1))?;
    /// for frame in masks.frames.into_iter().flatten() {
    ///     assert!(data.iter().skip(frame).step_by(100).all(|value| *value == 0.0));
    /// }
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// As [`SpecAugment::apply`].
    pub fn apply_to<R: Rng + ?Sized>(
        &self,
        data: &mut [f32],
        bands: usize,
        frames: usize,
        rng: &mut R,
    ) -> Result<Masks, DspError> {
        for (name, number) in [("band_masks", self.band_masks), ("frame_masks", self.frame_masks)] {
            if number > MAX_MASKS {
                return refuse(name, number as f64, "1000 masks are the limit");
            }
        }
        check_length("spectrogram", bands.saturating_mul(frames), data.len())?;
        // Not `check_finite`: the limit for samples does not apply to powers and decibels.
        if data.is_empty() {
            return Err(DspError::Length { name: "spectrogram", expected: 1, found: 0 });
        }
        if let Some((index, value)) = data.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(DspError::NonFinite { index, value: *value });
        }
        let fill = match self.fill {
            Fill::Mean => (data.iter().map(|v| f64::from(*v)).sum::<f64>() / data.len() as f64) as f32,
            Fill::Value(value) => value,
        };
        check_finite(&[fill])?;
        let mut draw = |number: usize, most: usize, there: usize| -> Vec<Range<usize>> {
            let mask = |_| {
                let width = rng.random_range(0..=most.min(there));
                let first = rng.random_range(0..=there - width);
                first..first + width
            };
            (0..number).map(mask).collect()
        };
        let masks = Masks {
            bands: draw(self.band_masks, self.max_bands, bands),
            frames: draw(self.frame_masks, self.max_frames, frames),
        };
        for mask in &masks.bands {
            data[mask.start * frames..mask.end * frames].fill(fill);
        }
        for row in data.chunks_exact_mut(frames) {
            for mask in &masks.frames {
                row[mask.clone()].fill(fill);
            }
        }
        Ok(masks)
    }
}

// Pairs

/// λ·first + (1 − λ)·second for each value of recordings, spectrograms or labels (one probability for
/// each class).
///
/// ```
/// use cratedigger_dsp::augment::mix;
///
/// assert_eq!(mix(&[1.0, 0.0], &[0.0, 1.0], 0.75)?, [0.75, 0.25]);
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// Inputs of different lengths, a value that is NaN or infinite, or a λ outside 0…1.
pub fn mix(first: &[f32], second: &[f32], lambda: f32) -> Result<Vec<f32>, DspError> {
    check_length("second", first.len(), second.len())?;
    check_finite(first)?;
    check_finite(second)?;
    if !(0.0..=1.0).contains(&lambda) {
        return refuse("lambda", f64::from(lambda), "0…1 is needed");
    }
    Ok(first.iter().zip(second).map(|(a, b)| lambda * a + (1.0 - lambda) * b).collect())
}

/// Mixes two inputs with a λ drawn from Beta(α, α). Returns the mixture and λ, which [`mix`] needs to
/// mix the labels in the same way. Source: Zhang et al., "mixup:
/// Beyond Empirical Risk Minimization" (2018), where α is 0.1…0.4.
///
/// ```
/// use cratedigger_dsp::augment::{generator, mixup};
///
/// let (mixture, lambda) = mixup(&[1.0, 0.0], &[0.0, 1.0], 0.2, &mut generator(1))?;
/// assert_eq!(mixture, [lambda, 1.0 - lambda]);
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// An α outside 0.01…100; otherwise as [`mix`].
pub fn mixup<R: Rng + ?Sized>(
    first: &[f32],
    second: &[f32],
    alpha: f32,
    rng: &mut R,
) -> Result<(Vec<f32>, f32), DspError> {
    if !(0.01..=100.0).contains(&alpha) {
        return refuse("alpha", f64::from(alpha), "0.01…100 is needed");
    }
    // Single precision: double precision would give other numbers for the same seed, and recorded training
    // runs could not be reproduced.
    let beta = Beta::new(alpha, alpha).map_err(|e| DspError::Library(e.to_string()))?;
    let lambda: f32 = beta.sample(rng);
    let lambda = lambda.clamp(0.0, 1.0);
    Ok((mix(first, second, lambda)?, lambda))
}
