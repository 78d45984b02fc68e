//! Fields and their names in each kind of tag.

use serde::{Deserialize, Serialize};

/// A field that this program writes.
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

/// Joins several genres in ID3v2.3, which allows one value only. `/` stands in names such as *Rock/Classic*.
pub(super) const SEPARATOR: &str = "; ";

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

    /// Frame of ID3v2.
    pub(super) fn id3v2(self) -> &'static str {
        match self {
            Self::Genre => "TCON",
            Self::Bpm => "TBPM",
            Self::Comment => "COMM",
            Self::Grouping => "TIT1",
        }
    }

    /// Name in Vorbis comments.
    pub(super) fn vorbis(self) -> &'static str {
        match self {
            Self::Genre => "GENRE",
            Self::Bpm => "BPM",
            Self::Comment => "COMMENT",
            Self::Grouping => "GROUPING",
        }
    }

    /// Atom of MP4.
    pub(super) fn mp4(self) -> [u8; 4] {
        match self {
            Self::Genre => *b"\xa9gen",
            Self::Bpm => *b"tmpo",
            Self::Comment => *b"\xa9cmt",
            Self::Grouping => *b"\xa9grp",
        }
    }
}

/// The genres in one value: ID3v2.3 joins several.
pub(super) fn split_genres(value: &str) -> Vec<String> {
    value.split(SEPARATOR).map(|genre| genre.trim().to_owned()).collect()
}
