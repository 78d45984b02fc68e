//! Demuxers: bytes in, streams and packets out.

pub(crate) mod aiff;
pub(crate) mod au;
pub(crate) mod caf;
pub(crate) mod flac;
pub(crate) mod mkv;
pub(crate) mod mp4;
pub(crate) mod mp4_track;
pub(crate) mod mpeg;
pub(crate) mod ogg;
pub(crate) mod raw;
pub(crate) mod wav;

use crate::codec::pcm::PcmFormat;
use crate::{DecodeError, Notes};

/// Most channels that are read; a larger number is a broken header.
pub(crate) const MAX_CHANNELS: usize = 64;

/// How a stream is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Pcm(PcmFormat),
    AdpcmMs,
    AdpcmIma,
    AdpcmQuickTime,
    /// MPEG audio of layer 1, 2 or 3.
    Mpeg(u8),
    Aac,
    Alac,
    Flac,
    Vorbis,
    Opus,
}

/// The properties of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stream {
    pub coding: Coding,
    /// Hz; 0 where only the coded data says it.
    pub rate: u32,
    /// 0 where only the coded data says it.
    pub channels: usize,
    /// Headers of the codec.
    pub extra: Vec<u8>,
    /// Frames of encoder delay to cut off the start.
    pub delay: u64,
    /// Frames that may have to be cut off the end: held back until the end is known.
    pub hold: usize,
    /// Frames in a full packet; only ADPCM needs it.
    pub block_frames: u32,
    /// True where this stream is another recording, not a change within one.
    pub joined: bool,
    /// True where only the core of HE-AAC will be decoded.
    pub low_band: bool,
}

impl Stream {
    pub(crate) fn new(coding: Coding, rate: u32, channels: usize) -> Self {
        Self {
            coding,
            rate,
            channels,
            extra: Vec::new(),
            delay: 0,
            hold: 0,
            block_frames: 0,
            joined: false,
            low_band: false,
        }
    }
}

/// Coded data that the codec takes at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Packet {
    pub data: Vec<u8>,
    /// Frames that this packet stands for, the rest is padding; 0 where unknown.
    pub frames: u32,
    /// Position of the end of this packet in frames since some origin, where the container says it.
    pub end: Option<u64>,
}

/// What to cut off the end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Keep,
    /// That many frames.
    Trim(u64),
    /// What comes after that many frames, the encoder delay among them.
    After(u64),
    /// What comes after the last packet's `end`.
    AtEnd,
}

/// What a demuxer gives next.
pub(crate) enum Event {
    Stream(Stream),
    Packet(Packet),
    /// Where the stream ends in an orderly way. Another may follow.
    StreamEnd(Tail),
    End,
}

pub(crate) trait Demuxer {
    /// The next event. An error is final.
    fn next(&mut self, notes: &mut Notes) -> Result<Event, DecodeError>;
}
