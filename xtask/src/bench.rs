//! `cargo xtask bench`: compares the features with librosa, training with PyTorch, and the recurrent layers with
//! burn's, each in one run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::setup::{self, Tool};
use crate::shell::{Shell, run};

/// The version that the golden vectors come from.
const LIBROSA: &str = "0.11.0";
const TORCH: &str = "2.15.0";
/// Number of turns of each program. The programs alternate, so that other load on the machine affects all of
/// them.
const TURNS: usize = 3;
/// Number of runs of each task per turn. The fastest run counts, because other load can only add time.
const ROUNDS: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    Native,
    Wasm,
    Librosa,
}

/// Milliseconds of all runs of each task.
type Times = BTreeMap<String, Vec<f64>>;

/// Compares the features, natively and in WebAssembly, with librosa.
pub fn features(shell: &Shell) -> Result<()> {
    setup::ensure(shell, [Tool::Target, Tool::WasmBindgen])?;
    let python = environment(shell, "librosa", "librosa", LIBROSA)?;
    println!("Building…");
    const BENCH: [&str; 5] = ["build", "--package", "cratedigger-dsp", "--example", "features"];
    run(shell.line("cargo", BENCH).arg("--release"))?;
    run(shell.line("cargo", BENCH).args(["--profile", "wasm", "--target", "wasm32-unknown-unknown"]))?;
    let folder = shell.tools().join("bench");
    std::fs::create_dir_all(&folder)?;
    let module = shell.target("wasm32-unknown-unknown/wasm/examples/features.wasm");
    run(shell.line("wasm-bindgen", ["--target", "nodejs", "--out-dir"]).args([&folder, &module]))?;

    let signal = folder.join("signal.f32");
    let native = shell.target("release/examples/features").with_extension(std::env::consts::EXE_EXTENSION);
    let mut best: BTreeMap<(String, Peer), f64> = BTreeMap::new();
    for turn in 1..=TURNS {
        for peer in [Peer::Native, Peer::Wasm, Peer::Librosa] {
            let mut command = match peer {
                Peer::Native => Command::new(&native),
                Peer::Wasm => shell.line("node", ["crates/dsp/examples/features.mjs"]),
                Peer::Librosa => {
                    let mut command = shell.command(&python.to_string_lossy());
                    command.arg("crates/dsp/examples/features.py");
                    for threads in
                        ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"]
                    {
                        command.env(threads, "1");
                    }
                    command
                }
            };
            command.arg(if peer == Peer::Wasm { &folder } else { &signal }).arg(ROUNDS.to_string());
            println!("turn {turn} of {TURNS}: {}", peer.name());
            for (task, times) in measure(&mut command)? {
                let least = times.into_iter().fold(f64::INFINITY, f64::min);
                let best = best.entry((task, peer)).or_insert(f64::INFINITY);
                *best = best.min(least);
            }
        }
    }

    println!("\n30 s of sound, one core, milliseconds (the fastest of {TURNS} turns):\n");
    println!(
        "| {:<28} | {:>8} | {:>8} | {:>8} | {:>16} | {:>13} |",
        "", "librosa", "native", "wasm", "librosa / native", "wasm / native"
    );
    println!("|{:-<30}|{:->9}:|{:->9}:|{:->9}:|{:->17}:|{:->14}:|", "", "", "", "", "", "");
    let mut tasks: Vec<&String> = best.keys().map(|(task, _)| task).collect();
    tasks.dedup();
    // The table of features and log-mel first, then by name.
    tasks.sort_by_key(|task| (*task != "57 features", *task != "log-mel", (*task).clone()));
    for task in tasks {
        let of = |peer| best.get(&(task.clone(), peer)).copied().unwrap_or(f64::NAN);
        let (librosa, native, wasm) = (of(Peer::Librosa), of(Peer::Native), of(Peer::Wasm));
        println!(
            "| {task:<28} | {librosa:>8.1} | {native:>8.1} | {wasm:>8.1} | {:>16.1} | {:>13.2} |",
            librosa / native,
            wasm / native
        );
    }
    Ok(())
}

/// Compares the recurrent layers with burn's.
pub fn recurrent(shell: &Shell) -> Result<()> {
    println!("Building…");
    const BENCH: [&str; 5] = ["bench", "--package", "cratedigger-zoo", "--bench", "recurrent"];
    run(shell.line("cargo", BENCH).arg("--no-run"))?;
    let output = shell
        .line("cargo", BENCH)
        .args(["--quiet", "--", &(TURNS * ROUNDS).to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("the bench failed ({})", output.status);
    }
    let times: BTreeMap<String, [Vec<f64>; 2]> =
        serde_json::from_slice(&output.stdout).context("the bench printed no times")?;
    println!("\nOne core, milliseconds (the fastest of {} rounds):\n", TURNS * ROUNDS);
    println!("| {:<60} | {:>8} | {:>8} | {:>11} |", "", "burn", "ours", "burn / ours");
    println!("|{:-<62}|{:->9}:|{:->9}:|{:->12}:|", "", "", "", "");
    for (task, times) in times {
        let [ours, burns] = times.map(|times| times.into_iter().fold(f64::INFINITY, f64::min));
        println!("| {task:<60} | {burns:>8.2} | {ours:>8.2} | {:>11.2} |", burns / ours);
    }
    Ok(())
}

/// Compares the parts of a training step with PyTorch.
pub fn train(shell: &Shell) -> Result<()> {
    let python = environment(shell, "torch", "torch", TORCH)?;
    println!("Building…");
    const BENCH: [&str; 5] = ["bench", "--package", "cratedigger-trainer", "--bench", "train"];
    run(shell.line("cargo", BENCH).arg("--no-run"))?;
    let mut best: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    for turn in 1..=TURNS {
        for (place, name) in ["burn", "PyTorch"].into_iter().enumerate() {
            println!("turn {turn} of {TURNS}: {name}");
            let rounds = (2 * ROUNDS).to_string();
            let mut command = if place == 0 {
                let mut command = shell.line("cargo", BENCH);
                command.args(["--quiet", "--", &rounds]);
                command
            } else {
                let mut command = shell.command(&python.to_string_lossy());
                command.args(["trainer/benches/train.py", &rounds]);
                command
            };
            for (task, times) in measure(&mut command)? {
                let least = times.into_iter().fold(f64::INFINITY, f64::min);
                let best = best.entry(task).or_insert([f64::INFINITY; 2]);
                best[place] = best[place].min(least);
            }
        }
    }
    println!("\n32 windows, all cores, milliseconds (the fastest of {TURNS} turns):\n");
    println!("| {:<36} | {:>8} | {:>8} | {:>14} |", "", "PyTorch", "burn", "PyTorch / burn");
    println!("|{:-<38}|{:->9}:|{:->9}:|{:->15}:|", "", "", "", "");
    for (task, [burn, torch]) in &best {
        println!("| {task:<36} | {torch:>8.1} | {burn:>8.1} | {:>14.2} |", torch / burn);
    }
    Ok(())
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Wasm => "wasm",
            Self::Librosa => "librosa",
        }
    }
}

/// Runs a program that prints its times as JSON.
fn measure(command: &mut Command) -> Result<Times> {
    let output =
        command.stderr(Stdio::inherit()).output().context("the program to measure cannot be started")?;
    if !output.status.success() {
        bail!("{} failed ({})", command.get_program().to_string_lossy(), output.status);
    }
    serde_json::from_slice(&output.stdout).context("the program to measure printed no times")
}

/// Creates a Python environment with one package, and returns its interpreter.
fn environment(shell: &Shell, name: &str, package: &str, version: &str) -> Result<PathBuf> {
    let environment = shell.tools().join(name);
    let bin = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let python = bin.join("python").with_extension(std::env::consts::EXE_EXTENSION);
    let installed = || {
        let print = format!("import {package}; print({package}.__version__)");
        let printed = python.is_file().then(|| shell.output(&python.to_string_lossy(), &["-c", &print]));
        // PyTorch appends the kind of build after a plus sign.
        printed.flatten().is_some_and(|printed| printed.trim().split('+').next() == Some(version))
    };
    if !installed() {
        println!("setup: installing {package} {version} into {}", environment.display());
        run(shell.line("python3", ["-m", "venv"]).arg(&environment))
            .context("this comparison needs Python 3 with its module venv (apt-get install python3-venv)")?;
        let package = format!("{package}=={version}");
        run(&mut shell.line(&python.to_string_lossy(), ["-m", "pip", "install", "--quiet", &package]))?;
    }
    Ok(python)
}
