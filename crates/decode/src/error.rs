//! Why a file gives no sound.

/// Why a file gives no sound. Each message reads on after the file's name and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The source refused to be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// 0 bytes.
    #[error("is empty (0 bytes): copy or download it again")]
    Empty,
    /// Content that is not sound, by its name.
    #[error("is not a sound file: it is {0}")]
    NotAudio(String),
    /// Sound in a format or coding that is not read, by its name.
    #[error(
        "cannot be decoded: it is {0}. Convert it to WAV, FLAC, MP3, AAC (M4A), Ogg Vorbis, Opus or AIFF"
    )]
    Unsupported(String),
    /// Sound under copy protection.
    #[error(
        "is copy-protected ({0}) and can be played only by the shop's own player: use a copy without protection"
    )]
    Protected(String),
    /// A known format that holds no sample.
    #[error("holds no sound: {0}. Copy or download it again")]
    NoSound(String),
    /// A known format whose content makes no sense.
    #[error("is damaged: {0}. Copy or download it again, or leave it out")]
    Damaged(String),
    /// A sample rate that nothing converts to or from.
    #[error("cannot be resampled: {0}")]
    Resample(#[from] cratedigger_dsp::DspError),
}

impl DecodeError {
    pub(crate) fn no_sound(what: impl Into<String>) -> Self {
        Self::NoSound(what.into())
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }
}
