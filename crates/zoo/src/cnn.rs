//! A small convolutional network on log-mel windows, or anything else with rows and columns.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Initializer, Linear, LinearConfig, PaddingConfig2d,
};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::nets::{Freeze, Freezer, convolve, max_pool, normalise};

/// One block: 3 × 3 convolution, batch normalisation, ReLU, max-pooling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Output channels.
    pub channels: usize,
    /// Stride of the convolution over bands and columns.
    #[serde(default = "ones")]
    pub stride: [usize; 2],
    /// Window and stride of the pooling over bands and columns; `[1, 1]` for none.
    #[serde(default = "ones")]
    pub pool: [usize; 2],
}

fn ones() -> [usize; 2] {
    [1, 1]
}

/// What defines a [`Cnn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnConfig {
    /// The blocks, in order.
    pub blocks: Vec<Block>,
    /// Share of the pooled features dropped while training.
    pub dropout: f64,
}

impl CnnConfig {
    /// The network shipped first: five blocks of 24 to 128 channels, 0.29 million parameters.
    pub fn small() -> Self {
        let block = |channels, stride, pool| Block { channels, stride, pool };
        Self {
            blocks: vec![
                block(24, [2, 1], [2, 2]),
                block(48, [1, 1], [2, 2]),
                block(80, [1, 1], [2, 2]),
                block(128, [1, 1], [2, 1]),
                block(128, [1, 1], [1, 1]),
            ],
            dropout: 0.3,
        }
    }

    /// Whether an input survives all blocks, and all sizes make sense. `parts` holds
    /// `[channels, rows, columns]` of each part of the input.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub fn validate(&self, parts: &[[usize; 3]]) -> Result<(), String> {
        let [[_, bands, columns]] = *parts else {
            return Err(format!("this network takes one input, the recipe has {}", parts.len()));
        };
        if self.blocks.is_empty() || self.blocks.len() > 64 {
            return Err("the network needs 1 to 64 blocks".into());
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(format!("dropout {} is not in 0…1", self.dropout));
        }
        let mut size = [bands, columns];
        for (index, block) in self.blocks.iter().enumerate() {
            if block.channels == 0 || block.channels > 4096 {
                return Err(format!("block {index}: {} channels", block.channels));
            }
            for ((size, stride), pool) in size.iter_mut().zip(block.stride).zip(block.pool) {
                if stride == 0 || pool == 0 {
                    return Err(format!("block {index}: stride and pool must be at least 1"));
                }
                *size = size.div_ceil(stride) / pool;
                if *size == 0 {
                    return Err(format!("block {index}: nothing is left of {bands} × {columns} values"));
                }
            }
        }
        Ok(())
    }

    /// A few words for people.
    pub fn summary(&self) -> String {
        format!("CNN of {} convolutions", self.blocks.len())
    }

    /// Builds the network with random weights on a device (seed it first).
    pub fn init(&self, parts: &[[usize; 3]], classes: usize, device: &Device) -> Cnn {
        let mut inputs = parts.first().map_or(1, |[channels, ..]| *channels);
        let mut convolutions = Vec::with_capacity(self.blocks.len());
        let mut norms = Vec::with_capacity(self.blocks.len());
        let mut pools = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            convolutions.push(
                Conv2dConfig::new([inputs, block.channels], [3, 3])
                    .with_stride(block.stride)
                    .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                    .with_bias(false) // the normalisation that follows has one
                    .with_initializer(Initializer::KaimingNormal {
                        gain: std::f64::consts::SQRT_2,
                        fan_out_only: false,
                    })
                    .init(device),
            );
            norms.push(BatchNormConfig::new(block.channels).init(device));
            pools.push(
                (block.pool != [1, 1])
                    .then(|| MaxPool2dConfig::new(block.pool).with_strides(block.pool).init()),
            );
            inputs = block.channels;
        }
        Cnn {
            convolutions,
            norms,
            pools,
            dropout: DropoutConfig::new(self.dropout).init(),
            head: LinearConfig::new(inputs, classes).init(device),
        }
    }
}

/// The network: blocks, global average pooling, dropout, one linear layer.
#[derive(Module, Debug)]
pub struct Cnn {
    convolutions: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
    pools: Vec<Option<MaxPool2d>>,
    dropout: Dropout,
    head: Linear,
}

impl Cnn {
    /// Logits of a batch of windows.
    ///
    /// # Shapes
    /// One part of `[batch, channels, rows, columns]` → `[batch, classes]`
    ///
    /// # Panics
    /// No part.
    pub fn forward(&self, parts: &[Tensor<4>]) -> Tensor<2> {
        let mut x = parts[0].clone();
        for ((convolution, norm), pool) in self.convolutions.iter().zip(&self.norms).zip(&self.pools) {
            x = relu(normalise(norm, convolve(convolution, x)));
            if let Some(pool) = pool {
                x = max_pool(pool, x);
            }
        }
        let [batch, channels, ..] = x.dims();
        let pooled = x.mean_dim(3).mean_dim(2).reshape([batch, channels]);
        self.head.forward(self.dropout.forward(pooled))
    }
    /// Freezes a part of the network; see [`Freeze`].
    ///
    /// # Errors
    /// There are not so many blocks.
    pub fn frozen(mut self, what: Freeze) -> Result<Self, String> {
        let count = what.of(self.convolutions.len())?;
        self.convolutions = Freezer(count).all(self.convolutions);
        self.norms = Freezer(count).all(self.norms);
        Ok(self)
    }
}
