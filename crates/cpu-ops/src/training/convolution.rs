//! Convolutions as matrix products (im2col).
//!
//! The values under each position of the kernel become a column of a matrix. One product of this
//! matrix with the weights is the convolution, and two others are its gradients (Chellapilla, Puri
//! and Simard 2006, "High performance convolutional neural networks for document processing"). The
//! batch is split into groups of a few windows: the matrix of a group stays in the cache, and each
//! group is one task for a core.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata as _, backend_extension};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::{Shape, Tensor};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefMutIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::depthwise::Depthwise;
use super::product::{Matrix, multiply};
use super::{MEMORY_TASK, is_here, tensor, values, zeros};

/// Values that a core's caches hold: 2 MB.
const CACHED_VALUES: usize = 1 << 19;

/// Values in a map from which on one product for each window is faster than one for a group, which copies all maps.
const LEAST_AREA: usize = 16;

/// The same for weights that a core's caches do not hold: each product reads them from memory.
const LEAST_AREA_FOR_LARGE_WEIGHTS: usize = 256;

/// Parts of the gradient by the weights that are computed separately: parts of the batch, whose gradients are then summed
/// in order, or rows of large weights. The number is fixed, so the result does not depend on the number of cores.
const PARTS: usize = 8;

/// A convolution on the CPU, with its gradients; `None` on another device, with dilation, or with groups of more
/// than one channel.
///
/// # Shapes
/// `[batch, inputs, rows, columns]` → `[batch, outputs, rows, columns]`
pub fn convolve(layer: &Conv2d, x: &Tensor<4>) -> Option<Tensor<4>> {
    let PaddingConfig2d::Explicit(top, left, bottom, right) = layer.padding else { return None };
    let padding = [top, left, bottom, right];
    let [_, channels, ..] = x.dims();
    let weight = layer.weight.val();
    let [outputs, of_a_group, ..] = weight.dims();
    let depthwise = of_a_group == 1 && channels > 1 && layer.groups == channels && outputs == channels;
    if layer.dilation != [1, 1] || !(layer.groups == 1 || depthwise) || !is_here(x) {
        return None;
    }
    let (x, weight) = (x.clone().into_dispatch(), weight.into_dispatch());
    let y = if depthwise {
        <Dispatch as Depthwise>::depthwise(x, weight, layer.stride, padding)
    } else {
        <Dispatch as Convolution>::convolve(x, weight, layer.stride, padding)
    };
    let y = Tensor::<4>::from_dispatch(y);
    Some(match &layer.bias {
        Some(bias) => {
            let [channels] = bias.dims();
            y + bias.val().reshape([1, channels, 1, 1])
        }
        None => y,
    })
}

/// A back end that computes convolutions by im2col.
#[backend_extension(Flex, Autodiff)]
pub trait Convolution: Backend {
    /// A two-dimensional convolution without bias (a cross-correlation, as usual in deep learning). `padding` is
    /// above, left, below, right.
    ///
    /// # Shapes
    /// `[batch, inputs, rows, columns]` and `[outputs, inputs, height, width]` →
    /// `[batch, outputs, places down, places across]`
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: [usize; 2],
        padding: [usize; 4],
    ) -> FloatTensor<Self>;
}

/// A back end with the gradients of [`Convolution::convolve`].
pub trait ConvolutionGradients: Convolution {
    /// Gradient with respect to the input.
    fn by_input(gradient: FloatTensor<Self>, weight: FloatTensor<Self>, plan: Plan) -> FloatTensor<Self>;

    /// Gradient with respect to the weights.
    fn by_weight(gradient: FloatTensor<Self>, x: FloatTensor<Self>, plan: Plan) -> FloatTensor<Self>;
}

/// The sizes of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    batch: usize,
    inputs: usize,
    outputs: usize,
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Zeros above and left of the values.
    padding: [usize; 2],
    places: [usize; 2],
}

impl Plan {
    fn new(x: &Shape, weight: &Shape, stride: [usize; 2], [top, left, bottom, right]: [usize; 4]) -> Self {
        let [batch, inputs, rows, columns] = x.dims();
        let [outputs, _, height, width] = weight.dims();
        let (size, kernel) = ([rows, columns], [height, width]);
        let places = [
            (rows + top + bottom - height) / stride[0] + 1,
            (columns + left + right - width) / stride[1] + 1,
        ];
        Self { batch, inputs, outputs, size, kernel, stride, padding: [top, left], places }
    }

    /// Values in the input of one window of the batch.
    fn input_values(&self) -> usize {
        self.inputs * self.size[0] * self.size[1]
    }

    /// Values in one output map.
    fn area(&self) -> usize {
        self.places[0] * self.places[1]
    }

    /// Rows of the im2col matrix.
    fn depth(&self) -> usize {
        self.inputs * self.kernel[0] * self.kernel[1]
    }

    /// Whether the maps of one window are its im2col matrix.
    fn is_a_product(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.places == self.size
    }

    /// Whether a core's caches do not hold the weights.
    fn has_large_weights(&self) -> bool {
        self.outputs * self.depth() > CACHED_VALUES
    }

    /// Windows in a group.
    fn group(&self) -> usize {
        let least = if self.has_large_weights() { LEAST_AREA_FOR_LARGE_WEIGHTS } else { LEAST_AREA };
        if self.area() >= least {
            return 1;
        }
        (CACHED_VALUES / (self.depth() * self.area()).max(1)).clamp(1, self.batch.div_ceil(PARTS).max(1))
    }

    /// Windows in the output maps of a group.
    fn windows(&self, maps: &[f32]) -> usize {
        maps.len() / (self.outputs * self.area())
    }

    /// Calls `each(matrix row, offset in this row, offset in the input, count)` for every run of
    /// values under the kernel that lie inside the input of one window.
    ///
    /// Values of a run are one stride apart in the input and contiguous in the matrix. Between runs
    /// the matrix holds padding.
    #[inline(always)]
    fn runs(&self, mut each: impl FnMut(usize, usize, usize, usize)) {
        let ([rows, columns], [height, width]) = (self.size, self.kernel);
        let ([down, across], [stride_down, stride_across]) = (self.places, self.stride);
        for channel in 0..self.inputs {
            for i in 0..height {
                for j in 0..width {
                    let row = (channel * height + i) * width + j;
                    // Positions x with 0 ≤ x · stride + j − padding < columns.
                    let first = self.padding[1].saturating_sub(j).div_ceil(stride_across);
                    let end =
                        (columns + self.padding[1]).saturating_sub(j).div_ceil(stride_across).min(across);
                    if first >= end {
                        continue;
                    }
                    for y in 0..down {
                        let Some(line) = (y * stride_down + i).checked_sub(self.padding[0]) else { continue };
                        if line < rows {
                            let from = (channel * rows + line) * columns + first * stride_across + j
                                - self.padding[1];
                            each(row, y * across + first, from, end - first);
                        }
                    }
                }
            }
        }
    }

    /// The im2col matrix of a group of windows, `[depth, windows · area]`, in `scratch` if it is not the input itself.
    fn unfold<'a>(&self, x: &'a [f32], scratch: &'a mut Vec<f32>) -> &'a [f32] {
        let (area, stride) = (self.area(), self.stride[1]);
        let windows = x.len() / self.input_values();
        if windows == 1 && self.is_a_product() {
            return x;
        }
        let size = self.depth() * windows * area;
        // Padding stays 0: all groups of one size write the same places.
        if scratch.len() != size {
            scratch.clear();
            scratch.resize(size, 0.0);
        }
        for (window, x) in x.chunks_exact(self.input_values()).enumerate() {
            self.runs(|row, at, from, count| {
                let at = (row * windows + window) * area + at;
                let to = &mut scratch[at..at + count];
                if stride == 1 {
                    to.copy_from_slice(&x[from..from + count]);
                } else {
                    to.iter_mut().zip(x[from..].iter().step_by(stride)).for_each(|(to, from)| *to = *from);
                }
            });
        }
        scratch
    }

    /// The transposed operation (col2im): adds each value of an im2col matrix to its place in the input.
    #[inline(always)]
    fn fold(&self, matrix: &[f32], x: &mut [f32]) {
        let (area, stride) = (self.area(), self.stride[1]);
        let windows = x.len() / self.input_values();
        for (window, x) in x.chunks_exact_mut(self.input_values()).enumerate() {
            self.runs(|row, at, from, count| {
                let at = (row * windows + window) * area + at;
                let added = &matrix[at..at + count];
                if stride == 1 {
                    x[from..from + count].iter_mut().zip(added).for_each(|(x, added)| *x += added);
                } else {
                    x[from..].iter_mut().step_by(stride).zip(added).for_each(|(x, added)| *x += added);
                }
            });
        }
    }

    /// Output maps of a group, `[windows, outputs, area]`, as `[outputs, windows · area]`, in `scratch` if these are not
    /// the same.
    fn gather<'a>(&self, maps: &'a [f32], scratch: &'a mut Vec<f32>) -> &'a [f32] {
        let (area, windows) = (self.area(), self.windows(maps));
        if windows == 1 {
            return maps;
        }
        scratch.resize(maps.len(), 0.0);
        for (index, map) in maps.chunks_exact(area).enumerate() {
            let at = (index % self.outputs * windows + index / self.outputs) * area;
            scratch[at..at + area].copy_from_slice(map);
        }
        scratch
    }

    /// The inverse of [`Self::gather`].
    fn scatter(&self, matrix: &[f32], maps: &mut [f32]) {
        let (area, windows) = (self.area(), self.windows(maps));
        for (index, map) in maps.chunks_exact_mut(area).enumerate() {
            let at = (index % self.outputs * windows + index / self.outputs) * area;
            map.copy_from_slice(&matrix[at..at + area]);
        }
    }
}

/// Memory of a task for matrices and maps of a group, used for one group after the other.
#[derive(Default)]
struct Scratch {
    matrix: Vec<f32>,
    maps: Vec<f32>,
}

impl Convolution for Flex {
    fn convolve(x: FlexTensor, weight: FlexTensor, stride: [usize; 2], padding: [usize; 4]) -> FlexTensor {
        let plan = Plan::new(&x.shape(), &weight.shape(), stride, padding);
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let weight = Matrix::of_rows(values(&weight), plan.outputs);
        let maps = plan.outputs * plan.area();
        let mut y = zeros(plan.batch * maps);
        let groups = values(&x).par_chunks(plan.group() * plan.input_values());
        y.par_chunks_mut(plan.group() * maps).zip(groups).for_each_init(
            Scratch::default,
            |scratch, (y, x)| {
                let matrix = Matrix::of_rows(plan.unfold(x, &mut scratch.matrix), plan.depth());
                if plan.windows(y) == 1 {
                    multiply(weight, matrix, y, false);
                } else {
                    scratch.maps.resize(y.len(), 0.0);
                    multiply(weight, matrix, &mut scratch.maps, false);
                    plan.scatter(&scratch.maps, y);
                }
            },
        );
        tensor(y, [plan.batch, plan.outputs, plan.places[0], plan.places[1]])
    }
}

impl ConvolutionGradients for Flex {
    fn by_input(gradient: FlexTensor, weight: FlexTensor, plan: Plan) -> FlexTensor {
        let (gradient, weight) = (gradient.to_contiguous(), weight.to_contiguous());
        let weight = Matrix::of_rows(values(&weight), plan.outputs).transposed();
        let mut x = zeros(plan.batch * plan.input_values());
        let groups = values(&gradient).par_chunks(plan.group() * plan.outputs * plan.area());
        x.par_chunks_mut(plan.group() * plan.input_values()).zip(groups).for_each_init(
            Scratch::default,
            |scratch, (x, gradient)| {
                let maps = Matrix::of_rows(plan.gather(gradient, &mut scratch.maps), plan.outputs);
                if plan.windows(gradient) == 1 && plan.is_a_product() {
                    multiply(weight, maps, x, false);
                } else {
                    scratch.matrix.resize(plan.depth() * plan.windows(gradient) * plan.area(), 0.0);
                    multiply(weight, maps, &mut scratch.matrix, false);
                    vectorised!(plan.fold(&scratch.matrix, x));
                }
            },
        );
        tensor(x, [plan.batch, plan.inputs, plan.size[0], plan.size[1]])
    }

    fn by_weight(gradient: FlexTensor, x: FlexTensor, plan: Plan) -> FlexTensor {
        let (gradient, x) = (gradient.to_contiguous(), x.to_contiguous());
        let shape = [plan.outputs, plan.inputs, plan.kernel[0], plan.kernel[1]];
        // The im2col matrix of the batch is then no larger than the gradients of all parts.
        if plan.has_large_weights() && (1..=PARTS * plan.outputs).contains(&(plan.batch * plan.area())) {
            return tensor(by_rows_of_weights(values(&gradient), values(&x), &plan), shape);
        }
        let (maps, inputs) = (plan.outputs * plan.area(), plan.input_values());
        let part = plan.batch.div_ceil(PARTS).max(1).next_multiple_of(plan.group());
        let parts = values(&gradient).par_chunks(part * maps).zip(values(&x).par_chunks(part * inputs));
        let sums: Vec<Vec<f32>> = parts
            .map_init(Scratch::default, |scratch, (gradient, x)| {
                let mut sum = vec![0.0; plan.outputs * plan.depth()];
                let groups = gradient.chunks(plan.group() * maps).zip(x.chunks(plan.group() * inputs));
                for (gradient, x) in groups {
                    let gradient = Matrix::of_rows(plan.gather(gradient, &mut scratch.maps), plan.outputs);
                    let matrix = Matrix::of_rows(plan.unfold(x, &mut scratch.matrix), plan.depth());
                    multiply(gradient, matrix.transposed(), &mut sum, true);
                }
                sum
            })
            .collect();
        let mut sums = sums.into_iter();
        let mut weight = sums.next().unwrap_or_else(|| vec![0.0; plan.outputs * plan.depth()]);
        sums.for_each(|sum| {
            weight.par_iter_mut().zip(sum).with_min_len(MEMORY_TASK).for_each(|(total, sum)| *total += sum);
        });
        tensor(weight, shape)
    }
}

/// The gradient by the weights, each part of its rows from one product over the whole batch.
fn by_rows_of_weights(gradient: &[f32], x: &[f32], plan: &Plan) -> Vec<f32> {
    let mut scratch = Scratch::default();
    let maps = plan.gather(gradient, &mut scratch.maps);
    let matrix = Matrix::of_rows(plan.unfold(x, &mut scratch.matrix), plan.depth()).transposed();
    let mut weight = zeros(plan.outputs * plan.depth());
    let (rows, columns) = (plan.outputs.div_ceil(PARTS), plan.batch * plan.area());
    weight.par_chunks_mut(rows * plan.depth()).zip(maps.par_chunks(rows * columns)).for_each(
        |(weight, maps)| multiply(Matrix::of_rows(maps, maps.len() / columns), matrix, weight, false),
    );
    weight
}

impl<B: ConvolutionGradients, C: CheckpointStrategy> Convolution for Autodiff<B, C> {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: [usize; 2],
        padding: [usize; 4],
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Convolve;

        impl<B: ConvolutionGradients> Backward<B, 2> for Convolve {
            type State = (NodeId, NodeId, Plan);

            fn backward(
                self,
                ops: Ops<Self::State, 2>,
                gradients: &mut Gradients,
                checkpointer: &mut Checkpointer,
            ) {
                let [of_x, of_weight] = ops.parents;
                let gradient = gradients.consume::<B>(&ops.node);
                let (x, weight, plan) = ops.state;
                let x = checkpointer.retrieve_node_output(x);
                let weight = checkpointer.retrieve_node_output(weight);
                if let Some(node) = of_weight {
                    gradients.register::<B>(node.id, B::by_weight(gradient.clone(), x, plan));
                }
                if let Some(node) = of_x {
                    gradients.register::<B>(node.id, B::by_input(gradient, weight, plan));
                }
            }
        }

        let plan = Plan::new(&x.primitive().shape(), &weight.primitive().shape(), stride, padding);
        match Convolve.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&x), prep.checkpoint(&weight), plan);
                prep.finish(
                    state,
                    B::convolve(x.primitive().clone(), weight.primitive().clone(), stride, padding),
                )
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::convolve(x.primitive().clone(), weight.primitive().clone(), stride, padding))
            }
        }
    }
}
