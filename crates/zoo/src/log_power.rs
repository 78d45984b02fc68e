//! The logarithm of mel power: the input of networks that were trained on levels as they are.

use cratedigger_dsp::{DspError, MelParams, MelSpectrogram};
use serde::{Deserialize, Serialize};

use crate::{InputSpec, InputSpecError};

/// Length of the parts that [`loudness`] measures, in seconds.
const PART_SECONDS: f64 = 0.05;
/// Parts further below the loudest part than this don't count: pauses.
const RANGE_DB: f32 = 40.0;

/// The logarithm of mel power of a window, `log₁₀(1 + gain · power)`: `[1, n_mels, columns]`.
///
/// It changes with the level of the sound, unlike [`crate::LogMel`], which refers to the window's loudest
/// value. With `loudness`, each window is brought to one level first. The default is musicnn's input, at
/// 16 kHz and without that.
///
/// Column `t` is the frame centred `t · hop_length` samples behind the window's start, as
/// `librosa.feature.melspectrogram` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogPowerMel {
    /// Samples a frame.
    pub n_fft: usize,
    /// Samples from one column to the next.
    pub hop_length: usize,
    /// Mel bands (Slaney).
    pub n_mels: usize,
    /// Lower edge of the lowest band in Hz.
    pub fmin: f64,
    /// Upper edge of the highest band in Hz.
    pub fmax: f64,
    /// What power is multiplied by before the logarithm.
    pub gain: f32,
    /// Columns a window.
    pub columns: usize,
    /// The [`loudness`] that each window is brought to, in dB relative to full scale. The window is the
    /// unit and not the song, so that a segment's result does not depend on the rest of its song.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loudness: Option<f32>,
}

impl Default for LogPowerMel {
    fn default() -> Self {
        Self {
            n_fft: 512,
            hop_length: 256,
            n_mels: 96,
            fmin: 0.0,
            fmax: 8000.0,
            gain: 10_000.0,
            columns: 187,
            loudness: None,
        }
    }
}

impl LogPowerMel {
    pub(crate) fn validate(&self, spec: &InputSpec) -> Result<(), InputSpecError> {
        if !(self.gain.is_finite() && self.gain > 0.0) {
            return Err(InputSpecError::Invalid("gain must be positive"));
        }
        if self.loudness.is_some_and(|level| !(-100.0..=0.0).contains(&level)) {
            return Err(InputSpecError::Invalid("loudness must be -100 to 0 dB"));
        }
        if self.columns == 0 || self.columns > 1 << 16 {
            return Err(InputSpecError::Invalid("columns must be 1 to 65536"));
        }
        if (self.columns - 1).saturating_mul(self.hop_length) >= spec.segment_samples() {
            return Err(InputSpecError::Invalid("the window's columns must fit into segment_seconds"));
        }
        LogPowerMelPlan::new(self, spec.sample_rate)?;
        Ok(())
    }
}

/// Makes windows of [`LogPowerMel`].
pub struct LogPowerMelPlan {
    params: LogPowerMel,
    sample_rate: u32,
    mel: MelSpectrogram,
    column: Vec<f32>,
}

impl LogPowerMelPlan {
    /// Plans windows at a sample rate in Hz.
    ///
    /// # Errors
    /// Parameters that make no sense.
    pub fn new(params: &LogPowerMel, sample_rate: u32) -> Result<Self, DspError> {
        Ok(Self {
            mel: MelSpectrogram::new(&MelParams {
                sample_rate,
                n_fft: params.n_fft,
                hop_length: params.hop_length,
                n_mels: params.n_mels,
                fmin: params.fmin,
                fmax: params.fmax,
            })?,
            sample_rate,
            column: vec![0.0; params.n_mels],
            params: params.clone(),
        })
    }

    /// Appends the window of `length` samples that begins at sample `start`: band by band, lowest first,
    /// each with its columns in the order of time.
    ///
    /// # Errors
    /// None that valid parameters can reach.
    pub(crate) fn window(
        &mut self,
        signal: &[f32],
        start: usize,
        length: usize,
        out: &mut Vec<f32>,
    ) -> Result<(), DspError> {
        let LogPowerMel { hop_length, columns, n_mels, gain, loudness: target, .. } = self.params;
        let end = start.saturating_add(length).min(signal.len());
        let segment = signal.get(start..end).unwrap_or_default();
        let level = target.and_then(|target| Some(target - loudness(segment, self.sample_rate)?));
        // Power goes with the square of the samples.
        let gain = gain * level.map_or(1.0, |db| 10.0_f32.powf(db / 10.0));
        let from = out.len();
        out.resize(from + n_mels * columns, 0.0);
        let window = &mut out[from..];
        for column in 0..columns {
            self.mel.frame(signal, start.saturating_add(column * hop_length), &mut self.column)?;
            for (row, power) in window.chunks_exact_mut(columns).zip(&self.column) {
                // In single precision: the published code's half precision overflows for loud sound.
                row[column] = (gain * power).ln_1p() * std::f32::consts::LOG10_E;
            }
        }
        Ok(())
    }
}

/// The level of a sound in dB relative to full scale: the root of the mean square of all parts of 50 ms
/// whose own level is within 40 dB of the loudest part's. `None` for digital silence.
///
/// Pauses don't count, so that speech and sparse music are not made louder than dense music.
pub fn loudness(samples: &[f32], sample_rate: u32) -> Option<f32> {
    let length = ((f64::from(sample_rate) * PART_SECONDS) as usize).max(1);
    let parts: Vec<(f64, usize)> = samples
        .chunks(length)
        .map(|part| (part.iter().map(|s| f64::from(*s).powi(2)).sum(), part.len()))
        .collect();
    let power = |&(sum, count): &(f64, usize)| sum / count.max(1) as f64;
    let loudest = parts.iter().map(power).fold(0.0, f64::max);
    let least = loudest * 10.0_f64.powf(-f64::from(RANGE_DB) / 10.0);
    let (sum, count) = parts
        .iter()
        .filter(|part| power(part) >= least)
        .fold((0.0, 0), |(sum, count), part| (sum + part.0, count + part.1));
    (loudest > 0.0).then(|| (10.0 * (sum / count.max(1) as f64).log10()) as f32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Extractor, Input, Preparation, golden_signal};

    fn window(input: LogPowerMel, signal: &[f32]) -> Vec<f32> {
        let spec = InputSpec { sample_rate: 16_000, ..InputSpec::new(3.0, vec![Input::LogPowerMel(input)]) };
        let mut values = Vec::new();
        Extractor::new(&spec, &Preparation::default()).unwrap().window(signal, 0, &mut values).unwrap();
        assert_eq!(values.len(), 96 * 187);
        values
    }

    fn scaled(signal: &[f32], gain: f32) -> Vec<f32> {
        signal.iter().map(|s| s * gain).collect()
    }

    #[test]
    fn loudness_is_the_level_of_what_sounds() {
        let tone = |amplitude: f32, samples: usize| -> Vec<f32> {
            (0..samples).map(|n| amplitude * (std::f32::consts::TAU * 0.0625 * n as f32).sin()).collect()
        };
        let close = |found: Option<f32>, expected: f32| {
            assert!((found.unwrap() - expected).abs() < 1e-3, "{found:?}, not {expected}");
        };
        // A full sine is 3.01 dB below full scale.
        close(loudness(&tone(1.0, 16_000), 16_000), -3.0103);
        // A pause, or what is 46 dB quieter, does not count.
        close(loudness(&[tone(0.1, 8000), vec![0.0; 40_000]].concat(), 16_000), -23.0103);
        close(loudness(&[tone(0.1, 8000), tone(0.0005, 40_000)].concat(), 16_000), -23.0103);
        // What is 20 dB quieter does: half of the power at each second.
        close(loudness(&[tone(0.1, 8000), tone(0.01, 8000)].concat(), 16_000), -23.0103 - 2.9671);
        // A last part that is shorter counts for its samples.
        close(loudness(&tone(0.1, 16_160), 16_000), -23.0103);
        assert_eq!(loudness(&[0.0; 1000], 16_000), None);
        assert_eq!(loudness(&[], 16_000), None);
    }

    #[test]
    fn windows_of_one_loudness_are_alike_at_every_level() {
        let signal = golden_signal(16_000, 3.0);
        let level = |loudness| LogPowerMel { loudness, ..LogPowerMel::default() };
        let plain = window(level(Some(-17.0)), &signal);
        for gain in [0.001, 0.03, 3.0] {
            for (a, b) in plain.iter().zip(window(level(Some(-17.0)), &scaled(&signal, gain))) {
                assert!((a - b).abs() < 1e-3, "{gain}: {a} {b}");
            }
        }
        // It is what the sound at that level gives without it.
        let gain = 10.0_f32.powf((-17.0 - loudness(&signal, 16_000).unwrap()) / 20.0);
        for (a, b) in plain.iter().zip(window(level(None), &scaled(&signal, gain))) {
            assert!((a - b).abs() < 1e-3, "{a} {b}");
        }
        assert!(window(level(Some(-17.0)), &vec![0.0; 48_000]).iter().all(|v| *v == 0.0));
    }

    /// Half precision would overflow to infinity here.
    #[test]
    fn loud_sound_stays_finite() {
        let loud = scaled(&golden_signal(16_000, 3.0), 100.0);
        let values = window(LogPowerMel::default(), &loud);
        assert!(values.iter().all(|v| v.is_finite()));
        assert!(values.iter().any(|v| *v > 4.0 + 65_504.0_f32.log10()), "not loud enough to tell");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |input| {
            let spec = InputSpec::new(3.0, vec![Input::LogPowerMel(input)]);
            InputSpec { sample_rate: 16_000, ..spec }.validate().unwrap_err().to_string()
        };
        let base = LogPowerMel::default;
        assert!(refused(LogPowerMel { gain: 0.0, ..base() }).contains("gain"));
        assert!(refused(LogPowerMel { loudness: Some(3.0), ..base() }).contains("loudness"));
        assert!(refused(LogPowerMel { columns: 189, ..base() }).contains("segment_seconds"));
        assert!(refused(LogPowerMel { fmax: 9000.0, ..base() }).contains("sample rate"));
    }
}
