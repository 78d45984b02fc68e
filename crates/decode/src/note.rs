//! Notes on what was left out or mended.

use std::fmt;

/// Something that was left out, mended or ignored while a file was decoded. Its text is one plain
/// sentence.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// The file ends in the middle of its sound.
    Truncated {
        /// The container, with its article: "the WAV file".
        container: &'static str,
    },
    /// A length in the header differs from the sound that is there.
    WrongClaim {
        /// The field, as its format calls it.
        field: &'static str,
        /// Seconds that the field stands for.
        claimed: f64,
        /// Seconds that were found.
        found: f64,
    },
    /// A header field makes no sense and was ignored; the text says which, and reads on after
    /// "The header".
    Header(&'static str),
    /// Several streams one after the other, as a joined MP3 or a chained Ogg file.
    Joined {
        /// Number of streams.
        parts: usize,
    },
    /// Sample rate or channels change while the sound runs.
    FormatChange {
        /// Seconds from the start.
        at: f64,
        /// Hz before and after.
        rate: (u32, u32),
        /// Number of channels before and after.
        channels: (usize, usize),
    },
    /// Packets that cannot be decoded were left out.
    Damaged {
        /// Number of packets.
        packets: usize,
        /// Seconds of the first from the start.
        first: f64,
    },
    /// Pages of an Ogg file whose checksums are wrong; their packets were used as far as possible.
    BadPage,
    /// Bytes between the sound that belong to no packet were passed over.
    Junk {
        /// Number of bytes.
        bytes: u64,
    },
    /// Samples that were NaN, infinite or out of any scale; they were set to zero.
    NotFinite {
        /// Number of samples, in all channels together.
        samples: u64,
        /// Seconds of the first from the start.
        first: f64,
    },
    /// Channels cancel each other in the mono mix; the louder one was used alone.
    ChannelsCancel {
        /// Seconds from the start at which this begins for the first time.
        first: f64,
        /// Seconds for which it lasts, in all.
        seconds: f64,
    },
    /// HE-AAC, of which only the core is decoded.
    LowBandOnly,
    /// A later stream in a coding that is not read.
    StreamLeftOut {
        /// Seconds from the start.
        at: f64,
        /// The coding.
        what: String,
    },
    /// More than one sound track; the first was used.
    FirstOfTracks {
        /// Number of sound tracks.
        tracks: usize,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { container } => {
                write!(f, "{container} ends in the middle of its sound; everything before the end was decoded.")
            }
            Self::WrongClaim { field, claimed, found } => write!(
                f,
                "The {field} claims {claimed:.1} s, but the file holds {found:.1} s; all of it was decoded."
            ),
            Self::Header(what) => write!(f, "The header {what}."),
            Self::Joined { parts } => {
                write!(f, "The file holds {parts} streams one after the other; all were decoded.")
            }
            Self::FormatChange { at, rate, channels } => write!(
                f,
                "At {} the sound changes from {} Hz and {} to {} Hz and {}; it was converted.",
                clock(*at),
                rate.0,
                count(channels.0),
                rate.1,
                count(channels.1)
            ),
            Self::Damaged { packets: 1, first } => {
                write!(f, "The file is damaged at {}; 1 packet was left out.", clock(*first))
            }
            Self::Damaged { packets, first } => write!(
                f,
                "The file is damaged, first at {}; {packets} packets were left out.",
                clock(*first)
            ),
            Self::BadPage => f.write_str(
                "The file is damaged (a checksum is wrong); what can be decoded of the damaged pages was used.",
            ),
            Self::Junk { bytes } => write!(f, "{bytes} bytes that are not sound were passed over."),
            Self::NotFinite { samples, first } => write!(
                f,
                "{samples} samples are not valid numbers, the first at {}; they were set to zero.",
                clock(*first)
            ),
            Self::ChannelsCancel { first, seconds } => write!(
                f,
                "From {} the channels cancel each other for {seconds:.1} s; the louder channel was used there.",
                clock(*first)
            ),
            Self::LowBandOnly => {
                f.write_str("The sound is HE-AAC; only the lower half of its spectrum was decoded.")
            }
            Self::StreamLeftOut { at, what } => {
                write!(f, "From {} the sound is {what}, which cannot be decoded; this part was left out.", clock(*at))
            }
            Self::FirstOfTracks { tracks } => {
                write!(f, "The file holds {tracks} sound tracks; the first was decoded.")
            }
        }
    }
}

/// Seconds as `m:ss`, or `h:mm:ss` from an hour on.
fn clock(seconds: f64) -> String {
    // What ends a frame before a full second is meant to end there.
    let whole = (seconds.max(0.0) + 0.05) as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{rest:02}") } else { format!("{minutes}:{rest:02}") }
}

fn count(channels: usize) -> String {
    match channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        n => format!("{n} channels"),
    }
}

/// Format changes that are told one by one; a damaged file can have thousands.
const MAX_CHANGES: usize = 8;

/// The notes of one file, each kind counted up instead of repeated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    list: Vec<Note>,
}

impl Notes {
    /// The notes, in the order in which each kind was met first.
    pub fn as_slice(&self) -> &[Note] {
        &self.list
    }

    /// Adds a note. One of a kind that is there already is added to that one.
    pub fn add(&mut self, new: Note) {
        for old in &mut self.list {
            match (old, &new) {
                (Note::Damaged { packets, .. }, Note::Damaged { packets: more, .. }) => {
                    *packets += more;
                    return;
                }
                (Note::Junk { bytes }, Note::Junk { bytes: more }) => {
                    *bytes += more;
                    return;
                }
                (Note::NotFinite { samples, .. }, Note::NotFinite { samples: more, .. }) => {
                    *samples += more;
                    return;
                }
                (Note::ChannelsCancel { seconds, .. }, Note::ChannelsCancel { seconds: more, .. }) => {
                    *seconds += more;
                    return;
                }
                (Note::Joined { parts }, Note::Joined { parts: now }) => {
                    *parts = *now;
                    return;
                }
                (old, new) if *old == *new => return,
                _ => {}
            }
        }
        let repeats =
            matches!(new, Note::FormatChange { .. } | Note::WrongClaim { .. } | Note::StreamLeftOut { .. });
        let same = |note: &&Note| std::mem::discriminant(*note) == std::mem::discriminant(&new);
        if repeats && self.list.iter().filter(same).count() >= MAX_CHANGES {
            return;
        }
        self.list.push(new);
    }
}
