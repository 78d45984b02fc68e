//! Core Audio files.

use super::mp4_track::es_descriptor;
use super::raw::Region;
use super::{Coding, Demuxer, Event, MAX_CHANNELS, Packet, Stream, Tail, aiff, flac, ogg};
use crate::codec::pcm::{PcmFormat, PcmKind};
use crate::source::Source;
use crate::{DecodeError, Note, Notes, bytes};

/// Maximum size in bytes of chunks other than the sound.
const MAX_CHUNK: u64 = 1 << 28;
/// Maximum number of frames that are held back for padding at the end.
const HOLD: u64 = 8192;

struct Caf {
    source: Source,
    stream: Stream,
    region: Region,
    /// Sizes of the packets, if they differ.
    sizes: Option<Vec<u32>>,
    packet: usize,
    padding: u64,
    started: bool,
    ended: bool,
}

#[derive(Default)]
struct Chunks {
    desc: Vec<u8>,
    cookie: Vec<u8>,
    table: Vec<u8>,
    /// Start and end of the sound as file positions.
    data: Option<(u64, u64)>,
}

fn chunks(source: &mut Source, notes: &mut Notes) -> Result<Chunks, DecodeError> {
    let mut found = Chunks::default();
    source.skip(8)?;
    while source.left() >= 12 {
        let head = source.peek(12)?;
        let (kind, size): ([u8; 4], u64) = (bytes::at(head, 0), bytes::u64_be(head, 4));
        source.skip(12)?;
        let (here, left) = (source.position(), source.left());
        match &kind {
            b"data" => {
                let known = size != u64::MAX;
                if known && size > left {
                    notes.add(Note::Truncated { container: "The CAF file" });
                }
                found.data = Some((here + 4, here.saturating_add(size).min(source.length())));
            }
            b"desc" | b"kuki" | b"pakt" if size <= left && size <= MAX_CHUNK => {
                let body = source.peek(size as usize)?.to_vec();
                match &kind {
                    b"desc" => found.desc = body,
                    b"kuki" => found.cookie = body,
                    _ => found.table = body,
                }
            }
            _ => {}
        }
        source.skip(size)?;
    }
    Ok(found)
}

/// Opens a file that begins with "caff".
pub(crate) fn open(mut source: Source, notes: &mut Notes) -> Result<Box<dyn Demuxer>, DecodeError> {
    let found = chunks(&mut source, notes)?;
    let Some((start, end)) = found.data.filter(|_| found.desc.len() >= 32) else {
        return Err(DecodeError::no_sound("a CAF file that ends in its header"));
    };
    let desc = &found.desc;
    let word = |at| bytes::u32_be(desc, at);
    let rate = f64::from_be_bytes(bytes::at(desc, 0));
    let kind: [u8; 4] = bytes::at(desc, 8);
    let (flags, packet_bytes, packet_frames) = (word(12), word(16), word(20));
    let (channels, bits) = (word(24) as usize, word(28) as u16);
    let valid = (1.0..4e9).contains(&rate);
    if !valid || channels == 0 || channels > MAX_CHANNELS {
        return Err(DecodeError::damaged(format!("its header says {channels} channels at {rate} Hz")));
    }
    let rate = rate.round() as u32;
    let mut unit = packet_bytes as usize;
    let mut stream = match &kind {
        b"lpcm" => {
            let width = (bits.div_ceil(8)).clamp(1, 8) as u8;
            let pcm = if flags & 1 != 0 { PcmKind::Float } else { PcmKind::Signed };
            let format = PcmFormat::new(pcm, width, flags & 2 == 0);
            unit = format.frame(channels);
            Stream::new(Coding::Pcm(format), rate, channels)
        }
        b"aac " => es_descriptor(&found.cookie, rate, channels)?,
        b"alac" => {
            let mut stream = Stream::new(Coding::Alac, rate, channels);
            stream.extra = found.cookie;
            stream
        }
        b".mp3" => Stream::new(Coding::Mpeg(3), rate, channels),
        b"flac" => flac::Info::parse(found.cookie.get(8..).unwrap_or_default()).stream(),
        b"opus" if found.cookie.starts_with(b"OpusHead") => ogg::opus_stream(&found.cookie),
        b"opus" => Stream::new(Coding::Opus, 48_000, channels),
        other => {
            let (coding, bytes) = aiff::coding(other, bits, channels)?;
            unit = bytes;
            let mut stream = Stream::new(coding, rate, channels);
            stream.block_frames = if coding == Coding::AdpcmQuickTime { 64 } else { 0 };
            stream
        }
    };
    let mut padding = 0;
    let mut sizes = None;
    if found.table.len() >= 24 {
        let (priming, remainder) = (bytes::u32_be(&found.table, 16), bytes::u32_be(&found.table, 20));
        if u64::from(priming) <= 2 * HOLD {
            stream.delay = stream.delay.max(u64::from(priming));
        }
        if u64::from(remainder) <= HOLD {
            padding = u64::from(remainder);
            stream.hold = stream.hold.max(HOLD as usize);
        }
        if packet_bytes == 0 {
            sizes = Some(table(found.table.get(24..).unwrap_or_default(), packet_frames == 0));
        }
    }
    if unit == 0 && sizes.is_none() {
        return Err(DecodeError::damaged("the table of its packets is missing"));
    }
    source.seek(start)?;
    let region = Region { end, unit };
    Ok(Box::new(Caf { source, stream, region, sizes, packet: 0, padding, started: false, ended: false }))
}

/// The sizes of the packets: numbers with 7 bits per byte. If `with_frames`, a number of frames follows each
/// size.
fn table(body: &[u8], with_frames: bool) -> Vec<u32> {
    let mut numbers = Vec::new();
    let mut value = 0_u32;
    for byte in body {
        value = value << 7 | u32::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(std::mem::take(&mut value));
        }
    }
    if with_frames { numbers.into_iter().step_by(2).collect() } else { numbers }
}

impl Caf {
    fn packet(&mut self) -> Result<Option<Packet>, DecodeError> {
        let Some(sizes) = &self.sizes else {
            return Ok(self.region.next(&mut self.source, &self.stream)?);
        };
        let Some(size) = sizes.get(self.packet) else { return Ok(None) };
        self.packet += 1;
        let left = self.region.end.saturating_sub(self.source.position());
        if u64::from(*size) > left {
            return Ok(None);
        }
        Ok(Some(Packet { data: self.source.take(*size as usize)?, ..Packet::default() }))
    }
}

impl Demuxer for Caf {
    fn next(&mut self, _notes: &mut Notes) -> Result<Event, DecodeError> {
        if !self.started {
            self.started = true;
            return Ok(Event::Stream(self.stream.clone()));
        }
        if self.ended {
            return Ok(Event::End);
        }
        if let Some(packet) = self.packet()? {
            return Ok(Event::Packet(packet));
        }
        self.ended = true;
        let complete = self.sizes.as_ref().is_none_or(|sizes| self.packet >= sizes.len());
        Ok(Event::StreamEnd(if complete { Tail::Trim(self.padding) } else { Tail::Keep }))
    }
}
