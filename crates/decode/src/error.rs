//! Errors of decoding.

/// Why a file cannot be decoded. Each message continues a sentence that begins with the file's name, and
/// says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Reading the source failed.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The file has 0 bytes.
    #[error("is empty (0 bytes): copy or download it again")]
    Empty,
    /// The content is not audio; the text names it.
    #[error("is not a sound file: it is {0}")]
    NotAudio(String),
    /// The format or coding is not supported; the text names it.
    #[error(
        "cannot be decoded: it is {0}. Convert it to WAV, FLAC, MP3, AAC (M4A), Ogg Vorbis, Opus or AIFF"
    )]
    Unsupported(String),
    /// The file is copy-protected.
    #[error(
        "is copy-protected ({0}) and can be played only by the shop's own player: use a copy without protection"
    )]
    Protected(String),
    /// The format is known, but the file contains no sample.
    #[error("holds no sound: {0}. Copy or download it again")]
    NoSound(String),
    /// The format is known, but the content is invalid.
    #[error("is damaged: {0}. Copy or download it again, or leave it out")]
    Damaged(String),
    /// The sample rate cannot be converted.
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
