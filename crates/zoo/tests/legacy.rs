//! Manifests, recipes and weights of the older architecture kind `cnn` still load.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use burn::module::Module as _;
use burn::tensor::{Bytes, Device};
use burn_pack::{Reader, Writer};
use cratedigger_zoo::{Architecture, Manifest, Model, ModelEntry, sha256_hex};

/// The architecture and the hash that the manifest of the shipped small CNN had.
const OLD_ARCHITECTURE: &str = r#"{"kind":"cnn","blocks":[
    {"channels":24,"stride":[2,1],"pool":[2,2]},
    {"channels":48,"pool":[2,2]},
    {"channels":80,"stride":[1,1],"pool":[2,2]},
    {"channels":128,"stride":[1,1],"pool":[2,1]},
    {"channels":128}],"dropout":0.3}"#;
const OLD_HASH: &str = "33937dc6e854fa52";

/// The name of a tensor before kind `cnn` became a branched network.
fn old_name(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        ["Branched", "branches", "0", "Conv", "blocks", block, "conv", leaf] => {
            format!("Cnn.convolutions.{block}.{leaf}")
        }
        ["Branched", "branches", "0", "Conv", "blocks", block, "conv_norm", leaf] => {
            format!("Cnn.norms.{block}.{leaf}")
        }
        ["Branched", "head", leaf] => format!("Cnn.head.{leaf}"),
        _ => panic!("unexpected tensor {name}"),
    }
}

#[test]
fn a_manifest_and_weights_of_kind_cnn_load_and_give_the_same_logits() {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo");
    let folder = Path::new(&root).join("../../models");
    let manifest = Manifest::parse(&std::fs::read(folder.join("full.json")).unwrap()).unwrap();
    // The small CNN had the input of the texture networks. Its weights are random here.
    let mut new = manifest.models.iter().find(|m| m.name == "texture-16").unwrap().clone();
    new.architecture = serde_json::from_str(OLD_ARCHITECTURE).unwrap();
    let device = Device::flex();
    device.seed(1);
    let network = new.architecture.init(&new.input_spec.shapes(), manifest.classes.len(), &device);
    let weights = network.into_record().into_bytes().unwrap().to_vec();
    new.sha256 = sha256_hex(&weights);
    new.spec_hash = ModelEntry::hash_of(&new.input_spec, &new.architecture, &new.preparation);
    let new = &new;

    let mut tensors =
        Reader::from_bytes(Bytes::from_bytes_vec(weights.clone())).unwrap().into_tensors().unwrap();
    tensors.iter_mut().for_each(|tensor| tensor.name = old_name(&tensor.name));
    let old_weights = Writer::new(tensors).into_bytes().unwrap().to_vec();
    let mut json = serde_json::to_value(new).unwrap();
    json["architecture"] = serde_json::from_str(OLD_ARCHITECTURE).unwrap();
    json["recipe_hash"] = OLD_HASH.into();
    json["sha256"] = sha256_hex(&old_weights).into();
    let old = serde_json::from_value(json).unwrap();

    let mut window = Vec::new();
    let signal = cratedigger_zoo::golden_signal(new.input_spec.sample_rate, new.input_spec.segment_seconds);
    let mut extractor = cratedigger_zoo::Extractor::new(&new.input_spec, &new.preparation).unwrap();
    extractor.window(&signal, 0, &mut window).unwrap();
    let logits = |entry, weights| {
        let model = Model::load(entry, manifest.classes.len(), weights, &device).unwrap();
        pollster::block_on(model.logits(window.clone())).unwrap()
    };
    let (before, after) = (logits(&old, old_weights), logits(new, weights));
    assert_eq!(before, after);
    let spread =
        after.iter().copied().fold(f32::MIN, f32::max) - after.iter().copied().fold(f32::MAX, f32::min);
    assert!(spread > 1e-3, "{after:?}");
}

#[test]
fn settings_of_both_kinds_cannot_be_mixed() {
    let old: Architecture = serde_json::from_str(OLD_ARCHITECTURE).unwrap();
    assert_eq!(serde_json::to_value(&old).unwrap()["kind"], "branched");
    for (text, word) in [
        (r#"{"kind":"cnn","blocks":[{"channels":8}]}"#, "dropout"),
        (r#"{"kind":"cnn","dropout":0.1}"#, "branches"),
        (r#"{"kind":"branched","branches":[],"dropout":0.1}"#, "each branch"),
        (r#"{"kind":"cnn","blocks":[{"chanels":8}],"dropout":0.1}"#, "chanels"),
        (r#"{"kind":"cnn","blocks":[],"dropout":0.1,"drop":1}"#, "drop"),
    ] {
        let error = serde_json::from_str::<Architecture>(text).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
