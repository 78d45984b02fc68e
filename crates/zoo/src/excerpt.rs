//! One segment of a song, at every sample rate.

use std::borrow::Cow;
use std::ops::Range;

use crate::{Signals, place_at};

/// One segment of a song at every sample rate that the networks take. It holds all samples that the
/// prediction depends on, so a segment can be predicted where the song is not.
#[derive(Clone, Debug, PartialEq)]
pub struct Excerpt<'a> {
    /// One for each sample rate.
    pub tracks: Vec<Track<'a>>,
}

/// The samples of an [`Excerpt`] at one sample rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Track<'a> {
    /// Sample rate in Hz.
    pub rate: u32,
    /// First sample of the segment. The samples before it belong to the song, too: the first frames of a
    /// window extend to them.
    pub start: usize,
    /// The samples, up to the end of the segment.
    pub samples: Cow<'a, [f32]>,
}

impl<'a> Excerpt<'a> {
    /// Cuts out a segment, a range of samples at `rate`, with up to `lead` samples before it at each rate.
    /// At other rates it begins at the nearest sample.
    pub(crate) fn cut(
        signals: &'a Signals,
        rates: &[u32],
        segment: &Range<usize>,
        rate: u32,
        lead: usize,
    ) -> Self {
        let cut = |&own: &u32| {
            let signal = signals.at(own);
            let [start, end] =
                [segment.start, segment.end].map(|place| place_at(place, rate, own).min(signal.len()));
            let from = start.saturating_sub(lead);
            let samples = signal.get(from..end).unwrap_or_default();
            Track { rate: own, start: start - from, samples: Cow::Borrowed(samples) }
        };
        let there = |rate: &&u32| signals.rates().any(|there| there == **rate);
        Self { tracks: rates.iter().filter(there).map(cut).collect() }
    }

    /// The track at a rate.
    pub(crate) fn track(&self, rate: u32) -> Option<&Track<'a>> {
        self.tracks.iter().find(|track| track.rate == rate)
    }

    /// The samples at a rate, and the first one of the segment; none if the rate is missing.
    pub(crate) fn at(&self, rate: u32) -> (&[f32], usize) {
        self.track(rate).map_or((&[], 0), |track| (&track.samples, track.start))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Extractor, Input, InputSpec, LogMel, LogPowerMel, Preparation, golden_signal};

    /// Windows of an excerpt are those of the whole song, to the last bit; without the samples before the
    /// segment they are not.
    #[test]
    fn an_excerpt_has_all_that_its_windows_depend_on() {
        const RATES: [u32; 2] = [16_000, 22_050];
        let mut signals = Signals::empty(&RATES);
        for rate in RATES {
            *signals.at_mut(rate).unwrap() = golden_signal(rate, 10.0);
        }
        let inputs = [Input::LogPowerMel(LogPowerMel::default()), Input::LogMel(LogMel::default())];
        for (own, input) in RATES.into_iter().zip(inputs) {
            let lead = input.lead();
            let input_spec = InputSpec { sample_rate: own, ..InputSpec::new(3.0, vec![input]) };
            let mut extractor = Extractor::new(&input_spec, &Preparation::default()).unwrap();
            let mut window = |signal: &[f32], start| {
                let mut values = Vec::new();
                extractor.window(signal, start, &mut values).unwrap();
                values
            };
            for segment in [0..66_150, 700..66_850, 100_003..166_153] {
                let [start, end] = [segment.start, segment.end].map(|place| place_at(place, 22_050, own));
                let in_song = window(&signals.at(own)[..end], start);
                let excerpt = Excerpt::cut(&signals, &RATES, &segment, 22_050, lead);
                let (samples, start) = excerpt.at(own);
                assert_eq!(window(samples, start), in_song, "{own} {segment:?}");
                assert!(start <= lead && samples.len() <= 3 * own as usize + 1 + lead);
                if segment.start > 0 {
                    assert_ne!(window(&samples[start..], 0), in_song, "{own} {segment:?}");
                }
            }
        }
        assert_eq!(Excerpt::cut(&signals, &[8000], &(0..9), 22_050, 0).at(8000), (&[][..], 0));
    }
}
