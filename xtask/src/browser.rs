//! Runs the Node.js programs in tests/e2e, which drive the built site in Chromium, Firefox and WebKitGTK: the
//! browser tests and the screenshots.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::shell::{Shell, run};

/// The folder of the browser tests.
const FOLDER: &str = "tests/e2e";
/// The native programs that the tests start, by the environment variables that hold their paths.
const PROGRAMS: [(&str, &str); 2] =
    [("CRATEDIGGER_BIN", "cratedigger"), ("CRATEDIGGER_DESIGNS", "examples/designs")];

/// Installs the npm packages of the tests, if their lock file has changed since the last time.
fn install(shell: &Shell) -> Result<()> {
    let lock = shell.read(&format!("{FOLDER}/package-lock.json"))?;
    let done = shell.tools().join("e2e-lock.json");
    let installed = shell.path(FOLDER).join("node_modules").is_dir();
    if installed && std::fs::read_to_string(&done).is_ok_and(|old| old == lock) {
        return Ok(());
    }
    println!("setup: installing the browser tests' packages (npm)");
    run(&mut shell.line("npm", ["ci", "--no-audit", "--no-fund", "--silent", "--prefix", FOLDER]))
        .context("the browser tests need Node.js and npm")?;
    std::fs::create_dir_all(shell.tools())?;
    Ok(std::fs::write(done, lock)?)
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

/// The command that runs the tests. They compare with the native programs, which must have been built;
/// `all` includes the tests that take many minutes.
pub fn tests(shell: &Shell, all: bool) -> Result<Command> {
    install(shell)?;
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
    if all {
        command.env("CRATEDIGGER_ALL", "1");
    }
    Ok(command)
}

/// The command that measures a song in the site; see `tests/e2e/speed.mjs`.
pub fn speed(shell: &Shell, rounds: usize) -> Result<Command> {
    install(shell)?;
    node(shell, &[format!("{FOLDER}/speed.mjs"), rounds.to_string()])
}

/// Takes screenshots of every view.
pub fn screenshots(shell: &Shell) -> Result<()> {
    install(shell)?;
    let folder = shell.target("screenshots");
    run(node(shell, &[format!("{FOLDER}/screenshots.mjs")])?.arg(&folder))?;
    println!("The screenshots are in {}.", folder.display());
    Ok(())
}
