//! `cratedigger`: trains, evaluates, exports and runs genre networks.

use std::process::ExitCode;

use clap::Parser as _;
use cratedigger_trainer::cli;

fn main() -> ExitCode {
    // clap exits with 2 if the arguments are wrong.
    cli::run(cli::Arguments::parse()).unwrap_or_else(|error| cli::failed(&error))
}
