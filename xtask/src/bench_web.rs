//! Benchmarks in Chromium: `cargo xtask bench web` compares the networks with ONNX Runtime Web, `bench song` and
//! `bench collection` measure the built site.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::browser;
use crate::setup::{self, Tool};
use crate::shell::{Shell, run};

/// npm packages with their versions: ONNX Runtime Web, and the driver of the browser.
const PACKAGES: [(&str, &str); 2] = [("onnxruntime-web", "1.30.0"), ("playwright-core", "1.65.1")];
/// Number of rounds; both sides run in each round.
const ROUNDS: usize = 25;
/// The script that opens the page.
const PAGE: &str = "crates/cpu-ops/benches/web/run.mjs";
/// Largest accepted difference of outputs, relative to the largest output.
const TOLERANCE: f64 = 1e-4;

/// Name of a network, largest relative difference between the outputs, and milliseconds per item in each
/// round, of this project and of ONNX Runtime Web.
type Times = (String, f64, Vec<f64>, Vec<f64>);

/// Measures and prints.
pub fn web(shell: &Shell) -> Result<()> {
    setup::ensure(shell, [Tool::Target, Tool::WasmBindgen, Tool::Browser])?;
    let folder = shell.tools().join("bench-web");
    std::fs::create_dir_all(&folder)?;
    let installed = PACKAGES.iter().all(|(name, version)| {
        let manifest = folder.join("node_modules").join(name).join("package.json");
        std::fs::read_to_string(manifest)
            .is_ok_and(|manifest| manifest.contains(&format!("\"version\": \"{version}\"")))
    });
    if !installed {
        println!("setup: installing ONNX Runtime Web and Playwright (npm)");
        let mut npm = shell.line("npm", ["install", "--no-audit", "--no-fund", "--silent", "--prefix"]);
        npm.arg(&folder).args(PACKAGES.map(|(name, version)| format!("{name}@{version}")));
        run(&mut npm).context("this comparison needs Node.js and npm")?;
    }
    println!("Building…");
    run(&mut shell.line(
        "cargo",
        [
            "build",
            "--package",
            "cratedigger-cpu-ops",
            "--example",
            "web",
            "--profile",
            "wasm",
            "--target",
            "wasm32-unknown-unknown",
        ],
    ))?;
    let ours = folder.join("ours");
    let module = shell.target("wasm32-unknown-unknown/wasm/examples/web.wasm");
    run(shell.line("wasm-bindgen", ["--target", "web", "--out-dir"]).args([&ours, &module]))?;

    let mut command = shell.line("node", [PAGE]);
    command.args([&ours, &folder]).arg(ROUNDS.to_string());
    let chromium = ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| shell.find(name));
    if let Some(chromium) = chromium.filter(|_| std::env::var_os("CHROME").is_none()) {
        command.env("CHROME", chromium);
    }
    let output = command.stderr(Stdio::inherit()).output().context("node cannot be started")?;
    if !output.status.success() {
        bail!("the page failed ({})", output.status);
    }
    let results: Vec<Times> = serde_json::from_slice(&output.stdout).context("the page printed no times")?;
    print(&results)
}

fn print(results: &[Times]) -> Result<()> {
    println!(
        "\nOne thread, milliseconds per item: medians of {ROUNDS} rounds; ratios with minimum and maximum:\n"
    );
    println!("| {:<12} | {:>8} | {:>8} | {:>20} |", "", "ours", "ORT Web", "ours / ORT Web");
    println!("|{:-<14}|{:->9}:|{:->9}:|{:->21}:|", "", "", "", "");
    for (name, difference, ours, ort) in results {
        if difference.is_nan() || *difference > TOLERANCE {
            bail!("{name}: the outputs differ by {difference:.1e}, relative to the largest");
        }
        let ratios = sorted(ours.iter().zip(ort).map(|(ours, ort)| ours / ort));
        let (ours, ort) = (sorted(ours.iter().copied()), sorted(ort.iter().copied()));
        let (Some(least), Some(greatest)) = (ratios.first(), ratios.last()) else {
            bail!("{name}: no rounds");
        };
        let [ours, ort, ratio] = [&ours, &ort, &ratios].map(|values| values[values.len() / 2]);
        println!("| {name:<12} | {ours:>8.3} | {ort:>8.3} | {ratio:>6.2} ({least:.2} to {greatest:.2}) |");
    }
    Ok(())
}

/// How often a song is measured with each number of cores.
const SONG_ROUNDS: usize = 5;

/// A number of cores, the workers that computed with them, the megabytes of their memory, and the milliseconds
/// to the first segment, to the settled answer and to the end, round by round.
type SongTimes = (usize, usize, f64, Vec<[f64; 3]>);

/// Measures a song of four minutes in the built site, on the CPU, and prints the times.
pub fn song(shell: &Shell) -> Result<()> {
    setup::ensure(shell, [Tool::Browser])?;
    let output = browser::measure(shell, "speed", SONG_ROUNDS)?.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the page failed ({})", output.status);
    }
    let results: Vec<SongTimes> = serde_json::from_slice(&output.stdout).context("it printed no times")?;
    println!(
        "\n4 minutes of sound, the full set on the CPU, seconds from the drop; medians of {SONG_ROUNDS}"
    );
    println!("rounds with least and greatest:\n");
    println!(
        "| {:>5} | {:>7} | {:>6} | {:>18} | {:>18} | {:>18} |",
        "cores", "workers", "MB", "first segment", "settled", "end"
    );
    println!("|{:->6}:|{:->8}:|{:->7}:|{:->19}:|{:->19}:|{:->19}:|", "", "", "", "", "", "");
    for (cores, workers, megabytes, rounds) in &results {
        let [first, settled, end] = [0, 1, 2].map(|place| {
            let times = sorted(rounds.iter().filter_map(|round| round.get(place)).map(|ms| ms / 1e3));
            match (times.first(), times.get(times.len() / 2), times.last()) {
                (Some(least), Some(median), Some(most)) => format!("{median:.2} ({least:.2} to {most:.2})"),
                _ => String::new(),
            }
        });
        println!(
            "| {cores:>5} | {workers:>7} | {megabytes:>6.0} | {first:>18} | {settled:>18} | {end:>18} |"
        );
    }
    Ok(())
}

/// How often the search among songs is measured.
const SEARCH_ROUNDS: usize = 21;

/// Milliseconds of searches, of maps, of the features of a lesson's songs, and of the lesson.
#[derive(serde::Deserialize)]
struct CollectionTimes {
    searches: Vec<f64>,
    maps: Vec<f64>,
    features: f64,
    teach: f64,
}

/// Measures the built worker for collections, and prints the times.
pub fn collection(shell: &Shell) -> Result<()> {
    setup::ensure(shell, [Tool::Browser])?;
    let output = browser::measure(shell, "collection", SEARCH_ROUNDS)?.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the page failed ({})", output.status);
    }
    let times: CollectionTimes = serde_json::from_slice(&output.stdout).context("it printed no times")?;
    for (what, times) in [
        ("search among 10,000 songs, question and answer included", times.searches),
        ("map of 500 songs", times.maps),
    ] {
        let times = sorted(times.into_iter());
        if let (Some(least), Some(most)) = (times.first(), times.last()) {
            println!("{what}: {:.1} ms ({least:.1} to {most:.1})", times[times.len() / 2]);
        }
    }
    let [features, teach] = [times.features, times.teach].map(|ms| ms / 1e3);
    println!("features of 50 songs of 30 s: {features:.1} s; lesson of five classes with them: {teach:.1} s");
    Ok(())
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
