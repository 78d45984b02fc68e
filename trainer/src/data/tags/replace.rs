//! Replaces a file atomically, with an entry in the journal.

use std::fs::{self, File};
use std::io::{self, Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use cratedigger_tags::{edit, read};
use sha2::{Digest as _, Sha256};

use super::journal::{Entry, Journal};
use super::{Changes, TagError, Tags, extension};

/// Start of the names of temporary files: hidden, so no player and no walk takes one for a song.
const PREFIX: &str = ".cratedigger-";

/// A file with new tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The tags as they are read again.
    pub tags: Tags,
    /// What a person should know about the result.
    pub remark: Option<String>,
}

/// Changes fields of a file whose content has this SHA-256: a copy beside it gets them, is written to disk and is
/// renamed over the file. Before that, the journal gets what restores the old bytes.
///
/// # Errors
/// The file is another one or read-only, a copy or the journal cannot be written, or a field or
/// the sound would change that is not named. The file is as it was.
pub fn replace(
    path: &Path,
    sha256: &str,
    changes: &Changes,
    journal: &mut Journal,
) -> Result<Replaced, TagError> {
    let path = writable(path)?;
    let stamp = stamp(&path)?;
    let old = Rc::new(content(&path)?);
    if hash_of(&old) != sha256 {
        return Err(TagError::Changed);
    }
    let new = edit(&old, extension(&path), changes)?;
    let remark =
        new.newer.map(|fields| format!("its tag is ID3v2.4 now, because ID3v2.3 cannot hold {fields}"));
    let new = new.bytes;
    let tags = read(Cursor::new(&new), extension(&path))?;
    let copy = temporary(&path, &new)?;
    journal.add(&Entry::new(&path, sha256, &old, &new)?)?;
    // A program that writes while the copy was made would lose its changes.
    if self::stamp(&path)? != stamp {
        return Err(TagError::Changed);
    }
    put(copy, &path)?;
    Ok(Replaced { tags, remark })
}

/// The file that a path leads to, if it may be written.
///
/// # Errors
/// It does not exist, or is read-only.
pub(super) fn writable(path: &Path) -> Result<PathBuf, TagError> {
    let path = path.canonicalize().map_err(TagError::io("it cannot be opened"))?;
    let data = fs::metadata(&path).map_err(TagError::io("it cannot be opened"))?;
    if data.permissions().readonly() { Err(TagError::ReadOnly) } else { Ok(path) }
}

/// Size and modification time.
fn stamp(path: &Path) -> Result<(u64, Option<std::time::SystemTime>), TagError> {
    let data = fs::metadata(path).map_err(TagError::io("it cannot be opened"))?;
    Ok((data.len(), data.modified().ok()))
}

/// A temporary file beside a file, with its extension and this content. It is removed unless it is [`put`].
pub(super) fn temporary(path: &Path, content: &[u8]) -> Result<tempfile::NamedTempFile, TagError> {
    let suffix = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<_> {
        let mut copy = tempfile::Builder::new().prefix(PREFIX).suffix(&suffix).tempfile_in(folder)?;
        copy.write_all(content)?;
        Ok(copy)
    };
    write().map_err(TagError::io("a copy cannot be written beside it"))
}

/// Renames a temporary file over `path`, after it and its permissions are on disk.
pub(super) fn put(copy: tempfile::NamedTempFile, path: &Path) -> Result<(), TagError> {
    let failed = TagError::io("the copy cannot be written to disk");
    let on_disk = || -> io::Result<()> {
        fs::set_permissions(copy.path(), fs::metadata(path)?.permissions())?;
        File::open(copy.path())?.sync_all()
    };
    on_disk().map_err(failed)?;
    copy.persist(path).map_err(|e| TagError::Io { what: "it cannot be replaced", cause: e.error })?;
    // The rename itself is in the folder. Not every system can sync one.
    if let Some(Ok(folder)) = path.parent().map(File::open) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// The content of a file. All of it is in memory, as the parsers need it to write tags.
pub(super) fn content(path: &Path) -> Result<Vec<u8>, TagError> {
    fs::read(path).map_err(TagError::io("it cannot be read"))
}

/// SHA-256, in hexadecimal.
pub(super) fn hash_of(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
