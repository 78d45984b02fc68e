//! The transform of a whole window, which all features share.

use crate::{DspError, Stft};

/// Values that are worked on side by side.
pub(crate) const LANES: usize = 4;

/// Power spectra of a window's frames, frame after frame. The spectra themselves are twice as
/// large and only HPSS needs them: it makes them again, one at a time.
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
        // Rows are filled up with zeros, so that no loop over whole vectors needs an end, wherever
        // it begins.
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

    /// Values from one frame's power to the next one's: the bins, and at least
    /// [`LANES`] − 1 zeros.
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
}
