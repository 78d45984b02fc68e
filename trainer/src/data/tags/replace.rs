//! Replaces a file atomically, with an entry in the journal.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::edit::edit;
use super::journal::{Entry, Journal};
use super::{Changes, TagError, Tags};
use crate::files::sha256_of;

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
    if hash_of(&path)? != sha256 {
        return Err(TagError::Changed);
    }
    let stamp = stamp(&path)?;
    let copy = temporary(&path)?;
    let remark = edit(&path, copy.path(), changes)?;
    let tags = super::read(copy.path())?;
    journal.add(&Entry::new(&path, copy.path(), sha256)?)?;
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

/// An empty temporary file beside a file, with its extension. It is removed unless it is [`put`].
pub(super) fn temporary(path: &Path) -> Result<tempfile::NamedTempFile, TagError> {
    let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    let folder = path.parent().unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .prefix(PREFIX)
        .suffix(&extension)
        .tempfile_in(folder)
        .map_err(TagError::io("a copy cannot be written beside it"))
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

/// SHA-256 of a file, in hexadecimal.
pub(super) fn hash_of(path: &Path) -> Result<String, TagError> {
    sha256_of(path).map_err(TagError::io("it cannot be read"))
}

/// Number of equal bytes at the start and at the end of two files; the two parts do not overlap in either.
pub(super) fn common(a: &Path, b: &Path) -> io::Result<(u64, u64)> {
    const BLOCK: usize = 1 << 16;
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (a_len, b_len) = (a.metadata()?.len(), b.metadata()?.len());
    let shorter = a_len.min(b_len);
    let (mut x, mut y) = (vec![0; BLOCK], vec![0; BLOCK]);
    let (mut prefix, mut suffix) = (0, 0);
    while prefix < shorter {
        let size = (shorter - prefix).min(BLOCK as u64) as usize;
        a.read_exact(&mut x[..size])?;
        b.read_exact(&mut y[..size])?;
        let same = x[..size].iter().zip(&y[..size]).take_while(|(x, y)| x == y).count();
        prefix += same as u64;
        if same < size {
            break;
        }
    }
    while suffix < shorter - prefix {
        let size = (shorter - prefix - suffix).min(BLOCK as u64) as usize;
        a.seek(SeekFrom::Start(a_len - suffix - size as u64))?;
        b.seek(SeekFrom::Start(b_len - suffix - size as u64))?;
        a.read_exact(&mut x[..size])?;
        b.read_exact(&mut y[..size])?;
        let same = x[..size].iter().rev().zip(y[..size].iter().rev()).take_while(|(x, y)| x == y).count();
        suffix += same as u64;
        if same < size {
            break;
        }
    }
    Ok((prefix, suffix))
}
