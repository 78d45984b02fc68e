//! Everything that can go wrong, as types without sentences: the host words them in its own language.

use cratedigger_protocol::FailureKind;

/// Largest file that is decoded, in megabytes. The browser holds a decoded song as 32-bit floats:
/// a compressed file of this size already fills gigabytes.
pub const LARGEST_MEGABYTES: u32 = 300;

/// Why a song has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The file has 0 bytes.
    Empty,
    /// The file is larger than [`LARGEST_MEGABYTES`].
    TooLarge {
        /// Its size.
        megabytes: u32,
    },
    /// The browser could not read the file's bytes.
    Unreadable,
    /// The browser's decoder refused the file.
    NotAudio,
    /// See [`FailureKind::TooShort`].
    TooShort,
    /// See [`FailureKind::Silent`].
    Silent,
    /// See [`FailureKind::BadSamples`].
    BadSamples,
    /// See [`FailureKind::Models`].
    Models,
    /// Every device that could analyse the song has failed.
    Device,
    /// Client and worker speak different versions of the protocol; usually a stale cached file.
    Mismatch,
}

impl From<FailureKind> for Trouble {
    fn from(kind: FailureKind) -> Self {
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

/// A remark about a song that is still analysed, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SongNotice {
    /// The CPU worker crashed during this song; a new worker analyses it again.
    CpuRestarted,
    /// The GPU worker failed during this song; the CPU analyses it again.
    GpuStopped,
    /// The GPU was chosen and is not ready yet; the CPU analyses the song.
    GpuNotReady,
    /// The GPU was chosen and does not work; the CPU analyses the song.
    GpuUnusable,
}

/// Why a device is out of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The browser has no WebGPU.
    NoApi,
    /// The browser has WebGPU but found no adapter.
    NoAdapter,
    /// The adapter lacks a feature or a limit that the networks need.
    Lacking,
    /// The device's logits differ from the golden ones.
    Mismatch,
    /// The networks could not be loaded.
    Models,
    /// Client and worker speak different versions of the protocol.
    Protocol,
    /// The worker stopped.
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
