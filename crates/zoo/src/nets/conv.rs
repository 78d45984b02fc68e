//! Stacks of convolutions, from the plain baseline to residual blocks.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::freeze::Freezer;
use super::layers::{
    ConvNorm, Start, Window, average, conv, conv_norm_relu_pool, drop_out, max_pool, normalise,
};
use super::shape_check::{ShapeCheck, check_dropout, check_length};

/// Position of the batch normalisation in a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormPlace {
    /// Nowhere.
    None,
    /// Between the convolution and its ReLU (Ioffe and Szegedy 2015).
    #[default]
    Conv,
    /// After the pooling.
    Pool,
}

/// How the last maps become a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// All values of all maps.
    Flatten,
    /// The mean of each map (Lin et al. 2014, "Network in network").
    #[default]
    Average,
    /// The largest value of each map.
    Max,
    /// The mean and the largest value of each map.
    AverageMax,
}

/// One block: convolution, ReLU, max-pooling, dropout, with optional batch normalisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConvBlockConfig {
    /// Output channels.
    pub channels: usize,
    /// Kernel size of the convolution over rows and columns.
    pub kernel: [usize; 2],
    /// Stride of the convolution.
    pub stride: [usize; 2],
    /// Whether the edges are padded so that a stride of 1 keeps the size.
    pub same: bool,
    /// Position of the batch normalisation.
    pub norm: NormPlace,
    /// Makes it a residual block: a second convolution, and a shortcut around both, with its own
    /// convolution if the size changes (He et al. 2016; here as in Won et al. 2020).
    pub residual: bool,
    /// Window of the max-pooling; `[1, 1]` for none.
    pub pool: [usize; 2],
    /// Stride of the max-pooling, if it differs from the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_stride: Option<[usize; 2]>,
    /// Fraction of the block's values dropped while training.
    pub dropout: f64,
}

impl Default for ConvBlockConfig {
    fn default() -> Self {
        Self {
            channels: 32,
            kernel: [3, 3],
            stride: [1, 1],
            same: true,
            norm: NormPlace::Conv,
            residual: false,
            pool: [1, 1],
            pool_stride: None,
            dropout: 0.0,
        }
    }
}

impl ConvBlockConfig {
    fn window(&self) -> Window {
        let window = Window::new(self.kernel).strided(self.stride);
        if self.same { window.same() } else { window }
    }

    fn pool_window(&self) -> Option<Window> {
        (self.pool != [1, 1] || self.pool_stride.is_some())
            .then(|| Window::new(self.pool).strided(self.pool_stride.unwrap_or(self.pool)))
    }

    fn trace(&self, index: usize, trace: &mut ShapeCheck) -> Result<(), String> {
        check_dropout(self.dropout)?;
        if self.same && self.kernel.iter().any(|side| side % 2 == 0) {
            return Err(format!("block {index}: only odd kernels can be padded equally on both sides"));
        }
        if self.residual && (!self.same || self.norm != NormPlace::Conv) {
            return Err(format!(
                "block {index}: a residual block is padded and normalised after its convolutions"
            ));
        }
        let [inputs, ..] = trace.shape;
        trace.conv(format_args!("block {index}"), self.channels, self.window(), 1)?;
        if self.residual {
            let [height, width] = self.kernel;
            for inputs in [self.channels, inputs] {
                trace.spend(format_args!("block {index}"), &[self.channels, inputs, height, width])?;
            }
        }
        match self.pool_window() {
            Some(window) => trace.pool(format_args!("pooling of block {index}"), window),
            None => Ok(()),
        }
    }

    fn init(&self, inputs: usize, device: &Device) -> ConvBlock {
        let channels = [inputs, self.channels];
        let norm = || BatchNormConfig::new(self.channels).init(device);
        ConvBlock {
            // No bias if a batch normalisation, which has one, follows directly.
            conv: conv(channels, self.window(), 1, self.norm != NormPlace::Conv, Start::FanIn, device),
            conv_norm: (self.norm == NormPlace::Conv).then(norm),
            residual: self.residual.then(|| {
                let layer = |channels, window| ConvNorm::new(channels, window, 1, Start::FanIn, device);
                Residual {
                    second: layer([self.channels; 2], Window::new(self.kernel).same()),
                    short_cut: (inputs != self.channels || self.stride != [1, 1])
                        .then(|| layer(channels, self.window())),
                }
            }),
            pool: self
                .pool_window()
                .map(|window| MaxPool2dConfig::new(window.kernel).with_strides(window.stride).init()),
            pool_norm: (self.norm == NormPlace::Pool).then(norm),
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }
}

/// A stack of blocks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConvConfig {
    /// Whether the input is batch-normalised.
    pub input_norm: bool,
    /// The blocks, in order.
    pub blocks: Vec<ConvBlockConfig>,
    /// How the last block's maps become a vector.
    pub pooling: Pooling,
}

impl ConvConfig {
    /// Checks the stack and returns the number of output values for a part of the input.
    pub(crate) fn trace(&self, part: [usize; 3], trace: &mut ShapeCheck) -> Result<usize, String> {
        check_length("blocks", self.blocks.len(), 1)?;
        trace.enter(part)?;
        for (index, block) in self.blocks.iter().enumerate() {
            block.trace(index, trace)?;
        }
        let [channels, ..] = trace.shape;
        Ok(match self.pooling {
            Pooling::Flatten => trace.values(),
            Pooling::Average | Pooling::Max => channels,
            Pooling::AverageMax => 2 * channels,
        })
    }

    pub(crate) fn init(&self, [channels, ..]: [usize; 3], device: &Device) -> ConvBody {
        let mut inputs = channels;
        let blocks = self
            .blocks
            .iter()
            .map(|block| {
                let built = block.init(inputs, device);
                inputs = block.channels;
                built
            })
            .collect();
        ConvBody {
            input_norm: self.input_norm.then(|| BatchNormConfig::new(channels).init(device)),
            blocks,
            pooling: self.pooling,
        }
    }

    pub(crate) fn summary(&self) -> String {
        let kind =
            if self.blocks.iter().all(|block| block.residual) { "residual blocks" } else { "convolutions" };
        format!("{} {kind}", self.blocks.len())
    }
}

/// The stack of a [`ConvConfig`].
#[derive(Module, Debug)]
pub struct ConvBody {
    input_norm: Option<BatchNorm>,
    blocks: Vec<ConvBlock>,
    #[module(skip)]
    pooling: Pooling,
}

#[derive(Module, Debug)]
struct ConvBlock {
    conv: Conv2d,
    conv_norm: Option<BatchNorm>,
    residual: Option<Residual>,
    pool: Option<MaxPool2d>,
    pool_norm: Option<BatchNorm>,
    dropout: Dropout,
}

#[derive(Module, Debug)]
struct Residual {
    second: ConvNorm,
    short_cut: Option<ConvNorm>,
}

impl ConvBlock {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let normed = |norm: &Option<BatchNorm>, x: Tensor<4>| match norm {
            Some(norm) => normalise(norm, x),
            None => x,
        };
        let x = match &self.residual {
            None => conv_norm_relu_pool(&self.conv, self.conv_norm.as_ref(), self.pool.as_ref(), input),
            Some(residual) => {
                let x = conv_norm_relu_pool(&self.conv, self.conv_norm.as_ref(), None, input.clone());
                let around = match &residual.short_cut {
                    Some(conv) => conv.forward(input),
                    None => input,
                };
                let x = relu(residual.second.forward(x) + around);
                match &self.pool {
                    Some(pool) => max_pool(pool, x),
                    None => x,
                }
            }
        };
        drop_out(&self.dropout, normed(&self.pool_norm, x))
    }
}

impl ConvBody {
    /// # Shapes
    /// `[batch, channels, rows, columns]` → `[batch, values]`
    pub(crate) fn forward(&self, part: Tensor<4>) -> Tensor<2> {
        let x = match &self.input_norm {
            Some(norm) => normalise(norm, part),
            None => part,
        };
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let [batch, channels, ..] = x.dims();
        let largest = |x: Tensor<4>| x.max_dim(3).max_dim(2).reshape([batch, channels]);
        match self.pooling {
            Pooling::Flatten => x.flatten(1, 3),
            Pooling::Average => average(x),
            Pooling::Max => largest(x),
            Pooling::AverageMax => Tensor::cat(vec![average(x.clone()), largest(x)], 1),
        }
    }

    pub(crate) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn frozen(mut self, mut freezer: Freezer) -> Self {
        if freezer.0 > 0 {
            self.input_norm = self.input_norm.map(Module::freeze);
        }
        self.blocks = freezer.all(self.blocks);
        self
    }
}
