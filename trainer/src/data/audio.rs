//! Opens audio files, pipes and standard input, and reads them as mono.
//!
//! Decoding is [`cratedigger_decode`]'s, mixing and resampling [`cratedigger_dsp`]'s, so that trainer and
//! page do it alike. The content decides the format: data sets contain files with a wrong extension, error
//! pages saved as `.mp3`, and truncated downloads.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use cratedigger_decode::{Block, DecodeError, Decoder, MonoReader, Note};
use cratedigger_zoo::Signals;

/// The path that stands for standard input.
pub const STDIN: &str = "-";

/// Bytes of a pipe that are kept in memory. What is longer is kept in a temporary file.
const IN_MEMORY: usize = 32 << 20;

/// Why a file could not be read. The message begins with the file's name.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The operating system reports an error.
    #[error("{} cannot be opened: {cause}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        cause: io::Error,
    },
    /// A pipe cannot be kept for reading, for example because the disk is full.
    #[error("{} is a pipe and cannot be kept in a temporary file: {cause}. Set TMPDIR to a folder with more space", path.display())]
    Keep {
        /// The pipe.
        path: PathBuf,
        /// The operating system's error.
        cause: io::Error,
    },
    /// The content of the file cannot be decoded.
    #[error("{} {fault}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: DecodeError,
    },
}

impl AudioError {
    fn content(path: &Path, fault: DecodeError) -> Self {
        Self::Content { path: path.to_owned(), fault }
    }
}

/// Whether a path is a stream that can be read only once: standard input (`-`), a pipe, a FIFO, a device.
pub fn is_stream(path: &Path) -> bool {
    path == Path::new(STDIN) || path.metadata().is_ok_and(|data| !data.is_file() && !data.is_dir())
}

/// The extension of a path, a hint where the content does not say what it is.
fn hint(path: &Path) -> Option<&str> {
    path.extension().and_then(|extension| extension.to_str())
}

/// Opens a file, a pipe or, for `-`, standard input.
///
/// # Errors
/// See [`AudioError`].
pub fn open(path: &Path) -> Result<Decoder, AudioError> {
    let failed = |cause| AudioError::Open { path: path.to_owned(), cause };
    if path == Path::new(STDIN) {
        return open_stream(io::stdin().lock(), path);
    }
    let file = File::open(path).map_err(failed)?;
    let kind = file.metadata().map_err(failed)?;
    if kind.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if !kind.is_file() {
        return open_stream(file, path);
    }
    Decoder::open(file, hint(path)).map_err(|fault| AudioError::content(path, fault))
}

/// A stream cannot seek, so it is kept: the index of an MP4 file can stand at its end.
fn open_stream(mut stream: impl Read, path: &Path) -> Result<Decoder, AudioError> {
    let mut kept = tempfile::SpooledTempFile::new(IN_MEMORY);
    io::copy(&mut stream, &mut kept)
        .and_then(|_| kept.seek(SeekFrom::Start(0)))
        .map_err(|cause| AudioError::Keep { path: path.to_owned(), cause })?;
    Decoder::open(kept, hint(path)).map_err(|fault| AudioError::content(path, fault))
}

/// Opens the content of a file that is already in memory; errors name `path`.
///
/// # Errors
/// See [`AudioError`].
pub fn open_bytes(bytes: Vec<u8>, path: &Path) -> Result<Decoder, AudioError> {
    Decoder::open(Cursor::new(bytes), hint(path)).map_err(|fault| AudioError::content(path, fault))
}

/// Reads a file as mono, block by block, in constant memory.
pub struct Reader {
    reader: MonoReader,
    path: PathBuf,
    rates: Vec<u32>,
    blocks: Vec<Vec<f32>>,
}

impl Reader {
    /// A reader of an opened file at some sample rates in Hz. Errors name `path`.
    ///
    /// # Errors
    /// A rate that nothing is resampled to.
    pub fn new(decoder: Decoder, path: &Path, rates: &[u32]) -> Result<Self, AudioError> {
        let reader = decoder.into_mono(rates).map_err(|fault| AudioError::content(path, fault))?;
        Ok(Self {
            reader,
            path: path.to_owned(),
            rates: rates.to_vec(),
            blocks: vec![Vec::new(); rates.len()],
        })
    }

    /// Appends the next samples to `signals`, at each rate, and passes the channels they come from to `each`.
    /// False after the end.
    ///
    /// # Errors
    /// The file cannot be read, holds no sound, or has a sample rate that nothing is resampled from.
    pub fn read_with(
        &mut self,
        signals: &mut Signals,
        each: impl FnOnce(&Block),
    ) -> Result<bool, AudioError> {
        let more = self
            .reader
            .read_with(&mut self.blocks, each)
            .map_err(|fault| AudioError::content(&self.path, fault))?;
        for (rate, block) in self.rates.iter().zip(&mut self.blocks) {
            if let Some(signal) = signals.at_mut(*rate) {
                signal.extend_from_slice(block);
            }
            block.clear();
        }
        Ok(more)
    }

    /// [`Reader::read_with`] without the channels.
    ///
    /// # Errors
    /// As [`Reader::read_with`].
    pub fn read(&mut self, signals: &mut Signals) -> Result<bool, AudioError> {
        self.read_with(signals, |_| ())
    }

    /// Length in seconds of what was read.
    pub fn seconds(&self) -> f64 {
        self.reader.decoder().seconds()
    }

    /// What was left out or mended; complete after the end.
    pub fn notes(&self) -> &[Note] {
        self.reader.notes()
    }
}

/// A whole file as mono.
#[derive(Clone, Debug)]
pub struct Mono {
    /// The samples at each of the wanted rates.
    pub signals: Signals,
    /// Length in seconds.
    pub seconds: f64,
    /// What was left out or mended.
    pub notes: Vec<Note>,
}

/// Reads an opened file as a whole at some sample rates in Hz. Errors name `path`.
///
/// # Errors
/// As [`Reader::read_with`].
pub fn read(decoder: Decoder, path: &Path, rates: &[u32]) -> Result<Mono, AudioError> {
    let mut reader = Reader::new(decoder, path, rates)?;
    let mut signals = Signals::empty(rates);
    while reader.read(&mut signals)? {}
    Ok(Mono { signals, seconds: reader.seconds(), notes: reader.notes().to_vec() })
}
