//! What `cargo xtask` and the browser tests share: a small server for the built site.

#![forbid(unsafe_code)]

pub mod site;
