//! A small audio transformer on the patches of a spectrogram.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderLayer};
use burn::nn::{Dropout, DropoutConfig, Initializer, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::freeze::Freezer;
use super::layers::{Start, Window, attend, conv, convolve, drop_out};
use super::shape_check::{ShapeCheck, check_dropout, check_length};

/// Standard deviation of the initial weights, as in vision transformers.
const DEVIATION: f64 = 0.02;

/// A transformer encoder on the patches of a spectrogram (Gong et al. 2021, "AST: audio spectrogram
/// transformer"), small because data are few. Layers are pre-norm, position embeddings are learned, and
/// the output is the mean of all tokens (Beyer et al. 2022, "Better plain ViT baselines").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransformerConfig {
    /// Rows and columns of a patch. Remainders at the edges are ignored.
    pub patch: [usize; 2],
    /// Size of a token.
    pub width: usize,
    /// Attention heads; they share the width.
    pub heads: usize,
    /// Number of layers.
    pub layers: usize,
    /// Hidden size of the feed-forward part of each layer.
    pub hidden: usize,
    /// Fraction of the values dropped while training.
    pub dropout: f64,
}

impl Default for TransformerConfig {
    fn default() -> Self {
        Self { patch: [16, 3], width: 96, heads: 4, layers: 4, hidden: 192, dropout: 0.1 }
    }
}

impl TransformerConfig {
    fn window(&self) -> Window {
        Window::new(self.patch).strided(self.patch)
    }

    /// Checks the design and returns the number of output values for a part of the input.
    pub(crate) fn trace(&self, part: [usize; 3], trace: &mut ShapeCheck) -> Result<usize, String> {
        check_length("transformer layers", self.layers, 1)?;
        check_dropout(self.dropout)?;
        if self.heads == 0 || !self.width.is_multiple_of(self.heads) {
            return Err(format!("{} heads cannot share {} values", self.heads, self.width));
        }
        trace.enter(part)?;
        trace.conv("the patches", self.width, self.window(), 1)?;
        let [width, rows, columns] = trace.shape;
        let tokens = rows * columns;
        if tokens > 1 << 11 {
            return Err(format!("{tokens} patches are too many: 2048 at most"));
        }
        trace.spend("the positions", &[tokens, width])?;
        for index in 0..self.layers {
            let layer = format!("transformer layer {index}");
            trace.spend(&layer, &[4, width, width])?;
            trace.linear(&layer, width, self.hidden)?;
            trace.linear(&layer, self.hidden, width)?;
        }
        Ok(width)
    }

    pub(crate) fn init(&self, [channels, rows, columns]: [usize; 3], device: &Device) -> TransformerBody {
        let tokens: usize = self.window().output([rows, columns]).unwrap_or_default().iter().product();
        let start = Initializer::Normal { mean: 0.0, std: DEVIATION };
        TransformerBody {
            patches: conv([channels, self.width], self.window(), 1, true, Start::Normal(DEVIATION), device),
            positions: start.init([1, tokens, self.width], device),
            dropout: DropoutConfig::new(self.dropout).init(),
            encoder: TransformerEncoderConfig::new(self.width, self.hidden, self.heads, self.layers)
                .with_norm_first(true)
                .with_dropout(self.dropout)
                .with_initializer(start)
                .init(device),
            norm: LayerNormConfig::new(self.width).init(device),
        }
    }

    pub(crate) fn summary(&self) -> String {
        let [rows, columns] = self.patch;
        format!("transformer of {} layers on patches of {rows} × {columns}", self.layers)
    }
}

/// Applies a pre-norm layer as burn does, with this project's operations.
fn encode(x: Tensor<3>, layer: &TransformerEncoderLayer) -> Tensor<3> {
    // burn names the attention's normalisation `norm_2`.
    let attended = attend(&layer.mha, layer.norm_2.forward(x.clone()));
    let x = x + drop_out(&layer.dropout, attended);
    let dense = &layer.pwff;
    let hidden = dense.linear_inner.forward(layer.norm_1.forward(x.clone()));
    let hidden = drop_out(&dense.dropout, dense.activation.forward(hidden));
    x + drop_out(&layer.dropout, dense.linear_outer.forward(hidden))
}

/// The encoder of a [`TransformerConfig`].
#[derive(Module, Debug)]
pub struct TransformerBody {
    patches: Conv2d,
    positions: Param<Tensor<3>>,
    dropout: Dropout,
    encoder: TransformerEncoder,
    norm: LayerNorm,
}

impl TransformerBody {
    /// # Shapes
    /// `[batch, channels, rows, columns]` → `[batch, width]`
    pub(crate) fn forward(&self, part: Tensor<4>) -> Tensor<2> {
        let tokens: Tensor<3> = convolve(&self.patches, part).flatten(2, 3);
        let tokens = tokens.swap_dims(1, 2) + self.positions.val();
        let tokens = self.encoder.layers.iter().fold(drop_out(&self.dropout, tokens), encode);
        self.norm.forward(tokens.mean_dim(1).squeeze_dim::<2>(1))
    }

    pub(crate) fn blocks(&self) -> usize {
        self.encoder.layers.len() + 1
    }

    pub(crate) fn frozen(mut self, mut freezer: Freezer) -> Self {
        if freezer.0 > 0 {
            self.positions = self.positions.set_require_grad(false);
            self.dropout = self.dropout.freeze();
        }
        if freezer.0 >= self.blocks() {
            self.norm = self.norm.freeze();
        }
        self.patches = freezer.one(self.patches);
        self.encoder.layers = freezer.all(self.encoder.layers);
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::nn::transformer::TransformerEncoderInput;
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    const NORMAL: Distribution = Distribution::Normal(0.0, 1.0);

    /// With dropout where it has no effect. The attention in training differs from burn's only with the feature
    /// `training`, which the workspace's tests have.
    #[test]
    fn layers_are_burns() {
        for (device, dropout) in [(Device::flex(), 0.1), (Device::flex().autodiff(), 0.0)] {
            let config = TransformerConfig { dropout, ..TransformerConfig::default() };
            let mut encoder = config.init([1, 32, 12], &device).encoder;
            for norm in encoder.layers.iter_mut().flat_map(|layer| [&mut layer.norm_1, &mut layer.norm_2]) {
                norm.gamma = Param::from_tensor(Tensor::random([config.width], NORMAL, &device));
            }
            let x = Tensor::<3>::random([2, 8, config.width], NORMAL, &device);
            let both = [
                encoder.layers.iter().fold(x.clone(), encode),
                encoder.forward(TransformerEncoderInput::new(x)),
            ];
            let [ours, burns] = both.map(|y| {
                let mut results = vec![y.clone().into_data()];
                if device.is_autodiff() {
                    let gradients = y.square().sum().backward();
                    let gamma = encoder.layers[0].norm_2.gamma.val();
                    results.push(gamma.grad(&gradients).unwrap().into_data());
                }
                results
            });
            for (ours, burns) in ours.iter().zip(&burns) {
                ours.assert_approx_eq::<f32>(burns, Tolerance::rel_abs(1e-3, 1e-3));
            }
        }
    }
}
