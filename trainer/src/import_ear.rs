//! The published musicnn as one of this project's networks, without the channels that are dead.
//!
//! Weight decay has killed most channels of MSD_musicnn: all their weights are below 2.1e-7, where the
//! smallest living channel has one of 9.4e-4. A dead channel says the same at every frame: its bias through
//! ReLU and batch normalisation. This constant goes into what follows, so nothing changes but the cost.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use burn::module::Module as _;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Tensor};
use cratedigger_zoo::nets::{Musicnn, MusicnnConfig};
use cratedigger_zoo::{
    Architecture, DataRecord, Extractor, Input, InputSpec, LogPowerMel, Network, Preparation, SILENCE,
    Training, batch, golden_signal, sha256_hex,
};

use crate::checkpoint::Checkpoint;
use crate::config::{Augmentation, Config, DataConfig, PreparationConfig, TrainingConfig};
use crate::data::mono;
use crate::evaluate::{Loaded, Precision};
use crate::published::{Living, Published};

/// The rate in Hz of the published networks.
pub(crate) const SAMPLE_RATE: u32 = 16_000;
/// Windows that the networks are compared on at a time.
const BATCH: usize = 4;
/// What takes the place of the licence's text in the file's name.
const LICENSE: &str = "LICENSE-musicnn.txt";

/// What `cratedigger import` is asked for.
#[derive(clap::Args)]
pub struct Command {
    /// The wheel of musicnn 0.1.0 as PyPI has it: pip download --no-deps musicnn==0.1.0
    pub wheel: PathBuf,
    /// Which of its networks
    #[arg(long, default_value = "MSD_musicnn", value_name = "NAME")]
    pub model: String,
    /// Folder for the weights, their manifest and their licence
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Name of the network in the manifest
    #[arg(long, default_value = "ear", value_name = "NAME")]
    pub name: String,
    /// Audio files to compare the whole network and the pruned one on
    #[arg(long, num_args = 1.., value_name = "AUDIO")]
    pub verify: Vec<PathBuf>,
}

/// `cratedigger import`: writes the pruned network in half precision, and says how far it is from the
/// whole one.
///
/// # Errors
/// The wheel is not that of musicnn, or the folder cannot be written.
#[expect(clippy::print_stdout, reason = "a command's output")]
pub fn command(command: &Command) -> Result<()> {
    let wheel = Wheel::read(&command.wheel, &command.model)?;
    let input = LogPowerMel::default();
    let published = Published::read(&wheel.checkpoint, input.n_mels, wheel.tags.clone())
        .with_context(|| format!("{} of {}", command.model, command.wheel.display()))?;
    let spec = InputSpec { sample_rate: SAMPLE_RATE, ..InputSpec::new(3.0, vec![Input::LogPowerMel(input)]) };
    let whole = published.network(&spec, &Living::all(&published))?;
    let living = Living::find(&published);
    let pruned = published.network(&spec, &living)?;
    let config = published.config(&living);
    println!("{}", describe(&config, &published, &spec));

    let loaded = loaded(command, &wheel, &spec, config, pruned.clone())?;
    let stored = stored(&loaded)?;
    println!("{}", compare(&spec, &whole, [&pruned, &stored], &command.verify)?);

    fs::create_dir_all(&command.out).with_context(|| format!("{} cannot be made", command.out.display()))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = command.out.join(name);
        fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))
    };
    let weights = loaded.weights.first().context("one network was made")?;
    write(&format!("{}.bpk", command.name), weights)?;
    write("manifest.json", &serde_json::to_vec_pretty(&loaded.manifest)?)?;
    write(LICENSE, wheel.license.as_bytes())?;
    println!("{}: {} bytes, with manifest.json and {LICENSE}", command.out.display(), weights.len());
    Ok(())
}

/// The network with its manifest, in half precision.
fn loaded(
    command: &Command,
    wheel: &Wheel,
    spec: &InputSpec,
    network: MusicnnConfig,
    weights: Network,
) -> Result<Loaded> {
    let file = command.wheel.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let config = Config {
        name: command.name.clone(),
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
        command: format!("cratedigger import {file} --model {}", command.model),
        seed: 0,
        protocol: "imported".into(),
        epoch: 0,
        data: DataRecord { sha256: wheel.sha256.clone(), train_clips: 0, valid_clips: 0, ids: Vec::new() },
        config: serde_json::to_value(&config)?,
    };
    let precision = Precision::Half;
    Loaded::of_network(weights, config, Preparation::default(), training, wheel.tags.clone(), precision)
}

/// The network as a program will read it.
fn stored(loaded: &Loaded) -> Result<Network> {
    let entry = loaded.manifest.models.first().context("one network was made")?;
    let bytes = loaded.weights.first().context("one network was made")?;
    let failed = |e: &dyn fmt::Display| anyhow::anyhow!("the weights cannot be read again: {e}");
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes.clone())).map_err(|e| failed(&e))?;
    entry
        .architecture
        .init(&entry.input_spec.shapes(), loaded.manifest.classes.len(), &crate::device())
        .try_load_record(record.cast_to_module_dtype())
        .map_err(|e| failed(&e))
}

fn describe(config: &MusicnnConfig, published: &Published, spec: &InputSpec) -> String {
    let shape = spec.shapes().first().copied().unwrap_or_default();
    let whole = published.config(&Living::all(published));
    let MusicnnConfig { timbral, temporal, middle, .. } = config;
    format!(
        "channels: {timbral:?} timbral, {temporal:?} temporal, {middle:?} over time, of {:?}, {:?}, {:?}\n\
         multiplications a window: {} of {}",
        whole.timbral,
        whole.temporal,
        whole.middle,
        config.multiplications(shape),
        whole.multiplications(shape),
    )
}

/// The parts of the wheel that are needed.
struct Wheel {
    checkpoint: Checkpoint,
    /// Of the checkpoint's data.
    sha256: String,
    tags: Vec<String>,
    license: String,
}

impl Wheel {
    fn read(path: &Path, model: &str) -> Result<Self> {
        let shown = path.display();
        let file = File::open(path).with_context(|| format!("{shown} cannot be read"))?;
        let mut archive = zip::ZipArchive::new(file).with_context(|| format!("{shown} is no wheel"))?;
        let names: Vec<String> = archive
            .file_names()
            .map(|name| Ok(name?.into_owned()))
            .collect::<Result<_>>()
            .with_context(|| format!("{shown} is damaged"))?;
        let index = format!("musicnn/{model}/.index");
        if !names.contains(&index) {
            let models: Vec<&str> = names
                .iter()
                .filter_map(|name| name.strip_prefix("musicnn/")?.strip_suffix("/.index"))
                .filter(|name| name.ends_with("_musicnn"))
                .collect();
            bail!("{shown} has no network {model}; it has: {}", models.join(", "));
        }
        let mut bytes = |name: &str| -> Result<Vec<u8>> {
            let mut bytes = Vec::new();
            let mut entry = archive.by_name(name).with_context(|| format!("{shown} has no {name}"))?;
            entry.read_to_end(&mut bytes).with_context(|| format!("{name} of {shown} is damaged"))?;
            Ok(bytes)
        };
        let data = bytes(&format!("musicnn/{model}/.data-00000-of-00001"))?;
        let checkpoint = Checkpoint::read(&bytes(&index)?, &data)
            .with_context(|| format!("the checkpoint of {model} in {shown}"))?;
        let configuration = String::from_utf8_lossy(&bytes("musicnn/configuration.py")?).into_owned();
        let set = model.split('_').next().unwrap_or_default();
        let tags = labels(&configuration, &format!("{set}_LABELS"));
        ensure!(!tags.is_empty(), "{shown} does not name the tags of {model}");
        let license = names.iter().find(|name| name.ends_with(".dist-info/LICENSE.md"));
        let license = bytes(license.with_context(|| format!("{shown} has no licence"))?)?;
        Ok(Self {
            checkpoint,
            sha256: sha256_hex(&data),
            tags,
            license: String::from_utf8_lossy(&license).into_owned(),
        })
    }
}

/// The strings of a list in Python: `NAME = ['a', 'b']`.
fn labels(python: &str, name: &str) -> Vec<String> {
    let list = python
        .lines()
        .filter_map(|line| line.trim().strip_prefix(name)?.trim_start().strip_prefix('='))
        .find_map(|rest| rest.trim().strip_prefix('[')?.strip_suffix(']'));
    // Every second piece stands between quotes.
    list.unwrap_or_default().split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}

/// How far a network is from another, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Difference {
    /// In a logit of a tag.
    pub logits: f32,
    /// In a value of the embedding.
    pub embedding: f32,
}

/// How far the pruned network is from the whole one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Windows compared.
    pub windows: usize,
    /// The pruned network in single precision.
    pub pruned: Difference,
    /// The pruned network in half precision.
    pub stored: Difference,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { windows, pruned, stored } = self;
        write!(
            f,
            "{windows} windows: the pruned network differs from the whole one by at most {:.2e} in logits and {:.2e} in the embedding, in half precision by {:.2e} and {:.2e}",
            pruned.logits, pruned.embedding, stored.logits, stored.embedding
        )
    }
}

/// Compares networks on the golden signal and on all segments of files that sound.
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
            let parts = batch(windows, &spec.shapes(), &crate::device());
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
        _ => bail!("the network is no musicnn"),
    }
}

fn distance(a: &Tensor<2>, b: &Tensor<2>) -> Result<f32> {
    let values = |x: &Tensor<2>| {
        x.clone().try_into_vec_as::<f32>().map_err(|e| anyhow::anyhow!("the device failed: {e:?}"))
    };
    let (a, b) = (values(a)?, values(b)?);
    let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    ensure!(a.iter().chain(&b).all(|v| v.is_finite()), "a network gave values that are not finite");
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::labels;

    #[test]
    fn names_are_read_from_python() {
        let python = "A_LABELS = ['x']\n\nB_LABELS = ['one', 'two words','3']\n";
        assert_eq!(labels(python, "B_LABELS"), ["one", "two words", "3"]);
        assert!(labels(python, "C_LABELS").is_empty());
    }
}
