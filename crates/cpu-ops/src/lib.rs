//! Operations of our own on the CPU.
//!
//! burn-flex has all of them. Where time goes, these take less of it:
//!
//! * [`Kernel`]: a convolution with bias, batch normalisation, ReLU and max-pooling for inference,
//!   over slices, natively and in WebAssembly.
//! * [`fused`] (feature `inference`): the same on burn's tensors.
//! * [`training`] (feature `training`): convolution, batch normalisation and max-pooling with their
//!   gradients, on all cores.
//!
//! `burn` is asked first which device a tensor is on. On another one, and for settings that no
//! network of ours has, the functions return `None` and the caller takes burn's operation.

#![forbid(unsafe_code)]

mod conv;
#[cfg(feature = "inference")]
pub mod fused;
mod tile;
#[cfg(feature = "training")]
pub mod training;
mod vector;

pub use conv::{Epilogue, Error, Kernel, Window, conv_columns, conv_max_over_bands};
