//! Batch normalisation in training: two passes over the maps, and two more for the gradients.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelIterator as _, IntoParallelRefIterator as _,
    ParallelIterator as _,
};
use rayon::slice::ParallelSliceMut as _;

use super::{dims, is_here, tensor, values};

/// Batch normalisation on an autodiff CPU device, with its gradients; `None` elsewhere. Running statistics
/// are updated as by burn.
///
/// # Shapes
/// `[batch, channels, rows, columns]` → the same
pub fn normalise(layer: &BatchNorm, x: &Tensor<4>) -> Option<Tensor<4>> {
    let device = x.device();
    if !device.is_autodiff() || !layer.training.is_enabled() || !is_here(x) {
        return None;
    }
    let normalised = <Dispatch as Normalisation>::normalise(
        x.clone().into_dispatch(),
        layer.gamma.val().into_dispatch(),
        layer.beta.val().into_dispatch(),
        layer.epsilon,
    );
    for (running, now) in [(&layer.running_mean, normalised.mean), (&layer.running_var, normalised.variance)]
    {
        let now = Tensor::<1>::from_dispatch(now).detach() * layer.momentum;
        let before = running.value_sync().to_device(&device) * (1.0 - layer.momentum);
        running.update((before + now).detach());
    }
    Some(Tensor::from_dispatch(normalised.output))
}

/// Normalised maps with the statistics of the batch.
#[derive(Debug, ExtensionType)]
pub struct Normalised<B: Backend> {
    output: FloatTensor<B>,
    /// Mean of each channel.
    mean: FloatTensor<B>,
    /// Variance of each channel, divided by the number of values.
    variance: FloatTensor<B>,
}

/// A back end that normalises batches in two passes.
#[backend_extension(Flex, Autodiff)]
pub trait Normalisation: Backend {
    /// `γ · (x − mean) / √(variance + ε) + β`, with mean and variance of each channel over the
    /// batch (Ioffe and Szegedy 2015).
    ///
    /// # Shapes
    /// `[batch, channels, rows, columns]`, `[channels]`, `[channels]`
    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> Normalised<Self>;
}

/// A back end with the gradients of [`Normalisation::normalise`].
pub trait NormalisationGradients: Normalisation {
    /// Gradients with respect to the input, γ and β.
    fn gradients(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
    ) -> [FloatTensor<Self>; 3];
}

/// For each channel, the total over the batch of the `sums` of its maps.
///
/// Sums within a map are f32 in eight lanes, which the compiler vectorises; totals are f64.
fn by_channel<const N: usize>(
    [batch, channels]: [usize; 2],
    sums: impl Fn(usize, usize) -> [f64; N] + Sync,
) -> Vec<[f64; N]> {
    (0..channels)
        .into_par_iter()
        .map(|channel| {
            (0..batch).fold([0.0; N], |total, window| {
                let sums = sums(window * channels + channel, channel);
                std::array::from_fn(|i| total[i] + sums[i])
            })
        })
        .collect()
}

/// The sum of `of` over pairs of values.
fn sum(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f64 {
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(&a, &b)| of(a, b)).sum();
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.zip(b) {
        for (lane, (&a, &b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += of(a, b);
        }
    }
    f64::from(rest) + f64::from(lanes.iter().sum::<f32>())
}

impl Normalisation for Flex {
    fn normalise(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, epsilon: f64) -> Normalised<Self> {
        let x = x.to_contiguous();
        let [batch, channels, rows, columns] = dims(&x);
        let area = rows * columns;
        let count = (batch * area) as f64;
        let (gamma, beta) = (gamma.to_contiguous(), beta.to_contiguous());
        let (gamma, beta, maps) = (values(&gamma), values(&beta), values(&x));
        let map = |index: usize| &maps[index * area..][..area];
        let means: Vec<f32> =
            by_channel([batch, channels], |index, _| [sum(map(index), map(index), |a, _| a)])
                .into_iter()
                .map(|[sum]| (sum / count) as f32)
                .collect();
        let variances: Vec<f32> = by_channel([batch, channels], |index, channel| {
            let mean = means[channel];
            [sum(map(index), map(index), |a, _| (a - mean) * (a - mean))]
        })
        .into_iter()
        .map(|[sum]| (sum / count) as f32)
        .collect();
        let mut output = vec![0.0; maps.len()];
        output.par_chunks_mut(area).enumerate().for_each(|(index, output)| {
            let channel = index % channels;
            let scale = gamma[channel] / (f64::from(variances[channel]) + epsilon).sqrt() as f32;
            let (mean, shift) = (means[channel], beta[channel]);
            output.iter_mut().zip(map(index)).for_each(|(y, x)| *y = (x - mean) * scale + shift);
        });
        Normalised {
            output: tensor(output, [batch, channels, rows, columns]),
            mean: tensor(means, [channels]),
            variance: tensor(variances, [channels]),
        }
    }
}

impl NormalisationGradients for Flex {
    fn gradients(
        gradient: FlexTensor,
        x: FlexTensor,
        gamma: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        epsilon: f64,
    ) -> [FlexTensor; 3] {
        let (x, gradient, gamma) = (x.to_contiguous(), gradient.to_contiguous(), gamma.to_contiguous());
        let [batch, channels, rows, columns] = dims(&x);
        let area = rows * columns;
        let count = (batch * area) as f64;
        let (maps, of_maps, gamma, mean) = (values(&x), values(&gradient), values(&gamma), values(&mean));
        let part = |index: usize| index * area..(index + 1) * area;
        let inverse: Vec<f64> =
            values(&variance).par_iter().map(|&v| (f64::from(v) + epsilon).sqrt().recip()).collect();
        // Σ gradient, and Σ gradient · normalised.
        let sums = by_channel([batch, channels], |index, channel| {
            let (gradient, x, mean) = (&of_maps[part(index)], &maps[part(index)], mean[channel]);
            [
                sum(gradient, x, |gradient, _| gradient),
                sum(gradient, x, |gradient, x| gradient * (x - mean)) * inverse[channel],
            ]
        });
        let mut of_x = vec![0.0; maps.len()];
        of_x.par_chunks_mut(area).enumerate().for_each(|(index, of_x)| {
            let channel = index % channels;
            let [of_beta, of_gamma] = sums[channel];
            // γ / σ · (gradient − mean of it − normalised · mean of gradient · normalised)
            let scale = (f64::from(gamma[channel]) * inverse[channel]) as f32;
            let constant = (of_beta / count) as f32;
            let slope = (of_gamma / count * inverse[channel]) as f32;
            let mean = mean[channel];
            let pairs = of_maps[part(index)].iter().zip(&maps[part(index)]);
            for (to, (gradient, x)) in of_x.iter_mut().zip(pairs) {
                *to = scale * (gradient - constant - (x - mean) * slope);
            }
        });
        let [of_beta, of_gamma] = [0, 1].map(|i| sums.iter().map(|sums| sums[i] as f32).collect());
        [
            tensor(of_x, [batch, channels, rows, columns]),
            tensor(of_gamma, [channels]),
            tensor(of_beta, [channels]),
        ]
    }
}

impl<B: NormalisationGradients, C: CheckpointStrategy> Normalisation for Autodiff<B, C> {
    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> Normalised<Self> {
        #[derive(Debug)]
        struct Normalise;

        impl<B: NormalisationGradients> Backward<B, 3> for Normalise {
            // The graph keeps the input and γ; the statistics are kept here.
            type State = (NodeId, NodeId, FloatTensor<B>, FloatTensor<B>, f64);

            fn backward(
                self,
                ops: Ops<Self::State, 3>,
                gradients: &mut Gradients,
                checkpointer: &mut Checkpointer,
            ) {
                let gradient = gradients.consume::<B>(&ops.node);
                let (x, gamma, mean, variance, epsilon) = ops.state;
                let x = checkpointer.retrieve_node_output(x);
                let gamma = checkpointer.retrieve_node_output(gamma);
                let all = B::gradients(gradient, x, gamma, mean, variance, epsilon);
                for (node, of_node) in ops.parents.into_iter().zip(all) {
                    if let Some(node) = node {
                        gradients.register::<B>(node.id, of_node);
                    }
                }
            }
        }

        let normalised =
            B::normalise(x.primitive().clone(), gamma.primitive().clone(), beta.primitive().clone(), epsilon);
        let (mean, variance) = (normalised.mean, normalised.variance);
        let nodes = [x.node(), gamma.node(), beta.node()];
        let output = match Normalise.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let (x, gamma) = (prep.checkpoint(&x), prep.checkpoint(&gamma));
                let state = (x, gamma, mean.clone(), variance.clone(), epsilon);
                prep.finish(state, normalised.output)
            }
            OpsKind::UnTracked(prep) => prep.finish(normalised.output),
        };
        Normalised {
            output,
            mean: FloatTensor::<Self>::new(mean),
            variance: FloatTensor::<Self>::new(variance),
        }
    }
}
