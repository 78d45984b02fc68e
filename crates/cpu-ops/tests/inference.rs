//! Convolutions for inference compared with sums in double precision and with burn's layers.

#![allow(clippy::expect_used)]

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Tensor};
use cratedigger_cpu_ops::fused::{Block, Pool};
use cratedigger_cpu_ops::{Epilogue, Error, Kernel, Window, conv_columns, conv_max_over_bands};
use proptest::prelude::*;

/// Largest accepted difference, relative to the largest value.
const TOLERANCE: f32 = 1e-5;

fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn assert_alike(ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len());
    let scale = theirs.iter().fold(1e-3_f32, |scale, value| scale.max(value.abs()));
    for (index, (our, their)) in ours.iter().zip(theirs).enumerate() {
        let difference = (our - their).abs() / scale;
        assert!(difference <= TOLERANCE, "value {index}: {our}, not {their}");
    }
}

/// Reference: plain loops in double precision.
fn reference(window: &Window, x: &[f32], weights: &[f32], epilogue: &Epilogue<'_>) -> Vec<f32> {
    let Window { inputs, outputs, size: [rows, columns], kernel, stride, padding, pool } = *window;
    let [down, across] = window.positions().expect("positions");
    let [pooled_down, pooled_across] = window.pooled().expect("outputs");
    let value = |x: &[f32], input: usize, row: usize, column: usize| {
        let row = row.checked_sub(padding[0]).filter(|&row| row < rows);
        let column = column.checked_sub(padding[1]).filter(|&column| column < columns);
        row.zip(column).map_or(0.0, |(row, column)| f64::from(x[(input * rows + row) * columns + column]))
    };
    let output = |x: &[f32], output: usize, row: usize, column: usize| {
        let mut sum = 0.0;
        for input in 0..inputs {
            for i in 0..kernel[0] {
                for j in 0..kernel[1] {
                    let weight = weights[((output * inputs + input) * kernel[0] + i) * kernel[1] + j];
                    sum += f64::from(weight) * value(x, input, row * stride[0] + i, column * stride[1] + j);
                }
            }
        }
        let of = |values: &[f32], missing| values.get(output).map_or(missing, |&value| f64::from(value));
        let sum = of(epilogue.before[0], 1.0) * sum + of(epilogue.before[1], 0.0);
        let sum = if epilogue.relu { sum.max(0.0) } else { sum };
        of(epilogue.after[0], 1.0) * sum + of(epilogue.after[1], 0.0)
    };
    let mut y = Vec::new();
    for x in x.chunks_exact(inputs * rows * columns) {
        for channel in 0..outputs {
            let map: Vec<f64> = (0..down * across)
                .map(|position| output(x, channel, position / across, position % across))
                .collect();
            for row in 0..pooled_down {
                for column in 0..pooled_across {
                    let window = (0..pool[0] * pool[1]).map(|index| {
                        let (i, j) = (index / pool[1], index % pool[1]);
                        map[(row * pool[0] + i) * across + column * pool[1] + j]
                    });
                    y.push(window.fold(f64::NEG_INFINITY, f64::max) as f32);
                }
            }
        }
    }
    y
}

fn windows() -> impl Strategy<Value = Window> {
    let side = |least: usize, most: usize| (least..=most, least..=most).prop_map(|(a, b)| [a, b]);
    let padding = [0..4_usize, 0..4, 0..4, 0..4];
    (1..=7_usize, 1..=40_usize, side(1, 15), side(1, 7), side(1, 3), padding, side(1, 3))
        .prop_map(|(inputs, outputs, size, kernel, stride, padding, pool)| Window {
            inputs,
            outputs,
            size,
            kernel,
            stride,
            padding,
            pool,
        })
        .prop_filter("outputs", |window| window.pooled().is_some())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn kernels_are_their_definition(
        window in windows(),
        batch in prop::sample::select(vec![1_usize, 2, 5]),
        relu in any::<bool>(),
        [has_before, has_after] in any::<[bool; 2]>(),
        seed in any::<u64>(),
    ) {
        let x = noise(batch * window.inputs * window.size[0] * window.size[1], seed);
        let weights = noise(window.weights(), seed ^ 1);
        // Factors of both signs: with a negative factor, the maximum belongs to the smallest sum.
        let factors = [2, 3, 4, 5].map(|salt| noise(window.outputs, seed ^ salt));
        let part = |has: bool, index: usize| if has { factors[index].as_slice() } else { &[] };
        let epilogue = Epilogue {
            before: [part(has_before, 0), part(has_before, 1)],
            relu,
            after: [part(has_after, 2), part(has_after, 3)],
        };
        let kernel = Kernel::new(window, &weights, &epilogue).expect("a kernel");
        let ours = kernel.run(&x, &epilogue).expect("outputs");
        assert_alike(&ours, &reference(&window, &x, &weights, &epilogue));
    }
}

#[test]
fn the_ears_layers_are_their_definition() {
    let (bands, columns) = (20, 31);
    let x = noise(2 * bands * columns, 1);
    for (outputs, kernel, padding) in [
        (23, [9, 7], [0, 3, 0, 3]),
        (14, [17, 7], [0, 3, 0, 3]),
        (7, [1, 16], [0, 7, 0, 8]),
        (3, [1, 9], [0, 4, 0, 4]),
    ] {
        let window = Window { padding, ..Window::new([1, outputs], [bands, columns], kernel) };
        let weights = noise(window.weights(), 2);
        let (bias, scale, shift) = (noise(outputs, 3), noise(outputs, 4), noise(outputs, 5));
        let epilogue = Epilogue { before: [&[], &bias], relu: true, after: [&scale, &shift] };
        let ours = conv_max_over_bands(window, &x, &weights, &epilogue).expect("maxima");
        let high = window.positions().expect("positions")[0];
        let pooled = Window { pool: [high, 1], ..window };
        assert_alike(&ours, &reference(&pooled, &x, &weights, &epilogue));
    }
    for (inputs, outputs, kernel) in [(13, 20, 7), (20, 61, 7), (5, 4, 4)] {
        let x = noise(2 * inputs * columns, 6);
        let weights = noise(outputs * inputs * kernel, 7);
        let epilogue = Epilogue { relu: true, ..Epilogue::default() };
        let ours = conv_columns([inputs, outputs], columns, kernel, &x, &weights, &epilogue).expect("maps");
        let before = (kernel - 1) / 2;
        let window = Window {
            padding: [0, before, 0, kernel - 1 - before],
            ..Window::new([inputs, outputs], [1, columns], [1, kernel])
        };
        assert_alike(&ours, &reference(&window, &x, &weights, &epilogue));
    }
}

#[test]
fn sizes_that_do_not_fit_are_errors() {
    let window = Window::new([2, 3], [4, 4], [3, 3]);
    let epilogue = Epilogue::default();
    let weights = noise(window.weights(), 1);
    let empty = [
        Window { size: [2, 4], ..window },
        Window { stride: [0, 1], ..window },
        Window { pool: [3, 1], ..window },
        Window { outputs: 0, ..window },
        Window { kernel: [0, 3], ..window },
    ];
    for window in empty {
        let kernel = Kernel::new(window, &noise(window.weights(), 1), &epilogue);
        assert!(matches!(kernel, Err(Error::Empty(_))), "{window:?}");
    }
    assert!(matches!(Kernel::new(window, &weights[1..], &epilogue), Err(Error::Length { .. })));
    let kernel = Kernel::new(window, &weights, &epilogue).expect("a kernel");
    assert!(matches!(kernel.run(&[0.0; 31], &epilogue), Err(Error::Length { .. })));
    let short = Epilogue { before: [&[], &[1.0]], ..epilogue };
    assert!(matches!(kernel.run(&[0.0; 32], &short), Err(Error::Length { .. })));
    assert!(kernel.run(&[], &epilogue).expect("no outputs").is_empty());
}

const NORMAL: Distribution = Distribution::Normal(0.0, 1.0);

fn device() -> Device {
    let device = Device::flex();
    device.seed(1);
    device
}

fn conv(channels: [usize; 2], kernel: [usize; 2], stride: [usize; 2], padding: [usize; 4]) -> Conv2d {
    let device = device();
    let [top, left, bottom, right] = padding;
    let mut conv = Conv2dConfig::new(channels, kernel)
        .with_stride(stride)
        .with_padding(PaddingConfig2d::Explicit(top, left, bottom, right))
        .init(&device);
    conv.bias = Some(Param::from_tensor(Tensor::random([channels[1]], NORMAL, &device)));
    conv
}

fn norm(channels: usize) -> BatchNorm {
    let device = device();
    let mut norm = BatchNormConfig::new(channels).init(&device);
    let random = || Tensor::<1>::random([channels], NORMAL, &device);
    norm.gamma = Param::from_tensor(random());
    norm.beta = Param::from_tensor(random());
    norm.running_mean.update(random());
    norm.running_var.update(random().abs() + 0.1);
    norm
}

fn layers(block: &Block<'_>, pool: Option<&MaxPool2d>, x: Tensor<4>) -> Vec<f32> {
    let mut y = block.conv.forward(x);
    if let Some(norm) = block.norm {
        y = norm.forward(y);
    }
    if block.relu {
        y = relu(y);
    }
    if let Some(norm) = block.norm_after {
        y = norm.forward(y);
    }
    if block.pool == Pool::Rows {
        y = y.max_dim(2);
    }
    if let Some(pool) = pool {
        y = pool.forward(y);
    }
    y.into_data().try_to_vec().expect("f32")
}

fn assert_is_layers(block: &Block<'_>, pool: Option<&MaxPool2d>, x: &Tensor<4>) {
    let ours = block.forward(x).expect("a kernel for it");
    assert_alike(&ours.into_data().try_to_vec().expect("f32"), &layers(block, pool, x.clone()));
}

#[test]
fn blocks_are_burns_layers() {
    let device = device();
    let cases = [
        (1, [1, 24], [33, 39], [3, 3], [2, 1], [1; 4], [2, 2]),
        (5, [24, 48], [16, 19], [3, 3], [1, 1], [1; 4], [2, 2]),
        (2, [7, 13], [9, 2], [5, 3], [2, 2], [2, 1, 2, 1], [1, 1]),
        (4, [80, 128], [4, 4], [3, 3], [1, 1], [1; 4], [2, 1]),
        (3, [2, 5], [11, 12], [7, 7], [3, 3], [3, 2, 0, 1], [1, 1]),
    ];
    for (batch, channels, size, kernel, stride, padding, window) in cases {
        let conv = conv(channels, kernel, stride, padding);
        let (before, after) = (norm(channels[1]), norm(channels[1]));
        let x = Tensor::<4>::random([batch, channels[0], size[0], size[1]], NORMAL, &device);
        let pool = MaxPool2dConfig::new(window).with_strides(window).init();
        let plain = Block::new(&conv);
        assert_is_layers(&plain, None, &x);
        assert_is_layers(&plain.with_norm(Some(&before)), None, &x);
        let pooled = plain.with_norm(Some(&before)).with_relu().with_pool(Pool::of(&pool).expect("a pool"));
        assert_is_layers(&pooled, Some(&pool), &x);
        assert_is_layers(&plain.with_relu().with_norm_after(Some(&after)).with_pool(Pool::Rows), None, &x);
    }
}

#[test]
fn packed_weights_follow_the_layer() {
    let device = device();
    let x = Tensor::<4>::random([1, 3, 8, 8], NORMAL, &device);
    let mut conv = conv([3, 5], [3, 3], [1, 1], [1; 4]);
    for _ in 0..3 {
        assert_is_layers(&Block::new(&conv), None, &x);
        // A new tensor in the same layer, possibly at the same address.
        conv.weight = Param::from_tensor(Tensor::random([5, 3, 3, 3], NORMAL, &device));
        assert_is_layers(&Block::new(&conv), None, &x);
        // The same tensor, for another size of input, and with negative factors.
        let wide = Tensor::<4>::random([2, 3, 5, 17], NORMAL, &device);
        assert_is_layers(&Block::new(&conv).with_norm(Some(&norm(5))).with_pool(Pool::Rows), None, &wide);
    }
}

#[test]
fn others_are_left_to_burn() {
    let device = device();
    let x = Tensor::<4>::random([1, 4, 8, 8], NORMAL, &device);
    let layer = |config: Conv2dConfig| config.init(&device);
    for conv in [
        layer(Conv2dConfig::new([4, 4], [3, 3]).with_groups(2)),
        layer(Conv2dConfig::new([4, 4], [3, 3]).with_dilation([2, 2])),
        layer(Conv2dConfig::new([4, 4], [1, 1])),
        layer(Conv2dConfig::new([4, 4], [9, 9])),
    ] {
        assert!(Block::new(&conv).forward(&x).is_none());
    }
    let overlapping = MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).init();
    assert_eq!(Pool::of(&overlapping), None);
    let conv = conv([4, 4], [3, 3], [1, 1], [1; 4]);
    assert!(Block::new(&conv).forward(&(x.clone() * f32::NAN)).is_none());
    #[cfg(feature = "training")]
    assert!(Block::new(&conv).forward(&Tensor::zeros([1, 4, 8, 8], &device.autodiff())).is_none());
}
