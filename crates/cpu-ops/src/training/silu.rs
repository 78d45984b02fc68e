//! SiLU for training: one pass, and one more for the gradient. burn composes it of a sigmoid and a product, whose maps
//! are kept.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata as _, backend_extension};
use burn::tensor::Tensor;
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::exponential::exponential;
use super::{TASK, dims, is_here, tensor, values, writable, zeros};

/// SiLU, `x / (1 + e⁻ˣ)`, on the CPU, with its gradient; `None` on another device.
///
/// # Shapes
/// `[batch, channels, rows, columns]` → the same
pub fn silu(x: &Tensor<4>) -> Option<Tensor<4>> {
    is_here(x).then(|| Tensor::from_dispatch(<Dispatch as Silu>::silu(x.clone().into_dispatch())))
}

/// A back end with SiLU in one pass.
#[backend_extension(Flex, Autodiff)]
pub trait Silu: Backend {
    /// SiLU of each value.
    ///
    /// # Shapes
    /// `[batch, channels, rows, columns]` → the same
    fn silu(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// A back end with the gradient of [`Silu::silu`].
pub trait SiluGradient: Silu {
    /// Gradient with respect to the input.
    fn gradient(gradient: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// `1 / (1 + e⁻ˣ)`, at least 5e-39.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exponential(-x))
}

impl Silu for Flex {
    fn silu(x: FlexTensor) -> FlexTensor {
        let x = x.to_contiguous();
        let mut y = zeros(x.shape().num_elements());
        y.par_chunks_mut(TASK).zip(values(&x).par_chunks(TASK)).for_each(|(y, x)| {
            vectorised!(y.iter_mut().zip(x).for_each(|(y, &x)| *y = x * sigmoid(x)));
        });
        tensor(y, dims(&x))
    }
}

impl SiluGradient for Flex {
    fn gradient(gradient: FlexTensor, x: FlexTensor) -> FlexTensor {
        let x = x.to_contiguous();
        let mut gradient = writable(gradient);
        let tasks = gradient.storage_mut::<f32>().par_chunks_mut(TASK).zip(values(&x).par_chunks(TASK));
        tasks.for_each(|(gradient, x)| {
            vectorised!(for (gradient, &x) in gradient.iter_mut().zip(x) {
                let sigmoid = sigmoid(x);
                *gradient *= sigmoid * (1.0 + x * (1.0 - sigmoid));
            });
        });
        gradient
    }
}

impl<B: SiluGradient, C: CheckpointStrategy> Silu for Autodiff<B, C> {
    fn silu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Activate;

        impl<B: SiluGradient> Backward<B, 1> for Activate {
            type State = NodeId;

            fn backward(
                self,
                ops: Ops<Self::State, 1>,
                gradients: &mut Gradients,
                checkpointer: &mut Checkpointer,
            ) {
                let gradient = gradients.consume::<B>(&ops.node);
                let x = checkpointer.retrieve_node_output(ops.state);
                let [of_x] = ops.parents;
                if let Some(node) = of_x {
                    gradients.register::<B>(node.id, B::gradient(gradient, x));
                }
            }
        }

        let y = B::silu(x.primitive().clone());
        match Activate.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let x = prep.checkpoint(&x);
                prep.finish(x, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
