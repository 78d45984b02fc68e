//! Data augmentation: of audio, of training windows, and mixup.

use anyhow::{Context as _, Result, ensure};
use cratedigger_dsp::augment::{self, Fill, MAX_MASKS, SpecAugment, Vacancy};
use cratedigger_dsp::degrade;
use cratedigger_zoo::{Input, InputSpec, LogMel};
use rand::seq::SliceRandom as _;
use rand::{Rng, RngExt as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use serde::{Deserialize, Serialize};

use super::codec;
use super::examples::part_ranges;

/// The `[augmentation]` table. Level, tilt, low-pass and shift apply to log-mel. SpecAugment's masks have
/// the floor of log-mel, and the mean of stacked features.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Maximum shift along the bands, up or down.
    pub frequency_shift: usize,
    /// Number of frequency masks.
    pub frequency_masks: usize,
    /// Maximum height of a frequency mask in bands.
    pub frequency_mask_bands: usize,
    /// Number of time masks.
    pub time_masks: usize,
    /// Maximum width of a time mask in columns.
    pub time_mask_columns: usize,
    /// Maximum change of level relative to the window's maximum in dB, up or down. Recordings of one song
    /// differ in how far the loudest tone exceeds the rest.
    pub level_db: f32,
    /// Fraction of windows that get a low-pass, as old or small files have it.
    pub low_pass: f32,
    /// Lowest band at which a low-pass can start.
    pub low_pass_from: usize,
    /// Maximum spectral tilt from the lowest to the highest band in dB, up or down.
    pub tilt_db: f32,
    /// Standard deviation of noise added to preprocessed features and to the values of pictures.
    pub noise: f32,
    /// Augmentation of audio: adds versions of each training clip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioAugmentation>,
}

impl Augmentation {
    /// Checks the ranges.
    ///
    /// # Errors
    /// A value is out of range; the message names its key.
    pub fn validate(&self) -> Result<()> {
        ensure!(self.tilt_db >= 0.0 && self.level_db >= 0.0, "tilt_db and level_db must not be negative");
        ensure!(self.noise >= 0.0, "noise must not be negative");
        ensure!((0.0..=1.0).contains(&self.low_pass), "low_pass must be in 0…1");
        ensure!(
            self.frequency_masks.max(self.time_masks) <= MAX_MASKS,
            "frequency_masks and time_masks must be at most {MAX_MASKS}"
        );
        self.audio.as_ref().map_or(Ok(()), AudioAugmentation::validate)
    }

    /// SpecAugment with the masks of this configuration; none if there are no masks.
    fn spec_augment(&self, fill: f32) -> Option<SpecAugment> {
        (self.frequency_masks + self.time_masks > 0).then_some(SpecAugment {
            band_masks: self.frequency_masks,
            max_bands: self.frequency_mask_bands,
            frame_masks: self.time_masks,
            max_frames: self.time_mask_columns,
            fill: Fill::Value(fill),
        })
    }
}

/// The `[augmentation.audio]` table: augmentation of the audio of training clips. Amounts are uniform in
/// their range, drawn for each version of each clip.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AudioAugmentation {
    /// Number of versions of each clip besides the clip itself.
    pub versions: usize,
    /// Maximum change of level in dB, up or down.
    pub gain_db: f32,
    /// Minimum signal-to-noise ratio of added noise in dB; the maximum is 30 dB higher. No noise if missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_snr_db: Option<f32>,
    /// Maximum circular shift in seconds, in both directions.
    pub shift_seconds: f64,
    /// Maximum relative change of tempo: 0.1 for 10 % slower to 10 % faster.
    pub stretch: f64,
    /// Maximum change of pitch in semitones, up or down.
    pub semitones: f64,
    /// Maximum relative change of speed (tempo and pitch together).
    #[serde(skip_serializing_if = "is_zero")]
    pub speed: f64,
    /// Whether recording conditions vary: room, band limits, pink noise and clipping, each in about half of
    /// the versions. Their ranges are in [`degrade()`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub conditions: bool,
    /// Number of further versions that are varied in speed and level only, then encoded and decoded: by MP3 at
    /// 24 to 64 kbit/s, mono, or by a telephone's codec.
    #[serde(skip_serializing_if = "is_none")]
    pub coded: usize,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// Applies random recording conditions: a room (reverberation time 0.2 to 0.9 s, direct-to-reverberant
/// ratio −3 to 9 dB), band limits (50 to 400 Hz below, 2.5 to 7 kHz above), pink noise (10 to 30 dB below
/// the signal) and clipping (0 to 10 dB above the RMS).
///
/// # Errors
/// A sample is not finite, or the signal is empty.
pub fn degrade<R: Rng + ?Sized>(signal: &mut Vec<f32>, rate: u32, rng: &mut R) -> Result<()> {
    if rng.random_bool(0.5) {
        let response = degrade::room(rate, rng.random_range(0.2..0.9), rng.random_range(-3.0..9.0), rng)?;
        *signal = degrade::convolve(signal, &response)?;
    }
    if rng.random_bool(0.4) {
        degrade::band_limit(signal, rate, rng.random_range(50.0..400.0), rng.random_range(2500.0..7000.0))?;
    }
    if rng.random_bool(0.5) {
        degrade::add_pink_noise(signal, rng.random_range(10.0..30.0), rng)?;
    }
    if rng.random_bool(0.4) {
        let power: f64 =
            signal.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / signal.len().max(1) as f64;
        let limit = (power.sqrt() * 10_f64.powf(rng.random_range(0.0..10.0) / 20.0)) as f32;
        if limit > 0.0 {
            signal.iter_mut().for_each(|s| *s = s.clamp(-limit, limit));
        }
    }
    Ok(())
}

/// A signal after a random codec: two of three are MP3.
fn coded<R: Rng + ?Sized>(signal: &[f32], rate: u32, rng: &mut R) -> Result<Vec<f32>> {
    if rng.random_bool(1.0 / 3.0) {
        return codec::telephone(signal, rate);
    }
    let bit_rate = codec::MP3_BIT_RATES[rng.random_range(0..codec::MP3_BIT_RATES.len())];
    codec::mp3(signal, rate, bit_rate)
}

impl AudioAugmentation {
    fn validate(&self) -> Result<()> {
        ensure!(
            self.versions.saturating_add(self.coded) <= 100,
            "augmentation.audio.versions and coded must be at most 100 together"
        );
        ensure!((0.0..=60.0).contains(&self.gain_db), "gain_db must be 0 to 60");
        ensure!(
            self.noise_snr_db.is_none_or(|db| (-20.0..=90.0).contains(&db)),
            "noise_snr_db must be −20 to 90"
        );
        ensure!((0.0..=600.0).contains(&self.shift_seconds), "shift_seconds must be 0 to 600");
        ensure!((0.0..=0.5).contains(&self.stretch), "stretch must be 0 to 0.5");
        ensure!((0.0..=12.0).contains(&self.semitones), "semitones must be 0 to 12");
        ensure!((0.0..=0.5).contains(&self.speed), "speed must be 0 to 0.5");
        Ok(())
    }

    /// How version `number` is made, counted from 0: first the plain versions, then the coded ones.
    pub fn of_version(&self, number: usize) -> Self {
        let none = Self { coded: 0, ..self.clone() };
        if number < self.versions {
            return none;
        }
        Self { versions: 0, coded: 1, speed: self.speed, gain_db: self.gain_db, ..Self::default() }
    }

    /// An augmented version of a signal with sample rate `rate` in Hz.
    ///
    /// # Errors
    /// A sample is not finite, or the signal is empty.
    pub fn apply<R: Rng + ?Sized>(&self, signal: Vec<f32>, rate: u32, rng: &mut R) -> Result<Vec<f32>> {
        let mut signal = signal;
        if self.stretch > 0.0 {
            let most = (1.0 + self.stretch).ln();
            signal = augment::time_stretch(&signal, rng.random_range(-most..=most).exp())?;
        }
        if self.semitones > 0.0 {
            signal = augment::pitch_shift(&signal, rng.random_range(-self.semitones..=self.semitones))?;
        }
        if self.shift_seconds > 0.0 {
            let most = (self.shift_seconds * f64::from(rate)) as isize;
            augment::time_shift(
                &mut signal,
                rng.random_range(-(most as i64)..=most as i64) as isize,
                Vacancy::Wrap,
            )?;
        }
        if self.speed > 0.0 {
            signal = degrade::speed(&signal, rate, 1.0 + rng.random_range(-self.speed..=self.speed))?;
        }
        if self.conditions {
            degrade(&mut signal, rate, rng)?;
        }
        if let Some(snr) = self.noise_snr_db {
            augment::add_noise(&mut signal, rng.random_range(snr..=snr + 30.0), rng)?;
        }
        if self.gain_db > 0.0 {
            augment::gain(&mut signal, rng.random_range(-self.gain_db..=self.gain_db))?;
        }
        if self.versions == 0 && self.coded > 0 {
            signal = coded(&signal, rate, rng)?;
        }
        Ok(signal)
    }
}

/// Augments the raw values of a window in place, before preprocessing.
///
/// # Errors
/// A value to be masked is not finite.
pub fn augment_window(
    window: &mut [f32],
    spec: &InputSpec,
    how: &Augmentation,
    rng: &mut ChaCha8Rng,
) -> Result<()> {
    for (input, range) in spec.inputs.iter().zip(part_ranges(spec)) {
        let Some(part) = window.get_mut(range) else { continue };
        match input {
            Input::LogMel(mel) => augment_log_mel(part, mel, how, rng)?,
            // Stacked features have mean 0.
            Input::Stacked(stacked) => mask(part, stacked.columns, 0.0, how, rng)?,
            // 0 is silence.
            Input::LogPowerMel(mel) => mask(part, mel.columns, 0.0, how, rng)?,
            Input::Picture(_) => add_noise(part, how.noise, rng),
            Input::Features(_) | Input::Sequence(_) => {}
        }
    }
    Ok(())
}

/// Adds Gaussian noise of standard deviation `noise`; nothing for 0.
pub fn add_noise(values: &mut [f32], noise: f32, rng: &mut ChaCha8Rng) {
    if noise > 0.0 {
        for value in values {
            let normal: f32 = StandardNormal.sample(rng);
            *value += noise * normal;
        }
    }
}

/// Level, spectral tilt, low-pass, shift along the bands, SpecAugment (Park et al. 2019, without time
/// warping).
fn augment_log_mel(window: &mut [f32], mel: &LogMel, how: &Augmentation, rng: &mut ChaCha8Rng) -> Result<()> {
    const FLOOR: f32 = -1.0;
    let (bands, columns) = (mel.n_mels, mel.columns);
    // The range −1…1 of a window is top_db decibels.
    let unit = 2.0 / mel.top_db;
    if how.tilt_db > 0.0 || how.level_db > 0.0 {
        let tilt = rng.random_range(-how.tilt_db..=how.tilt_db) * unit;
        let level = rng.random_range(-how.level_db..=how.level_db) * unit;
        for (band, row) in window.chunks_exact_mut(columns).enumerate() {
            let gain = level + tilt * (band as f32 / (bands.max(2) - 1) as f32 - 0.5);
            // Values at the floor stay there, because their true level is unknown.
            row.iter_mut().filter(|v| **v > FLOOR).for_each(|v| *v = (*v + gain).max(FLOOR));
        }
    }
    if how.low_pass > 0.0 && rng.random::<f32>() < how.low_pass {
        let first = rng.random_range(how.low_pass_from.min(bands)..=bands);
        window[first * columns..].fill(FLOOR);
    }
    if how.frequency_shift > 0 {
        let most = how.frequency_shift.min(bands / 2);
        let shift = rng.random_range(0..=2 * most);
        if shift >= most {
            let up = (shift - most) * columns;
            window.copy_within(..bands * columns - up, up);
        } else {
            let down = (most - shift) * columns;
            window.copy_within(down.., 0);
        }
    }
    mask(window, columns, FLOOR, how, rng)
}

/// SpecAugment's masks on `[bands, columns]` values.
fn mask(
    window: &mut [f32],
    columns: usize,
    fill: f32,
    how: &Augmentation,
    rng: &mut ChaCha8Rng,
) -> Result<()> {
    if let Some(masks) = how.spec_augment(fill) {
        let bands = window.len() / columns.max(1);
        masks.apply_to(window, bands, columns, rng).context("SpecAugment")?;
    }
    Ok(())
}

/// mixup (Zhang et al. 2018): mixes each window and its target with another window of the batch, by a
/// fraction from Beta(α, α). Does nothing for α = 0.
///
/// # Errors
/// `alpha` is not in the range of [`augment::mixup`], or a value is not finite.
pub fn mixup(
    inputs: &mut [Vec<f32>],
    targets: &mut [Vec<f32>],
    alpha: f32,
    rng: &mut ChaCha8Rng,
) -> Result<()> {
    if alpha <= 0.0 {
        return Ok(());
    }
    let mut partners: Vec<usize> = (0..inputs.len()).collect();
    partners.shuffle(rng);
    let (pure_inputs, pure_targets) = (inputs.to_vec(), targets.to_vec());
    for (index, partner) in partners.into_iter().enumerate() {
        let (mixed, lambda) =
            augment::mixup(&pure_inputs[index], &pure_inputs[partner], alpha, rng).context("mixup")?;
        inputs[index] = mixed;
        targets[index] =
            augment::mix(&pure_targets[index], &pure_targets[partner], lambda).context("mixup")?;
    }
    Ok(())
}
