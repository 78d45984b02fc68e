//! Everything that can go wrong with a song, with the sentence that the visitor reads. All of
//! them stand here so that they can be read, and kept in one voice, in one place.

use cratedigger_protocol::FailureKind;

/// Largest file that is decoded, in megabytes. The browser holds a decoded song as 32-bit floats:
/// a compressed file of this size already fills gigabytes.
pub const LARGEST_MEGABYTES: u32 = 300;

/// Why a song has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// What was dropped holds no file.
    #[error("That wasn’t a file. Drop a song from your computer, or choose one.")]
    NoFile,
    /// A file of 0 bytes.
    #[error("This file is empty (0 bytes). Try another copy of it.")]
    Empty,
    /// A file over [`LARGEST_MEGABYTES`].
    #[error(
        "This file has {megabytes} MB; at most {LARGEST_MEGABYTES} MB can be decoded in a browser. \
         Try a shorter or a compressed file."
    )]
    TooLarge {
        /// Its size.
        megabytes: u32,
    },
    /// The browser could not read the file's bytes.
    #[error("Your browser couldn’t read this file. Was it moved or changed? Choose it again.")]
    Unreadable,
    /// The browser's decoder refused it.
    #[error("This doesn’t look like audio that your browser can read. Try WAV, MP3, FLAC, OGG or M4A.")]
    NotAudio,
    /// See [`FailureKind::TooShort`].
    #[error("This song is too short to judge. Try one of at least a few seconds.")]
    TooShort,
    /// See [`FailureKind::Silent`].
    #[error("This file is silent from start to end. Try one with music in it.")]
    Silent,
    /// See [`FailureKind::BadSamples`].
    #[error("The audio in this file is damaged. Try another copy, or convert it to WAV.")]
    BadSamples,
    /// See [`FailureKind::Models`].
    #[error("The networks couldn’t be loaded. Check your connection and reload the page.")]
    Models,
    /// Every device that could do the song has failed.
    #[error(
        "The computation stopped, and so did a second try. Close other tabs to free memory and \
         drop the song again."
    )]
    Device,
    /// The two sides of the protocol don't fit: most likely a stale cached file.
    #[error("Parts of this page don’t fit together. Reload it, then drop the song again.")]
    Mismatch,
}

impl Trouble {
    /// What to say when the worker could not do a song.
    pub fn of(kind: FailureKind) -> Self {
        match kind {
            FailureKind::TooShort => Self::TooShort,
            FailureKind::Silent => Self::Silent,
            FailureKind::BadSamples => Self::BadSamples,
            FailureKind::Models => Self::Models,
            FailureKind::GoldenMismatch | FailureKind::NoGpu | FailureKind::Device => Self::Device,
            FailureKind::BadRequest => Self::Mismatch,
        }
    }
}

/// Why a device is out of use, for the line that shows the devices.
pub fn device_reason(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::NoGpu => "your GPU lacks something that the networks need",
        FailureKind::GoldenMismatch => "it computes other numbers than it should, so it isn’t used",
        FailureKind::Models => "the networks couldn’t be loaded",
        FailureKind::BadRequest => "this page and its worker don’t fit together: reload the page",
        FailureKind::Device | FailureKind::TooShort | FailureKind::Silent | FailureKind::BadSamples => {
            "it stopped while computing"
        }
    }
}
