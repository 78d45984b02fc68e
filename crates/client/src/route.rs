//! Decides who decodes a file: the browser, at once, or the page's own decoder, piece by piece.
//!
//! Headers and a walk over frames and pages decide; nothing is decoded for it. What a header claims can
//! only choose the way, never the length of the sound: the page's own decoder decodes all that is there.

use crate::sniff::{Source, after_id3, be16, be32, le32, mpeg_frame};

/// Longest sound that the browser decodes, in seconds. It decodes a file as a whole into 32-bit floats, of
/// which stereo at 44.1 kHz takes 21 MB a minute, several times on the way.
pub const LONGEST_SECONDS: f64 = 900.0;
/// Largest file that is read as a whole, in bytes. The best compression that is in wide use for music (320
/// kbit/s MP3) has 15 minutes in 36 MB; lossless files of that size are shorter.
const LARGEST: f64 = 128e6;
/// The same for MPEG audio, whose highest bit rate is known.
const LARGEST_MPEG: f64 = 40e6;
/// Bytes that are read at a time while walking.
const WINDOW: usize = 1 << 16;

/// What can be told about a file without decoding it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scan {
    /// Length in seconds, as far as it can be told.
    pub seconds: Option<f64>,
    /// Whether `seconds` was counted, frame by frame or page by page, so that a shorter result is a wrong one.
    pub counted: bool,
    /// Whether browsers decode only a part of it, or decode it wrongly.
    pub mixed: bool,
}

impl Scan {
    /// Whether the browser should not be asked.
    pub fn is_for_own_decoder(&self) -> bool {
        self.mixed || self.seconds.is_some_and(|seconds| seconds > LONGEST_SECONDS)
    }
}

/// Whether a file is too large to be read as a whole; `source` needs only its beginning. `bytes` is its size.
pub fn is_too_large(source: &impl Source, bytes: f64) -> bool {
    let head = source.read(0, 64);
    match head.get(..4) {
        Some(b"RIFF" | b"RF64") => match wav(source) {
            Some(wav) => bytes / wav.bytes_a_second > LONGEST_SECONDS,
            None => bytes > LARGEST,
        },
        _ if mpeg_begins(source) => bytes > LARGEST_MPEG,
        _ => bytes > LARGEST,
    }
}

/// Scans a file. `bytes` is its size.
pub fn scan(source: &impl Source, bytes: f64) -> Scan {
    let start = after_id3(source);
    let head = source.read(start, 64);
    let at_start = |magic: &[u8]| head.starts_with(magic);
    if at_start(b"RIFF") || at_start(b"RF64") {
        let Some(wav) = wav(source) else { return Scan::default() };
        Scan { seconds: Some(bytes / wav.bytes_a_second), counted: false, mixed: wav.mixed }
    } else if at_start(b"fLaC") {
        Scan { seconds: flac_seconds(&head), ..Scan::default() }
    } else if at_start(b"OggS") {
        ogg(source, start, bytes)
    } else if head.get(4..8) == Some(b"ftyp") {
        Scan { seconds: mp4_seconds(source), ..Scan::default() }
    } else {
        mpeg(source, start, bytes)
    }
}

/// What decides about a WAV file.
struct Wav {
    bytes_a_second: f64,
    /// Whether its samples lie in words of another size (browsers refuse that, or read noise), or go on after
    /// the end that is claimed.
    mixed: bool,
}

fn wav(source: &impl Source) -> Option<Wav> {
    let mut at = 12u64;
    let mut found = None;
    for _ in 0..64 {
        let chunk = source.read(at, 48);
        let (Some(kind), Some(size)) = (chunk.get(..4), le32(&chunk, 4)) else { break };
        if kind == b"fmt " {
            found = Some(wav_format(&chunk)?);
        }
        at = at.checked_add(8 + u64::from(size) + u64::from(size & 1))?;
        if kind == b"data" {
            // More sound follows where no chunk begins. Browsers end where the claim does.
            let next = source.read(at, 8);
            let is_chunk = next.iter().take(4).all(|byte| byte.is_ascii_graphic() || *byte == b' ');
            if let Some(wav) = &mut found {
                wav.mixed |= size > 0 && next.len() == 8 && !is_chunk;
            }
            break;
        }
    }
    found
}

/// Reads a format, with its chunk's header.
fn wav_format(chunk: &[u8]) -> Option<Wav> {
    let word = |at: usize| be16(chunk, at).map(u16::swap_bytes);
    let (tag, channels, align, bits) = (word(8)?, word(10)?, word(20)?, word(22)?);
    let integers = tag == 1 || tag == 0xfffe;
    let plain = u32::from(align) * 8 == u32::from(channels) * u32::from(bits);
    // Compressed samples: the header's own figure is all there is.
    let [rate, compressed] = [le32(chunk, 12)?, le32(chunk, 16)?].map(f64::from);
    let bytes_a_second = if integers { rate * f64::from(align) } else { compressed };
    (bytes_a_second >= 1.0).then_some(Wav { bytes_a_second, mixed: integers && !plain })
}

/// Length by the total in STREAMINFO; `None` where it is 0.
fn flac_seconds(head: &[u8]) -> Option<f64> {
    let rate = be32(head, 18)? >> 12;
    let total = (u64::from(be32(head, 18)? & 15) << 32) | u64::from(be32(head, 22)?);
    (rate > 0 && total > 0).then(|| total as f64 / f64::from(rate))
}

/// Length by the movie's header, `moov/mvhd`.
fn mp4_seconds(source: &impl Source) -> Option<f64> {
    let mut at = 0u64;
    for _ in 0..256 {
        let head = source.read(at, 48);
        let (header, size) = match be32(&head, 0)? {
            1 => (16u64, (u64::from(be32(&head, 8)?) << 32) | u64::from(be32(&head, 12)?)),
            size => (8, u64::from(size)),
        };
        match head.get(4..8)? {
            b"moov" => at = at.checked_add(header)?,
            b"mvhd" => {
                let (scale, length) = if *head.get(8)? == 1 {
                    (be32(&head, 28)?, (u64::from(be32(&head, 32)?) << 32) | u64::from(be32(&head, 36)?))
                } else {
                    (be32(&head, 20)?, u64::from(be32(&head, 24)?))
                };
                return (scale > 0 && length > 0).then(|| length as f64 / f64::from(scale));
            }
            _ if size < header => return None,
            _ => at = at.checked_add(size)?,
        }
    }
    None
}

/// Bytes that are read in windows, because each read crosses to JavaScript.
struct Walk<'a, S> {
    source: &'a S,
    window: Vec<u8>,
    start: u64,
}

impl<S: Source> Walk<'_, S> {
    /// `count` bytes at `place`; fewer at the end of the file.
    fn at(&mut self, place: u64, count: usize) -> &[u8] {
        let inside = |walk: &Self| {
            let offset = usize::try_from(place.checked_sub(walk.start)?).ok()?;
            (offset + count <= walk.window.len()).then_some(offset)
        };
        let offset = inside(self).unwrap_or_else(|| {
            self.window = self.source.read(place, WINDOW.max(count));
            self.start = place;
            0
        });
        let end = (offset + count).min(self.window.len());
        self.window.get(offset..end).unwrap_or_default()
    }
}

/// A frame of MPEG audio.
#[derive(Clone, Copy, PartialEq)]
struct Frame {
    rate: u32,
    length: u64,
    samples: u32,
    mono: bool,
}

fn frame(bytes: &[u8]) -> Option<Frame> {
    let (rate, length) = mpeg_frame(bytes)?;
    let word = be32(bytes, 0)?;
    let samples = match ((word >> 17) & 3, (word >> 19) & 3) {
        (0, _) => 1024, // ADTS
        (3, _) => 384,
        (1, version) if version != 3 => 576,
        _ => 1152,
    };
    // ADTS tells its channels at another place; browsers handle its changes.
    let mono = (word >> 17) & 3 != 0 && (word >> 6) & 3 == 3;
    Some(Frame { rate, length: length as u64, samples, mono })
}

/// Whether MPEG audio begins after the tags.
fn mpeg_begins(source: &impl Source) -> bool {
    let mut walk = Walk { source, window: Vec::new(), start: 0 };
    two_frames(&mut walk, after_id3(source)).is_some()
}

/// The frame at a place that another one of its rate follows. One header alone also occurs by chance.
fn two_frames(walk: &mut Walk<'_, impl Source>, place: u64) -> Option<Frame> {
    let first = frame(walk.at(place, 8))?;
    let next = frame(walk.at(place.checked_add(first.length)?, 8))?;
    (next.rate == first.rate).then_some(first)
}

/// Counts the frames of MPEG audio.
fn mpeg(source: &impl Source, start: u64, bytes: f64) -> Scan {
    let mut walk = Walk { source, window: Vec::new(), start: 0 };
    let end = bytes as u64;
    let (mut place, mut seconds, mut first, mut mixed) = (start, 0.0, None::<Frame>, false);
    while place < end {
        let known = match first {
            Some(_) => frame(walk.at(place, 8)),
            None => two_frames(&mut walk, place),
        };
        let Some(found) = known else {
            // Before the first frame, only what a tag or padding may take is searched.
            let limit = if first.is_some() { end } else { end.min(start + WINDOW as u64) };
            place = resync(&mut walk, place + 1, limit);
            if first.is_none() && place >= limit {
                return Scan::default();
            }
            continue;
        };
        let before = *first.get_or_insert(found);
        mixed |= (before.rate, before.mono) != (found.rate, found.mono);
        seconds += f64::from(found.samples) / f64::from(found.rate);
        place += found.length;
    }
    match first {
        Some(_) => Scan { seconds: Some(seconds), counted: true, mixed },
        None => Scan::default(),
    }
}

/// The next place from `place` on at which two frames begin, or the end.
fn resync(walk: &mut Walk<'_, impl Source>, mut place: u64, end: u64) -> u64 {
    while place < end {
        let window = walk.at(place, 4096);
        match window.iter().position(|byte| *byte == 0xff) {
            None => place += window.len().max(1) as u64,
            Some(offset) => {
                place += offset as u64;
                if two_frames(walk, place).is_some() {
                    return place;
                }
                place += 1;
            }
        }
    }
    end
}

/// Walks over the pages of an Ogg file: each recording that follows another one begins with a page of its
/// own kind, and browsers end before it.
fn ogg(source: &impl Source, start: u64, bytes: f64) -> Scan {
    let mut walk = Walk { source, window: Vec::new(), start: 0 };
    let Some(rate) = crate::sniff::sample_rate(source) else { return Scan::default() };
    let (mut place, mut granules, mut sound, mut mixed) = (start, 0u64, false, false);
    while (place as f64) < bytes {
        let head = walk.at(place, 27 + 255);
        let (Some(b"OggS"), Some(kind), Some(count)) = (head.get(..4), head.get(5), head.get(26)) else {
            break;
        };
        let begins = kind & 2 != 0;
        mixed |= begins && sound;
        sound |= !begins;
        let granule = head.get(6..14).and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
        // All bits set: no packet ends on this page.
        granules = granules.max(granule.filter(|granule| *granule < 1 << 62).unwrap_or_default());
        let sizes = head.get(27..27 + usize::from(*count)).unwrap_or_default();
        let body: u64 = sizes.iter().map(|size| u64::from(*size)).sum();
        place += 27 + u64::from(*count) + body;
    }
    Scan { seconds: Some(granules as f64 / f64::from(rate)), counted: false, mixed }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn source(bytes: &[u8]) -> impl Fn(u64, usize) -> Vec<u8> + '_ {
        |offset: u64, length: usize| {
            bytes.iter().skip(usize::try_from(offset).unwrap()).take(length).copied().collect::<Vec<u8>>()
        }
    }

    fn scanned(bytes: &[u8]) -> Scan {
        scan(&source(bytes), bytes.len() as f64)
    }

    /// Frames of 128 kbit/s, layer 3, 44.1 kHz: 417 bytes of 1152 samples.
    fn mp3(frames: usize, mono: bool) -> Vec<u8> {
        let mut frame = vec![0xff, 0xfb, 0x90, if mono { 0xc0 } else { 0 }];
        frame.resize(417, 0);
        frame.repeat(frames)
    }

    fn close(scan: Scan, seconds: f64) {
        assert!(scan.seconds.is_some_and(|found| (found - seconds).abs() < 1e-6), "{scan:?} {seconds}");
    }

    #[test]
    fn mpeg_frames_are_counted_whatever_lies_between() {
        let second = 1152.0 / 44_100.0;
        let tag = b"TAG".iter().copied().chain([b' '; 125]).collect::<Vec<u8>>();
        let id3 = b"ID3\x04\0\0\0\0\0\x0aTIT2\xff\xfb\x90defg".to_vec();
        for between in [vec![], tag, id3.clone(), vec![0; 5000]] {
            let file = [id3.clone(), mp3(100, false), between, mp3(50, false)].concat();
            let scan = scanned(&file);
            close(scan, 150.0 * second);
            assert!(scan.counted && !scan.mixed && !scan.is_for_own_decoder());
        }
        close(scanned(&mp3(100_000, false)), 100_000.0 * second);
        assert!(scanned(&mp3(40_000, false)).is_for_own_decoder());
    }

    #[test]
    fn mpeg_that_changes_is_not_for_the_browser() {
        for parts in [[mp3(20, true), mp3(20, false)], [mp3(20, false), mp3(20, true)]] {
            let scan = scanned(&parts.concat());
            assert!(scan.mixed && scan.is_for_own_decoder());
            close(scan, 40.0 * 1152.0 / 44_100.0);
        }
    }

    fn page(kind: u8, granule: u64, packet: &[u8]) -> Vec<u8> {
        let mut page = b"OggS\0".to_vec();
        page.push(kind);
        page.extend(granule.to_le_bytes());
        page.extend([0; 12]);
        page.extend([1, packet.len() as u8]);
        page.extend(packet);
        page
    }

    #[test]
    fn chained_ogg_is_not_for_the_browser() {
        let mut head = b"\x01vorbis\0\0\0\0\x02".to_vec();
        head.extend(48_000_u32.to_le_bytes());
        let one = [page(2, 0, &head), page(0, u64::MAX, &[0; 9]), page(4, 96_000, &[0; 200])].concat();
        let alone = scanned(&one);
        close(alone, 2.0);
        assert!(!alone.mixed);
        assert!(scanned(&[one.clone(), one.clone()].concat()).mixed);
        // Two streams side by side begin together.
        let both = [page(2, 0, &head), page(2, 0, &head), page(4, 48_000, &[0; 200])].concat();
        assert!(!scanned(&both).mixed);
        // Cut anywhere.
        for end in 0..one.len() {
            let _ = scanned(&one[..end]);
        }
    }

    fn wav(tag: u16, channels: u16, align: u16, bits: u16) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        file.extend(tag.to_le_bytes());
        file.extend(channels.to_le_bytes());
        file.extend(44_100_u32.to_le_bytes());
        file.extend((44_100 * u32::from(align)).to_le_bytes());
        file.extend(align.to_le_bytes());
        file.extend(bits.to_le_bytes());
        file.extend(b"data\x04\0\0\0abcd");
        file
    }

    #[test]
    fn wav_is_measured_by_its_size() {
        let file = wav(1, 2, 4, 16);
        let long = 44_100.0 * 4.0 * 901.0;
        assert!(!is_too_large(&source(&file), long * 0.99) && is_too_large(&source(&file), long));
        assert!(scan(&source(&file), long).is_for_own_decoder());
        // 24 bits in words of 32, also as an extensible format.
        assert!(scanned(&wav(1, 2, 8, 24)).mixed && scanned(&wav(0xfffe, 2, 8, 24)).mixed);
        // A claim that is shorter than the samples; chunks after the samples are none.
        let more = |bytes: &[u8]| scanned(&[wav(1, 2, 4, 16), bytes.to_vec()].concat()).mixed;
        assert!(more(&[3, 0, 250, 255, 1, 0, 9, 0]) && !more(b"LIST\x04\0\0\0abcd") && !more(b"\0\0"));
        for plain in [wav(1, 2, 6, 24), wav(3, 2, 8, 32), wav(1, 1, 1, 8), wav(2, 2, 1024, 4)] {
            assert!(!scanned(&plain).mixed);
        }
    }

    #[test]
    fn totals_of_flac_and_mp4_choose_the_way() {
        let mut flac = b"fLaC\0\0\0\x22\x10\0\x10\0\0\0\0\0\0\0".to_vec();
        let seconds = 1000_u64;
        flac.extend(((44_100_u64 << 44) | (1 << 41) | (15 << 36) | (seconds * 44_100)).to_be_bytes());
        flac.extend([0; 16]);
        close(scanned(&flac), 1000.0);
        let header = |version: u8| {
            let mut body = vec![version, 0, 0, 0];
            let wide = if version == 1 { 8 } else { 4 };
            body.extend(vec![0; 2 * wide]);
            body.extend(600_u32.to_be_bytes());
            body.extend(if version == 1 {
                600_600_u64.to_be_bytes().to_vec()
            } else {
                600_600_u32.to_be_bytes().to_vec()
            });
            body.extend([0; 20]);
            let whole =
                |kind: &[u8], body: &[u8]| [&(body.len() as u32 + 8).to_be_bytes()[..], kind, body].concat();
            [
                whole(b"ftyp", b"M4A \0\0\0\0"),
                whole(b"mdat", &[7; 50]),
                whole(b"moov", &whole(b"mvhd", &body)),
            ]
            .concat()
        };
        close(scanned(&header(0)), 1001.0);
        close(scanned(&header(1)), 1001.0);
    }

    #[test]
    fn other_files_are_for_the_browser_unless_they_are_large() {
        for file in
            [b"".to_vec(), b"hello".to_vec(), vec![0xff; 300], vec![0; 200_000], b"\x1a\x45\xdf\xa3".to_vec()]
        {
            assert_eq!(scanned(&file), Scan::default());
            assert!(!is_too_large(&source(&file), file.len() as f64));
            assert!(is_too_large(&source(&file), 200e6));
        }
        assert!(is_too_large(&source(&mp3(2, false)), 50e6));
    }
}
