//! `cratedigger features`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::cancelled_by_ctrl_c;
use crate::data::features::{Options, extract};
use crate::progress::note;

/// Arguments of `cratedigger features`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// Audio files, pipes or - (standard input), and folders with audio files; the label is the name of the
    /// file's folder
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
    pub(super) fn run(self) -> Result<ExitCode> {
        let options = Options { window: self.window, hop: self.hop.unwrap_or(self.window), out: self.out };
        let extraction = extract(&self.paths, &options, &cancelled_by_ctrl_c()?)?;
        for bad in &extraction.unreadable {
            // Most errors begin with the file's name.
            let error = bad.error.strip_prefix(&bad.file).map_or(bad.error.as_str(), str::trim_start);
            note(format_args!("{}: {error}", bad.file));
        }
        for (file, text) in &extraction.notes {
            note(format_args!("{file}: {text}"));
        }
        if !extraction.unread.is_empty() {
            note(&extraction.unread);
        }
        let (files, bad) = (extraction.files, extraction.unreadable.len());
        if extraction.stopped {
            note(format_args!("stopped after {files} files; continue with the same command"));
            return Ok(ExitCode::FAILURE);
        }
        ensure!(extraction.rows > 0, "none of {files} files can be decoded");
        let reused = match extraction.reused {
            0 => String::new(),
            reused => format!(" ({reused} from an earlier call)"),
        };
        let failed = if bad > 0 { format!("; {bad} files cannot be read") } else { String::new() };
        note(format_args!(
            "{} rows of {} files in {}{reused}{failed}",
            extraction.rows,
            extraction.good,
            options.out.display(),
        ));
        Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
