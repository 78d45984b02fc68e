//! The short-chunk CNN, the one design whose width is a parameter.

use super::branched::{BranchConfig, BranchedConfig, OutputInit};
use super::conv::{ConvBlockConfig, ConvConfig, Pooling};
use super::dense::DenseConfig;

impl BranchedConfig {
    /// The short-chunk CNN with residual connections of Won et al. 2020 ("Evaluation of CNN-based
    /// automatic music tagging models"), the best of their networks trained from scratch: seven residual
    /// blocks that halve a log-mel window down to one row, and the largest value of each map. Their width
    /// is 128; a few hundred clips need less.
    pub fn short_chunk_cnn(width: usize) -> Self {
        let block = |times| ConvBlockConfig {
            channels: times * width,
            stride: [2, 2],
            residual: true,
            ..Default::default()
        };
        Self {
            branches: vec![BranchConfig::Conv(ConvConfig {
                input_norm: true,
                blocks: [1, 1, 2, 2, 2, 2, 4].map(block).into(),
                pooling: Pooling::Max,
            })],
            head: DenseConfig {
                layers: vec![4 * width],
                batch_norm: true,
                dropout: 0.5,
                ..Default::default()
            },
            output: OutputInit::default(),
        }
    }
}
