//! `cratedigger classify`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, ensure};
use cratedigger_protocol::{NonMusic, Section, SectionFormat, csv_guarded};
use indicatif::ProgressBar;
use serde::Serialize;

use super::cancelled_by_ctrl_c;
use super::output::line;
use super::parallel::{answers, files_at_once};
use super::table::table;
use crate::eval::ModelBundle;
use crate::eval::classify::{Classification, audio_files, built_in, classify, section_title};
use crate::files::write_atomically;
use crate::format::{causes, whole_percent};
use crate::progress::{note, progress_bar};

/// Arguments of `cratedigger classify`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// Audio files, pipes or - (standard input), and folders with audio files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Short for --format json
    #[arg(long)]
    json: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Lines)]
    format: Format,
    /// Print the sections of the file in a format for other programs, or write those of several files to
    /// the folder --out
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with_all = ["json", "format"])]
    sections: Option<Sections>,
    /// Folder for the files of --sections
    #[arg(long, value_name = "DIR", requires = "sections")]
    out: Option<PathBuf>,
    /// A manifest (.json) or its folder, an exported model, or a run [default: the networks built into this
    /// program]
    #[arg(long)]
    model: Option<PathBuf>,
}

/// Output format of `cratedigger classify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One line per file, for people, and one for each note of the decoder
    #[default]
    Lines,
    /// A table, for people
    Table,
    /// One JSON object per file and line
    Json,
    /// One row per file: file, seconds, genre, the probability of each genre, error, notes of the decoder; the
    /// genre is `none` if the confidence is below the threshold
    Csv,
}

/// Format of sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Sections {
    /// One row per section: start, end, label, probability
    Csv,
    /// A label track of Audacity
    Audacity,
    /// A CUE sheet
    Cue,
    /// JSON chapters of the podcast namespace
    Chapters,
}

impl From<Sections> for SectionFormat {
    fn from(sections: Sections) -> Self {
        match sections {
            Sections::Csv => Self::Csv,
            Sections::Audacity => Self::Audacity,
            Sections::Cue => Self::Cue,
            Sections::Chapters => Self::Chapters,
        }
    }
}

impl Command {
    /// Classifies files. Results are printed in the order of the files. Only files in progress are in memory
    /// (a table also keeps its rows until the end). The exit code is 1 if a file failed.
    pub(super) fn run(self) -> Result<ExitCode> {
        let cancelled = cancelled_by_ctrl_c()?;
        let bundle = match &self.model {
            Some(path) => ModelBundle::open(path)?,
            None => built_in().context("the built-in networks cannot be used; name others with --model")?,
        };
        let classes = bundle.analyser()?.classes().to_vec();
        let (files, unread) = audio_files(&self.files)?;
        if !unread.is_empty() {
            note(&unread);
        }
        let bar = if files.len() > 1 {
            progress_bar(files.len() as u64, "classifying")
        } else {
            ProgressBar::hidden()
        };
        let format = if self.json { Format::Json } else { self.format };
        let mut printer = match self.sections {
            Some(sections) => {
                ensure!(
                    files.len() == 1 || self.out.is_some(),
                    "--sections of several files needs a folder for their files: add --out DIR"
                );
                Printer::Sections(SectionWriter::new(sections.into(), self.out, classes)?)
            }
            None => Printer::new(format, &classes)?,
        };
        let (mut failures, mut done) = (0, 0);
        for some in files.chunks(files_at_once()) {
            if cancelled.load(Ordering::Relaxed) {
                break;
            }
            for (path, answer) in some.iter().zip(answers(&bundle, some, &bar, classify)) {
                done += 1;
                failures += usize::from(answer.is_err());
                if let Err(error) = bar.suspend(|| printer.print(path, answer)) {
                    bar.finish_and_clear();
                    return Err(error);
                }
            }
        }
        bar.finish_and_clear();
        printer.finish()?;
        if done < files.len() {
            note(format_args!("stopped after {done} of {} files", files.len()));
            return Ok(ExitCode::FAILURE);
        }
        if failures == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        note(format_args!("{failures} of {} files failed", files.len()));
        Ok(ExitCode::FAILURE)
    }
}

/// A file that failed, in JSON.
#[derive(Serialize)]
struct Failed {
    file: String,
    error: String,
}

/// Prints results one after another.
enum Printer {
    Lines,
    Json,
    Csv { writer: Box<csv::Writer<std::io::Stdout>>, columns: usize },
    Table { table: Box<comfy_table::Table>, notes: Vec<String> },
    Sections(SectionWriter),
}

/// Writes sections, to standard output or to a file for each song.
struct SectionWriter {
    format: SectionFormat,
    folder: Option<PathBuf>,
    classes: Vec<String>,
    /// Names of the files that were written.
    written: BTreeSet<String>,
}

impl SectionWriter {
    fn new(format: SectionFormat, folder: Option<PathBuf>, classes: Vec<String>) -> Result<Self> {
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        }
        Ok(Self { format, folder, classes, written: BTreeSet::new() })
    }

    fn write(&mut self, path: &Path, result: &Classification) -> Result<()> {
        let sections: Vec<Section> = result.sections.iter().map(|named| named.section.clone()).collect();
        let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let text = self.format.render(&file, &sections, |label| section_title(label, &self.classes))?;
        let Some(folder) = &self.folder else { return line(text.trim_end()) };
        // Songs of several folders can have the same name.
        let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
        let names = (1..).map(|n| match n {
            1 => format!("{stem}.{}", self.format.extension()),
            n => format!("{stem} ({n}).{}", self.format.extension()),
        });
        for name in names {
            if self.written.insert(name.clone()) {
                return write_atomically(&folder.join(name), text.as_bytes());
            }
        }
        Ok(())
    }
}

impl Printer {
    fn new(format: Format, classes: &[String]) -> Result<Self> {
        Ok(match format {
            Format::Lines => Self::Lines,
            Format::Json => Self::Json,
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(std::io::stdout());
                let columns = ["file", "seconds", "genre"].into_iter();
                writer.write_record(
                    columns.chain(classes.iter().map(String::as_str)).chain(["error", "notes"]),
                )?;
                Self::Csv { writer: Box::new(writer), columns: classes.len() + 5 }
            }
            Format::Table => {
                let table = Box::new(table(&["file", "length", "genre", "", "second", ""]));
                Self::Table { table, notes: Vec::new() }
            }
        })
    }

    fn print(&mut self, path: &Path, answer: Result<Classification>) -> Result<()> {
        let file = path.display().to_string();
        // The output names the file, so the message must not repeat it.
        let answer = answer.map_err(|error| {
            let message = causes(&error);
            message.strip_prefix(&file).map_or(message.clone(), |rest| rest.trim_start().to_owned())
        });
        match (self, answer) {
            (Self::Sections(writer), Ok(result)) => {
                writer.write(path, &result)?;
                result.notes.iter().for_each(|text| note(format_args!("{file}: {text}")));
            }
            (Self::Sections(_), Err(error)) => note(format_args!("{file}: {error}")),
            (Self::Json, Ok(result)) => line(serde_json::to_string(&result)?)?,
            (Self::Json, Err(error)) => {
                line(serde_json::to_string(&Failed { file, error })?)?;
            }
            (Self::Lines, Ok(result)) => {
                line(as_line(&result))?;
                for text in &result.notes {
                    line(format_args!("  {text}"))?;
                }
            }
            (Self::Lines, Err(error)) => note(format_args!("{file}: {error}")),
            (Self::Csv { writer, .. }, Ok(result)) => {
                let genre = if result.none { "none".into() } else { result.genre };
                let cells = [
                    csv_guarded(&file).into_owned(),
                    format!("{:.2}", result.seconds),
                    csv_guarded(&genre).into_owned(),
                ];
                let values = result.probabilities.0.iter().map(|(_, p)| format!("{p:.6}"));
                let last = [String::new(), result.notes.join(" ")];
                writer.write_record(cells.into_iter().chain(values).chain(last))?;
                writer.flush()?;
            }
            (Self::Csv { writer, columns }, Err(error)) => {
                // Every row has all columns: empty cells, then the error, then no note.
                let empty = std::iter::repeat_n(String::new(), *columns - 3);
                let last = [csv_guarded(&error).into_owned(), String::new()];
                writer
                    .write_record([csv_guarded(&file).into_owned()].into_iter().chain(empty).chain(last))?;
                writer.flush()?;
            }
            (Self::Table { table, notes }, Ok(result)) => {
                notes.extend(result.notes.iter().map(|text| format!("{file}: {text}")));
                table.add_row(table_row(file, &result));
            }
            (Self::Table { table, .. }, Err(error)) => {
                note(format_args!("{file}: {error}"));
                table.add_row([file, String::new(), "not usable".into()]);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Table { table, notes } => {
                line(&table)?;
                notes.iter().try_for_each(line)?;
            }
            Self::Csv { mut writer, .. } => writer.flush()?,
            Self::Lines | Self::Json | Self::Sections(_) => {}
        }
        Ok(())
    }
}

/// File, length, and the two most probable genres with their probabilities.
fn table_row(file: String, result: &Classification) -> Vec<String> {
    let ranked = result.ranked();
    let cell = |place: usize| match ranked.get(place) {
        Some((genre, p)) if place == 0 && result.none => {
            [format!("none ({genre})"), whole_percent(f64::from(*p))]
        }
        Some((genre, p)) => [genre.clone(), whole_percent(f64::from(*p))],
        None => [String::new(), String::new()],
    };
    let length = format!("{}:{:02}", result.seconds as u64 / 60, result.seconds as u64 % 60);
    [file, length].into_iter().chain(cell(0)).chain(cell(1)).collect()
}

/// File and the three most probable genres.
fn as_line(result: &Classification) -> String {
    let top: Vec<String> = result
        .ranked()
        .iter()
        .take(3)
        .map(|(genre, p)| format!("{genre} {}", whole_percent(f64::from(*p))))
        .collect();
    let none = match &result.non_music {
        Some(NonMusic { kind, probability, rejected: true }) => {
            format!("non-music ({kind}) {}; nearest ", whole_percent(f64::from(*probability)))
        }
        _ if result.none => "none of these; nearest ".into(),
        _ => String::new(),
    };
    format!("{}  {none}{}", result.file, top.join(", "))
}
