//! Any bytes as weights: a network or a reason. The hash is made to fit, or everything would stop there.
#![no_main]

use std::sync::OnceLock;

use burn::tensor::Device;
use cratedigger_zoo::{Manifest, Model, sha256_hex};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    static MANIFEST: OnceLock<Manifest> = OnceLock::new();
    let manifest = MANIFEST.get_or_init(|| {
        Manifest::parse(include_bytes!("../../models/manifest.json")).expect("the shipped manifest is valid")
    });
    let mut entry = manifest.models[0].clone();
    entry.sha256 = sha256_hex(bytes);
    entry.bytes = bytes.len() as u64;
    let _ = Model::load(&entry, manifest.outputs_of(&entry), bytes.to_vec(), &Device::flex());
});
