//! Combinations of features from published data sets and networks: the 57 columns of the Kaggle tables, and
//! the stacked input.

use super::{Frames, Window};
use crate::{CHROMA, CONTRAST_BANDS, DspError, Spectrogram};

/// Number of MFCCs in the feature tables.
pub const TABLE_MFCC: usize = 20;

/// The 57 columns of the Kaggle tables of GTZAN between `length` and `label`, in their order.
pub const TABLE_COLUMNS: [&str; 57] = [
    "chroma_stft_mean",
    "chroma_stft_var",
    "rms_mean",
    "rms_var",
    "spectral_centroid_mean",
    "spectral_centroid_var",
    "spectral_bandwidth_mean",
    "spectral_bandwidth_var",
    "rolloff_mean",
    "rolloff_var",
    "zero_crossing_rate_mean",
    "zero_crossing_rate_var",
    "harmony_mean",
    "harmony_var",
    "perceptr_mean",
    "perceptr_var",
    "tempo",
    "mfcc1_mean",
    "mfcc1_var",
    "mfcc2_mean",
    "mfcc2_var",
    "mfcc3_mean",
    "mfcc3_var",
    "mfcc4_mean",
    "mfcc4_var",
    "mfcc5_mean",
    "mfcc5_var",
    "mfcc6_mean",
    "mfcc6_var",
    "mfcc7_mean",
    "mfcc7_var",
    "mfcc8_mean",
    "mfcc8_var",
    "mfcc9_mean",
    "mfcc9_var",
    "mfcc10_mean",
    "mfcc10_var",
    "mfcc11_mean",
    "mfcc11_var",
    "mfcc12_mean",
    "mfcc12_var",
    "mfcc13_mean",
    "mfcc13_var",
    "mfcc14_mean",
    "mfcc14_var",
    "mfcc15_mean",
    "mfcc15_var",
    "mfcc16_mean",
    "mfcc16_var",
    "mfcc17_mean",
    "mfcc17_var",
    "mfcc18_mean",
    "mfcc18_var",
    "mfcc19_mean",
    "mfcc19_var",
    "mfcc20_mean",
    "mfcc20_var",
];

/// The rows of the stacked input, part by part: mel decibels, MFCCs, chroma, spectral contrast.
pub const STACKED_PARTS: [usize; 4] = [128, 40, CHROMA, CONTRAST_BANDS];

/// Largest number of columns of [`Window::stacked`]: six hours.
const MAX_COLUMNS: usize = 1_000_000;

impl Window<'_> {
    /// The 57 features of the Kaggle tables of GTZAN ([`TABLE_COLUMNS`]): mean and variance over
    /// the window of chroma, RMS, centroid, bandwidth, rolloff, zero crossing rate, the harmonic
    /// and the percussive signal and 20 MFCCs, and the tempo.
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams, TABLE_COLUMNS};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// let row = window.table_row()?;
    /// let centroid = TABLE_COLUMNS.iter().position(|name| *name == "spectral_centroid_mean").unwrap_or_default();
    /// assert!((row[centroid] - 440.0).abs() < 50.0);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A plan with fewer than 20 MFCCs.
    pub fn table_row(&mut self) -> Result<[f64; TABLE_COLUMNS.len()], DspError> {
        if self.plan.dct.coefficients() < TABLE_MFCC {
            return Err(DspError::Parameter {
                name: "n_mfcc",
                value: self.plan.dct.coefficients() as f64,
                reason: "the table has 20",
            });
        }
        let mut row = [0.0; TABLE_COLUMNS.len()];
        let chroma = moments(self.chroma().data.iter().copied());
        let of = |values: &[f32]| moments(values.iter().copied());
        let levels = of(self.rms());
        let centroid = of(self.spectral_centroid());
        let bandwidth = of(self.spectral_bandwidth());
        let rolloff = of(self.spectral_rolloff());
        let crossings = of(self.zero_crossing_rate());
        let (harmonic, percussive) = self.harmonic_percussive()?;
        let (harmonic, percussive) = (of(harmonic), of(percussive));
        let tempo = self.tempo()?;
        let mfcc = self.mfcc()?;
        let pairs = [chroma, levels, centroid, bandwidth, rolloff, crossings, harmonic, percussive];
        let values = pairs.into_iter().flatten().chain([tempo]);
        let values = values.chain((0..TABLE_MFCC).flat_map(|band| mfcc.moments(band)));
        row.iter_mut().zip(values).for_each(|(cell, value)| *cell = value);
        Ok(row)
    }

    /// The stacked input of published networks: the 187 rows of [`STACKED_PARTS`] with `columns` frames
    /// (130 for 3 s). Each part is standardised to mean 0 and variance 1 over the window, because
    /// decibels, cepstra and pitch classes have no common scale. Missing frames become 0, the mean of
    /// each part; surplus frames are cut.
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..66_150).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz, 3 s
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::stacked())?;
    /// let stacked = extractor.window(&tone)?.stacked(130)?;
    /// assert_eq!((stacked.bands, stacked.frames), (128 + 40 + 12 + 7, 130));
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A plan without 128 mel bands and 40 MFCCs (see
    /// [`FeatureParams::stacked`](crate::FeatureParams::stacked)), or more than a million columns; see
    /// [`Window::spectral_contrast`].
    pub fn stacked(&mut self, columns: usize) -> Result<Spectrogram, DspError> {
        if columns > MAX_COLUMNS {
            return Err(DspError::Parameter {
                name: "columns",
                value: columns as f64,
                reason: "a million are the limit",
            });
        }
        let bands: usize = STACKED_PARTS.iter().sum();
        let mut out = Spectrogram { bands, frames: columns, data: vec![0.0; bands * columns] };
        let mut first = 0;
        for (index, rows) in STACKED_PARTS.into_iter().enumerate() {
            let part = match index {
                0 => self.mel_db(),
                1 => self.mfcc()?,
                2 => self.chroma(),
                _ => self.spectral_contrast()?,
            };
            if part.bands != rows {
                return Err(DspError::Length { name: "stacked part", expected: rows, found: part.bands });
            }
            let [mean, variance] = moments(part.data.iter().copied());
            // A part without variance (silence) becomes all zeros.
            let scale = if variance > 1e-12 { 1.0 / variance.sqrt() } else { 0.0 };
            for (frame, values) in part.iter().take(columns).enumerate() {
                for (row, value) in values.iter().enumerate() {
                    out.data[(first + row) * columns + frame] = ((f64::from(*value) - mean) * scale) as f32;
                }
            }
            first += rows;
        }
        Ok(out)
    }
}

impl Frames<'_> {
    /// Mean and variance of a band over all frames (`np.mean`, `np.var`).
    fn moments(&self, band: usize) -> [f64; 2] {
        moments(self.iter().map(|frame| frame[band]))
    }
}

/// Mean and population variance of values; zeros if there are none.
fn moments(values: impl Iterator<Item = f32> + Clone) -> [f64; 2] {
    let (mut n, mut sum) = (0_usize, 0.0);
    for value in values.clone() {
        n += 1;
        sum += f64::from(value);
    }
    let n = n.max(1) as f64;
    let mean = sum / n;
    let squares: f64 = values.map(|value| (f64::from(value) - mean).powi(2)).sum();
    [mean, squares / n]
}
