//! A network with its weights.

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::{AnalyseError, Cnn, CnnConfig, ModelEntry, Recipe, RecipeError, sha256_hex};

/// The design of a network, as configurations and manifests name it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Architecture {
    /// A [`Cnn`].
    Cnn(CnnConfig),
}

impl Architecture {
    /// Whether the design makes sense for a recipe's windows.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub fn validate(&self, recipe: &Recipe) -> Result<(), String> {
        match self {
            Self::Cnn(config) => config.validate(recipe.n_mels, recipe.columns),
        }
    }

    /// Builds the network with random weights on a device (seed it first).
    pub fn init(&self, classes: usize, device: &Device) -> Network {
        match self {
            Self::Cnn(config) => Network::Cnn(config.init(classes, device)),
        }
    }

    /// One line for people.
    pub fn summary(&self, recipe: &Recipe) -> String {
        match self {
            Self::Cnn(config) => format!(
                "CNN of {} convolutions on {} s of log-mel, {} bands × {} columns",
                config.blocks.len(),
                recipe.segment_seconds,
                recipe.n_mels,
                recipe.columns
            ),
        }
    }
}

/// A network of any design.
#[derive(Module, Debug)]
pub enum Network {
    /// A [`Cnn`].
    Cnn(Cnn),
}

impl Network {
    /// Logits of a batch of windows: `[batch, bands, columns]` → `[batch, classes]`.
    pub fn forward(&self, windows: Tensor<3>) -> Tensor<2> {
        match self {
            Self::Cnn(cnn) => cnn.forward(windows),
        }
    }
}

/// Why weights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Recipe and architecture are not those that the weights were trained for.
    #[error(
        "{model}: the weights were made for recipe {expected}, but the manifest's recipe and architecture hash to {found}; restore the manifest that came with the weights, or export them again"
    )]
    RecipeHash {
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
    Recipe {
        /// The model.
        model: String,
        /// What is wrong with it.
        source: RecipeError,
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
        entry.recipe.validate().map_err(|source| LoadError::Recipe { model: model(), source })?;
        entry
            .architecture
            .validate(&entry.recipe)
            .map_err(|reason| LoadError::Architecture { model: model(), reason })?;
        let found = ModelEntry::hash_of(&entry.recipe, &entry.architecture);
        if found != entry.recipe_hash {
            return Err(LoadError::RecipeHash { model: model(), expected: entry.recipe_hash.clone(), found });
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
            .init(classes, device)
            .try_load_record(record.cast_to_module_dtype())
            .map_err(|e| refuse(e.to_string()))?;
        Ok(Self { entry: entry.clone(), classes, network, device: device.clone() })
    }

    /// What the manifest says of it.
    pub fn entry(&self) -> &ModelEntry {
        &self.entry
    }

    /// Logits of `windows.len() / input_len` windows, one after another: `windows · classes`
    /// values.
    ///
    /// # Errors
    /// The device failed.
    pub async fn logits(&self, windows: Vec<f32>) -> Result<Vec<f32>, AnalyseError> {
        let recipe = &self.entry.recipe;
        let count = windows.len() / recipe.input_len().max(1);
        let data = TensorData::new(windows, [count, recipe.n_mels, recipe.columns]);
        let output = self.network.forward(Tensor::<3>::from_data(data, &self.device));
        let failed = |e: String| AnalyseError::Device { model: self.entry.name.clone(), reason: e };
        let data = output.into_data_async().await.map_err(|e| failed(format!("{e:?}")))?;
        let logits = data.as_slice::<f32>().map_err(|e| failed(format!("{e:?}")))?.to_vec();
        if logits.len() != count * self.classes || logits.iter().any(|l| !l.is_finite()) {
            return Err(failed("it gave logits that are not finite numbers".into()));
        }
        Ok(logits)
    }
}
