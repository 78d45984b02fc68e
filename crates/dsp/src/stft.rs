//! The short-time Fourier transform, one frame at a time.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};

use crate::{DspError, check_length};

/// A periodic Hann window of `n` values, `0.5 − 0.5·cos(2πk/n)`, as
/// `scipy.signal.get_window("hann", n)`.
pub fn hann(n: usize) -> Vec<f32> {
    (0..n)
        .map(|k| {
            let phase = std::f64::consts::TAU * k as f64 / n as f64;
            (0.5 - 0.5 * phase.cos()) as f32
        })
        .collect()
}

/// A planned real FFT with its window and its buffers; makes power spectra without allocating.
pub struct Stft {
    n_fft: usize,
    window: Vec<f32>,
    plan: Arc<dyn RealToComplex<f32>>,
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

impl Stft {
    /// Plans frames of `n_fft` samples under a periodic Hann window of the same length.
    ///
    /// # Errors
    /// `n_fft` below 2 or odd.
    pub fn new(n_fft: usize) -> Result<Self, DspError> {
        if n_fft < 2 || !n_fft.is_multiple_of(2) {
            return Err(DspError::Parameter {
                name: "n_fft",
                value: n_fft as f64,
                reason: "an even number of at least 2 is needed",
            });
        }
        let plan = RealFftPlanner::<f32>::new().plan_fft_forward(n_fft);
        Ok(Self {
            n_fft,
            window: hann(n_fft),
            frame: plan.make_input_vec(),
            spectrum: plan.make_output_vec(),
            scratch: plan.make_scratch_vec(),
            plan,
        })
    }

    /// Samples a frame.
    pub fn n_fft(&self) -> usize {
        self.n_fft
    }

    /// Values of a spectrum: `1 + n_fft / 2`, from 0 Hz to the Nyquist frequency.
    pub fn bins(&self) -> usize {
        self.n_fft / 2 + 1
    }

    /// Power spectrum |X|² of the frame centred at sample `centre`, with zeros outside the
    /// signal: column `t` of `np.abs(librosa.stft(y, n_fft=…, hop_length=h))**2` for
    /// `centre = t·h`. Writes [`Stft::bins`] values.
    ///
    /// The samples must be finite; [`crate::downmix`] and [`crate::Resampler`] see to that.
    ///
    /// # Errors
    /// `out` of the wrong length.
    pub fn power(&mut self, signal: &[f32], centre: usize, out: &mut [f32]) -> Result<(), DspError> {
        check_length("out", self.bins(), out.len())?;
        let half = self.n_fft / 2;
        // The part of the frame that lies inside the signal.
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
        self.plan
            .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
            .map_err(|e| DspError::Library(e.to_string()))?;
        for (power, value) in out.iter_mut().zip(&self.spectrum) {
            *power = value.norm_sqr();
        }
        Ok(())
    }
}
