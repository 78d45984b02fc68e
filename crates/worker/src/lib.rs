//! The web worker: receives songs, posts predictions.
//!
//! It connects the messages of `cratedigger-protocol` to the features and networks of
//! `cratedigger-zoo`. This source is built three times: `worker-cpu` is small and answers first, `worker-gpu` is large
//! and loaded only if the browser has a GPU, `worker-collection` teaches and compares. The page runs no network itself. It can
//! replace a worker, which is necessary because WebAssembly cannot recover from a panic.

#![forbid(unsafe_code)]
#![cfg(target_arch = "wasm32")]
#![cfg_attr(
    not(feature = "cpu"),
    allow(dead_code, reason = "only a CPU worker does the tasks of collections")
)]

mod collection;
mod device;
mod embed;
mod explain;
mod queue;
mod share;
mod song;
mod source;
mod stream;
mod wire;

pub use device::Backend;

use std::collections::BTreeMap;

use burn::tensor::Device;
use cratedigger_protocol::{DeviceKind, Event, FailureKind, Metric, ModelInfo, ModelSet, Rule};
use cratedigger_zoo::{
    AnalyseError, Analyser, Combination, EnsembleRule, GOLDEN_TOLERANCE, Manifest, ModelEntry,
};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::share::Fetched;

/// An error of this worker: a kind for the page, a detail for a developer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, detail: impl std::fmt::Display) -> Self {
        Self { kind, detail: detail.to_string() }
    }

    pub(crate) fn event(self, id: Option<u32>) -> Event {
        Event::Failed { id, kind: self.kind, detail: self.detail }
    }
}

/// Starts to listen for messages; returns at once. The networks run on `backend`.
pub fn start(backend: Backend) {
    console_error_panic_hook::set_once();
    // wgpu reports an invalid shader only in the log.
    if console_log::init_with_level(log::Level::Warn).is_err() {
        web_sys::console::warn_1(&"logging could not be set up".into());
    }
    if wire::scope().name() == share::NAME {
        share::helper::listen(backend);
    } else {
        queue::listen(backend);
    }
}

/// The networks in use.
pub(crate) struct ActiveModels {
    pub(crate) analyser: Analyser,
    pub(crate) set: ModelSet,
    /// Segments per batch.
    pub(crate) batch: usize,
    /// For helpers. `None` on a GPU, which one worker keeps busy.
    pub(crate) fetched: Option<Fetched>,
    pub(crate) manifest: Manifest,
    pub(crate) places: Places,
    pub(crate) device: Device,
    pub(crate) collections: Option<queue::Collections>,
}

/// Where the manifests and weights are; see [`cratedigger_protocol::Request::Load`].
#[derive(Clone)]
pub(crate) struct Places {
    pub(crate) folder: String,
    pub(crate) files: BTreeMap<String, String>,
}

impl Places {
    /// The URL of a file.
    pub(crate) fn of(&self, name: &str) -> String {
        self.files.get(name).cloned().unwrap_or_else(|| format!("{}{name}", self.folder))
    }

    /// The URL of weights.
    fn of_weights(&self, model: &ModelEntry) -> String {
        let url = self.of(&model.weights);
        if self.files.contains_key(&model.weights) {
            return url;
        }
        // The hash makes the URL of a new release differ from that of a cached file.
        let short = model.sha256.get(..16).unwrap_or_default();
        format!("{url}?{short}")
    }
}

/// Fetches, loads, checks and times networks; answers with [`Event::Ready`].
pub(crate) async fn load(
    places: &Places,
    set: ModelSet,
    rule: Option<Rule>,
    backend: Backend,
) -> Result<ActiveModels, Failure> {
    let Fetch { manifest, json, more } = fetch_manifest(places, set, rule).await?;
    let mut weights = Vec::with_capacity(manifest.models.len());
    for model in &manifest.models {
        weights.push(fetch(&places.of_weights(model)).await?);
    }
    let (device, device_name) = backend.device().await?;
    let bytes = weights.iter().map(Uint8Array::to_vec).collect();
    let mut analyser =
        Analyser::load(&manifest, bytes, &device).map_err(|e| Failure::new(FailureKind::Models, e))?;
    let (logits, golden_difference) = check_golden(&mut analyser).await?;
    let (batch, milliseconds_per_segment) = choose_batch(&mut analyser, backend.batches).await?;
    let event = Event::Ready {
        device: backend.kind,
        device_name,
        models: manifest.models.iter().map(|m| info(m, &manifest)).collect(),
        classes: manifest.classes.clone(),
        set,
        more,
        // The metrics were measured with the manifest's own rule.
        metrics: if rule.is_none() { manifest.metrics.clone() } else { Vec::new() },
        typical: manifest.character.clone(),
        golden_difference,
        golden_tolerance: GOLDEN_TOLERANCE,
        milliseconds_per_segment,
    };
    wire::post(&event, Some(&logits));
    let fetched = Fetched { manifest: json, weights, rule };
    let fetched = (backend.kind == DeviceKind::Cpu).then_some(fetched);
    let (places, collections) = (places.clone(), backend.collections);
    Ok(ActiveModels { analyser, set, batch, fetched, manifest, places, device, collections })
}

/// A manifest of a set.
struct Fetch {
    manifest: Manifest,
    /// The file.
    json: Uint8Array,
    /// Whether there is a full set.
    more: bool,
}

async fn fetch_manifest(places: &Places, set: ModelSet, rule: Option<Rule>) -> Result<Fetch, Failure> {
    let json = fetch(&places.of("manifest.json")).await?;
    let first = parse(&json.to_vec(), rule)?;
    match (set, &first.full) {
        (ModelSet::Fast, full) => Ok(Fetch { more: full.is_some(), manifest: first, json }),
        (ModelSet::Full, Some(name)) => {
            let json = fetch(&places.of(name)).await?;
            let mut manifest = parse(&json.to_vec(), rule)?;
            if manifest.classes != first.classes {
                return Err(Failure::new(FailureKind::Models, "the full set has other classes"));
            }
            manifest.character = manifest.character.or(first.character);
            Ok(Fetch { manifest, json, more: true })
        }
        (ModelSet::Full, None) => Err(Failure::new(FailureKind::Models, "there is no full set")),
    }
}

/// Reads a manifest; with `rule`, its networks decide by that rule.
pub(crate) fn parse(json: &[u8], rule: Option<Rule>) -> Result<Manifest, Failure> {
    let mut manifest = Manifest::parse(json).map_err(|e| Failure::new(FailureKind::Models, e))?;
    if let Some(rule) = rule {
        manifest.ensemble = with_rule(rule, &manifest.ensemble);
    }
    Ok(manifest)
}

/// The ensemble rule with another combination. It keeps the temperatures, which belong to the members,
/// and drops the settings that were fitted to the old combination's results.
fn with_rule(rule: Rule, fitted: &EnsembleRule) -> EnsembleRule {
    let combination = match rule {
        Rule::Sum => Combination::Sum,
        Rule::Product => Combination::Product,
        Rule::Vote => Combination::Vote,
    };
    if fitted.combination == combination {
        return fitted.clone();
    }
    EnsembleRule {
        combination,
        temperatures: fitted.temperatures.clone(),
        // The non-music probability does not depend on the combination.
        non_music_above: fitted.non_music_above,
        ..EnsembleRule::default()
    }
}

/// The golden logits of this device, and their largest difference from the manifest's.
async fn check_golden(analyser: &mut Analyser) -> Result<(Vec<f32>, f32), Failure> {
    let logits = analyser.golden_logits().await?;
    let expected = analyser.expected_golden_logits();
    // All logits are finite: `golden_logits` returns an error otherwise.
    let difference = logits.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    if difference > GOLDEN_TOLERANCE {
        let detail =
            format!("logits differ from the golden ones by {difference}, more than {GOLDEN_TOLERANCE}");
        return Err(Failure::new(FailureKind::GoldenMismatch, detail));
    }
    Ok((logits, difference))
}

/// Milliseconds after which no further batch size is tried. A software GPU compiles shaders for seconds.
const PATIENCE: f64 = 1000.0;
/// Fraction of the time that a larger batch must save.
const GAIN: f64 = 0.1;

/// The fastest of some batch sizes, and the milliseconds per segment with it. Sizes are tried in order, as
/// long as each is faster than the one before and did not take too long.
async fn choose_batch(analyser: &mut Analyser, sizes: &[usize]) -> Result<(usize, f64), AnalyseError> {
    let mut best = (1, f64::INFINITY);
    for &size in sizes {
        let begin = song::now();
        let milliseconds = time(analyser, size).await?;
        if milliseconds > (1.0 - GAIN) * best.1 {
            break;
        }
        best = (size, milliseconds);
        if song::now() - begin > PATIENCE {
            break;
        }
    }
    Ok(best)
}

/// Milliseconds of all networks per segment: the best of up to three runs of one batch within half a second,
/// after a first run that compiles the shaders for this batch size. The time excludes the features, which
/// take the same time on every device.
async fn time(analyser: &mut Analyser, batch: usize) -> Result<f64, AnalyseError> {
    let windows = analyser.golden_windows(batch)?;
    let begin = song::now();
    analyser.logits(&windows).await?;
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = song::now();
        analyser.logits(&windows).await?;
        best = best.min(song::now() - start);
        if song::now() - begin > 500.0 {
            break;
        }
    }
    Ok(best / batch as f64)
}

fn info(model: &ModelEntry, manifest: &Manifest) -> ModelInfo {
    // The metrics of an ensemble of one network are those of the network. Metrics of other protocols belong
    // to networks that were trained again for those.
    let own = |metric: &&Metric| metric.protocol == model.training.protocol;
    let metrics = if manifest.models.len() == 1 {
        manifest.metrics.iter().filter(own).cloned().collect()
    } else {
        model.metrics.clone()
    };
    ModelInfo {
        name: model.name.clone(),
        summary: model.architecture.summary(&model.input_spec),
        parameters: model.parameters,
        bytes: model.bytes,
        metrics,
        licence: model.licence.clone(),
    }
}

async fn fetch(url: &str) -> Result<Uint8Array, Failure> {
    let missing = || Failure::new(FailureKind::Models, format!("{url}: HTTP 404"));
    fetch_if_there(url).await?.ok_or_else(missing)
}

/// A file; `None` if the site has none.
pub(crate) async fn fetch_if_there(url: &str) -> Result<Option<Uint8Array>, Failure> {
    let failed =
        |what: &JsValue| Failure::new(FailureKind::Models, format!("{url}: {}", wire::describe(what)));
    let response = JsFuture::from(wire::scope().fetch_with_str(url)).await.map_err(|e| failed(&e))?;
    let response: web_sys::Response = response.dyn_into().map_err(|e| failed(&e))?;
    if response.status() == 404 {
        return Ok(None);
    }
    if !response.ok() {
        return Err(Failure::new(FailureKind::Models, format!("{url}: HTTP {}", response.status())));
    }
    let buffer = response.array_buffer().map_err(|e| failed(&e))?;
    let buffer = JsFuture::from(buffer).await.map_err(|e| failed(&e))?;
    Ok(Some(Uint8Array::new(&buffer)))
}
