//! The decoder: turns any supported file into blocks of samples.

use crate::codec::Codec;
use crate::demux::{Demuxer, Event, Packet, Stream, Tail};
use crate::note::{Note, Notes};
use crate::skip;
use crate::sniff::{self, Opened};
use crate::source::{ReadSeek, Source};
use crate::{DecodeError, MonoReader};

/// A block of consecutive samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Sample rate in Hz. It can differ from that of the block before.
    pub sample_rate: u32,
    /// The channels: at least one, all of equal length. Their number can differ from that of the block
    /// before. Samples are finite and nominally in −1…1.
    pub channels: Vec<Vec<f32>>,
}

impl Block {
    /// Number of samples of each channel.
    pub fn frames(&self) -> usize {
        self.channels.first().map_or(0, Vec::len)
    }

    pub(crate) fn reset(&mut self, sample_rate: u32, channels: usize) {
        self.sample_rate = sample_rate;
        self.channels.resize_with(channels, Vec::new);
        self.channels.iter_mut().for_each(Vec::clear);
    }

    fn drop_front(&mut self, frames: usize) {
        for channel in &mut self.channels {
            channel.drain(..frames.min(channel.len()));
        }
    }
}

/// Largest plausible magnitude of a sample: integers stored as floats reach 2³¹. A larger magnitude comes
/// from a damaged exponent, and would dominate every feature computed from the sound.
const LARGEST: f32 = 4.3e9;

/// Decodes one file, block by block, in memory that does not grow with its length.
///
/// The caller decides how much it keeps. After the last block, [`Decoder::notes`] is complete.
pub struct Decoder {
    demuxer: Box<dyn Demuxer>,
    format: &'static str,
    notes: Notes,
    stream: Option<Stream>,
    codec: Option<Codec>,
    /// Number of frames of encoder delay that still must be removed from the current stream.
    delay: u64,
    /// Number of decoded frames of the current stream, including delay and padding.
    decoded: u64,
    /// Position of the start of the stream: end of the first packet with a position, minus the frames
    /// decoded up to there.
    origin: Option<u64>,
    last_end: Option<u64>,
    /// Samples held back, because they are padding if the stream ends after them.
    held: Block,
    scratch: Block,
    ready: std::collections::VecDeque<Block>,
    /// Sample rate and number of channels of the last block that was returned.
    last: Option<(u32, usize)>,
    seconds: f64,
    parts: usize,
    bad: usize,
    /// Seconds before which nothing is wanted.
    wanted_from: f64,
    /// Hz of the packet that was passed over last.
    passed_rate: u32,
    /// The reason why the first stream has no codec.
    refused: Option<String>,
    ended: bool,
}

impl Decoder {
    /// Opens a file by its content.
    ///
    /// `hint` is the file's extension without the dot, in upper or lower case. It is used only if the content
    /// does not identify the format.
    ///
    /// # Errors
    /// The source cannot be read, is empty, is not audio, or has an unsupported format.
    pub fn open(source: impl ReadSeek + 'static, hint: Option<&str>) -> Result<Self, DecodeError> {
        let source = Source::new(Box::new(source))?;
        let mut notes = Notes::default();
        let Opened { demuxer, format } = sniff::open(source, hint.unwrap_or_default(), &mut notes)?;
        let mut this = Self {
            demuxer,
            format,
            notes,
            stream: None,
            codec: None,
            delay: 0,
            decoded: 0,
            origin: None,
            last_end: None,
            held: Block::default(),
            scratch: Block::default(),
            ready: std::collections::VecDeque::new(),
            last: None,
            seconds: 0.0,
            parts: 0,
            bad: 0,
            wanted_from: 0.0,
            passed_rate: 0,
            refused: None,
            ended: false,
        };
        // Reads up to the first stream, so that an unsupported coding is an error here.
        while this.stream.is_none() && !this.ended {
            this.step()?;
        }
        match this.refused.take() {
            Some(what) => Err(DecodeError::Unsupported(what)),
            None => Ok(this),
        }
    }

    /// The next samples, or `None` after the last.
    ///
    /// # Errors
    /// The source cannot be read, or the file ends without a single sample. Blocks returned before an error
    /// remain valid.
    pub fn next_block(&mut self) -> Result<Option<Block>, DecodeError> {
        loop {
            if let Some(block) = self.ready.pop_front() {
                return Ok(Some(block));
            }
            if self.ended {
                return if self.seconds > 0.0 { Ok(None) } else { Err(self.nothing()) };
            }
            self.step()?;
        }
    }

    /// Passes over sound up to about `seconds` from the start, mostly without decoding it. Returns the
    /// seconds at which the next block begins: no later than `seconds`, unless the file ends before.
    ///
    /// The notes then do not tell what is wrong with the sound that was passed over.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn skip_to(&mut self, seconds: f64) -> Result<f64, DecodeError> {
        self.wanted_from = seconds;
        // The last block that begins before `seconds` stays.
        while !self.ended && self.seconds < seconds {
            self.ready.clear();
            self.step()?;
        }
        if self.seconds < seconds {
            self.ready.clear();
        }
        let length = |block: &Block| block.frames() as f64 / f64::from(block.sample_rate.max(1));
        Ok(self.seconds - self.ready.iter().map(length).sum::<f64>())
    }

    /// Converts the following samples to mono at the given rates in Hz. See [`MonoReader`].
    ///
    /// # Errors
    /// As [`MonoReader::new`].
    pub fn into_mono(self, rates: &[u32]) -> Result<MonoReader, DecodeError> {
        MonoReader::new(self, rates)
    }

    /// The notes so far.
    pub fn notes(&self) -> &[Note] {
        self.notes.as_slice()
    }

    pub(crate) fn notes_mut(&mut self) -> &mut Notes {
        &mut self.notes
    }

    /// Name of the container with its article, such as "an MP3 file".
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// Duration of the blocks returned so far, in seconds.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Processes one event from the demuxer.
    fn step(&mut self) -> Result<(), DecodeError> {
        match self.demuxer.next(&mut self.notes)? {
            Event::Stream(stream) => {
                self.finish_stream(Tail::Keep);
                self.start_stream(stream);
            }
            Event::Packet(packet) => self.take(&packet),
            Event::StreamEnd(tail) => self.finish_stream(tail),
            Event::End => {
                self.finish_stream(Tail::Keep);
                self.ended = true;
            }
        }
        Ok(())
    }

    fn start_stream(&mut self, stream: Stream) {
        if stream.joined || self.parts == 0 {
            self.parts += 1;
        }
        if self.parts > 1 {
            self.notes.add(Note::Joined { parts: self.parts });
        }
        if stream.low_band {
            self.notes.add(Note::LowBandOnly);
        }
        (self.delay, self.decoded, self.origin, self.last_end) = (stream.delay, 0, None, None);
        self.codec = match Codec::new(&stream) {
            Ok(codec) => Some(codec),
            Err(what) if self.stream.is_none() => {
                self.refused = Some(what);
                None
            }
            Err(what) => {
                self.notes.add(Note::StreamLeftOut { at: self.seconds, what });
                None
            }
        };
        self.stream = Some(stream);
    }

    fn take(&mut self, packet: &Packet) {
        let Some(codec) = self.codec.as_mut() else { return };
        let passed = match &self.stream {
            Some(stream) if self.seconds < self.wanted_from => skip::length(stream, packet),
            _ => None,
        };
        if let Some((frames, rate)) = passed
            && self.seconds + frames as f64 / f64::from(rate) < self.wanted_from - skip::WARM_UP
            && self.held.frames() == 0
        {
            return self.pass(packet, frames, rate);
        }
        if codec.decode(packet, &mut self.scratch).is_err() {
            if let Some((frames, rate)) = passed {
                // It refers to packets that were passed over.
                return self.pass(packet, frames, rate);
            }
            self.bad += 1;
            // Expected for the first packets of a stream that was cut: they refer to data before the cut.
            self.notes.add(Note::Damaged { packets: 1, first: self.position() });
            return;
        }
        if packet.frames > 0 && (packet.frames as usize) < self.scratch.frames() {
            for channel in &mut self.scratch.channels {
                channel.truncate(packet.frames as usize);
            }
        }
        let cut = self.count(packet, self.scratch.frames() as u64);
        self.scratch.drop_front(cut as usize);
        if self.scratch.frames() > 0 {
            self.clean();
            self.hold();
        }
    }

    /// Duration of the sound decoded so far, in seconds.
    fn position(&self) -> f64 {
        self.seconds + self.held.frames() as f64 / f64::from(self.held.sample_rate.max(1))
    }

    /// Counts the frames of a packet; returns how many of them are encoder delay.
    fn count(&mut self, packet: &Packet, frames: u64) -> u64 {
        self.decoded += frames;
        if let Some(end) = packet.end {
            // Positions need not start at 0: the stream can be cut from a longer one.
            self.origin.get_or_insert(end.saturating_sub(self.decoded));
            self.last_end = Some(end);
        }
        let cut = self.delay.min(frames);
        self.delay -= cut;
        cut
    }

    /// Passes over a packet of that many frames.
    fn pass(&mut self, packet: &Packet, frames: u64, rate: u32) {
        self.passed_rate = rate;
        let cut = self.count(packet, frames);
        self.seconds += (frames - cut) as f64 / f64::from(rate);
    }

    /// Sets samples that are not finite or too large to zero.
    fn clean(&mut self) {
        let mut samples = 0;
        for sample in self.scratch.channels.iter_mut().flatten() {
            // Also false for NaN.
            let valid = sample.abs() <= LARGEST;
            if !valid {
                *sample = 0.0;
                samples += 1;
            }
        }
        if samples > 0 {
            self.notes.add(Note::NotFinite { samples, first: self.position() });
        }
    }

    /// Emits the decoded samples, except those that may be padding.
    fn hold(&mut self) {
        let hold = self.stream.as_ref().map_or(0, |stream| stream.hold);
        let same = self.held.sample_rate == self.scratch.sample_rate
            && self.held.channels.len() == self.scratch.channels.len();
        if !same {
            self.release(0);
        }
        if hold == 0 && self.held.frames() == 0 {
            let block = std::mem::take(&mut self.scratch);
            self.emit(block);
            return;
        }
        if self.held.frames() == 0 {
            self.held.reset(self.scratch.sample_rate, self.scratch.channels.len());
        }
        for (held, new) in self.held.channels.iter_mut().zip(&self.scratch.channels) {
            held.extend_from_slice(new);
        }
        self.release(hold);
    }

    /// Emits the samples held back, except the last `keep` frames.
    fn release(&mut self, keep: usize) {
        let count = self.held.frames().saturating_sub(keep);
        if count == 0 {
            return;
        }
        let channels =
            self.held.channels.iter_mut().map(|channel| channel.drain(..count).collect()).collect();
        let sample_rate = self.held.sample_rate;
        self.emit(Block { sample_rate, channels });
    }

    fn emit(&mut self, block: Block) {
        let now = (block.sample_rate, block.channels.len());
        if let Some(last) = self.last.filter(|last| *last != now) {
            self.notes.add(Note::FormatChange {
                at: self.seconds,
                rate: (last.0, now.0),
                channels: (last.1, now.1),
            });
        }
        self.last = Some(now);
        self.seconds += block.frames() as f64 / f64::from(block.sample_rate.max(1));
        self.ready.push_back(block);
    }

    /// Ends a stream: emits the samples held back, without the padding.
    fn finish_stream(&mut self, tail: Tail) {
        let padding = match tail {
            Tail::Keep => 0,
            Tail::Trim(frames) => frames,
            Tail::After(frames) => self.decoded.saturating_sub(frames),
            Tail::AtEnd => match (self.origin, self.last_end) {
                (Some(origin), Some(end)) => self.decoded.saturating_sub(end.saturating_sub(origin)),
                _ => 0,
            },
        };
        let hold = self.stream.as_ref().map_or(0, |stream| stream.hold);
        // Padding longer than the samples held back comes from a wrong header.
        if padding > 0 && padding <= hold as u64 && padding < self.decoded {
            let keep = self.held.frames().saturating_sub(padding as usize);
            // Padding that is not held was passed over, if anything was.
            if self.passed_rate > 0 {
                let missing = padding.saturating_sub(self.held.frames() as u64);
                self.seconds -= missing as f64 / f64::from(self.passed_rate);
            }
            for channel in &mut self.held.channels {
                channel.truncate(keep);
            }
        }
        self.release(0);
    }

    /// The error for a file without samples.
    fn nothing(&self) -> DecodeError {
        let format = self.format;
        if let Some(what) = &self.refused {
            DecodeError::Unsupported(what.clone())
        } else if self.bad > 0 {
            DecodeError::damaged(format!("not one of the {} packets of {format} can be decoded", self.bad))
        } else {
            DecodeError::no_sound(format!("{format} that ends before its first sample"))
        }
    }
}
