//! Decodes audio files to samples.
//!
//! The first bytes of a file decide its format. Data sets contain files with a wrong extension, error
//! pages saved as `.mp3`, and truncated downloads; each gets its own error message. Samples have the
//! file's sample rate. [`cratedigger_dsp`] mixes and resamples, so that trainer and page do it alike.

use std::fmt;
use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatReader, TrackType, probe::Hint};
use symphonia::core::io::MediaSourceStream;

use super::au;

/// A decoded recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Samples of each channel. At least one channel, all of the same length, at least one sample. The
    /// nominal range is −1…1; float files can contain any value, including NaN.
    pub channels: Vec<Vec<f32>>,
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The operating system reports an error.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The content of the file cannot be decoded.
    #[error("{} {fault}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: Fault,
    },
}

/// Fault in the content of a file. The message continues a sentence that starts with the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file is empty.
    #[error("is empty (0 bytes): copy or download it again")]
    Empty,
    /// Not audio, or audio in an unsupported format, which the text names.
    #[error("is not audio in a supported format: {0}. Convert it to wav, au, mp3, flac or ogg (Vorbis)")]
    NotAudio(String),
    /// The file ends before the first sample.
    #[error("is truncated: {0}. Copy or download it again")]
    Truncated(String),
    /// The format is known, but the content is invalid.
    #[error("is damaged: {0}. Copy or download it again, or remove it")]
    Damaged(String),
    /// More than [`MAX_SAMPLES`] samples.
    #[error("is too long: more than {MAX_SAMPLES} samples over all channels. Cut it into parts")]
    TooLong,
}

/// Maximum number of samples over all channels: 4 GiB, three hours of stereo at 44.1 kHz. A malicious
/// file of a few kilobytes could decode to far more.
pub const MAX_SAMPLES: usize = 1 << 30;

/// Number of consecutive bad packets after which decoding stops.
const MAX_FAILURES_IN_A_ROW: usize = 256;

/// Reads a wav, au, mp3, flac or ogg (Vorbis) file.
///
/// Encoder delay and padding (LAME header of mp3, Vorbis) are removed. Single bad packets are skipped. A
/// truncated file gives the samples before its end.
///
/// # Errors
/// See [`AudioError`]. The message names the file and the remedy.
pub fn read(path: &Path) -> Result<Audio, AudioError> {
    let bytes = std::fs::read(path).map_err(|source| AudioError::Open { path: path.to_owned(), source })?;
    decode_named(bytes, path)
}

/// Decodes the content of a file that is already in memory.
///
/// # Errors
/// See [`AudioError`].
pub fn decode_named(bytes: Vec<u8>, path: &Path) -> Result<Audio, AudioError> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    decode(bytes, &extension).map_err(|fault| AudioError::Content { path: path.to_owned(), fault })
}

/// Decodes the content of a file. `extension` (lower case, without the dot) is used only if the content
/// does not identify the format, because an mp3 can begin with junk.
///
/// # Errors
/// See [`Fault`].
pub fn decode(bytes: Vec<u8>, extension: &str) -> Result<Audio, Fault> {
    let kind = Kind::of(&bytes, extension)?;
    match kind {
        Kind::Au => return au::decode(&bytes),
        _ if bytes.len() < kind.shortest() => {
            return Err(Fault::Truncated(format!("the header of {kind} ends after {} bytes", bytes.len())));
        }
        _ => {}
    }
    // A malicious header can make the decoder panic on an overflow. The reader owns all its state, so
    // no inconsistent state survives.
    catch_unwind(AssertUnwindSafe(|| decode_with_symphonia(bytes, kind)))
        .unwrap_or_else(|_| Err(Fault::Damaged(format!("it is not valid as {kind}"))))
}

/// Supported formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Wav,
    Au,
    Mp3,
    Flac,
    Ogg,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wav => "a WAV file",
            Self::Au => "an .au file",
            Self::Mp3 => "an MP3 file",
            Self::Flac => "a FLAC file",
            Self::Ogg => "an Ogg file",
        })
    }
}

/// Known unsupported formats: offset, bytes at that offset, name.
const OTHERS: [(usize, &[u8], &str); 25] = [
    (0, b"RF64", "an RF64 file (a WAV above 4 GB)"),
    (0, b"BW64", "a BW64 file (a WAV above 4 GB)"),
    (0, b"RIFX", "a big-endian WAV file"),
    (0, b"RIFF", "a RIFF file without audio (possibly AVI or WebP)"),
    (0, b"FORM", "an AIFF file"),
    (0, b"caff", "a Core Audio file"),
    (0, b"MAC ", "a Monkey's Audio file"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"MThd", "a MIDI file, which has notes and no audio"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"\x30\x26\xb2\x75", "a Windows Media file"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM file"),
    (4, b"ftyp", "an MP4 file (m4a, AAC)"),
    (0, b"\xff\xf1", "a raw AAC file"),
    (0, b"\xff\xf9", "a raw AAC file"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"%PDF", "a PDF file"),
    (0, b"PK\x03\x04", "a zip archive: unpack it first"),
    (0, b"\x1f\x8b", "a gzip archive: unpack it first"),
    (0, b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (0, b"<", "HTML or XML, possibly an error page in place of the download"),
    (0, b"{", "JSON, possibly an error message in place of the download"),
    (0, b"version https://git-lfs", "a Git LFS pointer: fetch the file itself with `git lfs pull`"),
    (0, b"NIST_1A", "a NIST SPHERE file"),
];

impl Kind {
    /// Detects the format from the first bytes.
    fn of(bytes: &[u8], extension: &str) -> Result<Self, Fault> {
        let has = |at: usize, magic: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(magic));
        if bytes.is_empty() {
            return Err(Fault::Empty);
        }
        if has(0, au::MAGIC) {
            return Ok(Self::Au);
        }
        // A RIFF file that is too short to name its content is most likely a WAV.
        if has(0, b"RIFF") && (has(8, b"WAVE") || bytes.len() < 12) {
            return Ok(Self::Wav);
        }
        if has(0, b"fLaC") {
            return Ok(Self::Flac);
        }
        if has(0, b"OggS") {
            return Ok(Self::Ogg);
        }
        // Tags before the audio: nearly always an MP3, and the decoder checks it.
        if has(0, b"ID3") || has(0, b"APETAGEX") {
            return Ok(Self::Mp3);
        }
        // Eleven sync bits, any version, layer III.
        if bytes[0] == 0xff && bytes.get(1).is_some_and(|byte| byte & 0xe6 == 0xe2) {
            return Ok(Self::Mp3);
        }
        if let Some((_, _, what)) = OTHERS.iter().find(|(at, magic, _)| has(*at, magic)) {
            return Err(Fault::NotAudio((*what).to_owned()));
        }
        if extension == "mp3" {
            return Ok(Self::Mp3); // with junk before the first frame
        }
        let what = if bytes.iter().all(|&byte| byte == 0) {
            "only zeros".to_owned()
        } else if bytes.iter().take(512).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
            "plain text".to_owned()
        } else {
            let begin: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("it begins with the bytes {}", begin.join(" "))
        };
        Err(Fault::NotAudio(what))
    }

    /// Size of a file without samples, in bytes.
    fn shortest(self) -> usize {
        match self {
            Self::Wav => 44,
            Self::Au => 24,
            Self::Mp3 => 24,
            Self::Flac => 42,
            Self::Ogg => 58,
        }
    }
}

/// Corrects the sizes in a WAV header to the actual number of bytes.
///
/// A recorder that loses power leaves 0, a program that writes to a pipe leaves 2³² − 1, and a truncated
/// download has a size beyond its end. The decoder would reject the file or lose its end.
fn mend_wav(bytes: &mut [u8]) {
    let total = bytes.len();
    let word = |bytes: &[u8], at: usize| {
        bytes
            .get(at..at + 4)
            .map(|four| four.iter().rev().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte)))
    };
    let put = |bytes: &mut [u8], at: usize, value: usize| {
        // u32::MAX means "unknown".
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        if let Some(four) = bytes.get_mut(at..at + 4) {
            four.copy_from_slice(&value.to_le_bytes());
        }
    };
    let unfinished = matches!(word(bytes, 4), Some(0 | u32::MAX));
    put(bytes, 4, total.saturating_sub(8));
    let mut at = 12;
    while let Some(size) = word(bytes, at + 4) {
        let (size, rest) = (size as usize, total - at - 8);
        if bytes[at..].starts_with(b"data") {
            if size > rest || (size == 0 && unfinished) {
                put(bytes, at + 4, rest);
            }
            return;
        }
        // Chunks begin at even offsets.
        let Some(next) = size.checked_next_multiple_of(2).and_then(|size| size.checked_add(at + 8)) else {
            return;
        };
        at = next;
    }
}

fn decode_with_symphonia(mut bytes: Vec<u8>, kind: Kind) -> Result<Audio, Fault> {
    if kind == Kind::Wav {
        mend_wav(&mut bytes);
    }
    let source = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Hint::new(), source, Default::default(), Default::default())
        .map_err(|error| fault(&error, kind))?;
    let (mut track, mut decoder) = open_track(format.as_ref(), kind)?;

    let mut audio: Option<Audio> = None;
    let mut scratch = Vec::new();
    let (mut good, mut bad, mut in_a_row) = (0_usize, 0_usize, 0_usize);
    let mut last: Option<Error> = None;
    while in_a_row < MAX_FAILURES_IN_A_ROW {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // The next stream of a chained Ogg file.
            Err(Error::ResetRequired) => match open_track(format.as_ref(), kind) {
                Ok(next) => {
                    (track, decoder) = next;
                    continue;
                }
                Err(_) => break,
            },
            Err(Error::DecodeError(what)) => {
                (bad, in_a_row) = (bad + 1, in_a_row + 1);
                last = Some(Error::DecodeError(what));
                continue;
            }
            Err(error) => {
                last = Some(error);
                break;
            }
        };
        if packet.track_id != track {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(buffer) => {
                (good, in_a_row) = (good + 1, 0);
                if !append(&mut audio, &buffer, &mut scratch)? {
                    break;
                }
            }
            Err(error @ (Error::DecodeError(_) | Error::IoError(_))) => {
                (bad, in_a_row) = (bad + 1, in_a_row + 1);
                last = Some(error);
            }
            Err(error) => {
                last = Some(error);
                break;
            }
        }
    }
    match audio {
        Some(_) if bad > good => {
            Err(Fault::Damaged(format!("{bad} of {} packets of {kind} cannot be decoded", good + bad)))
        }
        Some(audio) if !audio.channels.is_empty() && !audio.channels[0].is_empty() => Ok(audio),
        _ => Err(match last {
            Some(error) => fault(&error, kind),
            None => Fault::Truncated(format!("{kind} without a single sample")),
        }),
    }
}

/// The audio track and its decoder.
fn open_track(format: &dyn FormatReader, kind: Kind) -> Result<(u32, Box<dyn AudioDecoder>), Fault> {
    let track = format
        .default_track(TrackType::Audio)
        .ok_or_else(|| Fault::NotAudio(format!("{kind} without an audio track")))?;
    let params = track
        .codec_params
        .as_ref()
        .and_then(|params| params.audio())
        .ok_or_else(|| Fault::NotAudio(format!("{kind} without an audio track")))?;
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(|_| Fault::NotAudio(format!("{kind} with an unsupported codec (possibly Opus or Speex)")))?;
    Ok((track.id, decoder))
}

/// Appends a decoded packet. False if its sample rate or channels differ from the packets before, so that
/// the recording ends here.
fn append(
    audio: &mut Option<Audio>,
    buffer: &GenericAudioBufferRef<'_>,
    scratch: &mut Vec<Vec<f32>>,
) -> Result<bool, Fault> {
    let (rate, planes) = (buffer.spec().rate(), buffer.num_planes());
    if rate == 0 || planes == 0 {
        return Err(Fault::Damaged(format!("it has the sample rate {rate} and {planes} channels")));
    }
    let audio = audio.get_or_insert_with(|| Audio { sample_rate: rate, channels: vec![Vec::new(); planes] });
    if audio.sample_rate != rate || audio.channels.len() != planes {
        return Ok(false);
    }
    let length = audio.channels[0].len() + buffer.frames();
    if length.saturating_mul(planes) > MAX_SAMPLES {
        return Err(Fault::TooLong);
    }
    buffer.copy_to_vecs_planar(scratch);
    for (channel, new) in audio.channels.iter_mut().zip(scratch.iter()) {
        channel.extend_from_slice(new);
    }
    Ok(true)
}

/// The fault for a decoder's error.
fn fault(error: &Error, kind: Kind) -> Fault {
    match error {
        Error::IoError(io) if io.kind() == ErrorKind::UnexpectedEof => {
            Fault::Truncated(format!("{kind} that ends before its first sample"))
        }
        Error::Unsupported(what) => Fault::NotAudio(format!("{kind} with an unsupported feature ({what})")),
        Error::LimitError(what) => Fault::Damaged(format!("{kind} exceeds a limit ({what})")),
        other => Fault::Damaged(format!("it is not valid as {kind} ({other})")),
    }
}
