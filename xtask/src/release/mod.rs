//! `cargo xtask release`: checks a release and gathers its files. Nothing leaves this machine.

mod archive;
mod checks;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::setup::{self, Tool};
use crate::shell::{Shell, run};
use crate::{build, package};
use archive::Archive;

/// Licences and notices that every archive contains, by path in the repository and name in the archive.
const NOTICES: [(&str, &str); 3] = [
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("models/LICENSE-musicnn.txt", "LICENSE-musicnn.txt"),
];
/// The licences of all dependencies, written by `cargo about`.
const THIRD_PARTY: &str = "THIRD-PARTY-LICENSES.txt";
/// A target, and packages with the names of their lists of components.
type Components = (Option<&'static str>, &'static [(&'static str, &'static str)]);
/// Lists of components, written by `cargo cyclonedx`; `None` is this system.
const COMPONENTS: [Components; 2] = [
    (None, &[("cratedigger-trainer", "program")]),
    (
        Some("wasm32-unknown-unknown"),
        &[
            ("cratedigger-web", "page"),
            ("cratedigger-worker", "worker"),
            ("cratedigger-decode-worker", "decode-worker"),
            ("cratedigger-tags-worker", "tags-worker"),
            ("cratedigger-npm", "npm"),
        ],
    ),
];
/// The features with which the workers are built.
const FEATURES: &str = "cratedigger-worker/cpu,cratedigger-worker/gpu";

/// Checks versions and changelog, and gathers all files of a release in target/release-files/.
///
/// `built` takes the site, the npm package and the program as they were built last, and does not compile the
/// crates from their packages.
///
/// # Errors
/// A check or a tool fails.
pub fn dry_run(shell: &Shell, built: bool) -> Result<()> {
    setup::ensure(shell, Tool::RELEASE)?;
    if !built {
        setup::ensure(shell, Tool::BUILD.into_iter().chain([Tool::WasmOpt]))?;
    }
    let packages = checks::packages(shell)?;
    let version = checks::versions(&packages)?;
    let notes = checks::notes(&shell.read("CHANGELOG.md")?, &version)?;
    println!("Version {version}; its changes are in CHANGELOG.md.");
    crates(shell, built)?;

    let folder = shell.target("release-files");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("RELEASE-NOTES.md"), notes)?;
    for (path, name) in NOTICES {
        fs::copy(shell.path(path), folder.join(name)).with_context(|| format!("{path} cannot be copied"))?;
    }
    third_party(shell, &folder.join(THIRD_PARTY))?;
    components(shell, &packages, &folder)?;
    site(shell, &folder, &version, built)?;
    npm(shell, &folder, &version, built)?;
    program(shell, &folder, &version, built)?;
    archive::sums(&folder)?;
    print_files(&folder)?;
    println!("Nothing was published. The files are in {}.", folder.display());
    Ok(())
}

/// Packages all crates that can be published, and compiles them from their packages. Nothing is uploaded.
fn crates(shell: &Shell, built: bool) -> Result<()> {
    let more: &[&str] = if built { &["--no-verify", "--allow-dirty"] } else { &[] };
    run(shell.line("cargo", ["publish", "--dry-run", "--workspace", "--quiet"]).args(more))
}

/// Writes the licences of all dependencies of the program, the page and its workers.
fn third_party(shell: &Shell, to: &Path) -> Result<()> {
    println!("Licences of dependencies…");
    run(shell
        .line("cargo-about", ["generate", "--workspace", "--offline", "--fail", "--features", FEATURES])
        .arg("--output-file")
        .arg(to)
        .arg("about.hbs"))
}

/// Writes the lists of components, in the format CycloneDX. The tool writes a file beside the Cargo.toml of every
/// package of the workspace; all are removed again. It takes what `cargo metadata` resolves for the whole workspace, so a
/// list may also name components that are left out of a build.
fn components(shell: &Shell, packages: &[Value], folder: &Path) -> Result<()> {
    println!("Lists of components…");
    const NAME: &str = "release-components";
    // The lists name packages of the workspace by their paths on this machine.
    let root = shell.path("").display().to_string();
    for (target, wanted) in COMPONENTS {
        let mut command = shell.line("cargo-cyclonedx", ["cyclonedx", "-qq", "--format", "json", "--all"]);
        command.args(["--override-filename", NAME]);
        if let Some(target) = target {
            command.args(["--target", target, "--features", FEATURES]);
        }
        let written = run(&mut command);
        for package in packages {
            let manifest = package["manifest_path"].as_str().unwrap_or_default();
            let file = Path::new(manifest).with_file_name(NAME).with_extension("json");
            let name = wanted.iter().find(|(name, _)| package["name"] == *name);
            if let (Ok(()), Some((_, name))) = (&written, name) {
                let list = fs::read_to_string(&file)
                    .with_context(|| format!("cargo cyclonedx wrote no {}", file.display()))?;
                let list = list.replace(root.trim_end_matches('/'), "/cratedigger");
                fs::write(folder.join(format!("sbom-{name}.cdx.json")), list)?;
            }
            let _ = fs::remove_file(&file); // missing if the tool failed
        }
        written?;
    }
    Ok(())
}

/// The site, for a web host.
fn site(shell: &Shell, folder: &Path, version: &str, built: bool) -> Result<()> {
    if !built {
        build::site(shell, None)?;
        build::optimise(shell)?;
    }
    let dist = shell.dist();
    ensure!(dist.join("sw.js").is_file(), "there is no site in {}; leave out --built", dist.display());
    let mut archive = Archive::new(&folder.join(format!("cratedigger-site-{version}.zip")))?;
    for file in build::files(&dist)? {
        archive.add(&file, &file.strip_prefix(&dist)?.to_string_lossy())?;
    }
    notices(shell, folder, &mut archive, "")?;
    archive.finish()
}

/// The npm package.
fn npm(shell: &Shell, folder: &Path, version: &str, built: bool) -> Result<()> {
    let name = format!("cratedigger-{version}.tgz");
    let tarball = if built { shell.target("npm").join(&name) } else { package::package(shell, true)? };
    ensure!(tarball.is_file(), "there is no {}; build it with `cargo xtask package`", tarball.display());
    fs::copy(&tarball, folder.join(name))
        .with_context(|| format!("{} cannot be copied", tarball.display()))?;
    Ok(())
}

/// The program for this system, with the networks and one's own licences.
fn program(shell: &Shell, folder: &Path, version: &str, built: bool) -> Result<()> {
    if !built {
        run(&mut shell.line("cargo", ["build", "--release", "--locked", "--package", "cratedigger-trainer"]))?;
    }
    let name = Path::new("cratedigger").with_extension(std::env::consts::EXE_EXTENSION);
    let program = shell.target("release").join(&name);
    ensure!(program.is_file(), "there is no {}; leave out --built", program.display());
    let system = checks::host(shell)?;
    let root = format!("cratedigger-{version}");
    let mut archive = Archive::new(&folder.join(format!("cratedigger-{version}-{system}.zip")))?;
    archive.add_program(&program, &format!("{root}/{}", name.display()))?;
    archive.add(&shell.path("trainer/README.md"), &format!("{root}/README.md"))?;
    let models = shell.path("models");
    for file in build::files(&models)? {
        if file.extension().is_some_and(|extension| extension != "safetensors") {
            let inside = file.strip_prefix(&models)?.to_string_lossy().replace('\\', "/");
            archive.add(&file, &format!("{root}/models/{inside}"))?;
        }
    }
    notices(shell, folder, &mut archive, &format!("{root}/"))?;
    archive.finish()
}

/// Adds licences and notices.
fn notices(shell: &Shell, folder: &Path, archive: &mut Archive, prefix: &str) -> Result<()> {
    for (path, name) in NOTICES {
        archive.add(&shell.path(path), &format!("{prefix}{name}"))?;
    }
    archive.add(&folder.join(THIRD_PARTY), &format!("{prefix}{THIRD_PARTY}"))
}

fn print_files(folder: &Path) -> Result<()> {
    println!();
    for file in build::files(folder)? {
        let name = file.strip_prefix(folder)?.display().to_string();
        println!("{name:<52}{:>12}", build::bytes(fs::metadata(&file)?.len() as usize));
    }
    Ok(())
}
