//! The folder that a training run lives in.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use burn::store::ModuleRecord;
use cratedigger_zoo::nets::read_record;
use cratedigger_zoo::{DataRecord, Preparation, Training};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::evaluate::Evaluation;
use crate::split::SplitPlan;

/// A folder that holds one training run.
///
/// * `config.toml`: the configuration, as resolved;
/// * `run.json`: seed, split, command, classes and data;
/// * `environment.json`: what it ran on;
/// * `split.json`: which clips stand in which part;
/// * `preparation.json`: what was fitted to the training clips' features;
/// * `metrics.jsonl`: one line an epoch; `log.txt`: the same for people;
/// * `state.json` with `last-N.bpk` and `optimizer-N.bpk`: where to resume;
/// * `best.bpk`: the weights of the best epoch;
/// * `evaluation-<protocol>.json`: what `cratedigger evaluate` measured.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

/// `run.json`: what a run must keep to be resumed and exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Seed of every random choice.
    pub seed: u64,
    /// The split.
    pub split: SplitPlan,
    /// The command line.
    pub command: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The data.
    pub data: DataRecord,
}

/// `environment.json`: what a run was made with. For people; nothing depends on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// This program's version.
    pub version: String,
    /// The commit that it was built from, if that was known.
    pub commit: Option<String>,
    /// Version of burn.
    pub burn: String,
    /// Operating system and its version.
    pub system: String,
    /// The processor.
    pub cpu: String,
    /// Threads that it runs at a time.
    pub cores: usize,
    /// What computed the network.
    pub device: String,
    /// Seconds since 1970 when the run was begun.
    pub started: u64,
}

impl Environment {
    /// Of this program, here and now.
    pub fn here(device: &str) -> Self {
        let mut system = sysinfo::System::new();
        system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: option_env!("CRATEDIGGER_COMMIT").map(str::to_owned).filter(|c| !c.is_empty()),
            burn: "0.22.1".into(),
            system: sysinfo::System::long_os_version().unwrap_or_else(|| std::env::consts::OS.into()),
            cpu: system.cpus().first().map_or_else(String::new, |cpu| cpu.brand().trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            device: device.into(),
            started: now,
        }
    }
}

/// `state.json`: how far a run has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Epochs done; the checkpoint of that number goes with it.
    pub epochs_done: usize,
    /// The best epoch so far, counted from 1; 0 before the first.
    pub best_epoch: usize,
    /// Its validation accuracy: over whole clips, or over segments where these are what is apart.
    pub best_accuracy: f64,
    /// Its validation loss.
    pub best_loss: f64,
    /// The lowest validation loss of any epoch, for the plateau schedule.
    #[serde(default = "highest")]
    pub lowest_loss: f64,
    /// Epochs since then or since the last reduction.
    #[serde(default)]
    pub epochs_on_plateau: usize,
    /// What plateaus have left of the learning rate.
    #[serde(default = "whole")]
    pub rate_share: f64,
    /// Whether the run is over.
    pub finished: bool,
}

fn highest() -> f64 {
    f64::MAX
}

fn whole() -> f64 {
    1.0
}

impl Default for State {
    /// Before the first epoch.
    fn default() -> Self {
        Self {
            epochs_done: 0,
            best_epoch: 0,
            best_accuracy: 0.0,
            best_loss: f64::MAX, // JSON knows no infinity
            lowest_loss: f64::MAX,
            epochs_on_plateau: 0,
            rate_share: 1.0,
            finished: false,
        }
    }
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean training loss (cross-entropy with smoothed and mixed targets).
    pub train_loss: f64,
    /// Share of the training windows, varied and mixed as they are, named rightly.
    #[serde(default)]
    pub train_accuracy: f64,
    /// Cross-entropy of whole validation clips.
    pub valid_loss: f64,
    /// Accuracy over whole validation clips.
    pub valid_track_accuracy: f64,
    /// Accuracy over validation segments.
    pub valid_segment_accuracy: f64,
    /// Learning rate at the end of the epoch.
    pub learning_rate: f64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl RunFolder {
    /// A run's folder, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Whether `path` looks like a run.
    pub fn is_run(path: &Path) -> bool {
        path.join("run.json").is_file()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The configuration.
    ///
    /// # Errors
    /// Missing or damaged.
    pub fn config(&self) -> Result<Config> {
        Config::read(&self.0.join("config.toml"), &[])
    }

    /// `run.json`.
    ///
    /// # Errors
    /// Missing or damaged.
    pub fn record(&self) -> Result<RunRecord> {
        read_json(&self.0.join("run.json"))
    }

    /// What was fitted to the features; nothing for inputs that need nothing.
    ///
    /// # Errors
    /// Damaged.
    pub fn preparation(&self) -> Result<Preparation> {
        Ok(self.optional("preparation.json")?.unwrap_or_default())
    }

    /// `environment.json`.
    ///
    /// # Errors
    /// Damaged.
    pub fn environment(&self) -> Result<Option<Environment>> {
        self.optional("environment.json")
    }

    /// `state.json`, if an epoch has been finished.
    ///
    /// # Errors
    /// Damaged.
    pub fn state(&self) -> Result<Option<State>> {
        self.optional("state.json")
    }

    fn optional<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>> {
        let path = self.0.join(name);
        if path.is_file() { read_json(&path).map(Some) } else { Ok(None) }
    }

    /// All epochs' figures. A run that was killed while it wrote one, and resumed, may have an
    /// epoch twice; the later one counts.
    ///
    /// # Errors
    /// Not readable.
    pub fn metrics(&self) -> Result<Vec<EpochMetrics>> {
        let path = self.0.join("metrics.jsonl");
        if !path.is_file() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut epochs: Vec<EpochMetrics> = Vec::new();
        for line in text.lines().filter_map(|line| serde_json::from_str::<EpochMetrics>(line).ok()) {
            epochs.retain(|earlier| earlier.epoch < line.epoch);
            epochs.push(line);
        }
        Ok(epochs)
    }

    /// What was measured, protocol by protocol, in the order of their names.
    ///
    /// # Errors
    /// A file is damaged.
    pub fn evaluations(&self) -> Result<Vec<Evaluation>> {
        let mut paths: Vec<PathBuf> = fs::read_dir(&self.0)
            .with_context(|| format!("{} cannot be listed", self.0.display()))?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                name.starts_with("evaluation-") && name.ends_with(".json")
            })
            .collect();
        paths.sort();
        paths.iter().map(|path| read_json(path)).collect()
    }

    /// Keeps what was measured.
    ///
    /// # Errors
    /// Not writable.
    pub fn keep_evaluation(&self, evaluation: &Evaluation) -> Result<()> {
        let name = format!("evaluation-{}.json", evaluation.protocol);
        write_atomically(&self.0.join(name), &serde_json::to_vec_pretty(evaluation)?)
    }

    /// The weights of the best epoch.
    ///
    /// # Errors
    /// No epoch has been finished, or the file is damaged.
    pub fn best_weights(&self) -> Result<ModuleRecord> {
        let path = self.0.join("best.bpk");
        let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        read_record(bytes).map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))
    }

    /// What the manifest says about how the run was trained.
    ///
    /// # Errors
    /// The run is incomplete.
    pub fn training(&self) -> Result<Training> {
        let record = self.record()?;
        let Some(state) = self.state()? else {
            bail!("{} has not finished an epoch yet", self.0.display());
        };
        Ok(Training {
            command: record.command,
            seed: record.seed,
            protocol: record.split.protocol.name().into(),
            epoch: state.best_epoch,
            data: record.data,
            config: serde_json::to_value(self.config()?)?,
        })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn last(&self, epoch: usize) -> PathBuf {
        self.0.join(format!("last-{epoch}.bpk"))
    }

    pub(crate) fn optimizer(&self, epoch: usize) -> PathBuf {
        self.0.join(format!("optimizer-{epoch}.bpk"))
    }
}

pub(crate) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}", path.display()))
}

/// Writes a file so that it is either the old or the new one, whenever the program is stopped.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_extension("part");
    fs::write(&temporary, bytes).with_context(|| format!("{} cannot be written", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("{} cannot be written", path.display()))
}

/// How many clips a network learned from, and how many chose its epoch.
pub fn clips_used(data: &DataRecord) -> String {
    match data.valid_clips {
        0 => format!("{} clips to learn from, none to select by", data.train_clips),
        select => format!("{} clips to learn from, {select} to select by", data.train_clips),
    }
}

/// Which of its epochs a network's weights are from.
pub fn kept_epoch(training: &Training) -> String {
    let chosen = if training.data.valid_clips == 0 { "last" } else { "best" };
    format!("{chosen} epoch {}", training.epoch)
}
