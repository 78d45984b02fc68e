//! The manifest beside the weights: everything needed to check, run and reproduce networks.

use std::collections::BTreeSet;

use cratedigger_protocol::{Descriptor, Metric, Quantiles, TypicalCharacter};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::nets::LegacyCnn;
use crate::{Architecture, EnsembleRule, InputSpec, Preparation, SectionModel};

/// The manifest format that this code reads and writes.
pub const FORMAT: u32 = 2;

/// `manifest.json`: the networks of an ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The genres, in the order of all logits.
    pub classes: Vec<String>,
    /// Kinds of non-music, such as `speech`. A network with [`ModelEntry::non_music`] has one more
    /// logit for each kind, after those of the classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub non_music: Vec<String>,
    /// Minimum strength of a tag of a song, 0…1; 0.1 if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags_above: Option<f32>,
    /// Measured accuracies of the ensemble.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// How the networks are combined.
    #[serde(default, skip_serializing_if = "is_plain")]
    pub ensemble: EnsembleRule,
    /// File name of another manifest beside this one, with more networks, which may be loaded after the
    /// first answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<String>,
    /// The typical character of the training clips, with classes in the order of [`Manifest::classes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub character: Option<TypicalCharacter>,
    /// How segments are smoothed to sections; the default parameters if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sections: Option<SectionModel>,
    /// The networks.
    pub models: Vec<ModelEntry>,
}

/// One network of a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelEntry {
    /// Name, unique in the manifest.
    pub name: String,
    /// File name of the weights beside the manifest.
    pub weights: String,
    /// Bytes of that file.
    pub bytes: u64,
    /// SHA-256 of that file, in hexadecimal.
    pub sha256: String,
    /// Number of trained parameters.
    pub parameters: u64,
    /// The design of the network.
    pub architecture: Architecture,
    /// The input of the network.
    #[serde(rename = "recipe")]
    pub input_spec: InputSpec,
    /// Preprocessing fitted to the training data's features: scaling, selection, components.
    #[serde(default, skip_serializing_if = "is_identity")]
    pub preparation: Preparation,
    /// [`ModelEntry::hash_of`] these settings, written when the weights were exported.
    #[serde(rename = "recipe_hash")]
    pub spec_hash: String,
    /// Whether the network also predicts [`Manifest::non_music`].
    #[serde(default, skip_serializing_if = "is_false")]
    pub non_music: bool,
    /// Licence notice of weights from a third party. Every copy must include it, so the page shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// How it was trained.
    pub training: Training,
    /// Measured accuracies.
    pub metrics: Vec<Metric>,
    /// Expected logits of the network for the golden input.
    pub golden: Golden,
}

/// How a network was trained, so that the training can be repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// The command line.
    pub command: String,
    /// Seed of all random choices.
    pub seed: u64,
    /// How training and test clips were separated.
    pub protocol: String,
    /// Epoch of these weights, counted from 1.
    pub epoch: usize,
    /// The data.
    pub data: DataRecord,
    /// The complete configuration.
    pub config: serde_json::Value,
}

/// The data that a network was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// SHA-256 over names and contents of all training and validation inputs.
    pub sha256: String,
    /// Number of training clips.
    pub train_clips: usize,
    /// Number of validation clips, which selected the epoch.
    pub valid_clips: usize,
    /// Sorted ids of all these clips, unless the protocol's name determines them, and of the clips that
    /// the initial weights were trained on: an evaluation on any data set must know which clips a network
    /// has seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
}

/// The expected logits for [`crate::golden_signal`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// Logits of the first window, one for each class, then one for each kind of non-music that the network
    /// predicts.
    pub logits: Vec<f32>,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not JSON, or not a manifest.
    #[error("manifest.json cannot be read: {0}")]
    Parse(#[from] serde_json::Error),
    /// It has another format.
    #[error("manifest.json has format {0}, this program reads format {FORMAT}")]
    Format(u32),
    /// It is inconsistent.
    #[error("manifest.json: {0}")]
    Inconsistent(String),
}

fn is_plain(rule: &EnsembleRule) -> bool {
    *rule == EnsembleRule::default()
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_identity(preparation: &Preparation) -> bool {
    preparation.steps.is_empty()
}

impl Manifest {
    /// Reads and checks a manifest, without its weights.
    ///
    /// # Errors
    /// It is not a manifest, has another format, or is inconsistent.
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
            return inconsistent("it lists no model".into());
        };
        if manifest.classes.len() < 2 {
            return inconsistent("it has fewer than two classes".into());
        }
        for (index, model) in manifest.models.iter().enumerate() {
            if manifest.models[..index].iter().any(|m| m.name == model.name) {
                return inconsistent(format!("two models have the name {}", model.name));
            }
            if model.golden.logits.len() != manifest.outputs_of(model) {
                return inconsistent(format!(
                    "{} has golden logits for another number of classes",
                    model.name
                ));
            }
            if model.non_music && manifest.non_music.is_empty() {
                return inconsistent(format!(
                    "{} predicts kinds of non-music that are not listed",
                    model.name
                ));
            }
            // All members share the segments; sample rates and windows differ.
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
        if manifest.sections.is_some_and(|model| !model.is_valid()) {
            return inconsistent("`sections` needs `stay` between 0 and 1 and a positive `evidence`".into());
        }
        if let Some(reason) = manifest.non_music_fault() {
            return inconsistent(reason.into());
        }
        if let Some(reason) = manifest.character.as_ref().and_then(|c| character_fault(c, &manifest.classes))
        {
            return inconsistent(reason.into());
        }
        Ok(manifest)
    }

    /// Number of logits of a network: one for each class, and one for each kind of non-music that it
    /// predicts.
    pub fn outputs_of(&self, model: &ModelEntry) -> usize {
        self.classes.len() + if model.non_music { self.non_music.len() } else { 0 }
    }

    /// The first fault of the kinds of non-music and of the threshold of tags.
    fn non_music_fault(&self) -> Option<&'static str> {
        let predicted = self.models.iter().any(|model| model.non_music);
        if self.ensemble.non_music_above.is_some() && !predicted {
            return Some("the ensemble has `non_music_above`, but no network predicts `non_music`");
        }
        let distinct: BTreeSet<&String> = self.non_music.iter().chain(&self.classes).collect();
        if distinct.len() < self.non_music.len() + self.classes.len() {
            return Some("classes and kinds of non-music must have different names");
        }
        if self.tags_above.is_some_and(|level| !(0.0..=1.0).contains(&level)) {
            return Some("`tags_above` must be in 0…1");
        }
        None
    }
}

/// The first fault of a typical character for these classes.
fn character_fault(typical: &TypicalCharacter, classes: &[String]) -> Option<&'static str> {
    let complete = |ranges: &Vec<Quantiles>| ranges.len() == Descriptor::ALL.len();
    if typical.classes.len() != classes.len() {
        return Some("`character` has another number of classes");
    }
    if !complete(&typical.all) || !typical.classes.iter().all(complete) {
        return Some("`character` must have six descriptors for all clips and for each class");
    }
    None
}

impl ModelEntry {
    /// The hash that ties weights to the settings they were trained for: the first 16 hexadecimal digits
    /// of the SHA-256 of input spec, architecture and preparation as JSON.
    pub fn hash_of(input_spec: &InputSpec, architecture: &Architecture, preparation: &Preparation) -> String {
        short_hash(&(input_spec, architecture, preparation))
    }

    /// [`ModelEntry::hash_of`] as older programs wrote it for networks of kind `cnn`; `None` for all
    /// other networks.
    pub(crate) fn legacy_hash(&self) -> Option<String> {
        let Architecture::Branched(config) = &self.architecture else { return None };
        Some(short_hash(&(&self.input_spec, LegacyCnn::of(config)?, &self.preparation)))
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of a value as JSON.
fn short_hash<T: Serialize>(value: &T) -> String {
    // These plain structs always serialise.
    let json = serde_json::to_string(value).unwrap_or_default();
    let mut hash = sha256_hex(json.as_bytes());
    hash.truncate(16);
    hash
}

/// SHA-256 in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
        hex
    })
}
