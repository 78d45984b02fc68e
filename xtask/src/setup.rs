//! Installs missing tools. They go into the target folder, so that versions for other projects do not
//! change.

use std::fs;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::shell::{Shell, run};

/// The last version that the pinned Rust compiles.
const TRUNK: &str = "0.21.14";
/// The npm package with wasm-opt. Versions in distributions are older and lack WebAssembly features that Rust
/// uses.
const BINARYEN: &str = "132.0.0";
const DENY: &str = "0.20.2";
const ABOUT: &str = "0.9.3";
const CYCLONEDX: &str = "0.5.9";
/// The packages of Debian with the other browsers, the screen and clipboard that they need, and the encoders of
/// the tests' songs.
const ENGINES: [&str; 12] = [
    "firefox-esr",
    "webkit2gtk-driver",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-libav",
    "xvfb",
    "dbus-daemon",
    "xclip",
    "ffmpeg",
    "flac",
    "lame",
    "vorbis-tools",
];
/// The oldest version of wasm-opt that works.
const BINARYEN_LEAST: u32 = 120;
const WASM: &str = "wasm32-unknown-unknown";

/// A tool that may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The standard library for WebAssembly.
    Target,
    /// clippy and rustfmt.
    Lints,
    /// Builds the page and the CPU worker.
    Trunk,
    /// Generates the JavaScript bindings of WebAssembly modules.
    WasmBindgen,
    /// Reduces the size of WebAssembly modules.
    WasmOpt,
    /// Checks the licences, versions and sources of dependencies.
    Deny,
    /// Gathers the licences of dependencies. Only for a release.
    About,
    /// Lists the components of a package. Only for a release.
    Cyclonedx,
    /// Chromium and its driver.
    Browser,
    /// Firefox, WebKitGTK, ffmpeg and other encoders. The tests that need them are skipped without them.
    Engines,
}

impl Tool {
    /// The tools that build the site.
    pub const BUILD: [Self; 3] = [Self::Target, Self::Trunk, Self::WasmBindgen];
    /// The tools that only the tests need.
    pub const TEST: [Self; 3] = [Self::Browser, Self::Engines, Self::Deny];
    /// The tools that describe a release. Building it also needs [`Tool::BUILD`] and wasm-opt.
    pub const RELEASE: [Self; 2] = [Self::About, Self::Cyclonedx];
}

/// Installs those of `tools` that are missing, and downloads the sources of all dependencies, because trunk
/// runs offline.
pub fn ensure(shell: &Shell, tools: impl IntoIterator<Item = Tool>) -> Result<()> {
    for tool in tools {
        match tool {
            Tool::Target => target(shell)?,
            Tool::Lints => lints(shell)?,
            Tool::Trunk => {
                // Without TLS, which halves the compile time: trunk downloads nothing here.
                let features = ["--locked", "--no-default-features"];
                cargo_install(shell, "trunk", "trunk", TRUNK, &features, "0")?;
            }
            Tool::WasmBindgen => {
                let lock = shell.read("Cargo.lock")?;
                let version = locked(&lock, "wasm-bindgen").context("Cargo.lock names no wasm-bindgen")?;
                // Not `--locked`: its lock file has a version that the registry lacks. Without TLS, so that
                // rustls and ring are not compiled: its test runner only connects to the local chromedriver.
                let features = ["--no-default-features"];
                cargo_install(shell, "wasm-bindgen-cli", "wasm-bindgen", version, &features, "1")?;
            }
            Tool::WasmOpt => wasm_opt(shell)?,
            Tool::Deny => cargo_install(shell, "cargo-deny", "cargo-deny", DENY, &["--locked"], "0")?,
            Tool::About => {
                let features = ["--locked", "--features", "cli"];
                // Optimised, because it compares thousands of texts.
                cargo_install(shell, "cargo-about", "cargo-about", ABOUT, &features, "3")?;
            }
            Tool::Cyclonedx => {
                let program = "cargo-cyclonedx";
                cargo_install(shell, program, program, CYCLONEDX, &["--locked"], "1")?;
            }
            Tool::Browser => browser(shell)?,
            Tool::Engines => engines(shell),
        }
    }
    run(&mut shell.line("cargo", ["fetch", "--quiet"]))
}

fn say(message: &str) {
    println!("setup: {message}");
}

/// The toolchain version in rust-toolchain.toml.
fn toolchain(shell: &Shell) -> Result<String> {
    shell
        .read("rust-toolchain.toml")?
        .lines()
        .find_map(|line| Some(line.strip_prefix("channel")?.trim_matches([' ', '=', '"']).to_string()))
        .context("rust-toolchain.toml names no channel")
}

fn target(shell: &Shell) -> Result<()> {
    let there = shell
        .output("rustc", &["--print", "target-libdir", "--target", WASM])
        .and_then(|folder| fs::read_dir(folder.trim()).ok())
        .is_some_and(|mut entries| entries.next().is_some());
    if there {
        return Ok(());
    }
    let toolchain = toolchain(shell)?;
    say(&format!("adding the target {WASM} to Rust {toolchain}"));
    run(&mut shell.line("rustup", ["target", "add", "--toolchain", &toolchain, WASM])).with_context(|| {
        format!("the target {WASM} is missing; install rustup (https://rustup.rs) and run this again")
    })
}

fn lints(shell: &Shell) -> Result<()> {
    for (program, component) in [("cargo-clippy", "clippy"), ("cargo-fmt", "rustfmt")] {
        // Without the component, rustup's proxy program exists, but fails.
        if shell.output(program, &["--version"]).is_none() {
            let toolchain = toolchain(shell)?;
            say(&format!("adding {component} to Rust {toolchain}"));
            run(&mut shell.line("rustup", ["component", "add", "--toolchain", &toolchain, component]))?;
        }
    }
    Ok(())
}

/// The version of a package in the text of a Cargo.lock.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    Some(lines.nth(1)?.strip_prefix("version = ")?.trim_matches('"'))
}

/// Installs a package, compiled with optimisation level `level`. Full optimisation would cost more compile
/// time than it saves, because tools run for seconds only.
fn cargo_install(
    shell: &Shell,
    package: &str,
    program: &str,
    version: &str,
    more: &[&str],
    level: &str,
) -> Result<()> {
    // A subcommand of cargo expects its own name first.
    let version_of = program.strip_prefix("cargo-").filter(|name| *name == "cyclonedx");
    let arguments: Vec<&str> = version_of.into_iter().chain(["--version"]).collect();
    let found = shell.output(program, &arguments);
    if found.is_some_and(|words| words.split_whitespace().any(|word| word == version)) {
        return Ok(());
    }
    say(&format!("installing {package} {version} (once; takes minutes)"));
    let folder = shell.tools().join("build");
    run(shell
        .line("cargo", ["install", package, "--version", version, "--force", "--quiet", "--root"])
        .arg(shell.tools())
        .args(more)
        .env("CARGO_TARGET_DIR", &folder)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", level)
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false"))?;
    fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))
}

/// The number in `wasm-opt version 132 (…)`.
fn binaryen_version(words: &str) -> Option<u32> {
    words.split_whitespace().find_map(|word| word.parse().ok())
}

fn wasm_opt(shell: &Shell) -> Result<()> {
    let found = shell.output("wasm-opt", &["--version"]).and_then(|words| binaryen_version(&words));
    if found.is_some_and(|version| version >= BINARYEN_LEAST) {
        return Ok(());
    }
    say(&format!("installing wasm-opt (binaryen {BINARYEN}, from npm)"));
    let folder = shell.tools().join("npm");
    fs::create_dir_all(&folder)?;
    let package = format!("binaryen@{BINARYEN}");
    run(shell
        .line("npm", ["install", "--no-audit", "--no-fund", "--silent", "--prefix"])
        .arg(&folder)
        .arg(package))
    .context("wasm-opt is missing; install Node.js and npm and run this again")
}

fn browser(shell: &Shell) -> Result<()> {
    let chromium =
        ["chromium", "chromium-browser", "google-chrome"].iter().any(|name| shell.find(name).is_some());
    if chromium && shell.find("chromedriver").is_some() {
        return Ok(());
    }
    const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];
    if shell.find("apt-get").is_none() {
        bail!(
            "the browser tests need Chromium (or Chrome) and a chromedriver of the same version on the PATH"
        );
    }
    apt(shell, &PACKAGES).context("the browser tests need Chromium and its driver")
}

/// Installs the other browsers where that is possible.
fn engines(shell: &Shell) {
    let installed = |package: &&str| {
        let found = shell.output("dpkg-query", &["--show", "--showformat=${db:Status-Status}", package]);
        found.is_some_and(|status| status == "installed")
    };
    let missing: Vec<&str> = ENGINES.into_iter().filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        return;
    }
    let result = if shell.find("apt-get").is_some() {
        apt(shell, &missing)
    } else {
        Err(anyhow!("{} are packages of Debian", missing.join(", ")))
    };
    if let Err(error) = result {
        say(&format!(
            "the tests with Firefox, WebKitGTK and encoders are skipped where a program is missing: {error:#}"
        ));
    }
}

/// Installs packages of Debian.
fn apt(shell: &Shell, packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let root = shell.output("id", &["-u"]).is_some_and(|id| id.trim() == "0");
    if !root && shell.find("sudo").is_none() {
        bail!("install as root: apt-get install -y --no-install-recommends {names}");
    }
    say(&format!("installing {names} (apt-get)"));
    let apt = |arguments: &[&str]| {
        let program: &[&str] = if root { &["apt-get"] } else { &["sudo", "apt-get"] };
        let mut line = shell.line(program[0], program[1..].iter().chain(arguments));
        line.env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut line)
    };
    apt(&["update", "-qq"])?;
    apt(&[&["install", "-y", "--no-install-recommends", "-qq"], packages].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(locked(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked(lock, "wasm"), None);
        assert_eq!(binaryen_version("wasm-opt version 132 (version_132)"), Some(132));
        assert_eq!(binaryen_version("wasm-opt"), None);
    }
}
