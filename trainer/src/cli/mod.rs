//! The command line: arguments and output to the terminal.

mod alike;
mod classify;
mod combine;
mod compare;
mod crossval;
mod embed;
mod evaluate;
mod export;
mod features;
mod import;
mod inspect;
mod output;
mod parallel;
mod runs;
mod sections;
mod split;
mod table;
mod tag;
mod teach;
mod train;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::progress::{note, warn_once};
pub use output::failed;

use crate::data::Dataset;

/// Train, evaluate, export and run genre networks.
#[derive(Parser)]
#[command(name = "cratedigger", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

impl Arguments {
    /// Whether the command trains networks, and therefore frees and allocates the same memory in every step.
    pub fn trains(&self) -> bool {
        matches!(self.command, Command::Train(_) | Command::Crossval(_))
    }
}

#[derive(Subcommand)]
enum Command {
    /// Check a data set for broken, silent, clipped and duplicate clips
    Inspect(inspect::Command),
    /// Write a split as a JSON index file, which `train --index` reads
    Split(split::Command),
    /// Train a network from a TOML configuration
    Train(train::Command),
    /// Train and evaluate one network per fold
    Crossval(crossval::Command),
    /// Evaluate a model on the test clips of a data set
    Evaluate(evaluate::Command),
    /// Compare the evaluations of several models
    Compare(compare::Command),
    /// List the runs in folders
    Runs(runs::Command),
    /// Write an evaluated run's best weights with a manifest and a model card
    Export(export::Command),
    /// Fit the decision rule of an ensemble and the threshold of "none of these"
    Combine(combine::Command),
    /// Measure sections on mixes: validation clips joined with speech between them
    Sections(sections::Command),
    /// Import a published network: musicnn from its wheel on PyPI, without dead channels
    Import(import::Command),
    /// Write a table of features of audio files, in the columns of the Kaggle tables of GTZAN
    Features(features::Command),
    /// Classify the genre of audio files
    Classify(classify::Command),
    /// Write a table of embeddings of audio files: one row for each song and each of its segments
    Embed(embed::Command),
    /// Teach classes of your own from a few songs of each, as networks for `classify --model`
    Teach(teach::Command),
    /// Find the songs that sound most like one, and write a playlist
    Alike(alike::Command),
    /// Plan genres and other tags for audio files, write them, and restore the old files
    Tag(tag::Command),
}

/// Runs a command. The exit code is 1 if a command finished with failures, for example a file that could not
/// be decoded.
///
/// # Errors
/// The command failed.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Inspect(command) => return command.run(),
        Command::Features(command) => return command.run(),
        Command::Classify(command) => return command.run(),
        Command::Embed(command) => return command.run(),
        Command::Teach(command) => return command.run(),
        Command::Tag(command) => return command.run(),
        Command::Split(command) => command.run()?,
        Command::Train(command) => command.run()?,
        Command::Crossval(command) => command.run()?,
        Command::Evaluate(command) => command.run()?,
        Command::Compare(command) => command.run()?,
        Command::Runs(command) => command.run()?,
        Command::Export(command) => command.run()?,
        Command::Combine(command) => command.run()?,
        Command::Sections(command) => command.run()?,
        Command::Import(command) => command.run()?,
        Command::Alike(command) => command.run()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A flag that Ctrl-C sets. Long work stops at the next safe point and keeps its results. A second Ctrl-C
/// ends the program.
fn cancelled_by_ctrl_c() -> Result<Arc<AtomicBool>> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancelled);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130); // a shell's exit code after SIGINT
        }
        note("\nstopping at the next safe point; press Ctrl-C again to stop at once");
    };
    ctrlc::set_handler(handler).context("the handler of Ctrl-C cannot be set")?;
    Ok(cancelled)
}

/// Opens a data set and tells what is odd about it.
fn open_data_set(folder: &Path) -> Result<Dataset> {
    let data = Dataset::open(folder)?;
    data.remarks.iter().for_each(|remark| warn_once(remark));
    Ok(data)
}

/// Prints the skipped files (at most 20) and their number, and what is odd about the data set.
fn report_skipped(data: &Dataset) {
    data.remarks.iter().for_each(|remark| warn_once(remark));
    for (file, why) in data.skipped.iter().take(20) {
        note(format_args!("skipped {file}: {why}"));
    }
    if !data.skipped.is_empty() {
        note(format_args!("{} files or clips were skipped", data.skipped.len()));
    }
}
