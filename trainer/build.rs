//! Cargo rebuilds the program if the built-in networks or recipes change. In release builds the program
//! records the commit that it was built from.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../models");
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
