//! Trains, measures and ships the networks that the page runs.
//!
//! The features and the networks are those of `cratedigger-dsp` and `cratedigger-zoo`; this crate
//! adds what only a trainer needs: data sets on disk, splits, the training loop, evaluation and
//! export.

#![forbid(unsafe_code)]

pub mod au;
pub mod audio;
pub mod classify;
pub mod config;
pub mod data;
pub mod evaluate;
pub mod export;
pub mod features;
pub mod metrics;
pub mod partition;
pub mod prepare;
pub mod report;
pub mod split;
pub mod train;

/// The device that this program computes on: all cores through burn's flex back end.
pub fn device() -> burn::tensor::Device {
    burn::tensor::Device::flex()
}
