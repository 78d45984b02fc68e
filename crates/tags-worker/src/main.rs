//! The web worker that reads and writes the tags of audio files.
//!
//! It connects the messages of `cratedigger_protocol::tags` to `cratedigger-tags`. It has no access to files on disk:
//! the page gives it a `File` to read, and writes what comes back.

#![forbid(unsafe_code)]

#[cfg(any(target_arch = "wasm32", test))]
mod job;
#[cfg(target_arch = "wasm32")]
mod listen;
#[cfg(any(target_arch = "wasm32", test))]
mod pack;

fn main() {
    #[cfg(target_arch = "wasm32")]
    listen::start();
}
