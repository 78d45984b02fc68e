//! Dense layers: a network on features, or the head of another network.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::freeze::Freezer;
use super::layers::{Start, linear};
use super::shape_check::{ShapeCheck, check_dropout, check_length};

/// Dense layers, each followed by ReLU and dropout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DenseConfig {
    /// Width of each layer. Without layers, the input passes unchanged.
    pub layers: Vec<usize>,
    /// Whether the input is batch-normalised.
    pub input_norm: bool,
    /// Fraction of the input dropped while training.
    pub input_dropout: f64,
    /// Whether each layer is batch-normalised before its ReLU (Ioffe and Szegedy 2015).
    pub batch_norm: bool,
    /// Fraction of each layer's values dropped while training (Srivastava et al. 2014).
    pub dropout: f64,
}

impl DenseConfig {
    /// Checks the layers and returns the number of output values for `inputs` values.
    pub(crate) fn trace(&self, inputs: usize, trace: &mut ShapeCheck) -> Result<usize, String> {
        check_length("dense layers", self.layers.len(), 0)?;
        check_dropout(self.input_dropout)?;
        check_dropout(self.dropout)?;
        let mut width = inputs;
        for (index, &outputs) in self.layers.iter().enumerate() {
            trace.linear(format_args!("dense layer {index}"), width, outputs)?;
            width = outputs;
        }
        Ok(width)
    }

    /// Builds the layers.
    pub(crate) fn init(&self, inputs: usize, device: &Device) -> DenseBody {
        let norm = |wanted: bool, width| wanted.then(|| BatchNormConfig::new(width).init(device));
        let mut width = inputs;
        let layers = self
            .layers
            .iter()
            .map(|&outputs| {
                let layer = DenseLayer {
                    linear: linear(width, outputs, Start::FanIn, device),
                    norm: norm(self.batch_norm, outputs),
                    dropout: DropoutConfig::new(self.dropout).init(),
                };
                width = outputs;
                layer
            })
            .collect();
        DenseBody {
            input_norm: norm(self.input_norm, inputs),
            input_dropout: DropoutConfig::new(self.input_dropout).init(),
            layers,
        }
    }

    pub(crate) fn summary(&self) -> String {
        if self.layers.is_empty() {
            return "the values as they are".into();
        }
        let widths: Vec<String> = self.layers.iter().map(usize::to_string).collect();
        format!("dense {}", widths.join("-"))
    }
}

/// The layers of a [`DenseConfig`].
#[derive(Module, Debug)]
pub struct DenseBody {
    input_norm: Option<BatchNorm>,
    input_dropout: Dropout,
    layers: Vec<DenseLayer>,
}

#[derive(Module, Debug)]
struct DenseLayer {
    linear: Linear,
    norm: Option<BatchNorm>,
    dropout: Dropout,
}

impl DenseBody {
    /// # Shapes
    /// `[batch, inputs]` → `[batch, outputs]`
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = match &self.input_norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        self.layers.iter().fold(self.input_dropout.forward(x), |x, layer| {
            let x = layer.linear.forward(x);
            let x = match &layer.norm {
                Some(norm) => norm.forward(x),
                None => x,
            };
            layer.dropout.forward(relu(x))
        })
    }

    pub(crate) fn blocks(&self) -> usize {
        // The normalisation of the input belongs to the first layer, or is a block without layers.
        self.layers.len().max(1)
    }

    pub(crate) fn frozen(mut self, mut freezer: Freezer) -> Self {
        if freezer.0 > 0 {
            self.input_norm = self.input_norm.map(Module::freeze);
            self.input_dropout = self.input_dropout.freeze();
        }
        self.layers = freezer.all(self.layers);
        self
    }
}
