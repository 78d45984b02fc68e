//! `cratedigger`: trains, evaluates, exports and runs genre networks.

use std::process::ExitCode;

use clap::Parser as _;
use cratedigger_trainer::cli;

#[expect(clippy::print_stderr, reason = "the error of a command-line program")]
fn main() -> ExitCode {
    // clap exits with 2 if the arguments are wrong.
    match cli::run(cli::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cratedigger: {error:#}");
            ExitCode::FAILURE
        }
    }
}
