//! Standard output, and what to do when it fails.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _, stdout};
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::format::causes;
use crate::progress::note;

/// Exit code of a program that a closed pipe ended, as shells report it: 128 + SIGPIPE.
const CLOSED_PIPE: u8 = 141;

/// Writes a line to standard output.
///
/// # Errors
/// It cannot be written, because the disk is full or the reader of a pipe is gone.
pub(super) fn line(text: impl Display) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("standard output cannot be written")
}

/// Reports why a command failed, and gives its exit code. A reader that has seen enough (`| head`) is no
/// error to report.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed) {
        return CLOSED_PIPE.into();
    }
    note(format_args!("cratedigger: {}", causes(error)));
    ExitCode::FAILURE
}
