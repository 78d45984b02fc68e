//! The static file server, shared by `cargo xtask` and the bundle's program.

#![forbid(unsafe_code)]

pub mod site;

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Opens a URL in the default browser.
///
/// # Errors
/// The system's program for this is missing or fails.
pub fn open(url: &str) -> Result<()> {
    let (program, arguments): (_, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/C", "start"])
    } else {
        ("xdg-open", &[])
    };
    let status = Command::new(program).args(arguments).arg(url).status();
    let status = status.with_context(|| format!("{program} cannot be started"))?;
    ensure!(status.success(), "{program} failed ({status})");
    Ok(())
}
