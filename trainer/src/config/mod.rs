//! The configuration of a training run: one typed struct for the TOML file, the command line and the run
//! folder.

mod network;
mod overrides;
mod training;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use cratedigger_zoo::{Architecture, Input, InputSpec};
use serde::{Deserialize, Serialize};

pub use network::presets;
pub use overrides::{Overrides, Setting};
pub use training::{Method, Optimiser, Schedule, Statistics, TrainingConfig};

pub use crate::data::augment::{AudioAugmentation, Augmentation};
use crate::data::examples::Origin;
use crate::data::preprocess::{Components, StepConfig};
use crate::data::split::{Group, Protocol, SplitPlan, TEST_FRACTION, VALID_FRACTION};

/// The resolved configuration of a training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the network; also the name of its file when exported.
    pub name: String,
    /// Published accuracy of the design, with its source. `compare` shows it beside the measured accuracy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub published: String,
    /// Seed of every random choice.
    #[serde(default = "one")]
    pub seed: u64,
    /// Data set, windows and split.
    #[serde(default)]
    pub data: DataConfig,
    /// The parts of the network's input.
    pub inputs: Vec<Input>,
    /// Preprocessing of features, fitted to the training clips. No effect on other inputs.
    #[serde(default)]
    pub preparation: PreparationConfig,
    /// The network: `kind` with all its settings, or `preset` with the name of a recipe ([`presets`]),
    /// optionally with `dropout` or `width` to change that recipe's design.
    #[serde(deserialize_with = "network::network")]
    pub network: Architecture,
    /// Optimisation.
    #[serde(default)]
    pub training: TrainingConfig,
    /// Data augmentation.
    #[serde(default)]
    pub augmentation: Augmentation,
}

fn one() -> u64 {
    1
}

/// The `[data]` table: clips, windows, split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Length of a window in seconds. Published work uses 3 or 30.
    pub window: f64,
    /// Sample rate in Hz of the networks' input. All published work on GTZAN uses 22050. Arrays, tables and
    /// pictures exist at that rate only.
    pub sample_rate: u32,
    /// Source of the inputs if a data set has several.
    pub source: Origin,
    /// Split protocol.
    pub split: Protocol,
    /// Index file that lists the clips of each part, in place of a protocol; see
    /// [`crate::data::split::IndexFile`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<PathBuf>,
    /// Number of folds under the track protocol. Without it, there is a single split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    /// Fold that is the test part, counted from 0.
    pub fold: usize,
    /// Unit that the track protocol keeps in one part.
    pub group: Group,
    /// Fraction of the clips (or segments) in the test part, if the protocol does not fix it.
    #[serde(alias = "test_share")]
    pub test_fraction: f64,
    /// Fraction in the validation part.
    #[serde(alias = "valid_share")]
    pub valid_fraction: f64,
    /// Train on the validation clips, too, and keep the last epoch. Use it after a recipe was selected on
    /// the validation clips: more training data then helps more. Validation metrics of such a run say
    /// nothing about new songs.
    pub learn_from_validation: bool,
    /// Drop clips that duplicate another clip; see `cratedigger inspect`.
    pub drop_duplicates: bool,
    /// Treatment of class imbalance.
    pub balance: Balance,
    /// Non-music sounds, which the network predicts as additional classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_music: Option<NonMusicConfig>,
}

/// The `[data.non_music]` table: a folder with one folder for each kind of sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NonMusicConfig {
    /// The folder. Its folders are the kinds of sounds.
    pub folder: PathBuf,
    /// Kinds whose names begin with one of these are speech; all others are other sounds.
    #[serde(default = "speech_prefixes")]
    pub speech: Vec<String>,
    /// Kinds to leave out: they can then measure how well unknown kinds are rejected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leave_out: Vec<String>,
}

impl NonMusicConfig {
    /// The folder with the default prefixes.
    pub fn of(folder: PathBuf) -> Self {
        Self { folder, speech: speech_prefixes(), leave_out: Vec::new() }
    }
}

fn speech_prefixes() -> Vec<String> {
    ["speech", "voice", "letter"].map(String::from).into()
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            window: 3.0,
            sample_rate: 22_050,
            source: Origin::Auto,
            split: Protocol::FaultFiltered,
            index: None,
            folds: None,
            fold: 0,
            group: Group::Track,
            test_fraction: TEST_FRACTION,
            valid_fraction: VALID_FRACTION,
            learn_from_validation: false,
            drop_duplicates: false,
            balance: Balance::None,
            non_music: None,
        }
    }
}

impl DataConfig {
    /// The split that the configuration asks for.
    pub fn split_plan(&self, seed: u64) -> SplitPlan {
        SplitPlan {
            protocol: if self.index.is_some() { Protocol::Index } else { self.split },
            seed,
            folds: self.folds.map(|folds| (folds, self.fold)),
            group: self.group,
            test_fraction: self.test_fraction,
            valid_fraction: self.valid_fraction,
            index: self.index.clone(),
        }
    }

    fn validate(&self) -> Result<()> {
        ensure!(
            self.test_fraction > 0.0
                && self.valid_fraction > 0.0
                && self.test_fraction + self.valid_fraction < 1.0,
            "test_fraction and valid_fraction must be positive and leave clips to train on"
        );
        if let Some(folds) = self.folds {
            ensure!(folds >= 2, "folds must be at least 2");
            ensure!(
                self.fold < folds,
                "fold {} must be less than folds, {folds}, because folds are counted from 0",
                self.fold
            );
            ensure!(self.split == Protocol::Track, "folds need split = \"track\"");
        }
        Ok(())
    }
}

/// Treatment of class imbalance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// None.
    #[default]
    None,
    /// Class weights in the loss: every class has the same total weight.
    Weights,
    /// Oversampling: small classes are repeated until all classes have the same size.
    Oversample,
}

/// The `[preparation]` table: preprocessing steps fitted to the training clips' features, in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PreparationConfig {
    /// Feature scaling.
    pub scaling: Scaling,
    /// Number of features to keep, selected by ANOVA F; all if missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<usize>,
    /// Principal components: their number (an integer), or the fraction of the variance that they must
    /// explain (0…1). No PCA if missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pca: Option<Components>,
}

impl Default for PreparationConfig {
    fn default() -> Self {
        Self { scaling: Scaling::Standard, select: None, pca: None }
    }
}

impl PreparationConfig {
    /// The steps to fit.
    pub fn steps(&self) -> Vec<StepConfig> {
        let scaling = match self.scaling {
            Scaling::None => None,
            Scaling::Standard => Some(StepConfig::Standard),
            Scaling::MinMax => Some(StepConfig::MinMax),
            Scaling::Robust => Some(StepConfig::Robust),
        };
        let select = self.select.map(|k| StepConfig::Select { k });
        let pca = self.pca.map(|keep| StepConfig::Pca { keep });
        [scaling, select, pca].into_iter().flatten().collect()
    }

    fn validate(&self) -> Result<()> {
        ensure!(self.select != Some(0), "select must keep at least one feature");
        match self.pca {
            Some(Components::Count(0)) => bail!("pca must keep at least one component"),
            Some(Components::Fraction(fraction)) => {
                ensure!(fraction > 0.0 && fraction < 1.0, "a fraction for pca must be in 0…1");
            }
            _ => {}
        }
        Ok(())
    }
}

/// Feature scaling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// No scaling.
    None,
    /// Mean 0, standard deviation 1.
    #[default]
    Standard,
    /// Minimum 0, maximum 1.
    MinMax,
    /// Median 0, interquartile range 1.
    Robust,
}

impl Config {
    /// Reads and checks a TOML file.
    ///
    /// # Errors
    /// The file cannot be read or is not TOML, a key is unknown (the message names the nearest known key),
    /// or a value is invalid.
    pub fn read(path: &Path, overrides: &Overrides) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut config = Self::parse(&text, overrides).with_context(|| format!("{}", path.display()))?;
        if let Some(index) = &mut config.data.index {
            // A path in the file is relative to the file, a path on the command line to the current
            // folder. The run keeps an absolute path, since it is read from elsewhere.
            if let (false, Some(folder)) = (overrides.names_index(), path.parent()) {
                *index = folder.join(&index);
            }
            *index = std::path::absolute(&index)
                .with_context(|| format!("{} is not a file path", index.display()))?;
        }
        Ok(config)
    }

    /// Reads and checks a TOML text.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, overrides: &Overrides) -> Result<Self> {
        let parsed = if overrides.settings.is_empty() {
            toml::from_str(text)
        } else {
            let mut table: toml::Table = toml::from_str(text)?;
            for setting in &overrides.settings {
                setting.apply(&mut table)?;
            }
            table.try_into()
        };
        let mut config: Self = parsed.map_err(|error| with_nearest_name(&error))?;
        overrides.apply(&mut config);
        config.validate()?;
        Ok(config)
    }

    /// The specification of the network's input.
    pub fn input_spec(&self) -> InputSpec {
        InputSpec {
            sample_rate: self.data.sample_rate,
            ..InputSpec::new(self.data.window, self.inputs.clone())
        }
    }

    fn validate(&self) -> Result<()> {
        ensure!(
            !self.name.is_empty() && self.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)),
            "name must consist of letters, digits, '-' and '_', because it becomes a file name"
        );
        self.input_spec().validate()?;
        self.training.validate()?;
        self.data.validate()?;
        ensure!(
            !(self.data.learn_from_validation && self.training.schedule == Schedule::Plateau),
            "the plateau schedule needs validation clips; with learn_from_validation use another schedule"
        );
        self.augmentation.validate()?;
        self.preparation.validate()
    }
}

/// Adds "did you mean" to an error about an unknown name. serde's message lists the known names.
fn with_nearest_name(error: &toml::de::Error) -> anyhow::Error {
    let message = error.to_string();
    let quoted =
        |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let unknown = ["unknown field ", "unknown variant "]
        .iter()
        .find_map(|what| message.split_once(what))
        .and_then(|(_, rest)| rest.split_once(", expected "))
        .and_then(|(name, expected)| Some((quoted(name).pop()?, quoted(expected))));
    let nearest = unknown.as_ref().and_then(|(name, known)| {
        let distance = |other: &String| strsim::damerau_levenshtein(name, other);
        known
            .iter()
            .min_by_key(|other| distance(other))
            .filter(|other| distance(other) <= 1 + other.len() / 2)
    });
    match nearest {
        Some(nearest) => anyhow!("{}\ndid you mean {nearest:?}?", message.trim_end()),
        None => anyhow!(message),
    }
}
