//! One body for each part of the input, and a common head.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::conv::{ConvBody, ConvConfig};
use super::dense::{DenseBody, DenseConfig};
use super::freeze::{Freeze, Freezer};
use super::layers::{Start, linear};
use super::legacy::{LegacyBlock, LegacyCnn};
use super::recurrent::{RecurrentBody, RecurrentConfig};
use super::shape_check::{ShapeCheck, check_length};
use super::texture::{TextureBody, TextureConfig};
use super::transformer::{TransformerBody, TransformerConfig};

/// The body that turns one part of the input into a vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "body", rename_all = "kebab-case")]
pub enum BranchConfig {
    /// Convolutions.
    Conv(ConvConfig),
    /// Dense layers over all values of the part.
    Dense(DenseConfig),
    /// Recurrent layers over its rows.
    Recurrent(RecurrentConfig),
    /// A transformer on its patches.
    Transformer(TransformerConfig),
    /// Statistics of how its rows change over time.
    Texture(TextureConfig),
}

impl BranchConfig {
    fn trace(&self, part: [usize; 3], trace: &mut ShapeCheck) -> Result<usize, String> {
        match self {
            Self::Conv(config) => config.trace(part, trace),
            Self::Dense(config) => {
                trace.enter(part)?;
                config.trace(trace.values(), trace)
            }
            Self::Recurrent(config) => config.trace(part, trace),
            Self::Transformer(config) => config.trace(part, trace),
            Self::Texture(config) => config.trace(part, trace),
        }
    }

    fn init(&self, part: [usize; 3], device: &Device) -> Branch {
        match self {
            Self::Conv(config) => Branch::Conv(config.init(part, device)),
            Self::Dense(config) => Branch::Dense(config.init(part.iter().product(), device)),
            Self::Recurrent(config) => Branch::Recurrent(config.init(part, device)),
            Self::Transformer(config) => Branch::Transformer(config.init(part, device)),
            Self::Texture(config) => Branch::Texture(config.init()),
        }
    }

    fn summary(&self) -> String {
        match self {
            Self::Conv(config) => config.summary(),
            Self::Dense(config) => config.summary(),
            Self::Recurrent(config) => config.summary(),
            Self::Transformer(config) => config.summary(),
            Self::Texture(config) => config.summary(),
        }
    }
}

/// A network of parallel bodies, one for each part of the input, and a dense head on their concatenated
/// outputs (late fusion). With one part it is an ordinary network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct BranchedConfig {
    /// A body for each part of the input, in the input's order.
    pub branches: Vec<BranchConfig>,
    /// Dense layers between the bodies and the last layer.
    pub head: DenseConfig,
    /// Initial weights of the last layer.
    #[serde(skip_serializing_if = "OutputInit::is_default")]
    pub output: OutputInit,
}

/// Initial weights of the last layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputInit {
    /// Weights uniform within ±√(6 / (inputs + classes)), biases 0 (Glorot and Bengio 2010).
    #[default]
    Glorot,
    /// Weights and biases uniform within ±1 / √inputs, as PyTorch does by default.
    FanInUniform,
}

impl OutputInit {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn layer(self, inputs: usize, classes: usize, device: &Device) -> Linear {
        match self {
            Self::Glorot => linear(inputs, classes, Start::Glorot, device),
            Self::FanInUniform => LinearConfig::new(inputs, classes).init(device),
        }
    }
}

/// All settings that a [`BranchedConfig`] can be read from: its own, or those of the older kind `cnn`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    branches: Option<Vec<BranchConfig>>,
    head: Option<DenseConfig>,
    output: Option<OutputInit>,
    blocks: Option<Vec<LegacyBlock>>,
    dropout: Option<f64>,
}

impl TryFrom<Fields> for BranchedConfig {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        match fields {
            Fields { branches: Some(branches), head, output, blocks: None, dropout: None } => {
                Ok(Self { branches, head: head.unwrap_or_default(), output: output.unwrap_or_default() })
            }
            Fields { branches: None, head: None, output: None, blocks: Some(blocks), dropout } => {
                let dropout = dropout.ok_or("missing field `dropout`")?;
                Ok(LegacyCnn { blocks, dropout }.into())
            }
            Fields { branches: None, blocks: None, .. } => Err("missing field `branches`"),
            _ => Err("`blocks` and `dropout` belong to each branch and to `head`"),
        }
    }
}

impl BranchedConfig {
    /// Whether the network fits an input of these parts, each `[channels, rows, columns]`.
    ///
    /// # Errors
    /// A sentence that describes the mismatch.
    pub fn validate(&self, parts: &[[usize; 3]]) -> Result<(), String> {
        self.trace(parts).map(|_| ())
    }

    /// Number of input values of the head.
    fn trace(&self, parts: &[[usize; 3]]) -> Result<usize, String> {
        check_length("branches", self.branches.len(), 1)?;
        if self.branches.len() != parts.len() {
            return Err(format!(
                "{} branches for an input of {} parts; each part needs one branch",
                self.branches.len(),
                parts.len()
            ));
        }
        let mut trace = ShapeCheck::default();
        let mut width = 0;
        for (index, (branch, &part)) in self.branches.iter().zip(parts).enumerate() {
            width += branch.trace(part, &mut trace).map_err(|what| format!("branch {index}: {what}"))?;
        }
        self.head.trace(width, &mut trace).map_err(|what| format!("the head: {what}"))?;
        Ok(width)
    }

    /// Builds the network with random weights (seed the device first), for an input that
    /// [`BranchedConfig::validate`] accepts.
    pub fn init(&self, parts: &[[usize; 3]], classes: usize, device: &Device) -> Branched {
        let width = self.trace(parts).unwrap_or_default();
        Branched {
            branches: self.branches.iter().zip(parts).map(|(b, &part)| b.init(part, device)).collect(),
            dense: self.head.init(width, device),
            head: self.output.layer(self.head.layers.last().copied().unwrap_or(width), classes, device),
        }
    }

    /// Short description.
    pub fn summary(&self) -> String {
        self.branches.iter().map(BranchConfig::summary).collect::<Vec<_>>().join(" + ")
    }
}

/// A body of a [`Branched`] network.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a network has a few of them; on 32 bits they are small")]
pub enum Branch {
    /// Convolutions.
    Conv(ConvBody),
    /// Dense layers.
    Dense(DenseBody),
    /// Recurrent layers.
    Recurrent(RecurrentBody),
    /// A transformer.
    Transformer(TransformerBody),
    /// Statistics without learned parameters.
    Texture(TextureBody),
}

impl Branch {
    fn forward(&self, part: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Conv(body) => body.forward(part),
            Self::Dense(body) => body.forward(part.flatten(1, 3)),
            Self::Recurrent(body) => body.forward(part),
            Self::Transformer(body) => body.forward(part),
            Self::Texture(body) => body.forward(part),
        }
    }

    fn blocks(&self) -> usize {
        match self {
            Self::Conv(body) => body.blocks(),
            Self::Dense(body) => body.blocks(),
            Self::Recurrent(body) => body.blocks(),
            Self::Transformer(body) => body.blocks(),
            Self::Texture(_) => 0,
        }
    }

    fn frozen(self, freezer: Freezer) -> Self {
        match self {
            Self::Conv(body) => Self::Conv(body.frozen(freezer)),
            Self::Dense(body) => Self::Dense(body.frozen(freezer)),
            Self::Recurrent(body) => Self::Recurrent(body.frozen(freezer)),
            Self::Transformer(body) => Self::Transformer(body.frozen(freezer)),
            Self::Texture(body) => Self::Texture(body),
        }
    }
}

/// The network of a [`BranchedConfig`].
#[derive(Module, Debug)]
pub struct Branched {
    branches: Vec<Branch>,
    dense: DenseBody,
    head: Linear,
}

impl Branched {
    /// Logits.
    ///
    /// # Shapes
    /// One part per branch, `[batch, channels, rows, columns]` each → `[batch, classes]`
    pub fn forward(&self, parts: &[Tensor<4>]) -> Tensor<2> {
        let seen = self.branches.iter().zip(parts).map(|(branch, part)| branch.forward(part.clone()));
        self.head.forward(self.dense.forward(Tensor::cat(seen.collect(), 1)))
    }

    /// Freezes a part of the network; see [`Freeze`]. Blocks are counted in each branch; only
    /// [`Freeze::AllButHead`] also freezes the dense layers of the head.
    ///
    /// # Errors
    /// The network has fewer blocks.
    pub fn frozen(mut self, what: Freeze) -> Result<Self, String> {
        let count = what.of(self.branches.iter().map(Branch::blocks).max().unwrap_or(0))?;
        self.branches = self.branches.into_iter().map(|branch| branch.frozen(Freezer(count))).collect();
        if what == Freeze::AllButHead {
            self.dense = self.dense.freeze();
        }
        Ok(self)
    }
}
