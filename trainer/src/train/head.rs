//! Fitting of a head by logistic regression: the body of the network keeps its initial weights.

use anyhow::{Context as _, Result, bail};
use burn::tensor::Device;
use cratedigger_zoo::{Examples as Rows, LogisticRegression, Network, argmax, batch};

use super::epoch::EpochStats;
use super::session::Session;
use crate::data::examples::{Examples, preprocessed};
use crate::data::split::clips_of;
use crate::progress::{progress_bar, with_progress};

/// Windows per forward pass.
const BATCH: usize = 16;
/// Maximum number of iterations of the solver. A few hundred are usual.
const MAX_ITERATIONS: u64 = 3000;

/// Inputs of the head for all training windows.
#[derive(Default)]
struct Table {
    values: Vec<f32>,
    labels: Vec<usize>,
    weights: Vec<f64>,
}

impl Table {
    /// Adds all windows of a clip, augmented versions included. The clip has weight 1 as a whole.
    fn add(
        &mut self,
        network: &Network,
        session: &Session<'_>,
        clip: &Examples,
        label: usize,
        device: &Device,
    ) -> Result<()> {
        for version in &clip.versions {
            let segments = version.segments(&session.spec);
            for first in (0..segments).step_by(BATCH) {
                let mut windows = Vec::new();
                for segment in first..(first + BATCH).min(segments) {
                    let raw = version.segment(&session.spec, segment);
                    windows.extend(preprocessed(&session.spec, &session.preparation, &raw)?);
                }
                let Some(values) = network.head_input(&batch(windows, &session.shapes, device)) else {
                    bail!("method = \"logistic\" needs a network whose head can be fitted: musicnn");
                };
                let values = values.into_data_as::<f32>();
                self.values.extend(values.as_slice::<f32>().map_err(|e| anyhow::anyhow!("{e:?}"))?);
            }
            let weight = 1.0 / (clip.versions.len() * segments.max(1)) as f64;
            self.labels.extend(std::iter::repeat_n(label, segments));
            self.weights.extend(std::iter::repeat_n(weight, segments));
        }
        Ok(())
    }
}

/// Fits the head to all training clips and sounds. Returns the network, and the fit's loss and accuracy on
/// its own training windows.
pub(super) fn fit_head(
    network: Network,
    session: &Session<'_>,
    device: &Device,
) -> Result<(Network, EpochStats)> {
    let clips = clips_of(&session.split.train);
    let bar = progress_bar((clips.len() + session.sounds.len()) as u64, "computing inputs of the head");
    let mut table = Table::default();
    for clip in &clips {
        let examples = session.examples.get(clip).context("a clip of the split has no examples")?;
        table.add(&network, session, examples, session.class_of[clip], device)?;
        bar.inc(1);
    }
    for (kind, examples) in &session.sounds {
        table.add(&network, session, examples, session.classes.len() + kind, device)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let width = table.values.len() / table.labels.len().max(1);
    let rows = Rows {
        features: &table.values,
        width,
        labels: &table.labels,
        weights: &table.weights,
        classes: session.classes.len() + session.kinds.len(),
    };
    let c = session.config.training.inverse_regularisation;
    let fitted = with_progress("fitting the head", |_| LogisticRegression::fit(rows, c, MAX_ITERATIONS))?;
    let (mut loss, mut correct, mut total) = (0.0, 0.0, 0.0);
    for ((row, &label), weight) in table.values.chunks_exact(width).zip(&table.labels).zip(&table.weights) {
        let log_probabilities = cratedigger_zoo::log_softmax(&fitted.logits(row));
        loss -= weight * f64::from(log_probabilities[label]);
        correct += if argmax(&log_probabilities) == label { *weight } else { 0.0 };
        total += weight;
    }
    let network = network.with_head(&fitted).map_err(anyhow::Error::msg)?;
    let stats = EpochStats { loss: loss / total, accuracy: correct / total, learning_rate: 0.0 };
    Ok((network, stats))
}
