//! Everything that can go wrong. The sentences that the visitor reads are in [`crate::i18n`].

use cratedigger_protocol::FailureKind;

/// Largest file that is decoded, in megabytes. The browser holds a decoded song as 32-bit floats:
/// a compressed file of this size already fills gigabytes.
pub const LARGEST_MEGABYTES: u32 = 300;

/// Why a song has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A file of 0 bytes.
    Empty,
    /// A file over [`LARGEST_MEGABYTES`].
    TooLarge {
        /// Its size.
        megabytes: u32,
    },
    /// The browser could not read the file's bytes.
    Unreadable,
    /// The browser's decoder refused it.
    NotAudio,
    /// See [`FailureKind::TooShort`].
    TooShort,
    /// See [`FailureKind::Silent`].
    Silent,
    /// See [`FailureKind::BadSamples`].
    BadSamples,
    /// See [`FailureKind::Models`].
    Models,
    /// Every device that could do the song has failed.
    Device,
    /// The two sides of the protocol don't fit: most likely a stale cached file.
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

/// What the visitor should know although nothing has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A worker died of a song, which is done again.
    CpuRestarted,
    /// The GPU failed under a song.
    GpuStopped,
    /// The GPU was asked for and isn't ready.
    GpuNotReady,
    /// The GPU was asked for and doesn't work.
    GpuUnusable,
    /// What was dropped or pasted holds no file.
    NoFile,
    /// A folder without a song.
    NoSongs,
    /// This many files of a folder are no songs and were left out.
    LeftOut(u32),
    /// The visitor, or the browser, refused the microphone.
    NoMicrophone,
    /// The shared tab has no sound, or sharing was refused.
    NoTabSound,
    /// The clipboard or the download was refused.
    NotKept,
    /// Something is in the clipboard now.
    Copied,
    /// A segment couldn't be looked at more closely.
    NotExplained,
    /// The history can't be read or written.
    NoHistory,
}

/// Why a device is out of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The browser has no WebGPU.
    NoApi,
    /// It has, and found no card.
    NoAdapter,
    /// The card lacks something.
    Lacking,
    /// It gave other numbers than it should.
    Mismatch,
    /// The networks couldn't be loaded.
    Models,
    /// Page and worker speak differently.
    Protocol,
    /// It stopped.
    Stopped,
}

impl From<FailureKind> for Reason {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::NoGpu => Self::Lacking,
            FailureKind::GoldenMismatch => Self::Mismatch,
            FailureKind::Models => Self::Models,
            FailureKind::BadRequest => Self::Protocol,
            FailureKind::Device | FailureKind::TooShort | FailureKind::Silent | FailureKind::BadSamples => {
                Self::Stopped
            }
        }
    }
}
