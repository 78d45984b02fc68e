//! AIFF and AIFC.

use super::raw::Region;
use super::{Coding, Demuxer, Event, MAX_CHANNELS, Stream};
use crate::codec::pcm::{PcmFormat, PcmKind};
use crate::source::Source;
use crate::{DecodeError, Note, Notes, bytes};

/// Maximum number of bytes that are searched for a chunk that is not at its expected position.
const SEARCH: u64 = 1 << 24;

struct Aiff {
    source: Source,
    stream: Stream,
    region: Region,
    started: bool,
}

struct Common {
    stream: Stream,
    unit: usize,
}

/// Opens a file that begins with FORM and AIFF or AIFC.
pub(crate) fn open(mut source: Source, notes: &mut Notes) -> Result<Box<dyn Demuxer>, DecodeError> {
    source.skip(12)?;
    let (mut common, mut sound) = (None, None);
    let mut resume = source.position();
    let mut searched = false;
    while common.is_none() || sound.is_none() {
        let here = source.position();
        let chunk = source.peek(8)?.to_vec();
        let size = u64::from(bytes::u32_be(&chunk, 4));
        let fits = size <= source.left().saturating_sub(8);
        match chunk.get(..4).unwrap_or_default() {
            b"COMM" if common.is_none() => {
                source.skip(8)?;
                common = Some(parse_common(source.peek(size.min(4096) as usize)?)?);
                resume = source.position();
            }
            b"SSND" => {
                let offset = u64::from(bytes::u32_be(source.peek(16)?, 8));
                sound = Some((here + 16, offset, size.saturating_sub(8)));
                if common.is_some() {
                    break;
                }
                source.skip(8)?;
            }
            id if chunk.len() == 8 && fits && id.iter().all(|byte| (b' '..127).contains(byte)) => {
                resume = here + 8;
                source.skip(8)?;
            }
            _ => {
                let needles: &[&[u8]] = if common.is_some() { &[b"SSND"] } else { &[b"COMM"] };
                source.seek(resume)?;
                let found = if searched { None } else { source.find(needles, SEARCH)? };
                let Some((at, _)) = found else { break };
                notes.add(Note::Header("has a chunk of a wrong length; the sound was searched for"));
                (searched, resume) = (common.is_some(), at + 4);
                source.seek(at)?;
                continue;
            }
        }
        source.skip(size + size % 2)?;
    }
    let Some(common) = common else {
        return Err(DecodeError::no_sound("an AIFF file that ends in its header"));
    };
    let Some((start, offset, claim)) = sound else {
        return Err(DecodeError::no_sound("an AIFF file that ends before its first sample"));
    };
    let start = if start + offset < source.length() { start + offset } else { start };
    let end = sound_end(&mut source, start, claim.saturating_sub(offset), &common, notes)?;
    source.seek(start)?;
    let region = Region { end, unit: common.unit };
    Ok(Box::new(Aiff { source, stream: common.stream, region, started: false }))
}

impl Demuxer for Aiff {
    fn next(&mut self, _notes: &mut Notes) -> Result<Event, DecodeError> {
        if !self.started {
            self.started = true;
            return Ok(Event::Stream(self.stream.clone()));
        }
        Ok(self.region.next(&mut self.source, &self.stream)?.map_or(Event::End, Event::Packet))
    }
}

/// The end of the sound. The length in the header is used only if nothing but chunks follows it.
fn sound_end(
    source: &mut Source,
    start: u64,
    claim: u64,
    common: &Common,
    notes: &mut Notes,
) -> Result<u64, DecodeError> {
    let length = source.length();
    let there = length.saturating_sub(start);
    if claim >= there {
        if claim > there {
            notes.add(Note::Truncated { container: "The AIFF file" });
        }
        return Ok(length);
    }
    let mut at = start + claim + claim % 2;
    loop {
        source.seek(at.min(length))?;
        if source.left() < 8 {
            return Ok(start + claim);
        }
        let chunk = source.peek(8)?;
        let named = chunk.get(..4).is_some_and(|id| id.iter().all(|byte| (b' '..127).contains(byte)));
        at += 8 + u64::from(bytes::u32_be(chunk, 4)).next_multiple_of(2);
        if !named || at > length + 1 {
            break;
        }
    }
    let frames = |bytes: u64| bytes as f64 / common.unit as f64;
    let per_unit = f64::from(common.stream.block_frames.max(1));
    let seconds = |bytes| frames(bytes) * per_unit / f64::from(common.stream.rate.max(1));
    if claim == 0 {
        notes.add(Note::Header("does not say how long the sound is; it was decoded to the end"));
    } else {
        notes.add(Note::WrongClaim { field: "SSND chunk", claimed: seconds(claim), found: seconds(there) });
    }
    Ok(length)
}

fn parse_common(body: &[u8]) -> Result<Common, DecodeError> {
    if body.len() < 18 {
        return Err(DecodeError::damaged("its COMM chunk, which describes the samples, is too short"));
    }
    let channels = usize::from(bytes::u16_be(body, 0));
    let bits = bytes::u16_be(body, 6);
    let rate = extended(body.get(8..18).unwrap_or_default());
    if channels == 0 || channels > MAX_CHANNELS {
        return Err(DecodeError::damaged(format!("its header says {channels} channels")));
    }
    // Also false for NaN.
    let valid = (1.0..4e9).contains(&rate);
    if !valid {
        return Err(DecodeError::damaged(format!("its header says a sample rate of {rate} Hz")));
    }
    let kind = body.get(18..22).unwrap_or(b"NONE");
    let (coding, unit) = coding(kind, bits, channels)?;
    let mut stream = Stream::new(coding, rate.round() as u32, channels);
    if coding == Coding::AdpcmQuickTime {
        stream.block_frames = 64;
    }
    Ok(Common { stream, unit })
}

/// The coding with a QuickTime code, and the bytes of its unit (frame or block). Also used for CAF and MOV.
pub(crate) fn coding(kind: &[u8], bits: u16, channels: usize) -> Result<(Coding, usize), DecodeError> {
    let width = (usize::from(bits).div_ceil(8)).clamp(1, 8) as u8;
    let (kind, width, big_endian) = match kind {
        b"NONE" | b"twos" | b"none" => (PcmKind::Signed, width, true),
        b"sowt" => (PcmKind::Signed, width, false),
        b"raw " if width == 1 => (PcmKind::Unsigned, 1, true),
        b"raw " => (PcmKind::Signed, width, true),
        b"in16" => (PcmKind::Signed, 2, true),
        b"in24" => (PcmKind::Signed, 3, true),
        b"in32" => (PcmKind::Signed, 4, true),
        b"42ni" => (PcmKind::Signed, 3, false),
        b"23ni" => (PcmKind::Signed, 4, false),
        b"fl32" | b"FL32" => (PcmKind::Float, 4, true),
        b"fl64" | b"FL64" => (PcmKind::Float, 8, true),
        b"alaw" | b"ALAW" => (PcmKind::ALaw, 1, true),
        b"ulaw" | b"ULAW" => (PcmKind::MuLaw, 1, true),
        b"ima4" => return Ok((Coding::AdpcmQuickTime, 34 * channels)),
        other => {
            let name = String::from_utf8_lossy(other).into_owned();
            return Err(DecodeError::unsupported(format!("sound in the coding '{}'", name.escape_default())));
        }
    };
    let format = PcmFormat::new(kind, width, big_endian);
    Ok((Coding::Pcm(format), format.frame(channels)))
}

/// An 80-bit IEEE extended number.
fn extended(bytes: &[u8]) -> f64 {
    let exponent = i32::from(bytes::u16_be(bytes, 0) & 0x7fff);
    let mantissa = bytes::u64_be(bytes, 2);
    mantissa as f64 * 2_f64.powi((exponent - 16383 - 63).clamp(-2000, 2000))
}
