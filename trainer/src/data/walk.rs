//! Folders of audio files: which of their files are songs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cratedigger_decode::{is_clutter, is_sound_name, unread_format};
use serde::Serialize;
use walkdir::{DirEntry, WalkDir};

/// Number of files by sound format that is not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Unread(pub BTreeMap<String, usize>);

impl Unread {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the counts of another folder.
    pub fn add(&mut self, other: &Self) {
        for (format, count) in &other.0 {
            *self.0.entry(format.clone()).or_default() += count;
        }
    }
}

/// One sentence: how many files there are of each format, and what to do.
impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: usize = self.0.values().sum();
        let each: Vec<String> = self.0.iter().map(|(format, count)| format!("{format} ({count})")).collect();
        write!(
            f,
            "{files} files are left out because their formats are not read: {}. Convert them to FLAC, WAV or MP3",
            each.join(", ")
        )
    }
}

/// The audio files of a folder.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Files by path, sorted by name within each folder.
    pub files: Vec<PathBuf>,
    /// Entries that cannot be read, for example broken links, each with the reason.
    pub broken: Vec<(PathBuf, String)>,
    /// Sound in formats that are not read.
    pub unread: Unread,
}

/// Whether a file has the extension of an audio file and is not hidden.
pub fn is_audio(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !is_clutter(&name) && is_sound_name(&name)
}

/// The entries of a folder and its subfolders, sorted by name, without hidden files and folders, trash and
/// thumbnails, down to `depth` levels. `path` itself is listed whatever its name.
pub fn entries(path: &Path, depth: usize) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
    let all = WalkDir::new(path).max_depth(depth).follow_links(true).sort_by_file_name().into_iter();
    all.filter_entry(|entry| entry.depth() == 0 || !is_clutter(&entry.file_name().to_string_lossy()))
}

/// The audio files in a folder and its subfolders. If `path` is a file, a pipe or `-`, that one, whatever
/// its name.
///
/// # Errors
/// `path` does not exist or cannot be listed.
pub fn audio_below(path: &Path) -> Result<Found> {
    let mut found = Found::default();
    if !path.is_dir() {
        if path != Path::new(super::audio::STDIN) {
            path.metadata().with_context(|| format!("{} cannot be opened", path.display()))?;
        }
        found.files.push(path.to_owned());
        return Ok(found);
    }
    for entry in entries(path, usize::MAX) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => {
                if is_audio(entry.path()) {
                    found.files.push(entry.into_path());
                } else if let Some(format) = unread_format(&entry.file_name().to_string_lossy()) {
                    *found.unread.0.entry(format.to_owned()).or_default() += 1;
                }
            }
            Ok(_) => {}
            Err(error) if error.depth() > 0 => {
                let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                found.broken.push((error.path().unwrap_or(path).to_owned(), why));
            }
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be listed", path.display()));
            }
        }
    }
    Ok(found)
}
