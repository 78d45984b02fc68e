//! The networks of `benches/web/networks.mjs` in WebAssembly, for `cargo xtask bench web`.

#![allow(clippy::expect_used, missing_docs)]

use burn::module::{Param, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use cratedigger_cpu_ops::fused::{Block, Pool};
use wasm_bindgen::prelude::wasm_bindgen;

/// A network with its input.
#[wasm_bindgen]
pub struct Bench {
    network: Network,
    x: Tensor<4>,
}

#[wasm_bindgen]
impl Bench {
    /// A network by its name, from all its weights in order.
    #[wasm_bindgen(constructor)]
    pub fn new(name: &str, weights: Vec<f32>, input: Vec<f32>) -> Self {
        let device = Device::flex();
        let mut weights = Weights(weights.into_iter());
        let (network, shape) = if name == "ear" {
            (Network::Ear(Ear::new(&mut weights)), [1, 1, 96, 187])
        } else {
            (Network::SmallCnn(SmallCnn::new(&mut weights)), [4, 1, 128, 39])
        };
        Self { network, x: Tensor::from_data(TensorData::new(input, shape), &device) }
    }

    /// Outputs of the whole batch.
    pub fn run(&self) -> Vec<f32> {
        let y = match &self.network {
            Network::SmallCnn(network) => network.forward(self.x.clone()),
            Network::Ear(network) => network.forward(self.x.clone()),
        };
        y.into_data().try_to_vec().expect("f32")
    }
}

enum Network {
    SmallCnn(SmallCnn),
    Ear(Ear),
}

struct Weights(std::vec::IntoIter<f32>);

impl Weights {
    fn take<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        let values: Vec<f32> = self.0.by_ref().take(shape.iter().product()).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    fn conv(&mut self, channels: [usize; 2], kernel: [usize; 2], padding: [usize; 4]) -> Conv2d {
        let [top, left, bottom, right] = padding;
        let mut conv = Conv2dConfig::new(channels, kernel)
            .with_padding(PaddingConfig2d::Explicit(top, left, bottom, right))
            .init(&Device::flex());
        conv.weight = Param::from_tensor(self.take([channels[1], channels[0], kernel[0], kernel[1]]));
        conv.bias = Some(Param::from_tensor(self.take([channels[1]])));
        conv
    }

    fn norm(&mut self, channels: usize) -> BatchNorm {
        let mut norm = BatchNormConfig::new(channels).init(&Device::flex());
        norm.gamma = Param::from_tensor(self.take([channels]));
        norm.beta = Param::from_tensor(self.take([channels]));
        // `update` would keep the values back until the next synchronisation.
        norm.running_mean = RunningState::new(self.take([channels]));
        norm.running_var = RunningState::new(self.take([channels]));
        norm
    }

    fn dense(&mut self, inputs: usize, outputs: usize) -> Linear {
        let mut linear = LinearConfig::new(inputs, outputs).init(&Device::flex());
        linear.weight = Param::from_tensor(self.take([outputs, inputs]).transpose());
        linear.bias = Some(Param::from_tensor(self.take([outputs])));
        linear
    }
}

struct SmallCnn {
    blocks: Vec<(Conv2d, Option<MaxPool2d>)>,
    head: Linear,
}

impl SmallCnn {
    fn new(weights: &mut Weights) -> Self {
        let blocks = [
            ([1, 24], Some([2, 2])),
            ([24, 48], Some([2, 2])),
            ([48, 80], Some([2, 2])),
            ([80, 128], Some([2, 1])),
            ([128, 128], None),
        ];
        let mut blocks: Vec<(Conv2d, Option<MaxPool2d>)> = blocks
            .into_iter()
            .map(|(channels, pool)| {
                let conv = weights.conv(channels, [3, 3], [1; 4]);
                (conv, pool.map(|pool| MaxPool2dConfig::new(pool).with_strides(pool).init()))
            })
            .collect();
        blocks[0].0.stride = [2, 1];
        Self { blocks, head: weights.dense(128, 10) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.blocks.iter().fold(x, |x, (conv, pool)| {
            let pool = pool.as_ref().map_or(Some(Pool::None), Pool::of).expect("a pool of ours");
            Block::new(conv).with_relu().with_pool(pool).forward(&x).expect("a kernel for it")
        });
        let [batch, channels, ..] = x.dims();
        self.head.forward(x.mean_dim(3).mean_dim(2).reshape([batch, channels]))
    }
}

struct Ear {
    front: Vec<(Conv2d, BatchNorm)>,
    middle: Vec<(Conv2d, BatchNorm)>,
    dense: Linear,
    tags: Linear,
}

impl Ear {
    fn new(weights: &mut Weights) -> Self {
        let mut layer = |channels: [usize; 2], kernel: [usize; 2]| {
            let zeros = kernel[1] - 1;
            let conv = weights.conv(channels, kernel, [0, zeros / 2, 0, zeros - zeros / 2]);
            (conv, weights.norm(channels[1]))
        };
        let front = [(23, [38, 7]), (14, [67, 7]), (3, [1, 128]), (7, [1, 64]), (17, [1, 32])];
        let front = front.into_iter().map(|(outputs, kernel)| layer([1, outputs], kernel)).collect();
        let middle = [[64, 20], [20, 61], [61, 63]].into_iter().map(|channels| layer(channels, [1, 7]));
        let middle = middle.collect();
        Self { front, middle, dense: weights.dense(254, 200), tags: weights.dense(200, 50) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let run = |(conv, norm): &(Conv2d, BatchNorm), x: &Tensor<4>, pool| {
            let block = Block::new(conv).with_relu().with_norm_after(Some(norm)).with_pool(pool);
            block.forward(x).expect("a kernel for it")
        };
        let front = self.front.iter().map(|layer| run(layer, &x, Pool::Rows)).collect();
        let front = Tensor::cat(front, 1);
        let middle = self.middle.iter().fold(front.clone(), |x, layer| run(layer, &x, Pool::None));
        let all = Tensor::cat(vec![front, middle], 1);
        let pooled = Tensor::cat(vec![all.clone().max_dim(3), all.mean_dim(3)], 1);
        self.tags.forward(relu(self.dense.forward(pooled.flatten(1, 3))))
    }
}
