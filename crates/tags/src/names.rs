//! Names of fields in each kind of tag.

use cratedigger_protocol::tags::Field;

/// Frame of ID3v2.
pub(crate) fn id3v2(field: Field) -> &'static str {
    match field {
        Field::Genre => "TCON",
        Field::Bpm => "TBPM",
        Field::Comment => "COMM",
        Field::Grouping => "TIT1",
    }
}

/// Name in Vorbis comments.
pub(crate) fn vorbis(field: Field) -> &'static str {
    match field {
        Field::Genre => "GENRE",
        Field::Bpm => "BPM",
        Field::Comment => "COMMENT",
        Field::Grouping => "GROUPING",
    }
}

/// Atom of MP4.
pub(crate) fn mp4(field: Field) -> [u8; 4] {
    match field {
        Field::Genre => *b"\xa9gen",
        Field::Bpm => *b"tmpo",
        Field::Comment => *b"\xa9cmt",
        Field::Grouping => *b"\xa9grp",
    }
}
