//! Operations on the CPU that are faster than burn-flex's, for the layers that dominate the time of
//! inference and training:
//!
//! * [`Kernel`]: a convolution with bias, batch normalisation, ReLU and max-pooling for inference,
//!   over slices, natively and in WebAssembly.
//! * [`fused`] (feature `inference`): the same on burn's tensors.
//! * [`training`] (feature `training`): convolution, batch normalisation, max-pooling, attention, dropout and SiLU
//!   with their gradients, and a step of AdamW, on all cores.
//!
//! On other devices, and for settings that no network of this project has, the functions use burn's
//! operation, or return `None` so that the caller does.

#![deny(unsafe_code)]

mod conv;
#[cfg(feature = "inference")]
pub mod fused;
mod tile;
#[cfg(feature = "training")]
pub mod training;
mod vector;

pub use conv::{Epilogue, Error, Kernel, Window, conv_columns, conv_max_over_bands};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
