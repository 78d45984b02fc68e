//! How samples become a network's input.

use std::ops::Range;

use cratedigger_dsp::{DspError, MelParams, MelSpectrogram};
use serde::{Deserialize, Serialize};

/// Peak amplitude below which a segment counts as silent: −80 dB of full scale, some three steps
/// of 16-bit audio, below anything that a listener would call music.
pub const SILENCE: f32 = 1e-4;

/// Shortest song that is judged, in seconds: of less, a network sees mostly padding.
pub const MIN_SECONDS: f64 = 0.5;

/// A power below this is as good as none (librosa's `amin`).
const AMIN: f32 = 1e-10;

/// The recipe of a network's input: a log-mel spectrogram of a window.
///
/// Columns lie `frames_per_column` frames of `hop_length` samples apart (a fraction; the frame is
/// rounded down), so that a network can be trained on spectrograms that kept only some of their
/// frames. Values are decibels below the window's own loudest value, cut at `top_db`, scaled
/// linearly to −1…1. Referring to the window and not to the song makes a window's result
/// independent of the rest of the song, so that it can be shown before the song is through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Raised whenever the code behind these fields changes what it computes.
    pub revision: u32,
    /// Hz.
    pub sample_rate: u32,
    /// Samples a frame.
    pub n_fft: usize,
    /// Samples between frames.
    pub hop_length: usize,
    /// Mel bands (Slaney).
    pub n_mels: usize,
    /// Lower edge of the lowest band in Hz.
    pub fmin: f64,
    /// Upper edge of the highest band in Hz.
    pub fmax: f64,
    /// Frames from one column to the next, as numerator and denominator.
    pub frames_per_column: [u32; 2],
    /// Columns a window.
    pub columns: usize,
    /// Seconds a segment; the window must fit into it.
    pub segment_seconds: f64,
    /// Range of levels kept, in dB.
    pub top_db: f32,
}

/// What a recipe can have wrong.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// Written for other code.
    #[error(
        "the recipe is of revision {found}, this program has revision {expected}; use the program that trained it, or train again"
    )]
    Revision {
        /// In the file.
        found: u32,
        /// This code's.
        expected: u32,
    },
    /// A value that makes no sense.
    #[error("recipe: {0}")]
    Invalid(&'static str),
    /// From the feature library.
    #[error("recipe: {0}")]
    Dsp(#[from] DspError),
}

impl Recipe {
    /// The revision that this code computes.
    pub const REVISION: u32 = 1;

    /// Log-mel windows of 3 s at 128 bands: 39 columns, 77.7 ms apart. The spacing is that of 387
    /// columns sampled from the 1292 frames of a 30 s clip.
    pub fn log_mel_3s() -> Self {
        Self {
            revision: Self::REVISION,
            sample_rate: 22_050,
            n_fft: 2048,
            hop_length: 512,
            n_mels: 128,
            fmin: 0.0,
            fmax: 11_025.0,
            frames_per_column: [1291, 386],
            columns: 39,
            segment_seconds: 3.0,
            top_db: 70.0,
        }
    }

    /// Checks every field, including those that only the feature library can judge.
    ///
    /// # Errors
    /// The first field found wanting.
    pub fn validate(&self) -> Result<(), RecipeError> {
        if self.revision != Self::REVISION {
            return Err(RecipeError::Revision { found: self.revision, expected: Self::REVISION });
        }
        let [numerator, denominator] = self.frames_per_column;
        if denominator == 0 || numerator < denominator {
            return Err(RecipeError::Invalid("frames_per_column must be a fraction of at least 1"));
        }
        if self.columns == 0 || self.columns > 1 << 16 {
            return Err(RecipeError::Invalid("columns must be 1 to 65536"));
        }
        if !(self.top_db.is_finite() && self.top_db > 0.0) {
            return Err(RecipeError::Invalid("top_db must be positive"));
        }
        if !(self.segment_seconds.is_finite() && self.segment_seconds > 0.0 && self.segment_seconds < 3600.0)
        {
            return Err(RecipeError::Invalid("segment_seconds must be positive and below an hour"));
        }
        if self.column_offset(self.columns - 1) >= self.segment_samples() {
            return Err(RecipeError::Invalid("the window's columns must fit into segment_seconds"));
        }
        self.mel_spectrogram()?;
        Ok(())
    }

    /// Samples a segment.
    pub fn segment_samples(&self) -> usize {
        (self.segment_seconds * f64::from(self.sample_rate)).round() as usize
    }

    /// Values of one window: bands × columns.
    pub fn input_len(&self) -> usize {
        self.n_mels * self.columns
    }

    /// Frame, counted from the window's start, of a column.
    pub fn column_frame(&self, column: usize) -> usize {
        let [numerator, denominator] = self.frames_per_column;
        column * numerator as usize / denominator.max(1) as usize
    }

    /// Columns a second.
    pub fn columns_per_second(&self) -> f64 {
        let [numerator, denominator] = self.frames_per_column;
        f64::from(self.sample_rate) / self.hop_length as f64 * f64::from(denominator) / f64::from(numerator)
    }

    /// Where the segments of a song of `samples` samples lie: side by side from its start, the
    /// last one moved back to end with the song. A rest shorter than half a segment is left out;
    /// a song shorter than a segment is one segment (what is missing counts as silence).
    pub fn segments(&self, samples: usize) -> Vec<Range<usize>> {
        let length = self.segment_samples().max(1);
        let count = ((samples + length / 2) / length).max(1);
        (0..count)
            .map(|i| {
                let start = (i * length).min(samples.saturating_sub(length));
                start..(start + length).min(samples)
            })
            .collect()
    }

    /// Scales decibels below the window's maximum (−`top_db`…0) to −1…1.
    pub fn scale(&self, db: f32) -> f32 {
        db.max(-self.top_db) * 2.0 / self.top_db + 1.0
    }

    fn column_offset(&self, column: usize) -> usize {
        self.column_frame(column) * self.hop_length
    }

    /// Plans the mel spectrogram that the windows are cut from.
    ///
    /// # Errors
    /// Parameters that make no sense.
    pub fn mel_spectrogram(&self) -> Result<MelSpectrogram, DspError> {
        MelSpectrogram::new(&MelParams {
            sample_rate: self.sample_rate,
            n_fft: self.n_fft,
            hop_length: self.hop_length,
            n_mels: self.n_mels,
            fmin: self.fmin,
            fmax: self.fmax,
        })
    }
}

/// A planned [`Recipe`]: makes windows without allocating.
pub struct Extractor {
    recipe: Recipe,
    mel: MelSpectrogram,
    column: Vec<f32>,
}

impl Extractor {
    /// Plans a recipe.
    ///
    /// # Errors
    /// As [`Recipe::validate`].
    pub fn new(recipe: &Recipe) -> Result<Self, RecipeError> {
        recipe.validate()?;
        Ok(Self { mel: recipe.mel_spectrogram()?, column: vec![0.0; recipe.n_mels], recipe: recipe.clone() })
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The window that begins at sample `start` of a mono signal at the recipe's rate.
    ///
    /// Writes the network's input to `input` and the window's mel power in dB relative to full
    /// scale to `db`: both [`Recipe::input_len`] values, band by band, lowest band first.
    ///
    /// # Errors
    /// A buffer of the wrong length.
    pub fn window(
        &mut self,
        signal: &[f32],
        start: usize,
        input: &mut [f32],
        db: &mut [f32],
    ) -> Result<(), DspError> {
        let columns = self.recipe.columns;
        for (name, found) in [("input", input.len()), ("db", db.len())] {
            if found != self.recipe.input_len() {
                return Err(DspError::Length { name, expected: self.recipe.input_len(), found });
            }
        }
        for column in 0..columns {
            self.mel.frame(signal, start + self.recipe.column_offset(column), &mut self.column)?;
            for (band, power) in self.column.iter().enumerate() {
                db[band * columns + column] = 10.0 * power.max(AMIN).log10();
            }
        }
        let loudest = db.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for (value, level) in input.iter_mut().zip(db.iter()) {
            *value = self.recipe.scale(level - loudest);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_thirty_second_clip_has_ten_segments_and_a_short_one_has_one() {
        let recipe = Recipe::log_mel_3s();
        for samples in [660_000, 661_500, 661_794, 670_000] {
            let segments = recipe.segments(samples);
            assert_eq!(segments.len(), 10, "{samples}");
            assert!(segments.iter().all(|s| s.len() == 66_150 && s.end <= samples));
        }
        assert_eq!(recipe.segments(30_000), vec![0..30_000; 1]);
        assert_eq!(recipe.segments(99_225), [0..66_150, 33_075..99_225]);
    }

    #[test]
    fn a_window_does_not_depend_on_gain_or_on_what_follows_it() {
        let recipe = Recipe::log_mel_3s();
        let mut extractor = Extractor::new(&recipe).unwrap();
        let signal = crate::golden_signal(recipe.sample_rate);
        let mut window = |signal: &[f32]| {
            let mut input = vec![0.0; recipe.input_len()];
            let mut db = input.clone();
            extractor.window(signal, 0, &mut input, &mut db).unwrap();
            input
        };
        let plain = window(&signal);
        let mut longer: Vec<f32> = signal.iter().map(|s| s * 0.25).collect();
        longer.extend(std::iter::repeat_n(0.9, 50_000));
        for (a, b) in plain.iter().zip(window(&longer)) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
        assert!(plain.iter().all(|v| (-1.0..=1.0).contains(v)));
        assert!(plain.contains(&1.0));
    }

    #[test]
    fn another_revision_is_refused_by_name() {
        let recipe = Recipe { revision: 77, ..Recipe::log_mel_3s() };
        let message = recipe.validate().unwrap_err().to_string();
        assert!(message.contains("77") && message.contains('1'), "{message}");
    }
}
