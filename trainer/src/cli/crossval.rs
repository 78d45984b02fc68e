//! `cratedigger crossval`.

use anyhow::{Result, ensure};

use super::open_data_set;
use super::output::line;
use super::train::RunArguments;
use crate::data::split::Protocol;
use crate::eval::crossval::{CrossValidation, cross_validate};
use crate::format::percent;
use crate::progress::note;
use crate::report::{cross_validation_report, write_report};

/// Arguments of `cratedigger crossval`.
#[derive(clap::Args)]
pub(super) struct Command {
    #[command(flatten)]
    run: RunArguments,
    /// Number of folds [default: `data.folds` of the configuration, or 5]
    #[arg(long)]
    folds: Option<usize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(super) fn run(mut self) -> Result<()> {
        let overrides = &mut self.run.overrides;
        ensure!(
            overrides.index.is_none() && overrides.split.is_none_or(|split| split == Protocol::Track),
            "cross-validation makes its own folds of whole clips; remove --split and --index"
        );
        overrides.split = Some(Protocol::Track);
        overrides.folds = self.folds;
        let data = self.run.data.clone();
        let mut options = self.run.options("crossval", None)?;
        options.config.data.folds.get_or_insert(5);
        let folder = options.folder.clone();
        open_data_set(&data)?;
        let (result, bundle) = cross_validate(options, &data)?;
        let path = folder.join("crossval.html");
        let report = cross_validation_report(&result, &bundle)?;
        write_report(&path, &report.name.clone(), &[report])?;
        if self.json {
            line(serde_json::to_string(&result)?)?;
            return Ok(());
        }
        print(&result)?;
        note(format_args!("report: {}", path.display()));
        Ok(())
    }
}

fn print(result: &CrossValidation) -> Result<()> {
    for fold in &result.folds {
        line(format_args!(
            "fold {}  clips {} of {}  segments {} of {}",
            fold.fold,
            percent(fold.track_accuracy),
            fold.tracks,
            percent(fold.segment_accuracy),
            fold.segments
        ))?;
    }
    let track = &result.evaluation.track;
    line(format_args!(
        "all     clips {} of {} (95 %: {} to {}); folds {} ± {}",
        percent(track.accuracy),
        track.n,
        percent(track.interval[0]),
        percent(track.interval[1]),
        percent(result.track_accuracy.0),
        percent(result.track_accuracy.1)
    ))
}
