//! Decodes audio files to blocks of samples, in constant memory.
//!
//! The codecs are those of [Symphonia] and [opus_pure]. The demuxers are this crate's own, because of one
//! rule: **the data counts, not the header.** A wrong size, count or duration in a header never truncates
//! existing sound and never makes a file unreadable. [`Decoder::notes`] reports every such case.
//!
//! | stage | item |
//! |---|---|
//! | any file → blocks of `f32` channels at the file's own rate | [`Decoder`] |
//! | blocks → mono, also if the channels cancel each other | [`Mixer`] |
//! | file → mono at one or several rates | [`MonoReader`] |
//! | names of files: sound, sound that is not read, no one's songs | [`is_sound_name`], [`unread_format`], [`is_clutter`] |
//!
//! # Formats
//!
//! | container | coding |
//! |---|---|
//! | WAV, RF64, BW64, RIFX | PCM of 8 to 64 bits (24 in 32 included), float 32 and 64, A-law, µ-law, MS and IMA ADPCM, MPEG audio |
//! | AIFF, AIFC | PCM in both byte orders, float 32 and 64, A-law, µ-law, IMA4 |
//! | AU | PCM, float 32 and 64, A-law, µ-law |
//! | CAF | as AIFC, ALAC, AAC, Opus |
//! | MPEG audio | MP1, MP2, MP3 |
//! | ADTS | AAC-LC; only the lower half of the spectrum of HE-AAC |
//! | FLAC, FLAC in Ogg | FLAC |
//! | Ogg | Vorbis, Opus, FLAC; chained streams |
//! | MP4, M4A, MOV, fragmented MP4 | AAC, ALAC, FLAC, Opus, MP3, PCM |
//! | Matroska, WebM | Opus, Vorbis, AAC, FLAC, ALAC, MPEG audio, PCM |
//!
//! The first audio track of a video file is decoded.
//!
//! # Example
//!
//! ```no_run
//! use cratedigger_decode::{Decoder, MonoReader};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = std::fs::File::open("song.mp3")?;
//! let mut reader = MonoReader::new(Decoder::open(file, Some("mp3"))?, &[22_050])?;
//! let mut mono = vec![Vec::new()];
//! while reader.read(&mut mono)? {
//!     // use mono[0] and clear it
//! }
//! for note in reader.notes() {
//!     println!("{note}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [Symphonia]: https://github.com/pdeljanov/Symphonia
#![forbid(unsafe_code)]

mod bytes;
mod codec;
mod decoder;
mod demux;
mod error;
mod mono;
mod names;
mod note;
mod skip;
mod sniff;
mod source;

pub use cratedigger_dsp::Mixer;
pub use decoder::{Block, Decoder};
pub use error::DecodeError;
pub use mono::MonoReader;
pub use names::{EXTENSIONS, SYSTEM_FOLDERS, is_clutter, is_sound_name, unread_format};
pub use note::{Note, Notes};
pub use source::ReadSeek;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
