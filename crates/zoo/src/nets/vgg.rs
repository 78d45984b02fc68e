//! VGG-19 (Simonyan and Zisserman 2015), as in torchvision.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::freeze::{Freeze, Freezer};
use super::layers::{Start, Window, conv, conv_norm_relu_pool, linear};
use super::shape_check::{ShapeCheck, check_dropout};

/// Number and channels of the convolutions of each stage; each of the five stages ends with a pooling.
const STAGES: [(usize, usize); 5] = [(2, 64), (2, 128), (4, 256), (4, 512), (4, 512)];
/// Side of the last maps after adaptive pooling.
const POOLED: usize = 7;

/// Sixteen convolutions of 3 × 3 and three dense layers: 144 million parameters for ImageNet's thousand
/// classes, 90 % of them in dense layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vgg19Config {
    /// Width of the two dense layers before the last: 4096 in the paper. Other widths cannot import
    /// weights, but suffice for ten classes.
    pub hidden: usize,
    /// Fraction of these values dropped while training.
    pub dropout: f64,
    /// Whether a batch normalisation follows each convolution: torchvision's `vgg19_bn`. Without it, the network learns
    /// slowly from random weights (docs/experiments.md).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub batch_norm: bool,
}

impl Default for Vgg19Config {
    fn default() -> Self {
        Self { hidden: 4096, dropout: 0.5, batch_norm: false }
    }
}

impl Vgg19Config {
    fn layers() -> impl Iterator<Item = (usize, bool)> {
        STAGES.iter().flat_map(|&(count, channels)| (1..=count).map(move |i| (channels, i == count)))
    }

    /// Whether the network fits its input: one picture of at least 32 × 32.
    ///
    /// # Errors
    /// A sentence that describes the mismatch.
    pub fn validate(&self, parts: &[[usize; 3]]) -> Result<(), String> {
        check_dropout(self.dropout)?;
        let &[part] = parts else {
            return Err(format!("the network takes one picture, not {} parts", parts.len()));
        };
        let mut trace = ShapeCheck::default();
        trace.enter(part)?;
        for (index, (channels, last)) in Self::layers().enumerate() {
            trace.conv(format_args!("convolution {index}"), channels, Window::square(3).same(), 1)?;
            if last {
                trace.pool("pooling", Window::square(2).strided([2, 2]))?;
            }
        }
        trace.linear("dense layer 0", POOLED * POOLED * 512, self.hidden)?;
        trace.linear("dense layer 1", self.hidden, self.hidden)
    }

    /// Builds the network with random weights, initialised as in torchvision (seed the device first), for
    /// an input that [`Vgg19Config::validate`] accepts.
    pub fn init(&self, parts: &[[usize; 3]], classes: usize, device: &Device) -> Vgg19 {
        let mut inputs = parts.first().map_or(3, |&[channels, ..]| channels);
        let norms = Self::layers()
            .map(|(channels, _)| self.batch_norm.then(|| BatchNormConfig::new(channels).init(device)))
            .collect();
        let (features, pools) = Self::layers()
            .map(|(channels, last)| {
                let layer =
                    conv([inputs, channels], Window::square(3).same(), 1, true, Start::FanOut, device);
                inputs = channels;
                (layer, last.then(|| MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init()))
            })
            .unzip();
        let dense = |inputs, outputs| linear(inputs, outputs, Start::Normal(0.01), device);
        Vgg19 {
            features,
            norms,
            pools,
            pool: AdaptiveAvgPool2dConfig::new([POOLED, POOLED]).init(),
            classifier: vec![dense(inputs * POOLED * POOLED, self.hidden), dense(self.hidden, self.hidden)],
            dropout: DropoutConfig::new(self.dropout).init(),
            head: dense(self.hidden, classes),
        }
    }

    /// Pairs of torchvision's name and this network's name of each layer.
    pub fn published_names(&self) -> Vec<(String, String)> {
        let mut names = Vec::new();
        let mut place = 0;
        for (index, (_, last)) in Self::layers().enumerate() {
            names.push((format!("features.{place}"), format!("features.{index}")));
            if self.batch_norm {
                place += 1;
                names.push((format!("features.{place}"), format!("norms.{index}")));
            }
            // torchvision also counts ReLUs and poolings.
            place += if last { 3 } else { 2 };
        }
        let dense =
            [("classifier.0", "classifier.0"), ("classifier.3", "classifier.1"), ("classifier.6", "head")];
        names.extend(dense.map(|(theirs, ours)| (theirs.into(), ours.into())));
        names
    }

    /// Short description.
    pub fn summary(&self) -> String {
        if self.batch_norm { "VGG-19 with batch normalisation" } else { "VGG-19" }.into()
    }
}

/// The network of a [`Vgg19Config`].
#[derive(Module, Debug)]
pub struct Vgg19 {
    features: Vec<Conv2d>,
    norms: Vec<Option<BatchNorm>>,
    pools: Vec<Option<MaxPool2d>>,
    pool: AdaptiveAvgPool2d,
    classifier: Vec<Linear>,
    dropout: Dropout,
    head: Linear,
}

impl Vgg19 {
    /// Logits.
    ///
    /// # Shapes
    /// One part, `[batch, channels, rows, columns]` → `[batch, classes]`
    pub fn forward(&self, parts: &[Tensor<4>]) -> Tensor<2> {
        let mut x = parts[0].clone();
        for ((conv, norm), pool) in self.features.iter().zip(&self.norms).zip(&self.pools) {
            x = conv_norm_relu_pool(conv, norm.as_ref(), pool.as_ref(), x);
        }
        let x: Tensor<2> = self.pool.forward(x).flatten(1, 3);
        let dense = |x, layer: &Linear| self.dropout.forward(relu(layer.forward(x)));
        self.head.forward(self.classifier.iter().fold(x, dense))
    }

    /// Freezes a part of the network; see [`Freeze`]. Each convolution, with its normalisation, and each
    /// of the two dense layers is a block.
    ///
    /// # Errors
    /// The network has fewer blocks.
    pub fn frozen(mut self, what: Freeze) -> Result<Self, String> {
        let blocks = self.features.len() + self.classifier.len();
        let mut freezer = Freezer(what.of(blocks)?);
        if freezer.0 == blocks {
            self.dropout = self.dropout.freeze();
        }
        (self.features, self.norms) =
            self.features.into_iter().zip(self.norms).map(|layer| freezer.one(layer)).unzip();
        self.classifier = freezer.all(self.classifier);
        Ok(self)
    }
}
