//! Builds the site in dist/, optimises its WebAssembly, and prints its sizes.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use brotli::enc::BrotliEncoderParams;

use crate::shell::{Shell, run};

/// The WebAssembly features that rustc emits for the target features in .cargo/config.toml. They are
/// listed one by one because with `--all-features` wasm-opt would write code that those browsers cannot read.
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
const SERVICE_WORKER: &str = "sw.js";
/// Name of the WebGPU worker's binary, and of its files in dist/.
const GPU_WORKER: &str = "worker-gpu";
/// Tells the page which workers are still being built. Only a site that is served during its build has
/// this file, and a `<meta name="build-status">` in its index.html that points to it.
const BUILD_STATUS: &str = "building.json";

/// Builds the whole site in dist/. `models` is a folder with the networks to ship instead of models/.
pub fn site(shell: &Shell, models: Option<&Path>) -> Result<()> {
    let start = Instant::now();
    page(shell, models)?;
    gpu_worker(shell)?;
    seal(shell)?;
    println!("The site is in {} after {:.0?}.", shell.dist().display(), start.elapsed());
    Ok(())
}

/// Builds in dist/ a site that works without the WebGPU worker, and marks that worker as being built.
/// [`finish`] adds it.
pub fn begin(shell: &Shell, models: Option<&Path>) -> Result<()> {
    page(shell, models)?;
    let index = shell.dist().join("index.html");
    let html = fs::read_to_string(&index).with_context(|| format!("{} cannot be read", index.display()))?;
    fs::write(&index, with_status(&html)?)?;
    write_status(shell, &[GPU_WORKER])?;
    seal(shell)
}

/// Builds the WebGPU worker into a site that [`begin`] built. The service worker needs no new version for
/// it: see [`seal`].
pub fn finish(shell: &Shell) -> Result<()> {
    let built = gpu_worker(shell);
    // Also after a failure, so that the page tries to load the worker and reports that it is missing.
    write_status(shell, &[])?;
    built
}

/// index.html with the element that makes the page read the build status.
fn with_status(html: &str) -> Result<String> {
    ensure!(html.matches("</head>").count() == 1, "index.html has no single </head>");
    Ok(html.replace("</head>", &format!("<meta name=\"build-status\" content=\"{BUILD_STATUS}\" /></head>")))
}

fn write_status(shell: &Shell, building: &[&str]) -> Result<()> {
    let status = serde_json::json!({ "building": building });
    fs::write(shell.dist().join(BUILD_STATUS), status.to_string())
        .with_context(|| format!("{BUILD_STATUS} cannot be written"))
}

/// Builds the page and all workers but the one for WebGPU with trunk, which replaces dist/, and puts the networks in.
fn page(shell: &Shell, models: Option<&Path>) -> Result<()> {
    if let Some(folder) = models {
        let manifest = folder.join("manifest.json");
        ensure!(
            manifest.is_file(),
            "there is no {}; write it with: cratedigger export RUN --to {}",
            manifest.display(),
            folder.display()
        );
    }
    let start = Instant::now();
    println!("Building the page and all workers but one…");
    run(&mut shell.line("trunk", ["build", "--release"]))?;
    let shipped = shell.dist().join("models");
    if let Some(folder) = models {
        put_models(folder, &shipped)?;
    }
    remove_records(&shipped)?;
    println!("Page and these workers: {:.0?}.", start.elapsed());
    Ok(())
}

/// Builds the WebGPU worker and copies it into dist/, as trunk would. It is not in index.html, because
/// trunk finishes only when everything is built, and this worker takes the most time.
fn gpu_worker(shell: &Shell) -> Result<()> {
    let start = Instant::now();
    println!("Building the WebGPU worker…");
    const BUILD: [&str; 12] = [
        "build",
        "--package",
        "cratedigger-worker",
        "--bin",
        GPU_WORKER,
        "--no-default-features",
        "--features",
        "gpu",
        "--profile",
        "wasm",
        "--target",
        "wasm32-unknown-unknown",
    ];
    run(&mut shell.line("cargo", BUILD))?;
    let out = shell.target("wasm-bindgen").join(GPU_WORKER);
    let module = shell.target("wasm32-unknown-unknown/wasm").join(GPU_WORKER).with_extension("wasm");
    const BINDGEN: [&str; 4] = ["--target", "no-modules", "--no-typescript", "--out-dir"];
    run(shell.line("wasm-bindgen", BINDGEN).arg(&out).arg(module))?;
    // The script is copied last, because it loads the module.
    for name in [format!("{GPU_WORKER}_bg.wasm"), format!("{GPU_WORKER}.js")] {
        fs::copy(out.join(&name), shell.dist().join(&name))
            .with_context(|| format!("{name} cannot be copied"))?;
    }
    println!("WebGPU worker: {:.0?}.", start.elapsed());
    Ok(())
}

/// Replaces the networks in `to` by those in `from`.
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

/// Removes from a folder of networks the files that the page does not load: records of how the networks
/// were trained and combined, and weights in full precision for other programs.
fn remove_records(models: &Path) -> Result<()> {
    for file in files(models)? {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let unneeded = ["-rule.json", ".svg", ".safetensors"].iter().any(|ending| name.ends_with(ending));
        if unneeded {
            fs::remove_file(&file).with_context(|| format!("{} cannot be removed", file.display()))?;
        }
    }
    Ok(())
}

/// Writes the site's version and its list of files into the service worker. Must run after every change
/// to a file in dist/.
///
/// The WebGPU worker is not in the list, because most visitors never load it. The version depends on this
/// worker's sources and on Cargo.lock instead of its bytes: then it is known before the worker is built, and
/// a page that was opened during the build needs no update afterwards.
fn seal(shell: &Shell) -> Result<()> {
    let dist = shell.dist();
    let mut names = Vec::new();
    let mut hasher = DefaultHasher::new();
    shell.read("Cargo.lock")?.hash(&mut hasher);
    for source in files(&shell.path("crates/worker"))? {
        fs::read(&source)?.hash(&mut hasher);
    }
    for file in files(&dist)? {
        let name = file.strip_prefix(&dist)?.to_string_lossy().replace('\\', "/");
        if name == SERVICE_WORKER || name == BUILD_STATUS || name.starts_with(GPU_WORKER) {
            continue;
        }
        (&name, fs::read(&file)?).hash(&mut hasher);
        if !name.ends_with(".md") && !name.ends_with(".txt") {
            // Every host serves the page at `./`; some do not serve `index.html`.
            names.push(if name == "index.html" { "./".to_string() } else { name });
        }
    }
    let template = shell.read("static/sw.js")?;
    let version = format!("{:016x}", hasher.finish());
    fs::write(dist.join(SERVICE_WORKER), sealed(&template, &version, &names)?)?;
    Ok(())
}

/// The service worker's script with its version and its list of files.
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

/// Creates a folder for a USB stick with the site and a program that serves it.
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
    fs::write(folder.join("README.txt"), BUNDLE_README)?;
    println!("The bundle is in {}.", folder.display());
    Ok(())
}

const BUNDLE_README: &str = "Cratedigger: drop a song, see its genre, and why.\n\n\
    Start the program cratedigger-here in this folder. It serves the folder `site` on this computer\n\
    only, and opens it in the browser. It installs nothing and needs no network.\n\n\
    The folder `site` also works on any static web host.\n";

/// All files in a folder and its subfolders, sorted.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
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

/// Runs wasm-opt on every module in dist/. Results are cached, because a large module takes minutes and
/// most builds change only some modules.
pub fn optimise(shell: &Shell) -> Result<()> {
    for module in files(&shell.dist())? {
        if module.extension().is_some_and(|extension| extension == "wasm") {
            optimise_module(shell, &module)?;
        }
    }
    seal(shell)
}

/// Runs wasm-opt on one module; see [`optimise`].
pub fn optimise_module(shell: &Shell, module: &Path) -> Result<()> {
    let cache = shell.tools().join("wasm-opt");
    fs::create_dir_all(&cache)?;
    let version = shell.output("wasm-opt", &["--version"]).unwrap_or_default();
    let before = fs::read(module)?;
    let mut hasher = DefaultHasher::new();
    (&version, WASM_FEATURES, &before).hash(&mut hasher);
    let result = cache.join(format!("{:016x}.wasm", hasher.finish()));
    let name = module.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !result.is_file() {
        println!("wasm-opt {name} ({})…", bytes(before.len()));
        let start = Instant::now();
        let part = cache.join("part.wasm");
        run(shell
            .line("wasm-opt", ["-Os", "--strip-debug", "--strip-producers"])
            .args(WASM_FEATURES)
            .arg(module)
            .arg("-o")
            .arg(&part))?;
        fs::rename(&part, &result)?;
        println!(
            "wasm-opt {name}: {} after {:.0?}",
            bytes(fs::metadata(&result)?.len() as usize),
            start.elapsed()
        );
    }
    fs::copy(&result, module)?;
    Ok(())
}

/// The part of the site that a file in dist/ belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Page,
    CpuWorker,
    /// Teaches and compares.
    CollectionWorker,
    GpuWorker,
    /// For files that the browser does not decode.
    Decoder,
    /// For tags in files.
    Tags,
    /// `manifest.json` and the networks that it lists.
    Networks,
    /// Networks that are loaded after the first answer.
    MoreNetworks,
}

impl Part {
    fn of(path: &str, first: &str) -> Self {
        if let Some(name) = path.strip_prefix("models/") {
            let first = name == "manifest.json" || first.contains(&format!("\"{name}\""));
            if first { Self::Networks } else { Self::MoreNetworks }
        } else if path.starts_with("worker-cpu") {
            Self::CpuWorker
        } else if path.starts_with("worker-collection") {
            Self::CollectionWorker
        } else if path.starts_with("worker-decode") {
            Self::Decoder
        } else if path.starts_with("worker-tags") {
            Self::Tags
        } else if path.starts_with(GPU_WORKER) {
            Self::GpuWorker
        } else {
            Self::Page
        }
    }
}

/// Prints the size of every part of the site, raw and compressed as a host would send it.
pub fn print_sizes(shell: &Shell) -> Result<()> {
    println!("Compressing…");
    let dist = shell.dist();
    // The networks of the first answer are those that it lists in `models`; its `full` is another manifest.
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(dist.join("models/manifest.json"))?)?;
    let first = manifest["models"].to_string();
    let mut sizes = Vec::new();
    for file in files(&dist)? {
        let path = file.strip_prefix(&dist)?.to_string_lossy().replace('\\', "/");
        let contents = fs::read(&file)?;
        sizes.push((Part::of(&path, &first), contents.len(), compressed(&contents)?));
    }
    let row = |name: &str, parts: &[Part]| {
        let (raw, sent) = sizes
            .iter()
            .filter(|(part, ..)| parts.contains(part))
            .fold((0, 0), |(raw, sent), (_, r, s)| (raw + r, sent + s));
        println!("{name:<32}{:>12}{:>12}", bytes(raw), bytes(sent));
    };
    println!("\n{:<32}{:>12}{:>12}", "", "raw", "brotli");
    row("page", &[Part::Page]);
    row("CPU worker", &[Part::CpuWorker]);
    row("worker for collections", &[Part::CollectionWorker]);
    row("WebGPU worker", &[Part::GpuWorker]);
    row("decoder", &[Part::Decoder]);
    row("tags", &[Part::Tags]);
    row("network for the first answer", &[Part::Networks]);
    row("networks loaded later", &[Part::MoreNetworks]);
    row("until the first answer (CPU)", &[Part::Page, Part::CpuWorker, Part::Networks]);
    let all = [
        Part::Page,
        Part::CpuWorker,
        Part::CollectionWorker,
        Part::GpuWorker,
        Part::Decoder,
        Part::Tags,
        Part::Networks,
        Part::MoreNetworks,
    ];
    row("all", &all);
    Ok(())
}

/// Size in bytes after brotli at its highest level, which a host uses for files that it compresses once.
pub fn compressed(contents: &[u8]) -> Result<usize> {
    let parameters = BrotliEncoderParams { quality: 11, lgwin: 22, ..BrotliEncoderParams::default() };
    let mut sent = Vec::new();
    brotli::BrotliCompress(&mut &contents[..], &mut sent, &parameters)?;
    Ok(sent.len())
}

/// A size in bytes as text, in B, kB or MB (powers of ten).
pub fn bytes(n: usize) -> String {
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
    fn sizes_are_printed_in_suitable_units() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(12_345), "12.3 kB");
        assert_eq!(bytes(2_300_000), "2.30 MB");
    }

    #[test]
    fn the_service_worker_gets_its_version_and_files() {
        let template = include_str!("../../static/sw.js");
        let text = sealed(template, "12ab", &["./".into(), "a b.js".into()]).unwrap_or_default();
        assert!(text.contains("const VERSION = \"12ab\";"), "{text}");
        assert!(text.contains("const FILES = [\"./\",\"a b.js\"];"));
        assert!(sealed("nothing", "1", &[]).is_err());
    }

    #[test]
    fn the_build_status_is_announced_in_the_page() {
        let html = with_status("<html><head><title>x</title></head></html>").unwrap_or_default();
        assert!(html.contains("<meta name=\"build-status\" content=\"building.json\" /></head>"), "{html}");
        assert!(with_status("<html></html>").is_err());
    }

    #[test]
    fn repeated_bytes_are_compressed() {
        assert!(compressed(&[7; 10_000]).is_ok_and(|n| n < 100));
        assert!(compressed(&[]).is_ok());
    }
}
