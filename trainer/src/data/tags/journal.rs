//! The journal of changed files, from which their old bytes are restored.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cratedigger_tags::Difference;
use serde::{Deserialize, Serialize};

use super::TagError;
use super::replace::{content, hash_of, put, temporary, writable};

/// Version of the journal.
const VERSION: u32 = 1;

/// First line.
#[derive(Serialize, Deserialize)]
struct Head {
    cratedigger_tag_journal: u32,
}

/// A changed file: what the new content lacks of the old one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    file: PathBuf,
    /// SHA-256 of the old content.
    before: String,
    /// SHA-256 of the new content.
    after: String,
    /// Equal bytes at the start.
    prefix: u64,
    /// Equal bytes at the end.
    suffix: u64,
    /// The old bytes between them, in base64.
    between: String,
}

impl Entry {
    /// The difference of the old and the new content of a file. The old one has the SHA-256 `before`.
    pub(super) fn new(file: &Path, before: &str, old: &[u8], new: &[u8]) -> Result<Self, TagError> {
        if file.to_str().is_none() {
            return Err(TagError::Name);
        }
        let Difference { prefix, suffix, between } = Difference::of(old, new);
        let (before, after) = (before.to_owned(), hash_of(new));
        Ok(Self { file: file.to_owned(), before, after, prefix, suffix, between: STANDARD.encode(between) })
    }

    /// The old content, from the new one; `None` if the journal is damaged.
    fn restored(&self, new: &[u8]) -> Option<Vec<u8>> {
        let between = STANDARD.decode(&self.between).ok()?;
        let old = Difference { prefix: self.prefix, suffix: self.suffix, between }.restore(new)?;
        (hash_of(&old) == self.before).then_some(old)
    }
}

/// A journal that is being written. Each entry is on disk before its file changes.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Begins a journal in a new file.
    ///
    /// # Errors
    /// The file exists, or cannot be written.
    pub fn create(path: &Path) -> Result<Self, TagError> {
        let begin = || -> io::Result<File> {
            let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
            let head = serde_json::to_string(&Head { cratedigger_tag_journal: VERSION })?;
            writeln!(file, "{head}")?;
            file.sync_all()?;
            Ok(file)
        };
        Ok(Self { file: begin().map_err(TagError::Journal)?, path: path.to_owned() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds an entry and waits until it is on disk.
    pub(super) fn add(&mut self, entry: &Entry) -> Result<(), TagError> {
        let mut append = || -> io::Result<()> {
            let end = self.file.stream_position()?;
            let line = serde_json::to_string(entry)?;
            let written = writeln!(self.file, "{line}").and_then(|()| self.file.sync_data());
            if written.is_err() {
                // A part of a line must not spoil the next one.
                self.file.set_len(end)?;
                self.file.seek(SeekFrom::Start(end))?;
            }
            written
        };
        append().map_err(TagError::Journal)
    }
}

/// What became of a file of a journal.
#[derive(Debug)]
pub struct Undone {
    /// The file.
    pub file: PathBuf,
    /// Whether its old bytes were restored, or were still there (false).
    pub result: Result<bool, TagError>,
}

/// Restores the old bytes of all files of a journal, the last change first. A file that has changed since is left
/// as it is.
///
/// # Errors
/// The journal cannot be read, or is none.
pub fn undo(journal: &Path) -> anyhow::Result<Vec<Undone>> {
    use anyhow::Context as _;
    let file = File::open(journal).with_context(|| format!("{} cannot be read", journal.display()))?;
    let mut lines = BufReader::new(file).split(b'\n');
    let head = lines.next().transpose()?.unwrap_or_default();
    let head: Option<Head> = serde_json::from_slice(&head).ok();
    anyhow::ensure!(
        head.is_some_and(|head| head.cratedigger_tag_journal == VERSION),
        "{} is not a journal of `cratedigger tag`",
        journal.display()
    );
    // The last line is incomplete if the program was killed while it wrote; that file was not changed yet.
    let entries: Vec<Entry> =
        lines.map_while(Result::ok).map_while(|line| serde_json::from_slice(&line).ok()).collect();
    Ok(entries.into_iter().rev().map(|entry| Undone { result: back(&entry), file: entry.file }).collect())
}

fn back(entry: &Entry) -> Result<bool, TagError> {
    let path = writable(&entry.file)?;
    let new = content(&path)?;
    let found = hash_of(&new);
    if found == entry.before {
        return Ok(false);
    }
    if found != entry.after {
        return Err(TagError::Changed);
    }
    let old = entry.restored(&new).ok_or(TagError::Damaged)?;
    put(temporary(&path, &old)?, &path)?;
    Ok(true)
}
