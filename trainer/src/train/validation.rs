//! Validation after an epoch.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use burn::module::{Flag, Module as _, ModuleMapper, Param};
use burn::tensor::Device;
use cratedigger_zoo::{Network, argmax, batch, combine};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::batches::{draws, least_windows, make_batch};
use super::epoch::epoch_seed;
use super::session::Session;
use crate::config::Statistics;
use crate::data::examples::preprocessed;
use crate::progress::Display;

/// Validation metrics.
pub(super) struct Validation {
    /// Mean cross-entropy over clips.
    pub(super) loss: f64,
    pub(super) track_accuracy: f64,
    pub(super) segment_accuracy: f64,
}

/// Windows per batch.
const VALIDATION_BATCH: usize = 64;

/// Computes the metrics over segments and, from combined segments, over clips.
pub(super) fn validate(
    network: &Network,
    session: &Session<'_>,
    device: &Device,
    display: &mut Display,
) -> Result<Validation> {
    let mut by_clip: BTreeMap<usize, Vec<Vec<f32>>> = BTreeMap::new();
    let mut correct = 0;
    let segments = &session.split.valid;
    let outputs = session.classes.len() + session.kinds.len();
    let batches = segments.chunks(VALIDATION_BATCH);
    display.begin_phase("validating", batches.len());
    for (done, ids) in batches.enumerate() {
        let mut windows = Vec::new();
        for &(clip, segment) in ids {
            let version = session.examples.get(&clip).and_then(|e| e.versions.first());
            let raw = version.context("a clip of the split has no examples")?.segment(&session.spec, segment);
            windows.extend(preprocessed(&session.spec, &session.preparation, &raw)?);
        }
        let logits = network.forward(&batch(windows, &session.shapes, device)).into_data_as::<f32>();
        let logits = logits.as_slice::<f32>().map_err(|e| anyhow::anyhow!("{e:?}"))?;
        for (&(clip, _), logits) in ids.iter().zip(logits.chunks_exact(outputs)) {
            // Outputs for non-music are ignored, because a validation clip is music.
            let of_classes = logits.get(..session.classes.len()).unwrap_or_default();
            let log_probabilities = cratedigger_zoo::log_softmax(of_classes);
            correct += usize::from(argmax(&log_probabilities) == session.class_of[&clip]);
            by_clip.entry(clip).or_default().push(log_probabilities);
        }
        display.phase_step(done + 1);
    }
    let (mut loss, mut clips_correct) = (0.0, 0);
    for (clip, segments) in &by_clip {
        let song = combine(segments.iter().map(Vec::as_slice));
        let class = session.class_of[clip];
        loss -= f64::from(song[class]);
        clips_correct += usize::from(argmax(&song) == class);
    }
    Ok(Validation {
        loss: loss / by_clip.len().max(1) as f64,
        track_accuracy: clips_correct as f64 / by_clip.len().max(1) as f64,
        segment_accuracy: correct as f64 / segments.len().max(1) as f64,
    })
}

/// Batches to measure statistics on. With momentum 0.1, 1.5 % of the earlier statistics remain.
const MEASURED_BATCHES: usize = 40;

/// The network for validation and export after an epoch, with the configured statistics of batch
/// normalisation. Like validation, this cannot be cancelled: the epoch's training would be lost.
pub(super) fn network_to_validate(
    network: &Network,
    session: &Session<'_>,
    epoch: usize,
    device: &Device,
    display: &mut Display,
) -> Result<Network> {
    let config = session.config;
    if config.training.statistics == Statistics::Moving {
        return Ok(network.valid());
    }
    // valid() and train() make a deep copy; a clone would share the running statistics with the network.
    // Without gradients, because the graph of a backward pass that never comes would never be freed.
    let copy = network.valid().no_grad().train().map(&mut WithoutDropout(false));
    let mut rng = ChaCha8Rng::seed_from_u64(epoch_seed(config, epoch));
    rng.set_stream(1);
    let drawn = draws(session, &mut rng)?;
    let size = config.training.batch_size;
    let least = least_windows(size, drawn.len());
    let batches = drawn.chunks(size).filter(|batch| batch.len() >= least);
    display.begin_phase("measuring statistics", MEASURED_BATCHES);
    for (done, drawn) in batches.cycle().take(MEASURED_BATCHES).enumerate() {
        let made = make_batch(session, drawn, &mut rng)?;
        copy.forward(&batch(made.windows, &made.shapes, device));
        display.phase_step(done + 1);
    }
    Ok(copy.valid())
}

/// Turns dropout off. The flag says whether the mapper is inside a dropout layer.
struct WithoutDropout(bool);

impl ModuleMapper for WithoutDropout {
    fn enter_module(&mut self, _name: &str, container: &str) {
        self.0 = container == "Struct:Dropout";
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.0 = false;
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        if self.0 { flag.with_value(false) } else { flag }
    }
}
