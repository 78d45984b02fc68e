//! Messages between the page and its workers. The crate contains only serde types, so that each side can be
//! replaced, or tested from JavaScript, without the other.
//!
//! A message on the wire is a JavaScript array `[header, payload…]`. The header is one of these enums as a
//! plain object tagged by `type` (kebab-case, fields camelCase). Payloads are typed arrays whose buffers
//! are *transferred*, never copied; the documentation of each variant lists its payloads.
//!
//! One [`Request::Analyse`] is answered by one [`Event::Started`], then for every segment, in any order,
//! either [`Event::Segment`] or [`Event::Silent`], with [`Event::Waveform`]s in order of time between them,
//! then at most one [`Event::Character`] and one [`Event::Finished`]. [`Event::Failed`] or [`Event::Cancelled`]
//! may end the stream at any point; earlier events stay valid.

#![forbid(unsafe_code)]

mod character;
pub mod collection;
mod csv;
pub mod decode;
mod sections;
pub mod tags;

use std::collections::BTreeMap;

pub use character::{Character, Descriptor, Quantiles, TypicalCharacter};
pub use csv::{csv_cell, csv_guarded, csv_unguarded};
pub use sections::{Section, SectionFormat, SectionLabel, TooManyTracks};
use serde::{Deserialize, Serialize};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The build of the worker, which determines the device that computes the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// CPU with SIMD (burn's flex back end): one core, and helpers on other cores for long songs.
    Cpu,
    /// WebGPU (burn-wgpu).
    WebGpu,
}

/// The set of networks in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelSet {
    /// The networks of `manifest.json`: small, for the first answer.
    #[default]
    Fast,
    /// The networks of the manifest that `manifest.json` names in `full`.
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

/// How the predictions of several networks are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The mean of the probabilities.
    Sum,
    /// The geometric mean of the probabilities: each network can veto a genre.
    Product,
    /// Each network votes for one genre, weighted by its confidence.
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
    /// Fetch a manifest and its weights, load them, check them against their golden logits and time them.
    /// This is the first message, answered by [`Event::Ready`] or [`Event::Failed`]. Sent again, it loads
    /// other networks, which replace the first ones between two songs, and is answered by
    /// [`Event::Ready`] or [`Event::Kept`].
    Load {
        /// Absolute URL of the folder with the manifest, with a slash at its end.
        models: String,
        /// Absolute URLs of files that are not in that folder under their own names, by name: a bundler gives
        /// files other names.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        files: BTreeMap<String, String>,
        /// The set of networks.
        #[serde(default)]
        set: ModelSet,
        /// How their predictions are combined; `None` for the rule of the manifest.
        #[serde(default)]
        rule: Option<Rule>,
    },
    /// Analyse one song. Payload: one `Float32Array` per channel, all of the same length, samples nominally
    /// in −1…1 at the file's own sample rate. A busy worker queues the song.
    Analyse {
        /// Chosen by the page; every event about this song carries it.
        id: u32,
        /// Sample rate in Hz.
        sample_rate: u32,
    },
    /// Analyse one song whose samples follow in pieces. Answered like [`Request::Analyse`], with segments in
    /// order of time.
    Stream {
        /// Chosen by the page; every event about this song carries it.
        id: u32,
        /// Sample rate in Hz.
        sample_rate: u32,
    },
    /// The next piece of a song. Payload: one `Float32Array`, mono, nominally in −1…1. Answered by
    /// [`Event::Wanted`] when the piece is done with.
    Samples {
        /// The id of the [`Request::Stream`].
        id: u32,
        /// Expected length of the whole song in seconds.
        expected: f64,
    },
    /// The song has no more pieces.
    End {
        /// The id of the [`Request::Stream`].
        id: u32,
    },
    /// Explain which parts of a segment speak for a genre. Payload: the samples of the segment, as for
    /// [`Request::Analyse`]. Answered by [`Event::Explained`]; queued and cancelled like a song.
    Explain {
        /// Chosen by the page, as for a song.
        id: u32,
        /// Sample rate in Hz.
        sample_rate: u32,
        /// Index of the genre in [`Event::Ready::classes`].
        class: u32,
    },
    /// Compute the embedding of a song and of its segments: values by which songs can be compared. Payload
    /// as for [`Request::Analyse`]. Answered by [`Event::Embedded`], or by [`Event::Failed`] with
    /// [`FailureKind::BadRequest`] if no loaded network has an embedding; queued and cancelled like a song.
    Embed {
        /// Chosen by the page, as for a song.
        id: u32,
        /// Sample rate in Hz.
        sample_rate: u32,
    },
    /// Do something with the songs of a crate together. The payload is that of the task. Queued like a song.
    Collection {
        /// Chosen by the page, as for a song.
        id: u32,
        /// What to do.
        task: collection::CollectionTask,
    },
    /// Cancel a song, running or queued. Answered by [`Event::Cancelled`] unless the song is already
    /// finished.
    Cancel {
        /// The id of the [`Request::Analyse`] or [`Request::Stream`].
        id: u32,
    },
}

/// One loaded network of the ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// Name in the manifest.
    pub name: String,
    /// One line that describes architecture and input.
    pub summary: String,
    /// Number of trained parameters.
    pub parameters: u64,
    /// Size of the file of weights in bytes.
    pub bytes: u64,
    /// Measured accuracies from the manifest.
    pub metrics: Vec<Metric>,
    /// Licence notice of weights from a third party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

/// A measured accuracy with its protocol and its sample size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// How training and test data were split: `fault-filtered`, `track` or `segment`.
    pub protocol: String,
    /// The counted event: `track` (whole clips) or `segment` (3-second windows) with the correct genre;
    /// `non-music`, non-music sounds that were rejected; `music-accepted`, clips of music that were not
    /// rejected.
    pub level: String,
    /// How the recordings were altered before the measurement: `mp3-48k`, `telephone`, `clipped`, `room`,
    /// `faster` or `quieter`. `None` for unaltered recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Number of clips, segments or sounds.
    pub n: u64,
    /// Fraction of correct predictions, 0…1.
    pub accuracy: f64,
    /// 95 % confidence interval of the accuracy. Older manifests have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Confusion matrix: one row for each label, one column for each predicted genre, both in the order of
    /// [`Event::Ready::classes`]. Older manifests have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Vec<Vec<u32>>>,
}

/// Probabilities of one network, in the order of [`Event::Ready::classes`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberOutput {
    /// The network's [`ModelInfo::name`].
    pub model: String,
    /// One probability for each class; they sum to 1.
    pub probabilities: Vec<f32>,
}

/// The probability that a sound is non-music.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NonMusic {
    /// The most probable kind, by its name in the manifest, such as `speech` or `other-sounds`.
    pub kind: String,
    /// Probability of all kinds together, 0…1.
    pub probability: f32,
    /// Whether this is above the manifest's threshold, so that the answer is none of the classes.
    pub rejected: bool,
}

/// One tag of a song: an era, a mood, an instrument or a style.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    /// Name of the tag in its data set.
    pub name: String,
    /// Sigmoid output, 0…1; not calibrated.
    pub strength: f32,
}

/// A condition of a recording under which the networks are measurably less accurate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// The recording is limited to the band of a telephone (about 300 to 3400 Hz).
    Telephone,
    /// Many samples are clipped at one level.
    Clipped,
}

/// The kind of a failure, by which the page chooses its advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The song is too short for a network.
    TooShort,
    /// The whole song is silent.
    Silent,
    /// The samples are invalid: NaN or infinite values, no channels, unequal channels, a sample rate out of
    /// range.
    BadSamples,
    /// The manifest or the weights could not be fetched or read.
    Models,
    /// The logits of the device differ from the manifest's golden ones.
    GoldenMismatch,
    /// No usable GPU: no adapter, or one that lacks a needed feature.
    NoGpu,
    /// The device was lost or failed while computing.
    Device,
    /// The worker does not understand the request.
    BadRequest,
}

/// From a worker to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// The networks are loaded, checked and timed. Payload: one `Float32Array`, the logits of this device
    /// for the golden inputs, network after network.
    Ready {
        /// The build that answers.
        device: DeviceKind,
        /// Description of the adapter or of the kind of CPU code, for display.
        device_name: String,
        /// The genres, in the order of all probabilities.
        classes: Vec<String>,
        /// The loaded networks.
        models: Vec<ModelInfo>,
        /// The set of these networks.
        #[serde(default)]
        set: ModelSet,
        /// Whether a full set exists.
        #[serde(default)]
        more: bool,
        /// Measured accuracies of the ensemble, from the manifest. Empty for a rule other than the manifest's.
        #[serde(default)]
        metrics: Vec<Metric>,
        /// Typical character of the training clips, if the manifest has it.
        #[serde(default)]
        typical: Option<TypicalCharacter>,
        /// Largest absolute difference of this device's logits from the golden ones.
        golden_difference: f32,
        /// Largest accepted difference.
        golden_tolerance: f32,
        /// Time of all networks for one segment, in milliseconds: the best of a few runs after a first one
        /// that compiles shaders.
        milliseconds_per_segment: f64,
    },
    /// Other networks could not be loaded; the current ones stay in use.
    Kept {
        /// The set that was requested.
        set: ModelSet,
        /// The reason, for a developer.
        detail: String,
    },
    /// The analysis of a song has begun.
    Started {
        /// The song.
        id: u32,
        /// Length in seconds; expected for a [`Request::Stream`].
        seconds: f64,
        /// Number of segments, silent ones included; expected for a [`Request::Stream`].
        segments: u32,
        /// Rows of each segment's spectrogram: mel bands, the lowest first.
        bands: u32,
        /// Columns of each segment's spectrogram: time.
        columns: u32,
    },
    /// The length of a song that comes in pieces is another than was expected; once more at its end, exactly.
    Length {
        /// The song.
        id: u32,
        /// Length in seconds.
        seconds: f64,
        /// Number of segments, silent ones included.
        segments: u32,
    },
    /// A piece of the song was used; there is room for another.
    Wanted {
        /// The song.
        id: u32,
    },
    /// Something to tell about the song's sound.
    Noted {
        /// The song.
        id: u32,
        /// What.
        note: decode::Note,
    },
    /// Peaks of the next part of the song. All parts are in order and without gaps. Payload: one
    /// `Float32Array` of pairs, the lowest and the highest sample of each slice.
    Waveform {
        /// The song.
        id: u32,
        /// 0-based index of the first slice.
        first: u32,
        /// Seconds per slice; the last slice of the song may be shorter.
        step: f64,
    },
    /// The prediction for one segment. Payload: one `Float32Array` of `bands` × `columns` values, row after
    /// row, lowest band first: mel power in dB relative to full scale (not to the segment's maximum, so
    /// that segments can be drawn side by side).
    Segment {
        /// The song.
        id: u32,
        /// 0-based index of the segment.
        index: u32,
        /// Start in seconds.
        start: f64,
        /// End in seconds.
        end: f64,
        /// The ensemble's probabilities, in the order of the classes.
        probabilities: Vec<f32>,
        /// Probabilities of each network.
        members: Vec<MemberOutput>,
        /// The ensemble's probabilities for the song, from all segments so far.
        #[serde(default)]
        song: Vec<f32>,
        /// Whether the answer from the segments so far is none of the classes.
        #[serde(default)]
        none: bool,
        /// The non-music probability of this segment, if a network predicts it.
        #[serde(default)]
        non_music: Option<NonMusic>,
        /// The non-music probability of the song, from all segments so far.
        #[serde(default)]
        song_non_music: Option<NonMusic>,
        /// Whether the song's answer is unlikely to change with the remaining segments.
        #[serde(default)]
        settled: bool,
    },
    /// One segment is silent, so the networks did not run.
    Silent {
        /// The song.
        id: u32,
        /// 0-based index of the segment.
        index: u32,
        /// Start in seconds.
        start: f64,
        /// End in seconds.
        end: f64,
    },
    /// The character of the song, measured in its middle (at most 30 seconds).
    Character {
        /// The song.
        id: u32,
        /// The character.
        traits: Character,
    },
    /// The explanation of a segment. Payload: one `Float32Array` of `rows` × `columns` values, row after row,
    /// lowest frequencies first: the decrease of the genre's log-probability without this tile of the sound.
    /// A positive value means that the tile speaks for the genre.
    Explained {
        /// The request.
        id: u32,
        /// The genre.
        class: u32,
        /// Number of frequency bands, evenly spaced on the mel scale.
        rows: u32,
        /// Number of time ranges.
        columns: u32,
    },
    /// The embedding of a song. Payload: one `Float32Array` of (`segments` + 1) × `width` values, row after
    /// row. The first row is the mean over the segments of music, or over all audible ones if none is music; the
    /// others are the segments in order of time. The row of a silent segment is 0.
    Embedded {
        /// The request.
        id: u32,
        /// Number of values of an embedding.
        width: u32,
        /// Number of segments, silent ones included.
        segments: u32,
    },
    /// The answer to a [`Request::Collection`]. The payload is that of the answer.
    Collection {
        /// The request.
        id: u32,
        /// The answer.
        answer: collection::CollectionAnswer,
    },
    /// The song is finished.
    Finished {
        /// The song.
        id: u32,
        /// The ensemble's probabilities for the whole song, in the order of the classes.
        probabilities: Vec<f32>,
        /// Whether the answer is none of the classes: the confidence is below its threshold, or the
        /// non-music probability is above its own.
        #[serde(default)]
        none: bool,
        /// The non-music probability of the song, if a network predicts it.
        #[serde(default)]
        non_music: Option<NonMusic>,
        /// Tags of the song, the strongest first. Empty if no network predicts tags.
        #[serde(default)]
        tags: Vec<Tag>,
        /// Sections of the song in order of time, without gaps.
        #[serde(default)]
        sections: Vec<Section>,
        /// Conditions of the recording under which the networks are measurably less accurate.
        #[serde(default)]
        conditions: Vec<Condition>,
        /// The set of networks that was used.
        #[serde(default)]
        set: ModelSet,
        /// Probabilities of each network for the whole song.
        members: Vec<MemberOutput>,
        /// Time from the start of the job to now, in milliseconds.
        milliseconds: f64,
        /// Time from the start of the job to the first predicted segment, in milliseconds.
        milliseconds_to_first: f64,
        /// Number of workers that predicted segments: this one and its helpers.
        #[serde(default)]
        workers: u32,
        /// WebAssembly memory of these workers, in bytes.
        #[serde(default)]
        memory: f64,
    },
    /// The song was cancelled.
    Cancelled {
        /// The song.
        id: u32,
    },
    /// A song or the worker failed.
    Failed {
        /// The song, or `None` if the worker itself failed.
        id: Option<u32>,
        /// The kind of failure, by which the page chooses its text.
        kind: FailureKind,
        /// Details for a developer; untranslated and possibly long.
        detail: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wire names are a contract with JavaScript code that uses the protocol.
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
    fn a_metric_without_a_condition_belongs_to_unaltered_recordings() {
        let plain = serde_json::json!({"protocol": "track", "level": "track", "n": 4, "accuracy": 0.5});
        let metric = serde_json::from_value::<Metric>(plain.clone()).ok();
        assert_eq!(metric.as_ref().map(|metric| &metric.condition), Some(&None));
        assert_eq!(metric.and_then(|metric| serde_json::to_value(metric).ok()), Some(plain));
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
