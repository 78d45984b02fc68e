//! The index of an MP4 file: position and coding of the sound.

use super::{Coding, MAX_CHANNELS, Stream, Tail, aiff, flac, mp4, ogg};
use crate::codec::pcm::{PcmFormat, PcmKind};
use crate::{DecodeError, Note, Notes, bytes};

/// Maximum number of frames that are held back for padding at the end.
const HOLD: u64 = 8192;
/// Longest plausible encoder delay in frames; a longer edit is a cut of the recording.
const MAX_DELAY: u64 = 16_384;

/// Sizes of the samples in bytes.
pub(crate) enum Sizes {
    Fixed { size: u32, count: usize },
    Each(Vec<u32>),
}

impl Sizes {
    pub(crate) fn fixed(&self) -> bool {
        matches!(self, Self::Fixed { .. })
    }

    pub(crate) fn get(&self, sample: usize) -> Option<u32> {
        match self {
            Self::Fixed { size, count } => (sample < *count && *size > 0).then_some(*size),
            Self::Each(list) => list.get(sample).copied(),
        }
    }
}

/// An audio track.
pub(crate) struct Track {
    pub id: u32,
    pub stream: Stream,
    /// File position of each chunk.
    pub chunks: Vec<u64>,
    pub sizes: Sizes,
    /// First chunk, counted from 1, and number of samples per chunk from there on.
    runs: Vec<(u32, u32)>,
    /// Size in bytes of the samples of fragments without their own sizes.
    pub default_size: u32,
    /// The end of the stream that the edit list excludes.
    pub tail: Tail,
}

impl Track {
    /// Number of samples in chunk `chunk`, counted from 0.
    pub(crate) fn per_chunk(&self, chunk: usize) -> u32 {
        let number = chunk.saturating_add(1);
        let after = self.runs.partition_point(|(first, _)| *first as usize <= number);
        after.checked_sub(1).and_then(|index| self.runs.get(index)).map_or(0, |(_, count)| *count)
    }
}

/// The boxes in a body, each with its content, which may be truncated.
pub(crate) fn boxes(body: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest: &[u8] = body.get(at..)?;
        if rest.len() < 8 {
            return None;
        }
        let (header, size) = match bytes::u32_be(rest, 0) {
            0 => (8, rest.len()),
            1 => (16, usize::try_from(bytes::u64_be(rest, 8)).unwrap_or(usize::MAX)),
            size => (8, size as usize),
        };
        if size < header {
            return None;
        }
        let end = size.min(rest.len());
        at += end;
        Some((bytes::at(rest, 4), rest.get(header..end).unwrap_or_default()))
    })
}

/// The content of the box at the end of a path.
fn inner<'a>(body: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter()
        .try_fold(body, |body, kind| boxes(body).find(|(found, _)| found == *kind).map(|(_, inner)| inner))
}

/// The first audio track of an index.
pub(crate) fn tracks(moov: &[u8], notes: &mut Notes) -> Result<Track, DecodeError> {
    let sound: Vec<&[u8]> = boxes(moov)
        .filter(|(kind, _)| kind == b"trak")
        .map(|(_, trak)| trak)
        .filter(|trak| inner(trak, &[b"mdia", b"hdlr"]).is_some_and(|hdlr| hdlr.get(8..12) == Some(b"soun")))
        .collect();
    if sound.len() > 1 {
        notes.add(Note::FirstOfTracks { tracks: sound.len() });
    }
    let mut refused = None;
    for trak in sound {
        match track(moov, trak) {
            Ok(track) => return Ok(track),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(|| DecodeError::no_sound("an MP4 file without an audio track")))
}

fn track(moov: &[u8], trak: &[u8]) -> Result<Track, DecodeError> {
    let tkhd = inner(trak, &[b"tkhd"]).unwrap_or_default();
    let id = bytes::u32_be(tkhd, if tkhd.first() == Some(&1) { 20 } else { 12 });
    let mdhd = inner(trak, &[b"mdia", b"mdhd"]).unwrap_or_default();
    let timescale = bytes::u32_be(mdhd, if mdhd.first() == Some(&1) { 20 } else { 12 });
    let stbl = inner(trak, &[b"mdia", b"minf", b"stbl"]).unwrap_or_default();
    let stsd = inner(stbl, &[b"stsd"]).unwrap_or_default();
    let (kind, entry) = boxes(stsd.get(8..).unwrap_or_default())
        .next()
        .ok_or_else(|| DecodeError::damaged("the index does not say how its sound is coded"))?;
    let mut stream = sample_entry(kind, entry, timescale)?;
    let trex = boxes(inner(moov, &[b"mvex"]).unwrap_or_default())
        .find(|(kind, body)| kind == b"trex" && bytes::u32_be(body, 4) == id);
    let default_size = trex.map_or(0, |(_, body)| bytes::u32_be(body, 16));

    let stsz = inner(stbl, &[b"stsz"]).unwrap_or_default();
    let sizes = match bytes::u32_be(stsz, 4) {
        0 => Sizes::Each(words(stsz.get(12..).unwrap_or_default(), bytes::u32_be(stsz, 8)).collect()),
        size => Sizes::Fixed { size, count: bytes::u32_be(stsz, 8) as usize },
    };
    let chunks = match (inner(stbl, &[b"stco"]), inner(stbl, &[b"co64"])) {
        (Some(stco), _) => {
            words(stco.get(8..).unwrap_or_default(), bytes::u32_be(stco, 4)).map(u64::from).collect()
        }
        (_, Some(co64)) => co64
            .get(8..)
            .unwrap_or_default()
            .chunks_exact(8)
            .take(bytes::u32_be(co64, 4) as usize)
            .map(|entry| bytes::u64_be(entry, 0))
            .collect(),
        _ => Vec::new(),
    };
    let stsc = inner(stbl, &[b"stsc"]).unwrap_or_default();
    let runs = stsc
        .get(8..)
        .unwrap_or_default()
        .chunks_exact(12)
        .take(bytes::u32_be(stsc, 4) as usize)
        .map(|entry| (bytes::u32_be(entry, 0), bytes::u32_be(entry, 4)))
        .collect();
    let tail = edit(moov, trak, timescale, &mut stream);
    Ok(Track { id, stream, chunks, sizes, runs, default_size, tail })
}

fn words(body: &[u8], count: u32) -> impl Iterator<Item = u32> {
    body.chunks_exact(4).take(count as usize).map(|word| bytes::u32_be(word, 0))
}

/// Sets the encoder delay of the stream from the edit list or from iTunes' gapless tag; returns the part to
/// remove from the end.
fn edit(moov: &[u8], trak: &[u8], timescale: u32, stream: &mut Stream) -> Tail {
    let rate = u64::from(stream.rate);
    let scale = u64::from(timescale.max(1));
    let mvhd = inner(moov, &[b"mvhd"]).unwrap_or_default();
    let movie_scale = u64::from(bytes::u32_be(mvhd, if mvhd.first() == Some(&1) { 20 } else { 12 }).max(1));
    let elst = inner(trak, &[b"edts", b"elst"]).unwrap_or_default();
    let long = elst.first() == Some(&1);
    let mut edits = elst
        .get(8..)
        .unwrap_or_default()
        .chunks_exact(if long { 20 } else { 12 })
        .map(|entry| {
            if long {
                (bytes::u64_be(entry, 0), bytes::u64_be(entry, 8) as i64)
            } else {
                (u64::from(bytes::u32_be(entry, 0)), i64::from(bytes::u32_be(entry, 4) as i32))
            }
        })
        // A negative time means silence before the sound.
        .filter(|(_, time)| *time >= 0);
    let frames = |units: u64, scale: u64| (u128::from(units) * u128::from(rate) / u128::from(scale)) as u64;
    if let (Some((length, time)), None) = (edits.next(), edits.next()) {
        let delay = frames(time.unsigned_abs(), scale);
        if delay > MAX_DELAY {
            return Tail::Keep;
        }
        stream.delay = delay;
        if length == 0 {
            return Tail::Keep;
        }
        stream.hold = stream.hold.max(HOLD as usize);
        return Tail::After(delay.saturating_add(frames(length, movie_scale)));
    }
    // "iTunSMPB", then hexadecimal numbers: nothing, delay, padding, frames.
    let Some(at) = bytes::find(moov, b"iTunSMPB", 0) else { return Tail::Keep };
    let text = moov.get(at + 8..(at + 8 + 120).min(moov.len())).unwrap_or_default();
    let numbers: Vec<u64> = String::from_utf8_lossy(text)
        .split(|c: char| !c.is_ascii_hexdigit())
        .filter(|word| word.len() >= 8)
        .filter_map(|word| u64::from_str_radix(word, 16).ok())
        .collect();
    match numbers.as_slice() {
        [_, delay, padding, ..] if *delay <= MAX_DELAY => {
            stream.delay = *delay;
            stream.hold = stream.hold.max(HOLD as usize);
            Tail::Trim(*padding)
        }
        _ => Tail::Keep,
    }
}

/// The stream that a sample entry describes.
fn sample_entry(kind: [u8; 4], entry: &[u8], timescale: u32) -> Result<Stream, DecodeError> {
    let version = bytes::u16_be(entry, 8);
    let mut channels = usize::from(bytes::u16_be(entry, 16));
    let mut bits = bytes::u16_be(entry, 18);
    let mut rate = bytes::u32_be(entry, 24) >> 16;
    let mut flags = 0;
    let header = match version {
        1 => 44,
        2 => {
            rate = f64::from_be_bytes(bytes::at(entry, 32)).clamp(0.0, 4e9) as u32;
            channels = bytes::u32_be(entry, 40) as usize;
            bits = bytes::u32_be(entry, 48) as u16;
            flags = bytes::u32_be(entry, 52);
            64
        }
        _ => 28,
    };
    if rate == 0 {
        rate = timescale;
    }
    let inside = entry.get(header..).unwrap_or_default();
    let wave = inner(inside, &[b"wave"]).unwrap_or_default();
    let part = |kind: &[u8; 4]| inner(inside, &[kind]).or_else(|| inner(wave, &[kind])).unwrap_or_default();
    let checked = |stream: Stream| {
        if stream.channels == 0 || stream.channels > MAX_CHANNELS || stream.rate == 0 {
            let (channels, rate) = (stream.channels, stream.rate);
            return Err(DecodeError::damaged(format!("its index says {channels} channels at {rate} Hz")));
        }
        Ok(stream)
    };
    match &kind {
        b"mp4a" => es_descriptor(part(b"esds").get(4..).unwrap_or_default(), rate, channels),
        b".mp3" | b"ms\0U" => Ok(Stream::new(Coding::Mpeg(3), rate, channels)),
        b"alac" => {
            let mut stream = Stream::new(Coding::Alac, rate, channels);
            stream.extra = part(b"alac").get(4..).unwrap_or_default().to_vec();
            // The cookie contains rates that the entry cannot represent.
            stream.rate = if stream.extra.len() >= 24 { bytes::u32_be(&stream.extra, 20) } else { rate };
            checked(stream)
        }
        b"fLaC" => Ok(flac::Info::parse(part(b"dfLa").get(8..).unwrap_or_default()).stream()),
        b"Opus" => Ok(ogg::opus_stream(&opus_head(part(b"dOps")))),
        b"drms" => Err(DecodeError::Protected("iTunes M4P".to_owned())),
        b"enca" => Err(DecodeError::Protected("encrypted MP4".to_owned())),
        b"aavd" => Err(DecodeError::Protected("an Audible book".to_owned())),
        b"lpcm" => {
            let width = (bits.div_ceil(8)).clamp(1, 8) as u8;
            let kind = match flags {
                flags if flags & 1 != 0 => PcmKind::Float,
                flags if flags & 4 == 0 && width == 1 => PcmKind::Unsigned,
                _ => PcmKind::Signed,
            };
            let format = PcmFormat::new(kind, width, flags & 2 != 0);
            checked(Stream::new(Coding::Pcm(format), rate, channels))
        }
        b"ac-3" | b"ec-3" | b"dtsc" | b"dtse" | b"samr" | b"sawb" | b"mlpa" | b"ac-4" => {
            let name = String::from_utf8_lossy(&kind).into_owned();
            Err(DecodeError::unsupported(format!("an MP4 file with the coding {name}")))
        }
        _ => {
            let (mut coding, _) = aiff::coding(&kind, bits, channels)?;
            if let Coding::Pcm(format) = &mut coding
                && bytes::u16_be(part(b"enda"), 0) == 1
            {
                format.big_endian = false;
            }
            let mut stream = Stream::new(coding, rate, channels);
            if coding == Coding::AdpcmQuickTime {
                stream.block_frames = 64;
            }
            checked(stream)
        }
    }
}

/// Converts a `dOps` box to an `OpusHead` packet.
fn opus_head(dops: &[u8]) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.extend(dops.get(1..2).unwrap_or(&[2]));
    head.extend(bytes::u16_be(dops, 2).to_le_bytes());
    head.extend(bytes::u32_be(dops, 4).to_le_bytes());
    head.extend(bytes::u16_be(dops, 8).to_le_bytes());
    head.extend(dops.get(10..).unwrap_or(&[0]));
    head
}

/// Tag and body of the next descriptor, and the bytes after it.
fn descriptor(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, mut rest) = data.split_first()?;
    let mut size = 0;
    for _ in 0..4 {
        let (byte, after) = rest.split_first()?;
        rest = after;
        size = size << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (body, after) = rest.split_at(size.min(rest.len()));
    Some((*tag, body, after))
}

/// The stream that an elementary stream descriptor describes.
pub(crate) fn es_descriptor(content: &[u8], rate: u32, channels: usize) -> Result<Stream, DecodeError> {
    let config = descriptor(content)
        .filter(|(tag, ..)| *tag == 3)
        .and_then(|(_, body, _)| {
            let [flags] = bytes::at(body, 2);
            let mut at = 3 + if flags & 0x80 != 0 { 2 } else { 0 };
            if flags & 0x40 != 0 {
                at += 1 + usize::from(body.get(at).copied().unwrap_or(0));
            }
            at += if flags & 0x20 != 0 { 2 } else { 0 };
            descriptor(body.get(at..)?)
        })
        .filter(|(tag, ..)| *tag == 4)
        .map(|(_, body, _)| body);
    let Some(config) = config else { return mp4::aac_stream(&[], rate, channels) };
    let specific = config.get(13..).and_then(descriptor).map(|(_, body, _)| body).unwrap_or_default();
    match config.first() {
        Some(0x40 | 0x66..=0x68) => mp4::aac_stream(specific, rate, channels),
        Some(0x69 | 0x6b) => Ok(Stream::new(Coding::Mpeg(3), rate, channels)),
        Some(0xa5) => Err(DecodeError::unsupported("an MP4 file with AC-3 in it")),
        Some(0xdd) => Err(DecodeError::unsupported("an MP4 file with Vorbis in it")),
        other => Err(DecodeError::unsupported(format!(
            "an MP4 file with sound of type 0x{:02x}",
            other.copied().unwrap_or(0)
        ))),
    }
}
