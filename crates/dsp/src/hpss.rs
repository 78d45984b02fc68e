//! Harmonic–percussive source separation.

use realfft::num_complex::Complex32;
use wide::f32x4;

use crate::median::RunningMedian;
use crate::spectra::{LANES, Spectra};
use crate::stft::check_hop;
use crate::{DspError, Istft, Stft, check_finite};

/// Splits a signal into a harmonic part (stable in frequency) and a percussive part (short in time):
/// `librosa.effects.hpss` with its defaults, which are medians over 31 frames and 31 bins, and soft
/// masks of power 2 without a margin.
///
/// Source: D. Fitzgerald, *Harmonic/percussive separation using median filtering* (DAFx 2010).
pub struct Hpss {
    spectra: Spectra,
    masks: Separator,
}

impl Hpss {
    /// Plans transforms of `n_fft` samples, `hop_length` samples apart. librosa's defaults are
    /// 2048 and 512.
    ///
    /// ```
    /// use cratedigger_dsp::Hpss;
    ///
    /// assert!(Hpss::new(2048, 512).is_ok());
    /// assert!(Hpss::new(2047, 512).is_err());
    /// ```
    ///
    /// # Errors
    /// `n_fft` odd or below 2, `hop_length` 0.
    pub fn new(n_fft: usize, hop_length: usize) -> Result<Self, DspError> {
        check_hop(hop_length)?;
        Ok(Self { spectra: Spectra::new(n_fft, hop_length)?, masks: Separator::new(n_fft, hop_length)? })
    }

    /// The harmonic and the percussive part, each as long as the signal. Their sum is the signal,
    /// except in gaps between frames if the hop is longer than a frame.
    ///
    /// ```
    /// use cratedigger_dsp::Hpss;
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect();
    /// let mut hpss = Hpss::new(2048, 512)?;
    /// let (harmonic, percussive) = hpss.separate(&tone)?;
    /// let energy = |part: &[f32]| part.iter().map(|sample| sample * sample).sum::<f32>();
    /// assert!(energy(percussive) < 0.01 * energy(harmonic));
    /// assert!(harmonic.iter().zip(percussive).zip(&tone).all(|((h, p), all)| (h + p - all).abs() < 1e-5));
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A sample that is NaN, infinite or beyond [`crate::LOUDEST`].
    pub fn separate(&mut self, signal: &[f32]) -> Result<(&[f32], &[f32]), DspError> {
        check_finite(signal)?;
        self.spectra.transform(signal)?;
        self.masks.separate(signal, &self.spectra)
    }
}

/// The part of [`Hpss`] after the transform, for callers that already have one.
pub(crate) struct Separator {
    stft: Stft,
    hop_length: usize,
    istft: Istft,
    median: RunningMedian,
    /// Medians of the power over time, in the layout of [`Spectra::power`].
    over_time: Vec<f32>,
    spectrum: Vec<Complex32>,
    harmonic: Vec<f32>,
    percussive: Vec<f32>,
}

impl Separator {
    pub(crate) fn new(n_fft: usize, hop_length: usize) -> Result<Self, DspError> {
        Ok(Self {
            stft: Stft::new(n_fft)?,
            hop_length,
            istft: Istft::new(n_fft, hop_length)?,
            median: RunningMedian::default(),
            over_time: Vec::new(),
            spectrum: vec![Complex32::default(); n_fft / 2 + 1],
            harmonic: Vec::new(),
            percussive: Vec::new(),
        })
    }

    pub(crate) fn separate(
        &mut self,
        signal: &[f32],
        spectra: &Spectra,
    ) -> Result<(&[f32], &[f32]), DspError> {
        self.over_time(spectra);
        self.istft.begin(signal.len(), &mut self.harmonic);
        let frames = spectra.frames();
        for first in (0..frames).step_by(LANES) {
            // Four frames at once; the last group repeats some frames.
            let rows: [&[f32]; LANES] =
                std::array::from_fn(|lane| spectra.power_frame((first + lane).min(frames - 1)));
            let over_bins =
                self.median.run(spectra.bins(), |k| f32x4::new(std::array::from_fn(|lane| rows[lane][k])));
            for (lane, frame) in (first..frames.min(first + LANES)).enumerate() {
                let harmonic = &self.over_time[frame * spectra.stride()..][..spectra.bins()];
                self.stft.spectrum(signal, frame * self.hop_length, &mut self.spectrum)?;
                for ((value, harmonic), percussive) in self.spectrum.iter_mut().zip(harmonic).zip(over_bins) {
                    // Masks of squared magnitudes: the median of squares is the square of the
                    // median. Silence is split evenly.
                    let sum = harmonic + percussive.as_array()[lane];
                    *value *= if sum < f32::MIN_POSITIVE { 0.5 } else { harmonic / sum };
                }
                self.istft.add(frame, &mut self.spectrum, &mut self.harmonic)?;
            }
        }
        self.istft.finish(&mut self.harmonic)?;
        // The masks sum to one and the transform is linear, so the percussive part is the signal minus the
        // harmonic part. In gaps between frames, both parts are 0, as in librosa.
        self.percussive.clear();
        let parts = signal.iter().zip(&self.harmonic).enumerate();
        let istft = &self.istft;
        self.percussive.extend(
            parts.map(|(at, (whole, harmonic))| if istft.reaches(at) { whole - harmonic } else { 0.0 }),
        );
        Ok((&self.harmonic, &self.percussive))
    }

    /// Medians along time of all bins.
    fn over_time(&mut self, spectra: &Spectra) {
        let (power, stride) = (spectra.power(), spectra.stride());
        self.over_time.clear();
        self.over_time.resize(power.len(), 0.0);
        for bin in (0..spectra.bins()).step_by(LANES) {
            let medians = self.median.run(spectra.frames(), |frame| {
                let at = frame * stride + bin;
                f32x4::new([power[at], power[at + 1], power[at + 2], power[at + 3]])
            });
            for (row, median) in self.over_time.chunks_exact_mut(stride).zip(medians) {
                row[bin..bin + LANES].copy_from_slice(median.as_array());
            }
        }
    }
}
