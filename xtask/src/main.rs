//! `cargo xtask`: set-up, build, serve, test and bench.
//!
//! A cargo command instead of scripts, so that it runs wherever the project builds.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod bench;
mod bench_web;
mod browser;
mod build;
mod setup;
mod shell;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::site::Site;

use crate::setup::Tool;
use crate::shell::Shell;

/// Set-up, build, serve, test and bench Cratedigger
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing: the wasm target, trunk, wasm-bindgen, wasm-opt, a browser for the tests
    Setup {
        /// Leave out what only the tests need: Chromium and its driver
        #[arg(long)]
        no_browser: bool,
    },
    /// Build the site, networks and all, and serve it on this machine
    Serve {
        /// Where to listen, on 127.0.0.1
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Open it in the browser
        #[arg(long)]
        open: bool,
        /// Networks to put into it, a folder that `cratedigger export` wrote [default: models]
        #[arg(long, value_name = "FOLDER")]
        models: Option<PathBuf>,
    },
    /// Build the site for a web host into dist/ and print its sizes
    Build {
        /// Leave out wasm-opt, which takes minutes
        #[arg(long)]
        fast: bool,
        /// Networks to put into it, a folder that `cratedigger export` wrote [default: models]
        #[arg(long, value_name = "FOLDER")]
        models: Option<PathBuf>,
    },
    /// Build the site as for a web host, and put it into one folder with a program that serves it
    Bundle {
        /// Networks to put into it, a folder that `cratedigger export` wrote [default: models]
        #[arg(long, value_name = "FOLDER")]
        models: Option<PathBuf>,
    },
    /// Take pictures of every view of the built site, into target/screenshots/
    Screenshots,
    /// Measure speed beside a peer, in one run
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Run every check and every test; ends with a line "N passed, N failed"
    Test {
        /// Only what runs without a browser and without WebAssembly
        #[arg(long)]
        quick: bool,
        /// Also every network but VGG19 on WebGPU, where a software GPU compiles for minutes for some
        #[arg(long, conflicts_with = "quick")]
        all: bool,
    },
}

#[derive(Clone, Copy, Subcommand)]
enum Bench {
    /// The features, natively and in WebAssembly, beside librosa (takes Python 3)
    Features,
    /// The recurrent cells, beside burn's own
    Recurrent,
    /// Steps of training, beside PyTorch (takes Python 3, and installs some gigabytes)
    Train,
    /// Our networks in WebAssembly, beside ONNX Runtime Web in Chromium (takes Node.js, and installs 160 MB)
    Web,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    let shell = Shell::new()?;
    match arguments.command {
        Command::Setup { no_browser } => {
            let browser = (!no_browser).then_some(Tool::Browser);
            setup::ensure(
                &shell,
                Tool::BUILD.into_iter().chain([Tool::Lints, Tool::WasmOpt]).chain(browser),
            )?;
            println!("Everything is there.");
        }
        Command::Serve { port, open, models } => {
            setup::ensure(&shell, Tool::BUILD)?;
            // Before the build, which takes minutes: the port may be taken.
            let site = Site::start(&shell.dist(), port)?;
            build::site(&shell, models.as_deref())?;
            let url = site.url();
            println!("\nCratedigger is at {url} (Ctrl-C ends it)");
            if open {
                xtask::open(&url)?;
            }
            site.run();
        }
        Command::Build { fast, models } => {
            let optimiser = (!fast).then_some(Tool::WasmOpt);
            setup::ensure(&shell, Tool::BUILD.into_iter().chain(optimiser))?;
            build::site(&shell, models.as_deref())?;
            if !fast {
                build::optimise(&shell)?;
            }
            build::print_sizes(&shell)?;
        }
        Command::Bundle { models } => {
            setup::ensure(&shell, Tool::BUILD.into_iter().chain([Tool::WasmOpt]))?;
            build::site(&shell, models.as_deref())?;
            build::optimise(&shell)?;
            build::bundle(&shell)?;
        }
        Command::Screenshots => browser::screenshots(&shell)?,
        Command::Bench { what: Bench::Features } => bench::features(&shell)?,
        Command::Bench { what: Bench::Recurrent } => bench::recurrent(&shell)?,
        Command::Bench { what: Bench::Train } => bench::train(&shell)?,
        Command::Bench { what: Bench::Web } => bench_web::web(&shell)?,
        Command::Test { quick, all } => return test::run(&shell, quick, all),
    }
    Ok(ExitCode::SUCCESS)
}
