//! MP4, M4A and QuickTime, also fragmented.

use std::collections::VecDeque;

use super::mp4_track::{Sizes, Track, boxes, tracks};
use super::{Coding, Demuxer, Event, Packet, Stream, Tail};
use crate::source::Source;
use crate::{DecodeError, Note, Notes, bytes};

const CONTAINER: &str = "The MP4 file";

pub(crate) struct Mp4 {
    source: Source,
    track: Track,
    started: bool,
    /// Position in the tables: chunk, sample in the chunk, sample in the track, and file position.
    chunk: usize,
    in_chunk: u32,
    sample: usize,
    offset: u64,
    /// Number of bytes of the current PCM chunk that are not read yet.
    chunk_left: u64,
    /// File position and size of the samples of the current fragment.
    runs: VecDeque<(u64, u32)>,
    /// File position of the next top-level box.
    walk: u64,
    /// Number of bytes that samples may still have: damaged tables can refer to the same bytes repeatedly.
    budget: u64,
    whole: bool,
    ended: bool,
}

/// A top-level box: type, size of its header, total size (to the end of the file if unknown).
fn top_level(source: &mut Source) -> std::io::Result<Option<([u8; 4], u64, u64)>> {
    let left = source.left();
    let start = source.peek(16)?;
    if start.len() < 8 {
        return Ok(None);
    }
    let (header, size) = match bytes::u32_be(start, 0) {
        0 => (8, left),
        1 => (16, bytes::u64_be(start, 8)),
        size => (8, u64::from(size)),
    };
    Ok((size >= header).then_some((bytes::at(start, 4), header, size)))
}

/// Opens a file that begins with an MP4 or QuickTime box.
pub(crate) fn open(mut source: Source, notes: &mut Notes) -> Result<Box<dyn Demuxer>, DecodeError> {
    let mut searched = false;
    let moov = loop {
        match top_level(&mut source)? {
            Some((kind, header, size)) if &kind == b"moov" => {
                source.skip(header)?;
                let body = usize::try_from(size - header).unwrap_or(usize::MAX);
                break source.take(body)?;
            }
            Some((_, _, size)) if size <= source.left() => source.skip(size)?,
            _ if !searched => {
                // The box has a wrong size, or the size of the sound was never written.
                searched = true;
                source.skip(8)?;
                let found = source.find(&[b"moov"], u64::MAX)?;
                let Some((at, _)) = found else { return Err(no_index()) };
                source.seek(at.saturating_sub(4))?;
            }
            _ => return Err(no_index()),
        }
    };
    let track = tracks(&moov, notes)?;
    drop(moov);
    let budget = source.length().saturating_mul(2);
    Ok(Box::new(Mp4 {
        source,
        track,
        started: false,
        chunk: 0,
        in_chunk: 0,
        sample: 0,
        offset: 0,
        chunk_left: 0,
        runs: VecDeque::new(),
        walk: 0,
        budget,
        whole: true,
        ended: false,
    }))
}

fn no_index() -> DecodeError {
    DecodeError::no_sound("an MP4 file without its index (moov), such as an unfinished recording")
}

impl Mp4 {
    /// File position and size of the next sample of the tables.
    fn next_sample(&mut self) -> Option<(u64, u32)> {
        loop {
            if self.in_chunk >= self.track.per_chunk(self.chunk) {
                (self.chunk, self.in_chunk) = (self.chunk + 1, 0);
                if self.chunk >= self.track.chunks.len() {
                    return None;
                }
                continue;
            }
            if self.in_chunk == 0 {
                self.offset = *self.track.chunks.get(self.chunk)?;
            }
            let size = self.track.sizes.get(self.sample)?;
            let at = self.offset;
            self.offset = self.offset.saturating_add(u64::from(size));
            self.in_chunk += 1;
            self.sample += 1;
            if size > 0 {
                return Some((at, size));
            }
        }
    }

    /// The next packet of a coding without packets, such as PCM.
    fn next_raw(&mut self, unit: u64, frames_per_unit: u64) -> Result<Option<Packet>, DecodeError> {
        while self.chunk_left < unit {
            let Some(start) = self.track.chunks.get(self.chunk) else { return Ok(None) };
            let frames = u64::from(self.track.per_chunk(self.chunk));
            self.chunk += 1;
            self.offset = *start;
            self.chunk_left = match self.track.sizes {
                // The tables can count packets or frames.
                Sizes::Fixed { size, .. } if u64::from(size) >= unit => frames * u64::from(size),
                _ => frames / frames_per_unit * unit,
            };
        }
        let most = if frames_per_unit > 1 { unit } else { (1 << 15) / unit.max(1) * unit.max(1) };
        let wanted = self.chunk_left.min(most.max(unit));
        let data = self.read(self.offset, wanted as usize)?;
        if data.is_empty() {
            return Ok(None);
        }
        self.offset += data.len() as u64;
        self.chunk_left -= wanted;
        self.whole &= data.len() as u64 == wanted;
        Ok(Some(Packet { data, ..Packet::default() }))
    }

    fn read(&mut self, at: u64, size: usize) -> Result<Vec<u8>, DecodeError> {
        if at >= self.source.length() || self.budget == 0 {
            return Ok(Vec::new());
        }
        self.source.seek(at)?;
        let data = self.source.take(size)?;
        self.budget = self.budget.saturating_sub(data.len() as u64);
        Ok(data)
    }

    /// Reads the header of the next fragment; false after the last.
    fn next_fragment(&mut self) -> Result<bool, DecodeError> {
        loop {
            self.source.seek(self.walk)?;
            let left = self.source.left();
            match top_level(&mut self.source)? {
                Some((kind, header, size)) if &kind == b"moof" && size <= left => {
                    let at = self.walk;
                    self.source.skip(header)?;
                    let body = self.source.take((size - header) as usize)?;
                    self.walk += size;
                    self.fragment(&body, at);
                    if !self.runs.is_empty() {
                        return Ok(true);
                    }
                }
                Some((_, _, size)) if size <= left => self.walk += size,
                _ if left < 8 => return Ok(false),
                _ => {
                    self.source.skip(8)?;
                    let Some((at, _)) = self.source.find(&[b"moof"], u64::MAX)? else { return Ok(false) };
                    self.walk = at.saturating_sub(4).max(self.walk + 1);
                }
            }
        }
    }

    fn fragment(&mut self, body: &[u8], moof: u64) {
        for (kind, traf) in boxes(body) {
            if &kind != b"traf" {
                continue;
            }
            let Some((_, tfhd)) = boxes(traf).find(|(kind, _)| kind == b"tfhd") else { continue };
            if bytes::u32_be(tfhd, 4) != self.track.id {
                continue;
            }
            let flags = bytes::u32_be(tfhd, 0);
            let mut at = 8;
            let mut base = moof;
            if flags & 1 != 0 {
                base = bytes::u64_be(tfhd, at);
                at += 8;
            }
            at += if flags & 2 != 0 { 4 } else { 0 } + if flags & 8 != 0 { 4 } else { 0 };
            let size = if flags & 0x10 != 0 { bytes::u32_be(tfhd, at) } else { self.track.default_size };
            let mut place = base;
            for (_, trun) in boxes(traf).filter(|(kind, _)| kind == b"trun") {
                place = self.run(trun, base, place, size);
            }
        }
    }

    /// Adds the samples of one run; returns the file position of their end.
    fn run(&mut self, trun: &[u8], base: u64, place: u64, default_size: u32) -> u64 {
        let flags = bytes::u32_be(trun, 0);
        let (mut at, mut place) = (8, place);
        if flags & 1 != 0 {
            place = base.saturating_add_signed(i64::from(bytes::u32_be(trun, at) as i32));
            at += 4;
        }
        at += if flags & 4 != 0 { 4 } else { 0 };
        let fields = [0x100, 0x200, 0x400, 0x800].iter().filter(|bit| flags & *bit != 0).count() * 4;
        let before = if flags & 0x100 != 0 { 4 } else { 0 };
        // Limits the count, which may be wrong, to the samples that the box or the file can contain.
        let count = (bytes::u32_be(trun, 4) as usize).min(match fields {
            0 => (self.source.length() / u64::from(default_size.max(1))) as usize,
            fields => trun.len().saturating_sub(at) / fields,
        });
        for _ in 0..count {
            let size = if flags & 0x200 != 0 { bytes::u32_be(trun, at + before) } else { default_size };
            at += fields;
            if size > 0 && place < self.source.length() {
                self.runs.push_back((place, size));
            }
            place = place.saturating_add(u64::from(size));
        }
        place
    }

    /// The next packet of the tables, then of the fragments.
    fn packet(&mut self) -> Result<Option<Packet>, DecodeError> {
        let channels = self.track.stream.channels;
        match self.track.stream.coding {
            Coding::Pcm(format) if self.track.sizes.fixed() => {
                if let Some(packet) = self.next_raw(format.frame(channels) as u64, 1)? {
                    return Ok(Some(packet));
                }
            }
            Coding::AdpcmQuickTime if self.track.sizes.fixed() => {
                if let Some(packet) = self.next_raw(34 * channels as u64, 64)? {
                    return Ok(Some(packet));
                }
            }
            _ => {
                if let Some((at, size)) = self.next_sample() {
                    return self.whole_sample(at, size);
                }
            }
        }
        if self.runs.is_empty() && !self.next_fragment()? {
            return Ok(None);
        }
        match self.runs.pop_front() {
            Some((at, size)) => self.whole_sample(at, size),
            None => Ok(None),
        }
    }

    fn whole_sample(&mut self, at: u64, size: u32) -> Result<Option<Packet>, DecodeError> {
        let data = self.read(at, size as usize)?;
        if data.len() < size as usize {
            self.whole = false;
            return Ok(None);
        }
        Ok(Some(Packet { data, ..Packet::default() }))
    }
}

impl Demuxer for Mp4 {
    fn next(&mut self, notes: &mut Notes) -> Result<Event, DecodeError> {
        if !self.started {
            self.started = true;
            return Ok(Event::Stream(self.track.stream.clone()));
        }
        if self.ended {
            return Ok(Event::End);
        }
        if let Some(packet) = self.packet()? {
            return Ok(Event::Packet(packet));
        }
        self.ended = true;
        let complete = match &self.track.sizes {
            Sizes::Fixed { .. } => true,
            Sizes::Each(list) => self.sample >= list.len(),
        };
        if !self.whole || !complete {
            notes.add(Note::Truncated { container: CONTAINER });
            return Ok(Event::StreamEnd(Tail::Keep));
        }
        Ok(Event::StreamEnd(self.track.tail))
    }
}

/// An AudioSpecificConfig without extensions, which Symphonia does not read.
pub(crate) fn lc_config(object_type: u8, rate: u32, channels: usize) -> Vec<u8> {
    let index = super::mpeg::AAC_RATES.iter().position(|known| *known == rate);
    let channels = channels.min(15) as u64;
    let (bits, length) = match index {
        Some(index) => (u64::from(object_type) << 11 | (index as u64) << 7 | channels << 3, 16),
        None => (u64::from(object_type) << 35 | 15 << 31 | u64::from(rate) << 7 | channels << 3, 40),
    };
    let all = (bits << (64 - length)).to_be_bytes();
    all.iter().take(length / 8).copied().collect()
}

/// The stream that an AudioSpecificConfig describes; an empty config means AAC-LC.
pub(crate) fn aac_stream(config: &[u8], rate: u32, channels: usize) -> Result<Stream, DecodeError> {
    let mut bits = bytes::Bits::new(config);
    let object = |bits: &mut bytes::Bits<'_>| match bits.read(5) {
        31 => 32 + bits.read(6),
        kind => kind,
    };
    let frequency = |bits: &mut bytes::Bits<'_>| match bits.read(4) {
        15 => bits.read(24),
        index => super::mpeg::AAC_RATES.get(index as usize).copied().unwrap_or(0),
    };
    if config.len() < 2 {
        let mut stream = Stream::new(Coding::Aac, rate, channels);
        stream.extra = lc_config(2, rate, channels);
        return Ok(stream);
    }
    let mut kind = object(&mut bits);
    let core_rate = frequency(&mut bits);
    let count = bits.read(4) as usize;
    let mut low_band = false;
    if kind == 5 || kind == 29 {
        low_band = true;
        frequency(&mut bits);
        kind = object(&mut bits);
    }
    let short_frames = bits.read(1) == 1;
    let depends = bits.read(1) == 1;
    bits.read(if depends { 15 } else { 1 });
    if kind == 2 && bits.left() >= 17 && bits.read(11) == 0x2b7 && object(&mut bits) == 5 {
        low_band |= bits.read(1) == 1;
    }
    let name = match kind {
        2 if short_frames => Some("AAC with frames of 960 samples"),
        2 => None,
        1 => Some("AAC Main"),
        3 => Some("AAC SSR"),
        4 => Some("AAC LTP"),
        22 => Some("AAC-BSAC"),
        23 | 39 => Some("low-delay AAC"),
        32..=34 => Some("MPEG audio in MP4"),
        36 => Some("MPEG-4 ALS"),
        42 => Some("xHE-AAC"),
        _ => Some("MPEG-4 audio of an unknown kind"),
    };
    if let Some(name) = name {
        return Err(DecodeError::unsupported(name));
    }
    let rate = if core_rate > 0 { core_rate } else { rate };
    // 0 means that the frames define the channels; 7 means eight channels.
    let channels = match count {
        0 => channels.clamp(1, 2),
        7 => 8,
        count => count,
    };
    if channels > 2 {
        return Err(DecodeError::unsupported(format!("AAC with {channels} channels")));
    }
    let mut stream = Stream::new(Coding::Aac, rate, channels);
    stream.extra = lc_config(2, rate, channels);
    stream.low_band = low_band;
    Ok(stream)
}
