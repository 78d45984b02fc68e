//! A step of AdamW in one pass over memory. burn composes it of fifteen operations, each with a pass over all values and
//! most with a new tensor, which is a quarter of a step of a network with twenty million parameters.

use burn::tensor::{Tensor, TensorData};
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::MEMORY_TASK;

/// The constants of AdamW and of one of its steps.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// Decay rates of the two moments, β₁ and β₂.
    pub betas: [f32; 2],
    /// ε.
    pub epsilon: f32,
    /// Learning rate.
    pub rate: f32,
    /// Fraction of a weight that its decay leaves: 1 − learning rate · weight decay.
    pub kept: f32,
    /// Number of the step, from 1.
    pub time: i32,
}

impl AdamW {
    /// One step of AdamW (Loshchilov and Hutter 2019, "Decoupled weight decay regularization"): the new weights and
    /// moments, in the memory of the old ones if nothing else uses it. The arithmetic is burn's, value by value.
    ///
    /// # Shapes
    /// All tensors have the same, on the CPU and without autodiff.
    ///
    /// # Panics
    /// Tensors have different shapes, or other values than 32-bit floats.
    pub fn step<const D: usize>(
        &self,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        moments: [Tensor<D>; 2],
    ) -> (Tensor<D>, [Tensor<D>; 2]) {
        let shapes = [&gradient, &moments[0], &moments[1]].map(Tensor::dims);
        assert!(shapes.iter().all(|&shape| shape == weights.dims()), "a step over tensors of one shape");
        let device = weights.device();
        let (mut weights, gradient) = (weights.into_data(), gradient.into_data());
        let [mut first, mut second] = moments.map(Tensor::into_data);
        let corrections = self.betas.map(|beta| 1.0 - beta.powi(self.time));
        let moments = values_mut(&mut first)
            .par_chunks_mut(MEMORY_TASK)
            .zip(values_mut(&mut second).par_chunks_mut(MEMORY_TASK));
        let tasks = values_mut(&mut weights)
            .par_chunks_mut(MEMORY_TASK)
            .zip(values(&gradient).par_chunks(MEMORY_TASK))
            .zip(moments);
        tasks.for_each(|((weights, gradient), (first, second))| {
            vectorised!(self.update(corrections, weights, gradient, first, second));
        });
        let tensor = |data| Tensor::from_data(data, &device);
        (tensor(weights), [tensor(first), tensor(second)])
    }

    #[inline(always)]
    fn update(
        &self,
        corrections: [f32; 2],
        weights: &mut [f32],
        gradient: &[f32],
        first: &mut [f32],
        second: &mut [f32],
    ) {
        let [beta_1, beta_2] = self.betas;
        let values = weights.iter_mut().zip(gradient).zip(first.iter_mut().zip(second));
        for ((weight, &gradient), (first, second)) in values {
            *first = *first * beta_1 + gradient * (1.0 - beta_1);
            *second = *second * beta_2 + gradient * gradient * (1.0 - beta_2);
            let change = *first / corrections[0] / ((*second / corrections[1]).sqrt() + self.epsilon);
            *weight = *weight * self.kept - change * self.rate;
        }
    }
}

#[allow(clippy::expect_used)] // the documented panic
fn values(data: &TensorData) -> &[f32] {
    data.as_slice().expect("values of f32")
}

#[allow(clippy::expect_used)] // the documented panic
fn values_mut(data: &mut TensorData) -> &mut [f32] {
    data.as_mut_slice().expect("values of f32")
}
