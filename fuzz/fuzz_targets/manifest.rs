//! Any bytes as a manifest: refused, or consistent enough to be asked everything.
#![no_main]

use cratedigger_zoo::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    for entry in &manifest.models {
        let _ = manifest.outputs_of(entry);
        if entry.input_spec.validate().is_ok() {
            let _ = entry.input_spec.prepared_shapes(&entry.preparation);
            let _ = entry.input_spec.segments(1_000_000);
        }
    }
});
