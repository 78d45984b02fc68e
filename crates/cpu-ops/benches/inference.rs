//! Times blocks of the small CNN and layers of the ear (musicnn) with the kernels of this crate and with
//! burn's layers, alternately, on one thread.
//!
//! `cargo bench -p cratedigger-cpu-ops -- [ROUNDS]` prints the minimum in milliseconds of each side, the
//! ratio of the minima, and the ratio within a round as median, minimum and maximum.

#![allow(clippy::expect_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Tensor};
use cratedigger_cpu_ops::fused::{Block, Pool};

/// A block of either network.
struct Layer {
    conv: Conv2d,
    norm: BatchNorm,
    /// Whether the normalisation is after the ReLU.
    after: bool,
    /// Max-pooling over windows; `None` for the maximum over all rows.
    pool: Option<MaxPool2d>,
}

impl Layer {
    fn new(channels: [usize; 2], kernel: [usize; 2], padding: [usize; 4]) -> Self {
        let device = Device::flex();
        let [top, left, bottom, right] = padding;
        let conv = Conv2dConfig::new(channels, kernel)
            .with_padding(PaddingConfig2d::Explicit(top, left, bottom, right))
            .init(&device);
        Self { conv, norm: BatchNormConfig::new(channels[1]).init(&device), after: false, pool: None }
    }

    fn ours(&self, x: &Tensor<4>) -> Tensor<4> {
        let block = Block::new(&self.conv).with_relu();
        let norm = Some(&self.norm);
        let block = if self.after { block.with_norm_after(norm) } else { block.with_norm(norm) };
        let pool = self.pool.as_ref().map_or(Some(Pool::Rows), Pool::of).expect("a pool of ours");
        block.with_pool(pool).forward(x).expect("a kernel for it")
    }

    fn burns(&self, x: &Tensor<4>) -> Tensor<4> {
        let y = self.conv.forward(x.clone());
        let y = if self.after { self.norm.forward(relu(y)) } else { relu(self.norm.forward(y)) };
        match &self.pool {
            Some(pool) if pool.kernel_size == [1, 1] => y,
            Some(pool) => pool.forward(y),
            None => y.max_dim(2),
        }
    }
}

fn small_cnn() -> Vec<Layer> {
    let blocks = [
        ([1, 24], [2, 2]),
        ([24, 48], [2, 2]),
        ([48, 80], [2, 2]),
        ([80, 128], [2, 1]),
        ([128, 128], [1, 1]),
    ];
    let layer = |(index, (channels, pool)): (usize, ([usize; 2], [usize; 2]))| {
        let mut layer = Layer::new(channels, [3, 3], [1; 4]);
        layer.conv.stride = if index == 0 { [2, 1] } else { [1, 1] };
        layer.pool = Some(MaxPool2dConfig::new(pool).with_strides(pool).init());
        layer
    };
    blocks.into_iter().enumerate().map(layer).collect()
}

fn ear(channels: [usize; 2], kernel: [usize; 2]) -> Vec<Layer> {
    let zeros = kernel[1] - 1;
    let mut layer = Layer::new(channels, kernel, [0, zeros / 2, 0, zeros - zeros / 2]);
    layer.after = true;
    vec![layer]
}

fn milliseconds(mut run: impl FnMut() -> Tensor<4>) -> f64 {
    let start = Instant::now();
    black_box(run());
    start.elapsed().as_secs_f64() * 1e3
}

fn median(values: &[f64]) -> f64 {
    values[values.len() / 2]
}

fn main() {
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(15_usize);
    let device = Device::flex();
    let tasks = [
        ("small-cnn, a segment (in batches of 4)", small_cnn(), [4, 1, 128, 39]),
        ("ear 38 × 7 → 23, maximum over bands", ear([1, 23], [38, 7]), [1, 1, 96, 187]),
        ("ear 67 × 7 → 14, maximum over bands", ear([1, 14], [67, 7]), [1, 1, 96, 187]),
        ("ear 1 × 128 → 3, maximum over bands", ear([1, 3], [1, 128]), [1, 1, 96, 187]),
        ("ear 1 × 64 → 7, maximum over bands", ear([1, 7], [1, 64]), [1, 1, 96, 187]),
        ("ear 1 × 32 → 17, maximum over bands", ear([1, 17], [1, 32]), [1, 1, 96, 187]),
        ("ear 64 × 7 → 20", ear([64, 20], [1, 7]), [1, 64, 1, 187]),
        ("ear 20 × 7 → 61", ear([20, 61], [1, 7]), [1, 20, 1, 187]),
        ("ear 61 × 7 → 63", ear([61, 63], [1, 7]), [1, 61, 1, 187]),
    ];
    println!(
        "| {:<40} | {:>8} | {:>8} | {:>11} | {:>24} |",
        "one thread, ms", "ours", "burn", "burn / ours", "within a round"
    );
    println!("|{:-<42}|{:->9}:|{:->9}:|{:->12}:|{:->25}:|", "", "", "", "", "");
    for (name, layers, shape) in tasks {
        let x = Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let run = |of: fn(&Layer, &Tensor<4>) -> Tensor<4>| {
            milliseconds(|| layers.iter().fold(x.clone(), |x, layer| of(layer, &x))) / shape[0] as f64
        };
        let mut times: Vec<[f64; 2]> = (0..=rounds).map(|_| [run(Layer::ours), run(Layer::burns)]).collect();
        times.remove(0); // packs weights, allocates
        let sorted = |of: &dyn Fn(&[f64; 2]) -> f64| {
            let mut values: Vec<f64> = times.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let (ours, burns) = (sorted(&|times| times[0]), sorted(&|times| times[1]));
        let ratios = sorted(&|times| times[1] / times[0]);
        let least = |values: &[f64]| values.first().copied().unwrap_or(f64::NAN);
        println!(
            "| {name:<40} | {:>8.3} | {:>8.3} | {:>11.2} | {:>6.2} ({:>5.2} to {:>6.2}) |",
            least(&ours),
            least(&burns),
            least(&burns) / least(&ours),
            median(&ratios),
            least(&ratios),
            ratios.last().copied().unwrap_or(f64::NAN),
        );
    }
}
