//! A network with its weights.

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::nets::{
    Branched, BranchedConfig, DropoutRates as _, EfficientNetB0Config, Freeze, InceptionV3,
    InceptionV3Config, Inverted, MobileNetV2Config, Vgg19, Vgg19Config,
};
use crate::{AnalyseError, Cnn, CnnConfig, Input, InputSpec, InputSpecError, ModelEntry, sha256_hex};

/// Configurations and networks of all kinds, each by its name.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:literal $kind:ident: $config:ty => $network:ty,)*) => {
        /// The design of a network, as configurations and manifests name it.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Architecture {
            $($(#[$doc])* #[serde(rename = $name)] $kind($config),)*
        }

        impl Architecture {
            /// Whether the design makes sense for parts of these shapes, `[channels, rows, columns]` each.
            ///
            /// # Errors
            /// A sentence that says what does not fit.
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

            /// A few words for people.
            pub fn describe(&self) -> String {
                match self {
                    $(Self::$kind(config) => config.summary(),)*
                }
            }
        }

        /// A network of any design.
        #[derive(Module, Debug)]
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
            /// Fewer parts than [`Architecture::validate`] was asked about.
            pub fn forward(&self, parts: &[Tensor<4>]) -> Tensor<2> {
                match self {
                    $(Self::$kind(network) => network.forward(parts),)*
                }
            }

            /// Freezes a part of the network; see [`Freeze`].
            ///
            /// # Errors
            /// It has not so many blocks.
            pub fn frozen(self, what: Freeze) -> Result<Self, String> {
                Ok(match self {
                    $(Self::$kind(network) => Self::$kind(network.frozen(what)?),)*
                })
            }
        }
    };
}

kinds! {
    /// A plain stack of convolutions.
    "cnn" Cnn: CnnConfig => Cnn,
    /// A body for each part of the input and a dense head: most designs of the field.
    "branched" Branched: BranchedConfig => Branched,
    /// VGG-19 (Simonyan and Zisserman 2015).
    "vgg19" Vgg19: Vgg19Config => Vgg19,
    /// MobileNetV2 (Sandler et al. 2018).
    "mobilenet-v2" MobileNetV2: MobileNetV2Config => Inverted,
    /// EfficientNet-B0 (Tan and Le 2019).
    "efficientnet-b0" EfficientNetB0: EfficientNetB0Config => Inverted,
    /// Inception v3 (Szegedy et al. 2016).
    "inception-v3" InceptionV3: InceptionV3Config => InceptionV3,
}

impl Architecture {
    /// What torchvision calls each layer of the network, and its name here; the layer that names the
    /// classes is `head`. Empty for designs that torchvision does not have.
    pub fn torchvision_names(&self) -> Vec<(String, String)> {
        match self {
            Self::Vgg19(config) => config.torchvision_names(),
            Self::MobileNetV2(config) => config.torchvision_names(),
            Self::EfficientNetB0(config) => config.torchvision_names(),
            Self::InceptionV3(config) => config.torchvision_names(),
            Self::Cnn(_) | Self::Branched(_) => Vec::new(),
        }
    }

    /// One line for people, with the input.
    pub fn summary(&self, recipe: &InputSpec) -> String {
        let inputs: Vec<String> = recipe.inputs.iter().map(Input::summary).collect();
        format!("{} on {} s of {}", self.describe(), recipe.segment_seconds, inputs.join(" and "))
    }
}

/// The parts of a batch as tensors.
///
/// `windows` holds the windows one after the other, each with all its parts; `shapes` is
/// `[channels, rows, columns]` of each part. A rest shorter than a window is left out.
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

/// Why weights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is nothing to load.
    #[error("the manifest names no network")]
    Empty,
    /// InputSpec and architecture are not those that the weights were trained for.
    #[error(
        "{model}: the weights were made for recipe {expected}, but the manifest's recipe and architecture hash to {found}; restore the manifest that came with the weights, or export them again"
    )]
    SpecHash {
        /// The model.
        model: String,
        /// Written with the weights.
        expected: String,
        /// Of what the manifest says now.
        found: String,
    },
    /// The file is not the one that the manifest describes.
    #[error(
        "{model}: the weights' SHA-256 is {found}, the manifest names {expected}; the file is damaged or belongs to another manifest"
    )]
    WeightsHash {
        /// The model.
        model: String,
        /// The manifest's.
        expected: String,
        /// The file's.
        found: String,
    },
    /// The recipe itself.
    #[error("{model}: {source}")]
    InputSpec {
        /// The model.
        model: String,
        /// What is wrong with it.
        source: InputSpecError,
    },
    /// The architecture does not fit the recipe.
    #[error("{model}: {reason}")]
    Architecture {
        /// The model.
        model: String,
        /// What does not fit.
        reason: String,
    },
    /// The file does not hold this network's tensors.
    #[error("{model}: the weights cannot be loaded: {reason}")]
    Weights {
        /// The model.
        model: String,
        /// The store's words.
        reason: String,
    },
}

/// A network with its weights, on a device, ready to judge windows.
pub struct Model {
    entry: ModelEntry,
    classes: usize,
    shapes: Vec<[usize; 3]>,
    network: Network,
    device: Device,
}

impl Model {
    /// Loads a network from the bytes of its burnpack file. Half-precision weights become single
    /// precision here.
    ///
    /// # Errors
    /// The entry contradicts itself, or the bytes are not what it describes.
    pub fn load(
        entry: &ModelEntry,
        classes: usize,
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
        if found != entry.spec_hash {
            return Err(LoadError::SpecHash { model: model(), expected: entry.spec_hash.clone(), found });
        }
        let found = sha256_hex(&weights);
        if found != entry.sha256 {
            return Err(LoadError::WeightsHash { model: model(), expected: entry.sha256.clone(), found });
        }
        let refuse = |reason: String| LoadError::Weights { model: model(), reason };
        let record =
            ModuleRecord::from_bytes(Bytes::from_bytes_vec(weights)).map_err(|e| refuse(e.to_string()))?;
        let network = entry
            .architecture
            .init(&shapes, classes, device)
            .try_load_record(record.cast_to_module_dtype())
            .map_err(|e| refuse(e.to_string()))?;
        Ok(Self { entry: entry.clone(), classes, shapes, network, device: device.clone() })
    }

    /// What the manifest says of it.
    pub fn entry(&self) -> &ModelEntry {
        &self.entry
    }

    /// Logits of some windows as [`crate::Extractor::window`] makes them, one after another:
    /// `windows · classes` values.
    ///
    /// # Errors
    /// The device failed.
    pub async fn logits(&self, windows: Vec<f32>) -> Result<Vec<f32>, AnalyseError> {
        let length: usize = self.shapes.iter().map(|s| s.iter().product::<usize>()).sum();
        let count = windows.len() / length.max(1);
        let output = self.network.forward(&batch(windows, &self.shapes, &self.device));
        let failed = |e: String| AnalyseError::Device { model: self.entry.name.clone(), reason: e };
        let data = output.into_data_async().await.map_err(|e| failed(format!("{e:?}")))?;
        let logits = data.as_slice::<f32>().map_err(|e| failed(format!("{e:?}")))?.to_vec();
        if logits.len() != count * self.classes || logits.iter().any(|l| !l.is_finite()) {
            return Err(failed("it gave logits that are not finite numbers".into()));
        }
        Ok(logits)
    }
}
