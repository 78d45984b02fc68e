//! Features of all segments of a song, with a cache on disk: a song is computed once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use cratedigger_zoo::{Analyser, MIN_SECONDS, SegmentFeatures};

use super::ModelBundle;
use crate::data::audio::is_stream;
use crate::data::signals;
use crate::files::sha256_of;

/// Segments per batch, which bounds the memory for a long file.
const BATCH: usize = 16;
/// First bytes of a file of the cache. Increase the number if the layout changes.
const MAGIC: &[u8] = b"cratedigger song 1\n";

/// A song with the features of its segments.
#[derive(Clone, Debug, PartialEq)]
pub struct SongFeatures {
    /// Length in seconds.
    pub seconds: f64,
    /// SHA-256 of the file, in hexadecimal; empty for a pipe.
    pub sha256: String,
    /// Start and duration in seconds of each segment in `segments`.
    pub times: Vec<[f64; 2]>,
    /// The segments that are not silent.
    pub segments: Vec<SegmentFeatures>,
}

/// The cache of the features that one model computes.
#[derive(Clone, Debug)]
pub struct Cache(PathBuf);

impl Cache {
    /// The cache of a model inside a folder. Another network, rule or input has another place there.
    ///
    /// # Errors
    /// The manifest cannot be written as JSON.
    pub fn of(bundle: &ModelBundle, folder: &Path) -> Result<Self> {
        let manifest = &bundle.manifest;
        let networks: Vec<_> =
            manifest.models.iter().map(|model| (&model.sha256, &model.spec_hash)).collect();
        let key = serde_json::to_string(&(networks, &manifest.ensemble, &manifest.non_music))?;
        let mut name = cratedigger_zoo::sha256_hex(key.as_bytes());
        name.truncate(16);
        Ok(Self(folder.join(format!("songs-{name}"))))
    }
}

/// The features of a song, from the cache if they are there.
///
/// # Errors
/// No network has an embedding; the file cannot be decoded, is too short or silent; or a network fails.
pub fn song_features(analyser: &mut Analyser, path: &Path, cache: Option<&Cache>) -> Result<SongFeatures> {
    let width = analyser.features_width().context("no network of this model has an embedding")?;
    if is_stream(path) {
        return computed(analyser, path);
    }
    let sha256 = sha256_of(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let kept = cache.map(|Cache(folder)| folder.join(format!("{sha256}.bin")));
    if let Some(mut song) = kept.as_ref().and_then(|path| fs::read(path).ok()).and_then(|b| parsed(&b, width))
    {
        song.sha256 = sha256;
        return Ok(song);
    }
    let song = SongFeatures { sha256, ..computed(analyser, path)? };
    if let Some(path) = kept {
        keep(&path, &song).with_context(|| format!("the cache {} cannot be written", path.display()))?;
    }
    Ok(song)
}

fn computed(analyser: &mut Analyser, path: &Path) -> Result<SongFeatures> {
    let rate = analyser.sample_rate();
    let (signals, seconds) = signals(path, analyser.sample_rates())?;
    ensure!(seconds >= MIN_SECONDS, "it is {seconds:.2} s long; the minimum is {MIN_SECONDS} s");
    let mut song = SongFeatures { seconds, sha256: String::new(), times: Vec::new(), segments: Vec::new() };
    for batch in analyser.segments(signals.at(rate).len()).chunks(BATCH) {
        let answers = pollster::block_on(analyser.features(&signals, batch))?;
        for (segment, features) in batch.iter().zip(answers) {
            let Some(features) = features else { continue };
            let [start, end] = [segment.start, segment.end].map(|sample| sample as f64 / f64::from(rate));
            song.times.push([start, end - start]);
            song.segments.push(features);
        }
    }
    ensure!(!song.segments.is_empty(), "the file is silent");
    Ok(song)
}

/// The content of a file of the cache; `None` if it is incomplete or has another number of features.
fn parsed(bytes: &[u8], width: usize) -> Option<SongFeatures> {
    let (seconds, rows) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
    let row_length = 17 + 4 * width;
    if rows.is_empty() || !rows.len().is_multiple_of(row_length) {
        return None;
    }
    let seconds = f64::from_le_bytes(*seconds);
    let mut song = SongFeatures { seconds, sha256: String::new(), times: Vec::new(), segments: Vec::new() };
    for row in rows.chunks_exact(row_length) {
        let (start, row) = row.split_first_chunk::<8>()?;
        let (duration, row) = row.split_first_chunk::<8>()?;
        let (music, values) = row.split_first()?;
        song.times.push([f64::from_le_bytes(*start), f64::from_le_bytes(*duration)]);
        let values = values.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        song.segments.push(SegmentFeatures { values, music: *music == 1 });
    }
    Some(song)
}

/// Writes a file of the cache atomically, also if two processes write it at the same time.
fn keep(path: &Path, song: &SongFeatures) -> io::Result<()> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(song.seconds.to_le_bytes());
    for ([start, duration], segment) in song.times.iter().zip(&song.segments) {
        bytes.extend(start.to_le_bytes());
        bytes.extend(duration.to_le_bytes());
        bytes.push(u8::from(segment.music));
        bytes.extend(segment.values.iter().flat_map(|value| value.to_le_bytes()));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let (process, thread) = (std::process::id(), std::thread::current().id());
    let new = path.with_extension(format!("{process}-{thread:?}.new"));
    fs::write(&new, bytes)?;
    fs::rename(&new, path)
}
