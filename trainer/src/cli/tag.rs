//! `cratedigger tag`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_protocol::csv_guarded;

use super::cancelled_by_ctrl_c;
use super::output::line;
use super::parallel::{answers, files_at_once};
use super::table::{align_right, table};
use crate::data::tags::{Field, Journal, replace, undo};
use crate::eval::ModelBundle;
use crate::eval::classify::{audio_files, built_in};
use crate::eval::collection::{Track, export};
use crate::eval::tagging::{Change, Options, PlanOptions, Planned, names, plan, read_plan};
use crate::format::{causes, whole_percent};
use crate::progress::{note, progress_bar};

/// Arguments of `cratedigger tag`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// Audio files, and folders with audio files
    #[arg(required_unless_present_any = ["plan", "undo"], conflicts_with_all = ["plan", "undo"])]
    files: Vec<PathBuf>,
    /// Write the tags. Without it, only the plan is printed
    #[arg(long)]
    write: bool,
    /// Least confidence of a genre that is written
    #[arg(long, default_value_t = 0.8, value_name = "PROBABILITY")]
    sure: f32,
    /// Also replace fields that have a value
    #[arg(long)]
    replace: bool,
    /// Also write further genres of at least this probability
    #[arg(long, value_name = "PROBABILITY")]
    more: Option<f32>,
    /// Your own names of genres, as TOML: rock = "Rock/Classic", or rock = ["Rock", "Classic"]
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// Also write the tempo
    #[arg(long)]
    bpm: bool,
    /// Also write the tags that the pretrained network hears, to this field
    #[arg(long, value_enum, value_name = "FIELD")]
    heard: Option<Heard>,
    /// Output format of the plan
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Also write a list of all songs for other programs: .xml (Rekordbox), .m3u8 or .csv; measures the tempo
    #[arg(long, value_name = "FILE")]
    export: Vec<PathBuf>,
    /// Use a plan that --format json printed, instead of files
    #[arg(long, value_name = "FILE", conflicts_with = "undo")]
    plan: Option<PathBuf>,
    /// New file for what restores the old bytes [default: cratedigger-tag-N.journal]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Restore the old bytes of all files of a journal
    #[arg(long, value_name = "JOURNAL")]
    undo: Option<PathBuf>,
    /// A manifest (.json) or its folder, an exported model, or a run [default: the networks built into this program]
    #[arg(long)]
    model: Option<PathBuf>,
}

/// Field for the tags that the network hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Heard {
    Comment,
    Grouping,
}

/// Output format of the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table, for people
    #[default]
    Table,
    /// One JSON object per file and line, which --plan reads
    Json,
    /// One row per field to write, and one per file with nothing to write
    Csv,
}

impl Command {
    /// Prints a plan of new tags, and writes them with --write. The exit code is 1 if a file failed.
    pub(super) fn run(self) -> Result<ExitCode> {
        if let Some(journal) = &self.undo {
            return undo_all(journal);
        }
        let cancelled = cancelled_by_ctrl_c()?;
        let (plans, mut failures) = match &self.plan {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("{} cannot be read", path.display()))?;
                (read_plan(&text)?, 0)
            }
            None => self.plan_files(&cancelled)?,
        };
        print(self.format, &plans)?;
        for path in &self.export {
            export(path, &plans.iter().map(track).collect::<Vec<_>>())?;
            note(format_args!("{} songs in {}", plans.len(), path.display()));
        }
        let wanted = plans.iter().filter(|plan| !plan.changes.is_empty()).count();
        if !self.write {
            note(format_args!(
                "{wanted} of {} files have something to write; add --write to do it",
                plans.len()
            ));
        } else if wanted > 0 {
            failures += self.write_all(&plans, &cancelled)?;
        } else {
            note("nothing to write");
        }
        Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Classifies all files and plans their tags. Also gives the number of files that failed.
    fn plan_files(&self, cancelled: &AtomicBool) -> Result<(Vec<Planned>, usize)> {
        for (name, value) in [("sure", Some(self.sure)), ("more", self.more)] {
            ensure!(
                value.is_none_or(|value| (0.0..=1.0).contains(&value)),
                "--{name} must be a probability, 0 to 1"
            );
        }
        let bundle = match &self.model {
            Some(path) => ModelBundle::open(path)?,
            None => built_in().context("the built-in networks cannot be used; name others with --model")?,
        };
        let options = self.options(bundle.analyser()?.classes())?;
        let (files, unread) = audio_files(&self.files)?;
        if !unread.is_empty() {
            note(&unread);
        }
        let bar = progress_bar(files.len() as u64, "planning");
        let (mut plans, mut failures) = (Vec::new(), 0);
        for some in files.chunks(files_at_once()) {
            if cancelled.load(Ordering::Relaxed) {
                bar.finish_and_clear();
                bail!("stopped; nothing was written");
            }
            let found = answers(&bundle, some, &bar, |analyser, path| plan(analyser, path, &options));
            for (path, found) in some.iter().zip(found) {
                match found {
                    Ok(planned) => plans.push(planned),
                    Err(error) => {
                        failures += 1;
                        bar.suspend(|| tell(path, &causes(&error)));
                    }
                }
            }
        }
        bar.finish_and_clear();
        ensure!(!plans.is_empty(), "none of {} files can be used", files.len());
        Ok((plans, failures))
    }

    fn options(&self, classes: &[String]) -> Result<Options> {
        let names = match &self.names {
            None => Vec::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("{} cannot be read", path.display()))?;
                names(&text, classes).with_context(|| path.display().to_string())?
            }
        };
        let plan = PlanOptions {
            sure: self.sure,
            replace: self.replace,
            more: self.more,
            names,
            bpm: self.bpm,
            heard: self.heard.map(|heard| match heard {
                Heard::Comment => Field::Comment,
                Heard::Grouping => Field::Grouping,
            }),
        };
        Ok(Options { plan, tempo: !self.export.is_empty() })
    }

    /// Writes all planned tags. A file that fails is told, and the others go on. Returns the number of failures.
    fn write_all(&self, plans: &[Planned], cancelled: &AtomicBool) -> Result<usize> {
        let path = self.journal.clone().unwrap_or_else(free_journal);
        let mut journal = Journal::create(&path)
            .with_context(|| format!("{}: choose another file with --journal", path.display()))?;
        let bar = progress_bar(plans.len() as u64, "writing");
        let (mut written, mut failures) = (0, 0);
        for plan in plans.iter().filter(|plan| !plan.changes.is_empty()) {
            if cancelled.load(Ordering::Relaxed) {
                break;
            }
            match replace(&plan.file, &plan.sha256, &plan.changes(), &mut journal) {
                Ok(replaced) => {
                    written += 1;
                    if let Some(remark) = replaced.remark {
                        bar.suspend(|| tell(&plan.file, &remark));
                    }
                }
                Err(error) => {
                    failures += 1;
                    bar.suspend(|| tell(&plan.file, &error.to_string()));
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        note(format_args!(
            "{written} files written; restore them with: cratedigger tag --undo {}",
            journal.path().display()
        ));
        if failures > 0 {
            note(format_args!("{failures} files were left as they were"));
        }
        Ok(failures)
    }
}

/// A journal in the working folder that does not exist yet.
fn free_journal() -> PathBuf {
    let name = |number: u32| PathBuf::from(format!("cratedigger-tag-{number}.journal"));
    (1..u32::MAX).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}

fn undo_all(journal: &Path) -> Result<ExitCode> {
    let undone = undo(journal)?;
    let (mut restored, mut same, mut failures) = (0, 0, 0);
    for file in &undone {
        match &file.result {
            Ok(true) => restored += 1,
            Ok(false) => same += 1,
            Err(error) => {
                failures += 1;
                tell(&file.file, &error.to_string());
            }
        }
    }
    note(format_args!(
        "{restored} files restored, {same} had their old bytes already, {failures} left as they are"
    ));
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A message about a file. The message must not repeat the file's name.
fn tell(path: &Path, message: &str) {
    let file = path.display().to_string();
    let message = message.strip_prefix(&file).unwrap_or(message).trim_start();
    note(format_args!("{file}: {message}"));
}

fn track(plan: &Planned) -> Track {
    let new =
        plan.changes.iter().find(|change| change.field == Field::Genre).map(|change| change.new.clone());
    Track {
        file: plan.file.display().to_string(),
        artist: plan.tags.artist.clone(),
        title: plan.tags.title.clone(),
        album: plan.tags.album.clone(),
        genres: new.unwrap_or_else(|| plan.tags.genres.clone()),
        predicted: Some((plan.genre.clone(), plan.confidence)),
        seconds: plan.seconds,
        tempo: plan.tempo,
    }
}

fn print(format: Format, plans: &[Planned]) -> Result<()> {
    match format {
        Format::Json => plans.iter().try_for_each(|plan| line(serde_json::to_string(plan)?)),
        Format::Table => {
            let mut rows = table(&["file", "field", "old", "new", "confidence"]);
            align_right(&mut rows, [4]);
            for plan in plans {
                rows.add_rows(cells(plan));
            }
            line(rows)
        }
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(std::io::stdout());
            writer.write_record(["file", "field", "old", "new", "confidence"])?;
            for row in plans.iter().flat_map(cells) {
                writer.write_record(row.iter().map(|cell| csv_guarded(cell).into_owned()))?;
            }
            Ok(writer.flush()?)
        }
    }
}

/// One row for each field to write, and one that says why others are left.
fn cells(plan: &Planned) -> Vec<[String; 5]> {
    let (file, sure) = (plan.file.display().to_string(), whole_percent(f64::from(plan.confidence)));
    let row = |Change { field, old, new }: &Change| {
        [file.clone(), field.name().into(), old.join("; "), new.join("; "), sure.clone()]
    };
    let mut rows: Vec<[String; 5]> = plan.changes.iter().map(row).collect();
    let reasons: BTreeSet<&str> = plan.kept.iter().map(String::as_str).collect();
    if !reasons.is_empty() || rows.is_empty() {
        let why = reasons.into_iter().collect::<Vec<_>>().join("; ");
        let why = if why.is_empty() { "nothing new".into() } else { why };
        rows.push([file.clone(), String::new(), why, String::new(), sure.clone()]);
    }
    rows
}
