//! What the browser tests need: songs, a browser, and the native program to compare with.
//!
//! The tests themselves are in `e2e.rs`; `cargo xtask test` builds what they need and runs them.

#![forbid(unsafe_code)]

pub mod browser;
pub mod native;
pub mod page;
pub mod wav;
pub mod zoo;
