//! Networks of inverted residuals: MobileNetV2 (Sandler et al. 2018) and EfficientNet-B0 (Tan and Le
//! 2019), as in torchvision, and EfficientNet-Lite0, as in TensorFlow.
//!
//! A block expands its channels, applies a depthwise convolution and projects them back; if the size does
//! not change, it adds its input. EfficientNet also scales channels by squeeze-and-excitation (Hu et al.
//! 2018, "Squeeze-and-excitation networks") and skips blocks at random while training (Huang et al.
//! 2016, "Deep networks with stochastic depth"). EfficientNet-Lite0 is EfficientNet-B0 without
//! squeeze-and-excitation and with ReLU6, so that it can be quantised.

use burn::module::Module;
#[cfg(feature = "fit")]
use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::nn::{Dropout, DropoutConfig, Linear};
#[cfg(feature = "fit")]
use burn::tensor::TensorData;
use burn::tensor::activation::{sigmoid, silu};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::freeze::{Freeze, Freezer};
use super::layers::{Activation, ConvNorm, Start, Window, average, conv, linear};
use super::shape_check::{ShapeCheck, check_dropout};

/// Stages of MobileNetV2: expansion, channels, blocks, stride of the first block, kernel.
const MOBILENET: [Stage; 7] = [
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 32, 3, 2, 3),
    Stage(6, 64, 4, 2, 3),
    Stage(6, 96, 3, 1, 3),
    Stage(6, 160, 3, 2, 3),
    Stage(6, 320, 1, 1, 3),
];

/// Stages of EfficientNet-B0 and EfficientNet-Lite0.
const EFFICIENTNET: [Stage; 7] = [
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
];

#[derive(Clone, Copy)]
struct Stage(usize, usize, usize, usize, usize);

/// One block with all sizes.
struct BlockPlan {
    /// Index of its stage, and its index in the stage.
    place: [usize; 2],
    inputs: usize,
    wide: usize,
    outputs: usize,
    filter: Window,
    /// Channels of the squeeze, if the block has squeeze-and-excitation.
    squeezed: Option<usize>,
    /// Fraction of the samples that skip the block while training.
    skipped: f64,
}

/// A whole network with all sizes.
struct Plan {
    stem: usize,
    stem_window: Window,
    blocks: Vec<BlockPlan>,
    last: usize,
    dropout: f64,
    /// Initial weights of the last layer.
    head: fn(usize) -> Start,
    smooth: bool,
    /// Summand of the variance in batch normalisation.
    epsilon: f64,
}

impl Plan {
    fn new(stages: &[Stage], scale: impl Fn(usize) -> usize) -> Self {
        let stem = scale(32);
        let mut inputs = stem;
        let mut blocks = Vec::new();
        for (stage, &Stage(widening, channels, count, stride, side)) in stages.iter().enumerate() {
            let outputs = scale(channels);
            for index in 0..count {
                let stride = if index == 0 { stride } else { 1 };
                blocks.push(BlockPlan {
                    place: [stage, index],
                    inputs,
                    wide: inputs * widening,
                    outputs,
                    filter: Window::square(side).strided([stride, stride]).same(),
                    squeezed: None,
                    skipped: 0.0,
                });
                inputs = outputs;
            }
        }
        Self {
            stem,
            stem_window: Window::square(3).strided([2, 2]).same(),
            blocks,
            last: 1280,
            dropout: 0.2,
            head: |_| Start::Normal(0.01),
            smooth: false,
            epsilon: 1e-5,
        }
    }

    /// Sets what differs between TensorFlow's layers and torchvision's.
    fn as_in_tensorflow(&mut self) {
        self.epsilon = 1e-3;
        let windows = self.blocks.iter_mut().map(|block| &mut block.filter);
        for window in windows.chain([&mut self.stem_window]) {
            *window = window.same_as_tensorflow();
        }
    }

    /// Sets the fraction of the samples that skip each block while training: `last` after the last block,
    /// less for earlier ones.
    fn skip(&mut self, last: f64) {
        let count = self.blocks.len() as f64;
        for (index, block) in self.blocks.iter_mut().enumerate() {
            block.skipped = last * index as f64 / count;
        }
    }

    fn validate(&self, parts: &[[usize; 3]]) -> Result<(), String> {
        check_dropout(self.dropout)?;
        let &[part] = parts else {
            return Err(format!("the network takes one picture, not {} parts", parts.len()));
        };
        let mut trace = ShapeCheck::default();
        trace.enter(part)?;
        trace.conv("the stem", self.stem, self.stem_window, 1)?;
        for (index, block) in self.blocks.iter().enumerate() {
            let name = format!("block {index}");
            trace.conv(&name, block.wide, Window::square(1), 1)?;
            trace.conv(&name, block.wide, block.filter, block.wide)?;
            trace.conv(&name, block.outputs, Window::square(1), 1)?;
        }
        trace.conv("the last convolution", self.last, Window::square(1), 1)
    }

    fn init(&self, parts: &[[usize; 3]], classes: usize, device: &Device) -> Inverted {
        let inputs = parts.first().map_or(3, |&[channels, ..]| channels);
        let layer = |channels, window, groups| {
            ConvNorm::new(channels, window, groups, Start::FanOut, device).with_epsilon(self.epsilon)
        };
        let point = Window::square(1);
        let last_inputs = self.blocks.last().map_or(self.stem, |block| block.outputs);
        Inverted {
            stem: layer([inputs, self.stem], self.stem_window, 1),
            blocks: self
                .blocks
                .iter()
                .map(|block| InvertedBlock {
                    widen: (block.wide != block.inputs).then(|| layer([block.inputs, block.wide], point, 1)),
                    filter: layer([block.wide; 2], block.filter, block.wide),
                    squeeze: block.squeezed.map(|maps| {
                        let dense = |channels| conv(channels, point, 1, true, Start::FanOut, device);
                        Squeeze { narrow: dense([block.wide, maps]), widen: dense([maps, block.wide]) }
                    }),
                    narrow: layer([block.wide, block.outputs], point, 1),
                    skip: (block.inputs == block.outputs && block.filter.stride == [1, 1])
                        .then(|| DropoutConfig::new(block.skipped).init()),
                })
                .collect(),
            last: layer([last_inputs, self.last], point, 1),
            dropout: DropoutConfig::new(self.dropout).init(),
            head: linear(self.last, classes, (self.head)(classes), device),
            smooth: self.smooth,
        }
    }
}

/// Names of a convolution and of its normalisation, which are neighbours in torchvision.
fn pair(theirs: &str, ours: &str) -> [(String, String); 2] {
    [(format!("{theirs}.0"), format!("{ours}.conv")), (format!("{theirs}.1"), format!("{ours}.norm"))]
}

/// MobileNetV2: 3.5 million parameters for a thousand classes, 2.2 million for ten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MobileNetV2Config {
    /// Width of all layers relative to the paper's; channels are rounded to multiples of 8.
    pub width: f64,
    /// Fraction of the last values dropped while training.
    pub dropout: f64,
}

impl Default for MobileNetV2Config {
    fn default() -> Self {
        Self { width: 1.0, dropout: 0.2 }
    }
}

impl MobileNetV2Config {
    fn plan(&self) -> Plan {
        // To the nearest multiple of 8, but not more than 10 % below.
        let scale = |channels: usize| {
            let wanted = channels as f64 * self.width;
            let rounded = (((wanted + 4.0) / 8.0).floor() * 8.0).max(8.0);
            (if rounded < 0.9 * wanted { rounded + 8.0 } else { rounded }) as usize
        };
        let mut plan = Plan::new(&MOBILENET, scale);
        plan.last = scale(1280).max(1280);
        plan.dropout = self.dropout;
        plan
    }

    /// Whether the network fits its input: one picture.
    ///
    /// # Errors
    /// A sentence that describes the mismatch.
    pub fn validate(&self, parts: &[[usize; 3]]) -> Result<(), String> {
        if !(0.1..=4.0).contains(&self.width) {
            return Err(format!("width {} is not in 0.1…4", self.width));
        }
        self.plan().validate(parts)
    }

    /// Builds the network with random weights, initialised as in torchvision (seed the device first), for
    /// an input that [`MobileNetV2Config::validate`] accepts.
    pub fn init(&self, parts: &[[usize; 3]], classes: usize, device: &Device) -> Inverted {
        self.plan().init(parts, classes, device)
    }

    /// Pairs of torchvision's name and this network's name of each layer.
    pub fn published_names(&self) -> Vec<(String, String)> {
        let mut names = Vec::from(pair("features.0", "stem"));
        let plan = self.plan();
        for (index, block) in plan.blocks.iter().enumerate() {
            let theirs = format!("features.{}.conv", index + 1);
            let mut place = 0;
            if block.wide != block.inputs {
                names.extend(pair(&format!("{theirs}.0"), &format!("blocks.{index}.widen")));
                place += 1;
            }
            names.extend(pair(&format!("{theirs}.{place}"), &format!("blocks.{index}.filter")));
            names.push((format!("{theirs}.{}", place + 1), format!("blocks.{index}.narrow.conv")));
            names.push((format!("{theirs}.{}", place + 2), format!("blocks.{index}.narrow.norm")));
        }
        names.extend(pair(&format!("features.{}", plan.blocks.len() + 1), "last"));
        names.push(("classifier.1".into(), "head".into()));
        names
    }

    /// Short description.
    pub fn summary(&self) -> String {
        if self.width == 1.0 { "MobileNetV2".into() } else { format!("MobileNetV2 × {}", self.width) }
    }
}

/// EfficientNet-B0: 5.3 million parameters for a thousand classes, 4.0 million for ten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EfficientNetB0Config {
    /// Fraction of the last values dropped while training.
    pub dropout: f64,
    /// Fraction of the samples that skip the last block while training; earlier blocks have a smaller one.
    pub stochastic_depth: f64,
}

impl Default for EfficientNetB0Config {
    fn default() -> Self {
        Self { dropout: 0.2, stochastic_depth: 0.2 }
    }
}

impl EfficientNetB0Config {
    fn plan(&self) -> Plan {
        let mut plan = Plan::new(&EFFICIENTNET, |channels| channels);
        for block in &mut plan.blocks {
            block.squeezed = Some((block.inputs / 4).max(1));
        }
        plan.skip(self.stochastic_depth);
        plan.dropout = self.dropout;
        plan.head = |classes| Start::Uniform(1.0 / (classes as f64).sqrt());
        plan.smooth = true;
        plan
    }

    /// Whether the network fits its input: one picture.
    ///
    /// # Errors
    /// A sentence that describes the mismatch.
    pub fn validate(&self, parts: &[[usize; 3]]) -> Result<(), String> {
        check_dropout(self.stochastic_depth)?;
        self.plan().validate(parts)
    }

    /// Builds the network with random weights, initialised as in torchvision (seed the device first), for
    /// an input that [`EfficientNetB0Config::validate`] accepts.
    pub fn init(&self, parts: &[[usize; 3]], classes: usize, device: &Device) -> Inverted {
        self.plan().init(parts, classes, device)
    }

    /// Pairs of torchvision's name and this network's name of each layer.
    pub fn published_names(&self) -> Vec<(String, String)> {
        let mut names = Vec::from(pair("features.0", "stem"));
        for (index, block) in self.plan().blocks.iter().enumerate() {
            let [stage, number] = block.place;
            let theirs = format!("features.{}.{number}.block", stage + 1);
            let mut place = 0;
            if block.wide != block.inputs {
                names.extend(pair(&format!("{theirs}.0"), &format!("blocks.{index}.widen")));
                place += 1;
            }
            names.extend(pair(&format!("{theirs}.{place}"), &format!("blocks.{index}.filter")));
            for (layer, ours) in [("fc1", "narrow"), ("fc2", "widen")] {
                names.push((
                    format!("{theirs}.{}.{layer}", place + 1),
                    format!("blocks.{index}.squeeze.{ours}"),
                ));
            }
            names.extend(pair(&format!("{theirs}.{}", place + 2), &format!("blocks.{index}.narrow")));
        }
        names.extend(pair(&format!("features.{}", EFFICIENTNET.len() + 1), "last"));
        names.push(("classifier.1".into(), "head".into()));
        names
    }

    /// Short description.
    pub fn summary(&self) -> String {
        "EfficientNet-B0".into()
    }
}

/// EfficientNet-Lite0: 4.7 million parameters for a thousand classes, 3.4 million for ten. Its padding is that
/// of pictures whose sides are multiples of 32 pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EfficientNetLite0Config {
    /// Fraction of the last values dropped while training.
    pub dropout: f64,
    /// Fraction of the samples that skip the last block while training; earlier blocks have a smaller one.
    pub stochastic_depth: f64,
}

impl Default for EfficientNetLite0Config {
    fn default() -> Self {
        Self { dropout: 0.2, stochastic_depth: 0.2 }
    }
}

impl EfficientNetLite0Config {
    fn plan(&self) -> Plan {
        let mut plan = Plan::new(&EFFICIENTNET, |channels| channels);
        plan.as_in_tensorflow();
        plan.skip(self.stochastic_depth);
        plan.dropout = self.dropout;
        plan
    }

    /// Whether the network fits its input: one picture.
    ///
    /// # Errors
    /// A sentence that describes the mismatch.
    pub fn validate(&self, parts: &[[usize; 3]]) -> Result<(), String> {
        check_dropout(self.stochastic_depth)?;
        self.plan().validate(parts)
    }

    /// Builds the network with random weights (seed the device first), for an input that
    /// [`EfficientNetLite0Config::validate`] accepts.
    pub fn init(&self, parts: &[[usize; 3]], classes: usize, device: &Device) -> Inverted {
        self.plan().init(parts, classes, device)
    }

    /// Pairs of the name of each layer in PyPI's `efficientnet-lite-pytorch` and of this network's.
    pub fn published_names(&self) -> Vec<(String, String)> {
        let mut names = Vec::new();
        let mut layer = |[conv, norm]: [&str; 2], theirs: &str, ours: &str| {
            names.push((format!("{theirs}{conv}"), format!("{ours}.conv")));
            names.push((format!("{theirs}{norm}"), format!("{ours}.norm")));
        };
        layer(["_conv_stem", "_bn0"], "", "stem");
        for (index, block) in self.plan().blocks.iter().enumerate() {
            let (theirs, ours) = (format!("_blocks.{index}."), format!("blocks.{index}"));
            if block.wide != block.inputs {
                layer(["_expand_conv", "_bn0"], &theirs, &format!("{ours}.widen"));
            }
            layer(["_depthwise_conv", "_bn1"], &theirs, &format!("{ours}.filter"));
            layer(["_project_conv", "_bn2"], &theirs, &format!("{ours}.narrow"));
        }
        layer(["_conv_head", "_bn1"], "", "last");
        names.push(("_fc".into(), "head".into()));
        names
    }

    /// Short description.
    pub fn summary(&self) -> String {
        "EfficientNet-Lite0".into()
    }
}

#[derive(Module, Debug)]
struct Squeeze {
    narrow: Conv2d,
    widen: Conv2d,
}

impl Squeeze {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mean = x.clone().mean_dim(3).mean_dim(2);
        x * sigmoid(self.widen.forward(silu(self.narrow.forward(mean))))
    }
}

#[derive(Module, Debug)]
struct InvertedBlock {
    widen: Option<ConvNorm>,
    filter: ConvNorm,
    squeeze: Option<Squeeze>,
    narrow: ConvNorm,
    /// Drops whole samples while training; none if the size changes.
    skip: Option<Dropout>,
}

impl InvertedBlock {
    fn forward(&self, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        let mut x = input.clone();
        if let Some(widen) = &self.widen {
            x = widen.activated(x, activation);
        }
        x = self.filter.activated(x, activation);
        if let Some(squeeze) = &self.squeeze {
            x = squeeze.forward(x);
        }
        x = self.narrow.forward(x);
        let Some(skip) = &self.skip else {
            return x;
        };
        if skip.prob > 0.0 && x.device().is_autodiff() {
            let [batch, ..] = x.dims();
            x = x * skip.forward(Tensor::ones([batch, 1, 1, 1], &input.device()));
        }
        x + input
    }
}

/// The network of a [`MobileNetV2Config`], an [`EfficientNetB0Config`] or an [`EfficientNetLite0Config`].
#[derive(Module, Debug)]
pub struct Inverted {
    stem: ConvNorm,
    blocks: Vec<InvertedBlock>,
    last: ConvNorm,
    dropout: Dropout,
    head: Linear,
    /// Whether the activation is SiLU instead of ReLU6.
    smooth: bool,
}

impl Inverted {
    /// Logits.
    ///
    /// # Shapes
    /// One part, `[batch, channels, rows, columns]` → `[batch, classes]`
    pub fn forward(&self, parts: &[Tensor<4>]) -> Tensor<2> {
        self.head.forward(self.dropout.forward(self.head_input(parts)))
    }

    /// Input of the head: the mean of each map.
    ///
    /// # Shapes
    /// One part, `[batch, channels, rows, columns]` → `[batch, values]`
    pub fn head_input(&self, parts: &[Tensor<4>]) -> Tensor<2> {
        let activation = if self.smooth { Activation::Silu } else { Activation::Relu6 };
        let x = self.stem.activated(parts[0].clone(), activation);
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x, activation));
        average(self.last.activated(x, activation))
    }

    /// Replaces the head by a fitted one. The scaling of its inputs becomes part of its weights.
    ///
    /// # Errors
    /// The head has other sizes.
    #[cfg(feature = "fit")]
    pub fn with_head(mut self, fitted: &crate::LogisticRegression) -> Result<Self, String> {
        let [inputs, outputs] = self.head.weight.dims();
        if fitted.width() != inputs || fitted.biases.len() != outputs {
            return Err(format!(
                "the head has {inputs} inputs and {outputs} outputs, the fit {} and {}",
                fitted.width(),
                fitted.biases.len()
            ));
        }
        let mut biases = fitted.biases.clone();
        let mut weights = Vec::with_capacity(inputs * outputs);
        for (row, bias) in fitted.weights.chunks_exact(inputs).zip(&mut biases) {
            let scaled = row.iter().zip(&fitted.deviations).map(|(w, d)| w / d);
            let shift: f64 =
                scaled.clone().zip(&fitted.means).map(|(w, m)| f64::from(w) * f64::from(*m)).sum();
            *bias = (f64::from(*bias) - shift) as f32;
            weights.extend(scaled);
        }
        let device = self.head.weight.device();
        let rows = Tensor::<2>::from_data(TensorData::new(weights, [outputs, inputs]), &device);
        self.head.weight = Param::from_tensor(rows.transpose());
        self.head.bias = Some(Param::from_tensor(Tensor::<1>::from_floats(biases.as_slice(), &device)));
        Ok(self)
    }

    /// Freezes a part of the network; see [`Freeze`]. The first and the last convolution also count as
    /// blocks.
    ///
    /// # Errors
    /// The network has fewer blocks.
    pub fn frozen(mut self, what: Freeze) -> Result<Self, String> {
        let mut freezer = Freezer(what.of(self.blocks.len() + 2)?);
        self.stem = freezer.one(self.stem);
        self.blocks = freezer.all(self.blocks);
        self.last = freezer.one(self.last);
        Ok(self)
    }
}
