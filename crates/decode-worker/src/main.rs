//! The web worker that decodes what the browser refuses, and what is too long for the browser.
//!
//! It connects the messages of `cratedigger_protocol::decode` to `cratedigger-decode`. It reads the
//! `File` in pieces and sends blocks of mono samples, each when the page asks for it, so neither the
//! file nor its sound is ever in memory as a whole. One worker decodes one file; the page terminates
//! it to cancel.

#![forbid(unsafe_code)]

#[cfg(target_arch = "wasm32")]
mod file;
#[cfg(target_arch = "wasm32")]
mod job;
#[cfg(target_arch = "wasm32")]
mod listen;

fn main() {
    #[cfg(target_arch = "wasm32")]
    listen::start();
}
