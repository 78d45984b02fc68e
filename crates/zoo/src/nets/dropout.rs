//! The dropout rates of every design, to change all of them at once.

use super::{
    BranchConfig, BranchedConfig, ConvConfig, DenseConfig, EfficientNetB0Config, EfficientNetLite0Config,
    InceptionV3Config, MobileNetV2Config, MusicnnConfig, RecurrentConfig, TransformerConfig, Vgg19Config,
};

/// A configuration with dropout rates.
pub(crate) trait DropoutRates {
    /// All dropout rates, those of nested configurations included.
    fn dropout_rates(&mut self) -> Vec<&mut f64>;
}

macro_rules! one_rate {
    ($($config:ty),*) => {
        $(impl DropoutRates for $config {
            fn dropout_rates(&mut self) -> Vec<&mut f64> {
                vec![&mut self.dropout]
            }
        })*
    };
}

one_rate!(
    EfficientNetB0Config,
    EfficientNetLite0Config,
    InceptionV3Config,
    MobileNetV2Config,
    MusicnnConfig,
    RecurrentConfig,
    TransformerConfig,
    Vgg19Config
);

impl DropoutRates for ConvConfig {
    fn dropout_rates(&mut self) -> Vec<&mut f64> {
        self.blocks.iter_mut().map(|block| &mut block.dropout).collect()
    }
}

impl DropoutRates for DenseConfig {
    fn dropout_rates(&mut self) -> Vec<&mut f64> {
        vec![&mut self.input_dropout, &mut self.dropout]
    }
}

impl DropoutRates for BranchConfig {
    fn dropout_rates(&mut self) -> Vec<&mut f64> {
        match self {
            Self::Conv(config) => config.dropout_rates(),
            Self::Dense(config) => config.dropout_rates(),
            Self::Recurrent(config) => config.dropout_rates(),
            Self::Transformer(config) => config.dropout_rates(),
            Self::Texture(_) => Vec::new(),
        }
    }
}

impl DropoutRates for BranchedConfig {
    fn dropout_rates(&mut self) -> Vec<&mut f64> {
        let branches = self.branches.iter_mut().flat_map(BranchConfig::dropout_rates);
        branches.chain(self.head.dropout_rates()).collect()
    }
}
