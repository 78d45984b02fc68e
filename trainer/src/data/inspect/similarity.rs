//! How alike two recordings are, at the offset at which they are most alike.
//!
//! As in audio fingerprinting (Haitsma and Kalker, "A highly robust audio fingerprinting system", 2002), only
//! changes over time and over bands count, each column counts alike, and silence counts nothing: level,
//! equalisation and a common pause make no two recordings alike. Unlike there, the changes are kept as
//! numbers and not as bits, because arrays have few columns.

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};
use std::sync::Arc;

use super::spectrum::{BANDS, Print};

/// Levels this many dB below the loudest are silence.
const SILENT_DB: f32 = 60.0;
/// Half the width in seconds of the moving mean that is removed from each band.
const HALF_MEAN_SECONDS: f64 = 1.5;
/// Columns whose levels differ from their surroundings by less than this many dB count less.
const STEADY_DB: f32 = 2.0;
/// Mean square of a column below which it says nothing: 0.4 dB.
const NOTHING: f32 = 0.04;
/// Columns that are transformed at once.
const CHUNK: usize = 512;
/// Size of the transform: offsets of a chunk in both directions.
const SIZE: usize = 2 * CHUNK;
/// Values of a transform of real numbers.
const BINS: usize = SIZE / 2 + 1;

/// Fingerprint of a clip.
pub(super) struct Fingerprint {
    /// Index of the clip.
    pub(super) place: usize,
    /// Columns per second.
    pub(super) rate: f64,
    /// Mean (relative to the clip's mean) and deviation of each band, to select candidates.
    pub(super) summary: Vec<f32>,
    columns: usize,
    /// Transforms of chunks, each of [`BANDS`] times [`BINS`] values.
    chunks: Vec<Vec<Complex32>>,
    /// Energy of the columns before each column.
    energy: Vec<f32>,
    /// Number of audible columns before each column.
    audible: Vec<u32>,
}

impl Fingerprint {
    /// The fingerprint of a print; none for silence and steady tones, which would match each other.
    pub(super) fn new(place: usize, print: &Print, planner: &mut RealFftPlanner<f32>) -> Option<Self> {
        let (levels, audible, summary) = changes(print)?;
        let columns = audible.len();
        let mut energy = vec![0.0; columns + 1];
        let mut counted = vec![0; columns + 1];
        for (place, column) in levels.chunks_exact(BANDS).enumerate() {
            energy[place + 1] = energy[place] + column.iter().map(|v| v * v).sum::<f32>();
            counted[place + 1] = counted[place] + u32::from(audible[place]);
        }
        let heard = counted.last().copied().unwrap_or_default();
        let moves = energy.last().copied().unwrap_or_default() > NOTHING * (BANDS as u32 * heard) as f32;
        if heard == 0 || !moves {
            return None;
        }
        let plan = planner.plan_fft_forward(SIZE);
        let chunks = levels.chunks(CHUNK * BANDS).map(|chunk| transform(&plan, chunk)).collect();
        Some(Self { place, rate: print.rate, summary, columns, chunks, energy, audible: counted })
    }

    /// Length of the audible part in seconds.
    pub(super) fn seconds(&self) -> f64 {
        f64::from(self.audible.last().copied().unwrap_or_default()) / self.rate.max(1e-9)
    }
}

/// Levels, audible columns and summary of a print.
type Changes = (Vec<f32>, Vec<bool>, Vec<f32>);

/// The levels of a print without what stands still: the mean of the surroundings of each band, and the mean
/// of each column. Columns have the mean square 1, silent ones 0.
fn changes(print: &Print) -> Option<Changes> {
    let loudest = print.levels.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let floor = loudest - SILENT_DB;
    let columns = print.levels.len() / BANDS;
    if columns == 0 || !loudest.is_finite() {
        return None;
    }
    let audible: Vec<bool> =
        print.levels.chunks_exact(BANDS).map(|column| column.iter().any(|level| *level > floor)).collect();
    let mut levels: Vec<f32> = print.levels.iter().map(|level| level.max(floor)).collect();
    let mut summary = Vec::with_capacity(2 * BANDS);
    let half = (HALF_MEAN_SECONDS * print.rate).round().max(1.0) as usize;
    for band in 0..BANDS {
        let mut sums = vec![(0.0_f64, 0_u32); columns + 1];
        let mut squares = 0.0;
        for column in 0..columns {
            let (sum, count) = sums[column];
            let level = f64::from(levels[column * BANDS + band]);
            let heard = audible[column];
            sums[column + 1] = if heard { (sum + level, count + 1) } else { (sum, count) };
            squares += if heard { level * level } else { 0.0 };
        }
        let (sum, count) = sums[columns];
        let count = f64::from(count.max(1));
        summary.push((sum / count) as f32);
        summary.push((squares / count - (sum / count).powi(2)).max(0.0).sqrt() as f32);
        for column in 0..columns {
            let (from, to) = (sums[column.saturating_sub(half)], sums[(column + half + 1).min(columns)]);
            let mean = (to.0 - from.0) / f64::from((to.1 - from.1).max(1));
            levels[column * BANDS + band] -= mean as f32;
        }
    }
    for (column, heard) in levels.chunks_exact_mut(BANDS).zip(&audible) {
        if !heard {
            column.fill(0.0);
            continue;
        }
        let mean = column.iter().sum::<f32>() / BANDS as f32;
        column.iter_mut().for_each(|level| *level -= mean);
        let deviation = (column.iter().map(|level| level * level).sum::<f32>() / BANDS as f32).sqrt();
        column.iter_mut().for_each(|level| *level /= deviation.max(STEADY_DB));
    }
    let level = summary.iter().step_by(2).sum::<f32>() / BANDS as f32;
    summary.iter_mut().step_by(2).for_each(|mean| *mean -= level);
    Some((levels, audible, summary))
}

fn transform(plan: &Arc<dyn RealToComplex<f32>>, chunk: &[f32]) -> Vec<Complex32> {
    let mut all = Vec::with_capacity(BANDS * BINS);
    let mut output = plan.make_output_vec();
    for band in 0..BANDS {
        let mut input = vec![0.0; SIZE];
        for (value, column) in input.iter_mut().zip(chunk.chunks_exact(BANDS)) {
            *value = column[band];
        }
        // Cannot fail, because the plan made the buffers.
        if plan.process(&mut input, &mut output).is_err() {
            output.fill(Complex32::default());
        }
        all.extend_from_slice(&output);
    }
    all
}

/// Products of two fingerprints at each offset, from minus the columns of the second on.
fn products(a: &Fingerprint, b: &Fingerprint, planner: &mut RealFftPlanner<f32>) -> Vec<f32> {
    let plan = planner.plan_fft_inverse(SIZE);
    let mut sums = vec![0.0; a.columns + b.columns + 1];
    let mut output = plan.make_output_vec();
    let (chunks_a, chunks_b) = (a.chunks.len() as isize, b.chunks.len() as isize);
    for apart in 1 - chunks_b..chunks_a {
        let mut spectrum = vec![Complex32::default(); BINS];
        for (index, chunk_b) in b.chunks.iter().enumerate() {
            let Some(chunk_a) = usize::try_from(index as isize + apart).ok().and_then(|i| a.chunks.get(i))
            else {
                continue;
            };
            for (x, y) in chunk_a.chunks_exact(BINS).zip(chunk_b.chunks_exact(BINS)) {
                spectrum.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (x, y))| *sum += x * y.conj());
            }
        }
        // These imaginary parts are rounding errors, which the inverse FFT would reject.
        if let [first, .., last] = spectrum.as_mut_slice() {
            (first.im, last.im) = (0.0, 0.0);
        }
        if plan.process(&mut spectrum, &mut output).is_err() {
            continue;
        }
        for (lag, value) in output.iter().enumerate() {
            let lag = if lag < CHUNK { lag as isize } else { lag as isize - SIZE as isize };
            let place = apart * CHUNK as isize + lag + b.columns as isize;
            if let Some(sum) = usize::try_from(place).ok().and_then(|place| sums.get_mut(place)) {
                *sum += value / SIZE as f32;
            }
        }
    }
    sums
}

/// Seconds in common from which the lowest similarity is enough.
const ENOUGH_SECONDS: f64 = 10.0;
/// Seconds in common up to which similarity has to be near 1.
const FEW_SECONDS: f64 = 5.0;
/// The similarity that few seconds need: a chord and a beat are soon alike.
const FEW_NEED: f32 = 0.97;

/// The similarity that is needed for an overlap of so many audible seconds, if `same` is enough for a long
/// one.
fn needed(seconds: f64, same: f32) -> f32 {
    let short = ((ENOUGH_SECONDS - seconds) / (ENOUGH_SECONDS - FEW_SECONDS)).clamp(0.0, 1.0);
    same + (FEW_NEED - same) * short as f32
}

/// The similarity of two recordings, up to 1, if they are the same: the mean agreement of their columns at
/// the offset that speaks most for it. `least` is the smallest overlap, in audible columns; `same` is the
/// similarity that is enough for a long one.
pub(super) fn similarity(
    a: &Fingerprint,
    b: &Fingerprint,
    least: usize,
    same: f32,
    planner: &mut RealFftPlanner<f32>,
) -> Option<f32> {
    let sums = products(a, b, planner);
    let mut best: Option<(f32, f32)> = None;
    // Column i + offset of the first is aligned with column i of the second.
    for (place, sum) in sums.iter().enumerate() {
        let offset = place as isize - b.columns as isize;
        let from = offset.max(0) as usize;
        let to = (offset + b.columns as isize).clamp(0, a.columns as isize) as usize;
        if to < from + least {
            continue;
        }
        let (from_b, to_b) = ((from as isize - offset) as usize, (to as isize - offset) as usize);
        let heard = (a.audible[to] - a.audible[from]).min(b.audible[to_b] - b.audible[from_b]);
        if (heard as usize) < least {
            continue;
        }
        let nothing = NOTHING * BANDS as f32 * heard as f32;
        let energy_a = (a.energy[to] - a.energy[from]).max(nothing);
        let energy_b = (b.energy[to_b] - b.energy[from_b]).max(nothing);
        let found = sum / (energy_a * energy_b).sqrt();
        let margin = found - needed(f64::from(heard) / a.rate.max(1e-9), same);
        if margin > 0.0 && best.is_none_or(|(most, _)| margin > most) {
            best = Some((margin, found));
        }
    }
    best.map(|(_, found)| found)
}
