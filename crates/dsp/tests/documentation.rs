//! Every public function has an example, which rustdoc runs as a test.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// All source files of the crate.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// The signatures of the public functions without an example, and the number of all.
fn without_example(source: &str) -> (Vec<&str>, usize) {
    let (mut missing, mut count, mut has_example) = (Vec::new(), 0, false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("pub fn ") || line.starts_with("pub const fn ") {
            count += 1;
            if !has_example {
                missing.push(line);
            }
        }
        if line.starts_with("///") {
            has_example |= line.ends_with("```");
        } else if !line.starts_with("#[") {
            has_example = false;
        }
    }
    (missing, count)
}

#[test]
fn every_public_function_has_an_example() {
    let mut functions = 0;
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let (missing, count) = without_example(&text);
        assert!(missing.is_empty(), "{} has functions without an example: {missing:#?}", path.display());
        functions += count;
    }
    assert!(functions > 100, "{functions} functions were found");
}
