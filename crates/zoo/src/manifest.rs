//! What stands beside the weights: everything needed to check, run and reproduce them.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Architecture, EnsembleRule, InputSpec, Preparation};

/// The manifest format that this code reads and writes.
pub const FORMAT: u32 = 2;

/// `manifest.json`: the networks of an ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The genres, in the order of all logits.
    pub classes: Vec<String>,
    /// Figures of the whole ensemble.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// How they decide together.
    #[serde(default, skip_serializing_if = "is_plain")]
    pub ensemble: EnsembleRule,
    /// Another manifest beside this one, with more networks, that may be loaded once these have
    /// answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<String>,
    /// Its networks.
    pub models: Vec<ModelEntry>,
}

/// One network of a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelEntry {
    /// Its name, unique in the manifest.
    pub name: String,
    /// File name of the weights beside the manifest.
    pub weights: String,
    /// Bytes of that file.
    pub bytes: u64,
    /// SHA-256 of that file, in hexadecimal.
    pub sha256: String,
    /// Number of trained parameters.
    pub parameters: u64,
    /// The network.
    pub architecture: Architecture,
    /// Its input.
    #[serde(rename = "recipe")]
    pub input_spec: InputSpec,
    /// What was fitted to the training data's features: scaling, selection, components.
    #[serde(default, skip_serializing_if = "is_identity")]
    pub preparation: Preparation,
    /// [`ModelEntry::hash_of`] these, written when the weights were exported.
    #[serde(rename = "recipe_hash")]
    pub spec_hash: String,
    /// How it was trained.
    pub training: Training,
    /// Its figures.
    pub metrics: Vec<Metric>,
    /// What it answers to the golden input.
    pub golden: Golden,
}

/// How a network was trained: enough to do it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// The command line.
    pub command: String,
    /// The seed of every random choice.
    pub seed: u64,
    /// How training and test clips were kept apart.
    pub protocol: String,
    /// Epoch whose weights these are, counted from 1.
    pub epoch: usize,
    /// The data.
    pub data: DataRecord,
    /// The configuration, as resolved.
    pub config: serde_json::Value,
}

/// Which data a network learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// SHA-256 over the names and contents of all inputs used, training and validation.
    pub sha256: String,
    /// Clips trained on.
    pub train_clips: usize,
    /// Clips that the epoch was selected by.
    pub valid_clips: usize,
    /// The ids of all these clips, sorted, where the protocol's name doesn't say them, and of those that
    /// the weights to begin with had seen: an evaluation must know what a network has seen, whatever
    /// data set it is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
}

/// An accuracy, never without its protocol and its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// `fault-filtered`, `track` or `segment`.
    pub protocol: String,
    /// `track` (whole clips) or `segment` (windows).
    pub level: String,
    /// How many.
    pub n: u64,
    /// Share named rightly, 0…1.
    pub accuracy: f64,
    /// Where the true share lies with 95 % confidence. Manifests of older exports have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// One row a true genre, one column a genre named, in the order of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Vec<Vec<u32>>>,
}

/// The answer to [`crate::golden_signal`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// Logits of the first window, one a class.
    pub logits: Vec<f32>,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or not a manifest.
    #[error("manifest.json cannot be read: {0}")]
    Parse(#[from] serde_json::Error),
    /// Of another format.
    #[error("manifest.json has format {0}, this program reads format {FORMAT}")]
    Format(u32),
    /// Contradicts itself.
    #[error("manifest.json: {0}")]
    Inconsistent(String),
}

fn is_plain(rule: &EnsembleRule) -> bool {
    *rule == EnsembleRule::default()
}

fn is_identity(preparation: &Preparation) -> bool {
    preparation.steps.is_empty()
}

impl Manifest {
    /// Reads and checks a manifest (not its weights).
    ///
    /// # Errors
    /// It is no manifest, of another format, or contradicts itself.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_slice(json)?;
        if head.format != FORMAT {
            return Err(ManifestError::Format(head.format));
        }
        let manifest: Self = serde_json::from_slice(json)?;
        let inconsistent = |what: String| Err(ManifestError::Inconsistent(what));
        let Some(first) = manifest.models.first() else {
            return inconsistent("it names no model".into());
        };
        if manifest.classes.len() < 2 {
            return inconsistent("it names fewer than two classes".into());
        }
        for (index, model) in manifest.models.iter().enumerate() {
            if manifest.models[..index].iter().any(|m| m.name == model.name) {
                return inconsistent(format!("two models are called {}", model.name));
            }
            if model.golden.logits.len() != manifest.classes.len() {
                return inconsistent(format!(
                    "{} has golden logits for another number of classes",
                    model.name
                ));
            }
            // Segments are common to all members; rates and windows differ.
            if model.input_spec.segment_seconds != first.input_spec.segment_seconds {
                return inconsistent(format!("{} and {} differ in segment length", model.name, first.name));
            }
        }
        if manifest.full.as_ref().is_some_and(|name| name.contains(['/', '\\']) || !name.ends_with(".json")) {
            return inconsistent("`full` must be the name of a .json file beside it".into());
        }
        if let Err(reason) = manifest.ensemble.validate(manifest.models.len(), manifest.classes.len()) {
            return inconsistent(reason);
        }
        Ok(manifest)
    }
}

impl ModelEntry {
    /// The hash that ties weights to what they were trained for: the first 16 hexadecimal digits
    /// of the SHA-256 of recipe, architecture and preparation as JSON.
    pub fn hash_of(recipe: &InputSpec, architecture: &Architecture, preparation: &Preparation) -> String {
        // Serialising these plain structs cannot fail.
        let json = serde_json::to_string(&(recipe, architecture, preparation)).unwrap_or_default();
        let mut hash = sha256_hex(json.as_bytes());
        hash.truncate(16);
        hash
    }
}

/// SHA-256 in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
        hex
    })
}
