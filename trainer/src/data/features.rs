//! Extracts a table of features from audio files, in the columns of the Kaggle tables of GTZAN.
//!
//! The table has one row per window: `filename`, `length` in samples, the 57 features, and `label`, the
//! name of the file's folder. All cores work in parallel. Finished rows are stored beside the table, so
//! that an interrupted extraction continues where it stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_dsp::{FeatureExtractor, FeatureParams, TABLE_COLUMNS};
use cratedigger_protocol::csv_guarded;
use parquet::basic::{Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde::{Deserialize, Serialize};

use super::audio::{self, STDIN, is_stream};
use super::walk::{Unread, audio_below};
use crate::format::causes;
use crate::progress::progress_bar;

/// Options of an extraction.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Length of a window in seconds.
    pub window: f64,
    /// Distance of window starts in seconds.
    pub hop: f64,
    /// Output file: `.csv` or `.parquet`.
    pub out: PathBuf,
}

/// A file without rows, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The file.
    pub file: String,
    /// The error message.
    pub error: String,
}

/// Result of an extraction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extraction {
    /// Number of rows in the table.
    pub rows: usize,
    /// Number of processed files, in this or an earlier call.
    pub files: usize,
    /// Number of files with rows.
    pub good: usize,
    /// Number of files from an earlier call.
    pub reused: usize,
    /// Files without rows.
    pub unreadable: Vec<Unreadable>,
    /// What was left out or mended in files with rows: the file and a sentence.
    pub notes: Vec<(String, String)>,
    /// Files in sound formats that are not read.
    pub unread: Unread,
    /// Whether the extraction was stopped. In this case, or without any row, no table is written.
    pub stopped: bool,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    filename: String,
    length: usize,
    label: String,
    #[serde(with = "exact")]
    values: [f64; TABLE_COLUMNS.len()],
}

/// Numbers as bits, so that a table made in two calls is bit-identical to one made in a single call.
mod exact {
    use cratedigger_dsp::TABLE_COLUMNS;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    type Values = [f64; TABLE_COLUMNS.len()];

    pub(super) fn serialize<S: Serializer>(values: &Values, serializer: S) -> Result<S::Ok, S::Error> {
        values.map(f64::to_bits).as_slice().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Values, D::Error> {
        let bits = Vec::<u64>::deserialize(deserializer)?;
        let bits: [u64; TABLE_COLUMNS.len()] =
            bits.try_into().map_err(|bits: Vec<u64>| D::Error::invalid_length(bits.len(), &"57 numbers"))?;
        Ok(bits.map(f64::from_bits))
    }
}

/// First line of the file of finished rows. Rows with other settings are not reused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    revision: u32,
    window: f64,
    hop: f64,
}

/// Version of the features. Increase it if a feature changes.
const REVISION: u32 = 1;

/// A further line of that file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Done {
    path: PathBuf,
    /// Size and modification time, to detect a changed file.
    stamp: (u64, u64),
    rows: Vec<Row>,
    /// What was left out or mended.
    #[serde(default)]
    notes: Vec<String>,
    /// Error, if there are no rows. Not stored, because the file may be repaired before the next call.
    #[serde(skip)]
    error: Option<String>,
}

/// A file up to this factor longer than a window is one window: 30-second clips have 30.0 to 30.7 s, and
/// the tables have one row for each.
const SLACK: f64 = 1.05;

/// Minimum fraction of a window for the last window of a track.
const LEAST: f64 = 0.5;

/// Minimum length of a file and of a window in seconds.
const SHORTEST: f64 = 0.5;

/// Maximum length of a window in seconds. A minute of audio needs about 30 MB per core.
const LONGEST: f64 = 600.0;

/// All audio files among files and folders, each once, sorted by path; the entries of folders that cannot be
/// read; and the number of files in unread formats.
///
/// # Errors
/// A path does not exist, or a folder cannot be read.
fn collect(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, Vec<Unreadable>, Unread)> {
    let (mut files, mut unreadable, mut unread) = (BTreeSet::new(), Vec::new(), Unread::default());
    for path in paths {
        let found = audio_below(path)?;
        files.extend(found.files.iter().map(|file| whole_path(file)));
        // A broken link or an unreadable subfolder must not stop the extraction.
        unreadable.extend(
            found
                .broken
                .into_iter()
                .map(|(file, error)| Unreadable { file: file.display().to_string(), error }),
        );
        unread.add(&found.unread);
    }
    Ok((files.into_iter().collect(), unreadable, unread))
}

/// The path with a canonical folder, so that two paths of one file are equal, and a file in `.` has a folder
/// name. The file name stays, even if it is a link.
fn whole_path(path: &Path) -> PathBuf {
    if path == Path::new(STDIN) {
        return path.to_path_buf();
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
}

/// Size of a file in bytes and its modification time in nanoseconds since 1970; zeros if unknown.
fn stamp(path: &Path) -> (u64, u64) {
    fs::metadata(path).map_or((0, 0), |data| {
        let changed = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        (data.len(), changed.map_or(0, |time| time.as_nanos() as u64))
    })
}

/// First sample and end of each window of a track of `samples` samples.
fn windows(samples: usize, window: usize, hop: usize) -> Vec<(usize, usize)> {
    if samples as f64 <= SLACK * window as f64 {
        return vec![(0, samples)];
    }
    let mut windows = Vec::new();
    for start in (0..samples).step_by(hop.max(1)) {
        let end = (start + window).min(samples);
        if ((end - start) as f64) < LEAST * window as f64 {
            break;
        }
        windows.push((start, end));
        // A later window would contain no new samples.
        if end == samples {
            break;
        }
    }
    windows
}

/// The rows of one file, and the notes of the decoder.
fn rows_of(
    extractor: &mut FeatureExtractor,
    path: &Path,
    options: &Options,
) -> Result<(Vec<Row>, Vec<String>)> {
    let rate = extractor.params().sample_rate;
    let audio::Mono { signals, seconds, notes } = audio::read(audio::open(path)?, path, &[rate])?;
    let signal = signals.at(rate);
    ensure!(seconds >= SHORTEST, "it is {seconds:.2} s long; the minimum is {SHORTEST} s");
    let samples = |seconds: f64| (seconds * f64::from(rate)).round() as usize;
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    // The folder of a pipe is not its label.
    let folder = path.parent().filter(|_| !is_stream(path));
    let label = text(folder.and_then(Path::file_name));
    let windows = windows(signal.len(), samples(options.window), samples(options.hop));
    let numbered = windows.len() > 1 || options.window < 30.0;
    let rows = windows
        .into_iter()
        .enumerate()
        .map(|(index, (start, end))| {
            // Names as in the Kaggle tables: blues.00000.wav, and blues.00000.0.wav for its first window.
            let filename = if numbered {
                let dot = if path.extension().is_some() { "." } else { "" };
                format!("{}.{index}{dot}{}", text(path.file_stem()), text(path.extension()))
            } else {
                text(path.file_name())
            };
            let values = extractor.window(&signal[start..end])?.table_row()?;
            Ok(Row { filename, length: end - start, label: label.clone(), values })
        })
        .collect::<Result<_>>()?;
    Ok((rows, notes.iter().map(ToString::to_string).collect()))
}

/// File of finished rows.
fn kept_beside(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    out.with_file_name(name)
}

/// Reads the rows of an earlier call; none if its settings differ.
fn read_done(path: &Path, settings: &Settings) -> Result<BTreeMap<PathBuf, Done>> {
    let mut done = BTreeMap::new();
    let Ok(file) = File::open(path) else { return Ok(done) };
    let mut lines = BufReader::new(file).lines();
    let first = lines.next().transpose().with_context(|| format!("{} cannot be read", path.display()))?;
    if first.and_then(|line| serde_json::from_str(&line).ok()).as_ref() != Some(settings) {
        return Ok(done);
    }
    // The last line can be incomplete or invalid if the program was killed.
    for entry in lines.map_while(Result::ok).filter_map(|line| serde_json::from_str::<Done>(&line).ok()) {
        done.insert(entry.path.clone(), entry);
    }
    Ok(done)
}

/// Extracts the features of all audio files among `paths` to a table.
///
/// # Errors
/// There is no audio, a path does not exist, or the table cannot be written. Files that cannot be decoded
/// are no error; the result lists them.
pub fn extract(paths: &[PathBuf], options: &Options, cancelled: &Arc<AtomicBool>) -> Result<Extraction> {
    for (name, seconds) in [("window", options.window), ("hop", options.hop)] {
        ensure!(
            (SHORTEST..=LONGEST).contains(&seconds),
            "--{name} {seconds}: expected {SHORTEST} to {LONGEST} seconds"
        );
    }
    let format = Format::of(&options.out)?;
    let (files, mut unreadable, unread) = collect(paths)?;
    let left_out = if unread.is_empty() { String::new() } else { format!(". {unread}") };
    ensure!(
        !files.is_empty(),
        "there is no audio in these paths (extensions: {}){left_out}",
        cratedigger_decode::EXTENSIONS.join(", ")
    );

    let settings = Settings { revision: REVISION, window: options.window, hop: options.hop };
    let part = kept_beside(&options.out);
    let mut done = read_done(&part, &settings)?;
    done.retain(|path, entry| entry.stamp == stamp(path));
    // Written again, so that an incomplete last line does not corrupt the next one. Another name makes
    // this atomic.
    let context = || format!("{} cannot be written", part.display());
    let new = part.with_extension("part.new");
    let mut keep = File::create(&new).with_context(context)?;
    writeln!(keep, "{}", serde_json::to_string(&settings)?).with_context(context)?;
    for entry in done.values() {
        writeln!(keep, "{}", serde_json::to_string(entry)?).with_context(context)?;
    }
    fs::rename(&new, &part).with_context(context)?;

    let open: Vec<&PathBuf> = files.iter().filter(|path| !done.contains_key(*path)).collect();
    let reused = files.len() - open.len();
    let bar = progress_bar(files.len() as u64, "features");
    bar.set_position(reused as u64);
    let params = FeatureParams::default();
    FeatureExtractor::new(&params)?; // reports bad parameters once, not for every file
    let shared = Mutex::new((keep, &mut done));
    let done_all: Result<()> = open.into_par_iter().try_for_each_init(
        || FeatureExtractor::new(&params),
        |extractor, path| {
            if cancelled.load(Ordering::Relaxed) {
                return Ok(());
            }
            // Taken before reading, so that a file that is still being written is processed again.
            let stamp = stamp(path);
            let result = match extractor {
                Ok(extractor) => rows_of(extractor, path, options),
                Err(error) => Err(error.clone().into()),
            };
            let (rows, notes, error) = match result {
                Ok((rows, notes)) => (rows, notes, None),
                Err(error) => (Vec::new(), Vec::new(), Some(causes(&error))),
            };
            let entry = Done { path: path.clone(), stamp, rows, notes, error };
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            // A path that is not Unicode cannot be stored as JSON; such a file is processed again. A pipe has
            // other sound next time.
            if let (None, false, Ok(line)) = (&entry.error, is_stream(path), serde_json::to_string(&entry)) {
                writeln!(shared.0, "{line}").with_context(context)?;
            }
            shared.1.insert(path.clone(), entry);
            bar.inc(1);
            Ok(())
        },
    );
    bar.finish_and_clear();
    done_all?;

    let entries: Vec<&Done> = files.iter().filter_map(|path| done.get(path)).collect();
    let stopped = entries.len() < files.len();
    let rows: Vec<&Row> = entries.iter().flat_map(|entry| &entry.rows).collect();
    unreadable.extend(entries.iter().filter_map(|entry| {
        Some(Unreadable { file: entry.path.display().to_string(), error: entry.error.clone()? })
    }));
    if !stopped && !rows.is_empty() {
        format.write(&options.out, &rows)?;
        fs::remove_file(&part).with_context(|| format!("{} cannot be removed", part.display()))?;
    }
    let notes = entries
        .iter()
        .flat_map(|entry| entry.notes.iter().map(|note| (entry.path.display().to_string(), note.clone())))
        .collect();
    let good = entries.iter().filter(|entry| !entry.rows.is_empty()).count();
    Ok(Extraction {
        rows: rows.len(),
        files: entries.len(),
        good,
        reused,
        unreadable,
        notes,
        unread,
        stopped,
    })
}

/// Format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    Parquet,
}

impl Format {
    fn of(out: &Path) -> Result<Self> {
        match out.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => bail!("--out {}: expected a file name with .csv or .parquet", out.display()),
        }
    }

    /// Writes the table atomically, under another name first.
    fn write(self, out: &Path, rows: &[&Row]) -> Result<()> {
        let context = || format!("{} cannot be written", out.display());
        let mut name = out.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = out.with_file_name(name);
        match self {
            Self::Csv => write_csv(&new, rows),
            Self::Parquet => write_parquet(&new, rows),
        }
        .and_then(|()| Ok(fs::rename(&new, out)?))
        .with_context(context)
    }
}

fn write_csv(path: &Path, rows: &[&Row]) -> Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record(["filename", "length"].iter().chain(&TABLE_COLUMNS).chain(&["label"]))?;
    for row in rows {
        let values = row.values.iter().map(f64::to_string);
        let cells = [csv_guarded(&row.filename).into_owned(), row.length.to_string()].into_iter();
        writer.write_record(cells.chain(values).chain([csv_guarded(&row.label).into_owned()]))?;
    }
    writer.flush()?;
    Ok(())
}

/// Rows per Parquet row group; engines read row groups in parallel.
const ROW_GROUP: usize = 1 << 16;

fn write_parquet(path: &Path, rows: &[&Row]) -> Result<()> {
    let field = |name: &str, physical: PhysicalType, text: bool| -> Result<Arc<Type>> {
        let mut builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        if text {
            builder = builder.with_logical_type(Some(parquet::basic::LogicalType::String));
        }
        Ok(Arc::new(builder.build()?))
    };
    let mut fields = vec![
        field("filename", PhysicalType::BYTE_ARRAY, true)?,
        field("length", PhysicalType::INT64, false)?,
    ];
    for name in TABLE_COLUMNS {
        fields.push(field(name, PhysicalType::DOUBLE, false)?);
    }
    fields.push(field("label", PhysicalType::BYTE_ARRAY, true)?);
    let schema = Arc::new(Type::group_type_builder("features").with_fields(fields).build()?);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(File::create(path)?, schema, properties)?;
    for rows in rows.chunks(ROW_GROUP) {
        let mut group = writer.next_row_group()?;
        let mut index = 0;
        while let Some(mut column) = group.next_column()? {
            let text = |of: fn(&Row) -> &str| -> Vec<ByteArray> {
                rows.iter().map(|row| ByteArray::from(of(row))).collect()
            };
            match index {
                0 => column.typed::<ByteArrayType>().write_batch(&text(|row| &row.filename), None, None)?,
                1 => {
                    let lengths: Vec<i64> = rows.iter().map(|row| row.length as i64).collect();
                    column.typed::<Int64Type>().write_batch(&lengths, None, None)?
                }
                index if index < 2 + TABLE_COLUMNS.len() => {
                    let values: Vec<f64> = rows.iter().map(|row| row.values[index - 2]).collect();
                    column.typed::<DoubleType>().write_batch(&values, None, None)?
                }
                _ => column.typed::<ByteArrayType>().write_batch(&text(|row| &row.label), None, None)?,
            };
            column.close()?;
            index += 1;
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_a_track() {
        // A clip "of 30 s" is one window of 30 s and ten of 3 s.
        assert_eq!(windows(661_794, 661_500, 661_500), [(0, 661_794)]);
        assert_eq!(windows(661_794, 66_150, 66_150).len(), 10);
        // One that lacks a little of its end has ten as well, the last one shorter.
        assert_eq!(windows(660_000, 66_150, 66_150).last(), Some(&(595_350, 660_000)));
        // Shorter than a window: all of it.
        assert_eq!(windows(20_000, 66_150, 66_150), [(0, 20_000)]);
        // Half a window more than two.
        assert_eq!(windows(25, 10, 10), [(0, 10), (10, 20), (20, 25)]);
        assert_eq!(windows(24, 10, 10), [(0, 10), (10, 20)]);
        // Overlapping.
        assert_eq!(windows(20, 10, 5), [(0, 10), (5, 15), (10, 20)]);
    }
}
