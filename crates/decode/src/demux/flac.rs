//! Native FLAC.
//!
//! The frames contain everything that is needed to decode them, with checksums. The header of the file is
//! used only if a frame refers to it.

use std::collections::VecDeque;

use super::{Coding, Demuxer, Event, Packet, Stream};
use crate::source::Source;
use crate::{DecodeError, Note, Notes, bytes};

/// Maximum size of a frame in bytes: 8 channels of 65535 samples of 32 bits have 2 MB.
const MAX_FRAME: usize = 1 << 21;

/// Number of candidates for the start of the next frame, after which a frame without a correct checksum
/// counts as damaged.
const MAX_STARTS: usize = 4;

/// The fields of the STREAMINFO block that are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Info {
    rate: u32,
    channels: usize,
    bits: u8,
    total: u64,
}

impl Info {
    pub(crate) fn parse(block: &[u8]) -> Self {
        let packed = bytes::u64_be(block, 10);
        Self {
            rate: (packed >> 44) as u32,
            channels: (packed >> 41 & 7) as usize + 1,
            bits: (packed >> 36 & 31) as u8 + 1,
            total: packed & 0xf_ffff_ffff,
        }
    }

    /// A stream with these properties. The STREAMINFO block is written again, with limits that no frame
    /// exceeds.
    pub(crate) fn stream(&self) -> Stream {
        let mut stream = Stream::new(Coding::Flac, self.rate, self.channels);
        let mut block = vec![0; 34];
        let packed = u64::from(self.rate) << 44
            | (self.channels.max(1) as u64 - 1) << 41
            | u64::from(self.bits.max(4) - 1) << 36;
        for (to, from) in block.iter_mut().zip([0, 16, 0xff, 0xff]) {
            *to = from;
        }
        for (to, from) in block.iter_mut().skip(10).zip(packed.to_be_bytes()) {
            *to = from;
        }
        stream.extra = block;
        stream
    }
}

/// The fields of a frame's header; `None` if the value is that of STREAMINFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    rate: Option<u32>,
    channels: usize,
    bits: Option<u8>,
    samples: u32,
}

/// Parses a frame's header and verifies its checksum.
fn parse(start: &[u8]) -> Option<Head> {
    let [a, b, c, d] = bytes::at(start, 0);
    if a != 0xff || b & 0xfe != 0xf8 || d & 1 != 0 {
        return None;
    }
    let (block, rate) = (c >> 4, c & 15);
    let (assignment, bits) = (d >> 4, d >> 1 & 7);
    if block == 0 || rate == 15 || assignment > 10 || bits == 3 {
        return None;
    }
    // The number of the frame or sample, in the coding of UTF-8.
    let mut at = 4;
    let lead = *start.get(at)?;
    at += match lead.leading_ones() {
        0 => 1,
        ones @ 2..=7 => ones as usize,
        _ => return None,
    };
    let samples = match block {
        1 => 192,
        2..=5 => 576 << (block - 2),
        6 => u32::from(*start.get(at)?) + 1,
        7 => u32::from(bytes::u16_be(start.get(at..at + 2)?, 0)) + 1,
        _ => 256 << (block - 8),
    };
    at += match block {
        6 => 1,
        7 => 2,
        _ => 0,
    };
    let rate_value = match rate {
        0 => None,
        1 => Some(88_200),
        2 => Some(176_400),
        3 => Some(192_000),
        4 => Some(8_000),
        5 => Some(16_000),
        6 => Some(22_050),
        7 => Some(24_000),
        8 => Some(32_000),
        9 => Some(44_100),
        10 => Some(48_000),
        11 => Some(96_000),
        12 => Some(u32::from(*start.get(at)?) * 1000),
        13 => Some(u32::from(bytes::u16_be(start.get(at..at + 2)?, 0))),
        _ => Some(u32::from(bytes::u16_be(start.get(at..at + 2)?, 0)) * 10),
    };
    at += match rate {
        12 => 1,
        13 | 14 => 2,
        _ => 0,
    };
    let header = start.get(..at)?;
    if crc8(header) != *start.get(at)? || rate_value == Some(0) {
        return None;
    }
    Some(Head {
        rate: rate_value,
        channels: if assignment < 8 { usize::from(assignment) + 1 } else { 2 },
        bits: [None, Some(8), Some(12), None, Some(16), Some(20), Some(24), Some(32)]
            .get(usize::from(bits))
            .copied()?,
        samples,
    })
}

fn crc8(data: &[u8]) -> u8 {
    data.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| if crc & 0x80 != 0 { crc << 1 ^ 0x07 } else { crc << 1 })
    })
}

const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { crc << 1 ^ 0x8005 } else { crc << 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

struct Flac {
    source: Source,
    info: Info,
    /// Properties of the current stream.
    current: Option<Info>,
    decoded: u64,
    parts: usize,
    pending: VecDeque<Event>,
    ended: bool,
}

/// Opens a file that begins with "fLaC".
pub(crate) fn open(source: Source, _notes: &mut Notes) -> Result<Box<dyn Demuxer>, DecodeError> {
    let mut this = Flac {
        source,
        info: Info::default(),
        current: None,
        decoded: 0,
        parts: 0,
        pending: VecDeque::new(),
        ended: false,
    };
    this.metadata()?;
    Ok(Box::new(this))
}

/// The content at a position of the window.
enum Found {
    /// A frame with this number of bytes; false if its checksum is wrong or cannot be verified.
    Frame(Head, usize, bool),
    /// No frame within this number of bytes.
    Nothing(usize),
}

impl Flac {
    /// Reads "fLaC" and the following metadata blocks.
    fn metadata(&mut self) -> std::io::Result<()> {
        self.source.skip(4)?;
        self.parts += 1;
        loop {
            let block = self.source.peek(4 + 34)?;
            if block.len() < 4 || block.first() == Some(&0xff) {
                return Ok(());
            }
            let [kind] = bytes::at(block, 0);
            let size = bytes::u24_be(block, 1);
            if kind & 0x7f == 0 {
                self.info = Info::parse(block.get(4..).unwrap_or_default());
            }
            if u64::from(size) + 4 > self.source.left() {
                // The length is wrong, so the frames are searched.
                return self.source.skip(if kind & 0x7f == 0 { 4 + 34 } else { 4 });
            }
            self.source.skip(4 + u64::from(size))?;
            if kind & 0x80 != 0 {
                return Ok(());
            }
        }
    }

    /// Looks for a frame at the position. It ends at the start of the next frame at which its checksum is
    /// correct.
    fn look(&mut self) -> std::io::Result<Found> {
        let mut size = 1 << 16;
        let first = self.source.peek(32)?;
        let Some(head) = parse(first) else {
            let window = self.source.peek(size)?;
            let next = window.iter().skip(1).position(|byte| *byte == 0xff || *byte == b'f' || *byte == b'I');
            return Ok(Found::Nothing(next.map_or(window.len(), |at| at + 1)));
        };
        let (mut crc, mut summed, mut from) = (0_u16, 0, 6);
        // The first candidate for the start of the next frame, used if no checksum is correct.
        let mut fallback = None;
        let mut starts = 0;
        loop {
            let window = self.source.peek(size)?;
            let ended = window.len() < size;
            while let Some(at) = next_start(window, from, ended) {
                for byte in window.get(summed..at).unwrap_or_default() {
                    crc =
                        crc << 8 ^ CRC16.get(usize::from(crc >> 8 ^ u16::from(*byte))).copied().unwrap_or(0);
                }
                (summed, from) = (at, at + 1);
                // The CRC over a frame that includes its own checksum is 0.
                if crc == 0 {
                    return Ok(Found::Frame(head, at, true));
                }
                fallback = fallback.or(Some(at));
                starts += 1;
                // An undamaged frame nearly always ends at the first candidate.
                if starts >= MAX_STARTS {
                    return Ok(Found::Frame(head, fallback.unwrap_or(at), false));
                }
            }
            if ended {
                for byte in window.get(summed..).unwrap_or_default() {
                    crc =
                        crc << 8 ^ CRC16.get(usize::from(crc >> 8 ^ u16::from(*byte))).copied().unwrap_or(0);
                }
                if crc == 0 {
                    return Ok(Found::Frame(head, window.len(), true));
                }
            }
            if ended || size >= MAX_FRAME {
                // Tags may follow the last frame; the decoder ignores them.
                let end = fallback.unwrap_or(window.len());
                return Ok(Found::Frame(head, end, ended && fallback.is_none()));
            }
            from = from.max(size.saturating_sub(32));
            size *= 2;
        }
    }

    fn frame(&mut self, head: Head, data: Vec<u8>) {
        let now = Info {
            rate: head.rate.unwrap_or(self.info.rate),
            channels: head.channels,
            bits: head.bits.unwrap_or(self.info.bits),
            total: 0,
        };
        if self.current != Some(now) {
            let mut stream = now.stream();
            stream.joined = self.parts > 1 && self.decoded == 0;
            self.current = Some(now);
            self.pending.push_back(Event::Stream(stream));
        }
        self.decoded += u64::from(head.samples);
        self.pending.push_back(Event::Packet(Packet { data, ..Packet::default() }));
    }

    fn end_part(&mut self, notes: &mut Notes) {
        let (total, decoded) = (self.info.total, std::mem::take(&mut self.decoded));
        let rate = f64::from(self.current.map_or(1, |current| current.rate).max(1));
        let (claimed, found) = (total as f64 / rate, decoded as f64 / rate);
        if total > 0 && claimed > found + 0.5 {
            notes.add(Note::Truncated { container: "The FLAC file" });
        } else if total > 0 && found > claimed + 0.5 {
            notes.add(Note::WrongClaim { field: "FLAC header", claimed, found });
        }
    }
}

/// Samples of one frame.
pub(crate) fn length(frame: &[u8]) -> Option<u64> {
    parse(frame).map(|head| u64::from(head.samples))
}

/// The next position from `from` on at which a frame or another file begins, or the end.
fn next_start(window: &[u8], from: usize, ended: bool) -> Option<usize> {
    let mut at = from;
    while let Some(rest) = window.get(at..) {
        // Unless the file ends here, the whole header must be in the window.
        if rest.len() < 20 && !ended {
            return None;
        }
        let step = rest.iter().position(|byte| *byte == 0xff || *byte == b'f')?;
        let here = rest.get(step..).unwrap_or_default();
        if here.len() < 20 && !ended {
            return None;
        }
        if here.starts_with(b"fLaC") || parse(here).is_some() {
            return Some(at + step);
        }
        at += step + 1;
    }
    None
}

impl Demuxer for Flac {
    fn next(&mut self, notes: &mut Notes) -> Result<Event, DecodeError> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(event);
            }
            if self.ended {
                return Ok(Event::End);
            }
            let left = self.source.left();
            let start = self.source.peek(10)?;
            if start.is_empty() {
                self.ended = true;
                self.end_part(notes);
                continue;
            }
            if start.starts_with(b"fLaC") {
                self.end_part(notes);
                self.current = None;
                self.metadata()?;
                continue;
            }
            if let Some(size) = super::mpeg::id3v2_size(start).filter(|size| *size <= left) {
                self.source.skip(size)?;
                continue;
            }
            if start.starts_with(b"TAG") && left == 128 {
                self.source.skip(128)?;
                continue;
            }
            match self.look()? {
                Found::Frame(head, size, good) => {
                    let data = self.source.take(size)?;
                    if good {
                        self.frame(head, data);
                    } else {
                        // An empty packet counts as one that cannot be decoded.
                        self.frame(head, Vec::new());
                        self.decoded = self.decoded.saturating_sub(u64::from(head.samples));
                    }
                }
                Found::Nothing(size) => {
                    let zeros = self.source.peek(size)?.iter().all(|byte| *byte == 0);
                    self.source.consume(size);
                    if !zeros {
                        notes.add(Note::Junk { bytes: size as u64 });
                    }
                }
            }
        }
    }
}
