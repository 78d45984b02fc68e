//! Single numbers that describe the shape of a spectrum.

use wide::f32x4;

use crate::DspError;
use crate::spectra::LANES;

/// Fraction of a spectrum's magnitude below its rolloff frequency; librosa's default.
pub const ROLL_PERCENT: f64 = 0.85;

/// Centre and width of a spectrum, in Hz. All three are 0 for silence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SpectralShape {
    /// The mean frequency, weighted by magnitude: Σ f·m / Σ m
    /// (`librosa.feature.spectral_centroid`).
    pub centroid: f32,
    /// The standard deviation around it: √(Σ m·(f − centroid)² / Σ m)
    /// (`librosa.feature.spectral_bandwidth`).
    pub bandwidth: f32,
    /// The lowest frequency at or below which 85 % of the summed magnitudes lie
    /// (`librosa.feature.spectral_rolloff`).
    pub rolloff: f32,
}

impl SpectralShape {
    /// The shape of a spectrum of magnitudes (not powers) whose bins are `bin_hz` apart, the first
    /// at 0 Hz.
    ///
    /// ```
    /// use cratedigger_dsp::SpectralShape;
    ///
    /// let shape = SpectralShape::of(&[0.0, 1.0, 0.0, 1.0], 100.0);
    /// assert_eq!(shape, SpectralShape { centroid: 200.0, bandwidth: 100.0, rolloff: 300.0 });
    /// ```
    pub fn of(magnitudes: &[f32], bin_hz: f64) -> Self {
        let (blocks, rest) = magnitudes.as_chunks::<LANES>();
        let step = f32x4::splat(LANES as f32);
        let (mut sum, mut moment) = (f32x4::ZERO, f32x4::ZERO);
        let mut bin = f32x4::new([0.0, 1.0, 2.0, 3.0]);
        for block in blocks {
            let m = f32x4::new(*block);
            sum += m;
            moment += m * bin;
            bin += step;
        }
        let mut total = f64::from(sum.reduce_add());
        let mut moment = f64::from(moment.reduce_add());
        for (m, k) in rest.iter().zip(blocks.len() * LANES..) {
            total += f64::from(*m);
            moment += f64::from(*m) * k as f64;
        }
        // librosa does not divide by values below the smallest normal number.
        let divisor = if total < f64::from(f32::MIN_POSITIVE) { 1.0 } else { total };
        let centroid = moment / divisor;

        let mut spread = f32x4::ZERO;
        let mut distance = f32x4::new([0.0, 1.0, 2.0, 3.0]) - f32x4::splat(centroid as f32);
        for block in blocks {
            spread += f32x4::new(*block) * distance * distance;
            distance += step;
        }
        let mut spread = f64::from(spread.reduce_add());
        for (m, k) in rest.iter().zip(blocks.len() * LANES..) {
            spread += f64::from(*m) * (k as f64 - centroid).powi(2);
        }

        Self {
            centroid: (centroid * bin_hz) as f32,
            bandwidth: ((spread / divisor).sqrt() * bin_hz) as f32,
            rolloff: (rolloff_bin(magnitudes, ROLL_PERCENT * total) as f64 * bin_hz) as f32,
        }
    }
}

/// The first bin at which the cumulative magnitude reaches `threshold`.
fn rolloff_bin(magnitudes: &[f32], threshold: f64) -> usize {
    let mut below = 0.0;
    // Whole blocks first, because the sum within a block does not depend on the one before it.
    let (blocks, _) = magnitudes.as_chunks::<32>();
    let mut start = 0;
    for block in blocks {
        let (lanes, _) = block.as_chunks::<LANES>();
        let sum = lanes.iter().fold(f32x4::ZERO, |sum, m| sum + f32x4::new(*m)).reduce_add();
        if below + f64::from(sum) >= threshold {
            break;
        }
        below += f64::from(sum);
        start += block.len();
    }
    for (bin, m) in magnitudes.iter().enumerate().skip(start) {
        below += f64::from(*m);
        if below >= threshold {
            return bin;
        }
    }
    // Sums in a different order may differ in the last digit.
    magnitudes.len().saturating_sub(1)
}

/// Flatness of a power spectrum, near 1 for noise and near 0 for a tone: its geometric mean divided by
/// its arithmetic mean, with every power at least 1e-10 (`librosa.feature.spectral_flatness`).
/// 1 for an empty spectrum.
///
/// ```
/// use cratedigger_dsp::spectral_flatness;
///
/// assert!((spectral_flatness(&[2.0; 100]) - 1.0).abs() < 1e-6);
/// assert!((spectral_flatness(&[1.0, 4.0]) - 0.8).abs() < 1e-6); // √(1 · 4) / 2.5
/// ```
pub fn spectral_flatness(power: &[f32]) -> f32 {
    const AMIN: f32 = 1e-10;
    if power.is_empty() {
        return 1.0;
    }
    // ∑ log p as the logarithm of products: one logarithm for eight values instead of for each.
    // The product of eight mantissas below 2 is less than 256; the exponents are integers.
    let (mut logs, mut exponents, mut sum) = (0.0_f64, 0_i64, 0.0_f64);
    for chunk in power.chunks(8) {
        let mut product = 1.0_f32;
        for p in chunk {
            let p = p.max(AMIN);
            sum += f64::from(p);
            let bits = p.to_bits();
            exponents += i64::from(bits >> 23) - 127;
            product *= f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
        }
        logs += f64::from(product).ln();
    }
    let n = power.len() as f64;
    let geometric = ((logs + exponents as f64 * std::f64::consts::LN_2) / n).exp();
    (geometric / (sum / n)) as f32
}

/// Bands of spectral contrast: octaves above 200 Hz, and one band below.
pub const CONTRAST_BANDS: usize = 7;

/// Spectral contrast: the distance from valleys to peaks in each octave
/// (`librosa.feature.spectral_contrast` with its defaults: 200 Hz, 6 octaves, quantile 0.02).
///
/// Source: D.-N. Jiang et al., *Music type classification by spectral contrast feature* (2002).
pub struct SpectralContrast {
    /// First bin, end, and number of values in a valley or a peak, of each band.
    bands: [(usize, usize, usize); CONTRAST_BANDS],
    values: Vec<f32>,
}

impl SpectralContrast {
    /// Plans the bands.
    ///
    /// ```
    /// use cratedigger_dsp::SpectralContrast;
    ///
    /// assert!(SpectralContrast::new(22_050.0, 2048).is_ok());
    /// assert!(SpectralContrast::new(8000.0, 2048).is_err());
    /// ```
    ///
    /// # Errors
    /// A Nyquist frequency not above 6400 Hz, where the highest band begins, or an `n_fft` so small
    /// that a band has no bins.
    pub fn new(sample_rate: f64, n_fft: usize) -> Result<Self, DspError> {
        const FMIN: f64 = 200.0;
        const QUANTILE: f64 = 0.02;
        let bins = n_fft / 2 + 1;
        let hz = |bin: usize| bin as f64 * sample_rate / n_fft as f64;
        let mut bands = [(0, 0, 0); CONTRAST_BANDS];
        let (mut low, mut high) = (0.0, FMIN);
        for (index, band) in bands.iter_mut().enumerate() {
            if low >= sample_rate / 2.0 {
                return Err(DspError::Parameter {
                    name: "sample_rate",
                    value: sample_rate,
                    reason: "spectral contrast needs more than 12.8 kHz",
                });
            }
            let inside = |bin: &usize| (low..=high).contains(&hz(*bin));
            let too_coarse = DspError::Parameter {
                name: "n_fft",
                value: n_fft as f64,
                reason: "spectral contrast needs bins narrower than its bands, for example 100 Hz",
            };
            let Some(mut first) = (0..bins).find(inside) else { return Err(too_coarse) };
            let Some(last) = (0..bins).rev().find(inside) else { return Err(too_coarse) };
            let mut end = last + 1;
            // librosa's bands: each except the first begins one bin early, each except the last ends one
            // bin early, and the last one extends to the end.
            if index > 0 {
                first = first.saturating_sub(1);
            }
            if index == CONTRAST_BANDS - 1 {
                end = bins;
            }
            let taken = (QUANTILE * (end - first) as f64).round_ties_even().max(1.0) as usize;
            if index < CONTRAST_BANDS - 1 {
                end -= 1;
            }
            if end <= first {
                return Err(too_coarse);
            }
            *band = (first, end, taken.min(end - first));
            (low, high) = (high, high * 2.0);
        }
        Ok(Self { bands, values: Vec::new() })
    }

    /// The mean of the smallest and of the largest magnitudes of each band of a power spectrum.
    ///
    /// ```
    /// use cratedigger_dsp::SpectralContrast;
    ///
    /// let mut power = [1.0; 1025];
    /// power[41] = 100.0; // 441 Hz, in the band from 400 to 800 Hz
    /// let (valleys, peaks) = SpectralContrast::new(22_050.0, 2048)?.valleys_and_peaks(&power);
    /// assert_eq!((valleys[2], peaks[2]), (1.0, 10.0)); // magnitudes
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn valleys_and_peaks(&mut self, power: &[f32]) -> ([f32; CONTRAST_BANDS], [f32; CONTRAST_BANDS]) {
        let (mut valleys, mut peaks) = ([0.0; CONTRAST_BANDS], [0.0; CONTRAST_BANDS]);
        for (index, (first, end, taken)) in self.bands.into_iter().enumerate() {
            self.values.clear();
            self.values.extend(power.iter().take(end).skip(first));
            // Powers have the same order as magnitudes, so only the selected ones need a square root.
            let mean = |values: &[f32]| {
                (values.iter().map(|p| f64::from(p.sqrt())).sum::<f64>() / values.len().max(1) as f64) as f32
            };
            let n = self.values.len();
            if taken > n || n == 0 {
                continue;
            }
            self.values.select_nth_unstable_by(taken - 1, f32::total_cmp);
            valleys[index] = mean(&self.values[..taken]);
            self.values.select_nth_unstable_by(n - taken, f32::total_cmp);
            peaks[index] = mean(&self.values[n - taken..]);
        }
        (valleys, peaks)
    }
}

/// The root mean square of a signal's frames, with zeros outside the signal: frame `t` is centred
/// at `t · hop_length` (`librosa.feature.rms(y=…)`). Appends `1 + n / hop_length` values.
pub(crate) fn rms(signal: &[f32], frame_length: usize, hop_length: usize, out: &mut Vec<f32>) {
    let half = frame_length / 2;
    for frame in 0..=signal.len() / hop_length {
        let centre = frame * hop_length;
        let inside = &signal[centre.saturating_sub(half)..(centre + frame_length - half).min(signal.len())];
        let (blocks, rest) = inside.as_chunks::<LANES>();
        let sum = blocks.iter().fold(f32x4::ZERO, |sum, block| {
            let v = f32x4::new(*block);
            sum + v * v
        });
        let sum = sum.reduce_add() + rest.iter().map(|s| s * s).sum::<f32>();
        out.push((sum / frame_length as f32).sqrt());
    }
}

/// The fraction of neighbouring samples in each frame that differ in sign
/// (`librosa.feature.zero_crossing_rate`); values within 1e-10 of zero count as positive. Appends
/// `1 + n / hop_length` values.
pub(crate) fn zero_crossing_rate(signal: &[f32], frame_length: usize, hop_length: usize, out: &mut Vec<f32>) {
    const THRESHOLD: f32 = 1e-10;
    let half = frame_length / 2;
    // A crossing at i lies between samples i − 1 and i. Outside the signal, frames repeat the first or
    // the last sample, without crossings.
    let crossings = |from: usize, to: usize| {
        let from = from.clamp(1, signal.len());
        let to = to.clamp(from, signal.len());
        let left = &signal[from - 1..to.max(1) - 1];
        left.iter().zip(&signal[from..to]).filter(|(a, b)| (**a < -THRESHOLD) != (**b < -THRESHOLD)).count()
    };
    for frame in 0..=signal.len() / hop_length {
        let centre = frame * hop_length;
        // The first sample of the frame has no predecessor in it.
        let first = (centre + 1).saturating_sub(half);
        let crossings = crossings(first, (centre + frame_length).saturating_sub(half));
        out.push(crossings as f32 / frame_length as f32);
    }
}
