//! Embeddings of audio files, and tables of them.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_zoo::{Analyser, song_embedding};
use npyz::WriterBuilder as _;
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use super::song_features::{Cache, song_features};

/// One row of a table: the embedding of a song, or of one of its segments.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// The file's path as given.
    pub path: String,
    /// Whether the row is of the whole song; else of a segment.
    pub song: bool,
    /// Start in seconds.
    pub start: f64,
    /// Duration in seconds.
    pub duration: f64,
    /// The values.
    pub values: Vec<f32>,
}

impl Embedding {
    fn level(&self) -> &'static str {
        if self.song { "song" } else { "segment" }
    }
}

/// Embeddings of a file: of the song, then of each segment that is not silent. That of the song is the mean
/// over its segments of music ([`song_embedding`]).
///
/// # Errors
/// No network has an embedding; the file cannot be decoded, is too short or silent; or a network fails.
pub fn embed(analyser: &mut Analyser, path: &Path, cache: Option<&Cache>) -> Result<Vec<Embedding>> {
    let width = analyser.embedding_width().context("no network of this model has an embedding")?;
    let song = song_features(analyser, path, cache)?;
    let row = |song, start, duration, values| Embedding {
        path: path.display().to_string(),
        song,
        start,
        duration,
        values,
    };
    let mean = song_embedding(&song.segments, width).context("the file is silent")?;
    let mut rows = vec![row(true, 0.0, song.seconds, mean)];
    for ([start, duration], segment) in song.times.iter().zip(song.segments) {
        let embedding = segment.values.len().checked_sub(width).and_then(|from| segment.values.get(from..));
        rows.push(row(false, *start, *duration, embedding.unwrap_or_default().to_vec()));
    }
    Ok(rows)
}

/// Writes a table of embeddings: Parquet, or an array with a CSV file beside it. The table has its name
/// only when [`Table::finish`] was called.
pub struct Table {
    out: PathBuf,
    new: PathBuf,
    width: usize,
    rows: usize,
    format: Format,
}

enum Format {
    /// Columns `path`, `level` (`song` or `segment`), `start`, `duration`, `embedding`; one row group a
    /// file of audio.
    Parquet(SerializedFileWriter<File>),
    /// Values `[rows, width]`, and the other columns. The header of an array holds the number of rows, so
    /// they are kept until the end.
    Npy { values: Vec<f32>, labels: Box<csv::Writer<File>>, labels_path: PathBuf },
}

impl Table {
    /// Begins a table with embeddings of `width` values. The extension of `out` gives the format: `.parquet`,
    /// or `.npy` with `.csv` beside it.
    ///
    /// # Errors
    /// Another extension, or a file cannot be written.
    pub fn create(out: &Path, width: usize) -> Result<Self> {
        let context = || format!("{} cannot be written", out.display());
        let mut name = out.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = out.with_file_name(name);
        let extension = out.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let format = match extension.as_deref() {
            Some("parquet") => {
                let file = File::create(&new).with_context(context)?;
                let properties = Arc::new(WriterProperties::builder().build());
                Format::Parquet(SerializedFileWriter::new(file, schema()?, properties).with_context(context)?)
            }
            Some("npy") => {
                let labels_path = out.with_extension("csv");
                let mut labels = csv::Writer::from_path(&labels_path)
                    .with_context(|| format!("{} cannot be written", labels_path.display()))?;
                labels.write_record(["path", "level", "start", "duration"])?;
                Format::Npy { values: Vec::new(), labels: Box::new(labels), labels_path }
            }
            _ => bail!("--out {}: expected a file name with .parquet or .npy", out.display()),
        };
        Ok(Self { out: out.to_owned(), new, width, rows: 0, format })
    }

    /// Adds the rows of a file.
    ///
    /// # Errors
    /// A row has another number of values, or the table cannot be written.
    pub fn add(&mut self, rows: &[Embedding]) -> Result<()> {
        ensure!(
            rows.iter().all(|row| row.values.len() == self.width),
            "an embedding does not have {} values",
            self.width
        );
        self.rows += rows.len();
        match &mut self.format {
            Format::Parquet(writer) => write_group(writer, rows, self.width),
            Format::Npy { values, labels, .. } => {
                for row in rows {
                    values.extend(&row.values);
                    let numbers = [row.start, row.duration].map(|seconds| seconds.to_string());
                    labels.write_record([&row.path, row.level(), &numbers[0], &numbers[1]])?;
                }
                Ok(())
            }
        }
        .with_context(|| format!("{} cannot be written", self.out.display()))
    }

    /// Completes the table. Returns the number of rows.
    ///
    /// # Errors
    /// The table cannot be written.
    pub fn finish(self) -> Result<usize> {
        let Self { out, new, width, rows, format } = self;
        let write = || -> Result<()> {
            match format {
                Format::Parquet(writer) => drop(writer.close()?),
                Format::Npy { values, mut labels, labels_path } => {
                    labels.flush().with_context(|| format!("{} cannot be written", labels_path.display()))?;
                    let file = BufWriter::new(File::create(&new)?);
                    let shape = [rows as u64, width as u64];
                    let mut writer =
                        npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd()?;
                    writer.extend(values)?;
                    writer.finish()?;
                }
            }
            Ok(fs::rename(&new, &out)?)
        };
        write().with_context(|| format!("{} cannot be written", out.display()))?;
        Ok(rows)
    }
}

fn schema() -> Result<TypePtr> {
    let primitive = |name: &str, physical, logical: Option<LogicalType>| -> Result<TypePtr> {
        let builder = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(logical);
        Ok(Arc::new(builder.build()?))
    };
    let text = || Some(LogicalType::String);
    // The three levels of a list in Parquet.
    let element = primitive("element", PhysicalType::FLOAT, None)?;
    let repeated = Type::group_type_builder("list").with_repetition(Repetition::REPEATED);
    let repeated = Arc::new(repeated.with_fields(vec![element]).build()?);
    let list = Type::group_type_builder("embedding")
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::List))
        .with_converted_type(ConvertedType::LIST)
        .with_fields(vec![repeated])
        .build()?;
    let fields = vec![
        primitive("path", PhysicalType::BYTE_ARRAY, text())?,
        primitive("level", PhysicalType::BYTE_ARRAY, text())?,
        primitive("start", PhysicalType::DOUBLE, None)?,
        primitive("duration", PhysicalType::DOUBLE, None)?,
        Arc::new(list),
    ];
    Ok(Arc::new(Type::group_type_builder("embeddings").with_fields(fields).build()?))
}

fn write_group(writer: &mut SerializedFileWriter<File>, rows: &[Embedding], width: usize) -> Result<()> {
    let mut group = writer.next_row_group()?;
    let mut index = 0;
    while let Some(mut column) = group.next_column()? {
        let text = |of: fn(&Embedding) -> &str| rows.iter().map(|row| of(row).into()).collect();
        let seconds = |of: fn(&Embedding) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
        let texts: Option<Vec<ByteArray>> = match index {
            0 => Some(text(|row| &row.path)),
            1 => Some(text(Embedding::level)),
            _ => None,
        };
        match (index, texts) {
            (_, Some(texts)) => column.typed::<ByteArrayType>().write_batch(&texts, None, None)?,
            (2, _) => column.typed::<DoubleType>().write_batch(&seconds(|row| row.start), None, None)?,
            (3, _) => column.typed::<DoubleType>().write_batch(&seconds(|row| row.duration), None, None)?,
            _ => {
                let values: Vec<f32> = rows.iter().flat_map(|row| row.values.iter().copied()).collect();
                // Every value is there; the first of each row begins a list.
                let defined = vec![1; values.len()];
                let repeated: Vec<i16> = (0..values.len()).map(|i| i16::from(i % width != 0)).collect();
                column.typed::<FloatType>().write_batch(&values, Some(&defined), Some(&repeated))?
            }
        };
        column.close()?;
        index += 1;
    }
    group.close()?;
    Ok(())
}
