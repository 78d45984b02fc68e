//! The shipped networks are compiled into the program: build again when they change.

#[expect(clippy::print_stdout, reason = "how a build script speaks to cargo")]
fn main() {
    println!("cargo::rerun-if-changed=../models");
}
