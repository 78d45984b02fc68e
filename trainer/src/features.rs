//! Audio files to a table of features, in the columns of the Kaggle tables of GTZAN.
//!
//! One row a window: `filename`, `length` in samples, the 57 features and `label`, which is the
//! name of the folder that the file lies in. Files are worked on by all cores. What is done is
//! kept beside the table, so that a run that was stopped goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_dsp::{FeatureExtractor, FeatureParams, TABLE_COLUMNS};
use parquet::basic::{Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde::{Deserialize, Serialize};

use crate::data::{AUDIO_EXTENSIONS, audio_below, mono};
use crate::display::progress_bar;

/// What makes a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Seconds a window.
    pub window: f64,
    /// Seconds from the beginning of one window to that of the next.
    pub hop: f64,
    /// The table: `.csv` or `.parquet`.
    pub out: PathBuf,
}

/// A file that gave no row, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub error: String,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Rows in the table.
    pub rows: usize,
    /// Files that were looked at, this time or before.
    pub files: usize,
    /// Files that gave rows.
    pub good: usize,
    /// Files that had been done before.
    pub reused: usize,
    /// Files that gave no row.
    pub unreadable: Vec<Unreadable>,
    /// Whether the run was stopped. Then, and where there is not one row, no table was written.
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

/// Numbers as their bits: a table that was made in two runs is the table of one, to the last digit.
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

/// The first line of the file that keeps what is done: rows made otherwise are of no use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    revision: u32,
    window: f64,
    hop: f64,
}

/// Raised whenever a feature comes out differently.
const REVISION: u32 = 1;

/// One line of that file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Done {
    path: PathBuf,
    /// Bytes and time of change: another file of the same name is done again.
    stamp: (u64, u64),
    rows: Vec<Row>,
    /// Why there are none. Not kept: what is wrong with a file may be gone the next time.
    #[serde(skip)]
    error: Option<String>,
}

/// A file up to this much longer than a window is one window: clips "of 30 s" have 30.0 to 30.7 s,
/// and the tables hold one row for each.
const SLACK: f64 = 1.05;

/// The share of a window that the end of a track must fill to count.
const LEAST: f64 = 0.5;

/// The shortest file that makes a row, and the shortest window, in seconds.
const SHORTEST: f64 = 0.5;

/// The longest window in seconds: a minute of sound takes some 30 MB for each core.
const LONGEST: f64 = 600.0;

/// All audio files among some files and folders, each once, in the order of their paths; and what
/// below the folders could not be looked at.
///
/// # Errors
/// A path that is not there or a folder that cannot be read.
fn collect(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, Vec<Unreadable>)> {
    let (mut files, mut unreadable) = (BTreeSet::new(), Vec::new());
    for path in paths {
        ensure!(path.exists(), "{} is not there", path.display());
        for found in audio_below(path) {
            match found {
                Ok(file) => {
                    files.insert(whole_path(&file));
                }
                // A link to nowhere, or a folder of somebody else's, among thousands of files.
                Err(error) if error.depth() > 0 => {
                    let file = error.path().unwrap_or(path).display().to_string();
                    unreadable.push(Unreadable { file, error: error.to_string() });
                }
                Err(error) => {
                    return Err(error).with_context(|| format!("{} cannot be read", path.display()));
                }
            }
        }
    }
    Ok((files.into_iter().collect(), unreadable))
}

/// The path from the root, so that a file named in two ways is one file, and one in `.` lies in a
/// folder with a name. The file's own name stays, even where it is a link.
fn whole_path(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
}

/// Bytes of a file, and nanoseconds since 1970 of its last change; zeros where nobody knows.
fn stamp(path: &Path) -> (u64, u64) {
    fs::metadata(path).map_or((0, 0), |data| {
        let changed = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        (data.len(), changed.map_or(0, |time| time.as_nanos() as u64))
    })
}

/// First sample and end of each window of a track.
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
        // One that begins later would hold nothing new.
        if end == samples {
            break;
        }
    }
    windows
}

/// The rows of one file.
fn rows_of(extractor: &mut FeatureExtractor, path: &Path, options: &Options) -> Result<Vec<Row>> {
    let rate = extractor.params().sample_rate;
    let (signal, seconds) = mono(path, rate)?;
    ensure!(seconds >= SHORTEST, "it is {seconds:.2} s long; at least {SHORTEST} s are needed");
    let samples = |seconds: f64| (seconds * f64::from(rate)).round() as usize;
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let label = text(path.parent().and_then(Path::file_name));
    let windows = windows(signal.len(), samples(options.window), samples(options.hop));
    let numbered = windows.len() > 1 || options.window < 30.0;
    windows
        .into_iter()
        .enumerate()
        .map(|(index, (start, end))| {
            // As in the tables: blues.00000.wav, and blues.00000.0.wav for its first window.
            let filename = if numbered {
                let dot = if path.extension().is_some() { "." } else { "" };
                format!("{}.{index}{dot}{}", text(path.file_stem()), text(path.extension()))
            } else {
                text(path.file_name())
            };
            let values = extractor.window(&signal[start..end])?.table_row()?;
            Ok(Row { filename, length: end - start, label: label.clone(), values })
        })
        .collect()
}

/// Where the rows are kept until all are done.
fn kept_beside(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    out.with_file_name(name)
}

/// Reads what an earlier run has done; nothing where it ran with other settings.
fn read_done(path: &Path, settings: &Settings) -> Result<BTreeMap<PathBuf, Done>> {
    let mut done = BTreeMap::new();
    let Ok(file) = File::open(path) else { return Ok(done) };
    let mut lines = BufReader::new(file).lines();
    let first = lines.next().transpose().with_context(|| format!("{} cannot be read", path.display()))?;
    if first.and_then(|line| serde_json::from_str(&line).ok()).as_ref() != Some(settings) {
        return Ok(done);
    }
    // The last line may have been cut off when the run was killed, and may not even be text.
    for entry in lines.map_while(Result::ok).filter_map(|line| serde_json::from_str::<Done>(&line).ok()) {
        done.insert(entry.path.clone(), entry);
    }
    Ok(done)
}

/// Makes a table of features of all audio files among `paths`.
///
/// # Errors
/// Nothing to read, a path that is not there, or a table that cannot be written. Files that are no
/// audio are no error; the outcome names them.
pub fn extract(paths: &[PathBuf], options: &Options, cancelled: &Arc<AtomicBool>) -> Result<Outcome> {
    for (name, seconds) in [("window", options.window), ("hop", options.hop)] {
        ensure!(
            (SHORTEST..=LONGEST).contains(&seconds),
            "--{name} {seconds}: between {SHORTEST} and {LONGEST} seconds are needed"
        );
    }
    let format = Format::of(&options.out)?;
    let (files, mut unreadable) = collect(paths)?;
    ensure!(!files.is_empty(), "there is no audio in what was named ({})", AUDIO_EXTENSIONS.join(", "));

    let settings = Settings { revision: REVISION, window: options.window, hop: options.hop };
    let part = kept_beside(&options.out);
    let mut done = read_done(&part, &settings)?;
    done.retain(|path, entry| entry.stamp == stamp(path));
    // Written anew, so that a line that was cut off does not spoil the one after it; under another
    // name, so that being stopped right now costs nothing.
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
    FeatureExtractor::new(&params)?; // so that bad parameters are told once, not for every file
    let shared = Mutex::new((keep, &mut done));
    let outcome: Result<()> = open.into_par_iter().try_for_each_init(
        || FeatureExtractor::new(&params),
        |extractor, path| {
            if cancelled.load(Ordering::Relaxed) {
                return Ok(());
            }
            // Before it is read: a file that is still being written will be done again.
            let stamp = stamp(path);
            let result = match extractor {
                Ok(extractor) => rows_of(extractor, path, options),
                Err(error) => Err(error.clone().into()),
            };
            let (rows, error) = match result {
                Ok(rows) => (rows, None),
                Err(error) => (Vec::new(), Some(format!("{error:#}"))),
            };
            let entry = Done { path: path.clone(), stamp, rows, error };
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            // A name that is no Unicode has no place in JSON: such a file is done again.
            if let (None, Ok(line)) = (&entry.error, serde_json::to_string(&entry)) {
                writeln!(shared.0, "{line}").with_context(context)?;
            }
            shared.1.insert(path.clone(), entry);
            bar.inc(1);
            Ok(())
        },
    );
    bar.finish_and_clear();
    outcome?;

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
    let good = entries.iter().filter(|entry| !entry.rows.is_empty()).count();
    Ok(Outcome { rows: rows.len(), files: entries.len(), good, reused, unreadable, stopped })
}

/// What a table is written as.
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
            _ => bail!("--out {}: a name that ends in .csv or .parquet is needed", out.display()),
        }
    }

    /// Writes the table under another name first: a table is there whole or not at all.
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
        let cells = [row.filename.clone(), row.length.to_string()].into_iter();
        writer.write_record(cells.chain(values).chain([row.label.clone()]))?;
    }
    writer.flush()?;
    Ok(())
}

/// Rows that a Parquet file keeps together; engines read these in parallel.
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
    fn where_windows_begin_and_end() {
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
