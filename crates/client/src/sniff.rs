//! Finds an audio file's own sample rate in its header.
//!
//! `decodeAudioData` resamples to the rate of its context with the browser's resampler. The networks
//! were trained on audio that `cratedigger-dsp` resampled, so the client decodes at the file's own
//! rate and has to know this rate before it decodes. The browser's decoder decides whether a file is
//! audio; an unknown format gives `None` here.

/// Random access to a file's bytes. A trait instead of a slice, so that a 300 MB file is not copied
/// into WebAssembly's memory for a few header fields. Implemented for `Fn(offset, length)`.
pub trait Source {
    /// At most `length` bytes from `offset` on; fewer, or none, past the end.
    fn read(&self, offset: u64, length: usize) -> Vec<u8>;
}

impl<F: Fn(u64, usize) -> Vec<u8>> Source for F {
    fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        self(offset, length)
    }
}

/// Limit on the chunks or boxes read; no real file has as many before its format.
const MAX_CHUNKS: usize = 256;
/// Bytes after the tags in which the first MPEG frame is searched.
const MPEG_SEARCH: usize = 64 * 1024;

/// The sample rate in the file's header, in Hz; never 0.
///
/// Reads WAV (and RF64), FLAC, MP3, AAC in ADTS, Ogg (Vorbis, Opus, FLAC), AIFF and MP4 audio.
#[must_use]
pub fn sample_rate(source: &impl Source) -> Option<u32> {
    let start = after_id3(source);
    let head = source.read(start, 64);
    let rate = match head.get(..4)? {
        b"RIFF" | b"RF64" if head.get(8..12)? == b"WAVE" => wav(source, start),
        b"FORM" if matches!(head.get(8..12)?, b"AIFF" | b"AIFC") => aiff(source, start),
        b"fLaC" => flac_streaminfo(head.get(8..)?),
        b"OggS" => ogg(&source.read(start, 512)),
        _ if head.get(4..8)? == b"ftyp" => mp4(source),
        _ => mpeg(&source.read(start, MPEG_SEARCH)),
    };
    rate.filter(|rate| *rate > 0)
}

pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(crate) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Offset of the first byte after all ID3v2 tags. A file may have several, each with megabytes of
/// cover art, and some tools write them before FLAC, too.
pub(crate) fn after_id3(source: &impl Source) -> u64 {
    let mut start = 0u64;
    for _ in 0..8 {
        let head = source.read(start, 10);
        let (Some(b"ID3"), Some(flags), Some(size)) = (head.get(..3), head.get(5), head.get(6..10)) else {
            break;
        };
        // The size has seven bits a byte; with an eighth bit set, this is not a tag.
        if size.iter().any(|byte| byte & 0x80 != 0) {
            break;
        }
        let body = size.iter().fold(0u64, |sum, byte| (sum << 7) | u64::from(*byte));
        let footer = if flags & 0x10 != 0 { 10 } else { 0 };
        start = start.saturating_add(10 + body + footer);
    }
    start
}

fn wav(source: &impl Source, start: u64) -> Option<u32> {
    let mut at = start.checked_add(12)?;
    for _ in 0..MAX_CHUNKS {
        let chunk = source.read(at, 24);
        let size = le32(&chunk, 4)?;
        if chunk.get(..4)? == b"fmt " {
            return le32(&chunk, 12);
        }
        // Chunks are padded to an even length.
        at = at.checked_add(8 + u64::from(size) + u64::from(size & 1))?;
    }
    None
}

fn aiff(source: &impl Source, start: u64) -> Option<u32> {
    let mut at = start.checked_add(12)?;
    for _ in 0..MAX_CHUNKS {
        let chunk = source.read(at, 26);
        let size = be32(&chunk, 4)?;
        if chunk.get(..4)? == b"COMM" {
            return extended(chunk.get(16..26)?);
        }
        at = at.checked_add(8 + u64::from(size) + u64::from(size & 1))?;
    }
    None
}

/// Integer part of an 80-bit extended float, in which AIFF stores its rate; `None` outside of `u32`.
fn extended(bytes: &[u8]) -> Option<u32> {
    let exponent = i32::from(be16(bytes, 0)?) - 16383;
    let mantissa = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
    if !(0..=31).contains(&exponent) {
        return None;
    }
    u32::try_from(mantissa >> (63 - exponent)).ok()
}

/// Reads the rate from a STREAMINFO block; `body` starts after the block's 4-byte header.
fn flac_streaminfo(body: &[u8]) -> Option<u32> {
    // The rate has 20 bits and follows two block sizes of 16 bits and two frame sizes of 24.
    Some(be32(body, 10)? >> 12)
}

fn ogg(page: &[u8]) -> Option<u32> {
    let segments = usize::from(*page.get(26)?);
    let packet = page.get(27 + segments..)?;
    if packet.starts_with(b"\x01vorbis") {
        return le32(packet, 12);
    }
    if packet.starts_with(b"OpusHead") {
        // Opus always decodes at 48 kHz; the header's rate is that of the encoder's input.
        return Some(48_000);
    }
    if packet.starts_with(b"\x7fFLAC") {
        // Skips the mapping header (9 bytes), `fLaC` and the block's header (4).
        return flac_streaminfo(packet.get(17..)?);
    }
    None
}

/// Walks `moov/trak/mdia/minf/stbl/stsd` to the first audio sample entry.
fn mp4(source: &impl Source) -> Option<u32> {
    let mut at = 0u64;
    for _ in 0..MAX_CHUNKS {
        let head = source.read(at, 16);
        let kind = head.get(4..8)?;
        let (header, size) = match be32(&head, 0)? {
            1 => (16u64, (u64::from(be32(&head, 8)?) << 32) | u64::from(be32(&head, 12)?)),
            size => (8, u64::from(size)),
        };
        at = match kind {
            // Containers: go to the first child.
            b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" => at.checked_add(header)?,
            b"stsd" => {
                // Skips version, flags and the number of entries.
                let entry = source.read(at.checked_add(header + 8)?, 36);
                if let b"mp4a" | b"alac" | b"fLaC" | b"Opus" = entry.get(4..8)? {
                    // 16.16 fixed point; rates from 64 kHz on do not fit and are written as 0.
                    return Some(be32(&entry, 32)? >> 16);
                }
                // This track is not audio (cover art or video): go on to the next.
                at.checked_add(size.max(header))?
            }
            // A box of size 0 reaches to the end of the file.
            _ if size == 0 => return None,
            _ => at.checked_add(size.max(header))?,
        };
    }
    None
}

/// Sample rate and length in bytes of one MPEG audio frame, from its header of 4 bytes (ADTS: 7).
pub(crate) fn mpeg_frame(bytes: &[u8]) -> Option<(u32, usize)> {
    let word = be32(bytes, 0)?;
    if word >> 21 != 0x7ff {
        return None;
    }
    let version = (word >> 19) & 3;
    let layer = (word >> 17) & 3;
    if layer == 0 {
        return adts_frame(bytes);
    }
    let base = match (word >> 10) & 3 {
        0 => 44_100,
        1 => 48_000,
        2 => 32_000,
        _ => return None,
    };
    let (rate, old) = match version {
        3 => (base, false),
        2 => (base / 2, true),
        0 => (base / 4, true),
        _ => return None,
    };
    const V1L1: [u32; 15] = [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448];
    const V1L2: [u32; 15] = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
    const V1L3: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const V2L1: [u32; 15] = [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256];
    const V2L23: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let table = match (old, layer) {
        (false, 3) => V1L1,
        (false, 2) => V1L2,
        (false, _) => V1L3,
        (true, 3) => V2L1,
        (true, _) => V2L23,
    };
    let bitrate = 1000 * table.get(usize::try_from((word >> 12) & 15).ok()?)?;
    if bitrate == 0 {
        return None;
    }
    let padding = (word >> 9) & 1;
    let length = match (layer, old) {
        (3, _) => (12 * bitrate / rate + padding) * 4,
        (1, true) => 72 * bitrate / rate + padding,
        _ => 144 * bitrate / rate + padding,
    };
    Some((rate, usize::try_from(length).ok()?))
}

fn adts_frame(bytes: &[u8]) -> Option<(u32, usize)> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
    ];
    // ADTS has twelve synchronisation bits, one more than MPEG audio.
    if bytes.get(1)? & 0xf6 != 0xf0 {
        return None;
    }
    let rate = *RATES.get(usize::from((bytes.get(2)? >> 2) & 15))?;
    let length = (usize::from(bytes.get(3)? & 3) << 11)
        | (usize::from(*bytes.get(4)?) << 3)
        | (usize::from(*bytes.get(5)?) >> 5);
    (length >= 7).then_some((rate, length))
}

/// Rate of the first frame that is followed by another frame of the same rate. One header is not
/// enough: eleven set bits also occur by chance.
fn mpeg(bytes: &[u8]) -> Option<u32> {
    (0..bytes.len()).find_map(|at| {
        let (rate, length) = mpeg_frame(bytes.get(at..)?)?;
        let next = bytes.get(at.checked_add(length)?..)?;
        (mpeg_frame(next)?.0 == rate).then_some(rate)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(bytes: &[u8]) -> Option<u32> {
        sample_rate(&|offset: u64, length: usize| {
            bytes
                .iter()
                .skip(usize::try_from(offset).unwrap_or(usize::MAX))
                .take(length)
                .copied()
                .collect::<Vec<u8>>()
        })
    }

    fn wav(rate: u32, before: &[u8]) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
        file.extend_from_slice(before);
        file.extend_from_slice(b"fmt \x10\0\0\0\x01\0\x02\0");
        file.extend_from_slice(&rate.to_le_bytes());
        file.extend_from_slice(&[0; 32]);
        file
    }

    fn mp3(header: [u8; 4], length: usize, frames: usize) -> Vec<u8> {
        let mut frame = header.to_vec();
        frame.resize(length, 0);
        frame.repeat(frames)
    }

    fn id3(body: usize) -> Vec<u8> {
        let seven = |shift: usize| u8::try_from((body >> shift) & 0x7f).unwrap_or(0);
        let mut tag = b"ID3\x04\0\0".to_vec();
        tag.extend_from_slice(&[seven(21), seven(14), seven(7), seven(0)]);
        // Cover art may contain the bytes of a frame header.
        tag.resize(10 + body, 0xff);
        tag
    }

    fn flac(rate: u32) -> Vec<u8> {
        let mut file = b"fLaC\0\0\0\x22".to_vec();
        file.extend_from_slice(&[0; 10]);
        file.extend_from_slice(&((rate << 12) | 0x2f0).to_be_bytes());
        file.extend_from_slice(&[0; 20]);
        file
    }

    fn ogg(packet: &[u8]) -> Vec<u8> {
        let mut file = b"OggS\0\x02".to_vec();
        file.resize(26, 0);
        file.extend_from_slice(&[1, u8::try_from(packet.len()).unwrap_or(0)]);
        file.extend_from_slice(packet);
        file.resize(file.len().max(64), 0);
        file
    }

    #[test]
    fn wav_with_and_without_chunks_before_the_format() {
        assert_eq!(rate(&wav(22_050, b"")), Some(22_050));
        assert_eq!(rate(&wav(96_000, b"JUNK\x03\0\0\0abc\0")), Some(96_000));
        let mut rf64 = wav(48_000, b"");
        rf64.splice(..4, *b"RF64");
        assert_eq!(rate(&rf64), Some(48_000));
    }

    #[test]
    fn flac_alone_and_after_a_tag() {
        assert_eq!(rate(&flac(44_100)), Some(44_100));
        assert_eq!(rate(&[id3(300), flac(192_000)].concat()), Some(192_000));
    }

    #[test]
    fn mp3_of_each_version() {
        // MPEG 1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes a frame.
        assert_eq!(rate(&mp3([0xff, 0xfb, 0x90, 0x00], 417, 4)), Some(44_100));
        // MPEG 2, 64 kbit/s, 22.05 kHz: 208 bytes.
        assert_eq!(rate(&mp3([0xff, 0xf3, 0x80, 0x00], 208, 4)), Some(22_050));
        // MPEG 2.5, 8 kbit/s, 8 kHz: 72 bytes.
        assert_eq!(rate(&mp3([0xff, 0xe3, 0x18, 0x00], 72, 4)), Some(8_000));
    }

    #[test]
    fn mp3_after_a_large_tag_and_after_noise() {
        let song = mp3([0xff, 0xfb, 0x94, 0x00], 384, 3);
        assert_eq!(rate(&[id3(200_000), song.clone()].concat()), Some(48_000));
        assert_eq!(rate(&[vec![0xff, 0xfb, 0x90, 0x00, 7, 7], song].concat()), Some(48_000));
    }

    #[test]
    fn a_lone_frame_header_is_not_believed() {
        let mut chance = vec![0u8; 2000];
        chance.splice(100..104, [0xff, 0xfb, 0x90, 0x00]);
        assert_eq!(rate(&chance), None);
    }

    #[test]
    fn adts() {
        // AAC LC, 44.1 kHz (index 4), stereo, 100 bytes a frame.
        let frame = [0xff, 0xf1, 0x50, 0x80, 100 >> 3, ((100 & 7) << 5) | 0x1f, 0xfc];
        let mut file = frame.to_vec();
        file.resize(100, 0);
        assert_eq!(rate(&file.repeat(3)), Some(44_100));
    }

    #[test]
    fn ogg_with_each_codec() {
        let mut vorbis = b"\x01vorbis\0\0\0\0\x02".to_vec();
        vorbis.extend_from_slice(&32_000u32.to_le_bytes());
        vorbis.resize(30, 0);
        assert_eq!(rate(&ogg(&vorbis)), Some(32_000));
        let mut opus = b"OpusHead\x01\x02\0\0".to_vec();
        opus.extend_from_slice(&44_100u32.to_le_bytes());
        assert_eq!(rate(&ogg(&opus)), Some(48_000));
        let mapped = [b"\x7fFLAC\x01\0\0\x01".to_vec(), flac(88_200)].concat();
        assert_eq!(rate(&ogg(&mapped)), Some(88_200));
        assert_eq!(rate(&ogg(b"\x80theora")), None);
    }

    #[test]
    fn aiff_with_its_extended_float() {
        let mut file = b"FORM\0\0\0\0AIFFCOMM\0\0\0\x12\0\x02\0\0\0\0\0\x10".to_vec();
        // 44100 = 0xac44 · 2^0: exponent 15.
        file.extend_from_slice(&[0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0]);
        assert_eq!(rate(&file), Some(44_100));
    }

    #[test]
    fn mp4_walks_to_the_audio_track() {
        fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
            let size = u32::try_from(body.len() + 8).unwrap_or(0);
            [&size.to_be_bytes(), kind.as_slice(), body].concat()
        }
        fn track(codec: &[u8; 4], rate: u32) -> Vec<u8> {
            let mut entry = vec![0u8; 28];
            entry.splice(24..28, (rate << 16).to_be_bytes());
            let list = [&[0, 0, 0, 0, 0, 0, 0, 1], boxed(codec, &entry).as_slice()].concat();
            let table = boxed(b"stbl", &boxed(b"stsd", &list));
            let header = boxed(b"tkhd", &[0; 20]);
            boxed(b"trak", &[header, boxed(b"mdia", &boxed(b"minf", &table))].concat())
        }
        let movie = boxed(b"moov", &[track(b"jpeg", 0), track(b"mp4a", 48_000)].concat());
        let file = [boxed(b"ftyp", b"M4A \0\0\0\0"), boxed(b"mdat", &[9; 500]), movie].concat();
        assert_eq!(rate(&file), Some(48_000));
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        assert_eq!(rate(b""), None);
        assert_eq!(rate(b"ID3"), None);
        assert_eq!(rate(&[0; 4096]), None);
        assert_eq!(rate(&wav(0, b"")), None);
    }

    /// Every prefix, and every prefix with one changed byte. The rate may be wrong; no panic.
    #[test]
    fn broken_headers_do_not_panic() {
        let samples = [
            wav(44_100, b"LIST\x04\0\0\0abcd"),
            flac(44_100),
            mp3([0xff, 0xfb, 0x90, 0x00], 417, 2),
            ogg(b"OpusHead\x01\x02\0\0\0\0\0\0"),
            [id3(20), flac(48_000)].concat(),
            b"FORM\0\0\0\0AIFFCOMM\0\0\0\x12\0\x02\0\0\0\0\0\x10\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                .to_vec(),
            b"\0\0\0\x08ftyp\0\0\0\x01moov\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        ];
        for sample in samples {
            for end in 0..sample.len().min(600) {
                let mut prefix = sample.iter().take(end).copied().collect::<Vec<u8>>();
                let _ = rate(&prefix);
                if let Some(last) = prefix.last_mut() {
                    *last ^= 0xff;
                }
                let _ = rate(&prefix);
            }
        }
    }
}
