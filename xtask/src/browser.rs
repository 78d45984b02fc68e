//! Runs the Node.js programs in tests/e2e, which drive the built site in Chromium, Firefox and WebKitGTK: the
//! browser tests and the screenshots.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::shell::{Shell, run};

/// The folder of the browser tests.
const FOLDER: &str = "tests/e2e";
/// The folder of the npm package's examples.
const EXAMPLES: &str = "examples";
/// The native programs that the tests start, by the environment variables that hold their paths.
const PROGRAMS: [(&str, &str); 2] =
    [("CRATEDIGGER_BIN", "cratedigger"), ("CRATEDIGGER_DESIGNS", "examples/designs")];

/// Installs the npm packages of the tests.
fn install(shell: &Shell) -> Result<()> {
    install_locked(shell, FOLDER, "e2e-lock.json")
}

/// Installs the npm packages of a folder, if its lock file has changed since the last time.
fn install_locked(shell: &Shell, folder: &str, done: &str) -> Result<()> {
    let lock = shell.read(&format!("{folder}/package-lock.json"))?;
    let done = shell.tools().join(done);
    let installed = shell.path(folder).join("node_modules").is_dir();
    if installed && std::fs::read_to_string(&done).is_ok_and(|old| old == lock) {
        return Ok(());
    }
    println!("setup: installing the packages of {folder} (npm)");
    run(&mut shell.line("npm", ["ci", "--no-audit", "--no-fund", "--silent", "--prefix", folder]))
        .context("the browser tests need Node.js and npm")?;
    std::fs::create_dir_all(shell.tools())?;
    Ok(std::fs::write(done, lock)?)
}

/// Installs the examples' packages, and the npm package from its tarball as a user would.
fn install_examples(shell: &Shell, tarball: &Path) -> Result<()> {
    install_locked(shell, EXAMPLES, "examples-lock.json")?;
    // npm keeps a package of the same version.
    let old = shell.path(EXAMPLES).join("node_modules/cratedigger");
    if old.is_dir() {
        std::fs::remove_dir_all(&old).with_context(|| format!("{} cannot be replaced", old.display()))?;
    }
    const INSTALL: [&str; 7] =
        ["install", "--no-save", "--no-audit", "--no-fund", "--silent", "--prefix", EXAMPLES];
    run(shell.line("npm", INSTALL).arg(tarball))
}

fn node(shell: &Shell, arguments: &[String]) -> Result<Command> {
    ensure!(
        shell.dist().join("index.html").is_file(),
        "there is no site in {}; build it with `cargo xtask build --fast`",
        shell.dist().display()
    );
    let chromium = ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| shell.find(name));
    let mut command = shell.line("node", arguments);
    command.env("CRATEDIGGER_DIST", shell.dist()).env("NODE_NO_WARNINGS", "1");
    if let Some(chromium) = chromium.filter(|_| std::env::var_os("CHROME").is_none()) {
        command.env("CHROME", chromium);
    }
    Ok(command)
}

/// The command that runs the tests. They compare with the native programs, which must have been built; `tarball` is
/// the npm package; `all` includes the tests that take many minutes.
pub fn tests(shell: &Shell, tarball: &Path, all: bool) -> Result<Command> {
    install(shell)?;
    install_examples(shell, tarball)?;
    let mut files = Vec::new();
    // All files are listed by name, because Node.js versions search a folder in different ways.
    for entry in
        std::fs::read_dir(shell.path(FOLDER)).with_context(|| format!("{FOLDER} cannot be listed"))?
    {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.mjs") {
            files.push(format!("{FOLDER}/{name}"));
        }
    }
    files.sort();
    // One file at a time, because two browsers would slow each other down.
    let options = ["--test", "--test-concurrency=1", "--test-reporter=spec"].map(String::from);
    let mut command = node(shell, &options.into_iter().chain(files).collect::<Vec<_>>())?;
    for (name, program) in PROGRAMS {
        let program = shell.program(program);
        ensure!(program.is_file(), "{} was not built", program.display());
        command.env(name, program);
    }
    command.env("CRATEDIGGER_TARBALL", tarball);
    if all {
        command.env("CRATEDIGGER_ALL", "1");
    }
    Ok(command)
}

/// The command of a script that measures the site: `speed` a song, `collection` the worker for collections.
pub fn measure(shell: &Shell, script: &str, rounds: usize) -> Result<Command> {
    install(shell)?;
    node(shell, &[format!("{FOLDER}/{script}.mjs"), rounds.to_string()])
}

/// Takes screenshots of every view.
pub fn screenshots(shell: &Shell) -> Result<()> {
    install(shell)?;
    let folder = shell.target("screenshots");
    run(node(shell, &[format!("{FOLDER}/screenshots.mjs")])?.arg(&folder))?;
    println!("The screenshots are in {}.", folder.display());
    Ok(())
}
