//! Trains, measures and ships the networks that the page runs.
//!
//! The features and the networks are those of `cratedigger-dsp` and `cratedigger-zoo`; this crate
//! adds what only a trainer needs: data sets on disk, splits, the training loop, evaluation and
//! export.

#![forbid(unsafe_code)]

pub mod au;
pub mod audio;
pub mod calibrate;
pub mod checkpoint;
pub mod classify;
pub mod combine;
pub mod compare;
pub mod config;
pub mod crossval;
pub mod data;
pub mod device;
pub mod display;
pub mod evaluate;
pub mod export;
pub mod features;
pub mod import;
pub mod import_ear;
pub mod inspect;
pub mod material;
pub mod metrics;
pub mod other;
pub mod partition;
pub mod prepare;
pub mod published;
pub mod report;
pub mod run;
pub mod split;
pub mod together;
pub mod train;
pub mod variation;

/// The device that this program computes on: all cores through burn's flex back end.
pub fn device() -> burn::tensor::Device {
    burn::tensor::Device::flex()
}
