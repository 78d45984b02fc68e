//! `cratedigger runs`.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::output::line;
use super::table::table;
use crate::data::split::Protocol;
use crate::data::walk::entries;
use crate::format::{causes, percent};
use crate::store::RunFolder;

/// Levels of folders that are searched.
const DEPTH: usize = 4;

/// Arguments of `cratedigger runs`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// Folders to search for runs
    #[arg(default_value = "runs")]
    folders: Vec<PathBuf>,
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        let mut found = Vec::new();
        for folder in &self.folders {
            ensure!(folder.is_dir(), "{} is not a folder", folder.display());
            for entry in entries(folder, DEPTH).flatten() {
                if entry.file_type().is_dir() && RunFolder::is_run(entry.path()) {
                    found.push(entry.into_path());
                }
            }
        }
        let mut rows =
            table(&["run", "network", "split", "seed", "epochs", "best", "validation", "seconds", "tested"]);
        for path in &found {
            let name = path.display().to_string();
            match run_row(path) {
                Ok(cells) => rows.add_row(std::iter::once(name).chain(cells)),
                Err(error) => rows.add_row([name, causes(&error)]),
            };
        }
        line(&rows)?;
        line(format_args!("{} runs", found.len()))?;
        Ok(())
    }
}

fn run_row(path: &Path) -> Result<Vec<String>> {
    let run = RunFolder::new(path);
    let (config, record, state) = (run.config()?, run.record()?, run.state()?);
    let seconds: f64 = run.metrics()?.iter().map(|m| m.seconds).sum();
    let tested: Vec<String> = run
        .evaluations()?
        .iter()
        .map(|e| {
            let (level, scores) = if e.split.protocol == Protocol::Segment {
                ("segments", &e.segment)
            } else {
                ("clips", &e.track)
            };
            format!("{}: {} of {} {level}", e.protocol, percent(scores.accuracy), scores.n)
        })
        .collect();
    let (epochs, best, accuracy) = match &state {
        Some(state) => (
            format!("{}{}", state.epochs_done, if state.finished { "" } else { " (not finished)" }),
            state.best_epoch.to_string(),
            percent(state.best_accuracy),
        ),
        None => ("0 (not finished)".into(), String::new(), String::new()),
    };
    Ok(vec![
        config.name,
        record.split.describe(),
        record.seed.to_string(),
        epochs,
        best,
        accuracy,
        format!("{seconds:.0}"),
        tested.join("\n"),
    ])
}
