//! `cratedigger features`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::cancelled_by_ctrl_c;
use crate::data::features::{Options, extract};

/// Arguments of `cratedigger features`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// Audio files, and folders with audio files; the label is the name of the file's folder
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Length of a window in seconds; the Kaggle tables have 30 and 3
    #[arg(long, default_value_t = 30.0, value_name = "SECONDS")]
    window: f64,
    /// Distance between window starts in seconds [default: the window]
    #[arg(long, value_name = "SECONDS")]
    hop: Option<f64>,
    /// Output file, .csv or .parquet; an interrupted extraction continues with the same command
    #[arg(long)]
    out: PathBuf,
}

impl Command {
    #[expect(clippy::print_stderr, reason = "a command's output")]
    pub(super) fn run(self) -> Result<ExitCode> {
        let options = Options { window: self.window, hop: self.hop.unwrap_or(self.window), out: self.out };
        let extraction = extract(&self.paths, &options, &cancelled_by_ctrl_c()?)?;
        for bad in &extraction.unreadable {
            eprintln!("{}: {}", bad.file, bad.error);
        }
        let (files, bad) = (extraction.files, extraction.unreadable.len());
        if extraction.stopped {
            eprintln!("stopped after {files} files; continue with the same command");
            return Ok(ExitCode::FAILURE);
        }
        ensure!(extraction.rows > 0, "none of {files} files can be decoded");
        let reused = match extraction.reused {
            0 => String::new(),
            reused => format!(" ({reused} from an earlier call)"),
        };
        let failed = if bad > 0 { format!("; {bad} files cannot be read") } else { String::new() };
        eprintln!(
            "{} rows of {} files in {}{reused}{failed}",
            extraction.rows,
            extraction.good,
            options.out.display(),
        );
        Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
