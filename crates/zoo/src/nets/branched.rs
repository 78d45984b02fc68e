//! One body for each part of the input, and a common head.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::conv::{ConvBlockConfig, ConvBody, ConvConfig, NormPlace, Pooling};
use super::dense::{DenseBody, DenseConfig};
use super::freeze::{Freeze, Freezer};
use super::layers::{Start, linear};
use super::legacy::{LegacyBlock, LegacyCnn};
use super::recurrent::{Cell, RecurrentBody, RecurrentConfig, Summary};
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
    /// Statistics of how its rows change.
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

fn blocks(channels: &[usize], block: ConvBlockConfig) -> Vec<ConvBlockConfig> {
    channels.iter().map(|&channels| ConvBlockConfig { channels, ..block.clone() }).collect()
}

/// The designs that are trained on GTZAN again and again, with the sizes that are common for them.
impl BranchedConfig {
    fn single(branch: BranchConfig, head: DenseConfig) -> Self {
        Self { branches: vec![branch], head, output: OutputInit::default() }
    }

    /// Dense layers with dropout on one vector of features.
    pub fn ann() -> Self {
        Self::single(
            BranchConfig::Dense(DenseConfig {
                layers: vec![512, 256, 128, 64],
                dropout: 0.2,
                ..Default::default()
            }),
            DenseConfig::default(),
        )
    }

    /// Plain convolutions on a picture, the baseline: nothing normalised, nothing dropped.
    pub fn cnn_naive() -> Self {
        let block = ConvBlockConfig { norm: NormPlace::None, pool: [2, 2], ..Default::default() };
        Self::single(
            BranchConfig::Conv(ConvConfig {
                blocks: blocks(&[16, 32, 64, 128], block),
                pooling: Pooling::Flatten,
                ..Default::default()
            }),
            DenseConfig { layers: vec![64], ..Default::default() },
        )
    }

    /// Three unpadded convolutions with max-pooling on log-mel, 64 dense values, no regularisation.
    pub fn cnn_basic() -> Self {
        let block =
            ConvBlockConfig { norm: NormPlace::None, same: false, pool: [2, 2], ..Default::default() };
        Self::single(
            BranchConfig::Conv(ConvConfig {
                blocks: blocks(&[32, 64, 64], block),
                pooling: Pooling::Flatten,
                ..Default::default()
            }),
            DenseConfig { layers: vec![64], ..Default::default() },
        )
    }

    /// [`BranchedConfig::cnn_basic`] with what keeps it from learning by heart; shares of dropout as published
    /// with it.
    pub fn cnn_regularized() -> Self {
        let block =
            |(channels, dropout)| ConvBlockConfig { channels, dropout, pool: [2, 2], ..Default::default() };
        Self::single(
            BranchConfig::Conv(ConvConfig {
                blocks: [(32, 0.2), (64, 0.1), (64, 0.1)].map(block).into(),
                pooling: Pooling::Flatten,
                ..Default::default()
            }),
            DenseConfig { layers: vec![128], dropout: 0.5, ..Default::default() },
        )
    }

    /// Normalised convolutions on a picture, averaged over the whole of it.
    pub fn cnn_enhanced() -> Self {
        Self::single(
            BranchConfig::Conv(Self::picture_body()),
            DenseConfig { layers: vec![128], input_dropout: 0.3, dropout: 0.5, ..Default::default() },
        )
    }

    /// Convolutions on stacked features, normalised after the pooling. It goes with weight decay and
    /// class weights.
    pub fn cnn_stacked() -> Self {
        let block = ConvBlockConfig {
            norm: NormPlace::Pool,
            pool: [3, 3],
            pool_stride: Some([2, 2]),
            dropout: 0.25,
            ..Default::default()
        };
        Self::single(
            BranchConfig::Conv(ConvConfig { blocks: blocks(&[32, 64, 128], block), ..Default::default() }),
            DenseConfig { layers: vec![256], dropout: 0.5, ..Default::default() },
        )
    }

    /// Two plain LSTM layers on a sequence.
    pub fn lstm() -> Self {
        Self::single(
            BranchConfig::Recurrent(RecurrentConfig::default()),
            DenseConfig { layers: vec![64], ..Default::default() },
        )
    }

    /// Two LSTM layers in both directions, normalised, with dropout.
    pub fn bilstm() -> Self {
        Self::single(
            BranchConfig::Recurrent(RecurrentConfig {
                bidirectional: true,
                batch_norm: true,
                dropout: 0.3,
                ..Default::default()
            }),
            DenseConfig { layers: vec![64], dropout: 0.3, ..Default::default() },
        )
    }

    /// Layers of gated recurrent units in both directions, each half as wide as the one before, and
    /// attention over the steps.
    pub fn bigru_attention() -> Self {
        Self::single(
            BranchConfig::Recurrent(RecurrentConfig {
                cell: Cell::Gru,
                layers: vec![128, 64],
                bidirectional: true,
                dropout: 0.3,
                summary: Summary::Attention,
                ..Default::default()
            }),
            DenseConfig { layers: vec![64], dropout: 0.3, ..Default::default() },
        )
    }

    /// Convolutions on a picture or log-mel, an LSTM on the sequence, concatenated.
    pub fn cnn_lstm() -> Self {
        let block = ConvBlockConfig { pool: [2, 2], dropout: 0.2, ..Default::default() };
        Self {
            branches: vec![
                BranchConfig::Conv(ConvConfig {
                    blocks: blocks(&[32, 64, 128], block),
                    ..Default::default()
                }),
                BranchConfig::Recurrent(RecurrentConfig { dropout: 0.3, ..Default::default() }),
            ],
            head: DenseConfig { layers: vec![128], dropout: 0.4, ..Default::default() },
            output: OutputInit::default(),
        }
    }

    /// Convolutions on a picture beside dense layers on features, fused late, strongly regularised.
    pub fn fusion() -> Self {
        Self {
            branches: vec![
                BranchConfig::Conv(Self::picture_body()),
                BranchConfig::Dense(DenseConfig {
                    layers: vec![128, 64],
                    batch_norm: true,
                    dropout: 0.4,
                    ..Default::default()
                }),
            ],
            head: DenseConfig {
                layers: vec![128],
                input_dropout: 0.3,
                batch_norm: true,
                dropout: 0.5,
                ..Default::default()
            },
            output: OutputInit::default(),
        }
    }

    /// [`BranchedConfig::fusion`] with the features as they are beside what the convolutions see: the
    /// hybrid of an embedding and hand-made features.
    pub fn fusion_hybrid() -> Self {
        let mut config = Self::fusion();
        config.branches.truncate(1);
        config.branches.push(BranchConfig::Dense(DenseConfig::default()));
        config
    }

    /// A small transformer on the patches of log-mel.
    pub fn transformer() -> Self {
        Self::single(
            BranchConfig::Transformer(TransformerConfig::default()),
            DenseConfig { input_dropout: 0.2, ..Default::default() },
        )
    }

    /// One dense layer on the normalised statistics of a log-mel window's texture.
    pub fn texture() -> Self {
        Self::single(
            BranchConfig::Texture(TextureConfig::default()),
            DenseConfig {
                layers: vec![128],
                input_norm: true,
                input_dropout: 0.3,
                batch_norm: true,
                dropout: 0.5,
            },
        )
    }

    /// Seven residual blocks that halve a log-mel window until one row is left, and the largest value
    /// of each map: the short-chunk CNN with residual connections of Won et al. 2020 ("Evaluation
    /// of CNN-based automatic music tagging models"), who found it the best of all from scratch. Their
    /// width is 128; a few hundred clips ask for less.
    pub fn short_chunk_cnn(width: usize) -> Self {
        let block = ConvBlockConfig { stride: [2, 2], residual: true, ..Default::default() };
        let channels = [1, 1, 2, 2, 2, 2, 4].map(|times| times * width);
        Self::single(
            BranchConfig::Conv(ConvConfig {
                input_norm: true,
                blocks: blocks(&channels, block),
                pooling: Pooling::Max,
            }),
            DenseConfig { layers: vec![4 * width], batch_norm: true, dropout: 0.5, ..Default::default() },
        )
    }

    /// Four normalised blocks for pictures.
    ///
    /// Values are dropped behind the pooling only. What is dropped in a block adds to the mean and
    /// variance that the next block's normalisation gets used to, and is missing when the network judges
    /// (Li et al. 2019, "Understanding the disharmony between dropout and batch normalization by variance
    /// shift"): from block to block it adds up.
    fn picture_body() -> ConvConfig {
        let block = ConvBlockConfig { pool: [2, 2], ..Default::default() };
        ConvConfig { blocks: blocks(&[32, 64, 128, 256], block), ..Default::default() }
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
    /// One part a branch, `[batch, channels, rows, columns]` each → `[batch, classes]`
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
