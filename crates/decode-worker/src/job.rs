//! One file, from its bytes to blocks of mono samples.

use cratedigger_decode::{DecodeError, Decoder, MonoReader};
use cratedigger_protocol::decode::{DecodeEvent, Note, Problem};

use crate::file::{FileBytes, Position};

/// Seconds of sound in a block. The first segment takes 3 seconds and a bit, so one block gives it.
const BLOCK_SECONDS: f64 = 4.0;

/// An open file.
pub(crate) struct Job {
    reader: MonoReader,
    rate: u32,
    /// Samples that were decoded and not sent.
    pending: Vec<f32>,
    /// Samples still to be left out at the start.
    skip: usize,
    /// Samples still to be sent; `None` for all.
    left: Option<usize>,
    /// Samples decoded, those that were left out included.
    decoded: u64,
    ended: bool,
    position: Position,
    length: u64,
    /// File position at which the sound begins: after tags and pictures.
    sound_from: u64,
}

/// What a request gave: an event and its samples.
pub(crate) type Answer = (DecodeEvent, Option<Vec<f32>>);

impl Job {
    /// Opens a file and decodes until its sample rate is known. `hint` is its extension.
    pub(crate) fn open(
        bytes: FileBytes,
        hint: &str,
        start: f64,
        end: Option<f64>,
    ) -> Result<Self, DecodeError> {
        let (position, length) = (bytes.position(), bytes.length());
        let mut decoder = Decoder::open(bytes, Some(hint))?;
        let sound_from = position.get();
        // The mix of channels that cancel depends on the second before.
        let skipped = if start > 0.0 { decoder.skip_to(start - MIX_SECONDS)? } else { 0.0 };
        let mut reader = MonoReader::at_own_rate(decoder);
        let mut pending = vec![Vec::new()];
        while reader.rates().is_empty() && reader.read(&mut pending)? {}
        let rate = reader.rates().first().copied().unwrap_or_default();
        let samples = |seconds: f64| (seconds * f64::from(rate)).round().max(0.0) as usize;
        let pending = pending.pop().unwrap_or_default();
        Ok(Self {
            reader,
            rate,
            decoded: samples(skipped) as u64 + pending.len() as u64,
            pending,
            skip: samples(start).saturating_sub(samples(skipped)),
            left: end.map(|end| samples(end).saturating_sub(samples(start))),
            ended: false,
            position,
            length,
            sound_from,
        })
    }

    /// Samples a second, in Hz.
    pub(crate) fn rate(&self) -> u32 {
        self.rate
    }

    /// Seconds that were decoded.
    fn seconds(&self) -> f64 {
        self.decoded as f64 / f64::from(self.rate.max(1))
    }

    /// The next block, the end, or the failure that ends the sound early.
    pub(crate) fn next(&mut self) -> Answer {
        let wanted = (BLOCK_SECONDS * f64::from(self.rate)) as usize;
        while !self.ended && self.left != Some(0) && self.pending.len().saturating_sub(self.skip) < wanted {
            let mut out = [std::mem::take(&mut self.pending)];
            let before = out.first().map_or(0, Vec::len);
            let result = self.reader.read(&mut out);
            let [pending] = out;
            self.decoded += pending.len().saturating_sub(before) as u64;
            self.pending = pending;
            self.drop_skipped();
            match result {
                Ok(more) => self.ended = !more,
                Err(error) => return (failed(&error, self.seconds()), None),
            }
        }
        self.drop_skipped();
        let count = self.pending.len().min(wanted).min(self.left.unwrap_or(usize::MAX));
        if count == 0 {
            let notes = self.reader.notes().iter().map(note).collect();
            return (DecodeEvent::Finished { notes }, None);
        }
        let block = self.pending.drain(..count).collect();
        if let Some(left) = self.left.as_mut() {
            *left -= count;
        }
        (DecodeEvent::Block { estimate: self.estimate() }, Some(block))
    }

    fn drop_skipped(&mut self) {
        let skipped = self.skip.min(self.pending.len());
        self.pending.drain(..skipped);
        self.skip -= skipped;
    }

    /// The length of the file: as if the rest of its bytes held as much sound a byte as those that were
    /// read. It trusts no header.
    fn estimate(&self) -> f64 {
        let (read, all) = (
            self.position.get().saturating_sub(self.sound_from),
            self.length.saturating_sub(self.sound_from),
        );
        if self.ended || read == 0 || read >= all {
            return self.seconds();
        }
        self.seconds() * (all as f64 / read as f64).max(1.0)
    }
}

/// Seconds before the part that was asked for that decide how its channels are mixed.
const MIX_SECONDS: f64 = 1.0;

/// The event for an error after `at` seconds.
pub(crate) fn failed(error: &DecodeError, at: f64) -> DecodeEvent {
    let (problem, detail) = match error {
        DecodeError::Io(error) => (Problem::Unreadable, error.to_string()),
        DecodeError::Empty => (Problem::Empty, String::new()),
        DecodeError::NotAudio(what) => (Problem::NotAudio, what.clone()),
        DecodeError::Unsupported(what) => (Problem::Unsupported, what.clone()),
        DecodeError::Protected(what) => (Problem::Protected, what.clone()),
        DecodeError::NoSound(what) => (Problem::NoSound, what.clone()),
        DecodeError::Damaged(what) => (Problem::Damaged, what.clone()),
        DecodeError::Resample(error) => (Problem::Damaged, error.to_string()),
    };
    DecodeEvent::Failed { problem, detail, at }
}

/// A note in the words of the protocol.
fn note(note: &cratedigger_decode::Note) -> Note {
    use cratedigger_decode::Note as From;
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    match note {
        From::Truncated { .. } => Note::Truncated,
        From::WrongClaim { claimed, found, .. } => Note::WrongClaim { claimed: *claimed, found: *found },
        From::Header(what) => Note::Header { what: (*what).to_owned() },
        From::Joined { parts } => Note::Joined { parts: count(*parts) },
        From::FormatChange { at, rate, channels } => Note::FormatChange {
            at: *at,
            rates: [rate.0, rate.1],
            channels: [count(channels.0), count(channels.1)],
        },
        From::Damaged { packets, first } => Note::Damaged { packets: count(*packets), first: Some(*first) },
        From::BadPage => Note::Damaged { packets: 0, first: None },
        From::Junk { bytes } => Note::Junk { bytes: *bytes as f64 },
        From::NotFinite { samples, first } => Note::NotFinite { samples: *samples as f64, first: *first },
        From::ChannelsCancel { first, seconds } => Note::ChannelsCancel { first: *first, seconds: *seconds },
        From::LowBandOnly => Note::LowBandOnly,
        From::StreamLeftOut { at, what } => Note::StreamLeftOut { at: *at, what: what.clone() },
        From::FirstOfTracks { tracks } => Note::FirstOfTracks { tracks: count(*tracks) },
    }
}
