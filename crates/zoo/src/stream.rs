//! A song of any length in constant memory: samples come in pieces, and go when their segments are done.

use std::ops::Range;

use cratedigger_dsp::{DspError, Resampler};

use crate::{InputSpec, Signals, place_at};

/// Seconds kept for [`SongStream::middle`].
const MIDDLE_SECONDS: usize = 30;

/// A segment whose samples are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadySegment {
    /// 0-based index in the song.
    pub index: usize,
    /// Its samples in the song, at [`SongStream::rate`].
    pub place: Range<usize>,
    /// The same samples in [`SongStream::signals`].
    pub window: Range<usize>,
}

/// The samples of a song that arrives piece by piece, at every sample rate that a network needs.
///
/// Segments are those of [`InputSpec::segments`], and their predictions equal those for the song as a
/// whole: samples are dropped only when no later segment needs them.
pub struct SongStream {
    input_spec: InputSpec,
    resamplers: Vec<(u32, Resampler)>,
    /// From `dropped` seconds on.
    signals: Signals,
    /// Whole seconds that were dropped: a whole number of samples at every rate.
    dropped: usize,
    /// Index of the next segment.
    next: usize,
    ended: bool,
    /// The last seconds of what came before `middle_at`.
    middle: Vec<f32>,
    middle_at: Option<usize>,
}

impl SongStream {
    /// No samples yet. They come at `from` Hz and are needed at `rates`; `input_spec` defines the segments.
    ///
    /// # Errors
    /// A sample rate that cannot be resampled.
    pub fn new(input_spec: &InputSpec, from: u32, rates: &[u32]) -> Result<Self, DspError> {
        let signals = Signals::empty(rates);
        let resamplers = signals
            .rates()
            .map(|rate| Ok((rate, Resampler::new(from, rate)?)))
            .collect::<Result<_, DspError>>()?;
        Ok(Self {
            input_spec: input_spec.clone(),
            resamplers,
            signals,
            dropped: 0,
            next: 0,
            ended: false,
            middle: Vec::new(),
            middle_at: None,
        })
    }

    /// Sample rate in Hz at which segments are counted.
    pub fn rate(&self) -> u32 {
        self.input_spec.sample_rate
    }

    /// Adds the next samples of the mono mix.
    ///
    /// # Errors
    /// A sample that is not finite.
    pub fn push(&mut self, samples: &[f32]) -> Result<(), DspError> {
        let before = self.kept().len();
        for (rate, resampler) in &mut self.resamplers {
            if let Some(signal) = self.signals.at_mut(*rate) {
                resampler.push(samples, signal)?;
            }
        }
        self.keep_middle(before);
        Ok(())
    }

    /// Ends the song: now its last segments are known.
    ///
    /// # Errors
    /// None that valid sample rates can reach.
    pub fn finish(&mut self) -> Result<(), DspError> {
        let before = self.kept().len();
        for (rate, mut resampler) in self.resamplers.drain(..) {
            if let Some(signal) = self.signals.at_mut(rate) {
                resampler.finish(signal)?;
            }
        }
        self.ended = true;
        self.keep_middle(before);
        Ok(())
    }

    /// Number of samples so far at [`SongStream::rate`], those that were dropped included.
    pub fn length(&self) -> usize {
        self.start() + self.kept().len()
    }

    /// The samples that are kept, mono, at every rate. [`ReadySegment::window`] is a place in them.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// The samples that are kept, at [`SongStream::rate`], and the place of the first in the song.
    pub fn recent(&self) -> (usize, &[f32]) {
        (self.start(), self.kept())
    }

    /// The next segments whose samples are there, at most `most`. Each is returned once.
    pub fn ready(&mut self, most: usize) -> Vec<ReadySegment> {
        let (start, end, length) = (self.start(), self.length(), self.input_spec.segment_samples().max(1));
        let all = if self.ended { Some(self.input_spec.segments(end)) } else { None };
        let mut ready = Vec::new();
        while ready.len() < most {
            let index = self.next;
            let place = match &all {
                Some(all) => all.get(index).cloned(),
                None => Some(index * length..(index + 1) * length).filter(|place| self.is_read_to(place.end)),
            };
            let Some(place) = place else { break };
            let window = place.start.saturating_sub(start)..place.end.saturating_sub(start);
            ready.push(ReadySegment { index, place, window });
            self.next += 1;
        }
        ready
    }

    /// Drops the samples that no later segment needs. The windows of segments that were returned before
    /// lose their meaning.
    pub fn drop_done(&mut self) {
        // The last segment of the song can begin one segment earlier than its index says.
        let length = self.input_spec.segment_samples().max(1);
        let needed = self.next.saturating_sub(1) * length;
        let seconds = needed / self.rate().max(1) as usize;
        let more = seconds.saturating_sub(self.dropped);
        let rates: Vec<u32> = self.signals.rates().collect();
        for rate in rates {
            if let Some(signal) = self.signals.at_mut(rate) {
                signal.drain(..(more * rate as usize).min(signal.len()));
            }
        }
        self.dropped += more;
    }

    /// Says how long the song will be, in seconds, as far as that is known: [`SongStream::middle`] needs it.
    pub fn expect(&mut self, seconds: f64) {
        let middle = (seconds * f64::from(self.rate()) / 2.0) as usize;
        self.middle_at = Some(middle + MIDDLE_SECONDS * self.rate() as usize / 2);
    }

    /// The middle of the song at [`SongStream::rate`], at most 30 seconds; all of a shorter song. It is where
    /// the last [`SongStream::expect`] that was in time put it.
    pub fn middle(&self) -> &[f32] {
        &self.middle
    }

    /// Adds what came after the first `before` kept samples, up to where the middle ends.
    fn keep_middle(&mut self, before: usize) {
        let most = MIDDLE_SECONDS * self.rate() as usize;
        let from = self.start() + before;
        let end = self.middle_at.unwrap_or(usize::MAX).max(most);
        let new = self.kept().get(before..).unwrap_or_default();
        let new = new.get(..end.saturating_sub(from).min(new.len())).unwrap_or_default().to_vec();
        self.middle.extend(new);
        let extra = self.middle.len().saturating_sub(most);
        self.middle.drain(..extra);
    }

    fn start(&self) -> usize {
        self.dropped * self.rate() as usize
    }

    fn kept(&self) -> &[f32] {
        self.signals.at(self.rate())
    }

    /// Whether the song is there up to sample `samples`, at every sample rate.
    fn is_read_to(&self, samples: usize) -> bool {
        self.signals.rates().all(|rate| {
            let there = self.dropped * rate as usize + self.signals.at(rate).len();
            there >= place_at(samples, self.rate(), rate)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RATE: u32 = 22_050;

    fn noise(samples: usize) -> Vec<f32> {
        let mut state = 7_u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..samples).map(|_| next()).collect()
    }

    /// Each segment's samples and those before it, at both rates, are those of the whole song; and memory
    /// does not grow with the song.
    #[test]
    fn segments_are_those_of_the_whole_song() {
        let spec = InputSpec::log_mel_3s();
        let rates = [16_000, RATE];
        for (samples, piece) in
            [(44_100 * 31 + 17, 50_000), (44_100 * 10, 7), (44_100 * 7 / 2, 1 << 20), (900, 900)]
        {
            let song = noise(samples);
            let whole = Signals::resampled(&song, 44_100, &rates).unwrap();
            let expected = spec.segments(whole.at(RATE).len());
            let mut stream = SongStream::new(&spec, 44_100, &rates).unwrap();
            let mut found = Vec::new();
            let mut take = |stream: &mut SongStream| {
                loop {
                    let ready = stream.ready(2);
                    for segment in &ready {
                        for rate in rates {
                            let [from, to] =
                                [segment.window.start, segment.window.end].map(|p| place_at(p, RATE, rate));
                            let [start, end] =
                                [segment.place.start, segment.place.end].map(|p| place_at(p, RATE, rate));
                            let signal = stream.signals().at(rate);
                            let (to, end) = (to.min(signal.len()), end.min(whole.at(rate).len()));
                            assert_eq!(
                                signal[from..to],
                                whole.at(rate)[start..end],
                                "{samples} {}",
                                segment.index
                            );
                            let before = from.min(2048);
                            assert_eq!(signal[from - before..from], whole.at(rate)[start - before..start]);
                            assert!(
                                before == 2048 || start == from,
                                "no samples before segment {}",
                                segment.index
                            );
                        }
                    }
                    if ready.is_empty() {
                        break;
                    }
                    found.extend(ready.into_iter().map(|segment| segment.place));
                    stream.drop_done();
                }
                assert!(stream.recent().1.len() < 10 * RATE as usize + piece);
            };
            for piece in song.chunks(piece) {
                stream.push(piece).unwrap();
                take(&mut stream);
            }
            stream.finish().unwrap();
            take(&mut stream);
            assert_eq!(found, expected, "{samples}");
            assert_eq!(stream.length(), whole.at(RATE).len());
        }
    }

    #[test]
    fn the_middle_is_where_it_is_expected() {
        let spec = InputSpec::log_mel_3s();
        let song = noise(RATE as usize * 100);
        let middle = |expected: f64, length: usize| {
            let mut stream = SongStream::new(&spec, RATE, &[RATE]).unwrap();
            for piece in song[..length * RATE as usize].chunks(33_333) {
                stream.expect(expected);
                stream.push(piece).unwrap();
                stream.ready(usize::MAX);
                stream.drop_done();
            }
            stream.finish().unwrap();
            stream.middle().to_vec()
        };
        let seconds = |from: usize, to: usize| &song[from * RATE as usize..to * RATE as usize];
        assert_eq!(middle(100.0, 100), seconds(35, 65));
        assert_eq!(middle(20.0, 20), seconds(0, 20));
        // A wrong expectation gives another part, never none.
        assert_eq!(middle(500.0, 100), seconds(70, 100));
        assert_eq!(middle(0.0, 100), seconds(0, 30));
    }
}
