//! `cratedigger train`, and the arguments that it shares with `cratedigger crossval`.

use std::path::PathBuf;

use anyhow::Result;

use super::{cancelled_by_ctrl_c, open_data_set, report_skipped};
use crate::config::{Config, Overrides};
use crate::data::examples::default_cache;
use crate::device::Devices;
use crate::format::percent;
use crate::progress::note;
use crate::train::{Options, train};

/// Arguments of a training run.
#[derive(clap::Args)]
pub(super) struct RunArguments {
    /// Configuration, for example trainer/recipes/small-cnn.toml
    config: PathBuf,
    /// Folder of the data set
    #[arg(long)]
    pub(super) data: PathBuf,
    /// Folder of the run: checkpoints, metrics, best weights
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    pub(super) overrides: Overrides,
    /// Compute device: flex (all CPU cores), vulkan, cuda, cuda:1, or several as cuda:0,cuda:1
    #[arg(long, default_value = "flex")]
    device: Devices,
    /// Resume the run in --out
    #[arg(long)]
    resume: bool,
    /// Use the full-screen display
    #[arg(long)]
    tui: bool,
    /// Cache folder of features of audio [default: in the user's cache folder]
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
    /// Accept classes with too few clips for the split
    #[arg(long)]
    allow_small: bool,
    /// Do not cache features of audio
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
}

impl RunArguments {
    /// The options of a run; `name` is the name of the command.
    pub(super) fn options(self, name: &str, pause_after: Option<usize>) -> Result<Options> {
        let config = Config::read(&self.config, &self.overrides)?;
        let command = format!("cratedigger {name} {} --data DATA{}", self.config.display(), self.overrides);
        Ok(Options {
            config,
            folder: self.out,
            command,
            resume: self.resume,
            pause_after,
            devices: self.device,
            cache: if self.no_cache { None } else { self.cache.or_else(default_cache) },
            tui: self.tui,
            allow_small: self.allow_small,
            cancelled: cancelled_by_ctrl_c()?,
        })
    }
}

/// Arguments of `cratedigger train`.
#[derive(clap::Args)]
pub(super) struct Command {
    #[command(flatten)]
    run: RunArguments,
    /// Stop after this many epochs; continue later with --resume
    #[arg(long, value_name = "EPOCHS")]
    pause_after: Option<usize>,
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        let data = self.run.data.clone();
        let options = self.run.options("train", self.pause_after)?;
        let mut dataset = open_data_set(&data)?;
        let state = train(&options, &mut dataset)?;
        report_skipped(&dataset);
        let result = if options.config.data.learn_from_validation {
            format!("trained on all clips except the test clips for {} epochs", state.epochs_done)
        } else {
            format!(
                "best epoch {} of {}: validation accuracy {}",
                state.best_epoch,
                state.epochs_done,
                percent(state.best_accuracy)
            )
        };
        note(format_args!(
            "{result}; evaluate it with: cratedigger evaluate {} --data {}",
            options.folder.display(),
            data.display()
        ));
        Ok(())
    }
}
