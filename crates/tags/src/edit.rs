//! Changes fields of the tag of a file, in a copy.

use std::io::Cursor;
use std::rc::Rc;

use cratedigger_decode::Decoder;
use cratedigger_protocol::tags::{Field, SEPARATOR};
use lofty::TextEncoding;
use lofty::config::{ParseOptions, WriteOptions};
use lofty::file::{AudioFile, FileType};
use lofty::flac::FlacFile;
use lofty::id3::v2::{CommentFrame, Frame, FrameId, Id3v2Tag, Id3v2Version, TextInformationFrame};
use lofty::iff::aiff::AiffFile;
use lofty::iff::wav::WavFile;
use lofty::mp4::{Atom, AtomData, AtomIdent, Ilst, Mp4File};
use lofty::mpeg::MpegFile;
use lofty::ogg::tag::VorbisComments;
use lofty::ogg::{OggPictureStorage as _, OpusFile, VorbisFile};
use lofty::tag::TagExt as _;
use sha2::{Digest as _, Sha256};

use crate::frames::frames;
use crate::{Changes, TagError, names};

/// A copy of a file with changed fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The copy.
    pub bytes: Vec<u8>,
    /// Fields that made it necessary to turn a tag of ID3v2.3 into ID3v2.4, which alone can hold them.
    pub newer: Option<String>,
}

/// Copies a file with changed fields. Its content decides about the format, and the extension only if the content
/// does not.
///
/// # Errors
/// The format has no tags that can be written, or a field or the sound would change that is not among `changes`.
pub fn edit(old: &Rc<Vec<u8>>, extension: &str, changes: &Changes) -> Result<Edited, TagError> {
    let kind = kind_of(old, extension)?;
    let before = others(old, kind, changes)?;
    let mut newer = None;
    let mut new = write(old, kind, changes, before.id3v23)?;
    let mut after = others(&new, kind, changes)?;
    if before.id3v23 && after.fields != before.fields {
        // ID3v2.3 has no frames for some fields, such as the order of artists.
        newer = Some(before.lost(&after));
        new = write(old, kind, changes, false)?;
        after = others(&new, kind, changes)?;
    }
    if after.fields != before.fields {
        return Err(TagError::Lost(before.lost(&after)));
    }
    let unread = dropped(old, &new, kind, changes);
    if !unread.is_empty() {
        return Err(TagError::Lost(unread.join(", ")));
    }
    let new = Rc::new(new);
    if sound(old, extension)? != sound(&new, extension)? {
        return Err(TagError::Sound);
    }
    // The decoder has given up its handle.
    Ok(Edited { bytes: Rc::unwrap_or_clone(new), newer })
}

/// Names of frames of ID3v2 that the copy lacks. The parser leaves out a frame that it cannot read, and would not
/// miss it.
fn dropped(old: &[u8], new: &[u8], kind: FileType, changes: &Changes) -> Vec<String> {
    if !matches!(kind, FileType::Mpeg | FileType::Aiff | FileType::Wav) {
        return Vec::new();
    }
    let after = frames(new);
    let is_changed = |name: &String| changes.keys().any(|field| names::id3v2(*field) == name);
    frames(old).into_iter().filter(|name| !after.contains(name) && !is_changed(name)).collect()
}

/// The format.
fn kind_of(file: &[u8], extension: &str) -> Result<FileType, TagError> {
    crate::probe(Cursor::new(file), extension)?.file_type().ok_or(TagError::Format)
}

fn options() -> ParseOptions {
    ParseOptions::new().read_properties(false)
}

/// Parses a file of one format.
fn parse<F: AudioFile>(file: &[u8]) -> Result<F, TagError> {
    F::read_from(&mut Cursor::new(file), options()).map_err(|e| TagError::Lofty(e.to_string()))
}

/// Everything in the tag except the changed fields.
struct Others {
    fields: Vec<String>,
    id3v23: bool,
}

impl Others {
    /// In an order that does not depend on the file's.
    fn new(mut fields: Vec<String>, id3v23: bool) -> Self {
        fields.sort_unstable();
        Self { fields, id3v23 }
    }

    /// Names of fields that the other tag lacks or has with other values.
    fn lost(&self, after: &Self) -> String {
        let name = |field: &String| field.split(':').next().unwrap_or_default().to_owned();
        let mut names: Vec<String> =
            self.fields.iter().filter(|field| !after.fields.contains(field)).map(name).collect();
        names.dedup();
        if names.is_empty() { "further fields".into() } else { names.join(", ") }
    }
}

/// Whether a frame of ID3v2 is among the changed fields. Only the comment without a description is.
fn is_changed(frame: &Frame<'_>, changes: &Changes) -> bool {
    let described = matches!(frame, Frame::Comment(comment) if !comment.description.is_empty());
    !described && changes.keys().any(|field| names::id3v2(*field) == frame.id_str())
}

fn of_id3v2(tag: Option<&Id3v2Tag>, changes: &Changes) -> Others {
    let Some(tag) = tag else { return Others::new(Vec::new(), false) };
    let others = tag.into_iter().filter(|frame| !is_changed(frame, changes));
    let fields = others.map(|frame| format!("{}: {frame:?}", frame.id_str())).collect();
    Others::new(fields, tag.original_version() == Id3v2Version::V3)
}

fn of_comments(tag: Option<&VorbisComments>, pictures: String, changes: &Changes) -> Others {
    let is_changed = |key: &str| changes.keys().any(|field| names::vorbis(*field).eq_ignore_ascii_case(key));
    let mut fields = vec![pictures];
    if let Some(tag) = tag {
        let items = tag.items().filter(|(key, _)| !is_changed(key));
        fields.extend(items.map(|(key, value)| format!("{key}: {value}")));
        fields.push(format!("pictures: {:?}", tag.pictures()));
    }
    Others::new(fields, false)
}

fn others(file: &[u8], kind: FileType, changes: &Changes) -> Result<Others, TagError> {
    Ok(match kind {
        FileType::Mpeg => of_id3v2(parse::<MpegFile>(file)?.id3v2(), changes),
        FileType::Aiff => of_id3v2(parse::<AiffFile>(file)?.id3v2(), changes),
        FileType::Wav => of_id3v2(parse::<WavFile>(file)?.id3v2(), changes),
        FileType::Flac => {
            let parsed = parse::<FlacFile>(file)?;
            of_comments(parsed.vorbis_comments(), format!("pictures: {:?}", parsed.pictures()), changes)
        }
        FileType::Vorbis => {
            of_comments(Some(parse::<VorbisFile>(file)?.vorbis_comments()), String::new(), changes)
        }
        FileType::Opus => {
            of_comments(Some(parse::<OpusFile>(file)?.vorbis_comments()), String::new(), changes)
        }
        FileType::Mp4 => {
            let parsed = parse::<Mp4File>(file)?;
            let is_changed = |atom: &&Atom<'_>| {
                changes.keys().any(|field| *atom.ident() == AtomIdent::Fourcc(names::mp4(*field)))
            };
            let atoms = parsed.ilst().into_iter().flatten().filter(|atom| !is_changed(atom));
            let name = |ident: &AtomIdent<'_>| match ident {
                AtomIdent::Fourcc(name) => String::from_utf8_lossy(name).into_owned(),
                AtomIdent::Freeform { name, .. } => name.to_string(),
            };
            let fields = atoms.map(|atom| format!("{}: {atom:?}", name(atom.ident()))).collect();
            Others::new(fields, false)
        }
        _ => return Err(TagError::Format),
    })
}

/// Copies the file and changes the fields in the copy.
fn write(old: &[u8], kind: FileType, changes: &Changes, id3v23: bool) -> Result<Vec<u8>, TagError> {
    let mut copy = Cursor::new(old.to_vec());
    let failed = |error: lofty::error::FileEncodingError| TagError::Lofty(error.to_string());
    let mut with = WriteOptions::new();
    with.use_id3v23(id3v23);
    let mut id3v2 = |tag: Option<&Id3v2Tag>| -> Result<(), TagError> {
        let mut tag = tag.cloned().unwrap_or_default();
        change_id3v2(&mut tag, changes, id3v23);
        tag.save_to(&mut copy, with).map_err(failed)
    };
    match kind {
        FileType::Mpeg => id3v2(parse::<MpegFile>(old)?.id3v2())?,
        FileType::Aiff => id3v2(parse::<AiffFile>(old)?.id3v2())?,
        FileType::Wav => id3v2(parse::<WavFile>(old)?.id3v2())?,
        FileType::Flac => {
            let mut flac = parse::<FlacFile>(old)?;
            let mut tag = flac.remove_vorbis_comments().unwrap_or_default();
            change_comments(&mut tag, changes);
            flac.set_vorbis_comments(tag);
            flac.save_to(&mut copy, with).map_err(failed)?;
        }
        FileType::Vorbis => {
            let mut ogg = parse::<VorbisFile>(old)?;
            change_comments(ogg.vorbis_comments_mut(), changes);
            ogg.save_to(&mut copy, with).map_err(failed)?;
        }
        FileType::Opus => {
            let mut opus = parse::<OpusFile>(old)?;
            change_comments(opus.vorbis_comments_mut(), changes);
            opus.save_to(&mut copy, with).map_err(failed)?;
        }
        FileType::Mp4 => {
            let mut tag = parse::<Mp4File>(old)?.remove_ilst().unwrap_or_default();
            change_ilst(&mut tag, changes);
            tag.save_to(&mut copy, with).map_err(failed)?;
        }
        _ => return Err(TagError::Format),
    }
    Ok(copy.into_inner())
}

fn change_id3v2(tag: &mut Id3v2Tag, changes: &Changes, id3v23: bool) {
    tag.retain(|frame| !is_changed(frame, changes));
    // ID3v2.3 knows Latin-1 and UTF-16 only.
    let encoding = if id3v23 { TextEncoding::UTF16 } else { TextEncoding::UTF8 };
    for (field, values) in changes.iter().filter(|(_, values)| !values.is_empty()) {
        let joined = values.join(if id3v23 { SEPARATOR } else { "\0" });
        let frame = if *field == Field::Comment {
            Frame::Comment(CommentFrame::new(encoding, *b"eng", "", joined))
        } else {
            let id = FrameId::Valid(names::id3v2(*field).into());
            Frame::Text(TextInformationFrame::new(id, encoding, joined))
        };
        tag.insert(frame);
    }
}

fn change_comments(tag: &mut VorbisComments, changes: &Changes) {
    for (field, values) in changes {
        tag.remove(names::vorbis(*field)).for_each(drop);
        for value in values {
            tag.push(names::vorbis(*field).into(), value.clone());
        }
    }
}

fn change_ilst(tag: &mut Ilst, changes: &Changes) {
    for (field, values) in changes {
        let ident = AtomIdent::Fourcc(names::mp4(*field));
        tag.remove(&ident).for_each(drop);
        let data = |value: &String| match (field, value.parse::<f64>()) {
            (Field::Bpm, Ok(bpm)) => {
                // Two bytes, as other programs write the tempo.
                let data = (bpm.round().clamp(0.0, 65_535.0) as u16).to_be_bytes().to_vec();
                AtomData::Unknown { code: lofty::mp4::DataType::BeSignedInteger, data }
            }
            _ => AtomData::UTF8(value.clone()),
        };
        if let Some(atom) = Atom::from_collection(ident, values.iter().map(data).collect()) {
            tag.insert(atom);
        }
    }
}

/// Bytes that a decoder can own while others have them too.
struct Shared(Rc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The hash of the samples of each channel, and the sample rates.
fn sound(file: &Rc<Vec<u8>>, extension: &str) -> Result<(Vec<[u8; 32]>, Vec<u32>), TagError> {
    let failed = |error: cratedigger_decode::DecodeError| TagError::Decode(error.to_string());
    let mut decoder = Decoder::open(Cursor::new(Shared(Rc::clone(file))), Some(extension)).map_err(failed)?;
    let (mut hashes, mut rates): (Vec<Sha256>, Vec<u32>) = (Vec::new(), Vec::new());
    // One hash for each channel, because the length of a block has no meaning.
    while let Some(block) = decoder.next_block().map_err(failed)? {
        hashes.resize_with(block.channels.len().max(hashes.len()), Sha256::new);
        for (hash, channel) in hashes.iter_mut().zip(&block.channels) {
            let bytes: Vec<u8> = channel.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            hash.update(bytes);
        }
        if rates.last() != Some(&block.sample_rate) {
            rates.push(block.sample_rate);
        }
    }
    Ok((hashes.into_iter().map(|hash| hash.finalize().into()).collect(), rates))
}
