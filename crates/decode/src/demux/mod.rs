//! Demuxers: split files into streams and packets.

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

/// Largest supported number of channels; a larger number comes from a damaged header.
pub(crate) const MAX_CHANNELS: usize = 64;

/// The coding of a stream.
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
    /// Sample rate in Hz; 0 if only the coded data contain it.
    pub rate: u32,
    /// Number of channels; 0 if only the coded data contain it.
    pub channels: usize,
    /// Headers of the codec.
    pub extra: Vec<u8>,
    /// Number of frames of encoder delay to remove from the start.
    pub delay: u64,
    /// Maximum number of frames of padding at the end: as many frames are held back until the end is known.
    pub hold: usize,
    /// Number of frames in a full packet; only used for ADPCM.
    pub block_frames: u32,
    /// Whether this stream is another recording, not a change within one.
    pub joined: bool,
    /// Whether the coding is HE-AAC, of which only the core is decoded.
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

/// The coded data that the codec decodes in one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Packet {
    pub data: Vec<u8>,
    /// Number of frames of this packet, further ones are padding; 0 if unknown.
    pub frames: u32,
    /// Position of the end of this packet in frames, from any origin, if the container contains it.
    pub end: Option<u64>,
}

/// The part to remove from the end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Keep,
    /// This number of frames.
    Trim(u64),
    /// Everything after this number of frames, encoder delay included.
    After(u64),
    /// Everything after the last packet's `end`.
    AtEnd,
}

/// The next event of a demuxer.
pub(crate) enum Event {
    Stream(Stream),
    Packet(Packet),
    /// The regular end of a stream. Another may follow.
    StreamEnd(Tail),
    End,
}

pub(crate) trait Demuxer {
    /// The next event. An error is final.
    fn next(&mut self, notes: &mut Notes) -> Result<Event, DecodeError>;
}
