//! Tags in audio files: the parts of a plan of new tags, and what the page and the worker that reads and writes tags
//! say to each other.
//!
//! A message is an array: first a [`TagRequest`] or a [`TagEvent`], then its payload. One request is answered by one
//! event. Enums have serde's own form, whose code is a third as large as that of other messages with their `type`.

use serde::{Deserialize, Serialize};

/// A field that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// Genres.
    Genre,
    /// Tempo in beats per minute.
    Bpm,
    /// Comment.
    Comment,
    /// Grouping, which players use for tags of one's own.
    Grouping,
}

impl Field {
    /// All fields.
    pub const ALL: [Self; 4] = [Self::Genre, Self::Bpm, Self::Comment, Self::Grouping];

    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Genre => "genre",
            Self::Bpm => "bpm",
            Self::Comment => "comment",
            Self::Grouping => "grouping",
        }
    }
}

/// Joins several genres in ID3v2.3, which allows one value only. `/` stands in names such as *Rock/Classic*.
pub const SEPARATOR: &str = "; ";

/// The genres in one value: ID3v2.3 joins several.
pub fn split_genres(value: &str) -> Vec<String> {
    value.split(SEPARATOR).map(|genre| genre.trim().to_owned()).collect()
}

/// The tags of a file that this project uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tags {
    /// The artist.
    pub artist: Option<String>,
    /// The title.
    pub title: Option<String>,
    /// The album.
    pub album: Option<String>,
    /// The genres.
    pub genres: Vec<String>,
    /// The tempo in beats per minute, as it is written.
    pub bpm: Option<String>,
    /// The comment.
    pub comment: Option<String>,
    /// The grouping.
    pub grouping: Option<String>,
}

impl Tags {
    /// The values of a field; empty if it is missing.
    pub fn values(&self, field: Field) -> Vec<String> {
        let one = |value: &Option<String>| value.iter().cloned().collect();
        match field {
            Field::Genre => self.genres.clone(),
            Field::Bpm => one(&self.bpm),
            Field::Comment => one(&self.comment),
            Field::Grouping => one(&self.grouping),
        }
    }
}

/// A change of one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The field.
    pub field: Field,
    /// Values in the file.
    pub old: Vec<String>,
    /// New values.
    pub new: Vec<String>,
}

/// What was heard in a song.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heard {
    /// Classes with their probabilities, the most probable first.
    pub ranked: Vec<(String, f32)>,
    /// Whether the answer is none of the classes.
    pub none: bool,
    /// The kind of non-music, if the sound was rejected as that.
    pub non_music: Option<String>,
    /// Tempo in beats per minute, if it was measured.
    pub tempo: Option<f64>,
    /// Names of tags, the strongest first.
    pub tags: Vec<String>,
}

/// Which fields are planned, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanOptions {
    /// Least probability, 0…1, of an answer that is written.
    pub sure: f32,
    /// Also replace a field that has a value.
    pub replace: bool,
    /// Also write further genres of at least this probability.
    pub more: Option<f32>,
    /// One's own names of classes. A class can have one name, several, or none, if it is never written. A class that
    /// is missing keeps its name.
    pub names: Vec<(String, Vec<String>)>,
    /// Write the tempo.
    pub bpm: bool,
    /// Write the tags that the network hears to this field.
    pub heard: Option<Field>,
}

/// Why a field is left as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// It has a value.
    There {
        /// The field.
        field: Field,
        /// Its values.
        old: Vec<String>,
    },
    /// The answer is none of the classes.
    NoneOfThese,
    /// The sound is not music.
    NonMusic {
        /// The kind of sound.
        kind: String,
    },
    /// The answer is not sure enough.
    Unsure {
        /// The most probable class.
        class: String,
        /// Its probability.
        probability: f32,
    },
}

/// What is to be written into one file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The fields to write; none if nothing is to be written.
    pub changes: Vec<Change>,
    /// Why others are left as they are.
    pub kept: Vec<Kept>,
}

/// A song of a list for other programs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Track {
    /// The path of the file.
    pub file: String,
    /// The artist, if known.
    pub artist: Option<String>,
    /// The title, if known; else the file's name stands for it.
    pub title: Option<String>,
    /// The album, if known.
    pub album: Option<String>,
    /// Genres.
    pub genres: Vec<String>,
    /// The most probable class with its probability.
    pub predicted: Option<(String, f32)>,
    /// Length in seconds.
    pub seconds: f64,
    /// Tempo in beats per minute, if it was measured.
    pub tempo: Option<f64>,
}

/// A format of a list of songs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListFormat {
    /// XML for *Import Collection* of rekordbox.
    Rekordbox,
    /// An extended M3U playlist in UTF-8.
    M3u8,
    /// A table.
    Csv,
}

/// From the page to the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagRequest {
    /// Chosen by the page; the answer repeats it.
    pub id: u32,
    /// What to do.
    pub task: TagTask,
}

/// What the worker is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagTask {
    /// Read the tags of a file. Payload: the `File`. Answered by [`TagAnswer::Read`].
    Read,
    /// Plan what to write. No payload. Answered by [`TagAnswer::Planned`].
    Plan {
        /// Which fields, and when.
        options: PlanOptions,
        /// The tags of each file, and what was heard in it.
        songs: Vec<(Tags, Heard)>,
    },
    /// Change fields in a copy. Payload: the `File`. Answered by [`TagAnswer::Edited`].
    Edit {
        /// SHA-256 that the content must have, in hexadecimal.
        sha256: String,
        /// The fields with their new values.
        changes: Vec<Change>,
    },
    /// Restore the old content of a file. Payload: the `File`, and a `Uint8Array` of the old bytes between the equal
    /// ones. Answered by [`TagAnswer::Restored`].
    Restore {
        /// What the file lacks of its old content.
        difference: Cut,
    },
    /// Change fields in a copy, and add the copy to a zip file, which begins with the first one. Payload: the `File`.
    /// Answered by [`TagAnswer::Packed`].
    Pack {
        /// Name in the zip file. A second file of the same name gets another one.
        name: String,
        /// The fields with their new values; none to add the file as it is.
        changes: Vec<Change>,
    },
    /// End the zip file. No payload. Answered by [`TagAnswer::Packed`].
    EndPack,
    /// Write a list of songs. No payload. Answered by [`TagAnswer::Listed`].
    List {
        /// The format.
        format: ListFormat,
        /// The songs.
        tracks: Vec<Track>,
    },
}

/// How a file was changed: equal bytes at both ends, other ones between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cut {
    /// SHA-256 of the old content, in hexadecimal.
    pub before: String,
    /// SHA-256 of the new content.
    pub after: String,
    /// Number of equal bytes at the start.
    pub prefix: u64,
    /// Number of equal bytes at the end.
    pub suffix: u64,
}

/// From the worker to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagEvent {
    /// The id of the request.
    pub id: u32,
    /// The answer.
    pub answer: TagAnswer,
}

/// What the worker answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagAnswer {
    /// A file was read.
    Read {
        /// SHA-256 of its content, in hexadecimal.
        sha256: String,
        /// Its tags.
        tags: Tags,
    },
    /// A plan for each song, in their order.
    Planned {
        /// The plans.
        plans: Vec<Plan>,
    },
    /// A copy was made. Payload: two `Uint8Array`s, the new content, and the old bytes between the equal ones.
    Edited {
        /// How it was changed.
        difference: Cut,
        /// Fields that made it necessary to turn a tag of ID3v2.3 into ID3v2.4.
        newer: Option<String>,
    },
    /// The old content. Payload: a `Uint8Array`, or nothing if the file has its old content already.
    Restored,
    /// The next part of the zip file. Payload: a `Uint8Array`.
    Packed {
        /// See [`TagAnswer::Edited`].
        newer: Option<String>,
    },
    /// A list was written.
    Listed {
        /// Its text.
        text: String,
    },
    /// The request failed.
    Failed {
        /// The kind of failure, by which the page chooses its text.
        problem: TagProblem,
        /// Details for a developer; the names of fields for [`TagProblem::Lost`].
        detail: String,
    },
}

/// Why tags cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagProblem {
    /// The file cannot be read.
    Unreadable,
    /// The file is too large to be held in memory.
    TooLarge,
    /// The tags of this format cannot be written.
    Format,
    /// The tags cannot be parsed or written.
    Tags,
    /// The content is another one than was expected.
    Changed,
    /// A field would be lost or altered.
    Lost,
    /// The sound would change.
    Sound,
    /// The sound cannot be decoded, so it cannot be compared.
    Undecodable,
    /// The worker does not understand the request, or has failed.
    Worker,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cratedigger tag --format json` prints these, and the plan can be read again later.
    #[test]
    fn the_names_in_a_plan_stay() {
        let change = Change { field: Field::Bpm, old: Vec::new(), new: vec!["128".into()] };
        assert_eq!(
            serde_json::to_value(change).ok(),
            Some(serde_json::json!({"field": "bpm", "old": [], "new": ["128"]}))
        );
        let tags = serde_json::to_value(Tags { genres: split_genres("Rock/Pop; Folk"), ..Tags::default() });
        assert_eq!(
            tags.ok().and_then(|tags| tags.get("genres").cloned()),
            Some(serde_json::json!(["Rock/Pop", "Folk"]))
        );
    }
}
