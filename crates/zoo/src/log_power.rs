//! The logarithm of mel power: the input of networks that were trained on absolute levels.

use cratedigger_dsp::{DspError, MelParams, MelSpectrogram};
use serde::{Deserialize, Serialize};

use crate::{InputSpec, InputSpecError};

/// Duration of the parts that [`loudness`] measures, in seconds.
const PART_SECONDS: f64 = 0.05;
/// Level range in dB below the loudest part. Parts below it count as pauses.
const RANGE_DB: f32 = 40.0;

/// The logarithm of mel power of a window, `log₁₀(1 + gain · power)`: `[1, n_mels, columns]`.
///
/// It depends on the level of the sound, unlike [`crate::LogMel`], which is relative to the window's
/// maximum. With `loudness`, each window is normalised to one loudness first. The default is musicnn's
/// input: at 16 kHz, without normalisation.
///
/// Column `t` is the frame centred `t · hop_length` samples after the window's start, as in
/// `librosa.feature.melspectrogram`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogPowerMel {
    /// Samples per frame.
    pub n_fft: usize,
    /// Samples from one column to the next.
    pub hop_length: usize,
    /// Mel bands (Slaney).
    pub n_mels: usize,
    /// Lower edge of the lowest band in Hz.
    pub fmin: f64,
    /// Upper edge of the highest band in Hz.
    pub fmax: f64,
    /// Factor of the power before the logarithm.
    pub gain: f32,
    /// Columns per window.
    pub columns: usize,
    /// Target [`loudness`] of each window in dB relative to full scale; no normalisation if missing. Each
    /// window is normalised by itself, so that a segment's result does not depend on the rest of its song.
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

/// Computes windows of [`LogPowerMel`].
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
    /// Invalid parameters.
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
    /// Unreachable for valid parameters.
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
        // Power is proportional to the square of the samples, hence 10 and not 20.
        let gain = gain * level.map_or(1.0, |db| 10.0_f32.powf(db / 10.0));
        let from = out.len();
        out.resize(from + n_mels * columns, 0.0);
        let window = &mut out[from..];
        for column in 0..columns {
            self.mel.frame(signal, start.saturating_add(column * hop_length), &mut self.column)?;
            for (row, power) in window.chunks_exact_mut(columns).zip(&self.column) {
                // Single precision: the published code uses half precision, which overflows for loud sound.
                row[column] = (gain * power).ln_1p() * std::f32::consts::LOG10_E;
            }
        }
        Ok(())
    }
}

/// The loudness of a sound in dB relative to full scale: the root mean square over all parts of 50 ms
/// whose own level is within 40 dB of the loudest part's. `None` for digital silence.
///
/// Pauses are excluded. Otherwise the normalisation would amplify speech and sparse music more than dense
/// music.
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
    fn loudness_excludes_pauses() {
        let tone = |amplitude: f32, samples: usize| -> Vec<f32> {
            (0..samples).map(|n| amplitude * (std::f32::consts::TAU * 0.0625 * n as f32).sin()).collect()
        };
        let close = |found: Option<f32>, expected: f32| {
            assert!((found.unwrap() - expected).abs() < 1e-3, "{found:?}, not {expected}");
        };
        // A full-scale sine has −3.01 dB.
        close(loudness(&tone(1.0, 16_000), 16_000), -3.0103);
        // A pause does not count, nor does a part that is 46 dB quieter.
        close(loudness(&[tone(0.1, 8000), vec![0.0; 40_000]].concat(), 16_000), -23.0103);
        close(loudness(&[tone(0.1, 8000), tone(0.0005, 40_000)].concat(), 16_000), -23.0103);
        // A part that is 20 dB quieter counts: the mean power is nearly halved.
        close(loudness(&[tone(0.1, 8000), tone(0.01, 8000)].concat(), 16_000), -23.0103 - 2.9671);
        // A shorter last part is weighted by its number of samples.
        close(loudness(&tone(0.1, 16_160), 16_000), -23.0103);
        assert_eq!(loudness(&[0.0; 1000], 16_000), None);
        assert_eq!(loudness(&[], 16_000), None);
    }

    #[test]
    fn normalised_windows_do_not_depend_on_the_gain() {
        let signal = golden_signal(16_000, 3.0);
        let level = |loudness| LogPowerMel { loudness, ..LogPowerMel::default() };
        let plain = window(level(Some(-17.0)), &signal);
        for gain in [0.001, 0.03, 3.0] {
            for (a, b) in plain.iter().zip(window(level(Some(-17.0)), &scaled(&signal, gain))) {
                assert!((a - b).abs() < 1e-3, "{gain}: {a} {b}");
            }
        }
        // Normalisation equals scaling the signal to the target loudness beforehand.
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
        assert!(
            values.iter().any(|v| *v > 4.0 + 65_504.0_f32.log10()),
            "the signal is not loud enough for this test"
        );
    }

    #[test]
    fn invalid_parameters_are_refused() {
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
