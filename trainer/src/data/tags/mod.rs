//! Tags in audio files: reading, and changing single fields safely.
//!
//! A file is never changed in place. [`replace`] edits a copy beside it, checks that the copy has the same sound and
//! the same other fields, and renames it over the file, so that a crash leaves the old or the new file. A
//! [`Journal`] keeps what is needed to restore the old bytes.

mod edit;
mod frames;
mod journal;
mod replace;
mod text;

use std::collections::BTreeMap;
use std::path::Path;

use lofty::file::TaggedFileExt as _;
use lofty::probe::Probe;
use lofty::tag::{Accessor as _, ItemKey, Tag};
use serde::{Deserialize, Serialize};

pub use journal::{Journal, Undone, undo};
pub use replace::{Replaced, replace};
pub use text::Field;

/// New values of fields. A field with no value is removed.
pub type Changes = BTreeMap<Field, Vec<String>>;

/// Why the tags of a file cannot be read or changed. Messages do not contain the file's name.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// The operating system reports an error.
    #[error("{what}: {cause}")]
    Io {
        /// What was done, as a sentence without the cause.
        what: &'static str,
        /// The operating system's error.
        cause: std::io::Error,
    },
    /// The tags of this format cannot be written.
    #[error("tags of this format cannot be written; MP3, FLAC, Ogg Vorbis, Opus, M4A, AIFF and WAV can")]
    Format,
    /// The tags cannot be parsed or written.
    #[error("its tags cannot be read or written: {0}")]
    Lofty(String),
    /// The file is write-protected.
    #[error("it is read-only; nothing was written")]
    ReadOnly,
    /// The content is another one than was expected.
    #[error("it was changed by another program since then; it is left as it is")]
    Changed,
    /// A field would be lost or altered.
    #[error("its tag has fields that would be lost or altered ({0}); nothing was written")]
    Lost(String),
    /// The copy has other sound.
    #[error("the sound would change; nothing was written")]
    Sound,
    /// The sound cannot be compared.
    #[error("its sound cannot be decoded to compare it: {0}")]
    Decode(String),
    /// The journal cannot be written, so nothing is changed.
    #[error("the journal cannot be written, so nothing was changed: {0}")]
    Journal(std::io::Error),
    /// The name is not Unicode, so a journal cannot hold it.
    #[error("its name is not Unicode, so it cannot stand in the journal; rename it first")]
    Name,
}

impl TagError {
    fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io { what, cause }
    }
}

/// The tags of a file that this program uses.
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

/// Reads the tags of a file. Its content decides about the format.
///
/// # Errors
/// The file cannot be opened, or its tags cannot be parsed.
pub fn read(path: &Path) -> Result<Tags, TagError> {
    let lofty = |error: lofty::error::FileParseError| TagError::Lofty(error.to_string());
    let options = lofty::config::ParseOptions::new().read_properties(false).read_cover_art(false);
    let probe = Probe::open(path).map_err(lofty)?.options(options);
    let file = probe.guess_file_type().map_err(TagError::io("it cannot be read"))?.read().map_err(lofty)?;
    Ok(file.primary_tag().or_else(|| file.first_tag()).map(of).unwrap_or_default())
}

fn of(tag: &Tag) -> Tags {
    let text = |value: Option<std::borrow::Cow<'_, str>>| {
        value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let first = |keys: &[ItemKey]| {
        let found = keys.iter().find_map(|key| tag.get_string(*key));
        found.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    Tags {
        artist: text(tag.artist()),
        title: text(tag.title()),
        album: text(tag.album()),
        genres: tag
            .get_strings(ItemKey::Genre)
            .flat_map(text::split_genres)
            .filter(|genre| !genre.is_empty())
            .collect(),
        bpm: first(&[ItemKey::IntegerBpm, ItemKey::Bpm]),
        comment: first(&[ItemKey::Comment]),
        grouping: first(&[ItemKey::ContentGroup]),
    }
}
