//! All features of a window from one short-time Fourier transform.

mod tables;
mod window;

pub use tables::{STACKED_PARTS, TABLE_COLUMNS, TABLE_MFCC};
pub use window::Window;

use crate::hpss::Separator;
use crate::spectra::Spectra;
use crate::stft::check_hop;
use crate::{
    Aggregate, ChromaBank, Dct, DspError, MelBank, SpectralContrast, Spectrogram, TempoEstimator, Tuning,
    check_finite,
};

/// Parameters of the features. The defaults are librosa's and usual in the literature: 22050 Hz, frames
/// of 2048 samples every 512, 128 mel bands, 20 MFCCs.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureParams {
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Samples per frame.
    pub n_fft: usize,
    /// Samples from one frame's centre to the next.
    pub hop_length: usize,
    /// Mel bands from 0 Hz to half the sample rate.
    pub n_mels: usize,
    /// Cepstral coefficients.
    pub n_mfcc: usize,
}

impl Default for FeatureParams {
    fn default() -> Self {
        Self { sample_rate: 22050, n_fft: 2048, hop_length: 512, n_mels: 128, n_mfcc: TABLE_MFCC }
    }
}

impl FeatureParams {
    /// The parameters of the stacked input (see [`Window::stacked`]): the default with 40 MFCCs.
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let second: Vec<f32> = (0..22_050).map(|i| (0.0626 * i as f32).sin()).collect();
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::stacked())?;
    /// assert_eq!(extractor.window(&second)?.stacked(44)?.bands, 187);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn stacked() -> Self {
        Self { n_mfcc: 40, ..Self::default() }
    }
}

/// A feature over time: frame after frame of `bands` values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frames<'a> {
    /// Values per frame.
    pub bands: usize,
    /// `bands` values for each frame, frame after frame.
    pub data: &'a [f32],
}

impl<'a> Frames<'a> {
    /// Number of frames.
    ///
    /// ```
    /// use cratedigger_dsp::Frames;
    ///
    /// assert_eq!(Frames { bands: 2, data: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0] }.frames(), 3);
    /// ```
    pub fn frames(&self) -> usize {
        self.data.len() / self.bands.max(1)
    }

    /// The values of each frame.
    ///
    /// ```
    /// use cratedigger_dsp::Frames;
    ///
    /// let frames = Frames { bands: 2, data: &[1.0, 2.0, 3.0, 4.0] };
    /// let sums: Vec<f32> = frames.iter().map(|frame| frame.iter().sum()).collect();
    /// assert_eq!(sums, [3.0, 7.0]);
    /// ```
    pub fn iter(&self) -> std::slice::ChunksExact<'a, f32> {
        self.data.chunks_exact(self.bands.max(1))
    }

    /// Transposed to a matrix with a row for each band, as librosa returns it.
    ///
    /// ```
    /// use cratedigger_dsp::Frames;
    ///
    /// let frames = Frames { bands: 2, data: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
    /// assert_eq!(frames.to_spectrogram().data, [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    /// ```
    pub fn to_spectrogram(&self) -> Spectrogram {
        let (bands, frames) = (self.bands, self.frames());
        let mut data = Vec::with_capacity(bands * frames);
        for band in 0..bands {
            data.extend(self.iter().map(|frame| frame[band]));
        }
        Spectrogram { bands, frames, data }
    }
}

/// Values of a feature for the current window; empty until they are requested.
type Cache = Vec<f32>;

/// A plan for all features: built once, used for window after window.
///
/// All features share one short-time Fourier transform. A feature is computed when it is requested.
/// Buffers are reused from window to window.
///
/// ```
/// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
///
/// # fn main() -> Result<(), cratedigger_dsp::DspError> {
/// let second: Vec<f32> = (0..22050).map(|i| (i as f32 * 0.0626).sin()).collect();
/// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
/// let mut window = extractor.window(&second)?;
/// assert_eq!(window.frames(), 44);
/// assert_eq!(window.chroma().bands, 12);
/// let row: [f64; 57] = window.table_row()?;
/// # Ok(())
/// # }
/// ```
pub struct FeatureExtractor {
    params: FeatureParams,
    spectra: Spectra,
    bank: MelBank,
    dct: Dct,
    tuning: Tuning,
    chroma_bank: ChromaBank,
    /// Tuning of the chroma filters.
    tuned_to: f64,
    /// Undefined at low sample rates, which is an error only for callers that request it.
    contrast: Result<SpectralContrast, DspError>,
    separator: Separator,
    tempo: TempoEstimator,
    cache: Caches,
}

/// The features of the current window computed so far.
#[derive(Default)]
struct Caches {
    magnitudes: Cache,
    mel: Cache,
    mel_db: Cache,
    mfcc: Cache,
    rms: Cache,
    crossings: Cache,
    centroid: Cache,
    bandwidth: Cache,
    rolloff: Cache,
    flatness: Cache,
    valleys: Cache,
    contrast: Cache,
    tuning: Option<f64>,
    chroma: Cache,
    tonnetz: Cache,
    onsets: Cache,
    onsets_of: Option<Aggregate>,
    scratch: Cache,
}

impl Caches {
    fn clear(&mut self) {
        let Self {
            magnitudes: _,
            mel,
            mel_db,
            mfcc,
            rms,
            crossings,
            centroid,
            bandwidth,
            rolloff,
            flatness,
            valleys,
            contrast,
            tuning,
            chroma,
            tonnetz,
            onsets,
            onsets_of,
            scratch: _,
        } = self;
        for values in [
            mel, mel_db, mfcc, rms, crossings, centroid, bandwidth, rolloff, flatness, valleys, contrast,
            chroma, tonnetz, onsets,
        ] {
            values.clear();
        }
        (*tuning, *onsets_of) = (None, None);
    }
}

impl FeatureExtractor {
    /// Plans transforms and filters.
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let params = FeatureParams { sample_rate: 16_000, n_mels: 64, ..FeatureParams::default() };
    /// let mut extractor = FeatureExtractor::new(&params)?;
    /// assert_eq!(extractor.window(&[0.1; 16_000])?.mel().bands, 64);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// Invalid parameters; see [`MelBank::new`], [`Dct::new`] and
    /// [`TempoEstimator::new`].
    pub fn new(params: &FeatureParams) -> Result<Self, DspError> {
        check_hop(params.hop_length)?;
        let (n_fft, hop_length) = (params.n_fft, params.hop_length);
        let sample_rate = f64::from(params.sample_rate);
        let spectra = Spectra::new(n_fft, hop_length)?;
        Ok(Self {
            bank: MelBank::slaney(sample_rate, n_fft, params.n_mels, 0.0, sample_rate / 2.0)?,
            dct: Dct::new(params.n_mels, params.n_mfcc)?,
            tuning: Tuning::default(),
            chroma_bank: ChromaBank::new(sample_rate, n_fft, 0.0)?,
            tuned_to: 0.0,
            contrast: SpectralContrast::new(sample_rate, n_fft),
            separator: Separator::new(n_fft, hop_length)?,
            tempo: TempoEstimator::new(sample_rate, hop_length)?,
            cache: Caches::default(),
            spectra,
            params: params.clone(),
        })
    }

    /// The parameters.
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// assert_eq!(extractor.params().sample_rate, 22_050);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn params(&self) -> &FeatureParams {
        &self.params
    }

    /// Transforms a window; its features are methods of the result.
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// assert_eq!(extractor.window(&[0.1; 22_050])?.frames(), 44);
    /// assert!(extractor.window(&[f32::NAN]).is_err());
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// No samples, or one that is NaN, infinite or beyond [`crate::LOUDEST`].
    pub fn window<'a>(&'a mut self, signal: &'a [f32]) -> Result<Window<'a>, DspError> {
        if signal.is_empty() {
            return Err(DspError::Length { name: "signal", expected: 1, found: 0 });
        }
        check_finite(signal)?;
        self.cache.clear();
        self.spectra.transform(signal)?;
        Ok(Window { plan: self, signal })
    }
}
