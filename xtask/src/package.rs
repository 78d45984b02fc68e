//! Builds the npm package in target/npm/ and packs it.
//!
//! The workers and the networks are those of the site in dist/; only the bindings are built here. The package needs no
//! bundler to be built: its JavaScript is crates/npm/js as it is, with a list of the assets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::build;
use crate::shell::{Shell, run};

/// The package of the bindings, and the name of its module.
const PACKAGE: &str = "cratedigger-npm";
const MODULE: &str = "cratedigger_npm.wasm";
/// The module's name in the package.
const BINDING: &str = "cratedigger";
/// The folder of the package's sources.
const SOURCES: &str = "crates/npm";
/// The largest file that Vite would write into the JavaScript as a `data:` URL, which a strict content security
/// policy forbids.
const INLINED: u64 = 4096;

/// Builds and packs; the site must have been built. Returns the path of the tarball.
pub fn package(shell: &Shell, optimise: bool) -> Result<PathBuf> {
    ensure!(
        shell.dist().join("worker-cpu.js").is_file(),
        "there is no site in {}; build it with `cargo xtask build`",
        shell.dist().display()
    );
    let folder = shell.target("npm");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be replaced", folder.display()))?;
    }
    let assets = folder.join("assets");
    fs::create_dir_all(&assets)?;
    binding(shell, &folder, optimise)?;
    copy_assets(&shell.dist(), &assets)?;
    copy_sources(shell, &folder)?;
    fs::write(folder.join("assets.js"), asset_list(&assets)?)?;
    let tarball = pack(shell, &folder)?;
    println!("The npm package is {}.", tarball.display());
    Ok(tarball)
}

/// Builds the bindings: one module, and its JavaScript for browsers and for Node.js.
fn binding(shell: &Shell, folder: &Path, optimise: bool) -> Result<()> {
    println!("Building the bindings…");
    const BUILD: [&str; 7] =
        ["build", "--package", PACKAGE, "--profile", "wasm", "--target", "wasm32-unknown-unknown"];
    run(&mut shell.line("cargo", BUILD))?;
    let module = shell.target("wasm32-unknown-unknown/wasm").join(MODULE);
    let out = folder.join("binding");
    const BINDGEN: [&str; 7] = [
        "--target",
        "web",
        "--no-typescript",
        "--omit-default-module-path",
        "--out-name",
        BINDING,
        "--out-dir",
    ];
    run(shell.line("wasm-bindgen", BINDGEN).arg(&out).arg(module))?;
    let name = format!("{BINDING}_bg.wasm");
    let module = folder.join("assets").join(&name);
    fs::rename(out.join(&name), &module)?;
    if optimise {
        build::optimise_module(shell, &module)?;
    }
    let script = format!("{BINDING}.js");
    let glue = fs::read_to_string(out.join(&script))?;
    fs::create_dir_all(folder.join("node"))?;
    Ok(fs::write(folder.join("node").join(script), for_node(&glue))?)
}

/// The bindings' JavaScript for Node.js, with the package's own web workers and timers.
fn for_node(glue: &str) -> String {
    let glue = glue
        .replace("'./snippets/", "'../binding/snippets/")
        .replace("\"./snippets/", "\"../binding/snippets/");
    format!("import {{ Worker, setTimeout }} from \"./globals.js\";\n{glue}")
}

/// Only the page needs these: to teach, to compare, and to write tags.
const PAGE_ONLY: [&str; 3] = ["models/non-music.bpk", "worker-collection", "worker-tags"];

/// Copies the workers, the tap of live sound and the networks out of the site.
fn copy_assets(dist: &Path, assets: &Path) -> Result<()> {
    for file in build::files(dist)? {
        let name = file.strip_prefix(dist)?.to_string_lossy().replace('\\', "/");
        if !(name.starts_with("worker-") || name == "tap.js" || name.starts_with("models/"))
            || PAGE_ONLY.iter().any(|start| name.starts_with(start))
        {
            continue;
        }
        let to = assets.join(&name);
        fs::create_dir_all(to.parent().unwrap_or(assets))?;
        fs::copy(&file, to).with_context(|| format!("{name} cannot be copied"))?;
    }
    Ok(())
}

/// Copies the JavaScript, the types, the README and the licences, and writes package.json with this version.
fn copy_sources(shell: &Shell, folder: &Path) -> Result<()> {
    let sources = shell.path(SOURCES).join("js");
    for file in build::files(&sources)? {
        let to = folder.join(file.strip_prefix(&sources)?);
        fs::create_dir_all(to.parent().unwrap_or(folder))?;
        fs::copy(&file, to)?;
    }
    for (from, to) in [
        (format!("{SOURCES}/README.md"), "README.md"),
        ("LICENSE-MIT".into(), "LICENSE-MIT"),
        ("LICENSE-APACHE".into(), "LICENSE-APACHE"),
        ("models/LICENSE-musicnn.txt".into(), "LICENSE-musicnn.txt"),
    ] {
        fs::copy(shell.path(&from), folder.join(to)).with_context(|| format!("{from} cannot be copied"))?;
    }
    let text = shell.read(&format!("{SOURCES}/package.json"))?;
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    Ok(fs::write(folder.join("package.json"), text.replace("\"version\": \"0.0.0\"", &version))?)
}

/// The module that names all assets. Bundlers find a file only by a literal `new URL(…, import.meta.url)`.
fn asset_list(assets: &Path) -> Result<String> {
    let mut list = "// Written by `cargo xtask package`. The files that the package fetches, by name; bundlers move and \
                    rename them.\n\nexport const assets = {\n"
        .to_owned();
    for file in build::files(assets)? {
        let wanted =
            ["js", "wasm", "json", "bpk"].iter().any(|e| file.extension().is_some_and(|other| other == *e));
        if wanted {
            let name = file.strip_prefix(assets)?.to_string_lossy().replace('\\', "/");
            let query = if fs::metadata(&file)?.len() <= INLINED { "?no-inline" } else { "" };
            list += &format!("  {name:?}: new URL(\"./assets/{name}{query}\", import.meta.url).href,\n");
        }
    }
    Ok(list + "};\n")
}

/// The part of the package that a file belongs to; `None` for one that no page fetches. `first` are the names of the
/// fast set's weights.
fn part(path: &str, first: &str) -> Option<&'static str> {
    if let Some(name) = path.strip_prefix("assets/models/") {
        let fast = name == "manifest.json" || first.contains(&format!("\"{name}\""));
        let wanted = name.ends_with(".json") || name.ends_with(".bpk");
        return wanted.then_some(if fast { FAST } else { FULL });
    }
    match path.strip_prefix("assets/") {
        Some(name) if name.starts_with("worker-cpu") => Some(CPU),
        Some(name) if name.starts_with("worker-gpu") => Some("WebGPU worker"),
        Some(name) if name.starts_with("worker-decode") => Some("decoder"),
        Some("tap.js") => Some("live sound"),
        Some(_) => Some(SCRIPT),
        None if path.starts_with("node") || !path.ends_with(".js") => None,
        None if path.starts_with("element") => Some("element"),
        None => Some(SCRIPT),
    }
}

const SCRIPT: &str = "JavaScript and bindings";
const CPU: &str = "CPU worker";
const FAST: &str = "networks, fast set";
const FULL: &str = "networks, rest of the full set";

/// Prints the size of every part that a page may fetch, raw and compressed as a host would send it.
pub fn print_sizes(shell: &Shell) -> Result<()> {
    println!("Compressing…");
    let folder = shell.target("npm");
    let manifest = fs::read(folder.join("assets/models/manifest.json"))?;
    let first = serde_json::from_slice::<serde_json::Value>(&manifest)?["models"].to_string();
    let mut sizes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for file in build::files(&folder)? {
        let path = file.strip_prefix(&folder)?.to_string_lossy().replace('\\', "/");
        if let Some(part) = part(&path, &first) {
            let contents = fs::read(&file)?;
            let (raw, sent) = sizes.entry(part).or_default();
            *raw += contents.len();
            *sent += build::compressed(&contents)?;
        }
    }
    let row = |name: &str, (raw, sent): (usize, usize)| {
        println!("{name:<36}{:>12}{:>12}", build::bytes(raw), build::bytes(sent));
    };
    let sum = |parts: &[&str]| {
        let sizes = parts.iter().filter_map(|part| sizes.get(part));
        sizes.fold((0, 0), |(raw, sent), (r, s)| (raw + r, sent + s))
    };
    println!("\n{:<36}{:>12}{:>12}", "", "raw", "brotli");
    sizes.iter().for_each(|(name, size)| row(name, *size));
    row("until the first answer, fast set", sum(&[SCRIPT, CPU, FAST]));
    row("until the first answer, full set", sum(&[SCRIPT, CPU, FAST, FULL]));
    Ok(())
}

/// Packs the folder.
fn pack(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let mut npm = shell.line("npm", ["pack", "--silent", "--pack-destination"]);
    run(npm.arg(folder).arg(folder).stdout(std::process::Stdio::null()))
        .context("packing needs Node.js and npm")?;
    let tarball = folder.join(format!("{BINDING}-{}.tgz", env!("CARGO_PKG_VERSION")));
    ensure!(tarball.is_file(), "npm pack has not written {}", tarball.display());
    Ok(tarball)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_page_fetches_is_counted() {
        let first = r#"[{"weights":"a.bpk"}]"#;
        assert_eq!(part("assets/models/a.bpk", first), Some(FAST));
        assert_eq!(part("assets/models/b.bpk", first), Some(FULL));
        assert_eq!(part("assets/models/a.md", first), None);
        assert_eq!(part("assets/cratedigger_bg.wasm", first), Some(SCRIPT));
        assert_eq!(part("binding/snippets/x/src/live.js", first), Some(SCRIPT));
        assert_eq!(part("element/look.js", first), Some("element"));
        assert_eq!(part("node/worker.js", first), None);
        assert_eq!(part("node.js", first), None);
        assert_eq!(part("README.md", first), None);
    }

    #[test]
    fn every_file_that_is_fetched_is_listed() -> Result<()> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("models"))?;
        for (name, size) in
            [("tap.js", 10), ("worker-cpu.js", 5000), ("models/a.bpk", 5000), ("models/a.md", 10)]
        {
            fs::write(folder.path().join(name), vec![b' '; size])?;
        }
        let list = asset_list(folder.path())?;
        assert!(
            list.contains("  \"models/a.bpk\": new URL(\"./assets/models/a.bpk\", import.meta.url).href,\n"),
            "{list}"
        );
        assert!(
            list.contains("  \"tap.js\": new URL(\"./assets/tap.js?no-inline\", import.meta.url).href,\n")
        );
        assert!(!list.contains("a.md"));
        Ok(())
    }
}
