//! The web worker: songs in, probabilities out.
//!
//! A thin shell: messages are those of `cratedigger-protocol`, features and networks those of
//! `cratedigger-zoo`. It is built twice from this source, as `worker-cpu` (small, answers first)
//! and `worker-gpu` (large, fetched only where the browser has a GPU). All compute happens here
//! and none on the page, which can throw a worker away and start another: a panic in WebAssembly
//! is final.

#![forbid(unsafe_code)]
#![cfg(target_arch = "wasm32")]

mod character;
mod device;
mod explain;
mod queue;
mod song;
mod wire;

pub use device::Backend;

use cratedigger_protocol::{Event, FailureKind, Metric, ModelInfo, ModelSet, Rule};
use cratedigger_zoo::{Analyser, Combination, EnsembleRule, GOLDEN_TOLERANCE, Manifest, ModelEntry};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

/// What this worker can fail with: a kind for the page, words for a developer.
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

/// Starts to listen, to compute on this device; returns at once.
pub fn start(backend: Backend) {
    console_error_panic_hook::set_once();
    // wgpu reports a shader that does not validate by a log line and nothing else.
    if console_log::init_with_level(log::Level::Warn).is_err() {
        web_sys::console::warn_1(&"logging could not be set up".into());
    }
    queue::listen(backend);
}

/// Networks at work.
pub(crate) struct Loaded {
    pub(crate) analyser: Analyser,
    pub(crate) set: ModelSet,
}

/// Fetches, loads, checks and times networks; answers with [`Event::Ready`].
pub(crate) async fn load(
    base: &str,
    set: ModelSet,
    rule: Option<Rule>,
    backend: Backend,
) -> Result<Loaded, Failure> {
    let unreadable = |e| Failure::new(FailureKind::Models, e);
    let first = fetch(&format!("{base}manifest.json")).await?;
    let first = Manifest::parse(&first).map_err(unreadable)?;
    let more = first.full.is_some();
    let mut manifest = match (set, &first.full) {
        (ModelSet::Fast, _) => first,
        (ModelSet::Full, Some(name)) => {
            let full = fetch(&format!("{base}{name}")).await?;
            let full = Manifest::parse(&full).map_err(unreadable)?;
            if full.classes != first.classes {
                return Err(Failure::new(FailureKind::Models, "the full set has other classes"));
            }
            full
        }
        (ModelSet::Full, None) => return Err(Failure::new(FailureKind::Models, "there is no full set")),
    };
    if let Some(rule) = rule {
        manifest.ensemble = plain(rule, &manifest.ensemble);
    }
    let mut weights = Vec::with_capacity(manifest.models.len());
    for model in &manifest.models {
        // The hash in the URL makes a cached file of an older release another file.
        let short = model.sha256.get(..16).unwrap_or_default();
        weights.push(fetch(&format!("{base}{}?{short}", model.weights)).await?);
    }
    let (device, device_name) = backend.device().await?;
    let mut analyser =
        Analyser::load(&manifest, weights, &device).map_err(|e| Failure::new(FailureKind::Models, e))?;

    let failed = |e| Failure::new(FailureKind::Device, e);
    let logits = analyser.golden_logits(1).await.map_err(failed)?;
    let difference =
        logits.iter().zip(analyser.expected_golden_logits()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // NaN cannot get here: logits that are not finite are an error already.
    if difference > GOLDEN_TOLERANCE {
        return Err(Failure::new(
            FailureKind::GoldenMismatch,
            format!("logits differ from the golden ones by {difference}, more than {GOLDEN_TOLERANCE}"),
        ));
    }
    let milliseconds_per_segment = time(&mut analyser, backend.batch).await.map_err(failed)?;
    wire::post(
        &Event::Ready {
            device: backend.kind,
            device_name,
            classes: manifest.classes.clone(),
            models: manifest.models.iter().map(|m| info(m, &manifest)).collect(),
            set,
            more,
            // They were measured under the manifest's own rule.
            metrics: if rule.is_none() { figures(&manifest.metrics) } else { Vec::new() },
            typical: None,
            golden_difference: difference,
            golden_tolerance: GOLDEN_TOLERANCE,
            milliseconds_per_segment,
        },
        Some(&logits),
    );
    Ok(Loaded { analyser, set })
}

/// Another rule, with the members' temperatures, which are theirs and not the rule's. What was fitted
/// to the rule's own results is left out.
fn plain(rule: Rule, fitted: &EnsembleRule) -> EnsembleRule {
    let combination = match rule {
        Rule::Sum => Combination::Sum,
        Rule::Product => Combination::Product,
        Rule::Vote => Combination::Vote,
    };
    if fitted.combination == combination {
        return fitted.clone();
    }
    EnsembleRule { combination, temperatures: fitted.temperatures.clone(), ..EnsembleRule::default() }
}

/// The best of up to three runs of one batch, within half a second, after one that compiled the
/// shaders of this batch size.
async fn time(analyser: &mut Analyser, batch: usize) -> Result<f64, cratedigger_zoo::AnalyseError> {
    let begin = song::now();
    analyser.golden_logits(batch).await?;
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = song::now();
        analyser.golden_logits(batch).await?;
        best = best.min(song::now() - start);
        if song::now() - begin > 500.0 {
            break;
        }
    }
    Ok(best / batch as f64)
}

fn info(model: &ModelEntry, manifest: &Manifest) -> ModelInfo {
    // Where the ensemble is one network, the ensemble's figures are its own.
    let metrics = if manifest.models.len() == 1 { &manifest.metrics } else { &model.metrics };
    ModelInfo {
        name: model.name.clone(),
        summary: model.architecture.summary(&model.input_spec),
        parameters: model.parameters,
        bytes: model.bytes,
        metrics: figures(metrics),
        licence: None,
    }
}

fn figures(metrics: &[cratedigger_zoo::Metric]) -> Vec<Metric> {
    metrics
        .iter()
        .map(|m| Metric {
            protocol: m.protocol.clone(),
            level: m.level.clone(),
            condition: None,
            n: m.n,
            accuracy: m.accuracy,
            interval: m.interval,
            confusion: m.confusion.clone(),
        })
        .collect()
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
