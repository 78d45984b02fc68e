//! What concerns the songs of a crate together: their features, classes of one's own, similar songs.
//!
//! One [`Request::Collection`](crate::Request::Collection) is answered by one
//! [`Event::Collection`](crate::Event::Collection), for [`CollectionTask::Teach`] with
//! [`CollectionAnswer::Fitting`] before it, or by [`Event::Failed`](crate::Event::Failed). The worker keeps nothing
//! between two tasks.

use serde::{Deserialize, Serialize};

use crate::{Metric, NonMusic};

/// What a worker is to do. The payload is that of the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum CollectionTask {
    /// Name the network that computes features. No payload. Answered by [`CollectionAnswer::Ear`].
    Ear,
    /// Compute the features of a song. Payload: as for [`Request::Analyse`](crate::Request::Analyse). Answered by
    /// [`CollectionAnswer::Features`].
    Features {
        /// Sample rate in Hz.
        sample_rate: u32,
    },
    /// Fit classes of one's own. Payload: for each song of the lesson a `Float32Array` of its features, row after
    /// row. Answered by [`CollectionAnswer::Fitting`] and [`CollectionAnswer::Taught`].
    Teach(Lesson),
    /// Read a network with classes of one's own. Payload: a `Uint8Array`, the zip file of
    /// [`CollectionAnswer::Taught`]. Answered by [`CollectionAnswer::Opened`].
    Open,
    /// Predict songs with a network with classes of one's own. Payload: its zip file, then for each song a
    /// `Float32Array` of its features. Answered by [`CollectionAnswer::Recognised`].
    Recognise,
    /// Find the songs that are similar to one. Payload: for each song a `Float32Array`, its embedding. Answered by
    /// [`CollectionAnswer::Compared`].
    Compare {
        /// Index of the song.
        song: u32,
        /// The artist of each song, if known.
        artists: Vec<Option<String>>,
        /// Most songs of the answer's lists.
        count: u32,
    },
    /// Place songs on a map. Payload: as for [`CollectionTask::Compare`]. Answered by
    /// [`CollectionAnswer::Mapped`].
    Map,
}

/// What is taught.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lesson {
    /// Name of the new network.
    pub name: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The songs.
    pub songs: Vec<LessonSong>,
}

/// A song of a [`Lesson`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LessonSong {
    /// Its name.
    pub name: String,
    /// Hash of its file.
    pub content: String,
    /// Index of its class.
    pub class: u32,
}

/// How well classes were learned: each song was predicted by a network that was fitted without it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LessonReport {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The accuracy with its interval and the confusion matrix.
    pub metric: Metric,
    /// Number of songs that were left out together for one prediction.
    pub together: u32,
    /// Songs that were predicted wrongly.
    pub confused: Vec<Confused>,
}

/// A song that was predicted wrongly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confused {
    /// Name of the song.
    pub song: String,
    /// Index of its class.
    pub class: u32,
    /// Index of the predicted class.
    pub predicted: u32,
    /// Probability of the predicted class.
    pub probability: f32,
}

/// A network with classes of one's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnNetwork {
    /// Its name.
    pub name: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Its accuracy, if the file has it.
    pub metric: Option<Metric>,
}

/// The prediction for a song with classes of one's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnPrediction {
    /// Probability of each class.
    pub probabilities: Vec<f32>,
    /// Index of the most probable class.
    pub class: u32,
    /// Whether the answer is none of the classes.
    pub none: bool,
    /// The probability of non-music, if the network has kinds of it.
    pub non_music: Option<NonMusic>,
}

/// A similar song.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Similar {
    /// Index of the song.
    pub song: u32,
    /// Cosine of the two embeddings, −1…1.
    pub similarity: f32,
}

/// What a worker answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum CollectionAnswer {
    /// The network that computes features.
    Ear {
        /// SHA-256 of its weights. Features of another network cannot be compared.
        network: String,
    },
    /// The features of a song. Payload: one `Float32Array` of `rows` × `width` values, row after row, and then the
    /// `embedding` values of the song's embedding. The rows are at most 20 segments of music, spread over the
    /// song, in order of time.
    Features {
        /// Number of segments.
        rows: u32,
        /// Values of a segment.
        width: u32,
        /// Values of the embedding.
        embedding: u32,
    },
    /// Part of a lesson is done.
    Fitting {
        /// Number of fits that are done.
        done: u32,
        /// Number of all fits.
        of: u32,
    },
    /// A lesson is done. Payload: a `Uint8Array`, a zip file with manifest, weights and licence.
    Taught {
        /// How well the classes were learned.
        report: LessonReport,
    },
    /// A network was read.
    Opened {
        /// What it is.
        network: OwnNetwork,
    },
    /// Predictions, in the order of the songs; `None` for a song without features.
    Recognised {
        /// The predictions.
        songs: Vec<Option<OwnPrediction>>,
    },
    /// Similar songs.
    Compared {
        /// The most similar songs first.
        similar: Vec<Similar>,
        /// The same songs in an order without two neighbours by the same artist, as far as artists are known.
        playlist: Vec<u32>,
    },
    /// A map. Payload: one `Float32Array` with two coordinates for each song, each within −1…1.
    Mapped,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Request;

    /// The wire names are a contract with JavaScript code that uses the protocol.
    #[test]
    fn a_task_is_an_object_inside_its_request() {
        let request = serde_json::json!({
            "type": "collection", "id": 7,
            "task": {
                "task": "teach", "name": "own", "classes": ["a", "b"],
                "songs": [{"name": "x.wav", "content": "00", "class": 1}],
            },
        });
        let song = LessonSong { name: "x.wav".into(), content: "00".into(), class: 1 };
        let lesson = Lesson { name: "own".into(), classes: vec!["a".into(), "b".into()], songs: vec![song] };
        let expected = Request::Collection { id: 7, task: CollectionTask::Teach(lesson) };
        assert_eq!(serde_json::from_value::<Request>(request.clone()).ok().as_ref(), Some(&expected));
        assert_eq!(serde_json::to_value(expected).ok(), Some(request));
        let features = serde_json::json!({"task": "features", "sampleRate": 8000});
        let expected = CollectionTask::Features { sample_rate: 8000 };
        assert_eq!(serde_json::from_value(features).ok(), Some(expected));
    }
}
