//! Messages between the page and the worker that decodes what the browser does not.
//!
//! One worker decodes one file. One [`DecodeRequest::Open`] is answered by one [`DecodeEvent::Opened`],
//! then each [`DecodeRequest::Next`] by one [`DecodeEvent::Block`], and after the last block by one
//! [`DecodeEvent::Finished`]. [`DecodeEvent::Failed`] may end the stream at any point; the blocks before it
//! stay valid. The page cancels by terminating the worker.

use serde::{Deserialize, Serialize};

/// From the page to the decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum DecodeRequest {
    /// Open a file. Payload: the `File`.
    Open {
        /// Seconds of sound to leave out at the start.
        #[serde(default)]
        start: f64,
        /// Where to end, in seconds from the start of the file; `None` for its end.
        #[serde(default)]
        end: Option<f64>,
    },
    /// Send one block more.
    Next,
}

/// From the decoder to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum DecodeEvent {
    /// The file holds sound.
    Opened {
        /// Samples a second of all blocks, in Hz: the file's own rate at its start.
        sample_rate: u32,
    },
    /// The next samples. Payload: one `Float32Array`, mono, nominally in −1…1.
    Block {
        /// Estimated length of the whole file in seconds, from the sound so far and the bytes that it took.
        estimate: f64,
    },
    /// There is no more sound.
    Finished {
        /// What was left out or mended.
        notes: Vec<Note>,
    },
    /// The file cannot be decoded, or not any further.
    Failed {
        /// The kind of problem, by which the page chooses its text.
        problem: Problem,
        /// The decoder's words: the name of the format, or what is wrong. English.
        detail: String,
        /// Seconds that were decoded before.
        at: f64,
    },
}

/// Why a file cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// The browser could not read its bytes.
    Unreadable,
    /// It has 0 bytes.
    Empty,
    /// It is something else than sound; the detail names it.
    NotAudio,
    /// It is sound in a format that is not read; the detail names it.
    Unsupported,
    /// It is under copy protection; the detail names it.
    Protected,
    /// It is in a known format and holds no sample.
    NoSound,
    /// Its content makes no sense.
    Damaged,
}

/// Something that was left out, mended or ignored while a file was decoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Note {
    /// The file ends in the middle of its sound.
    Truncated,
    /// A length in the header differs from the sound that is there.
    WrongClaim {
        /// Seconds that the header claims.
        claimed: f64,
        /// Seconds that were found.
        found: f64,
    },
    /// A header field makes no sense and was ignored.
    Header {
        /// Which, in English; it reads on after "The header".
        what: String,
    },
    /// Several recordings one after the other; all were decoded.
    Joined {
        /// Number of recordings.
        parts: u32,
    },
    /// Sample rate or channels change while the sound runs.
    FormatChange {
        /// Seconds from the start.
        at: f64,
        /// Hz before and after.
        rates: [u32; 2],
        /// Number of channels before and after.
        channels: [u32; 2],
    },
    /// Parts that cannot be decoded were left out.
    Damaged {
        /// Number of packets; 0 where only a checksum is wrong.
        packets: u32,
        /// Seconds of the first from the start; `None` where unknown.
        first: Option<f64>,
    },
    /// Bytes that are not sound were passed over.
    Junk {
        /// Number of bytes.
        bytes: f64,
    },
    /// Samples that are no valid numbers were set to zero.
    NotFinite {
        /// Number of samples, in all channels together.
        samples: f64,
        /// Seconds of the first from the start.
        first: f64,
    },
    /// Channels cancel each other in the mono mix; the loudest one was used alone.
    ChannelsCancel {
        /// Seconds from the start at which this begins for the first time.
        first: f64,
        /// Seconds for which it lasts, in all.
        seconds: f64,
    },
    /// The file could not be read any further.
    Unreadable {
        /// Seconds that were decoded before.
        at: f64,
    },
    /// HE-AAC, of which only the lower half of the spectrum was decoded.
    LowBandOnly,
    /// A later part in a coding that is not read was left out.
    StreamLeftOut {
        /// Seconds from the start.
        at: f64,
        /// The coding, in English.
        what: String,
    },
    /// More than one sound track; the first was used.
    FirstOfTracks {
        /// Number of sound tracks.
        tracks: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wire names are a contract with everything that speaks it from JavaScript.
    #[test]
    fn wire_names_are_kebab_tags_and_camel_fields() {
        let open = serde_json::json!({"type": "open"});
        let whole = DecodeRequest::Open { start: 0.0, end: None };
        assert_eq!(serde_json::from_value::<DecodeRequest>(open).ok(), Some(whole));
        let event =
            DecodeEvent::Finished { notes: vec![Note::StreamLeftOut { at: 2.0, what: "AC-3".into() }] };
        assert_eq!(
            serde_json::to_value(event).ok(),
            Some(serde_json::json!({
                "type": "finished",
                "notes": [{"type": "stream-left-out", "at": 2.0, "what": "AC-3"}],
            }))
        );
    }
}
