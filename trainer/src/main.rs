//! `cratedigger`: train, measure, ship and use genre networks.

use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use cratedigger_trainer::config::Config;
use cratedigger_trainer::data::Dataset;
use cratedigger_trainer::split::Protocol;
use cratedigger_trainer::{classify, evaluate, export, features, train};

/// Train, measure, ship and use genre networks.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network as a TOML file describes it
    Train {
        /// The recipe, for example trainer/recipes/small-cnn.toml
        recipe: PathBuf,
        /// The data set's folder
        #[arg(long)]
        data: PathBuf,
        /// Folder of the run: checkpoints, metrics, best weights
        #[arg(long)]
        out: PathBuf,
        /// Seed of every random choice
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How to keep training, validation and test clips apart
        #[arg(long, value_enum, default_value_t = Protocol::FaultFiltered)]
        split: Protocol,
        /// Go on with the run in --out
        #[arg(long)]
        resume: bool,
        /// Stop after so many epochs; go on later by --resume
        #[arg(long, value_name = "EPOCHS")]
        pause_after: Option<usize>,
        /// Use a data set's audio files even where it has arrays
        #[arg(long)]
        audio: bool,
    },
    /// Measure a model on the test clips of a data set
    Evaluate {
        /// A run, one exported model (.bpk beside its manifest.json), or a folder with a manifest.json
        model: PathBuf,
        /// The data set's folder
        #[arg(long)]
        data: PathBuf,
        /// Which clips to measure on
        #[arg(long, value_enum, default_value_t = Protocol::FaultFiltered)]
        split: Protocol,
        /// Seed of the track and segment splits [default: the seed the model was trained with]
        #[arg(long)]
        seed: Option<u64>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Use a data set's audio files even where it has arrays
        #[arg(long)]
        audio: bool,
    },
    /// Measure a run's best weights and write them, in half precision, with a manifest
    Export {
        /// The run
        run: PathBuf,
        /// The data set to measure on
        #[arg(long)]
        data: PathBuf,
        /// Folder of the manifest
        #[arg(long, default_value = "models")]
        to: PathBuf,
    },
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
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print one JSON object a file, a line each
        #[arg(long)]
        json: bool,
        /// A folder with a manifest.json, one exported model, or a run [default: the networks built into this program]
        #[arg(long)]
        model: Option<PathBuf>,
    },
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
        Command::Train { recipe, data, out, seed, split, resume, pause_after, audio } => {
            let config = Config::read(&recipe)?;
            let mut dataset = Dataset::open(&data, audio)?;
            let cancelled = cancelled_by_ctrl_c()?;
            let command = format!(
                "cratedigger train {} --data DATA --split {} --seed {seed}{}",
                recipe.display(),
                split.name(),
                if audio { " --audio" } else { "" }
            );
            let options = train::Options {
                config,
                folder: out.clone(),
                seed,
                protocol: split,
                command,
                resume,
                pause_after,
                cancelled,
            };
            let state = train::train(&options, &mut dataset)?;
            evaluate::report_skipped(&dataset);
            eprintln!(
                "best epoch {} of {}: {:.1} % of the validation clips; measure it with: cratedigger evaluate {} --data {}",
                state.best_epoch,
                state.epochs_done,
                100.0 * state.best_accuracy,
                out.display(),
                data.display()
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::Evaluate { model, data, split, seed, json, audio } => {
            evaluate::command(&model, &data, split, seed, json, audio)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Export { run, data, to } => {
            export::command(&run, &data, &to)?;
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
        Command::Classify { files, json, model } => classify::command(&files, json, model.as_deref()),
    }
}

/// A flag that Ctrl-C sets: long work ends at the next good place and keeps what it has.
fn cancelled_by_ctrl_c() -> Result<Arc<AtomicBool>> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancelled);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).context("Ctrl-C cannot be handled")?;
    Ok(cancelled)
}
