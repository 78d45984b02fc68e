//! musicnn (Pons and Serra 2019, "musicnn: pre-trained convolutional neural networks for music audio
//! tagging"): a front-end of tall timbral and long temporal filters, convolutions over time, and max and
//! mean pooling over time.
//!
//! Three changes preserve its output and save most of its cost:
//!
//! * **The maximum over bands comes first**, before ReLU and scale, so that both run on one value per
//!   frame and filter instead of one per band. A negative scale would turn the maximum into the minimum.
//!   Therefore such a filter is stored negated, and its sign is restored after the maximum.
//! * **The front-end's batch normalisation is a fixed scale and shift**, computed from the running
//!   statistics of the published network.
//! * **Dead channels are merged.** A channel whose weights are 0 has the same output in every frame. All
//!   such inputs of a layer over time are replaced by one input that is 1 in every frame and 0 in the
//!   padding. Their effect stays exact, also at the window's edges.

#[cfg(feature = "fit")]
use burn::module::RunningState;
use burn::module::{Initializer, Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, PaddingConfig2d};
#[cfg(feature = "fit")]
use burn::tensor::TensorData;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
#[cfg(feature = "cpu")]
use cratedigger_cpu_ops::fused;
use serde::{Deserialize, Serialize};

use super::freeze::{Freeze, Freezer};
use super::layers::{Start, Window, conv, convolve, linear, normalise};
use super::shape_check::{ShapeCheck, check_dropout};

/// Kernel length in frames of the timbral filters and of the layers over time.
const FRAMES: usize = 7;
/// Kernel lengths in frames of the temporal filters.
const TEMPORAL: [usize; 3] = [128, 64, 32];
/// Epsilon of batch normalisation: TensorFlow's default.
const EPSILON: f64 = 1e-3;
/// Blocks before the head: the front-end, three layers over time, the dense layer.
const BLOCKS: usize = 5;

/// Which values the classes are predicted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MusicnnHead {
    /// The tags are the classes, without a further layer.
    #[default]
    Tags,
    /// A linear layer on the embedding.
    Embedding,
    /// A linear layer on the maximum and the mean of every channel.
    Pooled,
    /// A linear layer on the pooled values, followed by the embedding. The embedding separates genres better;
    /// the pooled values separate music from other sounds better.
    PooledAndEmbedding,
}

/// The configuration of a [`Musicnn`]. The defaults are the channels of MSD_musicnn that are not dead, and
/// no tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MusicnnConfig {
    /// Numbers of timbral filters, which cover 4/10 and 7/10 of the bands and 7 frames.
    pub timbral: [usize; 2],
    /// Numbers of temporal filters, which cover one band and 128, 64 and 32 frames.
    pub temporal: [usize; 3],
    /// Channels of the three layers over time. The second and the third layer add the output of the layer
    /// before to their own first channels, so no layer has fewer channels than the one before.
    pub middle: [usize; 3],
    /// Number of values of the embedding.
    pub embedding: usize,
    /// Names of the tags; none if the network has no layer for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Which values the classes are predicted from.
    pub head: MusicnnHead,
    /// Fraction of the head's input dropped while training.
    pub dropout: f64,
}

impl Default for MusicnnConfig {
    fn default() -> Self {
        Self {
            timbral: [23, 14],
            temporal: [3, 7, 17],
            middle: [20, 64, 64],
            embedding: 200,
            tags: Vec::new(),
            head: MusicnnHead::Embedding,
            dropout: 0.5,
        }
    }
}

/// One filter bank of the front-end.
struct Bank {
    name: &'static str,
    filters: usize,
    /// Bands and frames.
    kernel: [usize; 2],
}

impl Bank {
    fn init(&self, device: &Device) -> FilterBank {
        let [_, frames] = self.kernel;
        let mut conv = conv([1, self.filters], Window::new(self.kernel), 1, true, Start::FanIn, device);
        // "same" padding along time as in TensorFlow: an even length pads one more frame after than before.
        conv.padding = PaddingConfig2d::Explicit(0, (frames - 1) / 2, 0, frames / 2);
        FilterBank { conv, affine: Affine::new(self.filters, device) }
    }
}

impl MusicnnConfig {
    /// The published network: all channels, dead ones included.
    pub fn published(tags: Vec<String>) -> Self {
        Self {
            timbral: [204, 204],
            temporal: [51, 51, 51],
            middle: [64, 64, 64],
            tags,
            head: MusicnnHead::Tags,
            ..Self::default()
        }
    }

    fn banks(&self, bands: usize) -> [Bank; 5] {
        let timbral =
            |name, filters, tenths: usize| Bank { name, filters, kernel: [bands * tenths / 10, FRAMES] };
        let temporal =
            |name, place: usize| Bank { name, filters: self.temporal[place], kernel: [1, TEMPORAL[place]] };
        [
            timbral("the low timbral filters", self.timbral[0], 4),
            timbral("the high timbral filters", self.timbral[1], 7),
            temporal("the long temporal filters", 0),
            temporal("the middle temporal filters", 1),
            temporal("the short temporal filters", 2),
        ]
    }

    /// Channels of the front-end.
    pub fn front_channels(&self) -> usize {
        self.timbral.iter().chain(&self.temporal).sum()
    }

    /// Number of values of [`Musicnn::pooled`]: maximum and mean of every channel of the front-end and of
    /// the layers over time.
    pub fn pooled_values(&self) -> usize {
        2 * (self.front_channels() + self.middle.iter().sum::<usize>())
    }

    /// Number of multiplications for a window of shape `[1, bands, frames]`, without those of batch
    /// normalisation and of a head on embedding or pooled values.
    pub fn multiplications(&self, [_, bands, frames]: [usize; 3]) -> u64 {
        let product = |factors: &[usize]| factors.iter().map(|n| *n as u64).product::<u64>();
        let front: u64 = self
            .banks(bands)
            .iter()
            .map(|Bank { filters, kernel: [high, long], .. }| {
                product(&[*filters, *high, *long, bands.saturating_sub(*high) + 1, frames])
            })
            .sum();
        let mut inputs = self.front_channels();
        let mut middle = 0;
        for channels in self.middle {
            middle += product(&[inputs + 1, channels, FRAMES, frames]);
            inputs = channels;
        }
        front + middle + product(&[self.embedding, self.pooled_values() + self.tags.len()])
    }

    /// Whether the network fits its input: one part of one channel, whose rows are bands and whose columns
    /// are frames.
    ///
    /// # Errors
    /// A sentence that describes the mismatch.
    pub fn validate(&self, parts: &[[usize; 3]]) -> Result<(), String> {
        check_dropout(self.dropout)?;
        let &[part] = parts else {
            return Err(format!("the network takes one input, not {} parts", parts.len()));
        };
        let mut trace = ShapeCheck::default();
        trace.enter(part)?;
        let [channels, bands, frames] = part;
        if channels != 1 || bands < 10 {
            return Err(format!(
                "the network takes one channel of 10 bands or more, not {channels} of {bands}"
            ));
        }
        let check = |name: &str, channels: usize| match channels {
            1..=4096 => Ok(()),
            _ => Err(format!("{name}: {channels} channels; 1 to 4096 are possible")),
        };
        for Bank { name, filters, kernel: [high, long] } in self.banks(bands) {
            check(name, filters)?;
            trace.spend(name, &[filters, high, long])?;
            trace.enter([filters, bands + 1 - high, frames])?;
        }
        let mut inputs = self.front_channels();
        let mut before = 0;
        for (place, channels) in self.middle.into_iter().enumerate() {
            let name = format!("layer {place} over time");
            check(&name, channels)?;
            if channels < before {
                return Err(format!("{name} has {channels} channels, fewer than the one before"));
            }
            trace.spend(&name, &[channels, inputs + 1, FRAMES])?;
            (inputs, before) = (channels, channels);
        }
        trace.linear("the dense layer", self.pooled_values(), self.embedding)?;
        if !self.tags.is_empty() {
            trace.linear("the tags", self.embedding, self.tags.len())?;
        }
        if self.tags.is_empty() && self.head == MusicnnHead::Tags {
            return Err("the tags are the classes, but there are no tags".into());
        }
        Ok(())
    }

    /// Short description.
    pub fn summary(&self) -> String {
        format!("musicnn of {} filters", self.front_channels())
    }

    /// Builds the network with random weights on a device (seed it first), for an input that
    /// [`MusicnnConfig::validate`] accepts. Where the tags are the classes, `classes` has no effect.
    pub fn init(&self, parts: &[[usize; 3]], classes: usize, device: &Device) -> Musicnn {
        let bands = parts.first().map_or(1, |&[_, bands, _]| bands);
        let norm = |channels| BatchNormConfig::new(channels).with_epsilon(EPSILON).init(device);
        let mut inputs = self.front_channels();
        let pooled = self.pooled_values();
        let head = |values| Head {
            norm: norm(values),
            dropout: DropoutConfig::new(self.dropout).init(),
            linear: linear(values, classes, Start::Glorot, device),
        };
        Musicnn {
            input: Affine::new(1, device),
            banks: self.banks(bands).iter().map(|bank| bank.init(device)).collect(),
            middle: self
                .middle
                .iter()
                .map(|&channels| {
                    let window = Window::new([1, FRAMES]).same();
                    let conv = conv([inputs + 1, channels], window, 1, true, Start::FanIn, device);
                    inputs = channels;
                    Layer { conv, norm: norm(channels) }
                })
                .collect(),
            pooled_norm: norm(pooled),
            dense: linear(pooled, self.embedding, Start::FanIn, device),
            embedding_norm: norm(self.embedding),
            tags: (!self.tags.is_empty())
                .then(|| linear(self.embedding, self.tags.len(), Start::Glorot, device)),
            head: match self.head {
                MusicnnHead::Tags => None,
                MusicnnHead::Embedding => Some(head(self.embedding)),
                MusicnnHead::Pooled => Some(head(pooled)),
                MusicnnHead::PooledAndEmbedding => Some(head(pooled + self.embedding)),
            },
            on_pooled: matches!(self.head, MusicnnHead::Pooled | MusicnnHead::PooledAndEmbedding),
            on_embedding: matches!(self.head, MusicnnHead::Embedding | MusicnnHead::PooledAndEmbedding),
        }
    }
}

/// A scale and a shift of each channel.
#[derive(Module, Debug)]
struct Affine {
    scale: Param<Tensor<1>>,
    shift: Param<Tensor<1>>,
}

impl Affine {
    fn new(channels: usize, device: &Device) -> Self {
        Self {
            scale: Initializer::Ones.init([channels], device),
            shift: Initializer::Zeros.init([channels], device),
        }
    }

    fn scale(&self) -> Tensor<4> {
        Self::spread(&self.scale)
    }

    fn shift(&self) -> Tensor<4> {
        Self::spread(&self.shift)
    }

    fn spread(values: &Param<Tensor<1>>) -> Tensor<4> {
        let values = values.val();
        let [channels] = values.dims();
        values.reshape([1, channels, 1, 1])
    }
}

/// Filters of one size, each followed by its maximum over all bands. Filters with a negative scale are
/// stored negated.
#[derive(Module, Debug)]
struct FilterBank {
    conv: Conv2d,
    affine: Affine,
}

impl FilterBank {
    /// # Shapes
    /// `[batch, 1, bands, frames]` → `[batch, filters, 1, frames]`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let scale = self.affine.scale();
        relu(self.loudest(x) * scale.clone().sign()) * scale + self.affine.shift()
    }

    /// Convolution and maximum over all bands, `[batch, filters, 1, frames]`.
    fn loudest(&self, x: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "cpu")]
        if let Some(y) = fused::Block::new(&self.conv).with_pool(fused::Pool::Rows).forward(&x) {
            return y;
        }
        convolve(&self.conv, x).max_dim(2)
    }
}

/// A layer over time. Its last input is 1 at every frame.
#[derive(Module, Debug)]
struct Layer {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Layer {
    /// # Shapes
    /// `[batch, inputs, 1, frames]` → `[batch, channels, 1, frames]`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, _, rows, frames] = x.dims();
        let one = Tensor::ones([batch, 1, rows, frames], &x.device());
        let x = Tensor::cat(vec![x, one], 1);
        #[cfg(feature = "cpu")]
        if let Some(y) =
            fused::Block::new(&self.conv).with_relu().with_norm_after(Some(&self.norm)).forward(&x)
        {
            return y;
        }
        normalise(&self.norm, relu(convolve(&self.conv, x)))
    }
}

/// The layers that predict the classes.
#[derive(Module, Debug)]
struct Head {
    norm: BatchNorm,
    dropout: Dropout,
    linear: Linear,
}

/// All outputs of a [`Musicnn`] for a batch, from one pass.
#[derive(Clone, Debug)]
pub struct MusicnnOutput {
    /// Logits of the classes: `[batch, classes]`.
    pub logits: Tensor<2>,
    /// The embedding: `[batch, embedding]`.
    pub embedding: Tensor<2>,
    /// Logits of the tags, if the network has a layer for them: `[batch, tags]`. Tags are independent: the
    /// probability of each is the sigmoid of its logit.
    pub tags: Option<Tensor<2>>,
}

/// The network of a [`MusicnnConfig`].
#[derive(Module, Debug)]
pub struct Musicnn {
    input: Affine,
    banks: Vec<FilterBank>,
    middle: Vec<Layer>,
    pooled_norm: BatchNorm,
    dense: Linear,
    embedding_norm: BatchNorm,
    tags: Option<Linear>,
    head: Option<Head>,
    /// Whether the input of the head has the pooled values.
    on_pooled: bool,
    /// Whether the input of the head has the embedding.
    on_embedding: bool,
}

impl Musicnn {
    /// Logits of a batch of windows.
    ///
    /// # Shapes
    /// One part of `[batch, 1, bands, frames]` → `[batch, classes]`
    ///
    /// # Panics
    /// No part.
    pub fn forward(&self, parts: &[Tensor<4>]) -> Tensor<2> {
        let pooled = self.pooled(parts);
        match &self.head {
            Some(head) if !self.on_embedding => head.forward(pooled),
            _ => {
                let embedding = self.embedding_of(pooled.clone());
                self.classes_of(pooled, embedding)
            }
        }
    }

    /// Logits, embedding and tags from one pass.
    ///
    /// # Panics
    /// No part.
    pub fn outputs(&self, parts: &[Tensor<4>]) -> MusicnnOutput {
        let pooled = self.pooled(parts);
        let embedding = self.embedding_of(pooled.clone());
        let tags = self.tags.as_ref().map(|tags| tags.forward(embedding.clone()));
        let logits = match (&self.head, &tags) {
            (None, Some(tags)) => tags.clone(),
            _ => self.classes_of(pooled, embedding.clone()),
        };
        MusicnnOutput { logits, embedding, tags }
    }

    /// The embedding of a batch of windows.
    ///
    /// # Shapes
    /// One part of `[batch, 1, bands, frames]` → `[batch, embedding]`
    ///
    /// # Panics
    /// No part.
    pub fn embedding(&self, parts: &[Tensor<4>]) -> Tensor<2> {
        self.embedding_of(self.pooled(parts))
    }

    /// Logits of the tags; the probability of each is its sigmoid. `None` if the network has no layer for
    /// them.
    ///
    /// # Shapes
    /// One part of `[batch, 1, bands, frames]` → `[batch, tags]`
    ///
    /// # Panics
    /// No part.
    pub fn tags(&self, parts: &[Tensor<4>]) -> Option<Tensor<2>> {
        self.tags.as_ref().map(|tags| tags.forward(self.embedding(parts)))
    }

    /// Maximum and mean of every channel over time: first all maxima, then all means, each of the
    /// front-end's channels and then of every layer's.
    ///
    /// # Shapes
    /// One part of `[batch, 1, bands, frames]` → `[batch, values]`, [`MusicnnConfig::pooled_values`] of them
    ///
    /// # Panics
    /// No part.
    pub fn pooled(&self, parts: &[Tensor<4>]) -> Tensor<2> {
        self.pooled_of_front(self.front(parts))
    }

    /// Output of the front-end. Training can cache it while the front-end is frozen.
    ///
    /// # Shapes
    /// One part of `[batch, 1, bands, frames]` → `[batch, filters, 1, frames]`
    ///
    /// # Panics
    /// No part.
    pub fn front(&self, parts: &[Tensor<4>]) -> Tensor<4> {
        let x = parts[0].clone() * self.input.scale() + self.input.shift();
        Tensor::cat(self.banks.iter().map(|bank| bank.forward(x.clone())).collect(), 1)
    }

    /// [`Musicnn::pooled`] from the output of [`Musicnn::front`].
    ///
    /// # Shapes
    /// `[batch, filters, 1, frames]` → `[batch, values]`
    pub fn pooled_of_front(&self, front: Tensor<4>) -> Tensor<2> {
        let mut layers = vec![front.clone()];
        let mut x = front;
        for (place, layer) in self.middle.iter().enumerate() {
            let y = layer.forward(x.clone());
            x = if place == 0 { y } else { add_first(y, x) };
            layers.push(x.clone());
        }
        let all = Tensor::cat(layers, 1);
        let [batch, channels, ..] = all.dims();
        let flat = |x: Tensor<4>| x.reshape([batch, channels]);
        Tensor::cat(vec![flat(all.clone().max_dim(3)), flat(all.mean_dim(3))], 1)
    }

    /// # Shapes
    /// `[batch, values]` → `[batch, embedding]`
    fn embedding_of(&self, pooled: Tensor<2>) -> Tensor<2> {
        self.embedding_norm.forward(relu(self.dense.forward(self.pooled_norm.forward(pooled))))
    }

    /// # Shapes
    /// `[batch, values]` and `[batch, embedding]` → `[batch, classes]`
    fn classes_of(&self, pooled: Tensor<2>, embedding: Tensor<2>) -> Tensor<2> {
        match (&self.head, &self.tags) {
            (Some(head), _) => head.forward(self.selected(pooled, embedding)),
            (None, Some(tags)) => tags.forward(embedding),
            (None, None) => embedding, // rejected by `validate`
        }
    }

    /// The input of the head from pooled values and embedding.
    ///
    /// # Shapes
    /// `[batch, values]` and `[batch, embedding]` → `[batch, inputs]`
    fn selected(&self, pooled: Tensor<2>, embedding: Tensor<2>) -> Tensor<2> {
        match (self.on_pooled, self.on_embedding) {
            (true, true) => Tensor::cat(vec![pooled, embedding], 1),
            (true, false) => pooled,
            _ => embedding,
        }
    }

    /// Input of the head: the pooled values, the embedding, or both. `None` if the tags are the classes.
    ///
    /// # Shapes
    /// One part of `[batch, 1, bands, frames]` → `[batch, values]`
    ///
    /// # Panics
    /// No part.
    pub fn head_input(&self, parts: &[Tensor<4>]) -> Option<Tensor<2>> {
        self.head.as_ref()?;
        let pooled = self.pooled(parts);
        if !self.on_embedding {
            return Some(pooled);
        }
        let embedding = self.embedding_of(pooled.clone());
        Some(self.selected(pooled, embedding))
    }

    /// Logits of the classes, and the pooled values followed by the embedding, from one pass. The values do
    /// not depend on the head.
    ///
    /// # Shapes
    /// One part of `[batch, 1, bands, frames]` → `[batch, classes]`, `[batch, pooled + embedding]`
    ///
    /// # Panics
    /// No part.
    pub fn logits_and_features(&self, parts: &[Tensor<4>]) -> (Tensor<2>, Tensor<2>) {
        let pooled = self.pooled(parts);
        let embedding = self.embedding_of(pooled.clone());
        let logits = match (&self.head, &self.tags) {
            (None, Some(tags)) => tags.forward(embedding.clone()),
            _ => self.classes_of(pooled.clone(), embedding.clone()),
        };
        (logits, Tensor::cat(vec![pooled, embedding], 1))
    }

    /// Logits of the classes from the values of [`Musicnn::logits_and_features`].
    ///
    /// # Shapes
    /// `[batch, pooled + embedding]` → `[batch, classes]`
    pub fn logits_of_features(&self, features: Tensor<2>) -> Tensor<2> {
        let [pooled, _] = self.dense.weight.dims();
        let width = features.dims()[1];
        let embedding = features.clone().narrow(1, pooled, width - pooled);
        self.classes_of(features.narrow(1, 0, pooled), embedding)
    }

    /// The same body with a new head on the pooled values and the embedding, with one output for each bias of
    /// the fit. The network's configuration then has [`MusicnnHead::PooledAndEmbedding`].
    ///
    /// # Errors
    /// The fit has another number of inputs than there are values.
    #[cfg(feature = "fit")]
    pub fn with_new_head(mut self, fitted: &crate::LogisticRegression) -> Result<Self, String> {
        let [pooled, embedding] = self.dense.weight.dims();
        let device = self.dense.weight.device();
        self.head = Some(Head {
            norm: BatchNormConfig::new(pooled + embedding).with_epsilon(EPSILON).init(&device),
            dropout: DropoutConfig::new(0.0).init(),
            linear: linear(pooled + embedding, fitted.biases.len(), Start::Glorot, &device),
        });
        (self.on_pooled, self.on_embedding) = (true, true);
        self.with_head(fitted)
    }

    /// Replaces the head by a fitted one. The standardisation becomes the head's batch normalisation instead
    /// of part of the linear weights, so that the weights keep a small range in half precision.
    ///
    /// # Errors
    /// The network has no head, or the head has other sizes.
    #[cfg(feature = "fit")]
    pub fn with_head(mut self, fitted: &crate::LogisticRegression) -> Result<Self, String> {
        let head = self.head.as_mut().ok_or("the network has no head")?;
        let [inputs, outputs] = head.linear.weight.dims();
        if fitted.width() != inputs || fitted.biases.len() != outputs {
            return Err(format!(
                "the head has {inputs} inputs and {outputs} outputs, the fit {} and {}",
                fitted.width(),
                fitted.biases.len()
            ));
        }
        let device = head.linear.weight.device();
        let vector = |values: Vec<f32>| Tensor::<1>::from_floats(values.as_slice(), &device);
        // The normalisation divides by √(variance + ε).
        let epsilon = head.norm.epsilon as f32;
        let gains = fitted.deviations.iter().map(|d| (d * d + epsilon).sqrt() / d).collect();
        head.norm.running_mean = RunningState::new(vector(fitted.means.clone()));
        head.norm.running_var = RunningState::new(vector(fitted.deviations.iter().map(|d| d * d).collect()));
        head.norm.gamma = Param::from_tensor(vector(gains));
        head.norm.beta = Param::from_tensor(vector(vec![0.0; inputs]));
        let rows = TensorData::new(fitted.weights.clone(), [outputs, inputs]);
        head.linear.weight = Param::from_tensor(Tensor::<2>::from_data(rows, &device).transpose());
        head.linear.bias = Some(Param::from_tensor(vector(fitted.biases.clone())));
        Ok(self)
    }

    /// Freezes a part of the network; see [`Freeze`]. The front-end is the first block, each layer over
    /// time is one, and the dense layer with its normalisations is the fifth.
    ///
    /// The layer of the tags is frozen with the dense layer. If the network has a head, the loss does not
    /// depend on the tags: once earlier blocks are trained, the tags no longer match their names.
    ///
    /// # Errors
    /// The network has fewer blocks.
    pub fn frozen(mut self, what: Freeze) -> Result<Self, String> {
        let mut freezer = Freezer(what.of(BLOCKS)?);
        if freezer.0 > 0 {
            self.input = self.input.freeze();
            self.banks = self.banks.into_iter().map(Module::freeze).collect();
            freezer.0 -= 1;
        }
        self.middle = freezer.all(self.middle);
        if freezer.0 > 0 {
            self.pooled_norm = self.pooled_norm.freeze();
            self.dense = self.dense.freeze();
            self.embedding_norm = self.embedding_norm.freeze();
            // Without a head, the tags are the head.
            if self.head.is_some() {
                self.tags = self.tags.map(Module::freeze);
            }
        }
        Ok(self)
    }
}

impl Head {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.linear.forward(self.dropout.forward(self.norm.forward(x)))
    }
}

/// `y` with `x` added to its first channels.
fn add_first(y: Tensor<4>, x: Tensor<4>) -> Tensor<4> {
    let ([batch, channels, rows, frames], [_, first, ..]) = (y.dims(), x.dims());
    let wide = if first < channels {
        Tensor::cat(vec![x, Tensor::zeros([batch, channels - first, rows, frames], &y.device())], 1)
    } else {
        x
    };
    y + wide
}
