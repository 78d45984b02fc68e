//! The shipped networks are compiled into the program: build again when they change.

fn main() {
    println!("cargo::rerun-if-changed=../models");
}
