//! Detects the format of a file from its first bytes.

use crate::demux::mpeg::{self, Family, Framed};
use crate::demux::{Demuxer, aiff, au, caf, flac, mkv, mp4, ogg, wav};
use crate::source::Source;
use crate::{DecodeError, Notes};

/// A demuxer, and the name of the format with its article.
pub(crate) struct Opened {
    pub demuxer: Box<dyn Demuxer>,
    pub format: &'static str,
}

/// Maximum number of bytes before the first frame that are searched if the format is unknown.
const JUNK: usize = 1 << 16;
/// The same if the file's extension or a tag indicates MPEG audio.
const JUNK_NAMED: usize = 1 << 22;

/// Content that is not audio: position of the magic bytes, magic bytes, description.
const NO_SOUND: [(usize, &[u8], &str); 26] = [
    (0, b"MThd", "a MIDI file, which holds notes and no sound: render it to WAV first"),
    (0, b"Extended Module:", "a tracker module, which holds notes and samples: render it to WAV first"),
    (0, b"IMPM", "a tracker module, which holds notes and samples: render it to WAV first"),
    (44, b"SCRM", "a tracker module, which holds notes and samples: render it to WAV first"),
    (1080, b"M.K.", "a tracker module, which holds notes and samples: render it to WAV first"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (8, b"WEBP", "a WebP picture"),
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftypheic", "a HEIC picture"),
    (0, b"%PDF", "a PDF file"),
    (0, b"PK\x03\x04", "a zip archive: unpack it first"),
    (0, b"\x1f\x8b", "a gzip archive: unpack it first"),
    (0, b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (0, b"Rar!", "a RAR archive: unpack it first"),
    (257, b"ustar", "a tar archive: unpack it first"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"SQLite format 3", "a database"),
    (0, b"#EXTM3U", "a playlist: open the files that it names"),
    (0, b"[playlist]", "a playlist: open the files that it names"),
    (0, b"version https://git-lfs", "a Git LFS pointer: fetch the file itself with `git lfs pull`"),
    (0, b"<", "a web page or XML, perhaps an error page in place of the download"),
    (0, b"{", "JSON, perhaps an error message in place of the download"),
    (0, b"[{", "JSON, perhaps an error message in place of the download"),
];

/// Unsupported audio formats: position of the magic bytes, magic bytes, description.
const UNSUPPORTED: [(usize, &[u8], &str); 24] = [
    (0, b"\x30\x26\xb2\x75", "a Windows Media file (WMA, WMV)"),
    (0, b"MAC ", "a Monkey's Audio file (APE)"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"TTA1", "a True Audio file (TTA)"),
    (0, b"TTA2", "a True Audio file (TTA)"),
    (0, b"MPCK", "a Musepack file"),
    (0, b"MP+", "a Musepack file"),
    (0, b"tBaK", "a TAK file"),
    (0, b"OFR ", "an OptimFROG file"),
    (0, b"DSD ", "a DSD file (DSF)"),
    (0, b"FRM8", "a DSD file (DSDIFF)"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"#!SILK", "a SILK voice message"),
    (0, b"\x02#!SILK", "a SILK voice message"),
    (0, b".RMF", "a RealMedia file"),
    (0, b"NIST_1A", "a NIST SPHERE file"),
    (0, b"\x0b\x77", "an AC-3 file"),
    (0, b"\x7f\xfe\x80\x01", "a DTS file"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\x00\x00\x01\xba", "an MPEG program stream (MPG, VOB)"),
    (8, b"AVI ", "an AVI file"),
    (0, b"riff", "a Wave64 file"),
    (0, b"2BIT", "an AVR file"),
    (0, b"Creative Voice File", "a Creative Voice file (VOC)"),
];

/// Opens a file according to its content; `hint` is its extension.
pub(crate) fn open(mut source: Source, hint: &str, notes: &mut Notes) -> Result<Opened, DecodeError> {
    if source.peek(1)?.is_empty() {
        return Err(DecodeError::Empty);
    }
    // An ID3v2 tag can precede every format.
    let mut tagged = false;
    while let Some(size) = mpeg::id3v2_size(source.peek(10)?) {
        tagged = true;
        let rest = source.left();
        source.skip(if size < rest { size } else { 10 })?;
        if size >= rest {
            break;
        }
    }
    let start = source.peek(2048)?.to_vec();
    let has = |at: usize, magic: &[u8]| start.get(at..).is_some_and(|rest| rest.starts_with(magic));
    let opened = |demuxer, format| Ok(Opened { demuxer, format });
    let boxes: [&[u8]; 7] = [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"];

    if wav::is_wave(&start) || ((has(0, b"RIFF") || has(0, b"RF64")) && start.len() < 12) {
        return opened(wav::open(source, notes)?, "a WAV file");
    }
    if has(0, b"FORM") && (has(8, b"AIFF") || has(8, b"AIFC")) {
        return opened(aiff::open(source, notes)?, "an AIFF file");
    }
    if has(0, au::MAGIC) {
        return opened(au::open(source, notes)?, "an .au file");
    }
    if has(0, b"caff") {
        return opened(caf::open(source, notes)?, "a CAF file");
    }
    if has(0, b"fLaC") {
        return opened(flac::open(source, notes)?, "a FLAC file");
    }
    if has(0, b"OggS") {
        return opened(ogg::open(source), "an Ogg file");
    }
    if has(0, b"\x1a\x45\xdf\xa3") {
        return opened(mkv::open(source), "a Matroska or WebM file");
    }
    let listed = |list: &[(usize, &[u8], &'static str)]| {
        list.iter().find(|(at, magic, _)| has(*at, magic)).map(|(_, _, what)| (*what).to_owned())
    };
    let picture = has(4, b"ftypavif") || has(4, b"ftypheic");
    if !picture && boxes.iter().any(|kind| has(4, kind)) {
        return opened(mp4::open(source, notes)?, "an MP4 file");
    }
    for (family, format) in [(Family::Mpeg, "an MP3 file"), (Family::Adts, "an AAC file")] {
        if mpeg::begins(&mut source, family, 0)? {
            return opened(Box::new(Framed::new(source, family)), format);
        }
    }
    if !tagged {
        if let Some(what) = listed(&UNSUPPORTED) {
            return Err(DecodeError::Unsupported(what));
        }
        if let Some(what) = listed(&NO_SOUND) {
            return Err(DecodeError::NotAudio(what));
        }
    }
    // Frames after junk: a tag of a wrong length, the end of another frame, a player's header.
    let hint = hint.trim_start_matches('.').to_ascii_lowercase();
    let named = tagged || ["mp3", "mp2", "mp1", "mpga", "mpa", "aac", "adts"].contains(&hint.as_str());
    // What a server wrote before a stream is text, too.
    let text = !tagged && is_text(&start);
    if text && !named {
        return Err(DecodeError::NotAudio("plain text".to_owned()));
    }
    let from = source.position();
    if let Some((at, family)) = frames_after_junk(&mut source, if named { JUNK_NAMED } else { JUNK })? {
        source.seek(from + at as u64)?;
        let format = if family == Family::Mpeg { "an MP3 file" } else { "an AAC file" };
        return opened(Box::new(Framed::new(source, family)), format);
    }
    if text {
        return Err(DecodeError::NotAudio("plain text".to_owned()));
    }
    Err(unknown(&start, tagged || named))
}

fn is_text(start: &[u8]) -> bool {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let head = text.get(..512).unwrap_or(text);
    // The cut can split a character.
    let readable = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.valid_up_to() + 4 > head.len() && error.error_len().is_none(),
    };
    readable && !head.iter().any(|byte| *byte < 0x20 && !b"\t\n\r\x0c\x1b".contains(byte))
}

/// The first position within `limit` bytes at which frames begin, and their kind.
fn frames_after_junk(source: &mut Source, limit: usize) -> Result<Option<(usize, Family)>, DecodeError> {
    let start = source.position();
    let mut at = 0;
    while at < limit {
        source.seek(start + at as u64)?;
        let window = source.peek(1 << 16)?.to_vec();
        if window.is_empty() {
            break;
        }
        for (offset, _) in window.iter().enumerate().filter(|(_, byte)| **byte == 0xff) {
            for family in [Family::Mpeg, Family::Adts] {
                if mpeg::begins(source, family, offset)? {
                    return Ok(Some((at + offset, family)));
                }
            }
        }
        at += window.len();
    }
    Ok(None)
}

fn unknown(start: &[u8], mpeg: bool) -> DecodeError {
    if mpeg {
        return DecodeError::no_sound("an MP3 file without a single frame");
    }
    if start.iter().all(|byte| *byte == 0) {
        return DecodeError::NotAudio("nothing but zeros".to_owned());
    }
    let begin: Vec<String> = start.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    DecodeError::NotAudio(format!("of no known format and begins with the bytes {}", begin.join(" ")))
}
