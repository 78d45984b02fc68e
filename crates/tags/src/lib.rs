//! Tags in audio files: reading, planning new genres, and changing single fields safely.
//!
//! - [`read`]: the fields that this project uses
//! - [`plan`]: which fields to write for a classified song, and why others are left
//! - [`edit`]: a copy with changed fields; fails if another field or the sound would change
//! - [`Difference`]: what restores the old bytes
//! - [`lists`]: lists of songs for other programs
//!
//! Bytes in, bytes out: files, journals and permissions are the caller's.

#![forbid(unsafe_code)]

mod difference;
mod edit;
mod frames;
pub mod lists;
mod names;
mod plan;

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek};

use cratedigger_protocol::tags::split_genres;
pub use cratedigger_protocol::tags::{Change, Field, Heard, Kept, Plan, PlanOptions, Tags};
use lofty::file::{FileType, TaggedFileExt as _};
use lofty::probe::Probe;
use lofty::tag::{Accessor as _, ItemKey, Tag};

pub use difference::Difference;
pub use edit::{Edited, edit};
pub use plan::plan;

/// New values of fields. A field with no value is removed.
pub type Changes = BTreeMap<Field, Vec<String>>;

/// Why the tags of a file cannot be read or changed. Messages do not contain the file's name.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// The bytes cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The tags of this format cannot be written.
    #[error("tags of this format cannot be written; MP3, FLAC, Ogg Vorbis, Opus, M4A, AIFF and WAV can")]
    Format,
    /// The tags cannot be parsed or written.
    #[error("its tags cannot be read or written: {0}")]
    Lofty(String),
    /// A field would be lost or altered.
    #[error("its tag has fields that would be lost or altered ({0}); nothing was written")]
    Lost(String),
    /// The copy has other sound.
    #[error("the sound would change; nothing was written")]
    Sound,
    /// The sound cannot be compared.
    #[error("its sound cannot be decoded to compare it: {0}")]
    Decode(String),
}

/// Reads the tags of a file. Its content decides about the format, and the extension only if the content does not.
///
/// # Errors
/// The bytes cannot be read, or the tags cannot be parsed.
pub fn read(file: impl Read + Seek, extension: &str) -> Result<Tags, TagError> {
    let lofty = |error: lofty::error::FileParseError| TagError::Lofty(error.to_string());
    let options = lofty::config::ParseOptions::new().read_properties(false).read_cover_art(false);
    let file = probe(BufReader::new(file), extension)?.options(options).read().map_err(lofty)?;
    Ok(file.primary_tag().or_else(|| file.first_tag()).map(of).unwrap_or_default())
}

/// Finds the format by the content or, failing that, by the extension.
fn probe<R: Read + Seek>(file: R, extension: &str) -> Result<Probe<R>, TagError> {
    let mut probe = Probe::new(file);
    if let Some(kind) = FileType::from_ext(extension) {
        probe = probe.set_file_type(kind);
    }
    Ok(probe.guess_file_type()?)
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
            .flat_map(split_genres)
            .filter(|genre| !genre.is_empty())
            .collect(),
        bpm: first(&[ItemKey::IntegerBpm, ItemKey::Bpm]),
        comment: first(&[ItemKey::Comment]),
        grouping: first(&[ItemKey::ContentGroup]),
    }
}

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
