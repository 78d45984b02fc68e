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
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, relu6};
use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelIterator as _, IntoParallelRefMutIterator as _,
    ParallelIterator as _,
};
use rayon::slice::ParallelSliceMut as _;

use super::{LANES, dims, is_here, tensor, values, writable, zeros};

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
    /// With burn's operations.
    fn apply(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Identity => x,
            Self::Relu => relu(x),
            Self::Relu6 => relu6(x),
        }
    }

    /// The range of values that it keeps; it changes others to the nearer end.
    fn range(self) -> [f32; 2] {
        match self {
            Self::Identity => [f32::NEG_INFINITY, f32::INFINITY],
            Self::Relu => [0.0, f32::INFINITY],
            Self::Relu6 => [0.0, 6.0],
        }
    }
}

/// Batch normalisation and an activation: in training on an autodiff CPU device with their gradients; for inference on a
/// CPU device without autodiff in place, if nothing else uses the input; with burn's operations elsewhere. Running
/// statistics are updated as by burn. At the ends of its range the activation's gradient is 0.
///
/// # Shapes
/// `[batch, channels, rows, columns]` → the same
pub fn normalise(layer: &BatchNorm, x: Tensor<4>, activation: Activation) -> Tensor<4> {
    match (is_here(&x), x.device().is_autodiff(), layer.training.is_enabled()) {
        (true, true, true) => with_statistics_of_batch(layer, x, activation),
        (true, false, _) => in_place(layer, x, activation),
        _ => activation.apply(layer.forward(x)),
    }
}

fn with_statistics_of_batch(layer: &BatchNorm, x: Tensor<4>, activation: Activation) -> Tensor<4> {
    let device = x.device();
    let normalised = <Dispatch as Normalisation>::normalise(
        x.into_dispatch(),
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
    Tensor::from_dispatch(normalised.output)
}

fn in_place(layer: &BatchNorm, x: Tensor<4>, activation: Activation) -> Tensor<4> {
    let parameters =
        [layer.gamma.val(), layer.beta.val(), layer.running_mean.value(), layer.running_var.value()];
    let [Ok(gamma), Ok(beta), Ok(means), Ok(variances)] =
        parameters.map(|parameter| parameter.into_data().try_to_vec::<f32>())
    else {
        return activation.apply(layer.forward(x));
    };
    let ([_, channels, rows, columns], device) = (x.dims(), x.device());
    let mut data = x.into_data();
    let Ok(maps) = data.as_mut_slice::<f32>() else {
        return activation.apply(layer.forward(Tensor::from_data(data, &device)));
    };
    maps.par_chunks_mut(rows * columns).enumerate().for_each(|(index, map)| {
        let channel = index % channels;
        let channel = Channel {
            mean: means[channel],
            scale: gamma[channel] / (f64::from(variances[channel]) + layer.epsilon).sqrt() as f32,
            shift: beta[channel],
            range: activation.range(),
        };
        vectorised!(map.iter_mut().for_each(|x| *x = channel.value(*x)));
    });
    Tensor::from_data(data, &device)
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

/// The maps of each channel. A task has all passes over one channel, whose maps a core's cache holds from the first
/// pass on.
fn by_channel(values: &mut [f32], channels: usize, area: usize) -> Vec<Vec<&mut [f32]>> {
    let mut maps: Vec<Vec<&mut [f32]>> = (0..channels).map(|_| Vec::new()).collect();
    for (index, map) in values.chunks_exact_mut(area).enumerate() {
        maps[index % channels].push(map);
    }
    maps
}

/// The total over the batch of the `sums` of each map.
///
/// Sums within a map are f32 in as many lanes as vectors need; totals are f64.
fn total<const N: usize>(batch: usize, sums: impl Fn(usize) -> [f64; N] + Sync + Send) -> [f64; N] {
    let sums: Vec<[f64; N]> = (0..batch).into_par_iter().map(sums).collect();
    sums.iter().fold([0.0; N], |total, sums| std::array::from_fn(|i| total[i] + sums[i]))
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
        let mut output = zeros(maps.len());
        let outputs = by_channel(&mut output, channels, area).into_par_iter();
        let (means, variances) = outputs
            .enumerate()
            .map(|(channel, mut outputs)| {
                let map = |window: usize| map(window * channels + channel);
                let [sum] = total(batch, |window| vectorised!(sums(map(window), map(window), |x, _| [x])));
                let mean = (sum / count) as f32;
                let [sum] = total(batch, |window| {
                    vectorised!(sums(map(window), map(window), |x, _| [(x - mean) * (x - mean)]))
                });
                let variance = (sum / count) as f32;
                let channel = Channel {
                    mean,
                    scale: gamma[channel] / (f64::from(variance) + epsilon).sqrt() as f32,
                    shift: beta[channel],
                    range: activation.range(),
                };
                outputs.par_iter_mut().enumerate().for_each(|(window, output)| {
                    vectorised!(output.iter_mut().zip(map(window)).for_each(|(y, &x)| *y = channel.value(x)));
                });
                (mean, variance)
            })
            .collect::<(Vec<f32>, Vec<f32>)>();
        Normalised {
            output: tensor(output, [batch, channels, rows, columns]),
            mean: tensor(means, [channels]),
            variance: tensor(variances, [channels]),
        }
    }
}

impl NormalisationGradients for Flex {
    fn gradients(gradient: FlexTensor, saved: Saved<Self>) -> [FlexTensor; 3] {
        let x = saved.x.to_contiguous();
        let [gamma, beta] = [saved.gamma, saved.beta].map(|parameter| parameter.to_contiguous());
        let [batch, channels, rows, columns] = dims(&x);
        let area = rows * columns;
        let count = (batch * area) as f64;
        let maps = values(&x);
        let (gamma, beta) = (values(&gamma), values(&beta));
        let (means, variances) = (values(&saved.mean), values(&saved.variance));
        // The gradient by the input replaces the gradient by the output.
        let mut gradient = writable(gradient);
        let gradients = by_channel(gradient.storage_mut(), channels, area).into_par_iter();
        let (of_gamma, of_beta) = gradients
            .enumerate()
            .map(|(channel, mut gradients)| {
                let map = |window: usize| &maps[(window * channels + channel) * area..][..area];
                let inverse = (f64::from(variances[channel]) + saved.epsilon).sqrt().recip();
                let channel = Channel {
                    mean: means[channel],
                    scale: (f64::from(gamma[channel]) * inverse) as f32,
                    shift: beta[channel],
                    range: saved.activation.range(),
                };
                // Σ gradient, and Σ gradient · normalised.
                let [of_beta, product] = total(batch, |window| {
                    vectorised!(sums(gradients[window], map(window), |gradient, x| {
                        let gradient = channel.before(gradient, x);
                        [gradient, gradient * (x - channel.mean)]
                    }))
                });
                let of_gamma = product * inverse;
                // γ / σ · (gradient − mean of it − normalised · mean of gradient · normalised)
                let constant = (of_beta / count) as f32;
                let slope = (of_gamma / count * inverse) as f32;
                gradients.par_iter_mut().enumerate().for_each(|(window, gradients)| {
                    vectorised!(for (gradient, &x) in gradients.iter_mut().zip(map(window)) {
                        let before = channel.before(*gradient, x);
                        *gradient = channel.scale * (before - constant - (x - channel.mean) * slope);
                    });
                });
                (of_gamma as f32, of_beta as f32)
            })
            .collect::<(Vec<f32>, Vec<f32>)>();
        [gradient, tensor(of_gamma, [channels]), tensor(of_beta, [channels])]
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
