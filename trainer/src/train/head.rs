//! Fitting of a head by logistic regression: the body of the network keeps its initial weights.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use burn::tensor::Device;
use cratedigger_zoo::{Examples as Rows, LogisticRegression, Network, argmax, batch, sha256_hex};

use super::epoch::EpochStats;
use super::session::Session;
use crate::config::Balance;
use crate::data::examples::{Examples, Version, preprocessed};
use crate::progress::{progress_bar, with_progress};

/// Windows per forward pass.
const BATCH: usize = 16;
/// Maximum number of iterations of the solver. A few hundred are usual.
const MAX_ITERATIONS: u64 = 3000;

/// Computes inputs of the head, with a cache on disk: the body is frozen, so a window has the same input in
/// every run.
struct Body<'a> {
    network: &'a Network,
    session: &'a Session<'a>,
    device: &'a Device,
    /// Folder of the cache, for this body alone; none to compute everything.
    cache: Option<PathBuf>,
}

impl<'a> Body<'a> {
    fn new(network: &'a Network, session: &'a Session<'a>, device: &'a Device) -> Result<Self> {
        let cache = match (&session.cache, &session.config.training.weights) {
            (Some(folder), Some(weights)) => {
                let bytes =
                    fs::read(weights).with_context(|| format!("{} cannot be read", weights.display()))?;
                let key =
                    serde_json::to_string(&(&session.spec, &session.config.network, sha256_hex(&bytes)))?;
                let mut name = sha256_hex(key.as_bytes());
                name.truncate(16);
                Some(folder.join(format!("head-{name}")))
            }
            _ => None,
        };
        Ok(Self { network, session, device, cache })
    }

    /// Inputs of the head for all windows of one version of a clip, window after window.
    fn inputs(&self, version: &Version) -> Result<Vec<f32>> {
        let Session { spec, preparation, .. } = self.session;
        let windows = (0..version.segments(spec))
            .map(|segment| preprocessed(spec, preparation, &version.segment(spec, segment)))
            .collect::<Result<Vec<_>>>()?;
        let file = self.cache.as_ref().map(|folder| {
            let bytes: Vec<u8> = windows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
            folder.join(sha256_hex(&bytes)).with_extension("bin")
        });
        if let Some(kept) = file.as_ref().and_then(|path| fs::read(path).ok()) {
            let (values, rest) = kept.as_chunks::<4>();
            if rest.is_empty() && !values.is_empty() && values.len().is_multiple_of(windows.len().max(1)) {
                return Ok(values.iter().map(|value| f32::from_le_bytes(*value)).collect());
            }
        }
        let mut inputs = Vec::new();
        for windows in windows.chunks(BATCH) {
            let parts = batch(windows.concat(), &self.session.shapes, self.device);
            let Some(values) = self.network.head_input(&parts) else {
                bail!(
                    "method = \"logistic\" needs a network whose head can be fitted: musicnn, MobileNetV2 or EfficientNet"
                );
            };
            let values = values.into_data_as::<f32>();
            inputs.extend(values.as_slice::<f32>().map_err(|e| anyhow::anyhow!("{e:?}"))?);
        }
        if let Some(path) = file {
            keep(&path, &inputs)
                .with_context(|| format!("the cache {} cannot be written", path.display()))?;
        }
        Ok(inputs)
    }
}

/// Writes a file of the cache atomically, also if two processes write it at the same time.
fn keep(path: &Path, values: &[f32]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&new, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
    fs::rename(&new, path)
}

/// Inputs of the head for all training windows.
#[derive(Default)]
struct Table {
    values: Vec<f32>,
    labels: Vec<usize>,
    weights: Vec<f64>,
}

impl Table {
    /// Adds windows of a clip, augmented versions included: all, or those of some segments. The clip has weight 1
    /// as a whole.
    fn add(&mut self, body: &Body<'_>, clip: &Examples, only: Option<&[usize]>, label: usize) -> Result<()> {
        for version in &clip.versions {
            let inputs = body.inputs(version)?;
            let count = version.segments(&body.session.spec);
            let width = (inputs.len() / count.max(1)).max(1);
            let wanted = |segment: &usize| only.is_none_or(|only| only.contains(segment));
            let rows = inputs.chunks_exact(width).enumerate().filter(|(segment, _)| wanted(segment));
            let before = self.values.len();
            rows.for_each(|(_, row)| self.values.extend(row));
            let added = (self.values.len() - before) / width;
            let weight = 1.0 / (clip.versions.len() * added.max(1)) as f64;
            self.labels.extend(std::iter::repeat_n(label, added));
            self.weights.extend(std::iter::repeat_n(weight, added));
        }
        Ok(())
    }

    /// Gives every class the same total weight; the sum of all weights stays.
    fn balance(&mut self, classes: usize) {
        let mut totals = vec![0.0; classes];
        for (label, weight) in self.labels.iter().zip(&self.weights) {
            totals[*label] += weight;
        }
        let present = totals.iter().filter(|total| **total > 0.0).count() as f64;
        let mean = totals.iter().sum::<f64>() / present;
        for (label, weight) in self.labels.iter().zip(&mut self.weights) {
            *weight *= mean / totals[*label];
        }
    }
}

/// Fits the head to all training clips and sounds. Returns the network, and the fit's loss and accuracy on
/// its own training windows.
pub(super) fn fit_head(
    network: Network,
    session: &Session<'_>,
    device: &Device,
) -> Result<(Network, EpochStats)> {
    let mut clips: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &(clip, segment) in &session.split.train {
        clips.entry(clip).or_default().push(segment);
    }
    let bar = progress_bar((clips.len() + session.sounds.len()) as u64, "computing inputs of the head");
    let body = Body::new(&network, session, device)?;
    let mut table = Table::default();
    for (clip, segments) in &clips {
        let examples = session.examples.get(clip).context("a clip of the split has no examples")?;
        // A version of another speed has other segments, which are all of the clip if the split keeps clips whole.
        let only = (!session.clips_apart).then_some(segments.as_slice());
        table.add(&body, examples, only, session.class_of[clip])?;
        bar.inc(1);
    }
    for (kind, examples) in &session.sounds {
        table.add(&body, examples, None, session.classes.len() + kind)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let classes = session.classes.len() + session.kinds.len();
    if session.config.data.balance == Balance::Weights {
        table.balance(classes);
    }
    let width = table.values.len() / table.labels.len().max(1);
    let rows =
        Rows { features: &table.values, width, labels: &table.labels, weights: &table.weights, classes };
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
