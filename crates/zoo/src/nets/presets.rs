//! The usual designs of the literature on GTZAN, as settings of [`BranchedConfig`].

use super::branched::{BranchConfig, BranchedConfig, OutputInit};
use super::conv::{ConvBlockConfig, ConvConfig, NormPlace, Pooling};
use super::dense::DenseConfig;
use super::recurrent::{Cell, RecurrentConfig, Summary};
use super::texture::TextureConfig;
use super::transformer::TransformerConfig;

fn blocks(channels: &[usize], block: ConvBlockConfig) -> Vec<ConvBlockConfig> {
    channels.iter().map(|&channels| ConvBlockConfig { channels, ..block.clone() }).collect()
}

/// Designs that are often trained on GTZAN, with their usual sizes.
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

    /// Plain convolutions on a picture, the baseline: no normalisation, no dropout.
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

    /// [`BranchedConfig::cnn_basic`] with regularisation against overfitting; dropout as published with it.
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

    /// Convolutions on stacked features, normalised after the pooling. Used with weight decay and class
    /// weights.
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

    /// Layers of gated recurrent units in both directions, each half as wide as the previous one, and
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

    /// Convolutions on a picture and dense layers on features, late fusion, strongly regularised.
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

    /// [`BranchedConfig::fusion`] with unchanged features instead of dense layers: a hybrid of an embedding
    /// and hand-made features.
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

    /// The short-chunk CNN with residual connections of Won et al. 2020 ("Evaluation of CNN-based
    /// automatic music tagging models"), the best of their networks trained from scratch: seven residual
    /// blocks that halve a log-mel window down to one row, and the largest value of each map. Their width
    /// is 128; a few hundred clips need less.
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
    /// Dropout only follows the pooling. Dropout inside a block would change the variance that the next
    /// block's normalisation measures while training, but not in predictions, and this shift accumulates
    /// from block to block (Li et al. 2019, "Understanding the disharmony between dropout and batch
    /// normalization by variance shift").
    fn picture_body() -> ConvConfig {
        let block = ConvBlockConfig { pool: [2, 2], ..Default::default() };
        ConvConfig { blocks: blocks(&[32, 64, 128, 256], block), ..Default::default() }
    }
}
