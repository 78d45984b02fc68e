//! Onsets, tempo and beats.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::stft::{check_hop, hann};
use crate::{DspError, Spectrogram, check_finite, median_of};

/// How the bands of a frame are aggregated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// Their mean: `librosa.onset.onset_strength`.
    Mean,
    /// Their median, as in `librosa.beat.beat_track`.
    Median,
}

/// Frames by which onsets are shifted (half an FFT), so that they mark the start of the sound and not
/// the centre of the first frame that contains it.
fn centring(n_fft: usize, hop_length: usize) -> usize {
    n_fft / (2 * hop_length)
}

/// Increase of level from frame to frame: the positive differences of a mel spectrogram in decibels,
/// aggregated over bands (`librosa.onset.onset_strength(S=…)`). `decibels` holds frame after frame of
/// `bands` values; `out` gets as many values as there are frames.
pub(crate) fn onset_strength(
    decibels: &[f32],
    bands: usize,
    (n_fft, hop_length): (usize, usize),
    aggregate: Aggregate,
    scratch: &mut Vec<f32>,
    out: &mut Vec<f32>,
) {
    out.clear();
    let frames = decibels.len() / bands;
    out.resize(frames.min(1 + centring(n_fft, hop_length)), 0.0);
    let later = decibels.get(bands..).unwrap_or_default();
    for (before, after) in decibels.chunks_exact(bands).zip(later.chunks_exact(bands)) {
        if out.len() == frames {
            break;
        }
        let rises = before.iter().zip(after).map(|(a, b)| (b - a).max(0.0));
        out.push(match aggregate {
            Aggregate::Mean => (rises.map(f64::from).sum::<f64>() / bands as f64) as f32,
            Aggregate::Median => {
                scratch.clear();
                scratch.extend(rises);
                median_of(scratch)
            }
        });
    }
}

/// Tempo and its autocorrelation over time, planned for one frame rate.
pub struct TempoEstimator {
    /// Beats per minute of a lag of one frame.
    bpm_of_one: f64,
    window: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// The onset envelope with linear ramps at both ends.
    padded: Vec<f32>,
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    sum: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

/// Seconds of the autocorrelation's window; librosa's `ac_size`.
const AC_SECONDS: f64 = 8.0;
/// The prior of the tempo: its centre in beats per minute, and its standard deviation in octaves.
const START_BPM: f64 = 120.0;
const STD_BPM: f64 = 1.0;
/// Tempi of at least this many beats per minute are excluded.
const MAX_BPM: f64 = 320.0;

impl TempoEstimator {
    /// Plans for onset envelopes of `sample_rate / hop_length` values per second, with an autocorrelation
    /// over 8 s.
    ///
    /// ```
    /// use cratedigger_dsp::TempoEstimator;
    ///
    /// assert!(TempoEstimator::new(22_050.0, 512).is_ok());
    /// assert!(TempoEstimator::new(22_050.0, 0).is_err());
    /// ```
    ///
    /// # Errors
    /// A hop of 0, or so long that 8 s contain fewer than four frames.
    pub fn new(sample_rate: f64, hop_length: usize) -> Result<Self, DspError> {
        check_hop(hop_length)?;
        let length = (AC_SECONDS * sample_rate / hop_length as f64).floor();
        if !(4.0..=1e6).contains(&length) {
            return Err(DspError::Parameter {
                name: "hop_length",
                value: hop_length as f64,
                reason: "eight seconds must hold between 4 and a million frames",
            });
        }
        let length = length as usize;
        // Long enough to avoid wrap-around; a power of two, or three times one, is fast.
        let padded = (2 * length).next_power_of_two();
        let padded = if padded / 4 * 3 >= 2 * length { padded / 4 * 3 } else { padded };
        let mut planner = RealFftPlanner::<f32>::new();
        let (forward, inverse) = (planner.plan_fft_forward(padded), planner.plan_fft_inverse(padded));
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Ok(Self {
            bpm_of_one: 60.0 * sample_rate / hop_length as f64,
            window: hann(length),
            padded: Vec::new(),
            frame: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            sum: forward.make_output_vec(),
            scratch: vec![Complex32::default(); scratch],
            forward,
            inverse,
        })
    }

    /// Lags of the tempogram, in frames: 0 to this, exclusive.
    ///
    /// ```
    /// use cratedigger_dsp::TempoEstimator;
    ///
    /// assert_eq!(TempoEstimator::new(22_050.0, 512)?.lags(), 344); // of 23 ms, in 8 s
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn lags(&self) -> usize {
        self.window.len()
    }

    /// Beats per minute of a lag; infinite for 0 (`librosa.tempo_frequencies`).
    ///
    /// ```
    /// use cratedigger_dsp::TempoEstimator;
    ///
    /// let estimator = TempoEstimator::new(12_800.0, 512)?; // 25 frames a second
    /// assert_eq!(estimator.bpm(10), 150.0);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn bpm(&self, lag: usize) -> f64 {
        self.bpm_of_one / lag as f64
    }

    /// Pads both ends with half a window of a linear ramp from and to 0, as librosa does.
    fn pad(&mut self, onsets: &[f32]) {
        let half = self.window.len() / 2;
        let ramp = |edge: f32, i: usize| edge * (i as f32 / half as f32);
        let (first, last) = (onsets.first().copied(), onsets.last().copied());
        self.padded.clear();
        self.padded.extend((0..half).map(|i| ramp(first.unwrap_or_default(), i)));
        self.padded.extend(onsets);
        self.padded.extend((0..half).rev().map(|i| ramp(last.unwrap_or_default(), i)));
        // A window of odd length is one frame longer.
        self.padded.resize(onsets.len() + self.window.len(), 0.0);
    }

    /// Writes to `spectrum` the power spectrum of the padded envelope's window at `frame`, divided by
    /// the window's energy. The inverse transform of it is the autocorrelation, which is 1 at lag 0
    /// and not larger at any other lag. False if the window is all 0.
    fn correlate(&mut self, frame: usize) -> Result<bool, DspError> {
        let length = self.window.len();
        let mut energy = 0.0;
        let inside = &self.padded[frame..frame + length];
        for ((value, onset), weight) in self.frame.iter_mut().zip(inside).zip(&self.window) {
            *value = onset * weight;
            energy += f64::from(*value).powi(2);
        }
        if energy < f64::from(f32::MIN_POSITIVE) {
            return Ok(false);
        }
        self.frame[length..].fill(0.0);
        self.forward
            .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
            .map_err(|e| DspError::Library(e.to_string()))?;
        let scale = (1.0 / (energy * self.frame.len() as f64)) as f32;
        for value in &mut self.spectrum {
            *value = Complex32::new(value.norm_sqr() * scale, 0.0);
        }
        Ok(true)
    }

    /// Transforms a sum of such power spectra to lags, in `frame`.
    fn invert(&mut self) -> Result<(), DspError> {
        self.inverse
            .process_with_scratch(&mut self.sum, &mut self.frame, &mut self.scratch)
            .map_err(|e| DspError::Library(e.to_string()))
    }

    /// The autocorrelation of the onsets in the 8 s around each frame, 1 at lag 0:
    /// `librosa.feature.tempogram(onset_envelope=…, win_length=`[`TempoEstimator::lags`]`)`. Rows
    /// are lags, columns are frames.
    ///
    /// ```
    /// use cratedigger_dsp::TempoEstimator;
    ///
    /// let mut estimator = TempoEstimator::new(12_800.0, 512)?; // 25 frames a second
    /// let onsets: Vec<f32> = (0..500).map(|frame| if frame % 12 == 0 { 1.0 } else { 0.0 }).collect();
    /// let tempogram = estimator.tempogram(&onsets)?;
    /// let at = |lag: usize| tempogram.data[lag * tempogram.frames + 250];
    /// assert!((at(0) - 1.0).abs() < 1e-5 && at(12) > 0.9 && at(6) < 0.1);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// An onset strength that is NaN, infinite or beyond [`crate::LOUDEST`].
    pub fn tempogram(&mut self, onsets: &[f32]) -> Result<Spectrogram, DspError> {
        check_finite(onsets)?;
        let (bands, frames) = (self.lags(), onsets.len());
        let mut data = vec![0.0; bands * frames];
        self.pad(onsets);
        for frame in 0..frames {
            if self.correlate(frame)? {
                self.sum.copy_from_slice(&self.spectrum);
                self.invert()?;
                for (lag, value) in self.frame[..bands].iter().enumerate() {
                    data[lag * frames + frame] = *value;
                }
            }
        }
        Ok(Spectrogram { bands, frames, data })
    }

    /// The tempo in beats per minute: the strongest lag of the mean tempogram, weighted by a prior
    /// around 120 (`librosa.feature.tempo(onset_envelope=…)`). 0 without onsets.
    ///
    /// Source: D. P. W. Ellis, *Beat tracking by dynamic programming* (2007).
    ///
    /// ```
    /// use cratedigger_dsp::TempoEstimator;
    ///
    /// let mut estimator = TempoEstimator::new(12_800.0, 512)?; // 25 frames a second
    /// let onsets: Vec<f32> = (0..500).map(|frame| if frame % 12 == 0 { 1.0 } else { 0.0 }).collect();
    /// assert_eq!(estimator.tempo(&onsets)?, 125.0); // 60 s / (12 frames of 40 ms)
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// An onset strength that is NaN, infinite or beyond [`crate::LOUDEST`].
    pub fn tempo(&mut self, onsets: &[f32]) -> Result<f64, DspError> {
        check_finite(onsets)?;
        if onsets.iter().all(|v| *v == 0.0) {
            return Ok(0.0);
        }
        self.sum.fill(Complex32::default());
        self.pad(onsets);
        // The inverse transform is linear, so the mean needs one transform only.
        for frame in 0..onsets.len() {
            if self.correlate(frame)? {
                for (sum, value) in self.sum.iter_mut().zip(&self.spectrum) {
                    *sum += *value;
                }
            }
        }
        self.invert()?;
        let mut best = (f64::NEG_INFINITY, 0.0);
        for (lag, sum) in self.frame[..self.lags()].iter().enumerate().skip(1) {
            let bpm = self.bpm(lag);
            if bpm < MAX_BPM {
                let mean = f64::from(*sum) / onsets.len() as f64;
                let prior = -0.5 * ((bpm.log2() - START_BPM.log2()) / STD_BPM).powi(2);
                let score = (1e6 * mean.max(0.0)).ln_1p() + prior;
                if score > best.0 {
                    best = (score, bpm);
                }
            }
        }
        Ok(best.1)
    }

    /// Frames of the beats, at about the tempo `bpm`: `librosa.beat.beat_track(onset_envelope=…,
    /// bpm=…)` with its defaults (tightness 100, weak beats at both ends removed). Empty without
    /// onsets or tempo.
    ///
    /// Source: D. P. W. Ellis, *Beat tracking by dynamic programming* (2007).
    ///
    /// ```
    /// use cratedigger_dsp::TempoEstimator;
    ///
    /// let estimator = TempoEstimator::new(12_800.0, 512)?; // 25 frames a second
    /// let onsets: Vec<f32> = (0..500).map(|frame| if frame % 12 == 0 { 1.0 } else { 0.0 }).collect();
    /// let beats = estimator.beats(&onsets, 125.0)?;
    /// assert!(beats.len() > 30 && beats[..30].iter().all(|frame| frame % 12 == 0));
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// An onset strength that is NaN, infinite or beyond [`crate::LOUDEST`].
    pub fn beats(&self, onsets: &[f32], bpm: f64) -> Result<Vec<usize>, DspError> {
        check_finite(onsets)?;
        let period = (self.bpm_of_one / bpm).round_ties_even();
        if onsets.iter().all(|v| *v == 0.0) || !(1.0..=1e6).contains(&period) {
            return Ok(Vec::new());
        }
        let local = local_score(onsets, period as usize);
        let (links, scores) = best_predecessors(&local, period);
        let mut beats = Vec::new();
        let mut next = last_beat(&scores);
        while let Some(frame) = next {
            beats.push(frame);
            next = links[frame];
        }
        beats.reverse();
        trim(&local, &mut beats);
        Ok(beats)
    }
}

/// Onsets divided by their standard deviation, smoothed by a Gaussian of 1/32 beat.
fn local_score(onsets: &[f32], period: usize) -> Vec<f64> {
    let n = onsets.len();
    let mean = onsets.iter().map(|v| f64::from(*v)).sum::<f64>() / n as f64;
    let squares = onsets.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>();
    let norm = (squares / n.saturating_sub(1).max(1) as f64).sqrt() + f64::from(f32::MIN_POSITIVE);
    // Beyond a few deviations the Gaussian is 0 in double precision.
    let weight = |distance: usize| (-0.5 * (distance as f64 * 32.0 / period as f64).powi(2)).exp();
    let weights: Vec<f64> = (0..=period).map(weight).take_while(|w| *w > 0.0).collect();
    (0..n)
        .map(|i| {
            weights
                .iter()
                .enumerate()
                .map(|(distance, weight)| {
                    // The first frame has no predecessor, and librosa's sum leaves it out.
                    let at = |i: Option<usize>| {
                        let onset = i.filter(|i| *i > 0).and_then(|i| onsets.get(i)).copied();
                        onset.map_or(0.0, f64::from)
                    };
                    let before = if distance > 0 { at(i.checked_sub(distance)) } else { 0.0 };
                    weight * (at(Some(i + distance)) + before)
                })
                .sum::<f64>()
                / norm
        })
        .collect()
}

/// For each frame, if it is a beat: the previous beat, and the score of the best sequence up to it.
fn best_predecessors(local: &[f64], period: f64) -> (Vec<Option<usize>>, Vec<f64>) {
    const TIGHTNESS: f64 = 100.0;
    let threshold = 0.01 * local.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let nearest = ((period / 2.0).round_ties_even() as usize).max(1);
    let penalties: Vec<f64> = (nearest..=2 * period as usize)
        .map(|distance| TIGHTNESS * ((distance as f64).ln() - period.ln()).powi(2))
        .collect();
    let mut first = true;
    let (mut links, mut scores) = (Vec::new(), Vec::<f64>::new());
    for (frame, score) in local.iter().enumerate() {
        let mut best: Option<(usize, f64)> = None;
        for (distance, penalty) in (nearest..).zip(&penalties) {
            let Some(before) = frame.checked_sub(distance) else { break };
            let candidate = scores[before] - penalty;
            if best.is_none_or(|(_, score)| candidate > score) {
                best = Some((before, candidate));
            }
        }
        scores.push(score + best.map_or(0.0, |(_, score)| score));
        // Frames before the first onset above the threshold are not linked to earlier ones.
        if first && *score < threshold {
            links.push(None);
        } else {
            links.push(best.map(|(before, _)| before));
            first = false;
        }
    }
    (links, scores)
}

/// The last local maximum of the score that is at least half their median.
fn last_beat(scores: &[f64]) -> Option<usize> {
    let n = scores.len();
    let is_maximum =
        |i: usize| i > 0 && scores[i] > scores[i - 1] && (i + 1 == n || scores[i] >= scores[i + 1]);
    let mut maxima: Vec<f64> = (0..n).filter(|i| is_maximum(*i)).map(|i| scores[i]).collect();
    maxima.sort_by(f64::total_cmp);
    let median = match maxima.len() {
        0 => 0.0,
        len => (maxima[(len - 1) / 2] + maxima[len / 2]) / 2.0,
    };
    (0..n).rev().find(|i| is_maximum(*i) && scores[*i] >= 0.5 * median).or(n.checked_sub(1))
}

/// Removes beats at both ends while their onsets are weak.
fn trim(local: &[f64], beats: &mut Vec<usize>) {
    // numpy.hanning(5), whose ends are 0, and the two values after the last beat that the other
    // weights produce; librosa cuts them if there are no more frames than beats.
    let at = |i: isize| usize::try_from(i).ok().and_then(|i| beats.get(i)).map_or(0.0, |beat| local[*beat]);
    let n = (beats.len() + 2).min(local.len()) as isize;
    let square = |i: isize| (0.5 * at(i - 1) + at(i) + 0.5 * at(i + 1)).powi(2);
    let mean = (0..n).map(square).sum::<f64>() / n as f64;
    let threshold = 0.5 * mean.sqrt();
    let strong = |score: &f64| *score > threshold;
    match (local.iter().position(strong), local.iter().rposition(strong)) {
        (Some(first), Some(last)) => beats.retain(|beat| (first..=last).contains(beat)),
        _ => beats.clear(),
    }
}
