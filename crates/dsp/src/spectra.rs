//! The transform of a whole window, shared by all features.

use crate::{DspError, Stft};

/// Values processed at once.
pub(crate) const LANES: usize = 4;

/// Power spectra of a window's frames, frame after frame. The complex spectra are twice
/// as large and only HPSS needs them, so it computes them again, one at a time.
pub(crate) struct Spectra {
    stft: Stft,
    hop_length: usize,
    stride: usize,
    frames: usize,
    power: Vec<f32>,
}

impl Spectra {
    pub(crate) fn new(n_fft: usize, hop_length: usize) -> Result<Self, DspError> {
        let stft = Stft::new(n_fft)?;
        // Rows are padded with zeros, so that loops over whole vectors need no special case at the
        // end, wherever they begin.
        let stride = (stft.bins() + LANES - 1).next_multiple_of(LANES);
        Ok(Self { stft, hop_length, stride, frames: 0, power: Vec::new() })
    }

    /// Transforms `1 + n / hop_length` frames.
    pub(crate) fn transform(&mut self, signal: &[f32]) -> Result<(), DspError> {
        let bins = self.stft.bins();
        self.frames = 1 + signal.len() / self.hop_length;
        self.power.resize(self.frames * self.stride, 0.0);
        for (frame, power) in self.power.chunks_exact_mut(self.stride).enumerate() {
            self.stft.power(signal, frame * self.hop_length, &mut power[..bins])?;
        }
        Ok(())
    }

    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    pub(crate) fn bins(&self) -> usize {
        self.stft.bins()
    }

    /// Distance between the powers of two frames: the bins and at least [`LANES`] − 1 zeros.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// All power spectra.
    pub(crate) fn power(&self) -> &[f32] {
        &self.power
    }

    /// One frame's power spectrum, zero-padded at the end.
    pub(crate) fn power_frame(&self, frame: usize) -> &[f32] {
        &self.power[frame * self.stride..(frame + 1) * self.stride]
    }
}
