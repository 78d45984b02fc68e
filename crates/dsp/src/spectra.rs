//! The transform of a whole window, which all features share.

use realfft::num_complex::Complex32;

use crate::{DspError, Stft};

/// Values that are worked on side by side.
pub(crate) const LANES: usize = 4;

/// Spectra and power spectra of a window's frames, frame after frame.
pub(crate) struct Spectra {
    stft: Stft,
    hop_length: usize,
    stride: usize,
    frames: usize,
    spectra: Vec<Complex32>,
    power: Vec<f32>,
}

impl Spectra {
    pub(crate) fn new(n_fft: usize, hop_length: usize) -> Result<Self, DspError> {
        let stft = Stft::new(n_fft)?;
        // Rows are filled up with zeros to whole vectors, so that no loop over bins needs an end.
        let stride = stft.bins().next_multiple_of(LANES);
        Ok(Self { stft, hop_length, stride, frames: 0, spectra: Vec::new(), power: Vec::new() })
    }

    /// Transforms `1 + n / hop_length` frames.
    pub(crate) fn transform(&mut self, signal: &[f32]) -> Result<(), DspError> {
        let bins = self.stft.bins();
        self.frames = 1 + signal.len() / self.hop_length;
        self.spectra.resize(self.frames * bins, Complex32::default());
        self.power.resize(self.frames * self.stride, 0.0);
        let rows = self.spectra.chunks_exact_mut(bins).zip(self.power.chunks_exact_mut(self.stride));
        for (frame, (spectrum, power)) in rows.enumerate() {
            self.stft.spectrum(signal, frame * self.hop_length, spectrum)?;
            for (power, value) in power.iter_mut().zip(spectrum.iter()) {
                *power = value.norm_sqr();
            }
        }
        Ok(())
    }

    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    pub(crate) fn bins(&self) -> usize {
        self.stft.bins()
    }

    /// Values from one frame's power to the next one's: the bins, and zeros up to a multiple of
    /// [`LANES`].
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// All power spectra.
    pub(crate) fn power(&self) -> &[f32] {
        &self.power
    }

    /// One frame's power spectrum with its zeros at the end.
    pub(crate) fn power_frame(&self, frame: usize) -> &[f32] {
        &self.power[frame * self.stride..(frame + 1) * self.stride]
    }

    /// One frame's spectrum.
    pub(crate) fn spectrum(&self, frame: usize) -> &[Complex32] {
        &self.spectra[frame * self.bins()..(frame + 1) * self.bins()]
    }
}
