//! One epoch of training steps.

use std::sync::atomic::Ordering;

use anyhow::{Result, bail, ensure};
use burn::data::dataloader::DataLoaderIterator;
use burn::optim::{GradientsAccumulator, ModuleOptimizer};
use burn::tensor::Device;
use burn::train::train::MultiDevicesTrainStep;
use burn::train::{TrainOutput, TrainStep};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::batches::{Draw, draws, least_windows, make_batch};
use super::session::Session;
use super::step::{Batch, Learner, Once, StepStats};
use crate::config::{Config, Schedule};
use crate::device::Devices;
use crate::progress::Display;
use crate::store::State;

/// Training metrics of an epoch.
pub(super) struct EpochStats {
    /// Mean loss of the steps.
    pub(super) loss: f64,
    pub(super) accuracy: f64,
    /// Learning rate of the last step.
    pub(super) learning_rate: f64,
}

/// Seed of an epoch's random number generators. Each epoch has its own generators, so that a resumed run
/// repeats what an uninterrupted run does.
pub(super) fn epoch_seed(config: &Config, epoch: usize) -> u64 {
    config.seed.wrapping_mul(1_000_003).wrapping_add(epoch as u64)
}

/// Trains one epoch. Returns the trained network and the metrics.
pub(super) fn run_epoch(
    mut learner: Learner,
    optimizer: &mut ModuleOptimizer,
    session: &Session<'_>,
    state: &State,
    epoch: usize,
    devices: &Devices,
    display: &mut Display,
) -> Result<(Learner, EpochStats)> {
    let config = session.config;
    let training = &config.training;
    let epoch_seed = epoch_seed(config, epoch);
    let mut rng = ChaCha8Rng::seed_from_u64(epoch_seed);
    let training_devices: Vec<Device> = devices.all().iter().map(|d| d.clone().autodiff()).collect();
    training_devices.iter().for_each(|device| device.seed(epoch_seed));
    let several =
        (training_devices.len() > 1).then(|| MultiDevicesTrainStep::<Learner>::new(&training_devices));

    let drawn = draws(session, &mut rng)?;
    let at_once = training.batch_size * training.accumulate * training_devices.len();
    let least = least_windows(at_once, drawn.len());
    let steps: Vec<&[Draw]> = drawn.chunks(at_once).filter(|step| step.len() >= least).collect();
    ensure!(!steps.is_empty(), "{} windows are too few to train on", drawn.len());
    display.begin(epoch, steps.len());
    let (mut total, mut correct, mut seen, mut learning_rate) = (0.0, 0, 0, 0.0);
    for (index, step) in steps.iter().enumerate() {
        stop_if_cancelled(session, epoch).inspect_err(|_| display.end())?;
        let batches = batches_of_step(session, step, &mut rng)?;
        seen += batches.iter().map(|b| b.weights.len()).sum::<usize>();
        let mut gradients = Gradients::new(&learner, &training_devices, several.as_ref());
        gradients.add(batches)?;
        let Gradients { mut accumulator, loss, correct: step_correct, .. } = gradients;
        ensure!(loss.is_finite(), "the loss became {loss} in epoch {epoch}; lower the learning rate");
        correct += step_correct;
        let gradients = accumulator.grads();
        learning_rate = rate(config, state, epoch - 1, index, steps.len());
        learner = optimizer.step(learning_rate, learner, gradients);
        total += loss;
        display.step(index + 1, total / (index + 1) as f64, correct as f64 / seen.max(1) as f64);
    }
    let stats = EpochStats {
        loss: total / steps.len().max(1) as f64,
        accuracy: correct as f64 / seen.max(1) as f64,
        learning_rate,
    };
    Ok((learner, stats))
}

fn stop_if_cancelled(session: &Session<'_>, epoch: usize) -> Result<()> {
    ensure!(
        !session.cancelled.load(Ordering::Relaxed),
        "stopped in epoch {epoch}; finished epochs are saved, continue with --resume --out {}",
        session.folder.path().display()
    );
    Ok(())
}

/// The batches of a step. Their weights sum to 1 over the step, however it is divided.
fn batches_of_step(session: &Session<'_>, step: &[Draw], rng: &mut ChaCha8Rng) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    for micro in step.chunks(session.config.training.batch_size).filter(|micro| micro.len() > 1) {
        batches.push(make_batch(session, micro, rng)?);
    }
    let weight: f32 = batches.iter().flat_map(|b| &b.weights).sum();
    for batch in &mut batches {
        batch.weights.iter_mut().for_each(|w| *w /= weight.max(f32::MIN_POSITIVE));
    }
    Ok(batches)
}

/// Gradients of a step under accumulation over its batches.
struct Gradients<'a> {
    learner: &'a Learner,
    devices: &'a [Device],
    /// The step over several devices; none for one device.
    several: Option<&'a MultiDevicesTrainStep<Learner>>,
    accumulator: GradientsAccumulator<Learner>,
    loss: f64,
    correct: usize,
}

impl<'a> Gradients<'a> {
    fn new(
        learner: &'a Learner,
        devices: &'a [Device],
        several: Option<&'a MultiDevicesTrainStep<Learner>>,
    ) -> Self {
        Self { learner, devices, several, accumulator: GradientsAccumulator::new(), loss: 0.0, correct: 0 }
    }

    /// Computes the gradients of batches, on several devices at the same time if there are several.
    fn add(&mut self, batches: Vec<Batch>) -> Result<()> {
        let (learner, devices) = (self.learner, self.devices);
        let Some(step) = self.several else {
            return batches.into_iter().try_for_each(|batch| self.take(TrainStep::step(learner, batch)));
        };
        let mut batches = batches.into_iter();
        while batches.len() > 0 {
            let mut loaders: Vec<Box<dyn DataLoaderIterator<Batch>>> = (0..devices.len())
                .map(|_| Box::new(Once(batches.next())) as Box<dyn DataLoaderIterator<Batch>>)
                .collect();
            let (outputs, _) = step.step(&mut loaders, learner).map_err(|e| anyhow::anyhow!("{e}"))?;
            outputs.into_iter().try_for_each(|output| self.take(output.output))?;
        }
        Ok(())
    }

    fn take(&mut self, output: TrainOutput<StepStats>) -> Result<()> {
        if let Some(error) = output.item.error {
            bail!("the device failed: {error}");
        }
        let grads = match self.several {
            Some(_) => output.grads.to_device(&self.devices[0], self.learner),
            None => output.grads,
        };
        self.accumulator.accumulate(self.learner, grads);
        self.loss += output.item.loss;
        self.correct += output.item.correct;
        Ok(())
    }
}

/// The learning rate of a step.
fn rate(config: &Config, state: &State, epoch: usize, step: usize, steps: usize) -> f64 {
    let training = &config.training;
    let peak = training.learning_rate;
    match training.schedule {
        Schedule::Constant => peak,
        Schedule::Plateau => peak * state.rate_factor,
        Schedule::Cosine => {
            let done = epoch as f64 + (step + 1) as f64 / steps.max(1) as f64;
            if done < 1.0 {
                return peak * done;
            }
            let fraction = ((done - 1.0) / (training.epochs as f64 - 1.0).max(1.0)).min(1.0);
            peak * (0.001 + 0.999 * 0.5 * (1.0 + (std::f64::consts::PI * fraction).cos()))
        }
    }
}
