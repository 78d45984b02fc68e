//! Depthwise convolutions: one kernel for each channel.
//!
//! The maps of a channel are laid out with their padding, one plane for each remainder of rows and columns by the
//! stride. Then each weight of the kernel multiplies consecutive values of one plane, whatever the stride, and the
//! convolution of a map is a sum of such products. The planes have a few more columns than the output, whose results
//! are left out.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata as _, backend_extension};
use burn::tensor::Shape;
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::{LANES, dot, tensor, values, writable, zeros};

/// A back end with depthwise convolutions.
#[backend_extension(Flex, Autodiff)]
pub trait Depthwise: Backend {
    /// A depthwise convolution without bias. `padding` is above, left, below, right.
    ///
    /// # Shapes
    /// `[batch, channels, rows, columns]` and `[channels, 1, height, width]` →
    /// `[batch, channels, places down, places across]`
    fn depthwise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: [usize; 2],
        padding: [usize; 4],
    ) -> FloatTensor<Self>;
}

/// A back end with the gradients of [`Depthwise::depthwise`].
pub trait DepthwiseGradients: Depthwise {
    /// Gradient with respect to the input.
    fn by_input(gradient: FloatTensor<Self>, weight: FloatTensor<Self>, plan: Plan) -> FloatTensor<Self>;

    /// Gradient with respect to the weights.
    fn by_weight(gradient: FloatTensor<Self>, x: FloatTensor<Self>, plan: Plan) -> FloatTensor<Self>;
}

/// The sizes of a depthwise convolution.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    batch: usize,
    channels: usize,
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Zeros above and left of the values.
    padding: [usize; 2],
    places: [usize; 2],
}

impl Plan {
    fn new(x: &Shape, weight: &Shape, stride: [usize; 2], [top, left, bottom, right]: [usize; 4]) -> Self {
        let [batch, channels, rows, columns] = x.dims();
        let [_, _, height, width] = weight.dims();
        let places = [
            (rows + top + bottom - height) / stride[0] + 1,
            (columns + left + right - width) / stride[1] + 1,
        ];
        Self {
            batch,
            channels,
            size: [rows, columns],
            kernel: [height, width],
            stride,
            padding: [top, left],
            places,
        }
    }

    fn input_values(&self) -> usize {
        self.size[0] * self.size[1]
    }

    fn output_values(&self) -> usize {
        self.places[0] * self.places[1]
    }

    fn weights(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Rows and columns of a plane.
    fn plane(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.places[axis] + (self.kernel[axis] - 1) / self.stride[axis])
    }

    /// Values of a plane; the last weight of the kernel reaches beyond its last row.
    fn plane_values(&self) -> usize {
        let [rows, columns] = self.plane();
        rows * columns + (self.kernel[1] - 1) / self.stride[1]
    }

    /// Planes down and across: remainders that a weight of the kernel has.
    fn planes(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.stride[axis].min(self.kernel[axis]))
    }

    /// Values of all planes of a map.
    fn scratch(&self) -> usize {
        self.planes().iter().product::<usize>() * self.plane_values()
    }

    /// Number of values that each weight multiplies: all rows of the output, in the width of a plane.
    fn run(&self) -> usize {
        self.places[0] * self.plane()[1]
    }

    /// First value in the planes that a weight of the kernel multiplies.
    fn start(&self, weight: usize) -> usize {
        let [i, j] = [weight / self.kernel[1], weight % self.kernel[1]];
        let [down, across] = self.stride;
        let plane = (i % down) * self.planes()[1] + j % across;
        plane * self.plane_values() + (i / down) * self.plane()[1] + j / across
    }

    /// Calls `each(first value in the planes, first value in the map, count)` for every row of the planes that the map
    /// has values for. The values are one stride apart in the map.
    fn rows(&self, mut each: impl FnMut(usize, usize, usize)) {
        let ([rows, columns], [down, across]) = (self.size, self.stride);
        let [plane_rows, plane_columns] = self.plane();
        let [planes_down, planes_across] = self.planes();
        for plane in 0..planes_down * planes_across {
            let [i, j] = [plane / planes_across, plane % planes_across];
            // Columns c of the plane with 0 ≤ c · stride + j − padding < columns.
            let first = self.padding[1].saturating_sub(j).div_ceil(across);
            let end = (columns + self.padding[1]).saturating_sub(j).div_ceil(across).min(plane_columns);
            if first >= end {
                continue;
            }
            for row in 0..plane_rows {
                let Some(line) = (row * down + i).checked_sub(self.padding[0]) else { continue };
                if line < rows {
                    let to = plane * self.plane_values() + row * plane_columns + first;
                    each(to, line * columns + first * across + j - self.padding[1], end - first);
                }
            }
        }
    }

    /// Lays out a map. The values of `planes` that this does not write must be 0.
    fn lay_out(&self, map: &[f32], planes: &mut [f32]) {
        self.rows(|to, from, count| {
            let to = &mut planes[to..to + count];
            if self.stride[1] == 1 {
                to.copy_from_slice(&map[from..from + count]);
            } else {
                let from = map[from..].iter().step_by(self.stride[1]);
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        });
    }

    /// The transposed operation: the values of the planes back in a map, whose other values stay.
    fn gather(&self, planes: &[f32], map: &mut [f32]) {
        self.rows(|from, to, count| {
            let from = &planes[from..from + count];
            let to = map[to..].iter_mut().step_by(self.stride[1]);
            to.zip(from).for_each(|(to, from)| *to = *from);
        });
    }

    /// An output map in the width of a plane. The values of `wide` between the rows must be 0.
    fn widen(&self, map: &[f32], wide: &mut [f32]) {
        let rows = wide.chunks_exact_mut(self.plane()[1]).zip(map.chunks_exact(self.places[1]));
        rows.for_each(|(wide, row)| wide[..row.len()].copy_from_slice(row));
    }
}

/// `y[i]` is the sum of `factor · x[start + i]` over the pairs `(factor, start)`.
#[inline(always)]
fn add_scaled(y: &mut [f32], pairs: &[(f32, usize)], x: &[f32]) {
    let (blocks, rest) = y.as_chunks_mut::<LANES>();
    for (index, block) in blocks.iter_mut().enumerate() {
        // The sums of a block stay in registers.
        let mut sums = [0.0; LANES];
        for &(factor, start) in pairs {
            let x = &x[start + index * LANES..][..LANES];
            for lane in 0..LANES {
                sums[lane] += factor * x[lane];
            }
        }
        *block = sums;
    }
    rest.fill(0.0);
    let done = blocks.len() * LANES;
    for &(factor, start) in pairs {
        rest.iter_mut().zip(&x[start + done..]).for_each(|(y, x)| *y += factor * x);
    }
}

impl Depthwise for Flex {
    fn depthwise(x: FlexTensor, weight: FlexTensor, stride: [usize; 2], padding: [usize; 4]) -> FlexTensor {
        let plan = Plan::new(&x.shape(), &weight.shape(), stride, padding);
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let mut y = zeros(plan.batch * plan.channels * plan.output_values());
        let maps = values(&x).par_chunks(plan.input_values()).enumerate();
        y.par_chunks_mut(plan.output_values()).zip(maps).for_each_init(
            || (vec![0.0; plan.scratch()], vec![0.0; plan.run()], Vec::new()),
            |(planes, wide, pairs), (y, (map, x))| {
                plan.lay_out(x, planes);
                let kernel = &values(&weight)[map % plan.channels * plan.weights()..][..plan.weights()];
                pairs.clear();
                pairs.extend(kernel.iter().enumerate().map(|(index, &factor)| (factor, plan.start(index))));
                vectorised!(add_scaled(wide, pairs, planes));
                let rows = y.chunks_exact_mut(plan.places[1]).zip(wide.chunks_exact(plan.plane()[1]));
                rows.for_each(|(y, wide)| y.copy_from_slice(&wide[..y.len()]));
            },
        );
        tensor(y, [plan.batch, plan.channels, plan.places[0], plan.places[1]])
    }
}

/// Memory of a task for one map after the other: planes, a padded map, and factors with where they start.
type Scratch = (Vec<f32>, Vec<f32>, Vec<(f32, usize)>);

impl DepthwiseGradients for Flex {
    fn by_input(gradient: FlexTensor, weight: FlexTensor, plan: Plan) -> FlexTensor {
        let weight = weight.to_contiguous();
        // Zeros before and after the gradient, as many as the furthest weight of a plane reaches.
        let reach = plan.plane_values() - plan.run();
        let scratch = || (vec![0.0; plan.scratch()], vec![0.0; reach + plan.plane_values()], Vec::new());
        // Reads only `padded`, so `of_x` can be the map that `padded` is a copy of.
        let of_map = |(planes, padded, pairs): &mut Scratch, map: usize, of_x: &mut [f32]| {
            let kernel = &values(&weight)[map % plan.channels * plan.weights()..][..plan.weights()];
            for (plane, values) in planes.chunks_exact_mut(plan.plane_values()).enumerate() {
                // What weight `index` multiplied with the value at `offset` of the plane, it now adds there.
                pairs.clear();
                pairs.extend(kernel.iter().enumerate().filter_map(|(index, &factor)| {
                    let offset = plan.start(index).checked_sub(plane * plan.plane_values())?;
                    (offset < plan.plane_values()).then(|| (factor, reach - offset))
                }));
                vectorised!(add_scaled(values, pairs, padded));
            }
            plan.gather(planes, of_x);
        };
        let shape = [plan.batch, plan.channels, plan.size[0], plan.size[1]];
        if plan.size == plan.places && plan.stride == [1, 1] {
            // The gradient by an input map overwrites the one by its output map, which has the same size. All values
            // are written.
            let mut gradient = writable(gradient);
            let maps = gradient.storage_mut::<f32>().par_chunks_mut(plan.output_values()).enumerate();
            maps.for_each_init(scratch, |scratch, (map, values)| {
                plan.widen(values, &mut scratch.1[reach..reach + plan.run()]);
                of_map(scratch, map, values);
            });
            return gradient.reshape(shape.into());
        }
        let gradient = gradient.to_contiguous();
        let mut of_x = zeros(plan.batch * plan.channels * plan.input_values());
        let maps = values(&gradient).par_chunks(plan.output_values()).enumerate();
        of_x.par_chunks_mut(plan.input_values()).zip(maps).for_each_init(
            scratch,
            |scratch, (of_x, (map, gradient))| {
                plan.widen(gradient, &mut scratch.1[reach..reach + plan.run()]);
                of_map(scratch, map, of_x);
            },
        );
        tensor(of_x, shape)
    }

    fn by_weight(gradient: FlexTensor, x: FlexTensor, plan: Plan) -> FlexTensor {
        let (gradient, x) = (gradient.to_contiguous(), x.to_contiguous());
        let mut of_weight = vec![0.0; plan.channels * plan.weights()];
        of_weight.par_chunks_mut(plan.weights()).enumerate().for_each_init(
            || (vec![0.0; plan.scratch()], vec![0.0; plan.run()]),
            |(planes, wide), (channel, sums)| {
                // In the order of the batch, so that two runs give the same bits.
                for map in (0..plan.batch).map(|window| window * plan.channels + channel) {
                    plan.lay_out(&values(&x)[map * plan.input_values()..][..plan.input_values()], planes);
                    let gradient = &values(&gradient)[map * plan.output_values()..][..plan.output_values()];
                    plan.widen(gradient, wide);
                    vectorised!(for (index, sum) in sums.iter_mut().enumerate() {
                        *sum += dot::<LANES>(wide, &planes[plan.start(index)..][..plan.run()]);
                    });
                }
            },
        );
        tensor(of_weight, [plan.channels, 1, plan.kernel[0], plan.kernel[1]])
    }
}

impl<B: DepthwiseGradients, C: CheckpointStrategy> Depthwise for Autodiff<B, C> {
    fn depthwise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: [usize; 2],
        padding: [usize; 4],
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Convolve;

        impl<B: DepthwiseGradients> Backward<B, 2> for Convolve {
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
                // Last, so that it has the gradient for itself and can overwrite it.
                if let Some(node) = of_x {
                    gradients.register::<B>(node.id, B::by_input(gradient, weight, plan));
                }
            }
        }

        let plan = Plan::new(&x.primitive().shape(), &weight.primitive().shape(), stride, padding);
        let y = B::depthwise(x.primitive().clone(), weight.primitive().clone(), stride, padding);
        match Convolve.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&x), prep.checkpoint(&weight), plan);
                prep.finish(state, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
