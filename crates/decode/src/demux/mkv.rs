//! Matroska and WebM.
//!
//! The file is read as a flat sequence of elements, because the sizes of outer elements are unknown in
//! browsers' recordings and wrong in truncated files.

use std::collections::VecDeque;

use super::{Coding, Demuxer, Event, MAX_CHANNELS, Packet, Stream, Tail, flac, mp4, ogg};
use crate::codec::pcm::{PcmFormat, PcmKind};
use crate::source::Source;
use crate::{DecodeError, Note, Notes, bytes};

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const TRACKS: u32 = 0x1654_ae6b;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
const SIMPLE_BLOCK: u32 = 0xa3;
/// Maximum size in bytes of an element that is read as a whole.
const MAX_ELEMENT: u64 = 1 << 25;

struct Track {
    number: u64,
    stream: Stream,
    /// Bytes that header stripping removed from the start of every frame.
    prefix: Vec<u8>,
}

struct Mkv {
    source: Source,
    track: Option<Track>,
    pending: VecDeque<Event>,
    ended: bool,
}

/// Opens a file that begins with an EBML header.
pub(crate) fn open(source: Source) -> Box<dyn Demuxer> {
    Box::new(Mkv { source, track: None, pending: VecDeque::new(), ended: false })
}

/// A number of variable length, and its length in bytes. The number is `None` if all its bits are set, which
/// means unknown.
fn vint(data: &[u8], keep_marker: bool) -> Option<(Option<u64>, usize)> {
    let first = *data.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 || data.len() < length {
        return None;
    }
    let mut value = u64::from(first);
    if !keep_marker {
        value &= (1 << (8 - length)) - 1;
    }
    for byte in data.get(1..length)? {
        value = value << 8 | u64::from(*byte);
    }
    let unknown = !keep_marker && value == (1 << (7 * length)) - 1;
    Some(((!unknown).then_some(value), length))
}

/// ID and size of an element, and the length of both in bytes.
fn element(data: &[u8]) -> Option<(u32, Option<u64>, usize)> {
    let (id, id_length) = vint(data, true)?;
    if id_length > 4 {
        return None;
    }
    let (size, size_length) = vint(data.get(id_length..)?, false)?;
    Some((id? as u32, size, id_length + size_length))
}

/// The elements in a body, each with its content, which may be truncated.
fn children(body: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = body.get(at..)?;
        let (id, size, header) = element(rest)?;
        let size = usize::try_from(size.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let end = header.saturating_add(size).min(rest.len());
        at += end;
        Some((id, rest.get(header..end).unwrap_or_default()))
    })
}

fn unsigned(body: &[u8]) -> u64 {
    body.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn float(body: &[u8]) -> f64 {
    match body.len() {
        4 => f64::from(f32::from_be_bytes(bytes::at(body, 0))),
        8 => f64::from_be_bytes(bytes::at(body, 0)),
        _ => 0.0,
    }
}

impl Mkv {
    fn step(&mut self, notes: &mut Notes) -> Result<(), DecodeError> {
        let left = self.source.left();
        let start = self.source.peek(12)?;
        if start.is_empty() {
            self.ended = true;
            return Ok(());
        }
        let Some((id, size, header)) = element(start) else { return self.resync(notes) };
        match (id, size) {
            (SEGMENT | CLUSTER, _) => self.source.consume(header),
            (_, Some(size)) if size <= left.saturating_sub(header as u64) => match id {
                TRACKS | SIMPLE_BLOCK | BLOCK_GROUP | BLOCK if size <= MAX_ELEMENT => {
                    self.source.consume(header);
                    let body = self.source.take(size as usize)?;
                    match id {
                        TRACKS if self.track.is_none() => self.tracks(&body, notes)?,
                        BLOCK_GROUP => self.group(&body),
                        SIMPLE_BLOCK | BLOCK => self.block(&body),
                        _ => {}
                    }
                }
                _ => self.source.skip(header as u64 + size)?,
            },
            (TRACKS | SIMPLE_BLOCK | BLOCK_GROUP | BLOCK, _) if self.track.is_some() => {
                // Longer than the rest of the file: the file is truncated or damaged.
                return self.resync(notes);
            }
            (BLOCK_GROUP, None) => self.source.consume(header),
            _ => return self.resync(notes),
        }
        Ok(())
    }

    /// Continues at the next cluster.
    fn resync(&mut self, notes: &mut Notes) -> Result<(), DecodeError> {
        let here = self.source.position();
        self.source.skip(1)?;
        let needles: [&[u8]; 2] = [&CLUSTER.to_be_bytes(), &TRACKS.to_be_bytes()];
        let wanted = if self.track.is_some() { &needles[..1] } else { &needles[..] };
        match self.source.find(wanted, u64::MAX)? {
            Some((at, _)) => {
                notes.add(Note::Junk { bytes: at - here });
                self.source.seek(at)?;
            }
            None => {
                notes.add(Note::Truncated { container: "The Matroska file" });
                self.ended = true;
            }
        }
        Ok(())
    }

    fn tracks(&mut self, body: &[u8], notes: &mut Notes) -> Result<(), DecodeError> {
        let entries: Vec<&[u8]> = children(body)
            .filter(|(id, entry)| {
                *id == 0xae && children(entry).any(|(id, value)| id == 0x83 && unsigned(value) == 2)
            })
            .map(|(_, entry)| entry)
            .collect();
        let mut refused = None;
        for entry in &entries {
            match track(entry) {
                Ok(track) => {
                    self.pending.push_back(Event::Stream(track.stream.clone()));
                    self.track = Some(track);
                    break;
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if entries.len() > 1 {
            notes.add(Note::FirstOfTracks { tracks: entries.len() });
        }
        match (&self.track, refused) {
            (None, Some(error)) => Err(error),
            (None, None) => Err(DecodeError::no_sound("a Matroska or WebM file without an audio track")),
            _ => Ok(()),
        }
    }

    fn group(&mut self, body: &[u8]) {
        let mut discard = 0;
        for (id, value) in children(body) {
            match id {
                BLOCK => self.block(value),
                // Padding in nanoseconds, signed; only the last group has it.
                0x75a2 => discard = unsigned(value),
                _ => {}
            }
        }
        if let (Some(track), 1..=1_000_000_000) = (&self.track, discard) {
            let frames = discard * u64::from(track.stream.rate) / 1_000_000_000;
            self.pending.push_back(Event::StreamEnd(Tail::Trim(frames)));
        }
    }

    fn block(&mut self, body: &[u8]) {
        let Some(track) = &self.track else { return };
        let Some((number, length)) = vint(body, false) else { return };
        let Some(flags) = body.get(length + 2) else { return };
        if number != Some(track.number) {
            return;
        }
        let payload = body.get(length + 3..).unwrap_or_default();
        for frame in laced(payload, flags >> 1 & 3) {
            let data = [track.prefix.as_slice(), frame].concat();
            self.pending.push_back(Event::Packet(Packet { data, ..Packet::default() }));
        }
    }
}

/// The frames of a block, divided according to its lacing.
fn laced(payload: &[u8], lacing: u8) -> Vec<&[u8]> {
    let Some((&count, mut rest)) = payload.split_first().filter(|_| lacing != 0) else {
        return vec![payload];
    };
    let frames = usize::from(count) + 1;
    let mut sizes = Vec::new();
    match lacing {
        2 => sizes = vec![rest.len() / frames; frames - 1],
        1 => {
            for _ in 1..frames {
                let run = rest.iter().take_while(|byte| **byte == 255).count();
                let last = usize::from(rest.get(run).copied().unwrap_or(0));
                sizes.push(run * 255 + last);
                rest = rest.get(run + 1..).unwrap_or_default();
            }
        }
        _ => {
            let mut size = 0_i64;
            for index in 1..frames {
                let Some((Some(value), length)) = vint(rest, false) else { break };
                let value = value as i64;
                size = if index == 1 { value } else { size + value - ((1_i64 << (7 * length - 1)) - 1) };
                sizes.push(usize::try_from(size).unwrap_or(usize::MAX));
                rest = rest.get(length..).unwrap_or_default();
            }
        }
    }
    let mut out = Vec::new();
    for size in sizes {
        let Some((frame, after)) = rest.split_at_checked(size) else { break };
        out.push(frame);
        rest = after;
    }
    out.push(rest);
    out
}

fn track(entry: &[u8]) -> Result<Track, DecodeError> {
    let field = |wanted: u32| children(entry).find(|(id, _)| *id == wanted).map(|(_, value)| value);
    let codec = String::from_utf8_lossy(field(0x86).unwrap_or_default()).trim_end_matches('\0').to_owned();
    let private = field(0x63a2).unwrap_or_default();
    let audio = field(0xe1).unwrap_or_default();
    let part = |wanted: u32| children(audio).find(|(id, _)| *id == wanted).map(|(_, value)| value);
    let rate = part(0xb5).map_or(8000.0, float).clamp(0.0, 4e9) as u32;
    let channels = (part(0x9f).map_or(1, unsigned) as usize).min(MAX_CHANNELS);
    let bits = part(0x6264).map_or(16, unsigned) as usize;
    let mut stream = stream(&codec, private, rate, channels, bits)?;
    if let Some(delay) = field(0x56aa).map(unsigned).filter(|delay| *delay < 500_000_000)
        && stream.delay == 0
    {
        stream.delay = delay * u64::from(rate) / 1_000_000_000;
    }
    stream.hold = stream.hold.max(8192);
    let mut prefix = Vec::new();
    for (_, encoding) in field(0x6d80).into_iter().flat_map(children) {
        let part = |body, wanted: u32| children(body).find(|(id, _)| *id == wanted).map(|(_, value)| value);
        if part(encoding, 0x5035).is_some() {
            return Err(DecodeError::Protected("an encrypted Matroska file".to_owned()));
        }
        let compression = part(encoding, 0x5034).unwrap_or_default();
        if part(compression, 0x4254).map_or(0, unsigned) != 3 {
            return Err(DecodeError::unsupported("a Matroska file with compressed packets"));
        }
        prefix = part(compression, 0x4255).unwrap_or_default().to_vec();
    }
    Ok(Track { number: field(0xd7).map_or(0, unsigned), stream, prefix })
}

fn stream(
    codec: &str,
    private: &[u8],
    rate: u32,
    channels: usize,
    bits: usize,
) -> Result<Stream, DecodeError> {
    let plain = |coding| Stream::new(coding, rate, channels);
    let width = (bits.div_ceil(8)).clamp(1, 8) as u8;
    Ok(match codec {
        "A_OPUS" if private.starts_with(b"OpusHead") => ogg::opus_stream(private),
        "A_OPUS" => Stream::new(Coding::Opus, 48_000, channels),
        "A_VORBIS" | "A_ALAC" => {
            let mut stream = plain(if codec == "A_ALAC" { Coding::Alac } else { Coding::Vorbis });
            stream.extra = private.to_vec();
            stream
        }
        "A_FLAC" => flac::Info::parse(private.get(8..).unwrap_or_default()).stream(),
        "A_MPEG/L3" => plain(Coding::Mpeg(3)),
        "A_MPEG/L2" => plain(Coding::Mpeg(2)),
        "A_MPEG/L1" => plain(Coding::Mpeg(1)),
        "A_PCM/INT/LIT" if width == 1 => plain(Coding::Pcm(PcmFormat::new(PcmKind::Unsigned, 1, false))),
        "A_PCM/INT/LIT" => plain(Coding::Pcm(PcmFormat::new(PcmKind::Signed, width, false))),
        "A_PCM/INT/BIG" => plain(Coding::Pcm(PcmFormat::new(PcmKind::Signed, width, true))),
        "A_PCM/FLOAT/IEEE" => {
            plain(Coding::Pcm(PcmFormat::new(PcmKind::Float, if bits == 64 { 8 } else { 4 }, false)))
        }
        aac if aac.starts_with("A_AAC") => mp4::aac_stream(private, rate, channels)?,
        other => {
            let name = match other {
                "A_AC3" => "AC-3",
                "A_EAC3" => "E-AC-3",
                "A_DTS" => "DTS",
                "A_TRUEHD" => "TrueHD",
                other => other,
            };
            return Err(DecodeError::unsupported(format!(
                "a Matroska file with the coding {}",
                name.escape_default()
            )));
        }
    })
}

impl Demuxer for Mkv {
    fn next(&mut self, notes: &mut Notes) -> Result<Event, DecodeError> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(event);
            }
            if self.ended {
                return Ok(Event::End);
            }
            self.step(notes)?;
        }
    }
}
