//! Explains a prediction by occlusion: parts of the sound are attenuated one by one, and the ensemble's
//! prediction without a part is compared with its prediction for the whole segment.
//!
//! This needs no gradients and no access to the networks' layers, so it works for every input and
//! for the ensemble.

use cratedigger_dsp::{Complex32, DspError, Istft, Stft, hz_to_mel, mel_to_hz};

use crate::{AnalyseError, Analyser, Signals};

// More tiles would show more detail and take longer.
const ROWS: usize = Explanation::ROWS;
const COLUMNS: usize = Explanation::COLUMNS;
const N_FFT: usize = 1024;
const HOP: usize = 256;
/// Gain of an occluded tile: −32 dB. Digital silence would be out-of-distribution for the networks.
const GAIN: f32 = 0.025;

/// Which parts of a segment speak for a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// [`Explanation::ROWS`] × [`Explanation::COLUMNS`] values, row after row, lowest frequencies first:
    /// the decrease of the class's log-probability (natural logarithm) without the tile. A positive value
    /// means that the tile speaks for the class.
    pub drops: Vec<f32>,
}

impl Explanation {
    /// Number of frequency bands, evenly spaced on the mel scale.
    pub const ROWS: usize = 8;
    /// Number of time ranges, evenly spaced.
    pub const COLUMNS: usize = 12;
}

/// Why a segment cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// No sample reaches [`crate::SILENCE`].
    #[error("the segment is silent")]
    Silent,
    /// The class does not exist.
    #[error("there is no class {0}")]
    NoClass(usize),
    /// Samples that are not finite.
    #[error(transparent)]
    Dsp(#[from] DspError),
    /// A network failed.
    #[error(transparent)]
    Analyse(#[from] AnalyseError),
}

/// Explains one segment of a mono signal at [`Analyser::sample_rate`] for a class. For networks with
/// another sample rate, the segment and its variants are resampled.
///
/// Tiles are predicted `batch` at a time. After each batch, `proceed` is called with the number of
/// finished tiles. If it returns `false`, the result is `None`.
///
/// # Errors
/// See [`ExplainError`].
pub async fn explain(
    analyser: &mut Analyser,
    segment: &[f32],
    class: usize,
    batch: usize,
    mut proceed: impl AsyncFnMut(usize) -> bool,
) -> Result<Option<Explanation>, ExplainError> {
    if class >= analyser.classes().len() {
        return Err(ExplainError::NoClass(class));
    }
    let rate = analyser.sample_rate();
    let signals = Signals::resampled(segment, rate, analyser.sample_rates())?;
    let whole = analyser.predict(&signals, std::slice::from_ref(&(0..segment.len()))).await?;
    let Some(whole) = whole.first().and_then(Option::as_ref) else { return Err(ExplainError::Silent) };
    let whole = whole.ensemble.get(class).copied().unwrap_or_default();

    let spectra = Spectra::new(segment, rate)?;
    let mut drops = Vec::with_capacity(ROWS * COLUMNS);
    while drops.len() < ROWS * COLUMNS {
        let tiles = drops.len()..(drops.len() + batch.max(1)).min(ROWS * COLUMNS);
        // The variants are segments of one signal, with silence between them, because the first frames of
        // a segment extend to the samples before it.
        let distance = 2 * segment.len();
        let mut variants: Vec<f32> = Vec::with_capacity(tiles.len() * distance);
        for (n, tile) in tiles.clone().enumerate() {
            variants.resize(n * distance, 0.0);
            variants.extend(spectra.without(tile / COLUMNS, tile % COLUMNS)?);
        }
        let ranges: Vec<_> = (0..tiles.len()).map(|n| n * distance..n * distance + segment.len()).collect();
        let variants = Signals::resampled(&variants, rate, analyser.sample_rates())?;
        for prediction in analyser.predict(&variants, &ranges).await? {
            // A silent variant has no prediction; the class then gets the smallest positive probability.
            let without = prediction.and_then(|prediction| prediction.ensemble.get(class).copied());
            drops.push(whole - without.unwrap_or(f32::MIN_POSITIVE.ln()));
        }
        if !proceed(drops.len()).await {
            return Ok(None);
        }
    }
    Ok(Some(Explanation { drops }))
}

/// The short-time spectra of a segment.
struct Spectra {
    samples: usize,
    bins: usize,
    frames: Vec<Complex32>,
    /// First bin of each row, and the end of the last row.
    edges: Vec<usize>,
}

impl Spectra {
    fn new(signal: &[f32], sample_rate: u32) -> Result<Self, DspError> {
        let mut stft = Stft::new(N_FFT)?;
        let bins = stft.bins();
        let count = signal.len() / HOP + 1;
        let mut frames = vec![Complex32::default(); bins * count];
        for (frame, spectrum) in frames.chunks_exact_mut(bins).enumerate() {
            stft.spectrum(signal, frame * HOP, spectrum)?;
        }
        let nyquist = f64::from(sample_rate) / 2.0;
        let highest = hz_to_mel(nyquist);
        let edge = |row: usize| mel_to_hz(highest * row as f64 / ROWS as f64) / nyquist;
        let mut edges: Vec<usize> =
            (0..ROWS).map(|row| (edge(row) * (bins - 1) as f64).round() as usize).collect();
        edges.push(bins);
        Ok(Self { samples: signal.len(), bins, frames, edges })
    }

    /// The segment without one tile.
    fn without(&self, row: usize, column: usize) -> Result<Vec<f32>, DspError> {
        let count = self.frames.len() / self.bins;
        let muted = column * count / COLUMNS..(column + 1) * count / COLUMNS;
        let mut istft = Istft::new(N_FFT, HOP)?;
        let mut sound = Vec::new();
        istft.begin(self.samples, &mut sound);
        let mut spectrum = vec![Complex32::default(); self.bins];
        for (frame, values) in self.frames.chunks_exact(self.bins).enumerate() {
            spectrum.copy_from_slice(values);
            if muted.contains(&frame) {
                spectrum[self.edges[row]..self.edges[row + 1]].iter_mut().for_each(|value| *value *= GAIN);
            }
            istft.add(frame, &mut spectrum, &mut sound)?;
        }
        istft.finish(&mut sound)?;
        Ok(sound)
    }
}
