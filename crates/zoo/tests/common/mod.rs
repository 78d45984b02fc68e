//! Helpers of several test programs.

use std::sync::{Mutex, PoisonError};

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};
use cratedigger_zoo::{
    Analyser, Architecture, DataRecord, EnsembleRule, FORMAT, Golden, InputSpec, Manifest, ModelEntry,
    Network, Preparation, Training, sha256_hex,
};

/// Values within −1…1, the same ones for a seed.
#[allow(dead_code, reason = "not every test program needs it")]
pub fn noise<const D: usize>(shape: [usize; D], seed: u32, device: &Device) -> Tensor<D> {
    let mut state = seed;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The design of a recipe in trainer/recipes.
#[allow(dead_code, reason = "not every test program needs it")]
pub fn recipe(name: &str) -> Architecture {
    #[derive(serde::Deserialize)]
    struct Recipe {
        network: Architecture,
    }
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let path = std::path::Path::new(&root).join(format!("../../trainer/recipes/{name}.toml"));
    toml::from_str::<Recipe>(&std::fs::read_to_string(path).unwrap()).unwrap().network
}

/// All threads draw from one random generator, so tests that draw at the same time would get other weights in each run.
static DRAWING: Mutex<()> = Mutex::new(());

/// A network with random weights, the same in each run, as the entry of a manifest, and its file.
#[allow(dead_code, reason = "not every test program needs it")]
pub fn network(
    name: &str,
    input_spec: InputSpec,
    architecture: &str,
    outputs: usize,
    change: impl FnOnce(Network) -> Network,
) -> (ModelEntry, Vec<u8>) {
    let device = Device::flex();
    let architecture: Architecture = serde_json::from_str(architecture).unwrap();
    let weights = {
        let _drawing = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
        device.seed(5);
        let network = change(architecture.init(&input_spec.shapes(), outputs, &device));
        network.into_record().into_bytes().unwrap().to_vec()
    };
    let preparation = Preparation::default();
    let data = DataRecord { sha256: String::new(), train_clips: 0, valid_clips: 0, ids: Vec::new() };
    let entry = ModelEntry {
        name: name.into(),
        weights: format!("{name}.bpk"),
        bytes: weights.len() as u64,
        sha256: sha256_hex(&weights),
        parameters: 0,
        spec_hash: ModelEntry::hash_of(&input_spec, &architecture, &preparation),
        architecture,
        input_spec,
        preparation,
        non_music: false,
        licence: None,
        training: Training {
            command: String::new(),
            seed: 5,
            protocol: "track".into(),
            epoch: 0,
            data,
            config: serde_json::Value::Null,
        },
        metrics: Vec::new(),
        golden: Golden { logits: vec![0.0; outputs] },
    };
    (entry, weights)
}

/// A manifest of these networks.
#[allow(dead_code, reason = "not every test program needs it")]
pub fn manifest(classes: usize, models: Vec<ModelEntry>) -> Manifest {
    Manifest {
        format: FORMAT,
        classes: (0..classes).map(|class| format!("class {class}")).collect(),
        non_music: Vec::new(),
        tags_above: None,
        metrics: Vec::new(),
        ensemble: EnsembleRule::default(),
        full: None,
        character: None,
        sections: None,
        models,
    }
}

/// An ensemble of one network on 3-second log-mel windows, as if its manifest and weights were loaded.
#[allow(dead_code, reason = "not every test program needs it")]
pub fn analyser(architecture: &str, classes: usize, change: impl FnOnce(Network) -> Network) -> Analyser {
    let (entry, weights) = network("tiny", InputSpec::log_mel_3s(), architecture, classes, change);
    Analyser::load(&manifest(classes, vec![entry]), vec![weights], &Device::flex()).unwrap()
}
