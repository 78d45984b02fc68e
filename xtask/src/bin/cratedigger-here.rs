//! Serves the folder `site` next to this program on this machine, and opens it in the browser: for use from a
//! USB stick or without a network.

#![expect(clippy::print_stdout, reason = "a command-line program")]

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use xtask::site::Site;

/// Ports to try, in this order; 0 takes any free port. Fixed ports come first, because browsers store the
/// history and the offline copy by origin, which includes the port.
const PORTS: [u16; 4] = [8080, 8081, 8082, 0];

fn main() -> Result<()> {
    let program = std::env::current_exe()?;
    let folder: PathBuf =
        program.parent().context("the path of this program has no parent folder")?.join("site");
    ensure!(
        folder.join("index.html").is_file(),
        "there is no site in {}; this program needs the folder `site` next to it",
        folder.display()
    );
    let site = PORTS
        .iter()
        .find_map(|port| Site::bind(&folder, *port).ok())
        .context("no port is free on this machine; close other local servers")?;
    let url = site.url();
    println!("Cratedigger is at {url} (Ctrl-C ends it)");
    if xtask::open(&url).is_err() {
        println!("Open this URL in a browser.");
    }
    site.run();
    Ok(())
}
