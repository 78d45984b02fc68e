//! The spectrum of a recording, reduced to what an inspection needs, in memory that a long recording does not
//! fill.

use anyhow::Result;
use cratedigger_dsp::{MelSpectrogram, hz_to_mel, mel_to_hz};
use cratedigger_zoo::LogMel;

use crate::data::Columns;

/// Bands of a print.
pub(super) const BANDS: usize = 32;
/// Frames of a spectrogram of audio that make a column of its print: 46 ms.
const FRAMES_A_COLUMN: usize = 2;
/// Samples of audio that are kept until their frames are computed.
const CHUNK: usize = 1 << 18;

/// Spectrogram for comparisons: every frame of log-mel. Arrays have every third frame and are compared only
/// with each other.
pub(super) fn mel() -> LogMel {
    LogMel { frames_per_column: [1, 1], ..LogMel::default() }
}

/// A coarse spectrogram: levels in dB, column after column of [`BANDS`] bands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Print {
    pub(super) levels: Vec<f32>,
    /// Columns per second.
    pub(super) rate: f64,
    /// Whether it comes from an array.
    pub(super) of_array: bool,
}

/// Levels of each band, counted in steps of a quarter dB from −120 dB on.
struct Histogram {
    counts: Vec<Vec<u32>>,
    columns: usize,
}

const STEPS: usize = 1200;
const STEPS_A_DB: f32 = 4.0;
const LOWEST: f32 = -120.0;

impl Histogram {
    fn new(bands: usize) -> Self {
        Self { counts: vec![vec![0; STEPS]; bands], columns: 0 }
    }

    fn add(&mut self, column: &[f32]) {
        self.columns += 1;
        for (counts, level) in self.counts.iter_mut().zip(column) {
            let step = ((level - LOWEST) * STEPS_A_DB).max(0.0) as usize;
            if let Some(count) = counts.get_mut(step.min(STEPS - 1)) {
                *count += 1;
            }
        }
    }

    /// Frequency in Hz above which a clip has no content: the bands stay within 10 dB of the lowest level of
    /// the recording. None if the clip has content up to the top.
    fn upper_edge(&self) -> Option<f64> {
        let used = |step: &usize| self.counts.iter().any(|counts| counts.get(*step).is_some_and(|n| *n > 0));
        let (floor, loudest) = ((0..STEPS).find(used)?, (0..STEPS).rev().find(used)?);
        let db = |db: f32| (db * STEPS_A_DB) as usize;
        let above = (floor + db(10.0)).max(loudest.saturating_sub(db(75.0)));
        let loud = |counts: &Vec<u32>| -> usize {
            counts.get(above + 1..).unwrap_or_default().iter().map(|n| *n as usize).sum()
        };
        let is_empty = |counts: &&Vec<u32>| loud(counts) * 100 < self.columns;
        let (bands, empty) = (self.counts.len(), self.counts.iter().rev().take_while(is_empty).count());
        if empty == 0 || empty == bands {
            return None;
        }
        Some(mel_to_hz(hz_to_mel(mel().fmax) * (bands - empty) as f64 / (bands + 1) as f64))
    }
}

/// Takes a recording in parts.
pub(super) struct SpectrumFinder {
    plan: MelSpectrogram,
    sample_rate: u32,
    signal: Vec<f32>,
    /// First sample of `signal` in the recording.
    start: usize,
    /// Next frame to compute.
    frame: usize,
    power: Vec<f32>,
    histogram: Histogram,
    /// Sums of the frames of a column that is not complete.
    sums: [f32; BANDS],
    summed: usize,
    print: Print,
}

impl SpectrumFinder {
    /// For audio at this sample rate in Hz.
    ///
    /// # Errors
    /// The sample rate does not fit the spectrogram.
    pub(super) fn new(sample_rate: u32) -> Result<Self> {
        let mel = mel();
        Ok(Self {
            plan: mel.spectrogram(sample_rate)?,
            sample_rate,
            signal: Vec::new(),
            start: 0,
            frame: 0,
            power: vec![0.0; mel.n_mels],
            histogram: Histogram::new(mel.n_mels),
            sums: [0.0; BANDS],
            summed: 0,
            print: Print::default(),
        })
    }

    /// Takes more mono samples.
    ///
    /// # Errors
    /// The spectrogram fails.
    pub(super) fn add(&mut self, samples: &[f32]) -> Result<()> {
        self.signal.extend_from_slice(samples);
        if self.signal.len() < CHUNK {
            return Ok(());
        }
        let LogMel { n_fft, hop_length, .. } = mel();
        self.frames_until((self.start + self.signal.len()).saturating_sub(n_fft))?;
        // What the next frames reach back to stays.
        let keep = (self.frame * hop_length).saturating_sub(n_fft).max(self.start);
        self.signal.drain(..(keep - self.start).min(self.signal.len()));
        self.start = keep;
        Ok(())
    }

    /// Computes the frames with a centre up to sample `end`.
    fn frames_until(&mut self, end: usize) -> Result<()> {
        let hop = mel().hop_length;
        while self.frame * hop <= end {
            self.plan.frame(&self.signal, self.frame * hop - self.start, &mut self.power)?;
            self.frame += 1;
            let mut column = std::mem::take(&mut self.power);
            column.iter_mut().for_each(|power| *power = 10.0 * power.max(1e-10).log10());
            self.histogram.add(&column);
            add_bands(&mut self.sums, &column);
            self.summed += 1;
            if self.summed == FRAMES_A_COLUMN {
                self.print.levels.extend(self.sums.map(|sum| sum / FRAMES_A_COLUMN as f32));
                (self.sums, self.summed) = ([0.0; BANDS], 0);
            }
            self.power = column;
        }
        Ok(())
    }

    /// The print, and the frequency in Hz above which there is nothing, if there is one. None for a recording
    /// that is shorter than a frame.
    ///
    /// # Errors
    /// The spectrogram fails.
    pub(super) fn finish(mut self) -> Result<Option<(Print, Option<f64>)>> {
        let end = self.start + self.signal.len();
        if end < mel().n_fft {
            return Ok(None);
        }
        self.frames_until(end)?;
        self.print.rate = mel().columns_per_second(self.sample_rate) / FRAMES_A_COLUMN as f64;
        let edge = self.histogram.upper_edge();
        Ok(Some((self.print, edge)))
    }
}

/// Adds the levels of a column to [`BANDS`] bands, each the mean of neighbours.
fn add_bands(sums: &mut [f32; BANDS], column: &[f32]) {
    let each = (column.len() / BANDS).max(1);
    for (sum, levels) in sums.iter_mut().zip(column.chunks_exact(each)) {
        *sum += levels.iter().sum::<f32>() / each as f32;
    }
}

/// The print of an array, and the frequency above which it has nothing.
pub(super) fn of_array(columns: &Columns, rate: f64) -> (Print, Option<f64>) {
    let mut histogram = Histogram::new(columns.bands);
    let mut levels = Vec::with_capacity(BANDS * columns.columns);
    let mut column = vec![0.0; columns.bands];
    for place in 0..columns.columns {
        for (level, row) in column.iter_mut().zip(columns.db.chunks_exact(columns.columns.max(1))) {
            *level = row.get(place).copied().unwrap_or(LOWEST);
        }
        histogram.add(&column);
        let mut sums = [0.0; BANDS];
        add_bands(&mut sums, &column);
        levels.extend(sums);
    }
    (Print { levels, rate, of_array: true }, histogram.upper_edge())
}
