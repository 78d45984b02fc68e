//! Everything that can go wrong. [`crate::i18n`] has the sentences that the user reads.

use cratedigger_client::SongNotice;
pub use cratedigger_client::{Reason, Trouble};

/// A notice for the user. Unlike [`Trouble`], it does not end the analysis of a song.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// See [`SongNotice::CpuRestarted`].
    CpuRestarted,
    /// See [`SongNotice::GpuStopped`].
    GpuStopped,
    /// See [`SongNotice::GpuNotReady`].
    GpuNotReady,
    /// See [`SongNotice::GpuUnusable`].
    GpuUnusable,
    /// The drop or the clipboard holds no file.
    NoFile,
    /// A folder contains no song.
    NoSongs,
    /// This many files of a folder are not songs and were left out.
    LeftOut(u32),
    /// The drop or the clipboard holds the address of a file instead of the file.
    OnlyAddress,
    /// The browser cannot play the shown song.
    NotPlayed,
    /// The user or the browser refused the microphone.
    NoMicrophone,
    /// The browser does not process sound, as some do without an audio output.
    NoOutput,
    /// The shared tab has no sound, or sharing was refused.
    NoTabSound,
    /// The browser refused the clipboard or the download.
    NotKept,
    /// Something was copied to the clipboard.
    Copied,
    /// A segment could not be explained.
    NotExplained,
    /// The history cannot be read or written.
    NoHistory,
    /// A CUE sheet cannot hold so many sections.
    TooManyTracks,
}

impl From<SongNotice> for Notice {
    fn from(notice: SongNotice) -> Self {
        match notice {
            SongNotice::CpuRestarted => Self::CpuRestarted,
            SongNotice::GpuStopped => Self::GpuStopped,
            SongNotice::GpuNotReady => Self::GpuNotReady,
            SongNotice::GpuUnusable => Self::GpuUnusable,
        }
    }
}
