//! WAV, RF64, BW64 and big-endian RIFX.
//!
//! Sizes in headers are unreliable. Interrupted recorders leave 0, programs that write to a pipe leave
//! 2³² − 1, and editors leave the sizes of an earlier version.

use super::mpeg::{Family, Framed};
use super::raw::{Region, adpcm_frames};
use super::{Coding, Demuxer, Event, MAX_CHANNELS, Stream, Tail};
use crate::codec::pcm::{PcmFormat, PcmKind};
use crate::source::Source;
use crate::{DecodeError, Note, Notes, bytes};

/// Maximum number of bytes that are searched for a chunk that is not at its expected position.
const SEARCH: u64 = 1 << 24;
/// Maximum duration in seconds of data after the declared end that is ignored.
const SLIGHT: f64 = 0.05;
/// IDs of chunks that follow the sound, for files that end within one.
const TRAILERS: [&[u8; 4]; 14] = [
    b"LIST", b"id3 ", b"ID3 ", b"fact", b"cue ", b"smpl", b"bext", b"iXML", b"PEAK", b"JUNK", b"afsp",
    b"_PMX", b"cart", b"inst",
];

struct Wav {
    source: Source,
    stream: Stream,
    region: Region,
    /// Number of frames according to the fact chunk; used for ADPCM, whose last block is padded.
    fact: Option<u32>,
    started: bool,
    ended: bool,
}

/// Opens a file that begins with RIFF, RIFX, RF64 or BW64, and WAVE.
pub(crate) fn open(mut source: Source, notes: &mut Notes) -> Result<Box<dyn Demuxer>, DecodeError> {
    let (format, region) = header(&mut source, notes)?;
    match format.payload {
        Payload::Samples(stream) => {
            let fact = format.fact;
            Ok(Box::new(Wav { source, stream, region, fact, started: false, ended: false }))
        }
        Payload::Frames(family) => Ok(Box::new(Framed::new(source, family))),
    }
}

impl Demuxer for Wav {
    fn next(&mut self, notes: &mut Notes) -> Result<Event, DecodeError> {
        if !self.started {
            self.started = true;
            return Ok(Event::Stream(self.stream.clone()));
        }
        if let Some(packet) = self.region.next(&mut self.source, &self.stream)? {
            return Ok(Event::Packet(packet));
        }
        if self.ended {
            return Ok(Event::End);
        }
        let tail = self.fact.map_or(Tail::Keep, |frames| Tail::After(u64::from(frames)));
        // Another concatenated file may follow.
        let end = self.region.end;
        for at in [end, end + 1] {
            self.source.seek(at.min(self.source.length()))?;
            let next = self.source.peek(12)?;
            if is_wave(next)
                && let Ok((format, region)) = header(&mut self.source, notes)
                && let Payload::Samples(mut stream) = format.payload
            {
                stream.joined = true;
                (self.stream, self.region, self.started, self.fact) = (stream, region, false, format.fact);
                return Ok(Event::StreamEnd(tail));
            }
        }
        self.source.seek(self.source.length())?;
        self.region.end = self.source.length();
        self.ended = true;
        Ok(Event::StreamEnd(tail))
    }
}

/// Whether a WAV file begins here.
pub(crate) fn is_wave(start: &[u8]) -> bool {
    let magics: [&[u8]; 4] = [b"RIFF", b"RIFX", b"RF64", b"BW64"];
    magics.iter().any(|magic| start.starts_with(magic)) && start.get(8..12) == Some(b"WAVE")
}

enum Payload {
    Samples(Stream),
    Frames(Family),
}

struct Format {
    payload: Payload,
    /// Bytes per second: from the sample format for PCM, from the header otherwise.
    bytes_per_second: f64,
    unit: usize,
    big_endian: bool,
    /// Number of bits of the samples, if they may be aligned to the low end of their bytes.
    low_bits: Option<u8>,
    fact: Option<u32>,
}

/// Reads the chunks up to the sound. Afterwards, the source is at the first byte of the sound.
fn header(source: &mut Source, notes: &mut Notes) -> Result<(Format, Region), DecodeError> {
    let big_endian = source.peek(4)?.starts_with(b"RIFX");
    source.skip(12)?;
    let word =
        |chunk: &[u8], at| if big_endian { bytes::u32_be(chunk, at) } else { bytes::u32_le(chunk, at) };
    let mut format = None;
    let (mut long_size, mut fact) = (0, 0);
    let mut resume = source.position();
    let mut searched = false;
    loop {
        let chunk = source.peek(8)?.to_vec();
        let size = word(&chunk, 4);
        let fits = u64::from(size) <= source.left().saturating_sub(8);
        let id = chunk.get(..4).unwrap_or_default();
        match id {
            b"data" => {
                source.skip(8)?;
                let mut format = format.ok_or_else(|| DecodeError::damaged("its format chunk is missing"))?;
                let claim = if size == u32::MAX && long_size > 0 { long_size } else { u64::from(size) };
                let end = data_end(source, claim, &format, notes)?;
                align(source, &mut format, notes)?;
                if let Payload::Samples(stream) = &mut format.payload
                    && stream.block_frames > 0
                    && fact > 0
                {
                    stream.hold = stream.block_frames as usize;
                    format.fact = Some(fact);
                }
                let region = Region { end, unit: format.unit };
                return Ok((format, region));
            }
            b"fmt " if format.is_none() => {
                source.skip(8)?;
                format = Some(parse_format(source.peek(size.clamp(16, 64) as usize)?, big_endian)?);
                resume = source.position() + 16;
                // If the length is wrong, the sound is searched from the end of the shortest format chunk.
                source.skip(if fits { 0 } else { 16 })?;
                skip_chunk(source, if fits { u64::from(size) } else { 0 })?;
            }
            b"ds64" | b"fact" if fits => {
                source.skip(8)?;
                let body = source.peek(size.min(16) as usize)?;
                if id == b"fact" {
                    fact = word(body, 0);
                } else {
                    long_size = bytes::u64_le(body, 8);
                }
                skip_chunk(source, u64::from(size))?;
            }
            _ if chunk.len() == 8 && fits && plausible(id) => {
                source.skip(8)?;
                skip_chunk(source, u64::from(size))?;
            }
            _ if !searched => {
                source.seek(resume)?;
                let needles: &[&[u8]] = if format.is_some() { &[b"data"] } else { &[b"fmt ", b"data"] };
                let Some((at, _)) = source.find(needles, SEARCH)? else {
                    return Err(no_data(format.is_some()));
                };
                notes.add(Note::Header("has a chunk of a wrong length; the sound was searched for"));
                source.seek(at)?;
                // If this is not a chunk either, the search continues after it.
                resume = at + 1;
                // Two searches are possible: for the format, then for the data.
                searched = format.is_some();
            }
            _ => return Err(no_data(format.is_some())),
        }
    }
}

fn no_data(format: bool) -> DecodeError {
    if format {
        DecodeError::no_sound("a WAV file that ends before its first sample")
    } else {
        DecodeError::no_sound("a WAV file that ends in its header")
    }
}

/// Moves past a chunk's body and its padding byte, which some programs leave out.
fn skip_chunk(source: &mut Source, size: u64) -> std::io::Result<()> {
    source.skip(size)?;
    if size % 2 == 1 {
        let next = source.peek(9)?;
        let known = |id: Option<&[u8]>| {
            id.is_some_and(|id| {
                TRAILERS.iter().chain(&[b"data", b"fmt "]).any(|known| id == known.as_slice())
            })
        };
        let unpadded = known(next.get(..4)) && !known(next.get(1..5));
        if !unpadded {
            source.skip(1)?;
        }
    }
    Ok(())
}

fn plausible(id: &[u8]) -> bool {
    id.len() == 4 && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b" _-.%".contains(byte))
}

/// File position of the end of the sound that begins at the position of the source.
fn data_end(source: &mut Source, claim: u64, format: &Format, notes: &mut Notes) -> Result<u64, DecodeError> {
    let (start, length) = (source.position(), source.length());
    let there = length.saturating_sub(start);
    let unknown = claim == 0 || claim == u64::from(u32::MAX);
    if claim >= there {
        if unknown {
            notes.add(Note::Header("does not say how long the sound is; it was decoded to the end"));
        } else if claim > there {
            notes.add(Note::Truncated { container: "The WAV file" });
        }
        return Ok(length);
    }
    let ends = ends_in_chunks(source, start + claim)?;
    source.seek(start)?;
    if ends {
        return Ok(start + claim);
    }
    let seconds = |bytes: u64| bytes as f64 / format.bytes_per_second.max(1.0);
    if unknown {
        notes.add(Note::Header("does not say how long the sound is; it was decoded to the end"));
    } else if seconds(there - claim) < SLIGHT {
        // A few bytes outside of chunks, such as padding and some tags.
        return Ok(start + claim);
    } else {
        notes.add(Note::WrongClaim { field: "data chunk", claimed: seconds(claim), found: seconds(there) });
    }
    Ok(length)
}

/// Whether only chunks, padding or another WAV file follow from `at` to the end.
fn ends_in_chunks(source: &mut Source, at: u64) -> Result<bool, DecodeError> {
    let mut at = at;
    loop {
        source.seek(at)?;
        let left = source.left();
        let head = source.peek(13)?.to_vec();
        // A remainder too short for a chunk is padding.
        if left < 8 || head.starts_with(b"TAG") && left == 128 {
            return Ok(true);
        }
        let start = match (plausible(head.get(..4).unwrap_or_default()), head.get(1..5)) {
            (true, _) => 0,
            (false, Some(id)) if plausible(id) && head.first() == Some(&0) => 1,
            _ => return Ok(false),
        };
        let id = head.get(start..start + 4).unwrap_or_default();
        if is_wave(source.peek(start + 12)?.get(start..).unwrap_or_default()) {
            return Ok(true);
        }
        let size = u64::from(bytes::u32_le(&head, start + 4));
        let next = at + start as u64 + 8 + size;
        if next > source.length() {
            return Ok(TRAILERS.iter().any(|known| id == known.as_slice()));
        }
        at = next;
    }
}

fn parse_format(body: &[u8], big_endian: bool) -> Result<Format, DecodeError> {
    let short = |at| if big_endian { bytes::u16_be(body, at) } else { bytes::u16_le(body, at) };
    let long = |at| if big_endian { bytes::u32_be(body, at) } else { bytes::u32_le(body, at) };
    if body.len() < 14 {
        return Err(DecodeError::damaged("its format chunk is too short"));
    }
    let extensible = short(0) == 0xfffe;
    let tag = if extensible { short(24) } else { short(0) };
    let (channels, rate, align, bits) = (usize::from(short(2)), long(4), usize::from(short(12)), short(14));
    if channels == 0 || channels > MAX_CHANNELS {
        return Err(DecodeError::damaged(format!("its header says {channels} channels")));
    }
    if rate == 0 {
        return Err(DecodeError::damaged("its header says a sample rate of 0 Hz"));
    }
    let payload = match tag {
        1 | 3 | 6 | 7 => {
            let (pcm, low_bits) = pcm_format(tag, usize::from(bits), align, channels, big_endian)?;
            let unit = pcm.frame(channels);
            let stream = Stream::new(Coding::Pcm(pcm), rate, channels);
            let bytes_per_second = f64::from(rate) * unit as f64;
            let payload = Payload::Samples(stream);
            return Ok(Format { payload, bytes_per_second, unit, big_endian, low_bits, fact: None });
        }
        2 | 0x11 => {
            let coding = if tag == 2 { Coding::AdpcmMs } else { Coding::AdpcmIma };
            let mut stream = Stream::new(coding, rate, channels);
            stream.block_frames = adpcm_frames(coding, align, channels);
            if stream.block_frames < 2 {
                return Err(DecodeError::damaged(format!("its header says blocks of {align} bytes")));
            }
            Payload::Samples(stream)
        }
        0x50 | 0x55 => Payload::Frames(Family::Mpeg),
        0xff | 0x1600 | 0x706d => Payload::Frames(Family::Adts),
        other => return Err(DecodeError::unsupported(coding_name(other))),
    };
    let bytes_per_second = f64::from(long(8));
    Ok(Format { payload, bytes_per_second, unit: align.max(1), big_endian, low_bits: None, fact: None })
}

fn coding_name(tag: u16) -> String {
    let name = match tag {
        0x31 => "GSM 6.10",
        0x22 => "TrueSpeech",
        0x45 | 0x64 | 0x65 => "G.726 ADPCM",
        0x160..=0x163 => "Windows Media Audio",
        0x2000 => "AC-3",
        0x2001 => "DTS",
        0x270 => "ATRAC3",
        _ => return format!("a WAV file with coding 0x{tag:04x}"),
    };
    format!("a WAV file with {name} in it")
}

/// The layout of PCM, and the number of bits if they may be at the low end of a wider container.
fn pcm_format(
    tag: u16,
    bits: usize,
    align: usize,
    channels: usize,
    big_endian: bool,
) -> Result<(PcmFormat, Option<u8>), DecodeError> {
    // The block alignment gives the width of the container: 24 bits can be in 3 or 4 bytes.
    let packed = bits.div_ceil(8);
    let container = align / channels;
    let width = match align % channels {
        0 if (packed..=8).contains(&container) && container > 0 => container,
        _ if (1..=8).contains(&packed) => packed,
        _ => return Err(DecodeError::damaged(format!("its header says {bits} bits per sample"))),
    };
    let kind = match tag {
        3 if width == 4 || width == 8 => PcmKind::Float,
        3 => return Err(DecodeError::unsupported(format!("a WAV file with floats of {bits} bits"))),
        6 => PcmKind::ALaw,
        7 => PcmKind::MuLaw,
        _ if width == 1 => PcmKind::Unsigned,
        _ => PcmKind::Signed,
    };
    let width = if matches!(kind, PcmKind::ALaw | PcmKind::MuLaw) { 1 } else { width };
    let low = kind == PcmKind::Signed && bits > 0 && bits < width * 8;
    Ok((PcmFormat::new(kind, width as u8, big_endian), if low { u8::try_from(bits).ok() } else { None }))
}

/// Number of bytes that are inspected for the alignment of samples in their container.
const LOOK: usize = 1 << 18;

/// Detects whether samples that are narrower than their container are at its low end. The standard puts them
/// at the high end, but some programs do not, and the header does not contain the alignment.
fn align(source: &mut Source, format: &mut Format, notes: &mut Notes) -> Result<(), DecodeError> {
    let (Some(bits), Payload::Samples(stream)) = (format.low_bits, &mut format.payload) else {
        return Ok(());
    };
    let Coding::Pcm(pcm) = &mut stream.coding else { return Ok(()) };
    let width = usize::from(pcm.width);
    let window = source.peek(LOOK)?;
    let unused = u32::from(pcm.width) * 8 - u32::from(bits).min(u32::from(pcm.width) * 8);
    let (mut low_used, mut high_is_sign) = (false, true);
    for sample in window.chunks_exact(width) {
        let value = sample.iter().enumerate().fold(0_u64, |value, (at, byte)| {
            let place = if format.big_endian { width - 1 - at } else { at };
            value | u64::from(*byte) << (8 * place)
        });
        // Shifts to the high end, so that the sign bit is the top bit.
        let value = (value << (64 - 8 * width as u32)) as i64;
        low_used |= (value >> (64 - 8 * width as u32)) & ((1 << unused.min(62)) - 1) != 0;
        high_is_sign &= (value << unused) >> unused == value;
    }
    if low_used && high_is_sign {
        pcm.kind = PcmKind::Low(bits);
        notes.add(Note::Header("does not say that the samples are at the low end of their bytes"));
    }
    Ok(())
}
