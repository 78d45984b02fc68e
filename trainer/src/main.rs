//! `cratedigger`: trains, evaluates, exports and runs genre networks.

use std::process::ExitCode;

use clap::Parser as _;
use cratedigger_trainer::{cli, memory};

/// A training step allocates and frees all its maps, and the system's allocator would return them to the system, which
/// then clears every page again. See also `memory.rs`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[allow(unsafe_code, reason = "an option of the allocator")]
fn main() -> ExitCode {
    // clap exits with 2 if the arguments are wrong.
    let arguments = cli::Arguments::parse();
    if arguments.trains() {
        // SAFETY: no other thread runs yet.
        unsafe { memory::keep() }
    }
    cli::run(arguments).unwrap_or_else(|error| cli::failed(&error))
}
