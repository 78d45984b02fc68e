//! Begin, checkpoint and resume a run.

use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use burn::module::Module as _;
use burn::optim::ModuleOptimizer;
use cratedigger_zoo::{DataRecord, Network};

use super::options::Options;
use super::session::Session;
use super::step::Learner;
use crate::config::{Config, Schedule};
use crate::data::Dataset;
use crate::data::split::IndexFile;
use crate::device::Devices;
use crate::files::write_atomically;
use crate::format::percent;
use crate::store::{Environment, EpochMetrics, RunFolder, RunRecord, State};

/// The state of the run in the folder.
///
/// # Errors
/// `--resume` was not given, or the run in the folder differs in seed, split, data or configuration.
pub(super) fn resumed(options: &Options, folder: &RunFolder, record: &RunRecord) -> Result<Option<State>> {
    let place = folder.path().display();
    ensure!(
        options.resume,
        "{place} already holds a run; continue it with --resume, or choose another --out"
    );
    let earlier = folder.record()?;
    // The initial weights may be deleted, and with them the list of clips that they know.
    let data = DataRecord { ids: earlier.data.ids.clone(), ..record.data.clone() };
    ensure!(
        earlier.seed == record.seed
            && earlier.split == record.split
            && earlier.data == data
            && earlier.classes == record.classes,
        "{place} was started with another seed, split or data; it can be resumed only with the same"
    );
    // The published accuracy does not affect training.
    let published = options.config.published.clone();
    ensure!(
        Config { published, ..folder.config()? } == options.config,
        "{place} was started with another configuration; it can be resumed only with the same"
    );
    folder.state()
}

/// Creates the folder of a run with all files that stay unchanged.
pub(super) fn begin(
    session: &Session<'_>,
    record: &RunRecord,
    data: &Dataset,
    devices: &Devices,
) -> Result<()> {
    let folder = &session.folder;
    let path = folder.path();
    fs::create_dir_all(path).with_context(|| format!("{} cannot be created", path.display()))?;
    write_atomically(&folder.file("config.toml"), toml::to_string(session.config)?.as_bytes())?;
    let environment = Environment::here(&devices.to_string());
    write_atomically(&folder.file("environment.json"), &serde_json::to_vec_pretty(&environment)?)?;
    let index = IndexFile::of(&session.split, &data.clips);
    write_atomically(&folder.file("split.json"), &serde_json::to_vec_pretty(&index)?)?;
    if !session.preparation.steps.is_empty() {
        write_atomically(&folder.file("preparation.json"), &serde_json::to_vec(&session.preparation)?)?;
    }
    // Last, because this file makes the folder a run.
    write_atomically(&folder.file("run.json"), &serde_json::to_vec_pretty(record)?)
}

/// Updates the state with an epoch's metrics. Returns whether the epoch is the best so far.
pub(super) fn advance(state: &mut State, metrics: &EpochMetrics, session: &Session<'_>) -> bool {
    let Config { training, data, .. } = session.config;
    let accuracy =
        if session.clips_apart { metrics.valid_track_accuracy } else { metrics.valid_segment_accuracy };
    let loss = metrics.valid_loss;
    let better = data.learn_from_validation
        || accuracy > state.best_accuracy
        || (accuracy == state.best_accuracy && loss < state.best_loss);
    state.epochs_done = metrics.epoch;
    if better {
        state.best_epoch = metrics.epoch;
        state.best_accuracy = accuracy;
        state.best_loss = loss;
    }
    if loss < state.lowest_loss {
        state.lowest_loss = loss;
        state.epochs_on_plateau = 0;
    } else {
        state.epochs_on_plateau += 1;
    }
    if training.schedule == Schedule::Plateau && state.epochs_on_plateau >= training.plateau_patience {
        state.rate_factor *= training.plateau_factor;
        state.epochs_on_plateau = 0;
    }
    state.finished =
        metrics.epoch >= training.epochs || metrics.epoch - state.best_epoch >= training.patience;
    better
}

/// Writes the checkpoint of an epoch, and the best weights if `best` is given.
pub(super) fn save(
    folder: &RunFolder,
    learner: &Learner,
    best: Option<Network>,
    optimizer: &ModuleOptimizer,
    state: &State,
    metrics: &EpochMetrics,
) -> Result<()> {
    let failed = |e| anyhow::anyhow!("the checkpoint cannot be written: {e}");
    let epoch = state.epochs_done;
    let weights = learner.clone().into_record().into_bytes().map_err(failed)?;
    write_atomically(&folder.last(epoch), &weights)?;
    write_atomically(&folder.optimizer(epoch), &optimizer.into_bytes().map_err(failed)?)?;
    if let Some(best) = best {
        let weights = best.into_record().into_bytes().map_err(failed)?;
        write_atomically(&folder.file("best.bpk"), &weights)?;
    }
    append(folder, "metrics.jsonl", &serde_json::to_string(metrics)?)?;
    // Last, because it refers to the other files.
    write_atomically(&folder.file("state.json"), &serde_json::to_vec_pretty(state)?)?;
    if epoch > 1 {
        // The previous checkpoint is not needed any more. A failure to remove it does no harm.
        let _ = fs::remove_file(folder.last(epoch - 1));
        let _ = fs::remove_file(folder.optimizer(epoch - 1));
    }
    Ok(())
}

/// The summary line of an epoch.
pub(super) fn summary_line(metrics: &EpochMetrics, config: &Config, better: bool) -> String {
    let learned = config.data.learn_from_validation;
    format!(
        "epoch {:3}/{}  loss {:.3}  accuracy {}  {}: clips {} segments {} loss {:.3}  {:.1} s{}",
        metrics.epoch,
        config.training.epochs,
        metrics.train_loss,
        percent(metrics.train_accuracy),
        if learned { "valid (trained on)" } else { "valid" },
        percent(metrics.valid_track_accuracy),
        percent(metrics.valid_segment_accuracy),
        metrics.valid_loss,
        metrics.seconds,
        if better && !learned { "  best" } else { "" }
    )
}

/// Appends a line to `log.txt`.
pub(super) fn log(folder: &RunFolder, line: &str) -> Result<()> {
    append(folder, "log.txt", line)
}

fn append(folder: &RunFolder, name: &str, line: &str) -> Result<()> {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(folder.file(name))?;
    Ok(writeln!(file, "{line}")?)
}
