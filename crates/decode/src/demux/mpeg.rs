//! MPEG audio (MP1, MP2, MP3) and AAC in ADTS: sequences of frames with headers.
//!
//! The duration follows from the number of frames. The counts in Xing, Info and VBRI frames are used only for
//! encoder delay and padding, and only if they agree with the number of frames.

use std::collections::VecDeque;

use super::{Coding, Demuxer, Event, Packet, Stream, Tail};
use crate::source::Source;
use crate::{DecodeError, Note, Notes, bytes};

/// The kind of frame headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Mpeg,
    Adts,
}

/// The fields of a frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    /// Size of the frame in bytes, header included.
    size: usize,
    /// Size of the header in bytes, checksum included.
    header: usize,
    samples: u32,
    rate: u32,
    channels: usize,
    coding: Coding,
    /// For AAC, the object type minus 1.
    profile: u8,
}

impl Head {
    fn parse(family: Family, start: &[u8]) -> Option<Self> {
        match family {
            Family::Mpeg => parse_mpeg(start.get(..4)?),
            Family::Adts => parse_adts(start.get(..7)?),
        }
    }

    /// Whether both can belong to one stream.
    fn same(&self, other: &Self) -> bool {
        let key = |head: &Self| (head.rate, head.channels, head.coding, head.samples, head.profile);
        key(self) == key(other)
    }
}

/// Bit rates in kbit/s by index: MPEG 1 layers 1 to 3, MPEG 2 layer 1, MPEG 2 layers 2 and 3.
const BITRATES: [[u32; 15]; 5] = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

fn parse_mpeg(start: &[u8]) -> Option<Head> {
    let word = bytes::u32_be(start, 0);
    if word >> 21 != 0x7ff {
        return None;
    }
    let (version, layer) = ((word >> 19) & 3, 4 - ((word >> 17) & 3));
    let (bitrate, rate, padding) = ((word >> 12) & 15, (word >> 10) & 3, (word >> 9) & 1);
    let mono = (word >> 6) & 3 == 3;
    if version == 1 || layer == 4 || bitrate == 0 || bitrate == 15 || rate == 3 {
        return None;
    }
    let row = match (version, layer) {
        (3, layer) => layer as usize - 1,
        (_, 1) => 3,
        _ => 4,
    };
    let kilobits = *BITRATES.get(row)?.get(bitrate as usize)?;
    let forbidden: &[u32] = if mono { &[224, 256, 320, 384] } else { &[32, 48, 56, 80] };
    if layer == 2 && version == 3 && forbidden.contains(&kilobits) {
        return None;
    }
    // Versions: 0 is MPEG 2.5, 2 is MPEG 2, 3 is MPEG 1.
    let rate = [44_100, 48_000, 32_000][rate as usize] >> [2, 0, 1, 0][version as usize];
    let (samples, size) = match layer {
        1 => (384, (12_000 * kilobits / rate + padding) * 4),
        3 if version != 3 => (576, 72_000 * kilobits / rate + padding),
        _ => (1152, 144_000 * kilobits / rate + padding),
    };
    let channels = if mono { 1 } else { 2 };
    let size = size as usize;
    (size > 4).then_some(Head {
        size,
        header: 4,
        samples,
        rate,
        channels,
        coding: Coding::Mpeg(layer as u8),
        profile: 0,
    })
}

/// Sample rates of MPEG-4 audio in Hz, by index.
pub(crate) const AAC_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

fn parse_adts(start: &[u8]) -> Option<Head> {
    let [a, b, c, d, e, f, _] = bytes::at(start, 0);
    if a != 0xff || b & 0xf6 != 0xf0 {
        return None;
    }
    let rate = *AAC_RATES.get(usize::from((c >> 2) & 15))?;
    let config = usize::from((c & 1) << 2 | d >> 6);
    let size = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5);
    let header = if b & 1 == 1 { 7 } else { 9 };
    (size > header).then_some(Head {
        size,
        header,
        samples: 1024,
        rate,
        // With configuration 0, the channels are described inside the frames; nearly all such files have two.
        channels: if config == 0 { 2 } else { config },
        coding: Coding::Aac,
        profile: c >> 6,
    })
}

/// Samples and rate in Hz of one frame of MPEG audio.
pub(crate) fn length(frame: &[u8]) -> Option<(u64, u32)> {
    parse_mpeg(frame.get(..4)?).map(|head| (u64::from(head.samples), head.rate))
}

/// The content of a Xing, Info or VBRI frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Claim {
    field: &'static str,
    frames: Option<u64>,
    /// Encoder delay plus decoder delay, and padding minus decoder delay, in samples.
    delay: u64,
    padding: u64,
}

/// Delay of a layer 3 decoder in samples.
const DECODER_DELAY: u64 = 529;

fn claim(frame: &[u8], head: &Head) -> Option<Claim> {
    if head.coding != Coding::Mpeg(3) {
        return None;
    }
    if frame.get(36..40) == Some(b"VBRI") {
        let frames = Some(u64::from(bytes::u32_be(frame, 36 + 14)));
        return Some(Claim { field: "VBRI header", frames, delay: 0, padding: 0 });
    }
    let at = match (head.samples, head.channels) {
        (1152, 1) => 21,
        (1152, _) => 36,
        (_, 1) => 13,
        _ => 21,
    };
    let tag = frame.get(at..at + 4)?;
    if tag != b"Xing" && tag != b"Info" {
        return None;
    }
    let flags = bytes::u32_be(frame, at + 4);
    let frames = (flags & 1 != 0).then(|| u64::from(bytes::u32_be(frame, at + 8)));
    let extension = at
        + 8
        + [4, 4, 100, 4]
            .iter()
            .enumerate()
            .map(|(bit, size)| size * (flags as usize >> bit & 1))
            .sum::<usize>();
    let mut claim = Claim { field: "Xing header", frames, delay: 0, padding: 0 };
    let encoder = frame.get(extension..extension + 4).unwrap_or_default();
    if encoder.starts_with(b"L") || encoder.starts_with(b"GOGO") {
        let packed = u64::from(bytes::u24_be(frame, extension + 21));
        let (delay, padding) = (packed >> 12, packed & 0xfff);
        // No encoder has a delay of more than three frames.
        if delay > 0 && delay <= 3 * 1152 {
            claim.delay = delay + DECODER_DELAY;
            claim.padding = padding.saturating_sub(DECODER_DELAY);
        }
    }
    Some(claim)
}

/// Number of bytes that are peeked for one frame: the longest ADTS frame and the next header.
const WINDOW: usize = 8192 + 16;

pub(crate) struct Framed {
    source: Source,
    family: Family,
    /// Header of the current stream.
    current: Option<Head>,
    in_sync: bool,
    claim: Option<Claim>,
    /// Number of frames since the claim.
    counted: u64,
    parts: usize,
    pending: VecDeque<Event>,
}

impl Framed {
    /// Reads frames from the position of the source onwards.
    pub(crate) fn new(source: Source, family: Family) -> Self {
        Self {
            source,
            family,
            current: None,
            in_sync: false,
            claim: None,
            counted: 0,
            parts: 0,
            pending: VecDeque::new(),
        }
    }

    /// Follows the headers from `at` bytes after the position. Returns their number, at most three, and
    /// whether they lead to the end of the file.
    fn follow(&mut self, at: usize) -> std::io::Result<(usize, bool)> {
        let family = self.family;
        let left = self.source.left();
        let window = self.source.peek(at.saturating_add(3 * WINDOW))?;
        let (mut place, mut count) = (at, 0);
        let mut first: Option<Head> = None;
        while count < 3 {
            if place as u64 >= left {
                return Ok((count, true));
            }
            let rest = window.get(place..).unwrap_or_default();
            let tagged =
                [b"TAG".as_slice(), b"ID3", b"APETAGEX", b"LYRICS"].iter().any(|tag| rest.starts_with(tag));
            if count > 0 && (tagged || rest.len() < 4) {
                return Ok((count, true));
            }
            match Head::parse(family, rest) {
                Some(head) if first.is_none_or(|first| first.same(&head)) => {
                    first = Some(head);
                    (place, count) = (place + head.size, count + 1);
                }
                _ => break,
            }
        }
        Ok((count, false))
    }

    /// Whether the header at the position is plausible.
    fn believed(&mut self, head: &Head) -> std::io::Result<bool> {
        let known = self.current.is_some_and(|current| current.same(head));
        if known && self.in_sync {
            return Ok(true);
        }
        let (count, to_end) = self.follow(0)?;
        Ok(match self.current {
            Some(_) if known || self.in_sync => count >= 2 || to_end,
            Some(_) => count >= 3,
            None => count >= 3 || to_end,
        })
    }

    /// Skips a tag at the position; false if there is none.
    fn skip_tag(&mut self) -> std::io::Result<bool> {
        let left = self.source.left();
        let start = self.source.peek(32)?;
        let size = if let Some(size) = id3v2_size(start) {
            size
        } else if start.starts_with(b"TAG") && left >= 128 && (left == 128 || !self.in_sync || left > 128) {
            128
        } else if start.starts_with(b"APETAGEX") {
            let header = bytes::u32_le(start, 20) & (1 << 29) != 0;
            if header { 32 + u64::from(bytes::u32_le(start, 12)) } else { 32 }
        } else {
            return Ok(false);
        };
        // A tag longer than the file has a wrong length, so only its start is skipped.
        self.source.skip(if size <= left { size } else { 10 })?;
        Ok(true)
    }

    /// Skips bytes up to the next possible start of a header or a tag.
    fn resync(&mut self, notes: &mut Notes) -> std::io::Result<()> {
        if self.in_sync {
            self.in_sync = false;
        }
        let window = self.source.peek(WINDOW)?;
        let at = window
            .iter()
            .enumerate()
            .skip(1)
            .find(|(at, byte)| **byte == 0xff || (**byte == b'I' && window.get(*at..at + 3) == Some(b"ID3")))
            .map_or(window.len(), |(at, _)| at);
        // Zeros are padding.
        let junk = window.iter().take(at).filter(|byte| **byte != 0).count();
        self.source.consume(at);
        if junk > 0 {
            notes.add(Note::Junk { bytes: junk as u64 });
        }
        Ok(())
    }

    fn frame(&mut self, head: Head, data: Vec<u8>, notes: &mut Notes) {
        if let Some(claim) = claim(&data, &head).filter(|_| self.family == Family::Mpeg) {
            self.end_part(notes);
            self.start(head, &claim);
            self.claim = Some(claim);
            self.parts += 1;
            return;
        }
        if self.current.is_none_or(|current| !current.same(&head)) {
            self.start(head, &Claim::default());
            self.parts = self.parts.max(1);
        }
        self.counted += 1;
        let data = if self.family == Family::Adts {
            data.get(head.header..).unwrap_or_default().to_vec()
        } else {
            data
        };
        self.pending.push_back(Event::Packet(Packet { data, ..Packet::default() }));
    }

    fn start(&mut self, head: Head, claim: &Claim) {
        let mut stream = Stream::new(head.coding, head.rate, head.channels);
        stream.delay = claim.delay;
        stream.hold = claim.padding as usize;
        stream.joined = !claim.field.is_empty() && self.parts > 0;
        if head.coding == Coding::Aac {
            stream.extra = super::mp4::lc_config(head.profile + 1, head.rate, head.channels);
        }
        self.current = Some(head);
        self.pending.push_back(Event::Stream(stream));
    }

    /// Ends the part that the last claim describes.
    fn end_part(&mut self, notes: &mut Notes) {
        let (counted, claim) = (std::mem::take(&mut self.counted), self.claim.take());
        let (Some(claim), Some(head)) = (claim, self.current) else { return };
        let Some(claimed) = claim.frames else { return };
        // Some encoders also count the frame that contains the claim.
        if claimed == counted || claimed == counted + 1 {
            self.pending.push_back(Event::StreamEnd(Tail::Trim(claim.padding)));
            return;
        }
        let seconds = |frames: u64| frames as f64 * f64::from(head.samples) / f64::from(head.rate);
        let (claimed, found) = (seconds(claimed), seconds(counted));
        if claimed > found + 0.5 {
            notes.add(Note::Truncated { container: "The MP3 file" });
        } else if found > claimed + 0.5 {
            notes.add(Note::WrongClaim { field: claim.field, claimed, found });
        }
    }
}

impl Demuxer for Framed {
    fn next(&mut self, notes: &mut Notes) -> Result<Event, DecodeError> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(event);
            }
            let family = self.family;
            let left = self.source.left();
            let head = Head::parse(family, self.source.peek(WINDOW)?);
            if left == 0 || self.source.peek(1)?.is_empty() {
                self.end_part(notes);
                self.pending.push_back(Event::End);
                continue;
            }
            let head = match head {
                Some(head) if self.believed(&head)? => head,
                _ => {
                    if !self.skip_tag()? {
                        self.resync(notes)?;
                    }
                    continue;
                }
            };
            let data = self.source.take(head.size)?;
            if data.len() < head.size {
                notes.add(Note::Truncated {
                    container: if family == Family::Mpeg { "The MP3 file" } else { "The AAC file" },
                });
                continue;
            }
            self.in_sync = true;
            self.frame(head, data, notes);
        }
    }
}

/// Size of an ID3v2 tag in bytes, header included; `None` if no tag begins here.
pub(crate) fn id3v2_size(start: &[u8]) -> Option<u64> {
    let [a, b, c, d] = bytes::at(start, 6);
    let version: [u8; 2] = bytes::at(start, 3);
    if start.len() < 10
        || !start.starts_with(b"ID3")
        || version.contains(&0xff)
        || (a | b | c | d) & 0x80 != 0
    {
        return None;
    }
    let size = [a, b, c, d].iter().fold(0_u64, |size, byte| size << 7 | u64::from(*byte));
    let footer = if bytes::at::<1>(start, 5)[0] & 0x10 != 0 { 10 } else { 0 };
    Some(10 + size + footer)
}

/// Whether the next bytes are frames of this family: three in sequence, or all up to the end.
pub(crate) fn begins(source: &mut Source, family: Family, at: usize) -> std::io::Result<bool> {
    let left = source.left();
    let window = source.peek(at + 3 * WINDOW)?;
    let (mut place, mut first) = (at, None::<Head>);
    for _ in 0..3 {
        match Head::parse(family, window.get(place..).unwrap_or_default()) {
            Some(head) if first.is_none_or(|first| first.same(&head)) => {
                first = Some(head);
                place += head.size;
            }
            _ => return Ok(first.is_some() && place as u64 >= left),
        }
    }
    Ok(true)
}
