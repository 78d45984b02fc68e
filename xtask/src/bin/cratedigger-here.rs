//! Serves the folder `site` beside this program to this computer, and opens it: for a USB stick, or
//! a room without a network.

#![expect(clippy::print_stdout, reason = "a command-line program")]

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use xtask::site::Site;

/// Tried in this order, before any free port: an address that stays the same keeps the history and
/// the offline copy, which browsers keep by address.
const PORTS: [u16; 4] = [8080, 8081, 8082, 0];

fn main() -> Result<()> {
    let program = std::env::current_exe()?;
    let folder: PathBuf = program.parent().context("this program lies in no folder")?.join("site");
    ensure!(
        folder.join("index.html").is_file(),
        "there is no site in {}; keep this program beside its folder `site`",
        folder.display()
    );
    let site = PORTS
        .iter()
        .find_map(|port| Site::start(&folder, *port).ok())
        .context("no port of this computer is free; close other programs that serve pages")?;
    let url = site.url();
    println!("Cratedigger is at {url} (Ctrl-C ends it)");
    if xtask::open(&url).is_err() {
        println!("Open this address in a browser.");
    }
    site.run();
    Ok(())
}
