//! Compatibility with architecture kind `cnn` of older manifests, runs and recipes.
//!
//! Networks of this kind are [`BranchedConfig`]s with one convolutional branch. Only the names of the
//! settings and of the tensors, and the hash of the settings, differ.

use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Bytes;
use burn_pack::{Reader, Writer};
use serde::{Deserialize, Serialize};

use super::branched::{BranchConfig, BranchedConfig, OutputInit};
use super::conv::{ConvBlockConfig, ConvConfig};
use super::dense::DenseConfig;

/// A block of kind `cnn`: 3 × 3 convolution, batch normalisation, ReLU, max-pooling.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LegacyBlock {
    channels: usize,
    #[serde(default = "ones")]
    stride: [usize; 2],
    #[serde(default = "ones")]
    pool: [usize; 2],
}

fn ones() -> [usize; 2] {
    [1, 1]
}

/// The settings of kind `cnn`. The order of its fields is part of the hash.
#[derive(Serialize)]
#[serde(tag = "kind", rename = "cnn")]
pub(crate) struct LegacyCnn {
    pub(crate) blocks: Vec<LegacyBlock>,
    /// Fraction of the pooled features dropped while training.
    pub(crate) dropout: f64,
}

impl From<LegacyCnn> for BranchedConfig {
    fn from(cnn: LegacyCnn) -> Self {
        let block = |LegacyBlock { channels, stride, pool }| ConvBlockConfig {
            channels,
            stride,
            pool,
            ..Default::default()
        };
        let blocks = cnn.blocks.into_iter().map(block).collect();
        Self {
            branches: vec![BranchConfig::Conv(ConvConfig { blocks, ..Default::default() })],
            head: DenseConfig { input_dropout: cnn.dropout, ..Default::default() },
            output: OutputInit::FanInUniform,
        }
    }
}

impl LegacyCnn {
    /// The settings of kind `cnn` for the same network; `None` if that kind cannot express it.
    pub(crate) fn of(config: &BranchedConfig) -> Option<Self> {
        let [BranchConfig::Conv(conv)] = config.branches.as_slice() else { return None };
        let block = |block: &ConvBlockConfig| LegacyBlock {
            channels: block.channels,
            stride: block.stride,
            pool: block.pool,
        };
        let cnn =
            Self { blocks: conv.blocks.iter().map(block).collect(), dropout: config.head.input_dropout };
        let same = Self { blocks: conv.blocks.iter().map(block).collect(), ..cnn };
        (BranchedConfig::from(same) == *config).then_some(cnn)
    }
}

/// The name in a [`super::Branched`] network of a tensor of the older architecture kind `cnn`; `None` for
/// every other name.
pub fn renamed_tensor(path: &str) -> Option<String> {
    let (prefix, rest) = path.split_once("Cnn.")?;
    let name = match rest.split('.').collect::<Vec<_>>()[..] {
        ["convolutions", block, leaf] => format!("branches.0.Conv.blocks.{block}.conv.{leaf}"),
        ["norms", block, leaf] => format!("branches.0.Conv.blocks.{block}.conv_norm.{leaf}"),
        ["head", leaf] => format!("head.{leaf}"),
        _ => return None,
    };
    (prefix.is_empty() || prefix.ends_with('.')).then(|| format!("{prefix}Branched.{name}"))
}

/// Reads the bytes of a burnpack file of weights. Tensors of kind `cnn` get the names that they have
/// in a [`super::Branched`] network.
///
/// # Errors
/// The bytes are not a burnpack file.
pub fn read_record(bytes: Vec<u8>) -> Result<ModuleRecord, RecordError> {
    let bytes = Bytes::from_bytes_vec(bytes).shared();
    let reader = Reader::from_bytes(bytes.clone())?;
    if reader.tensor_names().iter().all(|name| renamed_tensor(name).is_none()) {
        return ModuleRecord::from_bytes(bytes);
    }
    let mut tensors = reader.into_tensors()?;
    for tensor in &mut tensors {
        if let Some(name) = renamed_tensor(&tensor.name) {
            tensor.name = name;
        }
    }
    ModuleRecord::from_bytes(Writer::new(tensors).into_bytes()?)
}
