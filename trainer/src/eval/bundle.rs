//! Networks with their weights.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use burn::module::Module as _;
use cratedigger_zoo::nets::{HalfPrecision, parameter_count};
use cratedigger_zoo::{
    Analyser, EnsembleRule, Extractor, Golden, Manifest, Model, ModelEntry, Network, Preparation, Training,
    golden_signal, sha256_hex,
};

use crate::config::Config;
use crate::device::cpu;
use crate::store::{RunFolder, manifest_of};

/// Precision of a run's matrices and kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 16 bits, as in exported weights.
    Half,
    /// 32 bits, as in training.
    Single,
}

/// Networks with the bytes of their weights.
#[derive(Clone, Debug)]
pub struct ModelBundle {
    /// Description of the networks.
    pub manifest: Manifest,
    /// Weights of each network in burnpack format, in the manifest's order.
    pub weights: Vec<Vec<u8>>,
}

impl ModelBundle {
    /// Loads a run, one exported model, or a folder with a manifest.
    ///
    /// # Errors
    /// `path` is none of these, or is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        if RunFolder::is_run(path) {
            return Self::of_run(&RunFolder::new(path), Precision::Half);
        }
        let file = manifest_of(path);
        let folder = file.parent().unwrap_or(Path::new("."));
        let only = (file != path && !path.is_dir()).then(|| path.file_name().and_then(|n| n.to_str()));
        let json = fs::read(&file).with_context(|| {
            format!(
                "{} is neither a run nor a model, because {} cannot be read",
                path.display(),
                file.display()
            )
        })?;
        let mut manifest = Manifest::parse(&json).with_context(|| format!("{}", file.display()))?;
        if let Some(name) = only.map(Option::unwrap_or_default) {
            manifest.models.retain(|m| m.weights == name);
            ensure!(!manifest.models.is_empty(), "{} has no model with the weights {name}", file.display());
            manifest.metrics = manifest.models.iter().flat_map(|m| m.metrics.clone()).collect();
        }
        let weights = manifest
            .models
            .iter()
            .map(|m| {
                let path = folder.join(&m.weights);
                fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
            })
            .collect::<Result<_>>()?;
        Ok(Self { manifest, weights })
    }

    /// The best weights of a run, without metrics.
    ///
    /// # Errors
    /// The run is incomplete or damaged.
    pub fn of_run(run: &RunFolder, precision: Precision) -> Result<Self> {
        let config = run.config()?;
        let record = run.record()?;
        let preparation = run.preparation()?;
        let shapes = config.input_spec().prepared_shapes(&preparation)?;
        let network = config
            .network
            .init(&shapes, record.classes.len() + record.non_music.len(), &cpu())
            .try_load_record(run.best_weights()?)
            .map_err(|e| anyhow::anyhow!("the run's weights do not fit its configuration: {e}"))?;
        let mut bundle = Self::of_outputs(
            network,
            config,
            preparation,
            run.training()?,
            (record.classes, record.non_music),
            precision,
        )?;
        for entry in &mut bundle.manifest.models {
            entry.licence.clone_from(&record.licence);
        }
        Ok(bundle)
    }

    /// A network of a configuration, without metrics.
    ///
    /// # Errors
    /// The network does not fit the configuration, preprocessing or classes.
    pub fn of_network(
        network: Network,
        config: Config,
        preparation: Preparation,
        training: Training,
        classes: Vec<String>,
        precision: Precision,
    ) -> Result<Self> {
        Self::of_outputs(network, config, preparation, training, (classes, Vec::new()), precision)
    }

    /// A network that predicts classes and, after them, kinds of non-music.
    fn of_outputs(
        network: Network,
        config: Config,
        preparation: Preparation,
        training: Training,
        (classes, non_music): (Vec<String>, Vec<String>),
        precision: Precision,
    ) -> Result<Self> {
        let spec = config.input_spec();
        let parameters = parameter_count(&network) as u64;
        let network = match precision {
            Precision::Half => network.map(&mut HalfPrecision),
            Precision::Single => network,
        };
        let weights = network
            .into_record()
            .into_bytes()
            .map_err(|e| anyhow::anyhow!("the weights cannot be written: {e}"))?
            .to_vec();
        let mut entry = ModelEntry {
            weights: format!("{}.bpk", config.name),
            name: config.name,
            bytes: weights.len() as u64,
            sha256: sha256_hex(&weights),
            parameters,
            spec_hash: ModelEntry::hash_of(&spec, &config.network, &preparation),
            architecture: config.network,
            input_spec: spec,
            preparation,
            non_music: !non_music.is_empty(),
            licence: None,
            training,
            metrics: Vec::new(),
            golden: Golden { logits: Vec::new() },
        };
        let model = Model::load(&entry, classes.len() + non_music.len(), weights.clone(), &cpu())?;
        let mut extractor = Extractor::new(&entry.input_spec, &entry.preparation)?;
        let signal = golden_signal(entry.input_spec.sample_rate, entry.input_spec.segment_seconds);
        let mut window = Vec::new();
        extractor.window(&signal, 0, &mut window)?;
        entry.golden.logits = pollster::block_on(model.logits(window))?;
        let manifest = Manifest {
            format: cratedigger_zoo::FORMAT,
            classes,
            non_music,
            tags_above: None,
            metrics: Vec::new(),
            ensemble: EnsembleRule::default(),
            full: None,
            character: None,
            sections: None,
            models: vec![entry],
        };
        Ok(Self { manifest, weights: vec![weights] })
    }

    /// Loads the networks on the CPU.
    ///
    /// # Errors
    /// The weights do not match the manifest.
    pub fn analyser(&self) -> Result<Analyser> {
        Ok(Analyser::load(&self.manifest, self.weights.clone(), &cpu())?)
    }
}
