//! `cratedigger embed`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, ensure};
use cratedigger_zoo::Analyser;

use super::cancelled_by_ctrl_c;
use super::parallel::{answers, files_at_once};
use crate::data::examples::default_cache;
use crate::eval::ModelBundle;
use crate::eval::classify::{audio_files, built_in};
use crate::eval::embed::{Table, embed};
use crate::eval::song_features::Cache;
use crate::format::causes;
use crate::progress::{note, progress_bar};

/// Arguments of `cratedigger embed`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// Audio files, and folders with audio files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Output file: .parquet, one row for each song and each of its segments (path, level, start, duration,
    /// embedding); or .npy with the embeddings alone and a .csv beside it with the other columns
    #[arg(long)]
    out: PathBuf,
    /// A manifest (.json) or its folder, an exported model, or a run, whose network has an embedding
    /// [default: the networks built into this program]
    #[arg(long)]
    model: Option<PathBuf>,
}

impl Command {
    /// Writes the embeddings of files, in their order. The exit code is 1 if a file failed, or if the command
    /// was stopped; the table then has the files before.
    pub(super) fn run(self) -> Result<ExitCode> {
        let cancelled = cancelled_by_ctrl_c()?;
        let bundle = match &self.model {
            Some(path) => ModelBundle::open(path)?,
            None => built_in().context("the built-in networks cannot be used; name others with --model")?,
        };
        let width = bundle.analyser()?.embedding_width().context(
            "no network of this model has an embedding; name one that has, for example a musicnn, with --model",
        )?;
        let (files, unread) = audio_files(&self.files)?;
        if !unread.is_empty() {
            note(&unread);
        }
        let mut table = Table::create(&self.out, width)?;
        let cache = default_cache().map(|folder| Cache::of(&bundle, &folder)).transpose()?;
        let act = |analyser: &mut Analyser, path: &Path| embed(analyser, path, cache.as_ref());
        let bar = progress_bar(files.len() as u64, "computing embeddings");
        let (mut failures, mut done) = (0, 0);
        for some in files.chunks(files_at_once()) {
            if cancelled.load(Ordering::Relaxed) {
                break;
            }
            for (path, answer) in some.iter().zip(answers(&bundle, some, &bar, act)) {
                done += 1;
                match answer {
                    Ok(rows) => table.add(&rows)?,
                    Err(error) => {
                        failures += 1;
                        let (file, message) = (path.display().to_string(), causes(&error));
                        // The message must not repeat the file's name.
                        let message = message.strip_prefix(&file).unwrap_or(&message).trim_start();
                        bar.suspend(|| note(format_args!("{file}: {message}")));
                    }
                }
            }
        }
        bar.finish_and_clear();
        ensure!(failures < files.len(), "none of {} files can be used", files.len());
        let rows = table.finish()?;
        note(format_args!("{rows} rows of {} files in {}", done - failures, self.out.display()));
        if done < files.len() {
            note(format_args!("stopped after {done} of {} files", files.len()));
            return Ok(ExitCode::FAILURE);
        }
        if failures > 0 {
            note(format_args!("{failures} of {} files failed", files.len()));
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}
