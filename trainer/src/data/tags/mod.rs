//! Tags in audio files: reading, and changing single fields safely.
//!
//! A file is never changed in place. [`replace`] writes a copy beside it, which has the same sound and the same other
//! fields (`cratedigger_tags::edit`), and renames it over the file, so that a crash leaves the old or the new file. A
//! [`Journal`] keeps what is needed to restore the old bytes.

mod journal;
mod replace;

use std::fs::File;
use std::path::Path;

pub use cratedigger_tags::{Changes, Field, Tags};
pub use journal::{Journal, Undone, undo};
pub use replace::{Replaced, replace};

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
    /// The tags cannot be read, or not be changed safely.
    #[error(transparent)]
    Tags(#[from] cratedigger_tags::TagError),
    /// The file is write-protected.
    #[error("it is read-only; nothing was written")]
    ReadOnly,
    /// The content is another one than was expected.
    #[error("it was changed by another program since then; it is left as it is")]
    Changed,
    /// The old bytes cannot be restored.
    #[error("the journal is damaged; nothing was written")]
    Damaged,
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

/// Reads the tags of a file. Its content decides about the format, and its extension only if the content does not.
///
/// # Errors
/// The file cannot be opened, or its tags cannot be parsed.
pub fn read(path: &Path) -> Result<Tags, TagError> {
    let file = File::open(path).map_err(TagError::io("it cannot be opened"))?;
    Ok(cratedigger_tags::read(file, extension(path))?)
}

/// The extension without the dot; empty if there is none.
fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}
