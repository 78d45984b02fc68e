//! Data sets as they lie on disk: GTZAN's two audio layouts and the array layout.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_zoo::{GTZAN_GENRES, Recipe, sha256_hex};
use serde::Deserialize;

use crate::audio;
use crate::partition::{Part, fault_filtered};

/// Column spacing of the array layout: 387 of 1292 frames of hop 512.
pub(crate) const ARRAY_FRAMES_PER_COLUMN: [u32; 2] = [1291, 386];

/// One clip of a data set.
#[derive(Clone, Debug)]
pub struct Clip {
    /// `genre.NNNNN`, unique.
    pub id: String,
    /// Index into [`GTZAN_GENRES`].
    pub genre: usize,
    /// Where it stands in the fault-filtered partition; none for the clips that it leaves out.
    pub part: Option<Part>,
    /// What is known of its sound.
    pub source: Source,
}

/// Where a clip's windows come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A spectrogram kept as an array.
    Columns(Arc<Columns>),
    /// An audio file.
    Audio(PathBuf),
}

/// A log-mel spectrogram at a recipe's column spacing.
#[derive(Debug)]
pub struct Columns {
    /// Rows.
    pub bands: usize,
    /// Columns.
    pub columns: usize,
    /// `bands · columns` values in dB, relative to any level, row after row.
    pub db: Vec<f32>,
}

impl Columns {
    /// The network's input for the window whose first column is `start`; columns past the end are
    /// silent.
    pub fn window(&self, recipe: &Recipe, start: usize) -> Vec<f32> {
        let width = recipe.columns;
        let mut window = vec![f32::NEG_INFINITY; self.bands * width];
        let kept = width.min(self.columns.saturating_sub(start));
        for (row, target) in self.db.chunks_exact(self.columns).zip(window.chunks_exact_mut(width)) {
            target[..kept].copy_from_slice(&row[start..start + kept]);
        }
        let loudest = window.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // A window of nothing but padding has no maximum to refer to: all floor.
        let loudest = if loudest.is_finite() { loudest } else { 0.0 };
        window.iter_mut().for_each(|v| *v = recipe.scale(*v - loudest));
        window
    }

    /// First columns of the clip's segments: as [`Recipe::segments`] has it for audio.
    pub fn segments(&self, recipe: &Recipe) -> Vec<usize> {
        let rate = recipe.columns_per_second();
        let samples = (self.columns as f64 / rate * f64::from(recipe.sample_rate)) as usize;
        let last = self.columns.saturating_sub(recipe.columns);
        recipe
            .segments(samples)
            .iter()
            .map(|s| ((s.start as f64 / f64::from(recipe.sample_rate) * rate).round() as usize).min(last))
            .collect()
    }
}

/// A data set: its clips in the order of their ids, and what could not be used.
#[derive(Debug)]
pub struct Dataset {
    /// The clips.
    pub clips: Vec<Clip>,
    /// Files that were skipped, and why.
    pub skipped: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct ClipRow {
    clip: String,
    genre: String,
    fault_filtered_split: String,
}

#[derive(Deserialize)]
struct ArrayRow {
    row: usize,
    clip: String,
}

impl Dataset {
    /// Finds out which layout `folder` has and lists its clips:
    ///
    /// * arrays: `clips.csv` (`clip,genre,fault_filtered_split,…`), `mel128.npz` with
    ///   `mel128.csv`, and `audio/<genre>/<clip>.<ext>` for clips that the array lacks;
    /// * Kaggle's: `genres_original/<genre>/<genre>.NNNNN.wav`;
    /// * the original: `genres/<genre>/<genre>.NNNNN.au`;
    ///
    /// the audio layouts also where `folder` itself holds the genres. With `prefer_audio` the
    /// array layout uses its audio wherever there is some and skips clips without.
    ///
    /// # Errors
    /// None of these is there, or a table or array cannot be read.
    pub fn open(folder: &Path, prefer_audio: bool) -> Result<Self> {
        ensure!(folder.is_dir(), "{} is no folder", folder.display());
        if folder.join("clips.csv").is_file() {
            return Self::open_arrays(folder, prefer_audio);
        }
        for root in [folder.join("genres_original"), folder.join("genres"), folder.to_path_buf()] {
            if GTZAN_GENRES.iter().any(|genre| root.join(genre).is_dir()) {
                return Self::open_audio(&root);
            }
        }
        bail!(
            "{} holds no data set: expected clips.csv with mel128.npz, or genres_original/<genre>/*.wav, or genres/<genre>/*.au",
            folder.display()
        )
    }

    fn open_audio(root: &Path) -> Result<Self> {
        let mut clips = Vec::new();
        let mut skipped = Vec::new();
        for (genre, name) in GTZAN_GENRES.iter().enumerate() {
            for path in list(&root.join(name))? {
                let Some(id) = path.file_stem().and_then(|s| s.to_str()).map(str::to_owned) else {
                    skipped.push((path.display().to_string(), "its name is not readable text".into()));
                    continue;
                };
                clips.push(Clip { part: fault_filtered(&id), id, genre, source: Source::Audio(path) });
            }
        }
        Self::finish(clips, skipped, root)
    }

    fn open_arrays(folder: &Path, prefer_audio: bool) -> Result<Self> {
        let rows: Vec<ClipRow> = read_csv(&folder.join("clips.csv"))?;
        let arrays = if prefer_audio { BTreeMap::new() } else { read_arrays(folder)? };
        let mut files = BTreeMap::new();
        for genre in GTZAN_GENRES {
            for path in list(&folder.join("audio").join(genre))? {
                if let Some(stem) = path.file_stem().and_then(|s| s.to_str()) {
                    files.insert(stem.to_owned(), path);
                }
            }
        }
        let mut clips = Vec::new();
        let mut skipped = Vec::new();
        for row in rows {
            let Some(genre) = GTZAN_GENRES.iter().position(|g| *g == row.genre) else {
                skipped.push((row.clip, format!("{:?} is no genre of GTZAN", row.genre)));
                continue;
            };
            let part = match row.fault_filtered_split.as_str() {
                "train" => Some(Part::Train),
                "valid" => Some(Part::Valid),
                "test" => Some(Part::Test),
                "" => None,
                other => bail!("clips.csv: {}: {other:?} is no part of the fault-filtered split", row.clip),
            };
            let source = match (arrays.get(&row.clip), files.remove(&row.clip)) {
                (Some(columns), _) => Source::Columns(Arc::clone(columns)),
                (None, Some(path)) => Source::Audio(path),
                (None, None) => {
                    let what = if prefer_audio { "no audio file" } else { "neither array nor audio file" };
                    skipped.push((row.clip, what.into()));
                    continue;
                }
            };
            clips.push(Clip { id: row.clip, genre, part, source });
        }
        Self::finish(clips, skipped, folder)
    }

    fn finish(mut clips: Vec<Clip>, skipped: Vec<(String, String)>, folder: &Path) -> Result<Self> {
        clips.sort_by(|a, b| a.id.cmp(&b.id));
        for pair in clips.windows(2) {
            ensure!(pair[0].id != pair[1].id, "{}: two clips are called {}", folder.display(), pair[0].id);
        }
        ensure!(!clips.is_empty(), "{} holds no clips", folder.display());
        Ok(Self { clips, skipped })
    }

    /// Turns audio into spectrogram columns where a clip has none yet, so that training can draw
    /// windows at any column. Files that cannot be used are dropped and listed in
    /// [`Dataset::skipped`]. `progress` is called with the number of clips done.
    ///
    /// # Errors
    /// The arrays do not fit the recipe.
    pub fn load_columns(&mut self, recipe: &Recipe, mut progress: impl FnMut(usize)) -> Result<()> {
        let mut kept = Vec::with_capacity(self.clips.len());
        for (done, mut clip) in std::mem::take(&mut self.clips).into_iter().enumerate() {
            match &clip.source {
                Source::Columns(columns) => {
                    ensure!(
                        columns.bands == recipe.n_mels && recipe.frames_per_column == ARRAY_FRAMES_PER_COLUMN,
                        "the arrays have {} bands and {}/{} frames a column, the recipe has {} and {}/{}; use audio instead (--audio)",
                        columns.bands,
                        ARRAY_FRAMES_PER_COLUMN[0],
                        ARRAY_FRAMES_PER_COLUMN[1],
                        recipe.n_mels,
                        recipe.frames_per_column[0],
                        recipe.frames_per_column[1]
                    );
                    kept.push(clip);
                }
                Source::Audio(path) => match columns_of(path, recipe) {
                    Ok(columns) => {
                        clip.source = Source::Columns(Arc::new(columns));
                        kept.push(clip);
                    }
                    Err(error) => self.skipped.push((clip.id, format!("{error:#}"))),
                },
            }
            progress(done + 1);
        }
        self.clips = kept;
        Ok(())
    }

    /// SHA-256 over the ids, genres and contents of some clips, in their order.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn sha256<'a>(clips: impl IntoIterator<Item = &'a Clip>) -> Result<String> {
        let mut lines = String::new();
        for clip in clips {
            let content = match &clip.source {
                Source::Columns(columns) => {
                    sha256_hex(&columns.db.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
                }
                Source::Audio(path) => {
                    sha256_hex(&fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?)
                }
            };
            lines += &format!("{} {} {content}\n", clip.id, clip.genre);
        }
        Ok(sha256_hex(lines.as_bytes()))
    }
}

/// A file's samples as one channel at the recipe's rate.
///
/// # Errors
/// The file cannot be read as audio, or its samples are no sound.
pub fn mono(path: &Path, sample_rate: u32) -> Result<(Vec<f32>, f64)> {
    let audio = audio::read(path)?;
    let channels: Vec<&[f32]> = audio.channels.iter().map(Vec::as_slice).collect();
    let mixed = cratedigger_dsp::downmix(&channels)?;
    let seconds = mixed.len() as f64 / f64::from(audio.sample_rate.max(1));
    Ok((cratedigger_dsp::resample(&mixed, audio.sample_rate, sample_rate)?, seconds))
}

/// The whole spectrogram of a file at the recipe's column spacing.
fn columns_of(path: &Path, recipe: &Recipe) -> Result<Columns> {
    let (signal, _) = mono(path, recipe.sample_rate)?;
    ensure!(signal.len() >= recipe.n_fft, "shorter than one frame of {} samples", recipe.n_fft);
    let mut mel = recipe.mel_spectrogram()?;
    let frames = 1 + signal.len() / recipe.hop_length;
    let columns = (0..).take_while(|&c| recipe.column_frame(c) < frames).count();
    let mut db = vec![0.0; recipe.n_mels * columns];
    let mut frame = vec![0.0; recipe.n_mels];
    for column in 0..columns {
        mel.frame(&signal, recipe.column_frame(column) * recipe.hop_length, &mut frame)?;
        for (band, power) in frame.iter().enumerate() {
            db[band * columns + column] = 10.0 * power.max(1e-10).log10();
        }
    }
    Ok(Columns { bands: recipe.n_mels, columns, db })
}

/// The rows of `mel128.npz` by clip.
fn read_arrays(folder: &Path) -> Result<BTreeMap<String, Arc<Columns>>> {
    let path = folder.join("mel128.npz");
    let rows: Vec<ArrayRow> = read_csv(&folder.join("mel128.csv"))?;
    let context = || format!("{}", path.display());
    let file = fs::File::open(&path).with_context(context)?;
    let mut archive = zip::ZipArchive::new(file).with_context(context)?;
    let mut bytes = Vec::new();
    archive.by_name("mel.npy").with_context(context)?.read_to_end(&mut bytes).with_context(context)?;
    let array = npyz::NpyFile::new(bytes.as_slice()).with_context(context)?;
    let shape = array.shape().to_vec();
    let [count, bands, columns] = shape.as_slice() else {
        bail!("{}: the array has {} dimensions, not 3", path.display(), shape.len());
    };
    let (count, bands, columns) = (*count as usize, *bands as usize, *columns as usize);
    let values: Vec<u8> = array.into_vec().with_context(context)?;
    // A header may claim any sizes: their product need not fit a number.
    let length = bands.checked_mul(columns).and_then(|clip| clip.checked_mul(count));
    ensure!(bands > 0 && columns > 0 && length == Some(values.len()), "{}: wrong length", path.display());
    let mut arrays = BTreeMap::new();
    for row in rows {
        let Some(levels) = values.chunks_exact(bands * columns).nth(row.row) else {
            bail!("mel128.csv: row {} of {count} ({})", row.row, row.clip);
        };
        // 255 is 0 dB, the clip's maximum; 0 is −80 dB.
        let db = levels.iter().map(|&v| f32::from(v) * (80.0 / 255.0) - 80.0).collect();
        arrays.insert(row.clip, Arc::new(Columns { bands, columns, db }));
    }
    Ok(arrays)
}

fn read_csv<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>> {
    csv::Reader::from_path(path)
        .with_context(|| format!("{}", path.display()))?
        .deserialize()
        .collect::<Result<_, _>>()
        .with_context(|| format!("{}", path.display()))
}

/// The files of a folder in the order of their names; nothing if there is no such folder.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>())
        .with_context(|| format!("{} cannot be listed", folder.display()))?;
    paths.retain(|p| {
        p.is_file() && p.file_name().and_then(|n| n.to_str()).is_none_or(|name| !name.starts_with('.'))
    });
    paths.sort();
    Ok(paths)
}
