//! Why a segment sounds like a genre: parts of its sound are taken away, one after the other, and
//! what the networks say without them is compared with what they say of the whole. It needs no
//! gradient and nothing of the networks' insides, so it holds for every input and for the ensemble.

use std::cell::RefCell;

use cratedigger_dsp::{Complex32, DspError, Istft, Stft};
use cratedigger_protocol::{Event, FailureKind};
use cratedigger_zoo::{Analyser, Signals};

use crate::queue::{Job, Shared};
use crate::song::{Source, let_messages_in};
use crate::{Failure, wire};

/// Bands and stretches of time that are taken away. More would show more and take longer.
const ROWS: usize = 8;
const COLUMNS: usize = 12;
const N_FFT: usize = 1024;
const HOP: usize = 256;
/// What is left of the sound that is taken away: −32 dB. Nothing at all would be a sound of its
/// own kind, which no network has ever heard.
const LEFT: f32 = 0.025;

/// Answers with [`Event::Explained`]; false if it was cancelled.
pub(crate) async fn explain(
    analyser: &mut Analyser,
    batch: usize,
    job: &Job,
    class: usize,
    shared: &RefCell<Shared>,
) -> Result<bool, Failure> {
    let rate = analyser.sample_rate();
    // The tiles are taken away at one rate, and the result is resampled to the others.
    let mut source = Source::new(job, rate, &[rate])?;
    let at_all = |sound: &[f32], rates: &[u32]| Signals::resampled(sound, rate, rates);
    let Some(segment) = analyser.segments(source.resampled_length()).into_iter().next() else {
        return Err(Failure::new(FailureKind::TooShort, "there is no segment to explain"));
    };
    source.read_to(segment.end)?;
    let signal = source.signal().get(..segment.end.min(source.signal().len())).unwrap_or_default();
    let signals = at_all(signal, analyser.sample_rates())?;
    let whole = &analyser.judge(&signals, std::slice::from_ref(&segment)).await?;
    let Some(whole) = whole.first().and_then(Option::as_ref) else {
        return Err(Failure::new(FailureKind::Silent, "the segment is silent"));
    };
    let Some(said) = whole.ensemble.get(class).copied() else {
        return Err(Failure::new(FailureKind::BadRequest, format!("there is no class {class}")));
    };

    let spectra = Spectra::of(signal)?;
    let edges = mel_edges(rate);
    let mut drops = vec![0.0; ROWS * COLUMNS];
    let tiles: Vec<usize> = (0..drops.len()).collect();
    for tiles in tiles.chunks(batch.max(1)) {
        // The variants one behind the other, as if they were the segments of one song.
        let mut variants: Vec<f32> = Vec::with_capacity(tiles.len() * signal.len());
        for tile in tiles {
            variants.extend(spectra.without(tile / COLUMNS, tile % COLUMNS, &edges)?);
        }
        let places: Vec<_> = (0..tiles.len()).map(|n| n * signal.len()..(n + 1) * signal.len()).collect();
        let signals = at_all(&variants, analyser.sample_rates())?;
        let answers = analyser.judge(&signals, &places).await?;
        for (tile, answer) in tiles.iter().zip(answers) {
            // What is silent without this part is nothing without it.
            let without = answer.and_then(|answer| answer.ensemble.get(class).copied());
            if let Some(drop) = drops.get_mut(*tile) {
                *drop = said - without.unwrap_or(f32::MIN_POSITIVE.ln());
            }
        }
        let_messages_in().await;
        if shared.borrow().is_cancelled() {
            return Ok(false);
        }
    }
    let event =
        Event::Explained { id: job.id, class: class as u32, rows: ROWS as u32, columns: COLUMNS as u32 };
    wire::post(&event, Some(&drops));
    Ok(true)
}

/// The segment's frames.
struct Spectra {
    samples: usize,
    bins: usize,
    frames: Vec<Complex32>,
}

impl Spectra {
    fn of(signal: &[f32]) -> Result<Self, DspError> {
        let mut stft = Stft::new(N_FFT)?;
        let bins = stft.bins();
        let count = signal.len() / HOP + 1;
        let mut frames = vec![Complex32::default(); bins * count];
        for (frame, spectrum) in frames.chunks_exact_mut(bins).enumerate() {
            stft.spectrum(signal, frame * HOP, spectrum)?;
        }
        Ok(Self { samples: signal.len(), bins, frames })
    }

    /// The sound without one tile.
    fn without(&self, row: usize, column: usize, edges: &[f64]) -> Result<Vec<f32>, DspError> {
        let nyquist = (self.bins - 1) as f64;
        let bin = |edge: usize| (edges.get(edge).copied().unwrap_or(1.0) * nyquist).round() as usize;
        let (low, high) = (bin(row), if row + 1 == ROWS { self.bins } else { bin(row + 1) });
        let count = self.frames.len() / self.bins;
        let (first, last) = (column * count / COLUMNS, (column + 1) * count / COLUMNS);
        let mut istft = Istft::new(N_FFT, HOP)?;
        let mut sound = Vec::new();
        istft.begin(self.samples, &mut sound);
        let mut spectrum = vec![Complex32::default(); self.bins];
        for (frame, values) in self.frames.chunks_exact(self.bins).enumerate() {
            spectrum.copy_from_slice(values);
            if (first..last).contains(&frame)
                && let Some(tile) = spectrum.get_mut(low..high)
            {
                tile.iter_mut().for_each(|value| *value *= LEFT);
            }
            istft.add(frame, &mut spectrum, &mut sound)?;
        }
        istft.finish(&mut sound)?;
        Ok(sound)
    }
}

/// Where the bands begin and end, as shares of the Nyquist frequency: evenly on the mel scale
/// (Slaney's), so that they are even in the picture of the mel spectrogram, too.
fn mel_edges(rate: u32) -> Vec<f64> {
    let log_step = 6.4_f64.ln() / 27.0;
    let mel = |hz: f64| if hz < 1000.0 { 3.0 * hz / 200.0 } else { 15.0 + (hz / 1000.0).ln() / log_step };
    let hz = |mel: f64| if mel < 15.0 { 200.0 * mel / 3.0 } else { 1000.0 * (log_step * (mel - 15.0)).exp() };
    let nyquist = f64::from(rate) / 2.0;
    (0..=ROWS).map(|row| hz(mel(nyquist) * row as f64 / ROWS as f64) / nyquist).collect()
}
