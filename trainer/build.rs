//! Finds the networks to build in, and rebuilds the program if they or the recipes change. In release builds the
//! program records the commit that it was built from.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with the networks. A published crate contains it. In the repository it is a link to the folder
/// above, which git replaces by a text file on systems without links.
fn models() -> PathBuf {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let inside = package.join("models");
    if inside.is_dir() { inside } else { package.parent().unwrap_or(Path::new("..")).join("models") }
}

fn main() {
    let models = models();
    println!("cargo::rustc-env=CRATEDIGGER_MODELS={}", models.display());
    println!("cargo::rerun-if-changed={}", models.display());
    println!("cargo::rerun-if-changed=recipes");
    // Only in release builds, because it rebuilds the program after every commit.
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    // Changes with every commit; missing in an archive without history.
    println!("cargo::rerun-if-changed=../.git/logs/HEAD");
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = commit.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let commit = commit.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    println!("cargo::rustc-env=CRATEDIGGER_COMMIT={}", commit.trim());
}
