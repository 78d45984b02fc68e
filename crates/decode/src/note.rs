//! Notes about damage and wrong headers.

use std::fmt;

/// A problem of a file that did not prevent its decoding: data were skipped, corrected or ignored. The text
/// is one sentence.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// The file ends in the middle of its sound.
    Truncated {
        /// The container, with its article: "the WAV file".
        container: &'static str,
    },
    /// A length in the header differs from the length of the sound.
    WrongClaim {
        /// Name of the field in its format.
        field: &'static str,
        /// Duration according to the field, in seconds.
        claimed: f64,
        /// Actual duration in seconds.
        found: f64,
    },
    /// A header field is invalid and was ignored. The text names the field and continues a sentence that
    /// begins with "The header".
    Header(&'static str),
    /// Several streams in sequence, as in concatenated MP3 files or a chained Ogg file.
    Joined {
        /// Number of streams.
        parts: usize,
    },
    /// Sample rate or number of channels change within the file.
    FormatChange {
        /// Seconds from the start.
        at: f64,
        /// Hz before and after.
        rate: (u32, u32),
        /// Number of channels before and after.
        channels: (usize, usize),
    },
    /// Packets that cannot be decoded were skipped.
    Damaged {
        /// Number of packets.
        packets: usize,
        /// Position of the first in seconds from the start.
        first: f64,
    },
    /// Pages of an Ogg file have wrong checksums; their packets were decoded as far as possible.
    BadPage,
    /// Bytes between packets that belong to no packet were skipped.
    Junk {
        /// Number of bytes.
        bytes: u64,
    },
    /// Samples that were NaN, infinite or absurdly large; they were set to zero.
    NotFinite {
        /// Number of samples in all channels.
        samples: u64,
        /// Position of the first in seconds from the start.
        first: f64,
    },
    /// Channels cancel each other in the mono mix; only the loudest one was used.
    ChannelsCancel {
        /// Start of the first such range, in seconds from the start.
        first: f64,
        /// Total duration in seconds.
        seconds: f64,
    },
    /// The coding is HE-AAC, of which only the core is decoded.
    LowBandOnly,
    /// A later stream has an unsupported coding.
    StreamLeftOut {
        /// Seconds from the start.
        at: f64,
        /// The coding.
        what: String,
    },
    /// The file has several audio tracks; the first was used.
    FirstOfTracks {
        /// Number of audio tracks.
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
            Self::Junk { bytes } => write!(f, "{bytes} bytes that are not sound were skipped."),
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
    // Rounds up by up to 0.05 s, because a position one frame before a full second stands for that second.
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

/// Maximum number of notes of a kind that is not merged; a damaged file can have thousands.
const MAX_CHANGES: usize = 8;

/// The notes of one file. Notes of the same kind are merged where possible.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    list: Vec<Note>,
}

impl Notes {
    /// The notes, in the order of the first occurrence of each kind.
    pub fn as_slice(&self) -> &[Note] {
        &self.list
    }

    /// Adds a note, or merges it with an existing note of the same kind.
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
