//! The modules of the crate are layers: each imports only from layers that come after it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

/// The layers from top to bottom.
const LAYERS: [&str; 14] = [
    "main", "cli", "report", "eval", "train", "store", "config", "data", "progress", "metrics", "format",
    "device", "files", "memory",
];

/// Position of a layer in [`LAYERS`].
fn position(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|known| *known == layer)
}

/// Names of the modules directly below `prefix` that a line uses: `a` and `b` for `prefix::a` and
/// `prefix::{a::C, b}`.
fn names_after(line: &str, prefix: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    line.match_indices(prefix)
        .flat_map(|(start, _)| {
            let rest = &line[start + prefix.len()..];
            match rest.strip_prefix('{') {
                Some(group) => group.split(',').map(name).collect::<Vec<_>>(),
                None => vec![name(rest)],
            }
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// The layers that a source line of the file with these path components uses.
fn used_layers(line: &str, components: &[&str]) -> Vec<String> {
    let mut used = names_after(line, "crate::");
    used.extend(names_after(line, "cratedigger_trainer::"));
    // A module at depth n is below the crate's root by n `super::`.
    let is_root_module = components.last() == Some(&"mod.rs");
    let depth = components.len() - usize::from(is_root_module);
    used.extend(names_after(line, &"super::".repeat(depth)));
    used
}

/// All source files with their path components below `src`.
fn sources() -> Vec<(String, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    walkdir::WalkDir::new(&root)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"))
        .map(|entry| {
            let below = entry.path().strip_prefix(&root).unwrap();
            let components = below.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            (fs::read_to_string(entry.path()).unwrap(), components)
        })
        .collect()
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    let mut seen = vec![false; LAYERS.len()];
    for (text, components) in sources() {
        let components: Vec<&str> = components.iter().map(String::as_str).collect();
        let layer = components[0].trim_end_matches(".rs");
        if layer == "lib" {
            continue; // the list of all modules
        }
        let Some(own) = position(layer) else {
            wrong.push(format!("src/{}: {layer} is in no layer", components.join("/")));
            continue;
        };
        seen[own] = true;
        for (number, line) in text.lines().enumerate() {
            for used in used_layers(line, &components) {
                if position(&used).is_some_and(|used| used < own) {
                    let place = format!("src/{}:{}", components.join("/"), number + 1);
                    wrong.push(format!("{place}: {layer} uses {used}, which is above it: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.iter().all(|seen| *seen), "a layer has no file: {LAYERS:?} {seen:?}");
}

#[test]
fn an_upward_import_is_found() {
    assert_eq!(used_layers("use crate::cli::Arguments;", &["data", "audio.rs"]), ["cli"]);
    assert_eq!(used_layers("    crate::eval::evaluate(x)", &["data", "inspect", "mod.rs"]), ["eval"]);
    assert_eq!(used_layers("use crate::{config::Config, train};", &["data", "mod.rs"]), ["config", "train"]);
    assert_eq!(used_layers("use super::super::train::train;", &["data", "audio.rs"]), ["train"]);
    assert_eq!(used_layers("use super::train;", &["data", "mod.rs"]), ["train"]);
    assert!(used_layers("use super::train;", &["cli", "crossval.rs"]).is_empty());
}

#[test]
fn main_is_short() {
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs");
    assert!(fs::read_to_string(main).unwrap().lines().count() < 40);
}
