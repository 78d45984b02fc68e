//! What several test programs need.

use burn::tensor::{Device, Tensor, TensorData};

/// Values within −1…1, the same ones for a seed.
pub fn noise<const D: usize>(shape: [usize; D], seed: u32, device: &Device) -> Tensor<D> {
    let mut state = seed;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
