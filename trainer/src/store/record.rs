//! The JSON files of a run folder as types.

use std::time::SystemTime;

use cratedigger_zoo::{DataRecord, Metric};
use serde::{Deserialize, Serialize};

use crate::data::split::SplitPlan;
use crate::metrics::Scores;

/// `run.json`: what is needed to resume and export a run.
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
    /// Kinds of non-music that the network predicts after the classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub non_music: Vec<String>,
    /// Licence notice of the initial weights, which goes with every copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The data.
    pub data: DataRecord,
}

/// `environment.json`: the program and machine of a run. It is only for readers; no code depends on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of this program.
    pub version: String,
    /// Commit that the program was built from, if known.
    pub commit: Option<String>,
    /// Version of burn.
    pub burn: String,
    /// Operating system and its version.
    pub system: String,
    /// The processor.
    pub cpu: String,
    /// Number of hardware threads.
    pub cores: usize,
    /// The compute device of the network.
    pub device: String,
    /// Start of the run in seconds since 1970.
    pub started: u64,
}

impl Environment {
    /// The environment of this process; `device` is the compute device.
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

/// `state.json`: progress of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Number of finished epochs; the checkpoint has the same number.
    pub epochs_done: usize,
    /// The best epoch so far, counted from 1; 0 before the first.
    pub best_epoch: usize,
    /// Validation accuracy of the best epoch: over clips, or over segments if the split divides clips.
    pub best_accuracy: f64,
    /// Validation loss of the best epoch.
    pub best_loss: f64,
    /// Lowest validation loss of any epoch, for the plateau schedule.
    #[serde(default = "highest")]
    pub lowest_loss: f64,
    /// Epochs since the lowest loss or since the last reduction of the learning rate.
    #[serde(default)]
    pub epochs_on_plateau: usize,
    /// Factor of the learning rate after all reductions on plateaus.
    #[serde(default = "whole", alias = "rate_share")]
    pub rate_factor: f64,
    /// Whether the run is finished.
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
            best_loss: f64::MAX, // JSON has no infinity
            lowest_loss: f64::MAX,
            epochs_on_plateau: 0,
            rate_factor: 1.0,
            finished: false,
        }
    }
}

/// One line of `metrics.jsonl`: the metrics of an epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// Number of the epoch, counted from 1.
    pub epoch: usize,
    /// Mean training loss: cross-entropy with label smoothing and mixup.
    pub train_loss: f64,
    /// Accuracy on the augmented training windows.
    #[serde(default)]
    pub train_accuracy: f64,
    /// Validation loss over clips.
    pub valid_loss: f64,
    /// Validation accuracy over clips.
    pub valid_track_accuracy: f64,
    /// Validation accuracy over segments.
    pub valid_segment_accuracy: f64,
    /// Learning rate at the end of the epoch.
    pub learning_rate: f64,
    /// Duration in seconds.
    pub seconds: f64,
}

/// `evaluation-<protocol>.json`, and the output of `evaluate --json`: metrics of networks on the test
/// part of a split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Name of the protocol.
    pub protocol: String,
    /// The split, with its seed and fold.
    pub split: SplitPlan,
    /// Source of the windows: `arrays`, `audio`, `tables`, `pictures` or several of them.
    pub source: String,
    /// The classes, in the order of the confusion matrices.
    pub classes: Vec<String>,
    /// Metrics over single windows. The interval is too narrow, because windows of one clip are not
    /// independent.
    pub segment: Scores,
    /// Metrics over whole clips, whose windows are combined.
    pub track: Scores,
    /// Metrics of the same clips under conditions; empty if not measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<UnderCondition>,
    /// Number of test clips that a network was trained or selected on; 0 for an unbiased result.
    pub seen_in_training: usize,
    /// Number of clips that could not be evaluated.
    pub skipped: usize,
    /// Names of the networks.
    pub models: Vec<String>,
    /// Number of parameters of all networks.
    #[serde(default)]
    pub parameters: u64,
    /// Size of all networks in half precision, in bytes.
    #[serde(default)]
    pub bytes: u64,
}

/// Metrics of test clips under a condition; see [`crate::data::conditions`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnderCondition {
    /// Name of the condition.
    pub condition: String,
    /// Metrics over single windows.
    pub segment: Scores,
    /// Metrics over whole clips.
    pub track: Scores,
}

impl Evaluation {
    /// The metrics as a manifest stores them.
    pub fn metrics(&self) -> Vec<Metric> {
        let metric = |level: &str, n: usize, accuracy: f64| Metric {
            condition: None,
            protocol: self.protocol.clone(),
            level: level.into(),
            n: n as u64,
            accuracy,
            interval: None,
            confusion: None,
        };
        let track = &self.track;
        let counts = |row: &Vec<usize>| row.iter().map(|n| u32::try_from(*n).unwrap_or(u32::MAX)).collect();
        let mut metrics = vec![
            Metric {
                interval: Some(track.interval),
                confusion: Some(track.confusion.iter().map(counts).collect()),
                ..metric("track", track.n, track.accuracy)
            },
            // Without an interval, because segments of one clip are not independent.
            metric("segment", self.segment.n, self.segment.accuracy),
        ];
        metrics.extend(self.conditions.iter().map(|UnderCondition { condition, track, .. }| Metric {
            condition: Some(condition.clone()),
            interval: Some(track.interval),
            ..metric("track", track.n, track.accuracy)
        }));
        metrics
    }
}
