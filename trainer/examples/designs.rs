//! Exports every design in trainer/recipes with random weights, so that the browser tests can compare the web
//! workers with the native networks.
//!
//! `designs FOLDER` writes `manifest.json` with the golden logits, and the weights of each design.

#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use burn::module::Module as _;
use cratedigger_trainer::config::{Config, Overrides};
use cratedigger_trainer::device::cpu;
use cratedigger_trainer::eval::{ModelBundle, Precision};
use cratedigger_zoo::preparation::Step;
use cratedigger_zoo::{DataRecord, Extractor, Input, InputSpec, Preparation, Training, batch, golden_signal};

/// Windows in the batch on which batch normalisation measures its statistics.
const WINDOWS: usize = 4;
/// Forward passes that measure these statistics. With momentum 0.1, 4 % of the initial values remain.
const PASSES: usize = 30;
/// Length of a window in seconds. All networks of a manifest get the same window; shorter than the 30 s of some
/// recipes to save time.
const WINDOW_SECONDS: f64 = 3.0;
const CLASSES: usize = 10;

fn main() -> Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).context("usage: designs FOLDER")?.into();
    fs::create_dir_all(&folder)?;
    let mut manifest = None;
    for recipe in recipes()? {
        let designs = design(&recipe).with_context(|| format!("{} cannot be exported", recipe.display()))?;
        for (model, weights) in designs.manifest.models.iter().zip(&designs.weights) {
            fs::write(folder.join(&model.weights), weights)?;
        }
        let all = manifest.get_or_insert_with(|| {
            let mut empty = designs.manifest.clone();
            empty.models.clear();
            empty
        });
        all.models.extend(designs.manifest.models);
    }
    let manifest = manifest.context("trainer/recipes has no recipes")?;
    Ok(fs::write(folder.join("manifest.json"), serde_json::to_vec(&manifest)?)?)
}

/// All recipe files, sorted.
fn recipes() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// One design with random weights, as a set of one network.
fn design(recipe: &Path) -> Result<ModelBundle> {
    let mut config = Config::read(recipe, &Overrides::default())?;
    config.data.window = WINDOW_SECONDS;
    let spec = config.input_spec();
    let classes: Vec<String> = (0..CLASSES).map(|class| format!("class {class}")).collect();

    let preparation = unit_scale(&spec)?;
    let shapes = spec.prepared_shapes(&preparation)?;
    let device = cpu();
    device.seed(1);
    let training_device = device.autodiff();
    let network = config.network.init(&shapes, CLASSES, &training_device);
    // Without it, autodiff would keep the graph of every forward pass.
    let network = network.no_grad().train();
    let mut extractor = Extractor::new(&spec, &preparation)?;
    let signal = golden_signal(spec.sample_rate, spec.segment_seconds + WINDOWS as f64);
    let mut windows = Vec::new();
    for second in 0..WINDOWS {
        extractor.window(&signal, second * spec.sample_rate as usize, &mut windows)?;
    }
    // VGG19 is the largest network and has no batch normalisation.
    let passes = if config.name == "vgg19" { 0 } else { PASSES };
    for _ in 0..passes {
        network.forward(&batch(windows.clone(), &shapes, &training_device));
    }
    let data = DataRecord { sha256: String::new(), train_clips: 0, valid_clips: 0, ids: Vec::new() };
    let training = Training {
        command: String::new(),
        seed: 1,
        protocol: "fault-filtered".into(),
        epoch: 0,
        data,
        config: serde_json::Value::Null,
    };
    ModelBundle::of_network(network.valid(), config, preparation, training, classes, Precision::Half)
}

/// A preparation that scales features to about 1, as a fitted one does. Their scales differ by thousands.
fn unit_scale(spec: &InputSpec) -> Result<Preparation> {
    let Some(columns) = spec.inputs.iter().find(|input| input.is_prepared()).map(|input| input.shape()[2])
    else {
        return Ok(Preparation::default());
    };
    let mut window = Vec::new();
    let signal = golden_signal(spec.sample_rate, spec.segment_seconds);
    Extractor::new(spec, &Preparation::default())?.window(&signal, 0, &mut window)?;
    ensure!(spec.inputs.last().is_some_and(Input::is_prepared), "features are not the last input");
    let row = window.get(window.len() - columns..).context("the window is too short")?;
    let scale = row.iter().map(|value| value.abs().max(1e-3)).collect();
    Ok(Preparation { steps: vec![Step::Standard { mean: vec![0.0; columns], scale }] })
}
