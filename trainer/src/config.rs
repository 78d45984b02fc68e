//! The TOML file that a training run is described by.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use cratedigger_zoo::nets::{
    BranchedConfig, EfficientNetB0Config, Freeze, InceptionV3Config, MobileNetV2Config, Vgg19Config,
};
use cratedigger_zoo::{Architecture, Input, InputSpec};
use serde::{Deserialize, Serialize};

use crate::material::{AudioAugmentation, Origin};
use crate::prepare::{Components, StepConfig};
use crate::split::{Group, Protocol};

/// A training run, resolved: what is trained, on what, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the network; becomes its file's name when exported.
    pub name: String,
    /// What others say that the design reaches, and who: `compare` shows it beside what was measured of
    /// the run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub published: String,
    /// Seed of every random choice.
    #[serde(default = "one")]
    pub seed: u64,
    /// Which clips, cut how, and kept apart how.
    #[serde(default)]
    pub data: DataConfig,
    /// The parts of the network's input.
    pub inputs: Vec<Input>,
    /// What is fitted to the training clips' features before they reach the network. Without
    /// effect on other inputs.
    #[serde(default)]
    pub preparation: PreparationConfig,
    /// The network's design: `kind` and all its settings, or `preset` with a name of
    /// [`PRESETS`], and `dropout` or `width` to change it.
    #[serde(deserialize_with = "network")]
    pub network: Architecture,
    /// How it learns.
    #[serde(default)]
    pub training: TrainingConfig,
    /// How its inputs are varied while it learns.
    #[serde(default)]
    pub augmentation: Augmentation,
}

fn one() -> u64 {
    1
}

/// Names of designs that are known by heart.
pub const PRESETS: [&str; 19] = [
    "ann",
    "cnn-naive",
    "cnn-basic",
    "cnn-regularized",
    "cnn-enhanced",
    "cnn-stacked",
    "lstm",
    "bilstm",
    "bigru-attention",
    "cnn-lstm",
    "fusion",
    "fusion-hybrid",
    "transformer",
    "texture",
    "short-chunk-cnn",
    "vgg19",
    "mobilenet-v2",
    "efficientnet-b0",
    "inception-v3",
];

/// A design by its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Preset {
    preset: String,
    /// Wherever it drops anything, so much.
    dropout: Option<f64>,
    /// Channels of the first block of `short-chunk-cnn`.
    width: Option<usize>,
}

fn network<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Architecture, D::Error> {
    use serde::de::Error as _;
    let table = toml::Table::deserialize(deserializer)?;
    if !table.contains_key("preset") {
        return Architecture::deserialize(table).map_err(D::Error::custom);
    }
    let preset = Preset::deserialize(table).map_err(D::Error::custom)?;
    preset.resolve().map_err(D::Error::custom)
}

impl Preset {
    fn resolve(&self) -> Result<Architecture> {
        let branched = Architecture::Branched;
        let name = self.preset.as_str();
        ensure!(self.width.is_none() || name == "short-chunk-cnn", "width is for short-chunk-cnn only");
        let architecture = match name {
            "ann" => branched(BranchedConfig::ann()),
            "cnn-naive" => branched(BranchedConfig::cnn_naive()),
            "cnn-basic" => branched(BranchedConfig::cnn_basic()),
            "cnn-regularized" => branched(BranchedConfig::cnn_regularized()),
            "cnn-enhanced" => branched(BranchedConfig::cnn_enhanced()),
            "cnn-stacked" => branched(BranchedConfig::cnn_stacked()),
            "lstm" => branched(BranchedConfig::lstm()),
            "bilstm" => branched(BranchedConfig::bilstm()),
            "bigru-attention" => branched(BranchedConfig::bigru_attention()),
            "cnn-lstm" => branched(BranchedConfig::cnn_lstm()),
            "fusion" => branched(BranchedConfig::fusion()),
            "fusion-hybrid" => branched(BranchedConfig::fusion_hybrid()),
            "transformer" => branched(BranchedConfig::transformer()),
            "texture" => branched(BranchedConfig::texture()),
            "short-chunk-cnn" => branched(BranchedConfig::short_chunk_cnn(self.width.unwrap_or(32))),
            "vgg19" => Architecture::Vgg19(Vgg19Config::default()),
            "mobilenet-v2" => Architecture::MobileNetV2(MobileNetV2Config::default()),
            "efficientnet-b0" => Architecture::EfficientNetB0(EfficientNetB0Config::default()),
            "inception-v3" => Architecture::InceptionV3(InceptionV3Config::default()),
            _ => {
                let known: Vec<String> = PRESETS.iter().map(|known| format!("`{known}`")).collect();
                bail!("unknown variant `{name}`, expected one of {}", known.join(", "))
            }
        };
        let Some(dropout) = self.dropout else { return Ok(architecture) };
        let mut value = serde_json::to_value(&architecture)?;
        set_dropout(&mut value, dropout);
        Ok(serde_json::from_value(value)?)
    }
}

/// Every share that is dropped anywhere in a design, and is not 0, becomes `dropout`.
fn set_dropout(value: &mut serde_json::Value, dropout: f64) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                match value.as_f64() {
                    Some(old) if key.contains("dropout") && old > 0.0 => *value = dropout.into(),
                    _ => set_dropout(value, dropout),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| set_dropout(item, dropout)),
        _ => {}
    }
}

/// Which clips a run uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Seconds that are judged as one: 3 or 30 in all published work.
    pub window: f64,
    /// Rate in Hz that audio is resampled to: 22050 in all published work on GTZAN. Inputs from arrays,
    /// tables and pictures exist at that rate only.
    pub sample_rate: u32,
    /// What the inputs are made from where a data set has several things.
    pub source: Origin,
    /// How training, validation and test clips are kept apart.
    pub split: Protocol,
    /// A file that names the parts of the split instead; see [`crate::split::IndexFile`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<PathBuf>,
    /// Number of folds under the track protocol; one of them tests. None for a single split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    /// Which fold tests, counted from 0.
    pub fold: usize,
    /// What must not stand on both sides under the track protocol.
    pub group: Group,
    /// Share of the clips (or segments) that test, where the protocol leaves it open.
    pub test_share: f64,
    /// Share that validates.
    pub valid_share: f64,
    /// Learn from the validation clips, too, and keep the last epoch: once a recipe has been chosen by
    /// them, they are worth more as examples. What is measured of them then says nothing about new songs.
    pub learn_from_validation: bool,
    /// Whether clips that repeat another one are left out; see `cratedigger inspect`.
    pub drop_duplicates: bool,
    /// What is done about classes of unequal size.
    pub balance: Balance,
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
            test_share: 0.2,
            valid_share: 0.1,
            learn_from_validation: false,
            drop_duplicates: false,
            balance: Balance::None,
        }
    }
}

/// What is done about classes of unequal size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Nothing.
    #[default]
    None,
    /// Each class weighs the same in the loss.
    Weights,
    /// Small classes are drawn from more often, until all count as many as the largest.
    Oversample,
}

/// What is fitted to the training clips' features, in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PreparationConfig {
    /// How features are brought to one scale.
    pub scaling: Scaling,
    /// Keep so many features, those in which the classes differ most (ANOVA F); none for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<usize>,
    /// Principal components: so many (a whole number), or as many as explain a share of the
    /// variance (0…1); none for the features as they are.
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
}

/// How features are brought to one scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Not at all.
    None,
    /// Mean 0, standard deviation 1.
    #[default]
    Standard,
    /// Least value 0, greatest 1.
    MinMax,
    /// Median 0, distance of the quartiles 1.
    Robust,
}

/// The rule that turns gradients into steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimiser {
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    #[default]
    AdamW,
    /// Adam (Kingma and Ba 2015); `weight_decay` is an L2 penalty.
    Adam,
}

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// A linear warm-up over the first epoch, then half a cosine down to a thousandth.
    #[default]
    Cosine,
    /// Multiplied by `plateau_factor` after `plateau_patience` epochs without a lower validation
    /// loss: Keras's ReduceLROnPlateau.
    Plateau,
    /// Not at all.
    Constant,
}

/// What a batch normalisation judges by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistics {
    /// Moving averages of the batches that were learned from, as everywhere.
    #[default]
    Moving,
    /// What is measured after each epoch on batches made in the same way, with nothing dropped. Worth it
    /// where dropout stands before a normalisation: what it adds to mean and variance, most of all under a
    /// max-pooling, is in the moving averages and missing when the network judges (Li et al. 2019,
    /// "Understanding the disharmony between dropout and batch normalization by variance shift"; Wu and
    /// Johnson 2021, "Rethinking 'batch' in BatchNorm"). Mixed, varied and other windows stay in the
    /// batches: by what a network was normalised among, it learned to judge.
    Measured,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Optimisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Epochs at most, and the length of the cosine.
    pub epochs: usize,
    /// Stop after so many epochs without a better validation accuracy.
    pub patience: usize,
    /// Windows a step and device.
    pub batch_size: usize,
    /// Batches whose gradients make one step.
    pub accumulate: usize,
    /// Windows drawn from each clip an epoch; none for each segment once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crops_per_clip: Option<usize>,
    /// The rule.
    pub optimiser: Optimiser,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// What the rate is multiplied by on a plateau.
    pub plateau_factor: f64,
    /// Epochs that make a plateau.
    pub plateau_patience: usize,
    /// Weight decay, decoupled or L2 as the optimiser has it.
    pub weight_decay: f32,
    /// Share of the target spread evenly over all classes.
    pub label_smoothing: f32,
    /// Windows of sounds that are no music beside the music's, as a share of these: their target is all
    /// classes alike, so that the network learns to be unsure of them (Hendrycks, Mazeika and Dietterich
    /// 2019, "Deep anomaly detection with outlier exposure"). See [`crate::other`].
    #[serde(skip_serializing_if = "is_default")]
    pub other: f32,
    /// α of the Beta(α, α) distribution that mixup's share is drawn from; 0 for none.
    pub mixup: f32,
    /// Weights to begin with instead of random ones, and to fine-tune: torchvision's (`.pth`,
    /// `.safetensors`) or those of an earlier run (`best.bpk`); see [`crate::import`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// What batch normalisations judge by: `"moving"` or `"measured"`.
    #[serde(skip_serializing_if = "is_default")]
    pub statistics: Statistics,
    /// What of the network stays as it is: `"none"`, `"all-but-head"` or `{ blocks = N }`.
    pub freeze: Freeze,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            epochs: 100,
            patience: 15,
            batch_size: 32,
            accumulate: 1,
            crops_per_clip: None,
            optimiser: Optimiser::AdamW,
            learning_rate: 1e-3,
            schedule: Schedule::Cosine,
            plateau_factor: 0.5,
            plateau_patience: 5,
            weight_decay: 1e-2,
            label_smoothing: 0.0,
            other: 0.0,
            mixup: 0.0,
            weights: None,
            statistics: Statistics::Moving,
            freeze: Freeze::None,
        }
    }
}

/// Variation of inputs. Levels, tilt, low-pass and shift are for log-mel; SpecAugment's masks are
/// set to the floor of log-mel and to the mean of stacked features.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Largest shift along the bands, up or down.
    pub frequency_shift: usize,
    /// Number of frequency masks.
    pub frequency_masks: usize,
    /// Largest height of one, in bands.
    pub frequency_mask_bands: usize,
    /// Number of time masks.
    pub time_masks: usize,
    /// Largest width of one, in columns.
    pub time_mask_columns: usize,
    /// Largest change of all levels against the window's maximum, in dB, up or down: recordings of
    /// one song differ in how far their loudest tone stands out.
    pub level_db: f32,
    /// Share of windows that lose their highest bands, as old or small files do.
    pub low_pass: f32,
    /// Lowest band that a low-pass may begin at.
    pub low_pass_from: usize,
    /// Largest tilt of the spectrum from the lowest to the highest band, in dB, up or down.
    pub tilt_db: f32,
    /// Standard deviation of noise added to prepared features and to pictures' values.
    pub noise: f32,
    /// Variation of the sound itself: each training clip is also read in this many other versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioAugmentation>,
}

impl Config {
    /// Reads and checks a TOML file.
    ///
    /// `overrides` are `key=value` with the key as a path (`training.epochs=50`,
    /// `inputs.0.columns=130`) and the value in TOML's writing; quotes around a text may be left out.
    ///
    /// # Errors
    /// Not readable, not TOML, an unknown key (named, with the nearest known one), or a value that
    /// makes no sense.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut config = Self::parse(&text, overrides).with_context(|| format!("{}", path.display()))?;
        if let Some(index) = &mut config.data.index {
            // A file that a file names lies beside it, one named on the command line where one is. The
            // run keeps the whole path, since it will be read from elsewhere.
            let named_here = overrides.iter().any(|change| change.starts_with("data.index="));
            if let (false, Some(folder)) = (named_here, path.parent()) {
                *index = folder.join(&index);
            }
            *index = std::path::absolute(&index)
                .with_context(|| format!("{} is no path of a file", index.display()))?;
        }
        Ok(config)
    }

    /// The same of a text.
    ///
    /// # Errors
    /// See [`Config::read`].
    pub fn parse(text: &str, overrides: &[String]) -> Result<Self> {
        let changed;
        let text = if overrides.is_empty() {
            text
        } else {
            let mut table: toml::Table = toml::from_str(text)?;
            for change in overrides {
                set(&mut table, change)?;
            }
            changed = toml::to_string(&table)?;
            &changed
        };
        let config: Self = toml::from_str(text).map_err(|error| with_nearest_name(&error))?;
        config.validate()?;
        Ok(config)
    }

    /// The recipe of the network's input.
    pub fn recipe(&self) -> InputSpec {
        let sample_rate = self.data.sample_rate;
        InputSpec { sample_rate, ..InputSpec::new(self.data.window, self.inputs.clone()) }
    }

    fn validate(&self) -> Result<()> {
        ensure!(
            !self.name.is_empty() && self.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)),
            "name must be letters, digits, '-' and '_' only: it becomes a file name"
        );
        self.recipe().validate()?;
        let t = &self.training;
        ensure!(t.epochs > 0 && t.patience > 0, "epochs and patience must be at least 1");
        ensure!(t.batch_size > 1, "batch_size must be at least 2: batch normalisation needs a batch");
        ensure!(t.accumulate > 0, "accumulate must be at least 1");
        ensure!(t.crops_per_clip != Some(0), "crops_per_clip must be at least 1");
        ensure!(t.learning_rate > 0.0 && t.learning_rate <= 1.0, "learning_rate must be in 0…1");
        ensure!((0.0..1.0).contains(&t.label_smoothing), "label_smoothing must be in 0…1");
        ensure!((0.0..=1.0).contains(&t.other), "other is a share, 0…1");
        ensure!(t.mixup >= 0.0 && t.weight_decay >= 0.0, "mixup and weight_decay must not be negative");
        ensure!(
            t.plateau_factor > 0.0 && t.plateau_factor < 1.0 && t.plateau_patience > 0,
            "plateau_factor must be in 0…1 and plateau_patience at least 1"
        );
        let d = &self.data;
        ensure!(
            d.test_share > 0.0 && d.valid_share > 0.0 && d.test_share + d.valid_share < 1.0,
            "test_share and valid_share must be positive and leave something to train on"
        );
        if let Some(folds) = d.folds {
            ensure!(folds >= 2, "folds must be at least 2");
            ensure!(d.fold < folds, "fold {} of {folds}: they are counted from 0", d.fold);
            ensure!(d.split == Protocol::Track, "folds need split = \"track\"");
        }
        ensure!(
            !(d.learn_from_validation && t.schedule == Schedule::Plateau),
            "with learn_from_validation nothing is left that could tell a plateau: take another schedule"
        );
        let a = &self.augmentation;
        ensure!(a.tilt_db >= 0.0 && a.level_db >= 0.0, "tilt_db and level_db must not be negative");
        ensure!(a.noise >= 0.0, "noise must not be negative");
        ensure!((0.0..=1.0).contains(&a.low_pass), "low_pass is a share, 0…1");
        if let Some(audio) = &a.audio {
            audio.validate()?;
        }
        ensure!(self.preparation.select != Some(0), "select must keep at least one feature");
        match self.preparation.pca {
            Some(Components::Count(0)) => bail!("pca must keep at least one component"),
            Some(Components::Share(share)) => ensure!(share > 0.0 && share < 1.0, "pca: a share is in 0…1"),
            _ => {}
        }
        Ok(())
    }
}

/// Sets one key of a table.
fn set(table: &mut toml::Table, change: &str) -> Result<()> {
    let (path, value) =
        change.split_once('=').with_context(|| format!("--set {change}: KEY=VALUE is needed"))?;
    let value = value.trim();
    let parsed = toml::from_str::<toml::Table>(&format!("v = {value}")).ok();
    let parsed = parsed.and_then(|mut t| t.remove("v")).unwrap_or_else(|| toml::Value::String(value.into()));
    let mut parts: Vec<&str> = path.trim().split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let Some((first, rest)) = parts.split_first() else {
        table.insert(last.into(), parsed);
        return Ok(());
    };
    let new = || toml::Value::Table(toml::Table::new());
    let mut at = table.entry(*first).or_insert_with(new);
    for part in rest.iter().chain(std::iter::once(&last)) {
        let is_last = std::ptr::eq(*part, last);
        at = match at {
            toml::Value::Table(table) => table.entry(*part).or_insert_with(new),
            toml::Value::Array(items) => {
                let length = items.len();
                let place = part.parse::<usize>().ok().filter(|place| *place < length);
                let Some(place) = place else {
                    bail!("--set {change}: {part:?} is no place among {length}, counted from 0")
                };
                &mut items[place]
            }
            _ => bail!("--set {change}: there is nothing below {part:?}"),
        };
        if is_last {
            *at = parsed;
            return Ok(());
        }
    }
    Ok(())
}

/// Adds "did you mean" to an error about a name that is not known. The known ones stand in serde's
/// message.
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
