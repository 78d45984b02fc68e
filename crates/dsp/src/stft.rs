//! The short-time Fourier transform, one frame at a time, and its inverse.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};
use wide::f32x4;

use crate::spectra::LANES;
use crate::{DspError, check_length};

/// A periodic Hann window of `n` values, `0.5 − 0.5·cos(2πk/n)`, as
/// `scipy.signal.get_window("hann", n)`.
///
/// ```
/// assert_eq!(cratedigger_dsp::hann(4), [0.0, 0.5, 1.0, 0.5]);
/// ```
pub fn hann(n: usize) -> Vec<f32> {
    (0..n)
        .map(|k| {
            let phase = std::f64::consts::TAU * k as f64 / n as f64;
            (0.5 - 0.5 * phase.cos()) as f32
        })
        .collect()
}

/// Rejects unsupported lengths.
pub(crate) fn check_n_fft(n_fft: usize) -> Result<(), DspError> {
    if !(2..=MAX_N_FFT).contains(&n_fft) || !n_fft.is_multiple_of(2) {
        return Err(DspError::Parameter {
            name: "n_fft",
            value: n_fft as f64,
            reason: "an even number between 2 and a million is needed",
        });
    }
    Ok(())
}

/// The longest frame: with samples up to [`crate::LOUDEST`], its power is still finite.
const MAX_N_FFT: usize = 1 << 20;

/// A planned real FFT with window and buffers; transforms frames without allocating.
pub struct Stft {
    n_fft: usize,
    window: Vec<f32>,
    plan: Arc<dyn RealToComplex<f32>>,
    frame: Vec<f32>,
    scratch: Vec<Complex32>,
    power: PowerPlan,
}

impl Stft {
    /// Plans frames of `n_fft` samples under a periodic Hann window of the same length.
    ///
    /// ```
    /// use cratedigger_dsp::Stft;
    ///
    /// assert!(Stft::new(2048).is_ok());
    /// assert!(Stft::new(2047).is_err());
    /// ```
    ///
    /// # Errors
    /// `n_fft` below 2, above 2²⁰ or odd.
    pub fn new(n_fft: usize) -> Result<Self, DspError> {
        check_n_fft(n_fft)?;
        let plan = RealFftPlanner::<f32>::new().plan_fft_forward(n_fft);
        Ok(Self {
            n_fft,
            window: hann(n_fft),
            frame: plan.make_input_vec(),
            scratch: plan.make_scratch_vec(),
            power: PowerPlan::new(n_fft),
            plan,
        })
    }

    /// Samples per frame.
    ///
    /// ```
    /// assert_eq!(cratedigger_dsp::Stft::new(2048)?.n_fft(), 2048);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn n_fft(&self) -> usize {
        self.n_fft
    }

    /// Values of a spectrum: `1 + n_fft / 2`, from 0 Hz to the Nyquist frequency.
    ///
    /// ```
    /// assert_eq!(cratedigger_dsp::Stft::new(2048)?.bins(), 1025);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn bins(&self) -> usize {
        self.n_fft / 2 + 1
    }

    /// Spectrum X of the frame centred at sample `centre`, with zeros outside the signal: column
    /// `t` of `librosa.stft(y, n_fft=…, hop_length=h)` for `centre = t·h`. Writes [`Stft::bins`]
    /// values.
    ///
    /// The samples must be finite; [`crate::downmix`] and [`crate::Resampler`] ensure this.
    ///
    /// ```
    /// use cratedigger_dsp::{Complex32, Stft};
    ///
    /// let mut stft = Stft::new(8)?;
    /// let mut spectrum = [Complex32::default(); 5];
    /// stft.spectrum(&[1.0; 16], 8, &mut spectrum)?;
    /// // A constant under a Hann window: half the number of samples at 0 Hz, and half of that, negative, beside it.
    /// assert!((spectrum[0].re - 4.0).abs() < 1e-6 && (spectrum[1].norm() - 2.0).abs() < 1e-6);
    /// assert!(spectrum[2].norm() < 1e-6);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// `out` of the wrong length.
    pub fn spectrum(&mut self, signal: &[f32], centre: usize, out: &mut [Complex32]) -> Result<(), DspError> {
        check_length("out", self.bins(), out.len())?;
        self.cut(signal, centre);
        self.plan
            .process_with_scratch(&mut self.frame, out, &mut self.scratch)
            .map_err(|e| DspError::Library(e.to_string()))
    }

    /// Power spectrum |X|² of a frame; otherwise as [`Stft::spectrum`]: column `t` of
    /// `np.abs(librosa.stft(y, n_fft=…, hop_length=h))**2`.
    ///
    /// ```
    /// use cratedigger_dsp::Stft;
    ///
    /// let mut stft = Stft::new(8)?;
    /// let mut power = [0.0; 5];
    /// stft.power(&[1.0; 16], 8, &mut power)?;
    /// assert!((power[0] - 16.0).abs() < 1e-5 && (power[1] - 4.0).abs() < 1e-5 && power[2] < 1e-5);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// `out` of the wrong length.
    pub fn power(&mut self, signal: &[f32], centre: usize, out: &mut [f32]) -> Result<(), DspError> {
        check_length("out", self.bins(), out.len())?;
        self.cut(signal, centre);
        self.power.process(&self.frame, out);
        Ok(())
    }

    /// Writes the windowed samples around `centre` to `frame`.
    fn cut(&mut self, signal: &[f32], centre: usize) {
        let half = self.n_fft / 2;
        // The part of the frame inside the signal.
        let begin = half.saturating_sub(centre);
        let end = (signal.len() + half).saturating_sub(centre).min(self.n_fft).max(begin);
        self.frame[..begin].fill(0.0);
        self.frame[end..].fill(0.0);
        if end > begin {
            let first = centre + begin - half;
            let inside = &signal[first..first + (end - begin)];
            for ((value, sample), weight) in
                self.frame[begin..end].iter_mut().zip(inside).zip(&self.window[begin..end])
            {
                *value = sample * weight;
            }
        }
    }
}

/// A real transform that only computes powers, which most features begin with.
///
/// Even and odd samples become the real and imaginary parts of a signal of half the length. The
/// spectrum Z of that signal gives the spectra E and O of even and odd samples, and these give the
/// bins k and n/2 − k, `X = E ± exp(−2πik/n)·O`. Four such pairs are computed at once. realfft
/// computes them one by one, which takes longer than the transform itself.
struct PowerPlan {
    fft: Arc<dyn Fft<f32>>,
    packed: Vec<Complex32>,
    scratch: Vec<Complex32>,
    /// exp(−2πik/n) for k from 1.
    twiddles: Vec<Complex32>,
}

impl PowerPlan {
    /// `n_fft` must be even.
    fn new(n_fft: usize) -> Self {
        let half = n_fft / 2;
        let fft = FftPlanner::new().plan_fft_forward(half);
        let twiddle = |k: usize| {
            let (sin, cos) = (std::f64::consts::TAU * k as f64 / n_fft as f64).sin_cos();
            Complex32::new(cos as f32, -sin as f32)
        };
        Self {
            packed: vec![Complex32::default(); half],
            scratch: vec![Complex32::default(); fft.get_inplace_scratch_len()],
            twiddles: (1..=half / 2).map(twiddle).collect(),
            fft,
        }
    }

    /// Writes `1 + n_fft / 2` powers.
    fn process(&mut self, frame: &[f32], out: &mut [f32]) {
        let (pairs, _) = frame.as_chunks::<2>();
        for (packed, [even, odd]) in self.packed.iter_mut().zip(pairs) {
            *packed = Complex32::new(*even, *odd);
        }
        self.fft.process_with_scratch(&mut self.packed, &mut self.scratch);
        let (z, half) = (&self.packed, self.packed.len());
        out[0] = (z[0].re + z[0].im).powi(2);
        out[half] = (z[0].re - z[0].im).powi(2);
        let (blocks, rest) = self.twiddles.as_chunks::<LANES>();
        for (block, w) in blocks.iter().enumerate() {
            let k = 1 + block * LANES;
            // The partners of bins k, k + 1, … are at the other end.
            let last = half - k + 1;
            let (Some(a), Some(mut b)) = (z[k..].first_chunk().copied(), z[..last].last_chunk().copied())
            else {
                return; // unreachable: each factor has two bins
            };
            b.reverse();
            let (low, mut high) = powers(a, b, *w);
            high.reverse();
            out[k..k + LANES].copy_from_slice(&low);
            out[last - LANES..last].copy_from_slice(&high);
        }
        for (k, w) in (1 + blocks.len() * LANES..).zip(rest) {
            let (low, high) = powers([z[k]; LANES], [z[half - k]; LANES], [*w; LANES]);
            (out[k], out[half - k]) = (low[0], high[0]);
        }
    }
}

/// The powers of four bins k and their partners n/2 − k, from Z at both and exp(−2πik/n).
#[inline(always)]
fn powers(
    a: [Complex32; LANES],
    b: [Complex32; LANES],
    w: [Complex32; LANES],
) -> ([f32; LANES], [f32; LANES]) {
    let parts = |v: [Complex32; LANES]| (f32x4::new(v.map(|c| c.re)), f32x4::new(v.map(|c| c.im)));
    let ((a_re, a_im), (b_re, b_im), (w_re, w_im)) = (parts(a), parts(b), parts(w));
    // Twice E and twice O.
    let (e_re, e_im) = (a_re + b_re, a_im - b_im);
    let (o_re, o_im) = (a_im + b_im, b_re - a_re);
    let (t_re, t_im) = (w_re * o_re - w_im * o_im, w_re * o_im + w_im * o_re);
    let power = |re: f32x4, im: f32x4| ((re * re + im * im) * f32x4::splat(0.25)).to_array();
    (power(e_re + t_re, e_im + t_im), power(e_re - t_re, e_im - t_im))
}

/// A planned inverse of [`Stft`]: frames are windowed again, overlap-added and divided by the sum of
/// the squared windows: `librosa.istft(X, n_fft=…, hop_length=h, length=n)`.
pub struct Istft {
    hop_length: usize,
    window: Vec<f32>,
    plan: Arc<dyn ComplexToReal<f32>>,
    frame: Vec<f32>,
    scratch: Vec<Complex32>,
    /// Sum of the squared windows at each sample so far.
    weight: Vec<f32>,
}

impl Istft {
    /// Plans frames of `n_fft` samples that are `hop_length` samples apart.
    ///
    /// ```
    /// use cratedigger_dsp::Istft;
    ///
    /// assert!(Istft::new(2048, 512).is_ok());
    /// assert!(Istft::new(2048, 0).is_err());
    /// ```
    ///
    /// # Errors
    /// `n_fft` below 2 or odd, `hop_length` 0.
    pub fn new(n_fft: usize, hop_length: usize) -> Result<Self, DspError> {
        check_n_fft(n_fft)?;
        check_hop(hop_length)?;
        let plan = RealFftPlanner::<f32>::new().plan_fft_inverse(n_fft);
        Ok(Self {
            hop_length,
            window: hann(n_fft),
            frame: plan.make_output_vec(),
            scratch: plan.make_scratch_vec(),
            plan,
            weight: Vec::new(),
        })
    }

    /// Begins a signal of `samples` samples: fills `out` with as many zeros.
    ///
    /// ```
    /// use cratedigger_dsp::Istft;
    ///
    /// let mut out = vec![1.0; 3];
    /// Istft::new(2048, 512)?.begin(1000, &mut out);
    /// assert_eq!(out, [0.0; 1000]);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn begin(&mut self, samples: usize, out: &mut Vec<f32>) {
        for values in [&mut self.weight, out] {
            values.clear();
            values.resize(samples, 0.0);
        }
    }

    /// Adds frame number `frame`. The spectrum is overwritten: the FFT uses it as scratch space.
    ///
    /// ```
    /// use cratedigger_dsp::{Complex32, Istft, Stft};
    ///
    /// let signal: Vec<f32> = (0..1000).map(|i| (0.1 * i as f32).sin()).collect();
    /// let (mut stft, mut istft) = (Stft::new(256)?, Istft::new(256, 64)?);
    /// let (mut spectrum, mut out) = (vec![Complex32::default(); stft.bins()], Vec::new());
    /// istft.begin(signal.len(), &mut out);
    /// for frame in 0..=signal.len() / 64 {
    ///     stft.spectrum(&signal, frame * 64, &mut spectrum)?;
    ///     istft.add(frame, &mut spectrum, &mut out)?;
    /// }
    /// istft.finish(&mut out)?;
    /// assert!(out.iter().zip(&signal).all(|(a, b)| (a - b).abs() < 1e-5));
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A spectrum of the wrong length, or an `out` of another length than at [`Istft::begin`].
    pub fn add(&mut self, frame: usize, spectrum: &mut [Complex32], out: &mut [f32]) -> Result<(), DspError> {
        check_length("spectrum", self.window.len() / 2 + 1, spectrum.len())?;
        check_length("out", self.weight.len(), out.len())?;
        // A real signal has real values here; rounding or a mask may have left an imaginary part.
        if let [first, .., last] = spectrum {
            (first.im, last.im) = (0.0, 0.0);
        }
        self.plan
            .process_with_scratch(spectrum, &mut self.frame, &mut self.scratch)
            .map_err(|e| DspError::Library(e.to_string()))?;
        let n_fft = self.window.len();
        let (half, centre) = (n_fft / 2, frame.saturating_mul(self.hop_length));
        let begin = half.saturating_sub(centre);
        let end = (out.len() + half).saturating_sub(centre).min(n_fft);
        if end <= begin {
            return Ok(());
        }
        let first = centre + begin - half;
        let scale = 1.0 / n_fft as f32;
        let here = first..first + (end - begin);
        let frame = &self.frame[begin..end];
        let window = &self.window[begin..end];
        for ((value, sample), weight) in out[here.clone()].iter_mut().zip(frame).zip(window) {
            *value += sample * weight * scale;
        }
        for (sum, weight) in self.weight[here].iter_mut().zip(window) {
            *sum += weight * weight;
        }
        Ok(())
    }

    /// Whether a window covers a sample.
    pub(crate) fn reaches(&self, sample: usize) -> bool {
        self.weight.get(sample).is_some_and(|weight| *weight > f32::MIN_POSITIVE)
    }

    /// Ends the signal: divides by the sum of the squared windows.
    ///
    /// ```
    /// use cratedigger_dsp::{Complex32, Istft};
    ///
    /// let (mut istft, mut out) = (Istft::new(4, 2)?, Vec::new());
    /// istft.begin(4, &mut out);
    /// let mut spectrum = [4.0, 0.0, 0.0].map(|re| Complex32::new(re, 0.0)); // the constant 1
    /// istft.add(1, &mut spectrum, &mut out)?;
    /// assert_eq!(out, [0.0, 0.5, 1.0, 0.5]); // windowed
    /// istft.finish(&mut out)?;
    /// assert_eq!(out, [0.0, 2.0, 1.0, 2.0]); // divided by the squared window
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// An `out` of another length than at [`Istft::begin`].
    pub fn finish(&mut self, out: &mut [f32]) -> Result<(), DspError> {
        check_length("out", self.weight.len(), out.len())?;
        for (value, weight) in out.iter_mut().zip(&self.weight) {
            // Samples without a window stay as they are.
            if *weight > f32::MIN_POSITIVE {
                *value /= weight;
            }
        }
        Ok(())
    }
}

/// Rejects a hop of 0 samples.
pub(crate) fn check_hop(hop_length: usize) -> Result<(), DspError> {
    if hop_length == 0 {
        return Err(DspError::Parameter {
            name: "hop_length",
            value: 0.0,
            reason: "at least one sample is needed",
        });
    }
    Ok(())
}
