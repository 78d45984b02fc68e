//! One training step: loss and gradients of a batch, in the form that burn's step over several devices
//! needs.

use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::module::Module;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use cratedigger_zoo::{Network, argmax, batch};

use super::adamw::AdamW;
use crate::config::{Config, Optimiser};

/// The optimiser of a configuration.
pub(super) fn optimizer(config: &Config) -> ModuleOptimizer {
    let (decay, epsilon) = (config.training.weight_decay, config.training.epsilon);
    match config.training.optimiser {
        Optimiser::AdamW => AdamW::new(decay, epsilon).into(),
        Optimiser::Adam => {
            let penalty = (decay > 0.0).then(|| WeightDecayConfig::new(decay));
            AdamConfig::new().with_weight_decay(penalty).with_epsilon(epsilon).init()
        }
    }
}

/// The network as burn's step over several devices needs it.
#[derive(Module, Debug)]
pub(super) struct Learner {
    pub(super) network: Network,
}

/// A batch as plain values, which any device can load.
pub(super) struct Batch {
    /// All windows, each with its parts concatenated.
    pub(super) windows: Vec<f32>,
    /// `[channels, rows, columns]` of each part.
    pub(super) shapes: Vec<[usize; 3]>,
    /// `[batch, classes]`
    pub(super) targets: Vec<f32>,
    /// Weight of each window in the loss of the step. The weights of a whole step sum to 1.
    pub(super) weights: Vec<f32>,
    pub(super) classes: usize,
}

/// Statistics of a batch.
pub(super) struct StepStats {
    /// The batch's part of the step's loss.
    pub(super) loss: f64,
    /// Number of windows whose predicted class is the largest of their target.
    pub(super) correct: usize,
    pub(super) error: Option<String>,
}

impl ItemLazy for StepStats {
    fn sync(self) -> Result<Self, burn::tensor::ExecutionError> {
        Ok(self)
    }
}

impl TrainStep for Learner {
    type Input = Batch;
    type Output = StepStats;

    fn step(&self, item: Batch) -> TrainOutput<StepStats> {
        let device = self.network.devices().into_iter().next().unwrap_or_else(|| Device::flex().autodiff());
        let count = item.weights.len();
        let classes = item.classes;
        let parts = batch(item.windows, &item.shapes, &device);
        let targets =
            Tensor::<2>::from_data(TensorData::new(item.targets.clone(), [count, classes]), &device);
        let weights = Tensor::<2>::from_data(TensorData::new(item.weights, [count, 1]), &device);
        let logits = self.network.forward(&parts);
        let loss = ((log_softmax(logits.clone(), 1) * targets).sum_dim(1) * weights).sum().neg();
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let gradients = loss.backward();
        let logits = logits.into_data_as::<f32>();
        let (correct, error) = match logits.as_slice::<f32>() {
            Ok(logits) => {
                let pairs = logits.chunks_exact(classes).zip(item.targets.chunks_exact(classes));
                (pairs.filter(|(logits, target)| argmax(logits) == argmax(target)).count(), None)
            }
            Err(error) => (0, Some(format!("{error:?}"))),
        };
        TrainOutput::new(self, gradients, StepStats { loss: value, correct, error })
    }
}

impl InferenceStep for Learner {
    type Input = Batch;
    type Output = StepStats;

    /// Never called, because validation combines segments to clips, which a batch does not know.
    fn step(&self, item: Batch) -> StepStats {
        let _ = item;
        StepStats { loss: 0.0, correct: 0, error: None }
    }
}

/// A data loader of one batch, for burn's step over several devices.
pub(super) struct Once(pub(super) Option<Batch>);

impl Iterator for Once {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl DataLoaderIterator<Batch> for Once {
    fn progress(&self) -> Progress {
        Progress::new(usize::from(self.0.is_none()), 1, None)
    }
}
