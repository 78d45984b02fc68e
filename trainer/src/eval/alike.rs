//! Songs of a table of embeddings, for a search of similar songs.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType};
use parquet::file::reader::{FileReader as _, SerializedFileReader};

/// Columns of a table; see [`super::embed::Table`].
const COLUMNS: [&str; 5] = ["path", "level", "start", "duration", "embedding.list.element"];

/// Songs of a table, without segments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SongTable {
    /// Paths as they stand in the table.
    pub paths: Vec<PathBuf>,
    /// Lengths in seconds.
    pub seconds: Vec<f64>,
    /// One embedding for each song.
    pub embeddings: Vec<Vec<f32>>,
}

impl SongTable {
    /// Reads a table that `cratedigger embed` wrote: `.parquet`, or `.npy` with `.csv` beside it.
    ///
    /// # Errors
    /// The file cannot be read, is no such table, or has no song.
    pub fn read(path: &Path) -> Result<Self> {
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let table = match extension.as_deref() {
            Some("parquet") => Self::of_parquet(path),
            Some("npy") => Self::of_npy(path),
            _ => bail!("{}: expected a table with .parquet or .npy", path.display()),
        };
        let table = table
            .with_context(|| format!("{} is not a table that `cratedigger embed` wrote", path.display()))?;
        ensure!(!table.paths.is_empty(), "{} has no song", path.display());
        Ok(table)
    }

    /// The place of a song that is in the table under this path or another path of the same file.
    pub fn position(&self, song: &Path) -> Option<usize> {
        let same = song.canonicalize().ok();
        self.paths
            .iter()
            .position(|path| path == song)
            .or_else(|| self.paths.iter().position(|path| same.is_some() && path.canonicalize().ok() == same))
    }

    fn add(&mut self, path: &str, seconds: f64, embedding: &[f32]) {
        self.paths.push(path.into());
        self.seconds.push(seconds);
        self.embeddings.push(embedding.to_vec());
    }

    fn of_parquet(path: &Path) -> Result<Self> {
        let reader = SerializedFileReader::new(File::open(path)?)?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let names: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
        let place = |name: &str| {
            names.iter().position(|n| n == name).with_context(|| format!("there is no column {name}"))
        };
        let [path, level, _, duration, embedding] = COLUMNS.map(place);
        let (path, level, duration, embedding) = (path?, level?, duration?, embedding?);
        let mut table = Self::default();
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group)?;
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
            let levels = column::<ByteArrayType>(group.get_column_reader(level)?, rows)?.0;
            let Some(last) = levels.iter().rposition(|level: &ByteArray| level.data() == b"song") else {
                continue;
            };
            // Songs stand before their segments, so only a few rows of a group are decoded.
            let paths = column::<ByteArrayType>(group.get_column_reader(path)?, last + 1)?.0;
            let seconds = column::<DoubleType>(group.get_column_reader(duration)?, last + 1)?.0;
            let (values, starts) = column::<FloatType>(group.get_column_reader(embedding)?, last + 1)?;
            let ends = starts.iter().skip(1).copied().chain([values.len()]);
            let rows: Vec<_> = starts.iter().copied().zip(ends).collect();
            ensure!(rows.len() == last + 1, "a row has no embedding");
            for (row, (start, end)) in rows.into_iter().enumerate() {
                if levels[row].data() == b"song" {
                    table.add(paths[row].as_utf8()?, seconds[row], &values[start..end]);
                }
            }
        }
        Ok(table)
    }

    fn of_npy(path: &Path) -> Result<Self> {
        let array = npyz::NpyFile::new(File::open(path)?)?;
        let &[rows, width] = array.shape() else { bail!("the array does not have two dimensions") };
        let width = usize::try_from(width)?;
        let values: Vec<f32> = array.into_vec()?;
        let mut labels = csv::Reader::from_path(path.with_extension("csv"))
            .context("the .csv beside it cannot be read")?;
        let labels: Vec<(String, String, f64, f64)> = labels.deserialize().collect::<Result<_, _>>()?;
        ensure!(labels.len() as u64 == rows, "the .csv beside it has {} rows, not {rows}", labels.len());
        let mut table = Self::default();
        for ((path, level, _, seconds), row) in labels.iter().zip(values.chunks_exact(width.max(1))) {
            if level == "song" {
                table.add(path, *seconds, row);
            }
        }
        Ok(table)
    }
}

/// The values of the first rows of a column, and the first value of each row.
fn column<T: DataType>(reader: ColumnReader, rows: usize) -> Result<(Vec<T::T>, Vec<usize>)>
where
    T::T: Default + Clone,
{
    let mut reader: ColumnReaderImpl<T> = get_typed_column_reader(reader);
    let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    let mut read = 0;
    while read < rows {
        let (records, ..) =
            reader.read_records(rows - read, Some(&mut defined), Some(&mut repeated), &mut values)?;
        if records == 0 {
            break;
        }
        read += records;
    }
    let starts =
        repeated.iter().enumerate().filter(|(_, level)| **level == 0).map(|(place, _)| place).collect();
    Ok((values, starts))
}
