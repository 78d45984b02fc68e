//! Naming the genre of files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use cratedigger_zoo::{Analyser, MIN_SECONDS, Manifest, Prediction, probabilities};
use indicatif::ProgressBar;
use rayon::prelude::*;
use serde::Serialize;
use serde::ser::SerializeMap as _;

use crate::data::{audio_below, mono};
use crate::display::progress_bar;
use crate::evaluate::Loaded;
use crate::train::argmax;

/// Segments judged in one go, which bounds the memory that a long file needs.
const BATCH: usize = 16;

/// What is said of one file.
#[derive(Clone, Debug, Serialize)]
pub struct Classification {
    /// The file, as it was named.
    pub file: String,
    /// Its length.
    pub seconds: f64,
    /// The most probable genre.
    pub genre: String,
    /// Whether its probability is too little to name it: then it is none of the genres.
    pub none: bool,
    /// All genres' probabilities.
    pub probabilities: Probabilities,
    /// What was judged one by one; silent segments are left out.
    pub segments: Vec<SegmentClassification>,
    /// The networks that judged.
    pub models: Vec<String>,
}

/// What is said of one segment.
#[derive(Clone, Debug, Serialize)]
pub struct SegmentClassification {
    /// Seconds.
    pub start: f64,
    /// Seconds.
    pub end: f64,
    /// All genres' probabilities.
    pub probabilities: Probabilities,
}

/// Probabilities by genre; in JSON an object in the order of the genres.
#[derive(Clone, Debug)]
pub struct Probabilities(pub Vec<(String, f32)>);

impl Serialize for Probabilities {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (genre, probability) in &self.0 {
            map.serialize_entry(genre, probability)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Failed {
    file: String,
    error: String,
}

/// Judges one file.
///
/// # Errors
/// The file cannot be read as audio, is too short or silent, or a network fails.
pub fn classify(analyser: &mut Analyser, path: &Path) -> Result<Classification> {
    let rate = analyser.sample_rate();
    let (signal, seconds) = mono(path, rate)?;
    ensure!(seconds >= MIN_SECONDS, "it is {seconds:.2} s long; at least {MIN_SECONDS} s are needed");
    let named =
        |values: Vec<f32>, classes: &[String]| Probabilities(classes.iter().cloned().zip(values).collect());
    let mut judged: Vec<Prediction> = Vec::new();
    let mut segments = Vec::new();
    for batch in analyser.segments(signal.len()).chunks(BATCH) {
        let answers = pollster::block_on(analyser.predict(&signal, batch))?;
        for (segment, answer) in batch.iter().zip(answers) {
            let Some(mut judgement) = answer else { continue };
            segments.push(SegmentClassification {
                start: segment.start as f64 / f64::from(rate),
                end: segment.end as f64 / f64::from(rate),
                probabilities: named(probabilities(&judgement.ensemble), analyser.classes()),
            });
            judgement.spectra.db = Vec::new(); // nothing is drawn here
            judged.push(judgement);
        }
    }
    let verdict = analyser.song_prediction(&judged).context("it is silent from beginning to end")?;
    let genre = analyser.classes().get(argmax(&verdict.ensemble)).cloned().unwrap_or_default();
    Ok(Classification {
        file: path.display().to_string(),
        seconds,
        genre,
        none: verdict.decision.none,
        probabilities: named(verdict.ensemble, analyser.classes()),
        segments,
        models: analyser.models().map(|m| m.entry().name.clone()).collect(),
    })
}

/// The networks that ship with this program, compiled into it.
///
/// # Errors
/// The program was built from a damaged `models/` folder.
pub fn built_in() -> Result<Loaded> {
    static MODELS: include_dir::Dir<'_> = include_dir::include_dir!("$CARGO_MANIFEST_DIR/../models");
    let file = |name: &str| {
        MODELS
            .get_file(name)
            .map(include_dir::File::contents)
            .with_context(|| format!("no {name} was built in"))
    };
    let mut manifest = Manifest::parse(file("manifest.json")?)?;
    if let Some(full) = &manifest.full {
        manifest = Manifest::parse(file(full)?)?;
    }
    let weights = manifest.models.iter().map(|m| Ok(file(&m.weights)?.to_vec())).collect::<Result<_>>()?;
    Ok(Loaded { manifest, weights })
}

/// How `cratedigger classify` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A line a file, for people.
    #[default]
    Lines,
    /// A table, for people.
    Table,
    /// One JSON object a file, a line each.
    Json,
    /// A row a file: `file,seconds,genre`, a column for each genre's probability, `error`; the genre is
    /// `none` where none is probable enough.
    Csv,
}

/// Files that are judged at a time on each thread, before their answers are printed: what bounds
/// memory, and keeps the order.
const FILES_A_THREAD: usize = 4;

/// `cratedigger classify`: files, and all audio in folders. The exit status is 1 if any file failed.
///
/// Answers come in the order of the files. However many there are, only those under way are held in
/// memory (a table is printed at the end and keeps a row a file).
///
/// # Errors
/// The model cannot be loaded, or a folder not be listed; a file that fails is reported in its
/// place instead.
#[expect(clippy::print_stderr, reason = "a command's output")]
pub fn command(
    paths: &[PathBuf],
    format: Format,
    model: Option<&Path>,
    cancelled: &AtomicBool,
) -> Result<ExitCode> {
    let loaded = match model {
        Some(path) => Loaded::open(path)?,
        None => built_in().context("no usable networks are built in; name some by --model")?,
    };
    let classes = loaded.analyser()?.classes().to_vec();
    let files = audio_files(paths)?;
    let bar =
        if files.len() > 1 { progress_bar(files.len() as u64, "classifying") } else { ProgressBar::hidden() };
    let mut printer = Printer::new(format, &classes)?;
    let mut failures = 0;
    let mut done = 0;
    for some in files.chunks(FILES_A_THREAD * rayon::current_num_threads().max(1)) {
        if cancelled.load(Ordering::Relaxed) {
            break;
        }
        let answers: Vec<Result<Classification>> = some
            .par_iter()
            .map_init(
                || loaded.analyser(),
                |analyser, path| {
                    let answer = match analyser {
                        Ok(analyser) => classify(analyser, path),
                        Err(error) => Err(anyhow::anyhow!("{error:#}")),
                    };
                    bar.inc(1);
                    answer
                },
            )
            .collect();
        for (path, answer) in some.iter().zip(answers) {
            done += 1;
            failures += usize::from(answer.is_err());
            bar.suspend(|| printer.print(path, answer))?;
        }
    }
    bar.finish_and_clear();
    printer.finish()?;
    if done < files.len() {
        eprintln!("stopped after {done} of {} files", files.len());
        return Ok(ExitCode::FAILURE);
    }
    if failures == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{failures} of {} files failed", files.len());
    Ok(ExitCode::FAILURE)
}

/// Files as they were named, and the audio files in folders in the order of their names.
fn audio_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        for found in audio_below(path) {
            match found {
                Ok(file) => files.push(file),
                // A link to nowhere among thousands of files; the folder itself must be readable.
                Err(error) if error.depth() > 0 => files.extend(error.path().map(Path::to_path_buf)),
                Err(error) => {
                    return Err(error).with_context(|| format!("{} cannot be listed", path.display()));
                }
            }
        }
        ensure!(files.len() > before, "there is no audio in {}", path.display());
    }
    Ok(files)
}

/// Prints answers as they come.
enum Printer {
    Lines,
    Json,
    Csv { writer: Box<csv::Writer<std::io::Stdout>>, columns: usize },
    Table(Box<comfy_table::Table>),
}

impl Printer {
    fn new(format: Format, classes: &[String]) -> Result<Self> {
        Ok(match format {
            Format::Lines => Self::Lines,
            Format::Json => Self::Json,
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(std::io::stdout());
                let columns = ["file", "seconds", "genre"].into_iter();
                writer.write_record(columns.chain(classes.iter().map(String::as_str)).chain(["error"]))?;
                Self::Csv { writer: Box::new(writer), columns: classes.len() + 4 }
            }
            Format::Table => {
                let mut table = comfy_table::Table::new();
                table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
                table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
                table.set_header(["file", "length", "genre", "", "second", ""]);
                Self::Table(Box::new(table))
            }
        })
    }

    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
    fn print(&mut self, path: &Path, answer: Result<Classification>) -> Result<()> {
        let file = path.display().to_string();
        // The message names the file, and so does what stands before it.
        let answer = answer.map_err(|error| {
            let message = format!("{error:#}");
            message.strip_prefix(&file).map_or(message.clone(), |rest| rest.trim_start().to_owned())
        });
        match (self, answer) {
            (Self::Json, Ok(result)) => println!("{}", serde_json::to_string(&result)?),
            (Self::Json, Err(error)) => {
                println!("{}", serde_json::to_string(&Failed { file, error })?);
            }
            (Self::Lines, Ok(result)) => println!("{}", in_words(&result)),
            (Self::Lines, Err(error)) => eprintln!("{file}: {error}"),
            (Self::Csv { writer, .. }, Ok(result)) => {
                let genre = if result.none { "none".into() } else { result.genre };
                let cells = [file, format!("{:.2}", result.seconds), genre];
                let values = result.probabilities.0.iter().map(|(_, p)| format!("{p:.6}"));
                writer.write_record(cells.into_iter().chain(values).chain([String::new()]))?;
                writer.flush()?;
            }
            (Self::Csv { writer, columns }, Err(error)) => {
                // Every row has all columns: none of the probabilities, and the error behind them.
                let empty = std::iter::repeat_n(String::new(), *columns - 2);
                writer.write_record([file].into_iter().chain(empty).chain([error]))?;
                writer.flush()?;
            }
            (Self::Table(table), Ok(result)) => {
                let ranked = ranked(&result);
                let cell = |place: usize| match ranked.get(place) {
                    Some((genre, p)) if place == 0 && result.none => {
                        [format!("none ({genre})"), format!("{:.0} %", 100.0 * p)]
                    }
                    Some((genre, p)) => [genre.clone(), format!("{:.0} %", 100.0 * p)],
                    None => [String::new(), String::new()],
                };
                let length = format!("{}:{:02}", result.seconds as u64 / 60, result.seconds as u64 % 60);
                table.add_row([file, length].into_iter().chain(cell(0)).chain(cell(1)));
            }
            (Self::Table(table), Err(error)) => {
                eprintln!("{file}: {error}");
                table.add_row([file, String::new(), "not usable".into()]);
            }
        }
        Ok(())
    }

    #[expect(clippy::print_stdout, reason = "a command's output")]
    fn finish(self) -> Result<()> {
        match self {
            Self::Table(table) => println!("{table}"),
            Self::Csv { mut writer, .. } => writer.flush()?,
            Self::Lines | Self::Json => {}
        }
        Ok(())
    }
}

fn ranked(result: &Classification) -> Vec<(String, f32)> {
    let mut ranked = result.probabilities.0.clone();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

fn in_words(result: &Classification) -> String {
    let top: Vec<String> =
        ranked(result).iter().take(3).map(|(genre, p)| format!("{genre} {:.0} %", 100.0 * p)).collect();
    let none = if result.none { "none of these; nearest " } else { "" };
    format!("{}  {none}{}", result.file, top.join(", "))
}
