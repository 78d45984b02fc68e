//! Convolution, batch normalisation, max-pooling, attention, dropout, ReLU6 and SiLU for training on the CPU, and a step of
//! AdamW. A training step spends nearly all its time in them.
//!
//! burn-flex's versions are designed for inference. Its convolutions transpose their tensors to channels-last and back,
//! and both gradients are convolutions with kernels as large as the maps. Its batch normalisation reads or writes the
//! maps about twenty times in training, four times to transpose them. Its pooling divides for every value. The operations
//! here keep the layout, pass over the maps as few times as possible, overwrite what nothing else uses, and are extensions
//! of burn's CPU back end. `cargo xtask bench train` measures the gain. On other devices, and for settings that no network
//! of this project has, [`normalise`] uses burn's operations, and the others return `None` so that the caller does.
//!
//! Sums over a batch are added in a fixed order, independent of the number of cores and of which finishes first.
//! Therefore two runs with one seed on one machine give the same bits.

/// Evaluates an expression whose loops the compiler vectorises, compiled for the vectors of this machine. Functions and
/// closures that it calls must be `#[inline(always)]`.
macro_rules! vectorised {
    ($work:expr) => {
        crate::vector::vectorise(
            #[inline(always)]
            || $work,
        )
    };
}

mod adamw;
mod attention;
mod convolution;
mod depthwise;
mod dropout;
mod exponential;
mod norm;
mod pool;
mod product;
mod silu;

use burn::backend::flex::FlexTensor;
use burn::backend::{DispatchDevice, TensorMetadata as _};
use burn::tensor::{DType, Tensor, TensorData};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

pub use adamw::AdamW;
pub use attention::attend;
pub use convolution::convolve;
pub use dropout::drop_out;
pub use norm::{Activation, normalise};
pub use pool::max_pool;
pub use silu::silu;

/// Values that one core computes at a time, in loops with some arithmetic for each value.
const TASK: usize = 1 << 14;

/// The same in loops whose speed memory limits.
const MEMORY_TASK: usize = 1 << 16;

/// Partial sums of a loop, so that the compiler can use four of the widest vectors.
const LANES: usize = 64;

/// Whether a tensor of 32-bit floats is on the CPU, with or without autodiff.
pub fn is_here<const D: usize>(x: &Tensor<D>) -> bool {
    let flex = |device: &DispatchDevice| match device {
        DispatchDevice::Flex(_) => true,
        #[allow(unreachable_patterns)] // in builds without another device
        _ => false,
    };
    let on_cpu = match x.device().as_dispatch() {
        DispatchDevice::Autodiff(device) => flex(device),
        device => flex(device),
    };
    on_cpu && x.dtype() == DType::F32
}

/// Zeros to write maps to. The cores write them together, because the system clears each new page of memory when it is
/// first written; `vec!` would leave that to one core.
fn zeros(count: usize) -> Vec<f32> {
    let mut values = Vec::new();
    (0..count).into_par_iter().with_min_len(MEMORY_TASK).map(|_| 0.0).collect_into_vec(&mut values);
    values
}

/// The sum of the products of two slices of one length, added in `LANES` lanes.
#[inline(always)]
fn dot<const LANES: usize>(a: &[f32], b: &[f32]) -> f32 {
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// A contiguous tensor.
fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The values of a contiguous tensor.
#[allow(clippy::expect_used)] // `is_here` checks the type, and callers call `to_contiguous`
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("contiguous values of f32")
}

/// A tensor whose storage is its values in order, to be overwritten with `storage_mut`, which copies them only if
/// something else uses them. Memory that is in a core's cache is faster to write than new memory.
fn writable(tensor: FlexTensor) -> FlexTensor {
    let whole = tensor.layout().contiguous_offsets() == Some((0, tensor.storage::<f32>().len()));
    if whole { tensor } else { FlexTensor::from_data(tensor.into_data()) }
}

/// `[batch, channels, rows, columns]` of a tensor of maps.
fn dims(tensor: &FlexTensor) -> [usize; 4] {
    let shape = tensor.shape();
    std::array::from_fn(|axis| shape[axis])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use burn::module::{Module as _, Param};
    use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig};
    use burn::nn::conv::Conv2dConfig;
    use burn::nn::pool::MaxPool2dConfig;
    use burn::nn::{BatchNorm, BatchNormConfig, DropoutConfig, Initializer, PaddingConfig2d};
    use burn::tensor::activation::{relu, relu6, silu, softmax};
    use burn::tensor::{Device, Distribution, Int, Tolerance};

    use super::*;

    const NORMAL: Distribution = Distribution::Normal(0.0, 1.0);

    /// Output of a layer, and the gradients with respect to its input and its parameters, of a loss that
    /// weights each output differently.
    fn results<const N: usize>(
        x: &Tensor<4>,
        layer: impl Fn(&Tensor<4>) -> Tensor<4>,
        of_parameters: impl Fn(&burn::tensor::Gradients) -> [TensorData; N],
    ) -> Vec<TensorData> {
        let x = x.clone().detach().require_grad();
        let y = layer(&x);
        let marks = Tensor::<1, Int>::arange(0..y.shape().num_elements() as i64, &x.device());
        let marks = (marks.float() * 0.37).sin().reshape(y.dims());
        let gradients = (y.clone() * marks).sum().backward();
        let of_x = x.grad(&gradients).expect("a gradient by the input").into_data();
        [y.into_data(), of_x].into_iter().chain(of_parameters(&gradients)).collect()
    }

    fn assert_alike(ours: &[TensorData], burns: &[TensorData]) {
        assert_eq!(ours.len(), burns.len());
        for (ours, burns) in ours.iter().zip(burns) {
            ours.assert_approx_eq::<f32>(burns, Tolerance::rel_abs(1e-4, 3e-4));
        }
    }

    /// The CPU, seeded, and what keeps other tests waiting: burn's generator belongs to the process.
    fn device() -> (Device, MutexGuard<'static, ()>) {
        static GENERATOR: Mutex<()> = Mutex::new(());
        let alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        let device = Device::flex().autodiff();
        device.seed(1);
        (device, alone)
    }

    #[test]
    fn convolutions_are_burns() {
        let (device, _alone) = device();
        // Batch, channels, size, kernel, stride, padding.
        let cases = [
            (3, [1, 4], [9, 7], [3, 3], [1, 1], [1, 1]),
            (5, [6, 8], [12, 10], [3, 3], [2, 1], [1, 1]),
            (2, [4, 3], [11, 13], [5, 3], [2, 3], [2, 0]),
            (4, [3, 5], [8, 8], [1, 1], [2, 2], [0, 0]),
            (2, [2, 2], [4, 3], [3, 3], [1, 1], [2, 2]),
            (3, [2, 3], [7, 5], [7, 1], [1, 1], [3, 0]),
            // Kernels of one value: maps that are multiplied as they are, and maps that are too small for it.
            (3, [6, 5], [7, 9], [1, 1], [1, 1], [0, 0]),
            (3, [6, 5], [3, 5], [1, 1], [1, 1], [0, 0]),
            // One product for each window; one for each group of windows, the last of them not full.
            (7, [32, 16], [40, 24], [3, 3], [1, 1], [1, 1]),
            (11, [500, 4], [3, 4], [3, 3], [1, 1], [1, 1]),
            // Several products are added for the weights, fewer in the last part.
            (19, [3, 4], [6, 5], [3, 3], [1, 1], [1, 1]),
            (19, [4, 3], [3, 4], [3, 3], [1, 1], [1, 1]),
            (11, [4400, 5], [3, 4], [1, 1], [1, 1], [0, 0]),
            // Large weights, whose gradient is computed by rows.
            (5, [290, 203], [3, 4], [3, 3], [2, 1], [1, 1]),
            (1, [290, 203], [3, 4], [3, 3], [1, 1], [1, 1]),
        ];
        let cases = cases.map(|(batch, channels, size, kernel, stride, [high, wide])| {
            (batch, channels, 1, size, kernel, stride, [high, wide, high, wide])
        });
        // One channel a group; uneven padding; strides as wide as the kernel; values beyond the last window.
        let others = [
            (3, [6, 6], 6, [9, 7], [3, 3], [1, 1], [1, 1, 1, 1]),
            (2, [5, 5], 5, [8, 12], [5, 3], [2, 2], [1, 0, 2, 1]),
            (2, [4, 4], 4, [11, 10], [3, 5], [2, 3], [1, 2, 1, 2]),
            (3, [3, 3], 3, [7, 9], [2, 1], [2, 2], [0, 0, 0, 0]),
            (2, [2, 2], 2, [4, 3], [3, 3], [1, 1], [2, 2, 2, 2]),
            (2, [3, 4], 1, [8, 6], [3, 3], [2, 2], [0, 0, 1, 1]),
            // Blocks of lanes and a remainder in every plane.
            (2, [3, 3], 3, [19, 23], [5, 5], [2, 2], [2, 2, 2, 2]),
        ];
        for (batch, channels, groups, size, kernel, stride, [top, left, bottom, right]) in
            cases.into_iter().chain(others)
        {
            let mut layer = Conv2dConfig::new(channels, kernel)
                .with_stride(stride)
                .with_groups(groups)
                .with_padding(PaddingConfig2d::Explicit(top, left, bottom, right))
                .init(&device);
            layer.bias = Some(Param::from_tensor(Tensor::random([channels[1]], NORMAL, &device)));
            let x = Tensor::<4>::random([batch, channels[0], size[0], size[1]], NORMAL, &device);
            let of_parameters = |gradients: &_| {
                let bias = layer.bias.as_ref().expect("it was given one");
                [
                    layer.weight.val().grad(gradients).expect("by the weights").into_data(),
                    bias.val().grad(gradients).expect("by the bias").into_data(),
                ]
            };
            let ours = results(&x, |x| convolve(&layer, x).expect("the place for it"), of_parameters);
            assert_alike(&ours, &results(&x, |x| layer.forward(x.clone()), of_parameters));
        }
        let inference = Tensor::<4>::random([2, 3, 9, 8], NORMAL, &Device::flex());
        let layer = Conv2dConfig::new([3, 4], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(&Device::flex());
        let ours = convolve(&layer, &inference).expect("the place for it").into_data();
        assert_alike(&[ours], &[layer.forward(inference).into_data()]);
    }

    #[test]
    fn normalisations_are_burns() {
        let (device, _alone) = device();
        // With fewer values than lanes, as many, and a remainder.
        for shape in [[4, 3, 5, 7], [2, 6, 1, 1], [9, 2, 8, 8], [3, 2, 9, 17]] {
            let layer = || -> BatchNorm {
                let mut layer = BatchNormConfig::new(shape[1]).init(&device);
                device.seed(7);
                // So that values of a ReLU6 reach both ends.
                layer.gamma = Param::from_tensor(Tensor::random([shape[1]], NORMAL, &device) * 5.0);
                layer.beta = Param::from_tensor(Tensor::random([shape[1]], NORMAL, &device));
                layer
            };
            // Far from 0, like maps after a ReLU.
            let x = Tensor::<4>::random(shape, NORMAL, &device) * 2.0 + 5.0;
            let of = |layer: &BatchNorm, gradients: &_| {
                [&layer.gamma, &layer.beta]
                    .map(|parameter| parameter.val().grad(gradients).expect("a gradient").into_data())
            };
            for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
                let (our, burn) = (layer(), layer());
                let our_layer = |x: &Tensor<4>| normalise(&our, x.clone(), activation);
                let burns_layer = |burn: &BatchNorm, x: &Tensor<4>| {
                    let y = burn.forward(x.clone());
                    match activation {
                        Activation::Identity => y,
                        Activation::Relu => relu(y),
                        Activation::Relu6 => relu6(y),
                    }
                };
                let ours = results(&x, our_layer, |gradients| of(&our, gradients));
                assert_alike(
                    &ours,
                    &results(&x, |x| burns_layer(&burn, x), |gradients| of(&burn, gradients)),
                );
                let running = |layer: &BatchNorm| {
                    [layer.running_mean.value(), layer.running_var.value()].map(Tensor::into_data)
                };
                assert_alike(&running(&our), &running(&burn));
                let inference = x.clone().inner();
                let burns = burns_layer(&burn.valid(), &inference).into_data();
                let kept = inference.clone();
                let ours = normalise(&our.valid(), inference, activation);
                assert_alike(&[ours.into_data()], &[burns]);
                kept.into_data().assert_eq(&x.to_data(), true);
            }
        }
    }

    #[test]
    fn gradients_that_others_need_stay() {
        let (device, _alone) = device();
        // The sum gives its gradient to both terms.
        let x = Tensor::<4>::random([3, 4, 6, 5], NORMAL, &device);
        let depthwise = Conv2dConfig::new([4, 4], [3, 3])
            .with_groups(4)
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(&device);
        let norm: BatchNorm = BatchNormConfig::new(4).init(&device);
        let ours = |x: &Tensor<4>| {
            [
                x.clone() + convolve(&depthwise, x).expect("the place for it"),
                x.clone() + normalise(&norm, x.clone(), Activation::Identity),
                x.clone() + super::silu(x).expect("the place for it"),
            ]
        };
        let burns = |x: &Tensor<4>| {
            [
                x.clone() + depthwise.forward(x.clone()),
                x.clone() + norm.forward(x.clone()),
                x.clone() + silu(x.clone()),
            ]
        };
        for layer in 0..3 {
            let pick = |[a, b, c]: [Tensor<4>; 3]| [a, b, c].into_iter().nth(layer).expect("one of three");
            let ours = results(&x, |x| pick(ours(x)), |_| []);
            assert_alike(&ours, &results(&x, |x| pick(burns(x)), |_| []));
        }
    }

    #[test]
    fn silu_is_burns() {
        let (device, _alone) = device();
        // More values than one task.
        let x = Tensor::<4>::random([3, 5, 40, 31], NORMAL, &device) * 5.0;
        let ours = results(&x, |x| super::silu(x).expect("the place for it"), |_| []);
        assert_alike(&ours, &results(&x, |x| silu(x.clone()), |_| []));
    }

    #[test]
    fn attention_is_burns() {
        let (device, _alone) = device();
        // Fewer tokens than lanes, and more.
        for (batch, tokens, width, heads, share) in
            [(3, 7, 12, 3, 0.0), (2, 131, 24, 2, 0.3), (1, 1, 4, 1, 0.5)]
        {
            let layer = MultiHeadAttentionConfig::new(width, heads)
                .with_dropout(share)
                .with_initializer(Initializer::Normal { mean: 0.0, std: 0.5 })
                .init(&device);
            let of_parameters = |gradients: &_| {
                [&layer.query, &layer.key, &layer.value, &layer.output]
                    .map(|part| part.weight.val().grad(gradients).expect("by the weights").into_data())
            };
            let x = Tensor::<4>::random([1, batch, tokens, width], NORMAL, &device);
            device.seed(7);
            let ours = |x: &Tensor<4>| {
                attend(&layer, &x.clone().squeeze_dim::<3>(0)).expect("the place for it").unsqueeze()
            };
            let ours = results(&x, ours, of_parameters);
            device.seed(7);
            let factors = dropout::factors(&layer.dropout, [batch, heads, tokens, tokens], &device);
            // The layer's formula in burn's operations, with the same values dropped.
            let burns = |x: &Tensor<4>| {
                let x = x.clone().squeeze_dim::<3>(0);
                let [query, key, value] = [&layer.query, &layer.key, &layer.value].map(|part| {
                    part.forward(x.clone()).reshape([batch, tokens, heads, width / heads]).swap_dims(1, 2)
                });
                let scores = query.matmul(key.transpose()) / (width as f64 / heads as f64).sqrt();
                let mut weights = softmax(scores, 3);
                if let Some(factors) = &factors {
                    weights = weights * factors.clone();
                }
                let context = weights.matmul(value).swap_dims(1, 2).reshape([batch, tokens, width]);
                layer.output.forward(context).unsqueeze()
            };
            assert_alike(&ours, &results(&x, burns, of_parameters));
            assert_eq!(factors.is_some(), share > 0.0);
        }
        let config = MultiHeadAttentionConfig::new(6, 2);
        let x = Tensor::<3>::random([2, 5, 6], NORMAL, &device);
        let layer = config.init(&device);
        // Only some of the gradients are needed, or none.
        let mut frozen = layer.clone().no_grad();
        frozen.dropout.prob = 0.0;
        let burns = frozen.forward(MhaInput::self_attn(x.clone())).context.into_data();
        let ours = attend(&frozen, &x).expect("the place for it");
        assert_alike(&[ours.into_data()], &[burns]);
        frozen.key.weight = frozen.key.weight.set_require_grad(true);
        let gradient = |y: Tensor<3>| {
            let gradients = (y.clone() * y).sum().backward();
            frozen.key.weight.val().grad(&gradients).expect("by the key's weights").into_data()
        };
        let ours = gradient(attend(&frozen, &x).expect("the place for it"));
        assert_alike(&[ours], &[gradient(frozen.forward(MhaInput::self_attn(x.clone())).context)]);
        assert!(attend(&config.clone().with_quiet_softmax(true).init(&device), &x).is_none());
        assert!(attend(&layer, &x.inner()).is_none());
    }

    #[test]
    fn dropout_keeps_its_share_and_the_mean() {
        let (device, _alone) = device();
        let layer = DropoutConfig::new(0.3).init();
        let x = Tensor::<4>::ones([4, 8, 64, 50], &device);
        let [y, again] = [1, 2].map(|_| drop_out(&layer, &x).expect("the place for it"));
        let values: Vec<f32> = y.clone().into_data().try_to_vec().expect("f32");
        let kept = values.iter().filter(|&&value| value != 0.0).count() as f64 / values.len() as f64;
        assert!((kept - 0.7).abs() < 0.01, "{kept}");
        assert!(values.iter().all(|&value| value == 0.0 || (value - 1.0 / 0.7).abs() < 1e-6));
        // Neighbours, tasks and calls are independent: two of them keep the same value with 0.7² of the chances.
        let both = |a: &[f32], b: &[f32]| {
            a.iter().zip(b).filter(|(a, b)| **a != 0.0 && **b != 0.0).count() as f64 / b.len() as f64
        };
        let again: Vec<f32> = again.into_data().try_to_vec().expect("f32");
        for other in [&again[..], &values[1..], &values[1 << 14..]] {
            assert!((both(&values, other) - 0.49).abs() < 0.01);
        }
        device.seed(1);
        let first = drop_out(&layer, &x).expect("the place for it").into_data();
        device.seed(1);
        first.assert_eq(&drop_out(&layer, &x).expect("the place for it").into_data(), true);
        assert!(drop_out(&DropoutConfig::new(0.0).init(), &x).is_none());
        assert!(drop_out(&layer, &Tensor::<4>::ones([1, 1, 1, 1], &Device::flex())).is_none());
    }

    #[test]
    fn poolings_are_burns() {
        let (device, _alone) = device();
        for (size, window) in
            [([8, 6], [2, 2]), ([7, 9], [2, 3]), ([5, 4], [5, 1]), ([4, 4], [1, 1]), ([9, 21], [3, 5])]
        {
            let layer = MaxPool2dConfig::new(window).with_strides(window).init();
            let x = Tensor::<4>::random([3, 2, size[0], size[1]], NORMAL, &device);
            let ours = results(&x, |x| max_pool(&layer, x).expect("the place for it"), |_| []);
            assert_alike(&ours, &results(&x, |x| layer.forward(x.clone()), |_| []));
        }
    }
}
