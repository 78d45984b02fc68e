//! Conditions of a recording under which the networks are measurably worse: a telephone's band, and
//! clipping. Both tests leave recordings alone that only come near: a warning that is often wrong is worse
//! than none.

use cratedigger_dsp::{DspError, Stft};
use cratedigger_protocol::Condition;

/// Samples of a run at the extreme value that count as clipped. The peak of a sine of 16 bits can
/// have two equal samples.
const RUN: u64 = 3;
/// Relative distance from the extreme value that rounding may leave.
const TOLERANCE: f32 = 1e-5;
/// Fraction of clipped samples above which a recording is clipped. Loud masters reach some thousandths;
/// a full-scale recording that is amplified by 6 dB reaches several hundredths.
const CLIPPED: f64 = 0.01;

/// Counts clipped samples: runs of at least three samples at the extreme value of the recording, which is
/// known only at the end. It needs the original samples, because resampling removes the plateaus; so does a
/// lossy codec after the clipping, which stays unnoticed.
#[derive(Clone, Debug, Default)]
pub struct ClippingMeter {
    channels: Vec<Channel>,
}

/// One channel so far.
#[derive(Clone, Debug, Default)]
struct Channel {
    /// The largest magnitude.
    extreme: f32,
    /// Sign and length of the run at the extreme value that the last sample belongs to.
    run: (bool, u64),
    clipped: u64,
    samples: u64,
}

impl Channel {
    fn push(&mut self, samples: &[f32]) {
        for &sample in samples {
            let magnitude = sample.abs();
            if magnitude > self.extreme * (1.0 + TOLERANCE) {
                // No earlier sample is at this value.
                (self.clipped, self.run) = (0, (false, 0));
            }
            self.extreme = self.extreme.max(magnitude);
            if magnitude == 0.0 || magnitude < self.extreme * (1.0 - TOLERANCE) {
                self.run.1 = 0;
                continue;
            }
            let positive = sample > 0.0;
            self.run = if self.run.0 == positive { (positive, self.run.1 + 1) } else { (positive, 1) };
            // The third sample of a run makes all three count.
            self.clipped += match self.run.1.cmp(&RUN) {
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Equal => RUN,
                std::cmp::Ordering::Greater => 1,
            };
        }
        self.samples += samples.len() as u64;
    }
}

impl ClippingMeter {
    /// Adds the next samples of each channel.
    pub fn push<'a>(&mut self, channels: impl IntoIterator<Item = &'a [f32]>) {
        for (index, samples) in channels.into_iter().enumerate() {
            if index == self.channels.len() {
                self.channels.push(Channel::default());
            }
            self.channels[index].push(samples);
        }
    }

    /// Fraction of clipped samples of the channel that has most of them, 0…1; 0 for no samples.
    pub fn fraction(&self) -> f64 {
        let fraction = |channel: &Channel| channel.clipped as f64 / channel.samples.max(1) as f64;
        self.channels.iter().map(fraction).fold(0.0, f64::max)
    }

    /// Whether the recording is clipped.
    pub fn is_clipped(&self) -> bool {
        self.fraction() > CLIPPED
    }
}

/// Samples of a frame.
const N_FFT: usize = 2048;
/// The band that a telephone keeps, without its edges, in Hz.
const BAND: [f64; 2] = [400.0, 3000.0];
/// Bands beside both edges of the telephone's band, inside and outside, in Hz.
const LOWER: [[f64; 2]; 2] = [[400.0, 1000.0], [50.0, 130.0]];
const UPPER: [[f64; 2]; 2] = [[2000.0, 3000.0], [5000.0, 8000.0]];

/// The levels that tell a telephone's band, in dB. Each is positive if there is less outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandLevels {
    /// Energy of the band over the energy below it.
    pub energy_below: f64,
    /// Energy of the band over the energy above it.
    pub energy_above: f64,
    /// Median power density inside the lower edge over that outside of it. Also where a signal has only a
    /// few tones, most bins are its noise floor, which a band limit changes and the absence of tones does
    /// not.
    pub step_below: f64,
    /// The same for the upper edge.
    pub step_above: f64,
}

impl BandLevels {
    /// Measures a mono signal; `None` for digital silence, for less than a frame, and for sample rates too
    /// low for the comparison.
    ///
    /// # Errors
    /// A sample that is not finite.
    pub fn measure(signal: &[f32], sample_rate: u32) -> Result<Option<Self>, DspError> {
        let mut meter = BandMeter::new(sample_rate)?;
        meter.push(signal)?;
        Ok(meter.levels())
    }

    /// Whether only a telephone's band is there.
    ///
    /// The thresholds are between recordings as they are and the same recordings behind a filter of 300 to
    /// 3400 Hz with 24 dB an octave: of 316 clips of GTZAN and of sounds that are no music, none is above
    /// all four as it is, and 299 are behind the filter.
    pub fn is_telephone(&self) -> bool {
        self.energy_below > 20.0
            && self.energy_above > 28.0
            && self.step_below > 18.0
            && self.step_above > 30.0
    }
}

/// Measures [`BandLevels`] of a mono signal that comes piece by piece.
pub struct BandMeter {
    sample_rate: u32,
    stft: Stft,
    /// Samples that do not fill a frame yet.
    pending: Vec<f32>,
    frame: Vec<f32>,
    /// Power of each bin, summed over the frames.
    sum: Vec<f64>,
    frames: usize,
}

impl BandMeter {
    /// No samples yet.
    ///
    /// # Errors
    /// None that the fixed size of a frame can reach.
    pub fn new(sample_rate: u32) -> Result<Self, DspError> {
        let stft = Stft::new(N_FFT)?;
        let bins = stft.bins();
        let (frame, sum) = (vec![0.0; bins], vec![0.0; bins]);
        Ok(Self { sample_rate, stft, pending: Vec::new(), frame, sum, frames: 0 })
    }

    /// Adds the next samples.
    ///
    /// # Errors
    /// A sample that is not finite.
    pub fn push(&mut self, signal: &[f32]) -> Result<(), DspError> {
        if let Some(index) = signal.iter().position(|sample| !sample.is_finite()) {
            return Err(DspError::NonFinite { index, value: signal[index] });
        }
        self.pending.extend_from_slice(signal);
        // Whole frames, so that no frame has a step from the padding.
        let whole = self.pending.len() / N_FFT * N_FFT;
        for start in (0..whole).step_by(N_FFT) {
            self.stft.power(&self.pending, start + N_FFT / 2, &mut self.frame)?;
            self.sum.iter_mut().zip(&self.frame).for_each(|(sum, power)| *sum += f64::from(*power));
            self.frames += 1;
        }
        self.pending.drain(..whole);
        Ok(())
    }

    /// The levels so far; `None` as for [`BandLevels::measure`].
    pub fn levels(&self) -> Option<BandLevels> {
        if f64::from(self.sample_rate) / 2.0 < UPPER[1][1] || self.frames == 0 {
            return None;
        }
        let bin = |hz: f64| (hz * N_FFT as f64 / f64::from(self.sample_rate)).round() as usize;
        let bins = |[low, high]: [f64; 2]| self.sum.get(bin(low)..bin(high)).unwrap_or_default();
        let energy = |band: [f64; 2]| bins(band).iter().sum::<f64>();
        let density = |band: [f64; 2]| {
            let mut values = bins(band).to_vec();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        let within = energy(BAND);
        if within <= 0.0 {
            return None;
        }
        // Far below what 24 bits can hold, against logarithms of 0.
        let least = within * 1e-16;
        let decibels = |inside: f64, outside: f64| 10.0 * ((inside + least) / (outside + least)).log10();
        Some(BandLevels {
            energy_below: decibels(within, energy(LOWER[1])),
            energy_above: decibels(within, energy(UPPER[1])),
            step_below: decibels(density(LOWER[0]), density(LOWER[1])),
            step_above: decibels(density(UPPER[0]), density(UPPER[1])),
        })
    }
}

/// The conditions of a song: its mono signal at `sample_rate` Hz, and the meter that saw its original
/// samples.
///
/// # Errors
/// A sample that is not finite.
pub fn conditions(
    signal: &[f32],
    sample_rate: u32,
    clipping: &ClippingMeter,
) -> Result<Vec<Condition>, DspError> {
    Ok(of_meters(BandLevels::measure(signal, sample_rate)?, clipping))
}

/// The conditions of a song whose levels were measured.
pub fn of_meters(levels: Option<BandLevels>, clipping: &ClippingMeter) -> Vec<Condition> {
    let telephone = levels.is_some_and(|levels| levels.is_telephone());
    let found = [(Condition::Telephone, telephone), (Condition::Clipped, clipping.is_clipped())];
    found.into_iter().filter(|(_, present)| *present).map(|(condition, _)| condition).collect()
}
