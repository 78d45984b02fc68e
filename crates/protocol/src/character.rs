//! Plain descriptors of a song, and their typical values.

use serde::{Deserialize, Serialize};

/// Descriptors of a song, computed from columns of the feature tables.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Character {
    /// Beats per minute.
    pub tempo: f64,
    /// Mean spectral centroid in Hz: higher is brighter.
    pub brightness: f64,
    /// Mean zero crossing rate, 0…1: higher is noisier.
    pub noisiness: f64,
    /// Fraction of the energy in the harmonic part, 0…1; the rest is percussive.
    pub harmony: f64,
    /// Mean of the frames' root mean squares, 0…1: higher is louder.
    pub loudness: f64,
    /// Standard deviation of the frames' root mean squares divided by their mean: higher changes more.
    pub dynamics: f64,
}

/// One descriptor of a [`Character`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Descriptor {
    /// [`Character::tempo`].
    Tempo,
    /// [`Character::brightness`].
    Brightness,
    /// [`Character::noisiness`].
    Noisiness,
    /// [`Character::harmony`].
    Harmony,
    /// [`Character::loudness`].
    Loudness,
    /// [`Character::dynamics`].
    Dynamics,
}

impl Descriptor {
    /// All of them, in the order of [`Character`]'s fields.
    pub const ALL: [Self; 6] =
        [Self::Tempo, Self::Brightness, Self::Noisiness, Self::Harmony, Self::Loudness, Self::Dynamics];
}

impl Character {
    /// The value of one descriptor.
    pub fn get(&self, descriptor: Descriptor) -> f64 {
        match descriptor {
            Descriptor::Tempo => self.tempo,
            Descriptor::Brightness => self.brightness,
            Descriptor::Noisiness => self.noisiness,
            Descriptor::Harmony => self.harmony,
            Descriptor::Loudness => self.loudness,
            Descriptor::Dynamics => self.dynamics,
        }
    }
}

/// The distribution of a descriptor over clips.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// 10th percentile.
    pub low: f64,
    /// Median.
    pub median: f64,
    /// 90th percentile.
    pub high: f64,
}

/// The typical character of training clips: the ranges beside a song's own values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TypicalCharacter {
    /// Number of clips measured.
    pub clips: u32,
    /// All clips, descriptor by descriptor in the order of [`Descriptor::ALL`].
    pub all: Vec<Quantiles>,
    /// The same for each class, in the order of the classes.
    pub classes: Vec<Vec<Quantiles>>,
}
