//! Pitch classes: tuning, chroma and tonnetz.

use wide::f32x4;

use crate::DspError;
use crate::spectra::LANES;
use crate::stft::check_n_fft;

/// Pitch classes of the chromatic scale, from C to B.
pub const CHROMA: usize = 12;
/// Dimensions of [`tonnetz`].
pub const TONNETZ: usize = 6;

/// Rejects an invalid sample rate.
fn check_rate(sample_rate: f64) -> Result<(), DspError> {
    if sample_rate.is_finite() && sample_rate > 0.0 {
        return Ok(());
    }
    Err(DspError::Parameter { name: "sample_rate", value: sample_rate, reason: "a positive rate is needed" })
}

/// Octaves above A0 (27.5 Hz) of a frequency: `librosa.hz_to_octs`.
fn octaves(hz: f64) -> f64 {
    (hz / (440.0 / 16.0)).log2()
}

/// The filters of `librosa.filters.chroma(sr=…, n_fft=…, tuning=…)`: every bin of a power
/// spectrum is weighted by a Gaussian around each pitch class, and by a second one that favours the
/// middle octaves of a piano.
///
/// Source: D. P. W. Ellis, *Chroma feature analysis and synthesis* (2007).
pub struct ChromaBank {
    bins: usize,
    /// For each group of four bins, the weights of all pitch classes.
    weights: Vec<[f32x4; CHROMA]>,
}

impl ChromaBank {
    /// Filters for a spectrum of `1 + n_fft / 2` bins and a tuning in semitones above 440 Hz.
    ///
    /// ```
    /// use cratedigger_dsp::ChromaBank;
    ///
    /// let bank = ChromaBank::new(22_050.0, 2048, 0.0)?;
    /// assert_eq!(bank.bins(), 1025);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// An `n_fft` that [`crate::Stft`] refuses, a sample rate that is not positive, or a tuning
    /// that is not finite.
    pub fn new(sample_rate: f64, n_fft: usize, tuning: f64) -> Result<Self, DspError> {
        check_n_fft(n_fft)?;
        check_rate(sample_rate)?;
        if !tuning.is_finite() {
            return Err(DspError::Parameter { name: "tuning", value: tuning, reason: "a number is needed" });
        }
        let bins = n_fft / 2 + 1;
        let mut this = Self { bins, weights: Vec::new() };
        this.tune(sample_rate, n_fft, tuning);
        Ok(this)
    }

    /// Recomputes the filters for another tuning, without allocating.
    pub(crate) fn tune(&mut self, sample_rate: f64, n_fft: usize, tuning: f64) {
        const CENTRE_OCTAVE: f64 = 5.0;
        const OCTAVE_WIDTH: f64 = 2.0;
        let semitone = |bin: usize| {
            let hz = bin as f64 * sample_rate / n_fft as f64;
            CHROMA as f64 * octaves(hz) - tuning
        };
        // librosa places 0 Hz one and a half octaves below the first bin.
        let place = |bin: usize| if bin == 0 { semitone(1) - 1.5 * CHROMA as f64 } else { semitone(bin) };
        self.weights.clear();
        self.weights.resize(self.bins.div_ceil(LANES), [f32x4::ZERO; CHROMA]);
        let mut here = place(0);
        for bin in 0..self.bins {
            let next = place(bin + 1);
            let width = (next - here).max(1.0);
            let mut column = [0.0; CHROMA];
            for (class, value) in column.iter_mut().enumerate() {
                let half = CHROMA as f64 / 2.0;
                let distance = (here - class as f64 + half).rem_euclid(CHROMA as f64) - half;
                *value = (-0.5 * (2.0 * distance / width).powi(2)).exp();
            }
            let norm = column.iter().map(|v| v * v).sum::<f64>().sqrt();
            let octave = here / CHROMA as f64;
            let gain = (-0.5 * ((octave - CENTRE_OCTAVE) / OCTAVE_WIDTH).powi(2)).exp() / norm;
            for (class, weights) in self.weights[bin / LANES].iter_mut().enumerate() {
                // Computed from A, stored from C.
                weights.as_mut_array()[bin % LANES] = (column[(class + 3) % CHROMA] * gain) as f32;
            }
            here = next;
        }
    }

    /// Number of bins of the spectra that the filters expect.
    ///
    /// ```
    /// use cratedigger_dsp::ChromaBank;
    ///
    /// assert_eq!(ChromaBank::new(22_050.0, 4096, 0.0)?.bins(), 2049);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// The weight of a bin for a pitch class; 0 outside.
    ///
    /// ```
    /// use cratedigger_dsp::ChromaBank;
    ///
    /// let bank = ChromaBank::new(22_050.0, 2048, 0.0)?;
    /// // Bin 41 is at 441 Hz, an A: class 9, counted from C.
    /// assert!(bank.weight(9, 41) > 10.0 * bank.weight(0, 41));
    /// assert_eq!(bank.weight(12, 41), 0.0);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn weight(&self, class: usize, bin: usize) -> f32 {
        let weights = self.weights.get(bin / LANES).and_then(|block| block.get(class));
        weights.map_or(0.0, |weights| weights.as_array()[bin % LANES])
    }

    /// Sums a power spectrum into pitch classes and divides by the largest of them
    /// (`librosa.feature.chroma_stft`). Silence stays 0. Missing bins and bins
    /// beyond the filters are ignored.
    ///
    /// ```
    /// use cratedigger_dsp::ChromaBank;
    ///
    /// let mut power = [0.0; 1025];
    /// power[41] = 1.0; // 441 Hz
    /// let chroma = ChromaBank::new(22_050.0, 2048, 0.0)?.apply(&power);
    /// assert_eq!(chroma[9], 1.0); // A
    /// assert!(chroma[3] < 0.01); // D♯
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn apply(&self, power: &[f32]) -> [f32; CHROMA] {
        let mut sums = [f32x4::ZERO; CHROMA];
        let (blocks, rest) = power.as_chunks::<LANES>();
        let mut last = [0.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        for (block, weights) in blocks.iter().chain([&last]).zip(&self.weights) {
            let power = f32x4::new(*block);
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += power * *weight;
            }
        }
        let mut out = sums.map(|sum| sum.reduce_add());
        let max = out.iter().copied().fold(0.0, f32::max);
        if max >= f32::MIN_POSITIVE {
            out.iter_mut().for_each(|v| *v /= max);
        }
        out
    }
}

/// The tonal centroid of a chroma vector: its coordinates on the circles of fifths, minor thirds and
/// major thirds, two for each (`librosa.feature.tonnetz(chroma=…)`).
///
/// Source: C. Harte et al., *Detecting harmonic change in musical audio* (2006).
///
/// ```
/// use cratedigger_dsp::{CHROMA, tonnetz};
///
/// let mut chroma = [0.0; CHROMA];
/// chroma[0] = 1.0; // C alone lies at the angle 0 of every circle
/// assert_eq!(tonnetz(&chroma), [0.0, 1.0, 0.0, 1.0, 0.0, 0.5]);
/// ```
pub fn tonnetz(chroma: &[f32; CHROMA]) -> [f32; TONNETZ] {
    /// Rotation per semitone in units of π, and radius, of each circle.
    const CIRCLES: [(f64, f64); 3] = [(7.0 / 6.0, 1.0), (3.0 / 2.0, 1.0), (2.0 / 3.0, 0.5)];
    let sum: f64 = chroma.iter().map(|v| f64::from(v.abs())).sum();
    let divisor = if sum < f64::from(f32::MIN_POSITIVE) { 1.0 } else { sum };
    let mut out = [0.0; TONNETZ];
    for ((turn, radius), pair) in CIRCLES.into_iter().zip(out.chunks_exact_mut(2)) {
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (class, value) in chroma.iter().enumerate() {
            let (s, c) = (std::f64::consts::PI * turn * class as f64).sin_cos();
            sine += f64::from(*value) * s;
            cosine += f64::from(*value) * c;
        }
        pair[0] = (radius * sine / divisor) as f32;
        pair[1] = (radius * cosine / divisor) as f32;
    }
    out
}

/// Deviation of a recording's tuning from 440 Hz, with a resolution of 0.01 semitones:
/// `librosa.estimate_tuning(S=…)` with its defaults.
///
/// Peaks of every spectrum between 150 Hz and 4 kHz are interpolated between bins by a parabola.
/// The result is the most frequent deviation from the chromatic scale among the peaks above the
/// median.
#[derive(Default)]
pub struct Tuning {
    /// Frequency in Hz and magnitude of the peaks so far.
    peaks: Vec<(f32, f32)>,
    heights: Vec<f32>,
}

impl Tuning {
    /// Removes all peaks.
    ///
    /// ```
    /// use cratedigger_dsp::Tuning;
    ///
    /// let mut tuning = Tuning::default();
    /// tuning.add(&[0.0, 0.0, 1.0, 0.0, 0.0], 100.0); // a peak at 200 Hz
    /// assert_ne!(tuning.estimate(), 0.0);
    /// tuning.clear();
    /// assert_eq!(tuning.estimate(), 0.0);
    /// ```
    pub fn clear(&mut self) {
        self.peaks.clear();
    }

    /// Adds the peaks of one power spectrum whose bins are `bin_hz` apart. (librosa's `chroma_stft`
    /// passes powers to `estimate_tuning`, not magnitudes.)
    ///
    /// ```
    /// use cratedigger_dsp::Tuning;
    ///
    /// let mut tuning = Tuning::default();
    /// tuning.add(&[0.0, 0.0, 1.0, 0.0, 0.0], 220.0); // a peak at 440 Hz
    /// assert_eq!(tuning.estimate(), 0.0);
    /// ```
    pub fn add(&mut self, power: &[f32], bin_hz: f64) {
        const THRESHOLD: f32 = 0.1;
        let max = crate::largest(power);
        let threshold = THRESHOLD * max;
        let first = (150.0 / bin_hz).ceil() as usize;
        let end = ((4000.0 / bin_hz).ceil() as usize).min(power.len());
        for bin in first.max(1)..end {
            let here = power[bin];
            // The last bin has no neighbour for a parabola.
            if here <= threshold || bin + 1 >= power.len() {
                continue;
            }
            let (below, above) = (power[bin - 1], power[bin + 1]);
            // librosa sets neighbours below the threshold to 0, which is also less than `here`.
            let masked = |p: f32| if p > threshold { p } else { 0.0 };
            if !(here > masked(below) && here >= masked(above)) {
                continue;
            }
            let curvature = above + below - 2.0 * here;
            let slope = (above - below) / 2.0;
            let shift = if slope.abs() >= curvature.abs() { 0.0 } else { -slope / curvature };
            let hz = (f64::from(shift) + bin as f64) * bin_hz;
            self.peaks.push((hz as f32, here + 0.5 * slope * shift));
        }
    }

    /// The tuning of all peaks so far in semitones, −0.5…0.49; 0 without peaks.
    ///
    /// ```
    /// use cratedigger_dsp::{Stft, Tuning};
    ///
    /// let tone: Vec<f32> = (0..8192).map(|i| (0.126_83 * i as f32).sin()).collect(); // 445.1 Hz
    /// let mut stft = Stft::new(4096)?;
    /// let mut power = vec![0.0; stft.bins()];
    /// stft.power(&tone, 4096, &mut power)?;
    /// let mut tuning = Tuning::default();
    /// tuning.add(&power, 22_050.0 / 4096.0);
    /// assert!((tuning.estimate() - 0.2).abs() < 0.05); // 20 cents above 440 Hz
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn estimate(&mut self) -> f64 {
        const STEPS: usize = 100;
        let n = self.peaks.len();
        if n == 0 {
            return 0.0;
        }
        self.heights.clear();
        self.heights.extend(self.peaks.iter().map(|(_, height)| *height));
        let threshold = crate::median_of(&mut self.heights);
        let edge = |i: usize| -0.5 + i as f64 / STEPS as f64;
        let mut counts = [0_u32; STEPS];
        for (hz, _) in self.peaks.iter().filter(|(_, height)| *height >= threshold) {
            let mut residual = (CHROMA as f64 * octaves(f64::from(*hz))).rem_euclid(1.0);
            if residual >= 0.5 {
                residual -= 1.0;
            }
            let mut step = (((residual + 0.5) * STEPS as f64) as usize).min(STEPS - 1);
            // The result of a search among the edges, independent of how the product is rounded.
            if step > 0 && residual < edge(step) {
                step -= 1;
            } else if step + 1 < STEPS && residual >= edge(step + 1) {
                step += 1;
            }
            counts[step] += 1;
        }
        let mut best = 0;
        for (step, count) in counts.iter().enumerate() {
            if *count > counts[best] {
                best = step;
            }
        }
        edge(best)
    }
}

/// A spectrum on a musical scale: the power at frequencies `fmin · 2^(i / bins_per_octave)`,
/// interpolated between the two bins around each.
pub struct LogFrequencyBank {
    /// Lower bin, and the fraction of the distance to the next one.
    places: Vec<(usize, f32)>,
    bins: usize,
}

impl LogFrequencyBank {
    /// Plans `n_bins` frequencies from `fmin` upwards.
    ///
    /// ```
    /// use cratedigger_dsp::LogFrequencyBank;
    ///
    /// // Seven octaves of semitones from A0.
    /// let bank = LogFrequencyBank::new(22_050.0, 2048, 27.5, 12, 84)?;
    /// assert_eq!(bank.bands(), 84);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// No bins, an `n_fft` that [`crate::Stft`] refuses, or frequencies that do not lie within
    /// 0 < f ≤ sample rate / 2.
    pub fn new(
        sample_rate: f64,
        n_fft: usize,
        fmin: f64,
        bins_per_octave: usize,
        n_bins: usize,
    ) -> Result<Self, DspError> {
        let refuse = |name, value, reason| Err(DspError::Parameter { name, value, reason });
        check_n_fft(n_fft)?;
        check_rate(sample_rate)?;
        if bins_per_octave == 0 {
            return refuse("bins_per_octave", 0.0, "at least one is needed");
        }
        if n_bins == 0 {
            return refuse("n_bins", 0.0, "at least one is needed");
        }
        if !(fmin.is_finite() && fmin > 0.0) {
            return refuse("fmin", fmin, "a positive frequency is needed");
        }
        let hz = |i: usize| fmin * (i as f64 / bins_per_octave as f64).exp2();
        let highest = hz(n_bins - 1);
        if !highest.is_finite() || highest > sample_rate / 2.0 {
            return refuse("n_bins", n_bins as f64, "the highest lies above half the sample rate");
        }
        let bins = n_fft / 2 + 1;
        let places = (0..n_bins)
            .map(|i| {
                let place = hz(i) * n_fft as f64 / sample_rate;
                let below = (place as usize).min(bins.saturating_sub(2));
                (below, (place - below as f64) as f32)
            })
            .collect();
        Ok(Self { places, bins })
    }

    /// Number of frequencies.
    ///
    /// ```
    /// use cratedigger_dsp::LogFrequencyBank;
    ///
    /// assert_eq!(LogFrequencyBank::new(22_050.0, 2048, 55.0, 24, 48)?.bands(), 48);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn bands(&self) -> usize {
        self.places.len()
    }

    /// Interpolates a power spectrum of `1 + n_fft / 2` bins.
    ///
    /// ```
    /// use cratedigger_dsp::LogFrequencyBank;
    ///
    /// let bank = LogFrequencyBank::new(8000.0, 8, 1000.0, 2, 3)?; // bins are 1 kHz apart
    /// let mut out = [0.0; 3];
    /// bank.apply(&[0.0, 1.0, 2.0, 3.0, 4.0], &mut out)?; // 1 per kHz
    /// assert!((out[0] - 1.0).abs() < 1e-6 && (out[1] - 2_f32.sqrt()).abs() < 1e-6 && (out[2] - 2.0).abs() < 1e-6);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A buffer of the wrong length.
    pub fn apply(&self, power: &[f32], out: &mut [f32]) -> Result<(), DspError> {
        crate::check_length("power", self.bins, power.len())?;
        crate::check_length("out", self.bands(), out.len())?;
        for (value, (below, fraction)) in out.iter_mut().zip(&self.places) {
            let (low, high) = (power[*below], power[*below + 1]);
            *value = low + fraction * (high - low);
        }
        Ok(())
    }
}
