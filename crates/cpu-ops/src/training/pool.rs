//! Max-pooling over windows that do not overlap, for training.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::nn::PaddingConfig2d;
use burn::nn::pool::MaxPool2d;
use burn::tensor::Tensor;
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::{dims, is_here, tensor, values, zeros};

/// Max-pooling on the CPU, with its gradient; `None` on another device, with padding, dilation or
/// windows that overlap.
///
/// # Shapes
/// `[batch, channels, rows, columns]` → `[batch, channels, rows / window, columns / window]`
pub fn max_pool(layer: &MaxPool2d, x: &Tensor<4>) -> Option<Tensor<4>> {
    let unpadded = matches!(layer.padding, PaddingConfig2d::Valid | PaddingConfig2d::Explicit(0, 0, 0, 0));
    let apart = layer.kernel_size == layer.stride && layer.dilation == [1, 1] && !layer.ceil_mode;
    if !unpadded || !apart || !is_here(x) {
        return None;
    }
    let y = <Dispatch as Pooling>::pool(x.clone().into_dispatch(), layer.kernel_size);
    Some(Tensor::from_dispatch(y))
}

/// A back end that pools windows that do not overlap.
#[backend_extension(Flex, Autodiff)]
pub trait Pooling: Backend {
    /// The largest value of each window. Remaining rows and columns at the end are dropped.
    ///
    /// # Shapes
    /// `[batch, channels, rows, columns]` → `[batch, channels, rows / window, columns / window]`
    fn pool(x: FloatTensor<Self>, window: [usize; 2]) -> FloatTensor<Self>;
}

/// A back end with the gradient of [`Pooling::pool`].
pub trait PoolingGradient: Pooling {
    /// Gradient with respect to the input: the first of the largest values of a window gets all of it.
    fn gradient(gradient: FloatTensor<Self>, x: FloatTensor<Self>, window: [usize; 2]) -> FloatTensor<Self>;
}

/// Calls a function for the width of a window, which is a constant in it for the usual widths. Only then does the
/// compiler vectorise its loops.
macro_rules! with_width {
    ($width:expr, $function:ident($($argument:expr),*)) => {
        vectorised!(match $width {
            1 => $function($($argument),*, 1),
            2 => $function($($argument),*, 2),
            3 => $function($($argument),*, 3),
            4 => $function($($argument),*, 4),
            wide => $function($($argument),*, wide),
        })
    };
}

/// The larger of two values; NaN if one is NaN, which must not be lost.
#[inline(always)]
fn larger(value: f32, other: f32) -> f32 {
    if value > other || value.is_nan() { value } else { other }
}

/// One map, `lines` of which are a row of windows: raises each value of `y` to the largest of its window.
#[inline(always)]
fn raise(y: &mut [f32], x: &[f32], lines: usize, columns: usize, across: usize, wide: usize) {
    for (y, x) in y.chunks_exact_mut(across).zip(x.chunks_exact(lines * columns)) {
        for line in x.chunks_exact(columns) {
            for (largest, window) in y.iter_mut().zip(line.chunks_exact(wide)) {
                *largest = window.iter().fold(*largest, |largest, &value| larger(value, largest));
            }
        }
    }
}

/// One map: writes the gradient of each window to the first of its largest values. `scratch` has two values for each
/// place of a row.
#[inline(always)]
fn spread(
    of_x: &mut [f32],
    (x, gradient): (&[f32], &[f32]),
    scratch: &mut [f32],
    lines: usize,
    columns: usize,
    across: usize,
    wide: usize,
) {
    let (y, left) = scratch.split_at_mut(across);
    let rows = of_x.chunks_exact_mut(lines * columns).zip(x.chunks_exact(lines * columns));
    for ((of_x, x), gradient) in rows.zip(gradient.chunks_exact(across)) {
        y.fill(f32::NEG_INFINITY);
        raise(y, x, lines, columns, across, wide);
        // What the windows have not given away yet.
        left.copy_from_slice(gradient);
        for (of_line, line) in of_x.chunks_exact_mut(columns).zip(x.chunks_exact(columns)) {
            let windows = of_line.chunks_exact_mut(wide).zip(line.chunks_exact(wide));
            for ((of_window, window), (largest, left)) in windows.zip(y.iter().zip(left.iter_mut())) {
                for (of_value, &value) in of_window.iter_mut().zip(window) {
                    let gives = value == *largest || value.is_nan();
                    *of_value = if gives { *left } else { 0.0 };
                    *left = if gives { 0.0 } else { *left };
                }
            }
        }
    }
}

impl Pooling for Flex {
    fn pool(x: FlexTensor, [high, wide]: [usize; 2]) -> FlexTensor {
        let x = x.to_contiguous();
        let [batch, channels, rows, columns] = dims(&x);
        let (down, across) = (rows / high, columns / wide);
        let mut y = vec![f32::NEG_INFINITY; batch * channels * down * across];
        let maps = values(&x).par_chunks(rows * columns);
        y.par_chunks_mut(down * across).zip(maps).for_each(|(y, x)| {
            with_width!(wide, raise(y, x, high, columns, across));
        });
        tensor(y, [batch, channels, down, across])
    }
}

impl PoolingGradient for Flex {
    fn gradient(gradient: FlexTensor, x: FlexTensor, [high, wide]: [usize; 2]) -> FlexTensor {
        let (x, gradient) = (x.to_contiguous(), gradient.to_contiguous());
        let [batch, channels, rows, columns] = dims(&x);
        let (down, across) = (rows / high, columns / wide);
        let mut of_x = zeros(batch * channels * rows * columns);
        let maps = values(&x).par_chunks(rows * columns).zip(values(&gradient).par_chunks(down * across));
        of_x.par_chunks_mut(rows * columns).zip(maps).for_each_init(
            || vec![0.0; 2 * across],
            |scratch, (of_x, maps)| {
                with_width!(wide, spread(of_x, maps, scratch, high, columns, across));
            },
        );
        tensor(of_x, [batch, channels, rows, columns])
    }
}

impl<B: PoolingGradient, C: CheckpointStrategy> Pooling for Autodiff<B, C> {
    fn pool(x: FloatTensor<Self>, window: [usize; 2]) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Pool;

        impl<B: PoolingGradient> Backward<B, 1> for Pool {
            type State = (NodeId, [usize; 2]);

            fn backward(
                self,
                ops: Ops<Self::State, 1>,
                gradients: &mut Gradients,
                checkpointer: &mut Checkpointer,
            ) {
                let gradient = gradients.consume::<B>(&ops.node);
                let (x, window) = ops.state;
                let x = checkpointer.retrieve_node_output(x);
                let [of_x] = ops.parents;
                if let Some(node) = of_x {
                    gradients.register::<B>(node.id, B::gradient(gradient, x, window));
                }
            }
        }

        let pooled = B::pool(x.primitive().clone(), window);
        match Pool.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let x = prep.checkpoint(&x);
                prep.finish((x, window), pooled)
            }
            OpsKind::UnTracked(prep) => prep.finish(pooled),
        }
    }
}
