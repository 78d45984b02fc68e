//! Variations of training data: of recordings, of spectrograms, and of pairs of either.
//!
//! Nothing here draws from the system's randomness. What is random takes a generator, and
//! [`generator`] makes one from a seed, so that a run can be repeated anywhere. How much to vary
//! is for the caller to draw.

use std::f64::consts::TAU;
use std::ops::Range;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, StandardNormal};
use realfft::num_complex::Complex32;

use crate::{DspError, Istft, Resampler, Spectrogram, Stft, check_finite, check_length};

/// Samples a frame of the phase vocoder: librosa's default.
const N_FFT: usize = 2048;
/// Samples from one frame of the phase vocoder to the next: librosa's default.
const HOP_LENGTH: usize = N_FFT / 4;

/// The greatest change of level that is taken, in dB either way.
pub const MAX_DB: f32 = 120.0;
/// The greatest factor by which a recording is made longer or shorter.
pub const MAX_STRETCH: f64 = 8.0;
/// The greatest shift of pitch in semitones, up or down: a factor of [`MAX_STRETCH`].
pub const MAX_SEMITONES: f64 = 36.0;

/// A generator of random numbers that depends on nothing but its seed: ChaCha with 8 rounds.
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

/// Makes a recording louder or softer, in place: every sample times 10^(db / 20). Nothing is
/// clipped.
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

/// Adds white Gaussian noise in place, `snr_db` below the mean power of the signal:
/// snr_db = 10 · log₁₀(Σ signal² / Σ noise²) in expectation. Silence stays silent.
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

/// What fills the place that a shifted signal leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vacancy {
    /// What fell off at the other end: `np.roll(y, samples)`. It is the usual choice for excerpts
    /// of music, which have no beginning of their own; where the ends meet there is a click.
    #[default]
    Wrap,
    /// Silence.
    Zeros,
}

/// Shifts a recording in time, in place: by `samples` samples later, or earlier where negative. Its
/// length stays.
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

/// Makes a recording of `n` samples faster (`rate` above 1) or slower (below) and keeps its pitch:
/// `librosa.effects.time_stretch(y, rate=rate)`. The result has n / rate samples, rounded to the
/// nearest, halves to the even number.
///
/// It is the phase vocoder: of every frame of the result the magnitudes lie between those of two
/// neighbouring frames of the input, and its phases advance as they do between those two. Source:
/// `librosa.phase_vocoder`, after D. P. W. Ellis, "A phase vocoder in Matlab" (2002). Frames are
/// of 2048 samples, 512 apart.
///
/// # Errors
/// No samples, a sample that is NaN or infinite, or a rate that is not in
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
    // Phases run up over the whole recording, and what counts is where they end within a turn: of
    // a 32-bit number too little would be left of that.
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
            // How far a bin's own frequency advances in a hop, and what this one does beyond that,
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

/// A frame's spectrum by magnitude and phase (in radians).
#[derive(Default)]
struct Column {
    magnitudes: Vec<f64>,
    phases: Vec<f64>,
}

/// Two neighbouring frames of a signal that is walked through.
struct Columns<'a> {
    signal: &'a [f32],
    stft: Stft,
    frames: usize,
    buffer: Vec<Complex32>,
    /// Number of the first.
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

/// Makes a recording higher (`semitones` above 0) or lower (below) and keeps its length:
/// `librosa.effects.pitch_shift(y, sr=…, n_steps=semitones)`, which is [`time_stretch`] by
/// 2^(−semitones / 12) and then resampling to the old length. At the end samples are cut off or
/// zeros added where rounding asks for it.
///
/// librosa resamples with soxr and this crate with [`Resampler`], which takes a ratio of whole
/// numbers: the nearest to the ratio wanted among its continued fraction's with terms up to 4096,
/// off by less than half a cent (hundredth of a semitone).
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
    // The last bit of the power must not count as beyond the limit.
    let rate = (1.0 / factor).clamp(1.0 / MAX_STRETCH, MAX_STRETCH);
    let stretched = time_stretch(signal, rate)?;
    let (from, to) = fraction(factor, 4096);
    // Only the ratio counts, but both rates must be among those that a resampler takes.
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
        // Saturates where the rest was almost nothing, and then ends the loop.
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

/// What a mask writes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fill {
    /// The mean of the whole spectrogram before any mask.
    #[default]
    Mean,
    /// A given value. Zero is the mean of features that were normalised; of decibels below the
    /// maximum it is the loudest value.
    Value(f32),
}

/// Masks over bands and frames of a spectrogram. Source: Park et al., "SpecAugment" (2019),
/// without its warping of time.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecAugment {
    /// Number of masks over bands.
    pub band_masks: usize,
    /// The most bands that one mask covers: the paper's F.
    pub max_bands: usize,
    /// Number of masks over frames.
    pub frame_masks: usize,
    /// The most frames that one mask covers: the paper's T.
    pub max_frames: usize,
    /// What the masks write.
    pub fill: Fill,
}

impl Default for SpecAugment {
    /// The paper's policy LD for 80 bands: two masks of up to 27 bands, two of up to 100 frames.
    fn default() -> Self {
        Self { band_masks: 2, max_bands: 27, frame_masks: 2, max_frames: 100, fill: Fill::default() }
    }
}

/// Where masks were laid. They may overlap, and may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masks {
    /// Bands covered by each mask over bands, in all frames.
    pub bands: Vec<Range<usize>>,
    /// Frames covered by each mask over frames, in all bands.
    pub frames: Vec<Range<usize>>,
}

/// The most masks of one kind.
pub const MAX_MASKS: usize = 1000;

impl SpecAugment {
    /// Lays the masks, in place, and says where. The width of each is uniform in 0…the most that
    /// it may cover (but no more than there is), its place then uniform among those where it fits.
    ///
    /// # Errors
    /// An empty spectrogram, one whose data has not the length that its shape says, a value (or a
    /// fill) that is NaN or infinite, or more than [`MAX_MASKS`] masks of a kind.
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
        // Powers and decibels, which have other limits than samples.
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

/// λ·first + (1 − λ)·second, value by value: of recordings, spectrograms' data, or labels (as
/// one probability for each class).
///
/// # Errors
/// Inputs of different lengths, a value that is NaN or infinite, or a λ that is not in 0…1.
pub fn mix(first: &[f32], second: &[f32], lambda: f32) -> Result<Vec<f32>, DspError> {
    check_length("second", first.len(), second.len())?;
    check_finite(first)?;
    check_finite(second)?;
    if !(0.0..=1.0).contains(&lambda) {
        return refuse("lambda", f64::from(lambda), "0…1 is needed");
    }
    Ok(first.iter().zip(second).map(|(a, b)| lambda * a + (1.0 - lambda) * b).collect())
}

/// Mixes two inputs by a λ drawn from the distribution Beta(α, α), and returns it with the
/// mixture: the labels are to be mixed by the same one; see [`mix`]. Source: Zhang et al., "mixup:
/// Beyond Empirical Risk Minimization" (2018), where α is 0.1…0.4.
///
/// # Errors
/// An α that is not in 0.01…100; otherwise as [`mix`].
pub fn mixup<R: Rng + ?Sized>(
    first: &[f32],
    second: &[f32],
    alpha: f32,
    rng: &mut R,
) -> Result<(Vec<f32>, f32), DspError> {
    if !(0.01..=100.0).contains(&alpha) {
        return refuse("alpha", f64::from(alpha), "0.01…100 is needed");
    }
    // In single precision: the random numbers that a seed gives are part of a recorded training run.
    let beta = Beta::new(alpha, alpha).map_err(|e| DspError::Library(e.to_string()))?;
    let lambda: f32 = beta.sample(rng);
    let lambda = lambda.clamp(0.0, 1.0);
    Ok((mix(first, second, lambda)?, lambda))
}
