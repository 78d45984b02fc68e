//! Regions of a file without packets: PCM and ADPCM.

use super::{Coding, Packet, Stream};
use crate::source::Source;

/// Approximate size in bytes of a packet of PCM.
const PACKET: usize = 1 << 15;

/// A region of a file, divided into packets.
pub(crate) struct Region {
    /// File position of the first byte after the region.
    pub end: u64,
    /// Size in bytes of an indivisible unit: a frame of PCM, a block of ADPCM.
    pub unit: usize,
}

impl Region {
    /// The next packet at the position of the source; `None` at the end.
    pub(crate) fn next(&mut self, source: &mut Source, stream: &Stream) -> std::io::Result<Option<Packet>> {
        let left = usize::try_from(self.end.saturating_sub(source.position())).unwrap_or(usize::MAX);
        let unit = self.unit.max(1);
        let wanted = match stream.coding {
            Coding::Pcm(_) => (PACKET / unit).max(1) * unit,
            _ => unit,
        };
        let mut data = source.take(wanted.min(left))?;
        if data.is_empty() {
            return Ok(None);
        }
        let mut frames = 0;
        if !matches!(stream.coding, Coding::Pcm(_)) && data.len() < unit {
            frames = adpcm_frames(stream.coding, data.len(), stream.channels).min(stream.block_frames);
            if frames == 0 {
                return Ok(None);
            }
            data.resize(unit, 0);
        }
        Ok(Some(Packet { data, frames, end: None }))
    }
}

/// Number of frames in an ADPCM block of `bytes` bytes.
pub(crate) fn adpcm_frames(coding: Coding, bytes: usize, channels: usize) -> u32 {
    let channels = channels.max(1);
    let frames = match coding {
        Coding::AdpcmMs => match bytes.checked_sub(7 * channels) {
            Some(rest) => rest * 2 / channels + 2,
            None => 0,
        },
        Coding::AdpcmIma => match bytes.checked_sub(4 * channels) {
            // In stereo, the channels alternate in groups of eight samples.
            Some(rest) => rest / (4 * channels) * 8 + 1,
            None => 0,
        },
        Coding::AdpcmQuickTime => bytes / (34 * channels) * 64,
        _ => 0,
    };
    u32::try_from(frames).unwrap_or(0)
}
