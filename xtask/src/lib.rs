//! What `cargo xtask`, the bundle's program and the browser tests share: a small server for the
//! built site.

#![forbid(unsafe_code)]

pub mod site;

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Opens an address in the visitor's browser.
///
/// # Errors
/// This computer has no program for it, or that fails.
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
