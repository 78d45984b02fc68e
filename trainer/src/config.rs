//! The TOML file that a training run is described by.

use anyhow::{Context as _, Result, ensure};
use cratedigger_zoo::{Architecture, Recipe};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A training run, resolved: what is trained, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the network; becomes its file's name when exported.
    pub name: String,
    /// Its input.
    pub recipe: Recipe,
    /// Its design.
    pub architecture: Architecture,
    /// How it learns.
    #[serde(default)]
    pub training: TrainingConfig,
    /// How its inputs are varied while it learns.
    #[serde(default)]
    pub augmentation: Augmentation,
}

/// Optimisation: AdamW under a cosine schedule with a linear warm-up of one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Epochs at most, and the length of the cosine.
    pub epochs: usize,
    /// Stop after so many epochs without a better validation accuracy.
    pub patience: usize,
    /// Windows a step.
    pub batch_size: usize,
    /// Windows drawn from each clip an epoch.
    pub crops_per_clip: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Share of the target spread evenly over all classes.
    pub label_smoothing: f32,
    /// α of the Beta(α, α) distribution that mixup's share is drawn from; 0 for none.
    pub mixup: f32,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            epochs: 100,
            patience: 15,
            batch_size: 32,
            crops_per_clip: 6,
            learning_rate: 1e-3,
            weight_decay: 1e-2,
            label_smoothing: 0.1,
            mixup: 0.0,
        }
    }
}

/// Variation of log-mel windows. SpecAugment's masks are set to the window's floor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Largest shift along the bands, up or down.
    pub frequency_shift: usize,
    /// Number of frequency masks.
    pub frequency_masks: usize,
    /// Largest height of one, in bands.
    pub frequency_mask_bands: usize,
    /// Number of time masks.
    pub time_masks: usize,
    /// Largest width of one, in columns.
    pub time_mask_columns: usize,
    /// Largest change of all levels against the window's maximum, in dB, up or down: recordings of
    /// one song differ in how far their loudest tone stands out.
    pub level_db: f32,
    /// Share of windows that lose their highest bands, as old or small files do.
    pub low_pass: f32,
    /// Lowest band that a low-pass may begin at.
    pub low_pass_from: usize,
    /// Largest tilt of the spectrum from the lowest to the highest band, in dB, up or down.
    pub tilt_db: f32,
}

impl Config {
    /// Reads and checks a TOML file.
    ///
    /// # Errors
    /// Not readable, not TOML, an unknown key, or a value that makes no sense.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let config: Self = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
        config.validate().with_context(|| format!("{}", path.display()))?;
        Ok(config)
    }

    fn validate(&self) -> Result<()> {
        let t = &self.training;
        ensure!(
            !self.name.is_empty() && self.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)),
            "name must be letters, digits, '-' and '_' only: it becomes a file name"
        );
        self.recipe.validate()?;
        self.architecture.validate(&self.recipe).map_err(anyhow::Error::msg)?;
        ensure!(t.epochs > 0 && t.patience > 0, "epochs and patience must be at least 1");
        ensure!(t.batch_size > 1, "batch_size must be at least 2: batch normalisation needs a batch");
        ensure!(t.crops_per_clip > 0, "crops_per_clip must be at least 1");
        ensure!(t.learning_rate > 0.0 && t.learning_rate <= 1.0, "learning_rate must be in 0…1");
        ensure!((0.0..1.0).contains(&t.label_smoothing), "label_smoothing must be in 0…1");
        ensure!(t.mixup >= 0.0 && t.weight_decay >= 0.0, "mixup and weight_decay must not be negative");
        let a = &self.augmentation;
        ensure!(a.tilt_db >= 0.0 && a.level_db >= 0.0, "tilt_db and level_db must not be negative");
        ensure!((0.0..=1.0).contains(&a.low_pass), "low_pass is a share, 0…1");
        Ok(())
    }
}
