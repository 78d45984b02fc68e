//! What the page and its workers say to each other: serde types and nothing else, so that either
//! side can be rewritten, or tested from JavaScript, without the other.
//!
//! A message on the wire is a JavaScript array `[header, payload…]`. The header is one of these
//! enums as a plain object tagged by `type` (kebab-case, fields camelCase); payloads are typed
//! arrays whose buffers are *transferred*, never copied. Which payloads a message carries is
//! written at its variant.
//!
//! The stream that answers one [`Request::Analyse`] is: one [`Event::Started`], then for every
//! segment, in order, either [`Event::Segment`] or [`Event::Silent`], with an [`Event::Waveform`]
//! before each stretch of them, then one [`Event::Character`] and one [`Event::Finished`]. At any place [`Event::Failed`] or [`Event::Cancelled`] may end it
//! instead; what was sent before stays valid.

#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

/// Which build of the worker this is, and so which device computes the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// One core with SIMD (burn's flex back end).
    Cpu,
    /// WebGPU (burn-wgpu).
    WebGpu,
}

/// Which of the networks are at work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelSet {
    /// Those of `manifest.json`: small, for the first answer.
    #[default]
    Fast,
    /// Those of the manifest that it names as the full one.
    Full,
}

impl ModelSet {
    /// All of them, the smallest first.
    pub const ALL: [Self; 2] = [Self::Fast, Self::Full];

    /// The id on the wire and in stored settings.
    pub fn id(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Full => "full",
        }
    }

    /// The set with this [`ModelSet::id`].
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.id() == id)
    }
}

/// How several networks decide together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The mean of their probabilities.
    Sum,
    /// The geometric mean: each can veto.
    Product,
    /// Each votes for one genre, with its confidence.
    Vote,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sum, Self::Product, Self::Vote];

    /// The id on the wire, in manifests and in stored settings.
    pub fn id(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Product => "product",
            Self::Vote => "vote",
        }
    }

    /// The rule with this [`Rule::id`].
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.id() == id)
    }
}

/// From the page to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Request {
    /// Fetch a manifest and its weights, load them, check them against their golden logits and
    /// time them. The first message, which is answered by [`Event::Ready`] or [`Event::Failed`]; and
    /// again for other networks, which take the place of the first ones between two songs: answered
    /// by [`Event::Ready`] or [`Event::Kept`].
    Load {
        /// Absolute URL of the folder that holds the manifest, with a slash at its end.
        models: String,
        /// Which networks.
        #[serde(default)]
        set: ModelSet,
        /// How they decide together; none for what the manifest says.
        #[serde(default)]
        rule: Option<Rule>,
    },
    /// Analyse one song. Payload: one `Float32Array` a channel, all of the same length, samples
    /// nominally in −1…1 at the file's own rate. A worker that has a song under way queues this one.
    Analyse {
        /// Chosen by the page; every event about this song carries it.
        id: u32,
        /// Samples a second of each channel, in Hz.
        sample_rate: u32,
    },
    /// Tell which parts of a segment's sound speak for a genre. Payload: the segment's own samples,
    /// as with [`Request::Analyse`]. Answered by [`Event::Explained`]; queued and cancelled like a
    /// song.
    Explain {
        /// Chosen by the page, as for a song.
        id: u32,
        /// Samples a second of each channel, in Hz.
        sample_rate: u32,
        /// The genre, by its place in [`Event::Ready::classes`].
        class: u32,
    },
    /// Stop working on a song, whether under way or still queued. Answered by
    /// [`Event::Cancelled`] unless the song is done already.
    Cancel {
        /// The id of the [`Request::Analyse`].
        id: u32,
    },
}

/// One network of the ensemble, as the worker has loaded it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// Its name in the manifest.
    pub name: String,
    /// One line for people: architecture and input.
    pub summary: String,
    /// Number of trained parameters.
    pub parameters: u64,
    /// Bytes of its weights as shipped.
    pub bytes: u64,
    /// Its figures, as the manifest has them.
    pub metrics: Vec<Metric>,
}

/// An accuracy, never without its protocol and its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// How training and test material were kept apart: `fault-filtered`, `track` or `segment`.
    pub protocol: String,
    /// What was counted: `track` (whole clips) or `segment` (3-second windows).
    pub level: String,
    /// How many of them.
    pub n: u64,
    /// Share that was named rightly, 0…1.
    pub accuracy: f64,
    /// Where the true share lies with 95 % confidence, if whoever measured it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// What was called what, if whoever measured it said so: one row a true genre, one column a
    /// genre named, both in the order of [`Event::Ready::classes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Vec<Vec<u32>>>,
}

/// Probabilities that one network gave, in the order of [`Event::Ready::classes`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberOutput {
    /// The network's [`ModelInfo::name`].
    pub model: String,
    /// One probability a class; they sum to 1.
    pub probabilities: Vec<f32>,
}

/// Plain features of a song, as the columns of the feature tables have them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Character {
    /// Beats a minute.
    pub tempo: f64,
    /// Mean spectral centroid in Hz: how bright it is.
    pub brightness: f64,
    /// Mean rate of zero crossings, 0…1: how noisy it is.
    pub noisiness: f64,
    /// Share of the harmonic part in the energy, 0…1; the rest is percussive.
    pub harmony: f64,
    /// Mean of the frames' root mean squares, 0…1: how loud it is.
    pub loudness: f64,
    /// Their standard deviation over their mean: how much the loudness changes.
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

/// How a descriptor is distributed over clips.
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

/// What went wrong, for the page to choose its advice by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The song is shorter than a network can judge.
    TooShort,
    /// Nothing in the song is louder than silence.
    Silent,
    /// The samples are not sound: NaN or infinite values, no channels, unequal channels, a rate
    /// out of range.
    BadSamples,
    /// The manifest or the weights could not be fetched or read.
    Models,
    /// The device gave other logits than the manifest's golden ones.
    GoldenMismatch,
    /// No usable GPU: no adapter, or one without what the networks need.
    NoGpu,
    /// The device was lost or failed while computing.
    Device,
    /// The page sent something this worker doesn't understand.
    BadRequest,
}

/// From a worker to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// The networks are loaded, checked and timed. Payload: one `Float32Array`, the logits that
    /// this device gave for the golden inputs, network after network.
    Ready {
        /// Which build answers.
        device: DeviceKind,
        /// The adapter's description, or the kind of CPU code; for people.
        device_name: String,
        /// The genres, in the order of all probabilities.
        classes: Vec<String>,
        /// The networks loaded.
        models: Vec<ModelInfo>,
        /// Which they are.
        #[serde(default)]
        set: ModelSet,
        /// Whether there is a full set besides.
        #[serde(default)]
        more: bool,
        /// Figures of all of them together, as the manifest has them.
        #[serde(default)]
        metrics: Vec<Metric>,
        /// The typical character of the training clips, if the manifest has it.
        #[serde(default)]
        typical: Option<TypicalCharacter>,
        /// Largest absolute difference between this device's logits and the golden ones.
        golden_difference: f32,
        /// Largest difference that would have been accepted.
        golden_tolerance: f32,
        /// Time for the networks on one segment, in milliseconds: best of a few runs, after one
        /// that compiled what had to be compiled.
        milliseconds_per_segment: f64,
    },
    /// Other networks could not be loaded; those before stay at work.
    Kept {
        /// Which were asked for.
        set: ModelSet,
        /// Why not, for a developer.
        detail: String,
    },
    /// Work on a song has begun.
    Started {
        /// The song.
        id: u32,
        /// Its length in seconds.
        seconds: f64,
        /// How many segments will be judged or found silent.
        segments: u32,
        /// Rows of each segment's spectrogram (mel bands, lowest first).
        bands: u32,
        /// Columns of each segment's spectrogram (time).
        columns: u32,
    },
    /// The outline of the next stretch of sound, in order and without gaps from the song's start
    /// to its end. Payload: one `Float32Array` of pairs, the lowest and the highest sample of each
    /// slice.
    Waveform {
        /// The song.
        id: u32,
        /// 0-based place of the first slice.
        first: u32,
        /// Seconds of one slice; the song's last one may be shorter.
        step: f64,
    },
    /// One segment has been judged. Payload: one `Float32Array` of `bands` × `columns` values,
    /// row after row, lowest band first: mel power in dB relative to full scale (not to the
    /// segment's maximum, so that segments can be drawn side by side).
    Segment {
        /// The song.
        id: u32,
        /// 0-based place among the segments.
        index: u32,
        /// Where it starts, in seconds.
        start: f64,
        /// Where it ends, in seconds.
        end: f64,
        /// The ensemble's probabilities, in the order of the classes.
        probabilities: Vec<f32>,
        /// Each network's own.
        members: Vec<MemberOutput>,
        /// The ensemble's probabilities for the song, from all segments judged so far.
        #[serde(default)]
        song: Vec<f32>,
        /// Whether the answer from these segments would be none of the classes.
        #[serde(default)]
        none: bool,
    },
    /// One segment is silent and was not judged.
    Silent {
        /// The song.
        id: u32,
        /// 0-based place among the segments.
        index: u32,
        /// Where it starts, in seconds.
        start: f64,
        /// Where it ends, in seconds.
        end: f64,
    },
    /// What the song is like, in plain features of its middle (at most half a minute of it).
    Character {
        /// The song.
        id: u32,
        /// See there.
        traits: Character,
    },
    /// Why a segment sounds like a genre. Payload: one `Float32Array` of `rows` × `columns` values,
    /// row after row, lowest tones first: by how much the logarithm of the genre's probability
    /// falls when this part of the sound is taken away. Positive speaks for the genre.
    Explained {
        /// The request.
        id: u32,
        /// The genre.
        class: u32,
        /// Bands, evenly on the mel scale.
        rows: u32,
        /// Stretches of time.
        columns: u32,
    },
    /// The song is done.
    Finished {
        /// The song.
        id: u32,
        /// The ensemble's probabilities for the whole song, in the order of the classes.
        probabilities: Vec<f32>,
        /// Whether the answer is that it is none of the classes: the confidence is too little.
        #[serde(default)]
        none: bool,
        /// Which networks judged it.
        #[serde(default)]
        set: ModelSet,
        /// Each network's own for the whole song.
        members: Vec<MemberOutput>,
        /// From the request's arrival at the front of the queue to now, in milliseconds.
        milliseconds: f64,
        /// Of these, the time until the first segment was sent.
        milliseconds_to_first: f64,
    },
    /// The song was cancelled.
    Cancelled {
        /// The song.
        id: u32,
    },
    /// Something failed.
    Failed {
        /// The song, or none if it is the worker itself.
        id: Option<u32>,
        /// What kind of thing, for the page to choose its words by.
        kind: FailureKind,
        /// What exactly, for a developer; untranslated and possibly long.
        detail: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wire names are a contract with everything that speaks it from JavaScript.
    #[test]
    fn wire_names_are_kebab_tags_and_camel_fields() {
        let request = serde_json::json!({"type": "analyse", "id": 3, "sampleRate": 44100});
        assert_eq!(
            serde_json::from_value::<Request>(request.clone()).ok(),
            Some(Request::Analyse { id: 3, sample_rate: 44100 })
        );
        let failed = Event::Failed { id: None, kind: FailureKind::NoGpu, detail: "none".into() };
        assert_eq!(
            serde_json::to_value(failed).ok(),
            Some(serde_json::json!({"type": "failed", "id": null, "kind": "no-gpu", "detail": "none"}))
        );
    }

    #[test]
    fn ids_are_the_wire_names() {
        for rule in Rule::ALL {
            assert_eq!(serde_json::to_value(rule).ok(), Some(rule.id().into()));
            assert_eq!(Rule::from_id(rule.id()), Some(rule));
        }
        for set in ModelSet::ALL {
            assert_eq!(serde_json::to_value(set).ok(), Some(set.id().into()));
            assert_eq!(ModelSet::from_id(set.id()), Some(set));
        }
        assert_eq!((Rule::from_id("stack"), ModelSet::from_id("")), (None, None));
    }
}
