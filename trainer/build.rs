//! The shipped networks are compiled into the program: build again when they change. And a run
//! records the commit that its program was built from.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../models");
    // Only where it is worth building again after every commit.
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    // Grows with every commit; not there in an archive without history.
    println!("cargo::rerun-if-changed=../.git/logs/HEAD");
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = commit.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let commit = commit.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    println!("cargo::rustc-env=CRATEDIGGER_COMMIT={}", commit.trim());
}
