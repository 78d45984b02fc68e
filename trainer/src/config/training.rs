//! The `[training]` table.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use cratedigger_zoo::nets::Freeze;
use serde::{Deserialize, Serialize};

/// Optimisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// How weights are found: `"gradient"` trains by gradient descent, `"logistic"` fits only the head of
    /// a network whose body has initial weights.
    #[serde(skip_serializing_if = "is_default")]
    pub method: Method,
    /// Inverse regularisation strength C of `method = "logistic"`, as scikit-learn's; smaller values
    /// regularise more.
    #[serde(skip_serializing_if = "is_default_c")]
    pub inverse_regularisation: f64,
    /// Maximum number of epochs, and the length of the cosine schedule.
    pub epochs: usize,
    /// Early stopping: number of epochs without a better validation accuracy.
    pub patience: usize,
    /// Windows per batch and device.
    pub batch_size: usize,
    /// Gradient accumulation: batches per step.
    pub accumulate: usize,
    /// Random crops per clip and epoch. Without it, each segment is used once per epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crops_per_clip: Option<usize>,
    /// The optimiser.
    pub optimiser: Optimiser,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Schedule of the learning rate.
    pub schedule: Schedule,
    /// Factor of the learning rate on a plateau.
    pub plateau_factor: f64,
    /// Number of epochs without a lower validation loss that make a plateau.
    pub plateau_patience: usize,
    /// Weight decay: decoupled for AdamW, an L2 penalty for Adam.
    pub weight_decay: f32,
    /// ε, which the optimiser adds to the root of the second moment. Where gradients are smaller than ε, weights change
    /// slowly. PyTorch's default is 1e-8, burn's 1e-5.
    #[serde(skip_serializing_if = "is_default_epsilon")]
    pub epsilon: f32,
    /// Label smoothing: fraction of the target spread evenly over all classes.
    pub label_smoothing: f32,
    /// Outlier exposure: number of non-music windows per music window, 0…1. The target of a non-music
    /// window is the uniform distribution, so that the network learns low confidence (Hendrycks, Mazeika
    /// and Dietterich 2019, "Deep anomaly detection with outlier exposure"). See
    /// [`crate::data::non_music`].
    #[serde(alias = "other", skip_serializing_if = "is_default")]
    pub non_music: f32,
    /// α of mixup's distribution Beta(α, α); 0 turns mixup off.
    pub mixup: f32,
    /// File of initial weights to fine-tune: torchvision's (`.pth`, `.safetensors`) or those of an earlier
    /// run (`best.bpk`). Without it, weights are random.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// Statistics of batch normalisation at evaluation: `"moving"` or `"measured"`.
    #[serde(skip_serializing_if = "is_default")]
    pub statistics: Statistics,
    /// Frozen part of the network: `"none"`, `"all-but-head"` or `{ blocks = N }`.
    pub freeze: Freeze,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            method: Method::Gradient,
            inverse_regularisation: DEFAULT_C,
            epochs: 100,
            patience: 15,
            batch_size: 32,
            accumulate: 1,
            crops_per_clip: None,
            optimiser: Optimiser::AdamW,
            learning_rate: 1e-3,
            schedule: Schedule::Cosine,
            plateau_factor: 0.5,
            plateau_patience: 5,
            weight_decay: 1e-2,
            epsilon: DEFAULT_EPSILON,
            label_smoothing: 0.0,
            non_music: 0.0,
            mixup: 0.0,
            weights: None,
            statistics: Statistics::Moving,
            freeze: Freeze::None,
        }
    }
}

impl TrainingConfig {
    pub(super) fn validate(&self) -> Result<()> {
        ensure!(
            self.inverse_regularisation > 0.0 && self.inverse_regularisation.is_finite(),
            "inverse_regularisation must be positive"
        );
        ensure!(
            self.method == Method::Gradient || self.weights.is_some(),
            "method = \"logistic\" fits the head of a trained body; name its file as training.weights"
        );
        ensure!(self.epochs > 0 && self.patience > 0, "epochs and patience must be at least 1");
        ensure!(
            self.batch_size > 1,
            "batch_size must be at least 2, because batch normalisation needs a batch"
        );
        ensure!(self.accumulate > 0, "accumulate must be at least 1");
        ensure!(self.crops_per_clip != Some(0), "crops_per_clip must be at least 1");
        ensure!(self.learning_rate > 0.0 && self.learning_rate <= 1.0, "learning_rate must be in 0…1");
        ensure!((0.0..1.0).contains(&self.label_smoothing), "label_smoothing must be in 0…1");
        ensure!((0.0..=1.0).contains(&self.non_music), "non_music must be in 0…1");
        ensure!(self.mixup >= 0.0 && self.weight_decay >= 0.0, "mixup and weight_decay must not be negative");
        // Smaller values can become 0 in the optimiser.
        ensure!(self.epsilon >= 1e-30 && self.epsilon.is_finite(), "epsilon must be at least 1e-30");
        ensure!(
            self.plateau_factor > 0.0 && self.plateau_factor < 1.0 && self.plateau_patience > 0,
            "plateau_factor must be in 0…1 and plateau_patience at least 1"
        );
        Ok(())
    }
}

/// C of a logistic head if the configuration has none.
const DEFAULT_C: f64 = 0.01;

fn is_default_c(value: &f64) -> bool {
    *value == DEFAULT_C
}

/// ε if the configuration has none: burn's default.
const DEFAULT_EPSILON: f32 = 1e-5;

fn is_default_epsilon(value: &f32) -> bool {
    *value == DEFAULT_EPSILON
}

/// How weights are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Gradient descent on all weights that are not frozen.
    #[default]
    Gradient,
    /// Multinomial logistic regression on the input of the head, solved to convergence; every clip has the
    /// same weight, and the body keeps its initial weights.
    Logistic,
}

/// Optimiser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimiser {
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    #[default]
    AdamW,
    /// Adam (Kingma and Ba 2015); `weight_decay` is an L2 penalty.
    Adam,
}

/// Schedule of the learning rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Linear warm-up over the first epoch, then half a cosine down to a thousandth of the peak.
    #[default]
    Cosine,
    /// Multiplied by `plateau_factor` after `plateau_patience` epochs without a lower validation loss, as
    /// Keras's ReduceLROnPlateau does.
    Plateau,
    /// Constant.
    Constant,
}

/// Statistics of batch normalisation at evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistics {
    /// Moving averages over the training batches, as usual.
    #[default]
    Moving,
    /// Measured after each epoch on training batches without dropout. Useful if dropout precedes a
    /// normalisation: dropout changes mean and variance, most of all before max-pooling. The moving
    /// averages include that change, but it is absent at evaluation (Li et al. 2019, "Understanding the
    /// disharmony between dropout and batch normalization by variance shift"; Wu and Johnson 2021,
    /// "Rethinking 'batch' in BatchNorm"). Augmentation, mixup and non-music windows stay on while
    /// statistics are measured, because the network was trained under them.
    Measured,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
