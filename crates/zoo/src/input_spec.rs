//! The input spec: how samples become the input of a network.

use std::ops::Range;

use cratedigger_dsp::DspError;
use serde::{Deserialize, Serialize};

use crate::inputs::{Input, LogMel};
use crate::{Preparation, PreparationError};

/// Peak amplitude below which a segment counts as silent: −80 dB relative to full scale, about three
/// steps of 16-bit audio, and quieter than any music.
pub const SILENCE: f32 = 1e-4;

/// Shortest song that is analysed, in seconds: shorter input would be mostly padding.
pub const MIN_SECONDS: f64 = 0.5;

/// Largest number of values of one window: more than any useful network takes.
const MAX_VALUES: usize = 1 << 24;

/// The input of a network: what is computed from each window of a song.
///
/// Nothing depends on the song as a whole, so the result of a window does not depend on the others and
/// can be shown before the song is finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Revision of the computation; increased whenever the same fields give other values.
    pub revision: u32,
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Seconds per segment, the window of one prediction.
    pub segment_seconds: f64,
    /// The parts of the input, one for each branch of the network. Most networks have one.
    pub inputs: Vec<Input>,
}

/// Why an input spec is rejected.
#[derive(Debug, thiserror::Error)]
pub enum InputSpecError {
    /// It has another revision.
    #[error(
        "the input spec has revision {found}, this program has revision {expected}; use the program that trained the network, or train again"
    )]
    Revision {
        /// Revision in the file.
        found: u32,
        /// Revision of this program.
        expected: u32,
    },
    /// An invalid value.
    #[error("input spec: {0}")]
    Invalid(&'static str),
    /// An error of the feature library.
    #[error("input spec: {0}")]
    Dsp(#[from] DspError),
    /// The preparation does not fit the inputs.
    #[error("{0}")]
    Preparation(#[from] PreparationError),
}

impl InputSpec {
    /// The revision of this program.
    pub const REVISION: u32 = 2;

    /// Segments of `segment_seconds` at 22 050 Hz, the sample rate of all published work on GTZAN.
    pub fn new(segment_seconds: f64, inputs: Vec<Input>) -> Self {
        Self { revision: Self::REVISION, sample_rate: 22_050, segment_seconds, inputs }
    }

    /// Log-mel windows of 3 s, see [`LogMel::default`].
    pub fn log_mel_3s() -> Self {
        Self::new(3.0, vec![Input::LogMel(LogMel::default())])
    }

    /// Checks every field, including those that only the feature library can check.
    ///
    /// # Errors
    /// The first invalid field.
    pub fn validate(&self) -> Result<(), InputSpecError> {
        if self.revision != Self::REVISION {
            return Err(InputSpecError::Revision { found: self.revision, expected: Self::REVISION });
        }
        if !(self.segment_seconds.is_finite() && self.segment_seconds > 0.0 && self.segment_seconds < 3600.0)
        {
            return Err(InputSpecError::Invalid("segment_seconds must be positive and below an hour"));
        }
        if self.inputs.is_empty() || self.inputs.len() > 8 {
            return Err(InputSpecError::Invalid("a network takes 1 to 8 inputs"));
        }
        for input in &self.inputs {
            input.validate(self)?;
            // The product of untrusted sizes may overflow.
            let values = input.shape().into_iter().try_fold(1_usize, usize::checked_mul);
            if values.is_none_or(|values| values == 0 || values > MAX_VALUES) {
                return Err(InputSpecError::Invalid("an input must have 1 to 16777216 values"));
            }
        }
        Ok(())
    }

    /// Samples per segment.
    pub fn segment_samples(&self) -> usize {
        (self.segment_seconds * f64::from(self.sample_rate)).round() as usize
    }

    /// Shape of each part, `[channels, rows, columns]`, before the preparation.
    pub fn shapes(&self) -> Vec<[usize; 3]> {
        self.inputs.iter().map(Input::shape).collect()
    }

    /// Shape of each part as the network gets it: the preparation may change the number of features.
    ///
    /// # Errors
    /// The preparation does not fit the features, or one of its values is invalid.
    pub fn prepared_shapes(&self, preparation: &Preparation) -> Result<Vec<[usize; 3]>, PreparationError> {
        self.inputs
            .iter()
            .map(|input| {
                let [channels, rows, columns] = input.shape();
                Ok([
                    channels,
                    rows,
                    if input.is_prepared() { preparation.validate(columns)? } else { columns },
                ])
            })
            .collect()
    }

    /// The first log-mel part, if there is one.
    pub fn log_mel(&self) -> Option<&LogMel> {
        self.inputs.iter().find_map(|input| if let Input::LogMel(mel) = input { Some(mel) } else { None })
    }

    /// The segments of a song of `samples` samples, as ranges of samples: adjacent from the start, the
    /// last one moved back to end with the song. A remainder shorter than half a segment is left out. A song
    /// shorter than a segment has one segment (missing samples count as silence).
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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_thirty_second_clip_has_ten_segments_and_a_short_one_has_one() {
        let input_spec = InputSpec::log_mel_3s();
        for samples in [660_000, 661_500, 661_794, 670_000] {
            let segments = input_spec.segments(samples);
            assert_eq!(segments.len(), 10, "{samples}");
            assert!(segments.iter().all(|s| s.len() == 66_150 && s.end <= samples));
        }
        assert_eq!(input_spec.segments(30_000), vec![0..30_000; 1]);
        assert_eq!(input_spec.segments(99_225), [0..66_150, 33_075..99_225]);
    }

    #[test]
    fn another_revision_is_refused_by_name() {
        let input_spec = InputSpec { revision: 77, ..InputSpec::log_mel_3s() };
        let message = input_spec.validate().unwrap_err().to_string();
        assert!(message.contains("77") && message.contains('2'), "{message}");
    }

    #[test]
    fn absurd_sizes_are_refused() {
        let mel = LogMel { columns: 1 << 15, n_mels: 1 << 20, ..LogMel::default() };
        assert!(InputSpec::new(3.0, vec![Input::LogMel(mel)]).validate().is_err());
        assert!(InputSpec::new(3.0, Vec::new()).validate().is_err());
        assert!(InputSpec::new(f64::NAN, InputSpec::log_mel_3s().inputs).validate().is_err());
    }
}
