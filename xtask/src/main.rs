//! `cargo xtask`: set up, build, serve, test, benchmark and release the project.
//!
//! This is a Rust program instead of shell scripts, so that it runs on every system that builds the project.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod bench;
mod bench_web;
mod browser;
mod build;
mod package;
mod release;
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

/// Set up, build, serve, test, benchmark and release Cratedigger
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install missing tools: the wasm target, trunk, wasm-bindgen, wasm-opt, and what the tests need
    Setup {
        /// Do not install Chromium, Firefox, WebKitGTK, encoders and cargo-deny, which only the tests need
        #[arg(long)]
        no_browser: bool,
    },
    /// Build the site and serve it on this machine
    ///
    /// Serves as soon as the page and the CPU worker are built. The WebGPU worker follows; an open page
    /// starts to use it without a reload.
    Serve {
        /// Port to listen on, at 127.0.0.1
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Open the page in the browser
        #[arg(long)]
        open: bool,
        /// Folder with the networks to ship, written by `cratedigger export` [default: models]
        #[arg(long, value_name = "FOLDER")]
        models: Option<PathBuf>,
    },
    /// Build the site for a web host in dist/ and print its sizes
    Build {
        /// Skip wasm-opt, which takes minutes
        #[arg(long)]
        fast: bool,
        /// Folder with the networks to ship, written by `cratedigger export` [default: models]
        #[arg(long, value_name = "FOLDER")]
        models: Option<PathBuf>,
    },
    /// Build a folder with the site and a program that serves it, for example for a USB stick
    Bundle {
        /// Folder with the networks to ship, written by `cratedigger export` [default: models]
        #[arg(long, value_name = "FOLDER")]
        models: Option<PathBuf>,
    },
    /// Build the npm package in target/npm/ and pack it, with its sizes
    Package {
        /// Take the workers and the networks of the site in dist/ as it is, instead of building it
        #[arg(long, conflicts_with = "models")]
        built: bool,
        /// Skip wasm-opt, which takes minutes
        #[arg(long)]
        fast: bool,
        /// Folder with the networks to ship, written by `cratedigger export` [default: models]
        #[arg(long, value_name = "FOLDER")]
        models: Option<PathBuf>,
    },
    /// Check versions and changelog, and gather all files of a release in target/release-files/
    Release {
        /// Publish nothing. There is no other mode: a person uploads the files and publishes the crates
        #[arg(long, required = true)]
        dry_run: bool,
        /// Take the site, the npm package and the program as they were built last, and do not compile the crates
        /// from their packages
        #[arg(long)]
        built: bool,
    },
    /// Take screenshots of every view of the built site, in target/screenshots/
    Screenshots,
    /// Measure speed and compare it with another library in the same run
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Run all checks and tests; the last line is "N passed, N failed, N skipped"
    Test {
        /// Run only the checks and tests that need neither a browser nor WebAssembly
        #[arg(long)]
        quick: bool,
        /// Also run the tests that are skipped otherwise because they take many minutes
        #[arg(long, conflicts_with = "quick")]
        all: bool,
    },
}

#[derive(Clone, Copy, Subcommand)]
enum Bench {
    /// The features, natively and in WebAssembly, compared with librosa (needs Python 3)
    Features,
    /// The recurrent layers, compared with burn's
    Recurrent,
    /// Training steps, compared with PyTorch (needs Python 3, and installs several gigabytes)
    Train,
    /// The networks in WebAssembly, compared with ONNX Runtime Web (needs Node.js, and installs 160 MB)
    Web,
    /// The built worker for collections: search among 10,000 songs, map, lesson (needs Node.js)
    Collection,
    /// A song in the built site: time to the first segment, to the settled answer and to the end (needs Node.js)
    Song,
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

/// Serves the site that [`build::begin`] built, and builds the WebGPU worker meanwhile.
fn serve(shell: &Shell, site: Site, open: bool) -> Result<()> {
    let url = site.url();
    let server = std::thread::spawn(move || site.run());
    println!("\nCratedigger is at {url} (Ctrl-C ends it). It computes on the CPU until WebGPU is built.");
    if open {
        xtask::open(&url)?;
    }
    match build::finish(shell) {
        Ok(()) => println!("\nCratedigger is complete at {url} (Ctrl-C ends it)"),
        Err(error) => eprintln!("xtask: the page continues without WebGPU: {error:#}"),
    }
    // A panic of the server has printed its own message.
    let _ = server.join();
    Ok(())
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    let shell = Shell::new()?;
    match arguments.command {
        Command::Setup { no_browser } => {
            let tests: &[Tool] = if no_browser { &[] } else { &Tool::TEST };
            setup::ensure(
                &shell,
                Tool::BUILD.into_iter().chain([Tool::Lints, Tool::WasmOpt]).chain(tests.iter().copied()),
            )?;
            println!("All tools are installed.");
        }
        Command::Serve { port, open, models } => {
            setup::ensure(&shell, Tool::BUILD)?;
            // Binds before the build, which takes minutes, because the port may be in use.
            let site = Site::bind(&shell.dist(), port)?;
            build::begin(&shell, models.as_deref())?;
            serve(&shell, site, open)?;
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
        Command::Package { built, fast, models } => {
            let optimiser = (!fast).then_some(Tool::WasmOpt);
            setup::ensure(&shell, Tool::BUILD.into_iter().chain(optimiser))?;
            if !built {
                build::site(&shell, models.as_deref())?;
                if !fast {
                    build::optimise(&shell)?;
                }
            }
            package::package(&shell, !fast)?;
            package::print_sizes(&shell)?;
        }
        Command::Release { dry_run: _, built } => release::dry_run(&shell, built)?,
        Command::Screenshots => browser::screenshots(&shell)?,
        Command::Bench { what: Bench::Features } => bench::features(&shell)?,
        Command::Bench { what: Bench::Recurrent } => bench::recurrent(&shell)?,
        Command::Bench { what: Bench::Train } => bench::train(&shell)?,
        Command::Bench { what: Bench::Web } => bench_web::web(&shell)?,
        Command::Bench { what: Bench::Collection } => bench_web::collection(&shell)?,
        Command::Bench { what: Bench::Song } => bench_web::song(&shell)?,
        Command::Test { quick, all } => return test::run(&shell, quick, all),
    }
    Ok(ExitCode::SUCCESS)
}
