//! Batch normalisation and ReLU in training: three passes over the maps, and two more for the gradients.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::nn::BatchNorm;
use burn::tensor::{Tensor, TensorData};
use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelIterator as _, IntoParallelRefIterator as _,
    ParallelIterator as _,
};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::{LANES, dims, is_here, tensor, values, zeros};

/// The function of each normalised value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The value itself.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

impl Activation {
    /// The range of values that it keeps; it changes others to the nearer end.
    fn range(self) -> [f32; 2] {
        match self {
            Self::Identity => [f32::NEG_INFINITY, f32::INFINITY],
            Self::Relu => [0.0, f32::INFINITY],
            Self::Relu6 => [0.0, 6.0],
        }
    }
}

/// Batch normalisation and an activation on an autodiff CPU device, with their gradients; `None` elsewhere. Running
/// statistics are updated as by burn. At the ends of its range the activation's gradient is 0.
///
/// # Shapes
/// `[batch, channels, rows, columns]` → the same
pub fn normalise(layer: &BatchNorm, x: &Tensor<4>, activation: Activation) -> Option<Tensor<4>> {
    let device = x.device();
    if !device.is_autodiff() || !layer.training.is_enabled() || !is_here(x) {
        return None;
    }
    let normalised = <Dispatch as Normalisation>::normalise(
        x.clone().into_dispatch(),
        layer.gamma.val().into_dispatch(),
        layer.beta.val().into_dispatch(),
        layer.epsilon,
        activation,
    );
    for (running, now) in [(&layer.running_mean, normalised.mean), (&layer.running_var, normalised.variance)]
    {
        let now = Tensor::<1>::from_dispatch(now).detach() * layer.momentum;
        let before = running.value_sync().to_device(&device) * (1.0 - layer.momentum);
        running.update((before + now).detach());
    }
    Some(Tensor::from_dispatch(normalised.output))
}

/// Batch normalisation with the running statistics and an activation, on a CPU device without autodiff; `None`
/// elsewhere.
///
/// # Shapes
/// `[batch, channels, rows, columns]` → the same
pub fn normalise_for_inference(
    layer: &BatchNorm,
    x: &Tensor<4>,
    activation: Activation,
) -> Option<Tensor<4>> {
    if x.device().is_autodiff() || !is_here(x) {
        return None;
    }
    let [_, channels, rows, columns] = x.dims();
    let parameters =
        [layer.gamma.val(), layer.beta.val(), layer.running_mean.value(), layer.running_var.value()];
    let [gamma, beta, means, variances] =
        parameters.map(|parameter| parameter.into_data().try_to_vec::<f32>());
    let (gamma, beta, means, variances) = (gamma.ok()?, beta.ok()?, means.ok()?, variances.ok()?);
    let maps = x.to_data();
    let maps = maps.as_slice::<f32>().ok()?;
    let area = rows * columns;
    let mut output = zeros(maps.len());
    output.par_chunks_mut(area).zip(maps.par_chunks(area)).enumerate().for_each(|(index, (output, maps))| {
        let channel = index % channels;
        let channel = Channel {
            mean: means[channel],
            scale: gamma[channel] / (f64::from(variances[channel]) + layer.epsilon).sqrt() as f32,
            shift: beta[channel],
            range: activation.range(),
        };
        vectorised!(output.iter_mut().zip(maps).for_each(|(y, &x)| *y = channel.value(x)));
    });
    Some(Tensor::from_data(TensorData::new(output, x.dims()), &x.device()))
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

/// A back end that normalises batches.
#[backend_extension(Flex, Autodiff)]
pub trait Normalisation: Backend {
    /// The activation of `γ · (x − mean) / √(variance + ε) + β`, with mean and variance of each channel over the
    /// batch (Ioffe and Szegedy 2015).
    ///
    /// # Shapes
    /// `[batch, channels, rows, columns]`, `[channels]`, `[channels]`
    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        activation: Activation,
    ) -> Normalised<Self>;
}

/// What the gradients of [`Normalisation::normalise`] need besides the gradient of the result.
#[derive(Debug)]
pub struct Saved<B: Backend> {
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
    epsilon: f64,
    activation: Activation,
}

/// A back end with the gradients of [`Normalisation::normalise`].
pub trait NormalisationGradients: Normalisation {
    /// Gradients with respect to the input, γ and β.
    fn gradients(gradient: FloatTensor<Self>, saved: Saved<Self>) -> [FloatTensor<Self>; 3];
}

/// The normalisation of a channel: `scale · (x − mean) + shift`, then the activation.
#[derive(Clone, Copy)]
struct Channel {
    mean: f32,
    scale: f32,
    shift: f32,
    range: [f32; 2],
}

impl Channel {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        let [low, high] = self.range;
        let y = (x - self.mean) * self.scale + self.shift;
        // Not `clamp`, which the compiler does not vectorise; NaN stays.
        let y = if y < low { low } else { y };
        if y > high { high } else { y }
    }

    /// The gradient before the activation, from the one after it.
    #[inline(always)]
    fn before(self, gradient: f32, x: f32) -> f32 {
        let [low, high] = self.range;
        let y = (x - self.mean) * self.scale + self.shift;
        if y <= low || y >= high { 0.0 } else { gradient }
    }
}

/// For each channel, the total over the batch of the `sums` of its maps.
///
/// Sums within a map are f32 in as many lanes as vectors need; totals are f64.
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

/// The sums of `of` over pairs of values.
#[inline(always)]
fn sums<const N: usize>(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> [f32; N]) -> [f64; N] {
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [[0.0_f32; LANES]; N];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            let values = of(a[lane], b[lane]);
            for i in 0..N {
                lanes[i][lane] += values[i];
            }
        }
    }
    let mut sums = lanes.map(|lanes| f64::from(lanes.iter().sum::<f32>()));
    for (&a, &b) in rest_a.iter().zip(rest_b) {
        let values = of(a, b);
        for i in 0..N {
            sums[i] += f64::from(values[i]);
        }
    }
    sums
}

impl Normalisation for Flex {
    fn normalise(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
        activation: Activation,
    ) -> Normalised<Self> {
        let x = x.to_contiguous();
        let [batch, channels, rows, columns] = dims(&x);
        let area = rows * columns;
        let count = (batch * area) as f64;
        let (gamma, beta) = (gamma.to_contiguous(), beta.to_contiguous());
        let (gamma, beta, maps) = (values(&gamma), values(&beta), values(&x));
        let map = |index: usize| &maps[index * area..][..area];
        let means: Vec<f32> =
            by_channel([batch, channels], |index, _| vectorised!(sums(map(index), map(index), |a, _| [a])))
                .into_iter()
                .map(|[sum]| (sum / count) as f32)
                .collect();
        let variances: Vec<f32> = by_channel([batch, channels], |index, channel| {
            let mean = means[channel];
            vectorised!(sums(map(index), map(index), |a, _| [(a - mean) * (a - mean)]))
        })
        .into_iter()
        .map(|[sum]| (sum / count) as f32)
        .collect();
        let mut output = zeros(maps.len());
        output.par_chunks_mut(area).enumerate().for_each(|(index, output)| {
            let channel = index % channels;
            let channel = Channel {
                mean: means[channel],
                scale: gamma[channel] / (f64::from(variances[channel]) + epsilon).sqrt() as f32,
                shift: beta[channel],
                range: activation.range(),
            };
            vectorised!(output.iter_mut().zip(map(index)).for_each(|(y, &x)| *y = channel.value(x)));
        });
        Normalised {
            output: tensor(output, [batch, channels, rows, columns]),
            mean: tensor(means, [channels]),
            variance: tensor(variances, [channels]),
        }
    }
}

impl NormalisationGradients for Flex {
    fn gradients(gradient: FlexTensor, saved: Saved<Self>) -> [FlexTensor; 3] {
        let [x, gradient] = [saved.x, gradient].map(|maps| maps.to_contiguous());
        let [gamma, beta] = [saved.gamma, saved.beta].map(|parameter| parameter.to_contiguous());
        let [batch, channels, rows, columns] = dims(&x);
        let area = rows * columns;
        let count = (batch * area) as f64;
        let (maps, of_maps) = (values(&x), values(&gradient));
        let (gamma, beta, means) = (values(&gamma), values(&beta), values(&saved.mean));
        let part = |index: usize| index * area..(index + 1) * area;
        let inverse: Vec<f64> = values(&saved.variance)
            .par_iter()
            .map(|&v| (f64::from(v) + saved.epsilon).sqrt().recip())
            .collect();
        let normalisation = |channel: usize| Channel {
            mean: means[channel],
            scale: (f64::from(gamma[channel]) * inverse[channel]) as f32,
            shift: beta[channel],
            range: saved.activation.range(),
        };
        // Σ gradient, and Σ gradient · normalised.
        let totals = by_channel([batch, channels], |index, channel| {
            let (gradient, x) = (&of_maps[part(index)], &maps[part(index)]);
            let channel = normalisation(channel);
            vectorised!(sums(gradient, x, |gradient, x| {
                let gradient = channel.before(gradient, x);
                [gradient, gradient * (x - channel.mean)]
            }))
        });
        let totals: Vec<[f64; 2]> = totals
            .into_iter()
            .zip(&inverse)
            .map(|([sum, product], inverse)| [sum, product * inverse])
            .collect();
        let mut of_x = zeros(maps.len());
        of_x.par_chunks_mut(area).enumerate().for_each(|(index, of_x)| {
            let [of_beta, of_gamma] = totals[index % channels];
            // γ / σ · (gradient − mean of it − normalised · mean of gradient · normalised)
            let constant = (of_beta / count) as f32;
            let slope = (of_gamma / count * inverse[index % channels]) as f32;
            let channel = normalisation(index % channels);
            let pairs = of_maps[part(index)].iter().zip(&maps[part(index)]);
            vectorised!(for (to, (&gradient, &x)) in of_x.iter_mut().zip(pairs) {
                let gradient = channel.before(gradient, x);
                *to = channel.scale * (gradient - constant - (x - channel.mean) * slope);
            });
        });
        let [of_beta, of_gamma] = [0, 1].map(|i| totals.iter().map(|totals| totals[i] as f32).collect());
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
        activation: Activation,
    ) -> Normalised<Self> {
        #[derive(Debug)]
        struct Normalise;

        impl<B: NormalisationGradients> Backward<B, 3> for Normalise {
            // The graph keeps the input, γ and β; the statistics are kept here.
            type State = ([NodeId; 3], [FloatTensor<B>; 2], f64, Activation);

            fn backward(
                self,
                ops: Ops<Self::State, 3>,
                gradients: &mut Gradients,
                checkpointer: &mut Checkpointer,
            ) {
                let gradient = gradients.consume::<B>(&ops.node);
                let (nodes, [mean, variance], epsilon, activation) = ops.state;
                let [x, gamma, beta] = nodes.map(|node| checkpointer.retrieve_node_output(node));
                let saved = Saved { x, gamma, beta, mean, variance, epsilon, activation };
                let all = B::gradients(gradient, saved);
                for (node, of_node) in ops.parents.into_iter().zip(all) {
                    if let Some(node) = node {
                        gradients.register::<B>(node.id, of_node);
                    }
                }
            }
        }

        let [of_x, of_gamma, of_beta] = [&x, &gamma, &beta].map(|tensor| tensor.primitive().clone());
        let normalised = B::normalise(of_x, of_gamma, of_beta, epsilon, activation);
        let (mean, variance) = (normalised.mean, normalised.variance);
        let nodes = [x.node(), gamma.node(), beta.node()];
        let output = match Normalise.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let nodes = [&x, &gamma, &beta].map(|tensor| prep.checkpoint(tensor));
                let statistics = [mean.clone(), variance.clone()];
                prep.finish((nodes, statistics, epsilon, activation), normalised.output)
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
