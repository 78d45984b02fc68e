//! Half precision for files of weights.

use burn::module::{ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor};

/// Casts matrices and kernels to half precision. Vectors keep single precision: they are small, and the
/// variances of batch normalisation would underflow.
pub struct HalfPrecision;

impl ModuleMapper for HalfPrecision {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D > 1 { param.map(|tensor| tensor.cast(FloatDType::F16)) } else { param }
    }
}
