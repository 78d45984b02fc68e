//! The web worker: receives songs, posts predictions.
//!
//! It connects the messages of `cratedigger-protocol` to the features and networks of
//! `cratedigger-zoo`. This source is built twice: `worker-cpu` is small and answers first,
//! `worker-gpu` is large and loaded only if the browser has a GPU. The page computes nothing itself
//! and can replace a worker, because a panic in WebAssembly cannot be recovered from.

#![forbid(unsafe_code)]
#![cfg(target_arch = "wasm32")]

mod device;
mod embed;
mod explain;
mod queue;
mod song;
mod source;
mod stream;
mod wire;

pub use device::Backend;

use cratedigger_protocol::{Event, FailureKind, ModelInfo, ModelSet, Rule};
use cratedigger_zoo::{
    AnalyseError, Analyser, Combination, EnsembleRule, GOLDEN_TOLERANCE, Manifest, ModelEntry,
};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

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
    // wgpu reports an invalid shader only by a log line.
    if console_log::init_with_level(log::Level::Warn).is_err() {
        web_sys::console::warn_1(&"logging could not be set up".into());
    }
    queue::listen(backend);
}

/// The networks in use.
pub(crate) struct ActiveModels {
    pub(crate) analyser: Analyser,
    pub(crate) set: ModelSet,
}

/// Fetches, loads, checks and times networks; answers with [`Event::Ready`].
pub(crate) async fn load(
    base: &str,
    set: ModelSet,
    rule: Option<Rule>,
    backend: Backend,
) -> Result<ActiveModels, Failure> {
    let (mut manifest, more) = fetch_manifest(base, set).await?;
    if let Some(rule) = rule {
        manifest.ensemble = with_rule(rule, &manifest.ensemble);
    }
    let mut weights = Vec::with_capacity(manifest.models.len());
    for model in &manifest.models {
        // The hash makes the URL of a new release differ from that of a cached file.
        let short = model.sha256.get(..16).unwrap_or_default();
        weights.push(fetch(&format!("{base}{}?{short}", model.weights)).await?);
    }
    let (device, device_name) = backend.device().await?;
    let mut analyser =
        Analyser::load(&manifest, weights, &device).map_err(|e| Failure::new(FailureKind::Models, e))?;
    let (logits, golden_difference) = check_golden(&mut analyser).await?;
    let milliseconds_per_segment = time(&mut analyser, backend.batch).await?;
    let event = Event::Ready {
        device: backend.kind,
        device_name,
        models: manifest.models.iter().map(|m| info(m, &manifest)).collect(),
        classes: manifest.classes,
        set,
        more,
        // They were measured with the manifest's own rule.
        metrics: if rule.is_none() { manifest.metrics } else { Vec::new() },
        typical: manifest.character,
        golden_difference,
        golden_tolerance: GOLDEN_TOLERANCE,
        milliseconds_per_segment,
    };
    wire::post(&event, Some(&logits));
    Ok(ActiveModels { analyser, set })
}

/// The manifest of a set, and whether there is a full set.
async fn fetch_manifest(base: &str, set: ModelSet) -> Result<(Manifest, bool), Failure> {
    let parse = |json: Vec<u8>| Manifest::parse(&json).map_err(|e| Failure::new(FailureKind::Models, e));
    let first = parse(fetch(&format!("{base}manifest.json")).await?)?;
    match (set, &first.full) {
        (ModelSet::Fast, full) => {
            let more = full.is_some();
            Ok((first, more))
        }
        (ModelSet::Full, Some(name)) => {
            let mut full = parse(fetch(&format!("{base}{name}")).await?)?;
            if full.classes != first.classes {
                return Err(Failure::new(FailureKind::Models, "the full set has other classes"));
            }
            full.character = full.character.or(first.character);
            Ok((full, true))
        }
        (ModelSet::Full, None) => Err(Failure::new(FailureKind::Models, "there is no full set")),
    }
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
        // It does not depend on how classes are combined.
        non_music_above: fitted.non_music_above,
        ..EnsembleRule::default()
    }
}

/// The golden logits of this device, and their largest difference from the manifest's.
async fn check_golden(analyser: &mut Analyser) -> Result<(Vec<f32>, f32), Failure> {
    let logits = analyser.golden_logits().await?;
    let expected = analyser.expected_golden_logits();
    // Logits are finite here; others are an error of `golden_logits`.
    let difference = logits.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    if difference > GOLDEN_TOLERANCE {
        let detail =
            format!("logits differ from the golden ones by {difference}, more than {GOLDEN_TOLERANCE}");
        return Err(Failure::new(FailureKind::GoldenMismatch, detail));
    }
    Ok((logits, difference))
}

/// Milliseconds that the networks take per segment: the best of up to three runs of one batch within half
/// a second, after a first run that compiles the shaders of this batch size. The batch is prepared before,
/// because features take the same time on every device.
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
    // An ensemble of one network has that network's figures.
    let metrics = if manifest.models.len() == 1 { &manifest.metrics } else { &model.metrics };
    ModelInfo {
        name: model.name.clone(),
        summary: model.architecture.summary(&model.input_spec),
        parameters: model.parameters,
        bytes: model.bytes,
        metrics: metrics.clone(),
        licence: model.licence.clone(),
    }
}

async fn fetch(url: &str) -> Result<Vec<u8>, Failure> {
    let failed =
        |what: &JsValue| Failure::new(FailureKind::Models, format!("{url}: {}", wire::describe(what)));
    let response = JsFuture::from(wire::scope().fetch_with_str(url)).await.map_err(|e| failed(&e))?;
    let response: web_sys::Response = response.dyn_into().map_err(|e| failed(&e))?;
    if !response.ok() {
        return Err(Failure::new(FailureKind::Models, format!("{url}: HTTP {}", response.status())));
    }
    let buffer = response.array_buffer().map_err(|e| failed(&e))?;
    let buffer = JsFuture::from(buffer).await.map_err(|e| failed(&e))?;
    Ok(Uint8Array::new(&buffer).to_vec())
}
