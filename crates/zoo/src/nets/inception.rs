//! Inception v3 (Szegedy et al. 2016, "Rethinking the inception architecture"), as in torchvision.
//!
//! It has no auxiliary classifier, which only helps training from scratch on a million pictures and is
//! not used for predictions.

use burn::module::Module;
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::freeze::{Freeze, Freezer};
use super::layers::{Activation, ConvNorm, Start, Window, average, linear};
use super::shape_check::{ShapeCheck, check_dropout};

/// Initial weights of all layers, as in torchvision.
const DEVIATION: Start = Start::Normal(0.1);
const EPSILON: f64 = 1e-3;

/// A convolution: torchvision's name, output channels, window.
#[derive(Clone, Copy)]
struct Layer(&'static str, usize, Window);

const fn point(name: &'static str, channels: usize) -> Layer {
    Layer(name, channels, Window::square(1))
}

const fn same(name: &'static str, channels: usize, kernel: [usize; 2]) -> Layer {
    Layer(name, channels, Window::new(kernel).same())
}

const fn halving(name: &'static str, channels: usize) -> Layer {
    Layer(name, channels, Window::square(3).strided([2, 2]))
}

/// The convolutions before the first inception module. A pooling follows the third and the fifth.
const STEM: [Layer; 5] = [
    halving("Conv2d_1a_3x3", 32),
    Layer("Conv2d_2a_3x3", 32, Window::square(3)),
    same("Conv2d_2b_3x3", 64, [3, 3]),
    point("Conv2d_3b_1x1", 80),
    Layer("Conv2d_4a_3x3", 192, Window::square(3)),
];
const STEM_POOLED: [usize; 2] = [2, 4];
const POOL: Window = Window::square(3).strided([2, 2]);

/// A chain of convolutions; those of `fork` run in parallel at its end.
struct ChainPlan {
    layers: Vec<Layer>,
    fork: Vec<Layer>,
}

/// An inception module: parallel chains and a pooling, either average pooling with a convolution after
/// it, or max-pooling, which halves the size as the chains do.
struct MixturePlan {
    name: &'static str,
    chains: Vec<ChainPlan>,
    pooled: Option<Layer>,
}

fn chain<const N: usize>(layers: [Layer; N]) -> ChainPlan {
    ChainPlan { layers: layers.into(), fork: Vec::new() }
}

fn forked<const N: usize>(layers: [Layer; N], fork: [Layer; 2]) -> ChainPlan {
    ChainPlan { layers: layers.into(), fork: fork.into() }
}

fn mixtures() -> Vec<MixturePlan> {
    // The letters are those of torchvision.
    let a = |name, pooled| MixturePlan {
        name,
        chains: vec![
            chain([point("branch1x1", 64)]),
            chain([point("branch5x5_1", 48), same("branch5x5_2", 64, [5, 5])]),
            chain([
                point("branch3x3dbl_1", 64),
                same("branch3x3dbl_2", 96, [3, 3]),
                same("branch3x3dbl_3", 96, [3, 3]),
            ]),
        ],
        pooled: Some(point("branch_pool", pooled)),
    };
    let b = MixturePlan {
        name: "Mixed_6a",
        chains: vec![
            chain([halving("branch3x3", 384)]),
            chain([
                point("branch3x3dbl_1", 64),
                same("branch3x3dbl_2", 96, [3, 3]),
                halving("branch3x3dbl_3", 96),
            ]),
        ],
        pooled: None,
    };
    let c = |name, between| MixturePlan {
        name,
        chains: vec![
            chain([point("branch1x1", 192)]),
            chain([
                point("branch7x7_1", between),
                same("branch7x7_2", between, [1, 7]),
                same("branch7x7_3", 192, [7, 1]),
            ]),
            chain([
                point("branch7x7dbl_1", between),
                same("branch7x7dbl_2", between, [7, 1]),
                same("branch7x7dbl_3", between, [1, 7]),
                same("branch7x7dbl_4", between, [7, 1]),
                same("branch7x7dbl_5", 192, [1, 7]),
            ]),
        ],
        pooled: Some(point("branch_pool", 192)),
    };
    let d = MixturePlan {
        name: "Mixed_7a",
        chains: vec![
            chain([point("branch3x3_1", 192), halving("branch3x3_2", 320)]),
            chain([
                point("branch7x7x3_1", 192),
                same("branch7x7x3_2", 192, [1, 7]),
                same("branch7x7x3_3", 192, [7, 1]),
                halving("branch7x7x3_4", 192),
            ]),
        ],
        pooled: None,
    };
    let e = |name| MixturePlan {
        name,
        chains: vec![
            chain([point("branch1x1", 320)]),
            forked(
                [point("branch3x3_1", 384)],
                [same("branch3x3_2a", 384, [1, 3]), same("branch3x3_2b", 384, [3, 1])],
            ),
            forked(
                [point("branch3x3dbl_1", 448), same("branch3x3dbl_2", 384, [3, 3])],
                [same("branch3x3dbl_3a", 384, [1, 3]), same("branch3x3dbl_3b", 384, [3, 1])],
            ),
        ],
        pooled: Some(point("branch_pool", 192)),
    };
    vec![
        a("Mixed_5b", 32),
        a("Mixed_5c", 64),
        a("Mixed_5d", 64),
        b,
        c("Mixed_6b", 128),
        c("Mixed_6c", 160),
        c("Mixed_6d", 160),
        c("Mixed_6e", 192),
        d,
        e("Mixed_7b"),
        e("Mixed_7c"),
    ]
}

/// Eleven inception modules: 24 million parameters for a thousand classes, 22 million for ten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InceptionV3Config {
    /// Fraction of the last values dropped while training.
    pub dropout: f64,
    /// Whether a picture normalised with ImageNet's means and deviations is rescaled to −1…1 first, as in
    /// torchvision for its trained weights.
    pub transform_input: bool,
}

impl Default for InceptionV3Config {
    fn default() -> Self {
        Self { dropout: 0.5, transform_input: false }
    }
}

impl InceptionV3Config {
    /// Whether the network fits its input: one picture of at least 75 × 75.
    ///
    /// # Errors
    /// A sentence that describes the mismatch.
    pub fn validate(&self, parts: &[[usize; 3]]) -> Result<(), String> {
        check_dropout(self.dropout)?;
        let &[part] = parts else {
            return Err(format!("the network takes one picture, not {} parts", parts.len()));
        };
        if self.transform_input && part[0] != 3 {
            return Err(format!("only a picture of 3 channels can be transformed, not of {}", part[0]));
        }
        let mut trace = ShapeCheck::default();
        trace.enter(part)?;
        for (index, Layer(name, channels, window)) in STEM.into_iter().enumerate() {
            trace.conv(name, channels, window, 1)?;
            if STEM_POOLED.contains(&index) {
                trace.pool("pooling", POOL)?;
            }
        }
        for mixture in mixtures() {
            let input = trace.shape;
            let mut channels = if mixture.pooled.is_none() { input[0] } else { 0 };
            let mut output = input;
            for chain in mixture.chains {
                trace.shape = input;
                for Layer(name, channels, window) in chain.layers {
                    trace.conv(name, channels, window, 1)?;
                }
                // All branches have the same size, and the largest is checked.
                let maps: usize = chain.fork.iter().map(|layer| layer.1).sum();
                channels += if maps > 0 { maps } else { trace.shape[0] };
                output = trace.shape;
            }
            channels += mixture.pooled.map_or(0, |layer| layer.1);
            trace.shape = [channels, output[1], output[2]];
        }
        Ok(())
    }

    /// Builds the network with random weights, initialised as in torchvision (seed the device first), for
    /// an input that [`InceptionV3Config::validate`] accepts.
    pub fn init(&self, parts: &[[usize; 3]], classes: usize, device: &Device) -> InceptionV3 {
        let mut inputs = parts.first().map_or(3, |&[channels, ..]| channels);
        let build = |&Layer(_, outputs, window): &Layer, inputs: usize| {
            ConvNorm::new([inputs, outputs], window, 1, DEVIATION, device).with_epsilon(EPSILON)
        };
        let build_all = |layers: &[Layer], inputs: &mut usize| -> Vec<ConvNorm> {
            layers.iter().map(|layer| build(layer, std::mem::replace(inputs, layer.1))).collect()
        };
        let stem = build_all(&STEM, &mut inputs);
        let mixtures = mixtures()
            .into_iter()
            .map(|plan| {
                let mut outputs = 0;
                let chains = plan
                    .chains
                    .iter()
                    .map(|chain| {
                        let mut width = inputs;
                        let layers = build_all(&chain.layers, &mut width);
                        let fork = chain.fork.iter().map(|layer| build(layer, width)).collect();
                        let maps: usize = chain.fork.iter().map(|layer| layer.1).sum();
                        outputs += if maps > 0 { maps } else { width };
                        Chain { layers, fork }
                    })
                    .collect();
                let mean = plan.pooled.map(|layer| {
                    outputs += layer.1;
                    MeanBranch {
                        pool: AvgPool2dConfig::new([3, 3])
                            .with_strides([1, 1])
                            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                            .init(),
                        conv: build(&layer, inputs),
                    }
                });
                let largest = plan.pooled.is_none().then(|| {
                    outputs += inputs;
                    max_pool()
                });
                inputs = outputs;
                Mixture { chains, mean, largest }
            })
            .collect();
        InceptionV3 {
            stem,
            pool: max_pool(),
            mixtures,
            dropout: DropoutConfig::new(self.dropout).init(),
            head: linear(inputs, classes, DEVIATION, device),
            transform_input: self.transform_input,
        }
    }

    /// Pairs of torchvision's name and this network's name of each layer.
    pub fn published_names(&self) -> Vec<(String, String)> {
        let mut names = Vec::new();
        let mut add = |theirs: String, ours: String| {
            names.push((format!("{theirs}.conv"), format!("{ours}.conv")));
            names.push((format!("{theirs}.bn"), format!("{ours}.norm")));
        };
        for (index, layer) in STEM.iter().enumerate() {
            add(layer.0.into(), format!("stem.{index}"));
        }
        for (number, mixture) in mixtures().into_iter().enumerate() {
            let theirs = |layer: &Layer| format!("{}.{}", mixture.name, layer.0);
            for (place, chain) in mixture.chains.iter().enumerate() {
                let ours = format!("mixtures.{number}.chains.{place}");
                for (index, layer) in chain.layers.iter().enumerate() {
                    add(theirs(layer), format!("{ours}.layers.{index}"));
                }
                for (index, layer) in chain.fork.iter().enumerate() {
                    add(theirs(layer), format!("{ours}.fork.{index}"));
                }
            }
            if let Some(layer) = &mixture.pooled {
                add(theirs(layer), format!("mixtures.{number}.mean.conv"));
            }
        }
        names.push(("fc".into(), "head".into()));
        names
    }

    /// Short description.
    pub fn summary(&self) -> String {
        "Inception v3".into()
    }
}

fn max_pool() -> MaxPool2d {
    MaxPool2dConfig::new(POOL.kernel).with_strides(POOL.stride).init()
}

fn step(x: Tensor<4>, layer: &ConvNorm) -> Tensor<4> {
    layer.activated(x, Activation::Relu)
}

#[derive(Module, Debug)]
struct Chain {
    layers: Vec<ConvNorm>,
    fork: Vec<ConvNorm>,
}

#[derive(Module, Debug)]
struct MeanBranch {
    pool: AvgPool2d,
    conv: ConvNorm,
}

#[derive(Module, Debug)]
struct Mixture {
    chains: Vec<Chain>,
    mean: Option<MeanBranch>,
    largest: Option<MaxPool2d>,
}

impl Mixture {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let mut maps = Vec::new();
        for chain in &self.chains {
            let x = chain.layers.iter().fold(input.clone(), step);
            if chain.fork.is_empty() {
                maps.push(x);
            } else {
                maps.extend(chain.fork.iter().map(|layer| step(x.clone(), layer)));
            }
        }
        if let Some(mean) = &self.mean {
            maps.push(step(mean.pool.forward(input.clone()), &mean.conv));
        }
        if let Some(pool) = &self.largest {
            maps.push(pool.forward(input));
        }
        Tensor::cat(maps, 1)
    }
}

/// The network of an [`InceptionV3Config`].
#[derive(Module, Debug)]
pub struct InceptionV3 {
    stem: Vec<ConvNorm>,
    pool: MaxPool2d,
    mixtures: Vec<Mixture>,
    dropout: Dropout,
    head: Linear,
    transform_input: bool,
}

impl InceptionV3 {
    /// Logits.
    ///
    /// # Shapes
    /// One part, `[batch, channels, rows, columns]` → `[batch, classes]`
    pub fn forward(&self, parts: &[Tensor<4>]) -> Tensor<2> {
        let mut x = parts[0].clone();
        if self.transform_input {
            // From (v − mean) / deviation to (v − 0.5) / 0.5, channel by channel.
            let row = |values: [f32; 3]| Tensor::<1>::from_floats(values, &x.device()).reshape([1, 3, 1, 1]);
            let scales = row([0.229, 0.224, 0.225].map(|deviation| deviation / 0.5));
            let shifts = row([0.485, 0.456, 0.406].map(|mean| (mean - 0.5) / 0.5));
            x = x * scales + shifts;
        }
        for (index, layer) in self.stem.iter().enumerate() {
            x = step(x, layer);
            if STEM_POOLED.contains(&index) {
                x = self.pool.forward(x);
            }
        }
        let x = self.mixtures.iter().fold(x, |x, mixture| mixture.forward(x));
        self.head.forward(self.dropout.forward(average(x)))
    }

    /// Freezes a part of the network; see [`Freeze`]. Its blocks are the five first
    /// convolutions and the eleven inception modules.
    ///
    /// # Errors
    /// The network has fewer blocks.
    pub fn frozen(mut self, what: Freeze) -> Result<Self, String> {
        let mut freezer = Freezer(what.of(self.stem.len() + self.mixtures.len())?);
        self.stem = freezer.all(self.stem);
        self.mixtures = freezer.all(self.mixtures);
        Ok(self)
    }
}
