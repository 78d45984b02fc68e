//! Trains, evaluates and exports the networks that the page runs.
//!
//! Features and networks are those of `cratedigger-dsp` and `cratedigger-zoo`. This crate adds data
//! sets on disk, splits, the training loop, evaluation and export.
//!
//! The modules are layers. Each imports only from those listed after it, which `tests/layers.rs`
//! checks: [`cli`], [`report`], [`eval`], [`train`], [`store`], [`config`], [`data`], [`progress`],
//! [`metrics`], [`mod@format`], [`device`], [`files`],
//! [`memory`].

#![deny(unsafe_code)]

pub mod cli;
pub mod config;
pub mod data;
pub mod device;
pub mod eval;
pub mod files;
pub mod format;
pub mod memory;
pub mod metrics;
pub mod progress;
pub mod report;
pub mod store;
pub mod train;
