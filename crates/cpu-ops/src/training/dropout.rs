//! Dropout for training. burn draws each value from a cryptographic generator through a 64-bit float on one core.

use burn::nn::Dropout;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;

use super::{is_here, zeros};

/// Values of one task for a core. Each task has its own stream of the generator, so that the result does not depend on
/// the number of cores; another size would change the result.
const STREAM: usize = 1 << 14;
/// Values of the seed.
const SEED: usize = 8;

/// Dropout on an autodiff CPU device, with burn's generator as its seed; `None` elsewhere and where burn drops nothing.
///
/// # Shapes
/// Any → the same
pub fn drop_out<const D: usize>(layer: &Dropout, x: &Tensor<D>) -> Option<Tensor<D>> {
    if !is_here(x) {
        return None;
    }
    Some(x.clone() * factors(layer, x.dims(), &x.device())?)
}

/// What dropout multiplies values by: 0, or the reciprocal of the share that is kept. `None` where burn drops nothing.
pub(super) fn factors<const D: usize>(
    layer: &Dropout,
    shape: [usize; D],
    device: &Device,
) -> Option<Tensor<D>> {
    if !device.is_autodiff() || !layer.training.is_enabled() || layer.prob == 0.0 {
        return None;
    }
    let seed = Tensor::<1>::random([SEED], Distribution::Uniform(0.0, 1.0), device).into_data();
    let mut bytes = [0; 4 * SEED];
    bytes
        .as_chunks_mut()
        .0
        .iter_mut()
        .zip(seed.iter::<f32>())
        .for_each(|(bytes, value)| *bytes = value.to_le_bytes());
    let generator = ChaCha8Rng::from_seed(bytes);

    // A value is kept if its random number is below this one.
    let kept = ((1.0 - layer.prob) * f64::from(u32::MAX)) as u32;
    let scale = (1.0 / (1.0 - layer.prob)) as f32;
    let mut factors = zeros(shape.iter().product());
    factors.par_chunks_mut(STREAM).enumerate().for_each(|(task, factors)| {
        let mut generator = generator.clone();
        generator.set_stream(task as u64);
        for factor in factors {
            *factor = if generator.next_u32() < kept { scale } else { 0.0 };
        }
    });
    Some(Tensor::from_data(TensorData::new(factors, shape), device))
}
