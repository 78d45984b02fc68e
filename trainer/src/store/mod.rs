//! Run folders: the files of a training run, and what they say about known clips.

mod record;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use burn::store::ModuleRecord;
use cratedigger_zoo::nets::read_record;
use cratedigger_zoo::{DataRecord, Preparation, Training};
use serde::Deserialize;

pub use record::{Environment, EpochMetrics, Evaluation, RunRecord, State, UnderCondition};

use crate::config::{Config, Overrides};
use crate::data::Clip;
use crate::data::partition::Part;
use crate::data::split::Protocol;
use crate::files::{read_json, write_atomically};

/// A folder that holds one training run.
///
/// * `config.toml`: the resolved configuration;
/// * `run.json`: seed, split, command, classes and data;
/// * `environment.json`: program and machine;
/// * `split.json`: the clips of each part;
/// * `preparation.json`: the preprocessing that was fitted to the training clips;
/// * `metrics.jsonl`: one line per epoch; `log.txt`: the same for people;
/// * `state.json` with `last-N.bpk` and `optimizer-N.bpk`: the checkpoint;
/// * `best.bpk`: the weights of the best epoch;
/// * `evaluation-<protocol>.json`: results of `cratedigger evaluate`.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The run in `path`, which may not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Whether `path` holds a run.
    pub fn is_run(path: &Path) -> bool {
        path.join("run.json").is_file()
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The configuration.
    ///
    /// # Errors
    /// The file is missing or damaged.
    pub fn config(&self) -> Result<Config> {
        Config::read(&self.0.join("config.toml"), &Overrides::default())
    }

    /// `run.json`.
    ///
    /// # Errors
    /// The file is missing or damaged.
    pub fn record(&self) -> Result<RunRecord> {
        read_json(&self.0.join("run.json"))
    }

    /// The fitted preprocessing; empty for inputs that need none.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn preparation(&self) -> Result<Preparation> {
        Ok(self.optional("preparation.json")?.unwrap_or_default())
    }

    /// `environment.json`.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn environment(&self) -> Result<Option<Environment>> {
        self.optional("environment.json")
    }

    /// `state.json`, if an epoch is finished.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn state(&self) -> Result<Option<State>> {
        self.optional("state.json")
    }

    fn optional<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>> {
        let path = self.0.join(name);
        if path.is_file() { read_json(&path).map(Some) } else { Ok(None) }
    }

    /// The metrics of all epochs. A run that was killed while it wrote a line and then resumed can have
    /// an epoch twice; the later line counts.
    ///
    /// # Errors
    /// The file cannot be read.
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

    /// All evaluations, one per protocol, sorted by the protocol's name.
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

    /// Stores an evaluation in place of the one of the same protocol.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_evaluation(&self, evaluation: &Evaluation) -> Result<()> {
        let name = format!("evaluation-{}.json", evaluation.protocol);
        write_atomically(&self.0.join(name), &serde_json::to_vec_pretty(evaluation)?)
    }

    /// The weights of the best epoch.
    ///
    /// # Errors
    /// No epoch is finished, or the file is damaged.
    pub fn best_weights(&self) -> Result<ModuleRecord> {
        let path = self.0.join("best.bpk");
        let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        read_record(bytes).map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))
    }

    /// The description of the training for a manifest.
    ///
    /// # Errors
    /// The run is incomplete.
    pub fn training(&self) -> Result<Training> {
        let record = self.record()?;
        let Some(state) = self.state()? else {
            bail!("{} has no finished epoch yet", self.0.display());
        };
        let mut config = self.config()?;
        if let Some(non_music) = &mut config.data.non_music {
            // A manifest is published; the place of the folder on this machine is not.
            non_music.folder = "OTHER".into();
        }
        Ok(Training {
            command: record.command,
            seed: record.seed,
            protocol: record.split.protocol.name().into(),
            epoch: state.best_epoch,
            data: record.data,
            config: serde_json::to_value(config)?,
        })
    }

    /// The path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The weights of the last checkpoint, that of `epoch`.
    pub fn last(&self, epoch: usize) -> PathBuf {
        self.0.join(format!("last-{epoch}.bpk"))
    }

    /// The state of the optimiser at the checkpoint of `epoch`.
    pub fn optimizer(&self, epoch: usize) -> PathBuf {
        self.0.join(format!("optimizer-{epoch}.bpk"))
    }
}

/// The manifest of a path: a `.json` file itself, `manifest.json` in a folder, or `manifest.json` beside a
/// file of weights.
pub fn manifest_of(path: &Path) -> PathBuf {
    if path.extension().is_some_and(|extension| extension == "json") {
        path.to_owned()
    } else if path.is_file() {
        path.with_file_name("manifest.json")
    } else {
        path.join("manifest.json")
    }
}

/// Protocol in the manifest of published weights, which were trained elsewhere.
pub const IMPORTED: &str = "imported";

/// Whether a network, or the weights that its training started from, was trained or selected on a clip.
///
/// # Errors
/// This version does not know the protocol of the training.
pub fn knows(training: &Training, clip: &Clip) -> Result<bool> {
    let of_its_part = match Protocol::of_name(&training.protocol) {
        // Published weights, trained on other data.
        _ if training.protocol == IMPORTED => false,
        // Songs of the user's own, which are listed.
        _ if training.protocol == cratedigger_zoo::teach::PROTOCOL => false,
        Some(Protocol::FaultFiltered) => matches!(clip.part, Some(Part::Train | Part::Valid)),
        Some(_) => false,
        None => bail!("unknown protocol {:?}", training.protocol),
    };
    Ok(of_its_part || training.data.ids.binary_search(&clip.id).is_ok())
}

/// The number of training and validation clips as text.
pub fn clips_used(data: &DataRecord) -> String {
    match data.valid_clips {
        0 => format!("{} training clips, no validation clips", data.train_clips),
        valid => format!("{} training clips, {valid} validation clips", data.train_clips),
    }
}

/// The epoch of a network's weights as text.
pub fn kept_epoch(training: &Training) -> String {
    let chosen = if training.data.valid_clips == 0 { "last" } else { "best" };
    format!("{chosen} epoch {}", training.epoch)
}
