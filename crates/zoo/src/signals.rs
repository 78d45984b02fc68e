//! One song at every sample rate that the networks need.

use cratedigger_dsp::{DspError, resample};

/// The mono samples of one song at one or several sample rates.
///
/// Samples can be appended while a song is decoded: see [`Signals::at_mut`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signals {
    /// Sample rate in Hz and samples, lowest rate first.
    tracks: Vec<(u32, Vec<f32>)>,
}

impl Signals {
    /// An empty song at these sample rates in Hz.
    pub fn empty(rates: &[u32]) -> Self {
        let mut rates = rates.to_vec();
        rates.sort_unstable();
        rates.dedup();
        Self { tracks: rates.into_iter().map(|rate| (rate, Vec::new())).collect() }
    }

    /// A song at one sample rate in Hz.
    pub fn single(rate: u32, samples: Vec<f32>) -> Self {
        Self { tracks: vec![(rate, samples)] }
    }

    /// Resamples `samples` from `from_hz` to each of `rates` in Hz, each directly from the original.
    ///
    /// # Errors
    /// A rate or a sample that [`resample`] rejects.
    pub fn resampled(samples: &[f32], from_hz: u32, rates: &[u32]) -> Result<Self, DspError> {
        let mut signals = Self::empty(rates);
        for (rate, track) in &mut signals.tracks {
            *track = resample(samples, from_hz, *rate)?;
        }
        Ok(signals)
    }

    /// The sample rates in Hz, lowest first.
    pub fn rates(&self) -> impl Iterator<Item = u32> {
        self.tracks.iter().map(|(rate, _)| *rate)
    }

    /// The samples at a rate in Hz; empty if the song lacks this rate.
    pub fn at(&self, rate: u32) -> &[f32] {
        self.tracks.iter().find(|track| track.0 == rate).map_or(&[], |(_, samples)| samples)
    }

    /// The samples at a rate in Hz, to append to; `None` if the song lacks this rate.
    pub fn at_mut(&mut self, rate: u32) -> Option<&mut Vec<f32>> {
        self.tracks.iter_mut().find(|track| track.0 == rate).map(|(_, samples)| samples)
    }
}

/// Converts sample index `place` of a signal at `from_hz` to the nearest index of the same signal at
/// `to_hz`.
pub fn place_at(place: usize, from_hz: u32, to_hz: u32) -> usize {
    if from_hz == to_hz {
        return place;
    }
    let (from, to) = (u128::from(from_hz.max(1)), u128::from(to_hz));
    usize::try_from((place as u128 * to + from / 2) / from).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_song_has_each_rate_once() {
        let song: Vec<f32> = (0..44_100).map(|n| (n as f32 * 0.05).sin()).collect();
        let signals = Signals::resampled(&song, 44_100, &[22_050, 16_000, 22_050]).unwrap();
        assert_eq!(signals.rates().collect::<Vec<_>>(), [16_000, 22_050]);
        assert_eq!((signals.at(16_000).len(), signals.at(22_050).len()), (16_000, 22_050));
        assert!(signals.at(8000).is_empty());
        assert!(Signals::resampled(&[f32::NAN], 44_100, &[16_000]).is_err());
    }

    #[test]
    fn indices_are_rounded_to_the_nearest_sample() {
        assert_eq!(place_at(66_150, 22_050, 16_000), 48_000);
        assert_eq!(place_at(1, 22_050, 16_000), 1); // 0.73
        assert_eq!(place_at(100, 16_000, 22_050), 138); // 137.8
        assert_eq!(place_at(usize::MAX, 16_000, 22_050), usize::MAX);
        assert_eq!(place_at(7, 22_050, 22_050), 7);
    }
}
