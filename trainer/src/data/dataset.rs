//! Data sets on disk: their clips and the sources of each clip.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_dsp::TABLE_COLUMNS;
use cratedigger_protocol::csv_unguarded;
use serde::Deserialize;

use super::artists::match_artists;
use super::partition::{Part, fault_filtered};
use super::preprocess::Labels;
use super::spectrogram::Columns;
use super::walk::{Unread, audio_below, entries, is_audio};

/// One row of a table of features.
pub type TableRow = [f32; TABLE_COLUMNS.len()];

/// One clip of a data set, with all its sources.
#[derive(Clone, Debug, Default)]
pub struct Clip {
    /// Unique id: `genre.NNNNN` in GTZAN, else the path inside the data set's folder without extension.
    pub id: String,
    /// Index into [`Dataset::classes`].
    pub class: usize,
    /// The artist, if known.
    pub artist: Option<String>,
    /// The part of GTZAN's fault-filtered partition; none for other clips.
    pub part: Option<Part>,
    /// Audio file.
    pub audio: Option<PathBuf>,
    /// Spectrogram from an array file.
    pub columns: Option<Arc<Columns>>,
    /// Row in a table of whole clips (30 s).
    pub row: Option<Box<TableRow>>,
    /// Rows in a table of segments (3 s), in time order.
    pub rows: Vec<TableRow>,
    /// Image of the spectrogram.
    pub picture: Option<PathBuf>,
}

/// A data set: classes, clips sorted by id, and skipped files.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// Names of the classes, sorted.
    pub classes: Vec<String>,
    /// The clips, sorted by id.
    pub clips: Vec<Clip>,
    /// Skipped files and clips, each with the reason.
    pub skipped: Vec<(String, String)>,
    /// What is odd about the data set as a whole, one sentence each.
    pub remarks: Vec<String>,
    /// Files in sound formats that are not read.
    pub unread: Unread,
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

impl Dataset {
    /// Detects the layout of `folder` and lists its clips, without reading audio:
    ///
    /// * arrays: `clips.csv` (`clip,genre,fault_filtered_split,…`), `mel128.npz` with
    ///   `mel128.csv`, and `audio/<genre>/<clip>.<ext>`;
    /// * Kaggle's: `genres_original/<genre>/<genre>.NNNNN.wav`, optionally with
    ///   `images_original/<genre>/<genre>NNNNN.png`, `features_30_sec.csv` and `features_3_sec.csv`;
    /// * the original: `genres/<genre>/<genre>.NNNNN.au`;
    /// * any folder of folders: the first level is the class, the optional second level the artist.
    ///
    /// A table `artists.csv` (`clip,artist`) in the folder gives the artists. Hidden files and folders, trash
    /// and thumbnails are no classes. Spaces around a class's name do not count.
    ///
    /// # Errors
    /// The folder has none of these layouts, a table or array cannot be read, or `artists.csv` names no clip.
    pub fn open(folder: &Path) -> Result<Self> {
        ensure!(folder.is_dir(), "{} is not a folder", folder.display());
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
            listing.add_artists(&artists)?;
        }
        listing.finish(folder)
    }

    /// One audio file, pipe or standard input (`-`) as a data set of one clip, for an inspection.
    pub fn of_file(path: &Path) -> Self {
        let id = path.display().to_string();
        let clip = Clip { id, audio: Some(path.to_owned()), ..Clip::default() };
        Self { classes: vec!["file".to_owned()], clips: vec![clip], ..Self::default() }
    }

    /// The name of a class by the index that clips have.
    pub fn class_name(&self, class: usize) -> &str {
        self.classes.get(class).map_or("?", String::as_str)
    }
}

/// A data set under construction: class name and clip by id.
#[derive(Default)]
struct Listing {
    clips: BTreeMap<String, (String, Clip)>,
    skipped: Vec<(String, String)>,
    remarks: Vec<String>,
    unread: Unread,
}

impl Listing {
    fn clip(&mut self, id: &str, class: &str) -> &mut Clip {
        let trimmed = class.trim();
        let class = if trimmed.is_empty() { class } else { trimmed };
        let new = || {
            let clip = Clip { id: id.to_owned(), part: fault_filtered(id), ..Clip::default() };
            (class.to_owned(), clip)
        };
        &mut self.clips.entry(id.to_owned()).or_insert_with(new).1
    }

    /// `<class>/…/<file>`.
    fn add_folders(&mut self, root: &Path) -> Result<()> {
        let found = audio_below(root)?;
        self.unread.add(&found.unread);
        self.skipped.extend(found.broken.into_iter().map(|(path, why)| (path.display().to_string(), why)));
        for path in found.files {
            let below = path.strip_prefix(root).unwrap_or(&path).with_extension("");
            let names: Vec<&str> = below.iter().filter_map(|part| part.to_str()).collect();
            if names.len() != below.iter().count() {
                self.skipped.push((path.display().to_string(), "its name is not valid Unicode".into()));
                continue;
            }
            // A file beside the class folders has no class.
            let [class, middle @ .., stem] = names.as_slice() else { continue };
            // In GTZAN the file name includes the class, and the tables use that name.
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
                other => {
                    bail!("clips.csv: {}: {other:?} is not a part of the fault-filtered split", row.clip)
                }
            };
            let columns = arrays.remove(&row.clip);
            let clip = self.clip(&row.clip, &row.genre);
            clip.part = part;
            clip.columns = columns;
            clip.artist = row.artist.filter(|artist| !artist.is_empty());
        }
        for entry in entries(&folder.join("audio"), usize::MAX).flatten().filter(|entry| entry.depth() >= 2) {
            let stem = entry.path().file_stem().and_then(|s| s.to_str());
            if let Some((_, clip)) = stem.and_then(|stem| self.clips.get_mut(stem))
                && is_audio(entry.path())
            {
                clip.audio = Some(entry.into_path());
            }
        }
        Ok(())
    }

    /// `<class>/<class>NNNNN.png`, Kaggle's names, or `<class>/<id>.png`.
    fn add_pictures(&mut self, root: &Path) -> Result<()> {
        if !root.is_dir() {
            return Ok(());
        }
        for entry in entries(root, 2) {
            let entry = entry.with_context(|| format!("{} cannot be listed", root.display()))?;
            if entry.depth() != 2 {
                continue;
            }
            let path = entry.into_path();
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

    /// A table of features in Kaggle's columns. Rows with missing values are skipped and reported.
    fn add_table(&mut self, path: &Path, whole: bool) -> Result<()> {
        let context = || format!("{}", path.display());
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path).with_context(context)?;
        let headers = reader.headers().with_context(context)?.clone();
        let place = |name: &str| {
            headers
                .iter()
                .position(|h| h.trim() == name)
                .with_context(|| format!("{}: column {name} is missing", path.display()))
        };
        let (name_at, label_at) = (place("filename")?, place("label")?);
        let places: Vec<usize> = TABLE_COLUMNS.iter().map(|name| place(name)).collect::<Result<_>>()?;
        let mut segments: BTreeMap<String, Vec<(usize, TableRow)>> = BTreeMap::new();
        for record in reader.records() {
            let record = record.with_context(context)?;
            let cell = |at: usize| record.get(at).map(|cell| csv_unguarded(cell.trim()));
            let (Some(name), Some(label)) = (cell(name_at), cell(label_at)) else {
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
                self.skipped.push((name.to_owned(), "the name has no clip and segment number".into()));
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

    fn add_artists(&mut self, path: &Path) -> Result<()> {
        let ids: Vec<&str> = self.clips.keys().map(String::as_str).collect();
        let (artists, remark) = match_artists(path, &read_csv(path)?, &ids)?;
        for (id, artist) in artists {
            if let Some((_, clip)) = self.clips.get_mut(&id) {
                clip.artist = Some(artist).filter(|artist| !artist.is_empty());
            }
        }
        self.remarks.extend(remark);
        Ok(())
    }

    fn finish(mut self, folder: &Path) -> Result<Dataset> {
        let labels = Labels::of(self.clips.values().map(|(class, _)| class.as_str()));
        let classes = labels.names().to_vec();
        let unread = if self.unread.is_empty() { String::new() } else { format!(". {}", self.unread) };
        ensure!(
            classes.len() > 1,
            "{} has no data set: expected one folder of audio files per class, or genres_original/<genre>/*.wav, or clips.csv with mel128.npz{unread}",
            folder.display()
        );
        self.remarks.extend(differ_by_case(&classes));
        if !self.unread.is_empty() {
            self.remarks.push(self.unread.to_string());
        }
        let clips = self
            .clips
            .into_values()
            .filter_map(|(class, clip)| Some(Clip { class: labels.index(&class).ok()?, ..clip }))
            .collect();
        Ok(Dataset { classes, clips, skipped: self.skipped, remarks: self.remarks, unread: self.unread })
    }
}

/// A remark for each group of classes whose names differ by case only.
fn differ_by_case(classes: &[String]) -> impl Iterator<Item = String> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for class in classes {
        groups.entry(class.to_lowercase()).or_default().push(class);
    }
    let remarks: Vec<String> = groups
        .into_values()
        .filter(|names| names.len() > 1)
        .map(|names| {
            format!(
                "the classes {} differ by case only; rename them if they are one class",
                names.join(" and ")
            )
        })
        .collect();
    remarks.into_iter()
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
        bail!("{}: the array has {} dimensions, expected 3", path.display(), shape.len());
    };
    let (count, bands, columns) = (*count as usize, *bands as usize, *columns as usize);
    let values: Vec<u8> = array.into_vec().with_context(context)?;
    // The sizes in the header are untrusted: their product may overflow.
    let length = bands.checked_mul(columns).and_then(|clip| clip.checked_mul(count));
    ensure!(
        bands > 0 && columns > 0 && length == Some(values.len()),
        "{}: the array has the wrong length",
        path.display()
    );
    let mut arrays = BTreeMap::new();
    for row in rows {
        let Some(levels) = values.chunks_exact(bands * columns).nth(row.row) else {
            bail!("mel128.csv: row {} of {count} ({})", row.row, row.clip);
        };
        // 255 is 0 dB, the maximum of the clip; 0 is −80 dB.
        let db = levels.iter().map(|&v| f32::from(v) * (80.0 / 255.0) - 80.0).collect();
        arrays.insert(row.clip, Arc::new(Columns { bands, columns, db }));
    }
    Ok(arrays)
}

fn read_csv<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>> {
    csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .with_context(|| format!("{}", path.display()))?
        .deserialize()
        .collect::<Result<_, _>>()
        .with_context(|| format!("{}", path.display()))
}
