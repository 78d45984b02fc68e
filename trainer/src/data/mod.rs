//! Data: audio files, data sets, splits, preprocessing, examples and augmentation.

pub mod au;
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
mod spectrogram;
pub mod split;

use std::path::{Path, PathBuf};

use anyhow::Result;
use cratedigger_zoo::Signals;
use walkdir::WalkDir;

use self::conditions::Condition;
pub use dataset::{Clip, Dataset, TableRow};
pub use spectrogram::{ARRAY_FRAMES_PER_COLUMN, Columns, columns_of};

/// Extensions of audio files.
pub const AUDIO_EXTENSIONS: [&str; 7] = ["wav", "au", "mp3", "flac", "ogg", "oga", "wave"];

/// Whether a file has the extension of an audio file and is not hidden.
pub fn is_audio(path: &Path) -> bool {
    let hidden = path.file_name().and_then(|n| n.to_str()).is_some_and(|name| name.starts_with('.'));
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    !hidden && extension.is_some_and(|e| AUDIO_EXTENSIONS.contains(&e.as_str()))
}

/// The audio files in a folder and its subfolders, sorted by name. If `path` is a file, that file,
/// whatever its extension. An entry that cannot be read is an error in its place.
pub fn audio_below(path: &Path) -> impl Iterator<Item = walkdir::Result<PathBuf>> {
    let all = WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter();
    all.filter_map(|entry| match entry {
        Ok(entry) => {
            let wanted = entry.file_type().is_file() && (entry.depth() == 0 || is_audio(entry.path()));
            wanted.then(|| Ok(entry.into_path()))
        }
        Err(error) => Some(Err(error)),
    })
}

/// The samples of a file, mixed to mono and resampled to `sample_rate` (Hz), and its length in seconds.
///
/// # Errors
/// The file cannot be decoded, or a sample is not finite.
pub fn mono(path: &Path, sample_rate: u32) -> Result<(Vec<f32>, f64)> {
    mono_of(&audio::read(path)?, sample_rate)
}

/// The samples of a file, mixed to mono and resampled to each of `sample_rates` (Hz), and its length in
/// seconds.
///
/// # Errors
/// The file cannot be decoded, or a sample is not finite.
pub fn signals(path: &Path, sample_rates: &[u32]) -> Result<(Signals, f64)> {
    let audio = audio::read(path)?;
    let (mixed, seconds) = mono_of(&audio, audio.sample_rate)?;
    Ok((Signals::resampled(&mixed, audio.sample_rate, sample_rates)?, seconds))
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

/// Decoded audio, mixed to mono and resampled to `sample_rate` (Hz), and its length in seconds.
///
/// # Errors
/// A sample is not finite.
pub fn mono_of(audio: &audio::Audio, sample_rate: u32) -> Result<(Vec<f32>, f64)> {
    let channels: Vec<&[f32]> = audio.channels.iter().map(Vec::as_slice).collect();
    let mixed = cratedigger_dsp::downmix(&channels)?;
    let seconds = mixed.len() as f64 / f64::from(audio.sample_rate.max(1));
    Ok((cratedigger_dsp::resample(&mixed, audio.sample_rate, sample_rate)?, seconds))
}
