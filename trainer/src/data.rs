//! Data sets as they lie on disk: which clips there are, and what is known of each.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_dsp::TABLE_COLUMNS;
use cratedigger_zoo::{InputSpec, LogMel, Signals};
use serde::Deserialize;
use walkdir::WalkDir;

use crate::audio;
use crate::partition::{Part, fault_filtered};
use crate::prepare::Labels;

/// Column spacing of the array layout: 387 of 1292 frames of hop 512.
pub const ARRAY_FRAMES_PER_COLUMN: [u32; 2] = [1291, 386];

/// Extensions of audio files.
pub const AUDIO_EXTENSIONS: [&str; 7] = ["wav", "au", "mp3", "flac", "ogg", "oga", "wave"];

/// A row of a table of features.
pub type TableRow = [f32; TABLE_COLUMNS.len()];

/// One clip of a data set, with whatever is known of its sound.
#[derive(Clone, Debug, Default)]
pub struct Clip {
    /// Unique in the data set: `genre.NNNNN` in GTZAN, else the path below the data set's folder
    /// without extension.
    pub id: String,
    /// Index into [`Dataset::classes`].
    pub class: usize,
    /// Who plays, where the data say so.
    pub artist: Option<String>,
    /// Where it stands in GTZAN's fault-filtered partition; none for other clips.
    pub part: Option<Part>,
    /// Its audio.
    pub audio: Option<PathBuf>,
    /// A spectrogram kept as an array.
    pub columns: Option<Arc<Columns>>,
    /// Its row in a table of whole clips (30 s).
    pub row: Option<Box<TableRow>>,
    /// Its rows in a table of segments (3 s), in their order.
    pub rows: Vec<TableRow>,
    /// A picture of its spectrogram.
    pub picture: Option<PathBuf>,
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
    pub fn window(&self, mel: &LogMel, start: usize) -> Vec<f32> {
        let width = mel.columns;
        let mut db = vec![f32::NEG_INFINITY; self.bands * width];
        let kept = width.min(self.columns.saturating_sub(start));
        for (row, target) in self.db.chunks_exact(self.columns.max(1)).zip(db.chunks_exact_mut(width)) {
            target[..kept].copy_from_slice(&row[start..start + kept]);
        }
        let mut window = vec![0.0; db.len()];
        mel.scale_window(&db, &mut window);
        window
    }

    /// First columns of the clip's segments: as [`InputSpec::segments`] has it for audio.
    pub fn segments(&self, recipe: &InputSpec, mel: &LogMel) -> Vec<usize> {
        let rate = mel.columns_per_second(recipe.sample_rate);
        let samples = (self.columns as f64 / rate * f64::from(recipe.sample_rate)) as usize;
        let last = self.columns.saturating_sub(mel.columns);
        recipe
            .segments(samples)
            .iter()
            .map(|s| ((s.start as f64 / f64::from(recipe.sample_rate) * rate).round() as usize).min(last))
            .collect()
    }

    /// Whether windows of this spectrogram are what `mel` describes.
    pub fn fits(&self, mel: &LogMel) -> bool {
        let default = LogMel::default();
        self.bands == mel.n_mels
            && mel.frames_per_column == ARRAY_FRAMES_PER_COLUMN
            && (mel.n_fft, mel.hop_length) == (default.n_fft, default.hop_length)
            && (mel.fmin, mel.fmax) == (default.fmin, default.fmax)
    }
}

/// A data set: its classes, its clips in the order of their ids, and what could not be used.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// Names of the classes, sorted.
    pub classes: Vec<String>,
    /// The clips.
    pub clips: Vec<Clip>,
    /// Files and clips that were skipped, and why.
    pub skipped: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct ClipRow {
    clip: String,
    genre: String,
    fault_filtered_split: String,
    #[serde(default)]
    artist: Option<String>,
}

#[derive(Deserialize)]
struct ArrayRow {
    row: usize,
    clip: String,
}

#[derive(Deserialize)]
struct ArtistRow {
    clip: String,
    artist: String,
}

impl Dataset {
    /// Finds out which layout `folder` has and lists its clips, without reading any audio:
    ///
    /// * arrays: `clips.csv` (`clip,genre,fault_filtered_split,…`), `mel128.npz` with
    ///   `mel128.csv`, and `audio/<genre>/<clip>.<ext>`;
    /// * Kaggle's: `genres_original/<genre>/<genre>.NNNNN.wav`, and beside it
    ///   `images_original/<genre>/<genre>NNNNN.png`, `features_30_sec.csv`, `features_3_sec.csv`,
    ///   any of them;
    /// * the original: `genres/<genre>/<genre>.NNNNN.au`;
    /// * any folder of folders: the first level names the class, a level below it, if there is
    ///   one, the artist.
    ///
    /// A table `artists.csv` (`clip,artist`) in the folder says who plays.
    ///
    /// # Errors
    /// None of these is there, or a table or array cannot be read.
    pub fn open(folder: &Path) -> Result<Self> {
        ensure!(folder.is_dir(), "{} is no folder", folder.display());
        let mut listing = Listing::default();
        if folder.join("clips.csv").is_file() {
            listing.add_arrays(folder)?;
        } else {
            let roots = ["genres_original", "genres"].map(|name| folder.join(name));
            match roots.iter().find(|root| root.is_dir()) {
                Some(root) => listing.add_folders(root)?,
                None => listing.add_folders(folder)?,
            }
            listing.add_pictures(&folder.join("images_original"))?;
        }
        for (table, whole) in [("features_30_sec.csv", true), ("features_3_sec.csv", false)] {
            let path = folder.join(table);
            if path.is_file() {
                listing.add_table(&path, whole)?;
            }
        }
        let artists = folder.join("artists.csv");
        if artists.is_file() {
            for row in read_csv::<ArtistRow>(&artists)? {
                if let Some(clip) = listing.clips.get_mut(&row.clip) {
                    clip.1.artist = Some(row.artist).filter(|artist| !artist.is_empty());
                }
            }
        }
        listing.finish(folder)
    }

    /// The classes' names for the indices that clips have.
    pub fn class_name(&self, class: usize) -> &str {
        self.classes.get(class).map_or("?", String::as_str)
    }
}

/// A data set while it is put together: class name and clip by id.
#[derive(Default)]
struct Listing {
    clips: BTreeMap<String, (String, Clip)>,
    skipped: Vec<(String, String)>,
}

impl Listing {
    fn clip(&mut self, id: &str, class: &str) -> &mut Clip {
        let new = || {
            let clip = Clip { id: id.to_owned(), part: fault_filtered(id), ..Clip::default() };
            (class.to_owned(), clip)
        };
        &mut self.clips.entry(id.to_owned()).or_insert_with(new).1
    }

    /// `<class>/…/<file>`.
    fn add_folders(&mut self, root: &Path) -> Result<()> {
        let mut files = Vec::new();
        for found in audio_below(root) {
            match found {
                Ok(path) => files.push(path),
                Err(error) => {
                    let path = error.path().unwrap_or(root).display().to_string();
                    self.skipped.push((path, error.to_string()));
                }
            }
        }
        for path in files {
            let below = path.strip_prefix(root).unwrap_or(&path).with_extension("");
            let names: Vec<&str> = below.iter().filter_map(|part| part.to_str()).collect();
            if names.len() != below.iter().count() {
                self.skipped.push((path.display().to_string(), "its name is not readable text".into()));
                continue;
            }
            // A file beside the folders of the classes belongs to none.
            let [class, middle @ .., stem] = names.as_slice() else { continue };
            // GTZAN names the class in the file's name, and its tables use that name.
            let id =
                if stem.starts_with(&format!("{class}.")) { (*stem).to_owned() } else { names.join("/") };
            let artist = middle.first().map(|&artist| artist.to_owned());
            let clip = self.clip(&id, class);
            if let Some(other) = &clip.audio {
                let why = format!("{} has the same name", other.display());
                self.skipped.push((path.display().to_string(), why));
                continue;
            }
            clip.audio = Some(path);
            clip.artist = artist;
        }
        Ok(())
    }

    /// The array layout.
    fn add_arrays(&mut self, folder: &Path) -> Result<()> {
        let rows: Vec<ClipRow> = read_csv(&folder.join("clips.csv"))?;
        let mut arrays =
            if folder.join("mel128.npz").is_file() { read_arrays(folder)? } else { BTreeMap::new() };
        for row in rows {
            let part = match row.fault_filtered_split.as_str() {
                "train" => Some(Part::Train),
                "valid" => Some(Part::Valid),
                "test" => Some(Part::Test),
                "" => None,
                other => bail!("clips.csv: {}: {other:?} is no part of the fault-filtered split", row.clip),
            };
            let columns = arrays.remove(&row.clip);
            let clip = self.clip(&row.clip, &row.genre);
            clip.part = part;
            clip.columns = columns;
            clip.artist = row.artist.filter(|artist| !artist.is_empty());
        }
        for entry in WalkDir::new(folder.join("audio")).min_depth(2).sort_by_file_name().into_iter().flatten()
        {
            let stem = entry.path().file_stem().and_then(|s| s.to_str());
            if let Some((_, clip)) = stem.and_then(|stem| self.clips.get_mut(stem))
                && is_audio(entry.path())
            {
                clip.audio = Some(entry.into_path());
            }
        }
        Ok(())
    }

    /// `<class>/<class>NNNNN.png`, as Kaggle names them, or `<class>/<id>.png`.
    fn add_pictures(&mut self, root: &Path) -> Result<()> {
        if !root.is_dir() {
            return Ok(());
        }
        for entry in WalkDir::new(root).min_depth(2).max_depth(2).sort_by_file_name() {
            let path = entry.with_context(|| format!("{} cannot be listed", root.display()))?.into_path();
            let name =
                |p: Option<&std::ffi::OsStr>| p.and_then(|n| n.to_str()).unwrap_or_default().to_owned();
            let (class, stem) = (name(path.parent().and_then(Path::file_name)), name(path.file_stem()));
            if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
                continue;
            }
            let number = stem.strip_prefix(&class).filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
            let id = number.map_or_else(|| stem.clone(), |number| format!("{class}.{number}"));
            self.clip(&id, &class).picture = Some(path);
        }
        Ok(())
    }

    /// A table of features in Kaggle's columns. Rows with missing values are skipped by name.
    fn add_table(&mut self, path: &Path, whole: bool) -> Result<()> {
        let context = || format!("{}", path.display());
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path).with_context(context)?;
        let headers = reader.headers().with_context(context)?.clone();
        let place = |name: &str| {
            headers
                .iter()
                .position(|h| h.trim() == name)
                .with_context(|| format!("{}: there is no column {name}", path.display()))
        };
        let (name_at, label_at) = (place("filename")?, place("label")?);
        let places: Vec<usize> = TABLE_COLUMNS.iter().map(|name| place(name)).collect::<Result<_>>()?;
        let mut segments: BTreeMap<String, Vec<(usize, TableRow)>> = BTreeMap::new();
        for record in reader.records() {
            let record = record.with_context(context)?;
            let (Some(name), Some(label)) = (record.get(name_at), record.get(label_at)) else {
                self.skipped.push((
                    context(),
                    format!("line {}: too short", record.position().map_or(0, |p| p.line())),
                ));
                continue;
            };
            let mut row = [0.0; TABLE_COLUMNS.len()];
            let missing =
                row.iter_mut().zip(&places).zip(TABLE_COLUMNS).find_map(|((value, &at), column)| {
                    let read = record.get(at).and_then(|cell| cell.trim().parse::<f32>().ok());
                    match read.filter(|v| v.is_finite()) {
                        Some(number) => {
                            *value = number;
                            None
                        }
                        None => Some(column),
                    }
                });
            if let Some(column) = missing {
                self.skipped.push((name.to_owned(), format!("{}: no value in {column}", path.display())));
                continue;
            }
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            if whole {
                self.clip(stem, label).row = Some(Box::new(row));
            } else if let Some((id, number)) = stem.rsplit_once('.')
                && let Ok(number) = number.parse()
            {
                self.clip(id, label);
                segments.entry(id.to_owned()).or_default().push((number, row));
            } else {
                self.skipped
                    .push((name.to_owned(), "it does not say which segment of which clip it is".into()));
            }
        }
        for (id, mut rows) in segments {
            rows.sort_by_key(|(number, _)| *number);
            if let Some((_, clip)) = self.clips.get_mut(&id) {
                clip.rows = rows.into_iter().map(|(_, row)| row).collect();
            }
        }
        Ok(())
    }

    fn finish(self, folder: &Path) -> Result<Dataset> {
        let labels = Labels::of(self.clips.values().map(|(class, _)| class.as_str()));
        let classes = labels.names().to_vec();
        ensure!(
            classes.len() > 1,
            "{} holds no data set: a folder for each class with audio in it is needed, or genres_original/<genre>/*.wav, or clips.csv with mel128.npz",
            folder.display()
        );
        let clips = self
            .clips
            .into_values()
            .filter_map(|(class, clip)| Some(Clip { class: labels.index(&class).ok()?, ..clip }))
            .collect();
        Ok(Dataset { classes, clips, skipped: self.skipped })
    }
}

/// Whether a file's name ends like one of audio.
pub fn is_audio(path: &Path) -> bool {
    let hidden = path.file_name().and_then(|n| n.to_str()).is_some_and(|name| name.starts_with('.'));
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    !hidden && extension.is_some_and(|e| AUDIO_EXTENSIONS.contains(&e.as_str()))
}

/// The audio files in a folder and below it, in the order of their names; of a file that is named
/// itself that one, whatever it is called. What cannot be looked at is an error in its place.
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

/// A file's samples as one channel at a rate, and its length in seconds.
///
/// # Errors
/// The file cannot be read as audio, or its samples are no sound.
pub fn mono(path: &Path, sample_rate: u32) -> Result<(Vec<f32>, f64)> {
    mono_of(&audio::read(path)?, sample_rate)
}

/// A file's samples as one channel at several rates in Hz, and its length in seconds.
///
/// # Errors
/// The file cannot be read as audio, or its samples are no sound.
pub fn signals(path: &Path, rates: &[u32]) -> Result<(Signals, f64)> {
    let audio = audio::read(path)?;
    let (mixed, seconds) = mono_of(&audio, audio.sample_rate)?;
    Ok((Signals::resampled(&mixed, audio.sample_rate, rates)?, seconds))
}

/// Decoded audio as one channel at a rate, and its length in seconds.
///
/// # Errors
/// Its samples are no sound.
pub fn mono_of(audio: &audio::Audio, sample_rate: u32) -> Result<(Vec<f32>, f64)> {
    let channels: Vec<&[f32]> = audio.channels.iter().map(Vec::as_slice).collect();
    let mixed = cratedigger_dsp::downmix(&channels)?;
    let seconds = mixed.len() as f64 / f64::from(audio.sample_rate.max(1));
    Ok((cratedigger_dsp::resample(&mixed, audio.sample_rate, sample_rate)?, seconds))
}

/// The whole spectrogram of a signal at a recipe's column spacing.
///
/// # Errors
/// The signal is shorter than a frame, or no sound.
pub fn columns_of(signal: &[f32], mel: &LogMel, sample_rate: u32) -> Result<Columns> {
    ensure!(signal.len() >= mel.n_fft, "shorter than one frame of {} samples", mel.n_fft);
    let mut plan = mel.spectrogram(sample_rate)?;
    let frames = 1 + signal.len() / mel.hop_length;
    let columns = (0..).take_while(|&c| mel.column_frame(c) < frames).count();
    let mut db = vec![0.0; mel.n_mels * columns];
    let mut frame = vec![0.0; mel.n_mels];
    for column in 0..columns {
        plan.frame(signal, mel.column_frame(column) * mel.hop_length, &mut frame)?;
        for (band, power) in frame.iter().enumerate() {
            db[band * columns + column] = 10.0 * power.max(1e-10).log10();
        }
    }
    Ok(Columns { bands: mel.n_mels, columns, db })
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
