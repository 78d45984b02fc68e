//! Tags that are planned and written.

use cratedigger_protocol::tags::{Plan, TagProblem, Tags};
use leptos::prelude::*;

/// Which fields are planned, and when, as the visitor chose.
#[derive(Clone, Debug, PartialEq)]
pub struct TagChoices {
    /// Least probability of a genre that is written, in percent.
    pub sure: u8,
    /// Also replace fields that have a value.
    pub replace: bool,
    /// Also write further genres of at least this probability, in percent; 0 for none.
    pub more: u8,
    /// Write the tempo.
    pub tempo: bool,
    /// Write the tags that the network hears into the comment.
    pub heard: bool,
    /// Write the visitor's own classes in place of the genres.
    pub own: bool,
    /// The visitor's names of classes, each with what is typed: several are separated by `;`.
    pub names: Vec<(String, String)>,
}

impl Default for TagChoices {
    fn default() -> Self {
        Self { sure: 80, replace: false, more: 0, tempo: false, heard: false, own: false, names: Vec::new() }
    }
}

/// Why a file was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// Its tags cannot be read or written. The text names the fields of [`TagProblem::Lost`].
    Problem(TagProblem, String),
    /// It was not found on disk.
    NotFound,
    /// The visitor or the browser does not allow it.
    NotAllowed,
    /// The browser could not write it.
    Disk(String),
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    #[default]
    None,
    /// It was written. The text names fields for which its tag is ID3v2.4 now.
    Written(Option<String>),
    /// A copy with its new tags was saved. The text is that of [`Outcome::Written`].
    Copied(Option<String>),
    /// Its old bytes were restored.
    Restored,
    /// It is as it was.
    Failed(Unwritten),
}

/// A song whose tags are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TagRow {
    /// Id of the song.
    pub song: u32,
    /// SHA-256 and tags of the file, once it is read.
    pub file: Option<(String, Tags)>,
    /// What to write.
    pub plan: Plan,
    /// Whether the visitor wants it written.
    pub ticked: bool,
    /// Whether the page can write the file, if it may.
    pub found: bool,
    /// What became of the file.
    pub outcome: Outcome,
}

impl TagRow {
    /// Whether the file is still to be read.
    pub fn is_unread(&self) -> bool {
        self.file.is_none() && self.outcome == Outcome::None
    }

    /// Whether the file is to be written.
    pub fn is_wanted(&self) -> bool {
        self.ticked && self.file.is_some() && !self.plan.changes.is_empty()
    }
}

/// What the page does with tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagWork {
    /// Nothing.
    #[default]
    Idle,
    /// Files are read.
    Reading,
    /// Files are looked for in a folder.
    Finding,
    /// Files are written.
    Writing,
    /// Copies are made.
    Copying,
    /// Old bytes are restored.
    Undoing,
}

/// What is done, and how the work before ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagProgress {
    /// What is done now.
    pub work: TagWork,
    /// Number of files that it is done with.
    pub done: usize,
    /// Number of all its files.
    pub of: usize,
    /// How the last work ended.
    pub report: Option<TagReport>,
}

/// How a piece of work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagReport {
    /// The work.
    pub work: TagWork,
    /// Number of files that it is done with.
    pub done: usize,
    /// Names of files that are as they were.
    pub failed: Vec<String>,
}

/// State of what concerns tags; copies are handles to the same signals.
#[derive(Clone, Copy)]
pub struct Tagging {
    /// What the visitor chose.
    pub choices: RwSignal<TagChoices>,
    /// The songs that have a file.
    pub rows: RwSignal<Vec<TagRow>>,
    /// What is done.
    pub progress: RwSignal<TagProgress>,
    /// Whether the visitor has stopped it.
    pub paused: RwSignal<bool>,
    /// Number of files whose old bytes can be restored.
    pub restorable: RwSignal<usize>,
    /// Whether they are lost when the page is closed, because the browser does not keep them.
    pub fleeting: RwSignal<bool>,
    /// Path of the folder with the songs on the visitor's machine, for lists.
    pub folder: RwSignal<String>,
}

impl Tagging {
    pub(super) fn new() -> Self {
        Self {
            choices: RwSignal::new(TagChoices::default()),
            rows: RwSignal::new(Vec::new()),
            progress: RwSignal::new(TagProgress::default()),
            paused: RwSignal::new(false),
            restorable: RwSignal::new(0),
            fleeting: RwSignal::new(false),
            folder: RwSignal::new(String::new()),
        }
    }

    /// Changes a song's row, if it is there.
    pub fn update(&self, song: u32, change: impl FnOnce(&mut TagRow)) {
        self.rows.update(|rows| {
            if let Some(row) = rows.iter_mut().find(|row| row.song == song) {
                change(row);
            }
        });
    }

    /// What is done now, tracked.
    pub fn work(&self) -> TagWork {
        self.progress.with(|progress| progress.work)
    }

    /// Begins work on this number of files.
    pub fn begin(&self, work: TagWork, of: usize) {
        self.paused.set(false);
        self.progress.set(TagProgress { work, done: 0, of, report: None });
    }

    /// One more file is done.
    pub fn step(&self) {
        self.progress.update(|progress| progress.done += 1);
    }

    /// Ends the work; with how it ended, if there is something to tell.
    pub fn end(&self, report: Option<TagReport>) {
        self.progress.update(|progress| {
            progress.work = TagWork::Idle;
            progress.report = report.or(progress.report.take());
        });
    }
}
