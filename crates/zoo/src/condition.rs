//! Conditions of a recording under which the networks are measurably less accurate: telephone bandwidth
//! and clipping. Both detectors prefer a missed detection to a false alarm, because a warning that is
//! often wrong is worse than none.

use cratedigger_dsp::{DspError, Stft};
use cratedigger_protocol::Condition;

/// Minimum length in samples of a run at the extreme value that counts as clipped. The peak of a 16-bit
/// sine can have two equal samples.
const RUN: u64 = 3;
/// Relative distance from the extreme value that counts as rounding error.
const TOLERANCE: f32 = 1e-5;
/// Fraction of clipped samples above which a recording counts as clipped. Loud masters reach a few
/// thousandths; a full-scale recording amplified by 6 dB reaches several hundredths.
const CLIPPED: f64 = 0.01;

/// Counts clipped samples: runs of at least three samples at the extreme value of the recording, which is
/// known only at the end. It needs the original samples, because resampling removes the plateaus. A lossy
/// codec removes them as well, so clipping before such a codec is not detected.
#[derive(Clone, Debug, Default)]
pub struct ClippingMeter {
    channels: Vec<Channel>,
}

/// The counts of one channel.
#[derive(Clone, Debug, Default)]
struct Channel {
    /// The largest magnitude so far.
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
                // All earlier samples are below the new extreme value.
                (self.clipped, self.run) = (0, (false, 0));
            }
            self.extreme = self.extreme.max(magnitude);
            if magnitude == 0.0 || magnitude < self.extreme * (1.0 - TOLERANCE) {
                self.run.1 = 0;
                continue;
            }
            let positive = sample > 0.0;
            self.run = if self.run.0 == positive { (positive, self.run.1 + 1) } else { (positive, 1) };
            // The third sample of a run adds all three.
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

    /// Fraction of clipped samples, 0…1, of the channel with the largest fraction; 0 for no samples.
    pub fn fraction(&self) -> f64 {
        let fraction = |channel: &Channel| channel.clipped as f64 / channel.samples.max(1) as f64;
        self.channels.iter().map(fraction).fold(0.0, f64::max)
    }

    /// Whether the recording is clipped.
    pub fn is_clipped(&self) -> bool {
        self.fraction() > CLIPPED
    }
}

/// Samples per frame.
const N_FFT: usize = 2048;
/// The passband of a telephone in Hz, without its edges.
const BAND: [f64; 2] = [400.0, 3000.0];
/// Bands in Hz inside and outside the lower and the upper edge of the telephone band.
const LOWER: [[f64; 2]; 2] = [[400.0, 1000.0], [50.0, 130.0]];
const UPPER: [[f64; 2]; 2] = [[2000.0, 3000.0], [5000.0, 8000.0]];

/// Level differences in dB that identify a telephone band. Each is positive if the level outside the band
/// is lower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandLevels {
    /// Ratio of the energy in the band to the energy below it.
    pub energy_below: f64,
    /// Ratio of the energy in the band to the energy above it.
    pub energy_above: f64,
    /// Ratio of the median power densities inside and outside the lower edge. The median follows the noise
    /// floor even if a signal has only a few tones. A band limit changes the noise floor; the absence of
    /// tones does not.
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

    /// Whether the signal is limited to a telephone band.
    ///
    /// The thresholds separate recordings from the same recordings after a band-pass filter (300 to 3400 Hz,
    /// 24 dB per octave). Measured on 316 clips of GTZAN and of non-music: no unfiltered clip exceeds all
    /// four thresholds, and 299 filtered clips do.
    pub fn is_telephone(&self) -> bool {
        self.energy_below > 20.0
            && self.energy_above > 28.0
            && self.step_below > 18.0
            && self.step_above > 30.0
    }
}

/// Measures [`BandLevels`] of a mono signal that arrives in pieces.
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

/// The conditions of a song, from its mono signal at `sample_rate` Hz and the meter that got its original
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
