//! `cratedigger`: train, measure, ship and use genre networks.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand, ValueEnum as _};
use cratedigger_trainer::config::Config;
use cratedigger_trainer::data::Dataset;
use cratedigger_trainer::material::{self, Origin};
use cratedigger_trainer::split::{Group, IndexFile, Protocol, Split, SplitPlan};
use cratedigger_trainer::{
    classify, combine, compare, crossval, evaluate, export, features, import_ear, inspect, train,
};

/// Train, measure, ship and use genre networks.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Look for what is wrong with a data set: broken, silent, clipped and repeated clips
    Inspect {
        /// The data set's folder
        data: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the parts of a split as a JSON index file, which `train --index` reads
    Split {
        /// The data set's folder
        data: PathBuf,
        /// The protocol
        #[arg(long, value_enum, default_value_t = Protocol::Track)]
        split: Protocol,
        /// Seed of the random ones
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Number of folds of the track protocol
        #[arg(long)]
        folds: Option<usize>,
        /// Which fold tests, counted from 0
        #[arg(long, default_value_t = 0)]
        fold: usize,
        /// Keep all clips of an artist together
        #[arg(long)]
        by_artist: bool,
        /// The index file
        #[arg(long)]
        out: PathBuf,
    },
    /// Train a network as a TOML file describes it
    Train {
        #[command(flatten)]
        run: RunArguments,
        /// Stop after so many epochs; go on later by --resume
        #[arg(long, value_name = "EPOCHS")]
        pause_after: Option<usize>,
    },
    /// Train and measure as many networks as there are folds
    Crossval {
        #[command(flatten)]
        run: RunArguments,
        /// Number of folds [default: data.folds of the configuration, or 5]
        #[arg(long)]
        folds: Option<usize>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Measure a model on the test clips of a data set
    Evaluate(evaluate::Command),
    /// Put what was measured of several runs beside each other
    Compare {
        /// Runs, cross-validations, or files that `evaluate --json` printed
        #[arg(required = true)]
        runs: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Print Markdown: a row for each network, a column for each protocol, and what others claim
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
        /// Write a report with pictures, one HTML file
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// List the runs below some folders
    Runs {
        /// Folders
        #[arg(default_value = "runs")]
        folders: Vec<PathBuf>,
    },
    /// Write a measured run's best weights, with a manifest and a card
    Export {
        /// The run
        run: PathBuf,
        /// The data set, to measure several networks together
        #[arg(long)]
        data: Option<PathBuf>,
        /// The manifest (.json), or its folder
        #[arg(long, default_value = "models")]
        to: PathBuf,
    },
    /// Decide how the networks of a folder decide together, and when the answer is none of the classes
    Combine(combine::Command),
    /// Import a published network: musicnn, from the wheel that PyPI has, without its dead channels
    Import(import_ear::Command),
    /// Write a table of features of audio files, in the columns of the Kaggle tables of GTZAN
    Features {
        /// Audio files, and folders to look for them in; the label is the name of a file's folder
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Seconds a window: 30 and 3 are what the tables have
        #[arg(long, default_value_t = 30.0, value_name = "SECONDS")]
        window: f64,
        /// Seconds from one window's beginning to the next one's [default: the window]
        #[arg(long, value_name = "SECONDS")]
        hop: Option<f64>,
        /// The table, as .csv or .parquet; a run that was stopped goes on with the same command
        #[arg(long)]
        out: PathBuf,
    },
    /// Name the genre of audio files (wav, au, mp3, flac, ogg)
    Classify {
        /// Files, and folders to look for audio in
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Short for --format json
        #[arg(long)]
        json: bool,
        /// How to print
        #[arg(long, value_enum, default_value_t = classify::Format::Lines)]
        format: classify::Format,
        /// A manifest (.json) or its folder, one exported model, or a run [default: the networks built into this program]
        #[arg(long)]
        model: Option<PathBuf>,
    },
}

/// What training and cross-validation have in common.
#[derive(clap::Args)]
struct RunArguments {
    /// The configuration, for example trainer/recipes/small-cnn.toml
    config: PathBuf,
    /// The data set's folder
    #[arg(long)]
    data: PathBuf,
    /// Folder of the run: checkpoints, metrics, best weights
    #[arg(long)]
    out: PathBuf,
    /// Another value for a key of the configuration, for example training.epochs=50; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    changes: Vec<String>,
    /// Seed of every random choice [default: the configuration's]
    #[arg(long)]
    seed: Option<u64>,
    /// How to keep training, validation and test clips apart [default: the configuration's]
    #[arg(long, value_enum)]
    split: Option<Protocol>,
    /// An index file that says so
    #[arg(long, conflicts_with = "split")]
    index: Option<PathBuf>,
    /// What to make the network's input from [default: the configuration's]
    #[arg(long, value_enum)]
    source: Option<Origin>,
    /// Short for --source audio
    #[arg(long)]
    audio: bool,
    /// What computes: flex (all cores), vulkan, cuda, cuda:1, or several as cuda:0,cuda:1
    #[arg(long, default_value = "flex")]
    device: String,
    /// Go on with the run in --out
    #[arg(long)]
    resume: bool,
    /// Show the run on the whole terminal
    #[arg(long)]
    tui: bool,
    /// Where features of audio are kept between runs [default: the user's cache folder]
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
    /// Keep no features of audio
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
}

impl RunArguments {
    /// The options of a run, with `more` changes of the configuration behind those that were asked
    /// for.
    fn options(
        self,
        what: &str,
        more: &[String],
        pause_after: Option<usize>,
    ) -> Result<(train::Options, PathBuf)> {
        let mut changes = self.changes;
        let origin = if self.audio { Some(Origin::Audio) } else { self.source };
        changes.extend(self.seed.map(|seed| format!("seed={seed}")));
        changes.extend(self.split.map(|split| format!("data.split={}", split.name())));
        changes.extend(self.index.map(|index| format!("data.index={}", index.display())));
        if let Some(origin) = origin.and_then(|origin| origin.to_possible_value()) {
            changes.push(format!("data.source={}", origin.get_name()));
        }
        changes.extend(more.iter().cloned());
        let config = Config::read(&self.config, &changes)?;
        let words: Vec<String> = changes.iter().map(|change| format!(" --set {change}")).collect();
        let command = format!("cratedigger {what} {} --data DATA{}", self.config.display(), words.concat());
        let cache = if self.no_cache { None } else { self.cache.or_else(material::default_cache) };
        let options = train::Options {
            config,
            folder: self.out,
            command,
            resume: self.resume,
            pause_after,
            devices: self.device.parse()?,
            cache,
            tui: self.tui,
            cancelled: cancelled_by_ctrl_c()?,
        };
        Ok((options, self.data))
    }
}

#[expect(clippy::print_stderr, reason = "where a command-line program says what went wrong")]
fn main() -> ExitCode {
    // clap exits with 2 where the arguments are wrong.
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cratedigger: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "progress of a command-line program")]
fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Inspect { data, json } => {
            let clean = inspect::command(&data, json, &cancelled_by_ctrl_c()?)?;
            Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Split { data, split, seed, folds, fold, by_artist, out } => {
            let data = Dataset::open(&data)?;
            anyhow::ensure!(
                matches!(split, Protocol::Track | Protocol::FaultFiltered),
                "an index file is made of whole clips: --split track or fault-filtered"
            );
            anyhow::ensure!(
                folds.is_none_or(|folds| folds > 1 && fold < folds),
                "--fold {fold}: counted from 0"
            );
            let plan = SplitPlan {
                folds: folds.map(|folds| (folds, fold)),
                group: if by_artist { Group::Artist } else { Group::Track },
                ..SplitPlan::of(split, seed)
            };
            let parts = Split::new(&plan, &data.clips, &vec![1; data.clips.len()])?;
            let index = IndexFile::of(&parts, &data.clips);
            std::fs::write(&out, serde_json::to_vec_pretty(&index)?)
                .with_context(|| format!("{} cannot be written", out.display()))?;
            eprintln!(
                "{}: {} clips to train on, {} to validate with, {} to test with",
                out.display(),
                index.train.len(),
                index.valid.len(),
                index.test.len()
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::Train { run, pause_after } => {
            let (options, data) = run.options("train", &[], pause_after)?;
            let mut dataset = Dataset::open(&data)?;
            let state = train::train(&options, &mut dataset)?;
            evaluate::report_skipped(&dataset);
            let what = if options.config.data.learn_from_validation {
                format!("learned from all but the test clips for {} epochs", state.epochs_done)
            } else {
                let (best, done) = (state.best_epoch, state.epochs_done);
                format!(
                    "best epoch {best} of {done}: validation accuracy {:.1} %",
                    100.0 * state.best_accuracy
                )
            };
            eprintln!(
                "{what}; measure it with: cratedigger evaluate {} --data {}",
                options.folder.display(),
                data.display()
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::Crossval { run, folds, json } => {
            ensure!(
                run.index.is_none() && run.split.is_none_or(|split| split == Protocol::Track),
                "a cross-validation makes its own folds of whole clips: leave --split and --index out"
            );
            let folds = folds.map(|folds| format!("data.folds={folds}"));
            let more: Vec<String> = folds.into_iter().chain(["data.split=track".to_owned()]).collect();
            let (mut options, data) = run.options("crossval", &more, None)?;
            options.config.data.folds.get_or_insert(5);
            crossval::command(options, &data, json)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Evaluate(command) => {
            evaluate::command(&command)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Compare { runs, json, markdown, report } => {
            compare::command(&runs, json, markdown, report.as_deref())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Runs { folders } => {
            compare::runs(&folders)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Export { run, data, to } => {
            export::command(&export::Command { run, to, data })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Combine(command) => {
            combine::command(&command)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Import(command) => {
            import_ear::command(&command)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Features { paths, window, hop, out } => {
            let options = features::Options { window, hop: hop.unwrap_or(window), out };
            let outcome = features::extract(&paths, &options, &cancelled_by_ctrl_c()?)?;
            for bad in &outcome.unreadable {
                eprintln!("{}: {}", bad.file, bad.error);
            }
            let (files, bad) = (outcome.files, outcome.unreadable.len());
            if outcome.stopped {
                eprintln!("stopped after {files} files; the same command goes on from here");
                return Ok(ExitCode::FAILURE);
            }
            anyhow::ensure!(outcome.rows > 0, "none of {files} files can be read as audio");
            eprintln!(
                "{} rows of {} files in {}{}{}",
                outcome.rows,
                outcome.good,
                options.out.display(),
                if outcome.reused > 0 { format!(" ({} done before)", outcome.reused) } else { String::new() },
                if bad > 0 { format!("; {bad} files cannot be read") } else { String::new() },
            );
            Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Classify { files, json, format, model } => {
            let format = if json { classify::Format::Json } else { format };
            classify::command(&files, format, model.as_deref(), &*cancelled_by_ctrl_c()?)
        }
    }
}

/// A flag that Ctrl-C sets: long work ends at the next good place and keeps what it has. The second one ends
/// the program.
#[expect(clippy::print_stderr, reason = "what comes of a key")]
fn cancelled_by_ctrl_c() -> Result<Arc<AtomicBool>> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancelled);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130); // as a shell says of what SIGINT ended
        }
        eprintln!("\nstopping where nothing is lost; Ctrl-C again stops at once");
    };
    ctrlc::set_handler(handler).context("Ctrl-C cannot be handled")?;
    Ok(cancelled)
}
