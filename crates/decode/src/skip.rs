//! Lengths of packets without decoding them, to pass over sound.

use crate::codec::OPUS_RATE;
use crate::demux::{Coding, Packet, Stream, flac, mpeg};

/// Seconds that are decoded and thrown away before the sound that is wanted: a codec's frames refer to
/// earlier ones.
pub(crate) const WARM_UP: f64 = 1.0;

/// Frames of a packet and their rate in Hz; `None` where only the codec can tell.
pub(crate) fn length(stream: &Stream, packet: &Packet) -> Option<(u64, u32)> {
    let data = packet.data.as_slice();
    let (frames, rate) = match stream.coding {
        Coding::Pcm(format) => ((data.len() / format.frame(stream.channels)) as u64, stream.rate),
        Coding::AdpcmMs | Coding::AdpcmIma | Coding::AdpcmQuickTime => {
            (u64::from(stream.block_frames), stream.rate)
        }
        Coding::Mpeg(_) => mpeg::length(data)?,
        Coding::Aac => (1024, stream.rate),
        Coding::Alac => {
            let config: [u8; 4] = stream.extra.get(..4)?.try_into().ok()?;
            (u64::from(u32::from_be_bytes(config)), stream.rate)
        }
        Coding::Flac => (flac::length(data)?, stream.rate),
        Coding::Opus => (opus(data)?, OPUS_RATE),
        Coding::Vorbis => return None,
    };
    let frames = if packet.frames > 0 { frames.min(u64::from(packet.frames)) } else { frames };
    // Anything else is damage, which the codec handles.
    (frames > 0 && frames <= 1 << 16 && rate > 0).then_some((frames, rate))
}

/// Frames at 48 kHz of an Opus packet, by its first bytes: RFC 6716, section 3.1.
fn opus(data: &[u8]) -> Option<u64> {
    let toc = *data.first()?;
    let config = toc >> 3;
    let frame: u64 = match config {
        0..=11 => [480, 960, 1920, 2880].get(usize::from(config % 4)).copied()?,
        12..=15 => [480, 960].get(usize::from(config % 2)).copied()?,
        _ => [120, 240, 480, 960].get(usize::from(config % 4)).copied()?,
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(*data.get(1)? & 0x3f),
    };
    Some(frame * count)
}
