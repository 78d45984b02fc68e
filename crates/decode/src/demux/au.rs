//! Sun/NeXT `.au` files, the original format of GTZAN.
//!
//! A file has a header of six big-endian words (magic, offset of the data, size of the data, encoding,
//! sample rate, channels), a comment, and interleaved big-endian samples.

use super::raw::Region;
use super::{Coding, Demuxer, Event, MAX_CHANNELS, Stream};
use crate::codec::pcm::{PcmFormat, PcmKind};
use crate::source::Source;
use crate::{DecodeError, Note, Notes, bytes};

/// First bytes of the format.
pub(crate) const MAGIC: &[u8; 4] = b".snd";
/// Length of the header in bytes, without the comment.
const HEADER: u64 = 24;

struct Au {
    source: Source,
    stream: Stream,
    region: Region,
    started: bool,
}

/// Opens a file that begins with [`MAGIC`].
pub(crate) fn open(mut source: Source, notes: &mut Notes) -> Result<Box<dyn Demuxer>, DecodeError> {
    let header = source.peek(HEADER as usize)?.to_vec();
    if (header.len() as u64) < HEADER {
        return Err(DecodeError::no_sound(format!(
            "an .au file that ends in its header, after {} bytes",
            header.len()
        )));
    }
    let (offset, size) = (u64::from(bytes::u32_be(&header, 4)), bytes::u32_be(&header, 8));
    let (encoding, rate, channels) =
        (bytes::u32_be(&header, 12), bytes::u32_be(&header, 16), bytes::u32_be(&header, 20));
    let (kind, width) = match encoding {
        1 => (PcmKind::MuLaw, 1),
        2 => (PcmKind::Signed, 1),
        3 => (PcmKind::Signed, 2),
        4 => (PcmKind::Signed, 3),
        5 => (PcmKind::Signed, 4),
        6 => (PcmKind::Float, 4),
        7 => (PcmKind::Float, 8),
        27 => (PcmKind::ALaw, 1),
        23..=26 => return Err(DecodeError::unsupported("an .au file with ADPCM in it")),
        other => return Err(DecodeError::unsupported(format!("an .au file in encoding {other}"))),
    };
    if rate == 0 {
        return Err(DecodeError::damaged("its header says a sample rate of 0 Hz"));
    }
    let count = channels as usize;
    if count == 0 || count > MAX_CHANNELS {
        return Err(DecodeError::damaged(format!("its header says {channels} channels")));
    }
    let length = source.length();
    let start = if (HEADER..=length).contains(&offset) {
        offset
    } else {
        notes.add(Note::Header("has a start of the sound that is outside the file"));
        HEADER
    };
    let format = PcmFormat::new(kind, width, true);
    let unit = format.frame(count);
    let there = length.saturating_sub(start);
    if size == u32::MAX {
        // The standard's value for "unknown".
    } else if u64::from(size) > there {
        notes.add(Note::Truncated { container: "The .au file" });
    } else if u64::from(size) + (unit as u64) <= there {
        let seconds = |bytes: u64| bytes as f64 / (unit as f64 * f64::from(rate));
        notes.add(Note::WrongClaim {
            field: "header",
            claimed: seconds(u64::from(size)),
            found: seconds(there),
        });
    }
    source.seek(start)?;
    let stream = Stream::new(Coding::Pcm(format), rate, count);
    Ok(Box::new(Au { source, stream, region: Region { end: length, unit }, started: false }))
}

impl Demuxer for Au {
    fn next(&mut self, _notes: &mut Notes) -> Result<Event, DecodeError> {
        if !self.started {
            self.started = true;
            return Ok(Event::Stream(self.stream.clone()));
        }
        Ok(self.region.next(&mut self.source, &self.stream)?.map_or(Event::End, Event::Packet))
    }
}
