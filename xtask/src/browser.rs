//! What is done to the built site in a real browser, from Node.js: the tests in tests/e2e, and the
//! pictures for the README.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::shell::{Shell, run};

/// The tests' folder.
const FOLDER: &str = "tests/e2e";

/// Installs what the tests need, once for every state of their lock file.
fn install(shell: &Shell) -> Result<()> {
    let lock = shell.read(&format!("{FOLDER}/package-lock.json"))?;
    let done = shell.tools().join("e2e-lock.json");
    let there = shell.path(FOLDER).join("node_modules").is_dir();
    if there && std::fs::read_to_string(&done).is_ok_and(|old| old == lock) {
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

/// The tests, ready to be run.
pub fn tests(shell: &Shell) -> Result<Command> {
    install(shell)?;
    // One file after the other: two browsers would only make each other slow.
    let mut files = Vec::new();
    // File by file: what node makes of a folder depends on its version.
    for entry in
        std::fs::read_dir(shell.path(FOLDER)).with_context(|| format!("{FOLDER} cannot be listed"))?
    {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.mjs") {
            files.push(format!("{FOLDER}/{name}"));
        }
    }
    files.sort();
    let options = ["--test", "--test-concurrency=1", "--test-reporter=spec"].map(String::from);
    node(shell, &options.into_iter().chain(files).collect::<Vec<_>>())
}

/// Takes pictures of every view.
pub fn screenshots(shell: &Shell) -> Result<()> {
    install(shell)?;
    let folder = shell.target("screenshots");
    run(node(shell, &[format!("{FOLDER}/screenshots.mjs")])?.arg(&folder))?;
    println!("The pictures are in {}.", folder.display());
    Ok(())
}
