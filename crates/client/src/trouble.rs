//! Everything that can go wrong, as types without sentences: the host words them in its own language.

use cratedigger_protocol::FailureKind;
use cratedigger_protocol::decode::Problem;

/// Why a song has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The file has 0 bytes.
    Empty,
    /// The browser could not read the file's bytes.
    Unreadable,
    /// The browser refused the file, and the page's own decoder could not be loaded.
    NotAudio,
    /// The file is longer than the browser can decode at once, and the page's own decoder could not be loaded.
    TooLong,
    /// The file is no sound file; the detail names it.
    OtherFile,
    /// The file is in a format that is not read; the detail names it.
    Unsupported,
    /// The file is copy-protected.
    Protected,
    /// The file is in a known format but holds no sound.
    NoSound,
    /// The file's content makes no sense.
    Damaged,
    /// The page's own decoder stopped.
    Decoder,
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

impl Trouble {
    /// Stable id, for programs.
    pub fn id(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Unreadable => "unreadable",
            Self::NotAudio => "not-audio",
            Self::TooLong => "too-long",
            Self::OtherFile => "other-file",
            Self::Unsupported => "unsupported",
            Self::Protected => "protected",
            Self::NoSound => "no-sound",
            Self::Damaged => "damaged",
            Self::Decoder => "decoder",
            Self::TooShort => "too-short",
            Self::Silent => "silent",
            Self::BadSamples => "bad-samples",
            Self::Models => "models",
            Self::Device => "device",
            Self::Mismatch => "mismatch",
        }
    }
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

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Unreadable => Self::Unreadable,
            Problem::Empty => Self::Empty,
            Problem::NotAudio => Self::OtherFile,
            Problem::Unsupported => Self::Unsupported,
            Problem::Protected => Self::Protected,
            Problem::NoSound => Self::NoSound,
            Problem::Damaged => Self::Damaged,
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

impl SongNotice {
    /// Stable id, for programs.
    pub fn id(self) -> &'static str {
        match self {
            Self::CpuRestarted => "cpu-restarted",
            Self::GpuStopped => "gpu-stopped",
            Self::GpuNotReady => "gpu-not-ready",
            Self::GpuUnusable => "gpu-unusable",
        }
    }
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

impl Reason {
    /// Stable id, for programs.
    pub fn id(self) -> &'static str {
        match self {
            Self::NoApi => "no-api",
            Self::NoAdapter => "no-adapter",
            Self::Lacking => "lacking",
            Self::Mismatch => "mismatch",
            Self::Models => "models",
            Self::Protocol => "protocol",
            Self::Stopped => "stopped",
        }
    }
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
