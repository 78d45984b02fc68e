//! Every design of the zoo with random weights, as its export would lie in a folder of models.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use burn::module::Module as _;
use cratedigger_trainer::config::{Config, Overrides};
use cratedigger_trainer::eval::{ModelBundle, Precision};
use cratedigger_zoo::preparation::Step;
use cratedigger_zoo::{DataRecord, Extractor, Input, InputSpec, Preparation, Training, batch, golden_signal};

/// Windows that batch normalisations measure their statistics on.
const WINDOWS: usize = 4;
/// Times that they do: of momentum 0.1, they leave 4 % of what was before.
const TIMES: usize = 30;

/// A window, in place of up to 30: networks of one manifest hear the same.
const SECONDS: f64 = 3.0;

/// Designs of different kinds, which a software GPU has compiled for in a minute or two. Recurrent ones take
/// it more than two each.
pub const KINDS: [&str; 3] = ["mobilenet-v2", "short-chunk-cnn", "transformer"];

/// Designs by their names, as one set.
///
/// # Errors
/// A recipe cannot be read, or its network not be built.
pub fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<ModelBundle> {
    // Random numbers come from one generator for all threads.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut designs = names.into_iter().map(design);
    let mut set = designs.next().context("a set of no designs")??;
    for design in designs {
        let ModelBundle { manifest, weights } = design?;
        set.manifest.models.extend(manifest.models);
        set.weights.extend(weights);
    }
    Ok(set)
}

/// A design by its name, from its recipe in the repository.
fn design(name: &str) -> Result<ModelBundle> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../trainer/recipes/{name}.toml"));
    let mut config = Config::read(&file, &Overrides::default())?;
    config.data.window = SECONDS;
    let recipe = config.input_spec();
    let classes: Vec<String> = (0..10).map(|class| format!("class {class}")).collect();

    let preparation = one_scale(&recipe)?;
    let shapes = recipe.prepared_shapes(&preparation)?;
    let device = cratedigger_trainer::device::cpu();
    device.seed(1);
    let learning = device.autodiff();
    let network = config.network.init(&shapes, classes.len(), &learning);
    // Gradients nobody asks for are kept for ever.
    let network = network.no_grad().train();
    let mut extractor = Extractor::new(&recipe, &preparation)?;
    let signal = golden_signal(recipe.sample_rate, recipe.segment_seconds + WINDOWS as f64);
    let mut windows = Vec::new();
    for second in 0..WINDOWS {
        extractor.window(&signal, second * recipe.sample_rate as usize, &mut windows)?;
    }
    // The largest has nothing to measure.
    let times = if name == "vgg19" { 0 } else { TIMES };
    for _ in 0..times {
        network.forward(&batch(windows.clone(), &shapes, &learning));
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
        .with_context(|| format!("{name} cannot be exported"))
}

/// Brings features, whose scales differ by thousands, to one; as fitting does.
fn one_scale(recipe: &InputSpec) -> Result<Preparation> {
    let Some(columns) = recipe.inputs.iter().find(|input| input.is_prepared()).map(|input| input.shape()[2])
    else {
        return Ok(Preparation::default());
    };
    // They are the last part of every design that has them.
    let mut window = Vec::new();
    let signal = golden_signal(recipe.sample_rate, recipe.segment_seconds);
    Extractor::new(recipe, &Preparation::default())?.window(&signal, 0, &mut window)?;
    anyhow::ensure!(recipe.inputs.last().is_some_and(Input::is_prepared), "features are not the last part");
    let row = window.get(window.len() - columns..).context("a short window")?;
    let scale = row.iter().map(|value| value.abs().max(1e-3)).collect();
    Ok(Preparation { steps: vec![Step::Standard { mean: vec![0.0; columns], scale }] })
}
