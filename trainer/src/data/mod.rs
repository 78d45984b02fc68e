//! Data: audio files, data sets, splits, preprocessing, examples and augmentation.

mod artists;
pub mod audio;
pub mod augment;
pub mod codec;
pub mod conditions;
mod dataset;
pub mod examples;
pub mod features;
pub mod inspect;
pub mod non_music;
pub mod partition;
pub mod preprocess;
pub mod small_classes;
mod spectrogram;
pub mod split;
pub mod tags;
pub mod walk;

use std::path::Path;

use anyhow::Result;
use cratedigger_zoo::Signals;

use self::conditions::Condition;
pub use dataset::{Clip, Dataset, TableRow};
pub use spectrogram::{ARRAY_FRAMES_PER_COLUMN, Columns, columns_of};

/// The samples of a file, mixed to mono and resampled to `sample_rate` (Hz), and its length in seconds.
///
/// # Errors
/// The file cannot be decoded.
pub fn mono(path: &Path, sample_rate: u32) -> Result<(Vec<f32>, f64)> {
    let (mut signals, seconds) = signals(path, &[sample_rate])?;
    Ok((signals.at_mut(sample_rate).map(std::mem::take).unwrap_or_default(), seconds))
}

/// The samples of a file, mixed to mono and resampled to each of `sample_rates` (Hz), and its length in
/// seconds.
///
/// # Errors
/// The file cannot be decoded.
pub fn signals(path: &Path, sample_rates: &[u32]) -> Result<(Signals, f64)> {
    let mono = audio::read(audio::open(path)?, path, sample_rates)?;
    Ok((mono.signals, mono.seconds))
}

/// Sample rate in Hz at which a condition changes a recording: the highest rate of the networks' input.
const CONDITION_RATE: u32 = 22_050;

/// [`signals`] under a condition. `id` is the clip's id; see [`Condition::apply`].
///
/// # Errors
/// The file cannot be decoded, or a sample is not finite.
pub fn signals_under(
    condition: Condition,
    id: &str,
    path: &Path,
    sample_rates: &[u32],
) -> Result<(Signals, f64)> {
    let (samples, _) = mono(path, CONDITION_RATE)?;
    let changed = condition.apply(samples, CONDITION_RATE, id)?;
    let seconds = changed.len() as f64 / f64::from(CONDITION_RATE);
    Ok((Signals::resampled(&changed, CONDITION_RATE, sample_rates)?, seconds))
}
