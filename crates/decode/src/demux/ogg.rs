//! Ogg with Vorbis, Opus or FLAC, also with chained streams.

use std::collections::VecDeque;

use super::{Coding, Demuxer, Event, Packet, Stream, Tail, flac};
use crate::source::Source;
use crate::{DecodeError, Note, Notes, bytes};

/// Maximum size in bytes of a packet that is assembled from pages.
const MAX_PACKET: usize = 1 << 24;
/// Maximum padding in frames of the last page of Vorbis: the longest block.
const VORBIS_HOLD: usize = 8192;
/// Maximum padding in frames for Opus: two packets of 120 ms.
pub(crate) const OPUS_HOLD: usize = 2 * 5760;
/// Sample rate of Opus in Hz.
const OPUS_RATE: u32 = 48_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Vorbis,
    Opus,
    Flac,
}

struct Ogg {
    source: Source,
    /// Serial number of the logical stream that is decoded.
    serial: Option<u32>,
    kind: Kind,
    /// Header packets of the stream so far.
    headers: Vec<Vec<u8>>,
    /// Whether the stream was announced, so that packets are sound.
    running: bool,
    /// Whether the stream has given sound: a stream that begins now is chained to it.
    sounded: bool,
    /// The start of a packet that continues on the next page.
    partial: Vec<u8>,
    /// Whether the start of a continued packet was lost.
    broken: bool,
    /// Whether a page had a correct checksum. Until then, a wrong checksum does not count as damage.
    checked: bool,
    /// Whether the stream ended with an end-of-stream flag.
    orderly: bool,
    parts: usize,
    /// Description of an unsupported coding.
    other: Option<&'static str>,
    pending: VecDeque<Event>,
    ended: bool,
}

/// Opens a file that begins with "OggS".
pub(crate) fn open(source: Source) -> Box<dyn Demuxer> {
    Box::new(Ogg {
        source,
        serial: None,
        kind: Kind::Vorbis,
        headers: Vec::new(),
        running: false,
        sounded: false,
        partial: Vec::new(),
        broken: false,
        checked: false,
        orderly: false,
        parts: 0,
        other: None,
        pending: VecDeque::new(),
        ended: false,
    })
}

struct Page {
    flags: u8,
    granule: u64,
    serial: u32,
    /// Packets, each with whether it ends on this page.
    packets: Vec<(Vec<u8>, bool)>,
}

const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;

const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000_0000 != 0 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

fn crc(page: &[u8]) -> u32 {
    page.iter().enumerate().fold(0, |crc, (at, byte)| {
        // The field of the checksum counts as 0.
        let byte = if (22..26).contains(&at) { 0 } else { *byte };
        crc << 8 ^ CRC.get(usize::from((crc >> 24) as u8 ^ byte)).copied().unwrap_or(0)
    })
}

/// The coding according to the first packet of a stream.
fn identify(packet: &[u8]) -> Result<Kind, Option<&'static str>> {
    if packet.starts_with(b"\x01vorbis") {
        Ok(Kind::Vorbis)
    } else if packet.starts_with(b"OpusHead") {
        Ok(Kind::Opus)
    } else if packet.starts_with(b"\x7fFLAC") {
        Ok(Kind::Flac)
    } else if packet.starts_with(b"Speex   ") {
        Err(Some("an Ogg file with Speex in it"))
    } else if packet.starts_with(b"CELT    ") {
        Err(Some("an Ogg file with CELT in it"))
    } else {
        Err(None)
    }
}

impl Ogg {
    /// The next complete page, or the available part of the last page.
    fn page(&mut self, notes: &mut Notes) -> std::io::Result<Option<Page>> {
        loop {
            let start = self.source.peek(27)?;
            if start.len() < 27 {
                return Ok(None);
            }
            if !start.starts_with(b"OggS") {
                let here = self.source.position();
                let to = self.source.find(&[b"OggS"], u64::MAX)?.map_or(self.source.length(), |(at, _)| at);
                if to > here {
                    notes.add(Note::Junk { bytes: to - here });
                }
                self.source.seek(to.max(here + 1))?;
                self.broken = true;
                self.partial.clear();
                continue;
            }
            let segments = usize::from(bytes::at::<1>(start, 26)[0]);
            let lacing = self.source.peek(27 + segments)?.get(27..).unwrap_or_default().to_vec();
            let body: usize = lacing.iter().map(|size| usize::from(*size)).sum();
            let whole = 27 + segments + body;
            let page = self.source.peek(whole)?;
            let complete = page.len() == whole;
            let good = complete && crc(page) == bytes::u32_le(page, 22);
            // The packets before the damage of a page are valid, but its position is unknown. If bytes are
            // missing, the next page begins too early.
            let damaged = !good && self.checked && complete;
            let limit = if damaged { bytes::find(page, b"OggS", 4).unwrap_or(whole) } else { whole };
            let page = page.get(..limit).unwrap_or(page);
            if damaged {
                notes.add(Note::BadPage);
            } else if !complete {
                notes.add(Note::Truncated { container: "The Ogg file" });
            }
            let mut packets = Vec::new();
            let mut at = 27 + segments;
            let mut packet: Vec<u8> = Vec::new();
            let mut open = false;
            for size in &lacing {
                let Some(part) = page.get(at..at + usize::from(*size)) else {
                    packet.clear();
                    open = false;
                    break;
                };
                packet.extend_from_slice(part);
                at += part.len();
                open = *size == 255;
                if !open {
                    packets.push((std::mem::take(&mut packet), true));
                }
            }
            if open {
                packets.push((packet, false));
            }
            let [flags] = bytes::at(page, 5);
            let granule = if damaged { u64::MAX } else { bytes::u64_le(page, 6) };
            let page = Page { flags, granule, serial: bytes::u32_le(page, 14), packets };
            self.source.consume(limit);
            self.checked |= good;
            return Ok(Some(page));
        }
    }

    fn take(&mut self, page: Page, notes: &mut Notes) {
        if page.flags & FIRST != 0 {
            self.begin(&page, notes);
        }
        if self.serial != Some(page.serial) {
            return;
        }
        if page.flags & CONTINUED == 0 {
            self.partial.clear();
            self.broken = false;
        } else if self.partial.is_empty() {
            self.broken = true;
        }
        let ends = page.packets.iter().filter(|(_, whole)| *whole).count();
        let mut done = 0;
        for (data, whole) in page.packets {
            let mut packet = std::mem::take(&mut self.partial);
            packet.extend_from_slice(&data);
            if !whole {
                // The packet is too long, so its start and the rest are dropped.
                self.broken |= packet.len() > MAX_PACKET;
                if !self.broken {
                    self.partial = packet;
                }
                break;
            }
            done += 1;
            if std::mem::take(&mut self.broken) {
                continue;
            }
            let end = (done == ends && page.granule >> 63 == 0).then_some(page.granule);
            self.packet(packet, end);
        }
        if page.flags & LAST != 0 && self.running {
            self.orderly = true;
            self.pending.push_back(Event::StreamEnd(Tail::AtEnd));
        }
    }

    /// Processes a page that begins a logical stream.
    fn begin(&mut self, page: &Page, notes: &mut Notes) {
        let first = page.packets.first().map(|(data, _)| data.as_slice()).unwrap_or_default();
        match identify(first) {
            Ok(kind) if self.serial.is_none() || self.sounded => {
                if self.running && !self.orderly {
                    notes.add(Note::Truncated { container: "A stream of the Ogg file" });
                }
                (self.serial, self.kind) = (Some(page.serial), kind);
                self.headers.clear();
                self.partial.clear();
                (self.running, self.sounded, self.orderly, self.broken) = (false, false, false, false);
            }
            Ok(_) => notes.add(Note::FirstOfTracks { tracks: 2 }),
            Err(other) => self.other = self.other.or(other),
        }
    }

    fn packet(&mut self, data: Vec<u8>, end: Option<u64>) {
        if self.running {
            let header = match self.kind {
                Kind::Vorbis => data.first().is_none_or(|byte| byte & 1 == 1),
                Kind::Opus => data.starts_with(b"OpusTags"),
                Kind::Flac => data.first() != Some(&0xff),
            };
            if !header {
                self.sounded = true;
                self.pending.push_back(Event::Packet(Packet { data, frames: 0, end }));
            }
            return;
        }
        let last = match self.kind {
            Kind::Vorbis => data.starts_with(b"\x05vorbis"),
            Kind::Opus => data.starts_with(b"OpusHead"),
            Kind::Flac => data.starts_with(b"\x7fFLAC"),
        };
        self.headers.push(data);
        if last {
            let mut stream = self.stream();
            stream.joined = self.parts > 0;
            self.parts += 1;
            self.running = true;
            self.pending.push_back(Event::Stream(stream));
        }
    }

    /// The stream that the headers describe.
    fn stream(&mut self) -> Stream {
        let headers = std::mem::take(&mut self.headers);
        let first = headers.first().map(Vec::as_slice).unwrap_or_default();
        match self.kind {
            Kind::Vorbis => {
                let [channels] = bytes::at(first, 11);
                let mut stream = Stream::new(Coding::Vorbis, bytes::u32_le(first, 12), usize::from(channels));
                stream.extra = first.to_vec();
                if let Some(setup) = headers.last() {
                    stream.extra.extend_from_slice(setup);
                }
                stream.hold = VORBIS_HOLD;
                stream
            }
            Kind::Opus => opus_stream(first),
            Kind::Flac => flac::Info::parse(first.get(17..).unwrap_or_default()).stream(),
        }
    }
}

/// The stream that an `OpusHead` describes.
pub(crate) fn opus_stream(head: &[u8]) -> Stream {
    let [channels] = bytes::at(head, 9);
    let mut stream = Stream::new(Coding::Opus, OPUS_RATE, usize::from(channels));
    // Half a second is far above the delay of any encoder.
    stream.delay = Some(u64::from(bytes::u16_le(head, 10))).filter(|delay| *delay <= 24_000).unwrap_or(0);
    stream.hold = OPUS_HOLD;
    stream.extra = head.to_vec();
    stream
}

impl Demuxer for Ogg {
    fn next(&mut self, notes: &mut Notes) -> Result<Event, DecodeError> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(event);
            }
            if self.ended {
                return match self.other {
                    Some(what) if self.parts == 0 => Err(DecodeError::unsupported(what)),
                    _ => Ok(Event::End),
                };
            }
            match self.page(notes)? {
                Some(page) => self.take(page, notes),
                None => {
                    if self.running && !self.orderly {
                        notes.add(Note::Truncated { container: "The Ogg file" });
                    }
                    self.ended = true;
                }
            }
        }
    }
}
