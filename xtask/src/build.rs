//! The site: built, made small, weighed.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use brotli::enc::BrotliEncoderParams;

use crate::shell::{Shell, run};

/// What rustc emits for the browsers that .cargo/config.toml aims at. Named one by one: with all
/// features wasm-opt would write what those browsers can't read.
const WASM_FEATURES: [&str; 8] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// The service worker.
const WORKER: &str = "sw.js";

/// Has trunk build everything into dist/, with other networks than the shipped ones if `models` names
/// their folder.
pub fn site(shell: &Shell, models: Option<&Path>) -> Result<()> {
    let start = Instant::now();
    if let Some(folder) = models {
        let manifest = folder.join("manifest.json");
        ensure!(
            manifest.is_file(),
            "there is no {}; write it by: cratedigger export RUN --to {}",
            manifest.display(),
            folder.display()
        );
    }
    println!("Building the site…");
    run(&mut shell.line("trunk", ["build", "--release"]))?;
    let shipped = shell.dist().join("models");
    if let Some(folder) = models {
        put_models(folder, &shipped)?;
    }
    forget_how(&shipped)?;
    seal(shell)?;
    println!("The site is in {} after {:.0?}.", shell.dist().display(), start.elapsed());
    Ok(())
}

/// Puts the networks of one folder in the place of another's.
fn put_models(from: &Path, to: &Path) -> Result<()> {
    fs::remove_dir_all(to).with_context(|| format!("{} cannot be replaced", to.display()))?;
    fs::create_dir_all(to)?;
    for file in files(from)? {
        let wanted = ["json", "bpk", "md"].iter().any(|e| file.extension().is_some_and(|other| other == *e));
        if let (true, Some(name)) = (wanted, file.file_name()) {
            fs::copy(&file, to.join(name)).with_context(|| format!("{} cannot be copied", file.display()))?;
        }
    }
    Ok(())
}

/// Takes out of a folder of networks what a visitor doesn't need: what says how they came about, and
/// weights in full precision for other programs.
fn forget_how(models: &Path) -> Result<()> {
    for file in files(models)? {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let unneeded = ["-rule.json", ".svg", ".safetensors"].iter().any(|ending| name.ends_with(ending));
        if unneeded || name == "EXPERIMENTS.md" {
            fs::remove_file(&file).with_context(|| format!("{} cannot be removed", file.display()))?;
        }
    }
    Ok(())
}

/// Writes the site's version and files into its service worker: to be done whenever a file in dist/
/// has changed. The worker for WebGPU is left out, since most visitors never fetch it.
fn seal(shell: &Shell) -> Result<()> {
    let dist = shell.dist();
    let mut names = Vec::new();
    let mut hasher = DefaultHasher::new();
    for file in files(&dist)? {
        let name = file.strip_prefix(&dist)?.to_string_lossy().replace('\\', "/");
        if name == WORKER {
            continue;
        }
        (&name, fs::read(&file)?).hash(&mut hasher);
        let wanted = !name.starts_with("worker-gpu") && !name.ends_with(".md") && !name.ends_with(".txt");
        if wanted {
            // A host answers for the folder with the page; some don't answer for its name.
            names.push(if name == "index.html" { "./".to_string() } else { name });
        }
    }
    let template = shell.read("static/sw.js")?;
    let version = format!("{:016x}", hasher.finish());
    fs::write(dist.join(WORKER), sealed(&template, &version, &names)?)?;
    Ok(())
}

/// The service worker's text, with its version and its files.
fn sealed(template: &str, version: &str, names: &[String]) -> Result<String> {
    let mut text = template.to_string();
    for (place, value) in [
        ("const VERSION = \"\";", serde_json::to_string(version)?),
        ("const FILES = [];", serde_json::to_string(names)?),
    ] {
        ensure!(text.matches(place).count() == 1, "static/sw.js lacks the line {place}");
        let (name, _) = place.split_once('=').unwrap_or_default();
        text = text.replace(place, &format!("{name}= {value};"));
    }
    Ok(text)
}

/// Puts together what fits on a USB stick: the site, and a program that serves it.
pub fn bundle(shell: &Shell) -> Result<()> {
    run(&mut shell.line("cargo", ["build", "--release", "--package", "xtask", "--bin", "cratedigger-here"]))?;
    let folder = shell.target("bundle");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    let site = folder.join("site");
    let dist = shell.dist();
    for file in files(&dist)? {
        let to = site.join(file.strip_prefix(&dist)?);
        fs::create_dir_all(to.parent().unwrap_or(&site))?;
        fs::copy(&file, to)?;
    }
    let program = Path::new("cratedigger-here").with_extension(std::env::consts::EXE_EXTENSION);
    fs::copy(shell.target("release").join(&program), folder.join(&program))?;
    fs::write(folder.join("README.txt"), BUNDLE_WORDS)?;
    println!("The bundle is in {}.", folder.display());
    Ok(())
}

const BUNDLE_WORDS: &str = "Cratedigger: drop a song, see its genre, and why.\n\n\
    Start the program cratedigger-here in this folder. It serves the folder `site` to this computer\n\
    alone and opens it in the browser. Nothing is installed, and no network is needed.\n\n\
    The folder `site` can also be put on any static web host.\n";

/// Every file below a folder, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// Runs wasm-opt over every module in dist/. Results are kept, since a large module takes minutes
/// and most builds change only some of them.
pub fn optimise(shell: &Shell) -> Result<()> {
    let kept = shell.tools().join("wasm-opt");
    fs::create_dir_all(&kept)?;
    let version = shell.output("wasm-opt", &["--version"]).unwrap_or_default();
    for module in files(&shell.dist())? {
        if module.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let before = fs::read(&module)?;
        let mut hasher = DefaultHasher::new();
        (&version, WASM_FEATURES, &before).hash(&mut hasher);
        let result = kept.join(format!("{:016x}.wasm", hasher.finish()));
        let name = module.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !result.is_file() {
            println!("wasm-opt {name} ({})…", bytes(before.len()));
            let start = Instant::now();
            let part = kept.join("part.wasm");
            run(shell
                .line("wasm-opt", ["-Os", "--strip-debug", "--strip-producers"])
                .args(WASM_FEATURES)
                .arg(&module)
                .arg("-o")
                .arg(&part))?;
            fs::rename(&part, &result)?;
            println!(
                "wasm-opt {name}: {} after {:.0?}",
                bytes(fs::metadata(&result)?.len() as usize),
                start.elapsed()
            );
        }
        fs::copy(&result, &module)?;
    }
    seal(shell)
}

/// What a file in dist/ belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Page,
    CpuWorker,
    GpuWorker,
    /// Those of `manifest.json`.
    Networks,
    /// Those that come later.
    MoreNetworks,
}

impl Part {
    fn of(path: &str, first: &str) -> Self {
        if let Some(name) = path.strip_prefix("models/") {
            let first = name == "manifest.json" || first.contains(&format!("\"{name}\""));
            if first { Self::Networks } else { Self::MoreNetworks }
        } else if path.starts_with("worker-cpu") {
            Self::CpuWorker
        } else if path.starts_with("worker-gpu") {
            Self::GpuWorker
        } else {
            Self::Page
        }
    }
}

/// Prints what everything weighs, as it lies there and as a host would send it.
pub fn print_sizes(shell: &Shell) -> Result<()> {
    println!("Weighing…");
    let dist = shell.dist();
    // The files that it names are those of the first answer; but the fuller manifest is not.
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(dist.join("models/manifest.json"))?)?;
    let first = manifest["models"].to_string();
    let mut weights = Vec::new();
    for file in files(&dist)? {
        let path = file.strip_prefix(&dist)?.to_string_lossy().replace('\\', "/");
        let contents = fs::read(&file)?;
        weights.push((Part::of(&path, &first), contents.len(), compressed(&contents)?));
    }
    let row = |name: &str, parts: &[Part]| {
        let (raw, sent) = weights
            .iter()
            .filter(|(part, ..)| parts.contains(part))
            .fold((0, 0), |(raw, sent), (_, r, s)| (raw + r, sent + s));
        println!("{name:<32}{:>12}{:>12}", bytes(raw), bytes(sent));
    };
    println!("\n{:<32}{:>12}{:>12}", "", "raw", "brotli");
    row("page", &[Part::Page]);
    row("worker for the CPU", &[Part::CpuWorker]);
    row("worker for WebGPU", &[Part::GpuWorker]);
    row("network for the first answer", &[Part::Networks]);
    row("networks that come later", &[Part::MoreNetworks]);
    row("to the first answer (no WebGPU)", &[Part::Page, Part::CpuWorker, Part::Networks]);
    row("all", &[Part::Page, Part::CpuWorker, Part::GpuWorker, Part::Networks, Part::MoreNetworks]);
    Ok(())
}

/// Bytes after brotli at its strongest, as for files compressed once and sent often.
fn compressed(contents: &[u8]) -> Result<usize> {
    let parameters = BrotliEncoderParams { quality: 11, lgwin: 22, ..BrotliEncoderParams::default() };
    let mut sent = Vec::new();
    brotli::BrotliCompress(&mut &contents[..], &mut sent, &parameters)?;
    Ok(sent.len())
}

/// Bytes in the unit that reads best (powers of ten).
fn bytes(n: usize) -> String {
    match n as f64 {
        n if n < 1e3 => format!("{n} B"),
        n if n < 1e6 => format!("{:.1} kB", n / 1e3),
        n => format!("{:.2} MB", n / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(12_345), "12.3 kB");
        assert_eq!(bytes(2_300_000), "2.30 MB");
    }

    #[test]
    fn the_service_worker_is_told_its_version_and_files() {
        let template = include_str!("../../static/sw.js");
        let text = sealed(template, "12ab", &["./".into(), "a b.js".into()]).unwrap_or_default();
        assert!(text.contains("const VERSION = \"12ab\";"), "{text}");
        assert!(text.contains("const FILES = [\"./\",\"a b.js\"];"));
        assert!(sealed("nothing", "1", &[]).is_err());
    }

    #[test]
    fn compression_is_lossless_in_length() {
        assert!(compressed(&[7; 10_000]).is_ok_and(|n| n < 100));
        assert!(compressed(&[]).is_ok());
    }
}
