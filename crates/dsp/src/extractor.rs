//! All features of a window from one transform.

use crate::hpss::Separator;
use crate::rhythm::onset_strength;
use crate::spectra::Spectra;
use crate::spectral::{rms, zero_crossing_rate};
use crate::stft::check_hop;
use crate::{
    Aggregate, CHROMA, CONTRAST_BANDS, ChromaBank, Dct, DspError, MelBank, SpectralContrast, SpectralShape,
    Spectrogram, TONNETZ, TempoEstimator, Tuning, check_finite, power_to_db_ref, spectral_flatness, tonnetz,
};

/// How features are computed. The default is librosa's and the field's: 22050 Hz, frames of 2048
/// samples every 512, 128 mel bands, 20 MFCCs.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureParams {
    /// Samples a second, in Hz.
    pub sample_rate: u32,
    /// Samples a frame.
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
    pub fn stacked() -> Self {
        Self { n_mfcc: 40, ..Self::default() }
    }
}

/// A feature over time: frame after frame of `bands` values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frames<'a> {
    /// Values a frame.
    pub bands: usize,
    /// All frames, one after the other.
    pub data: &'a [f32],
}

impl<'a> Frames<'a> {
    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.data.len() / self.bands.max(1)
    }

    /// The values of each frame.
    pub fn iter(&self) -> std::slice::ChunksExact<'a, f32> {
        self.data.chunks_exact(self.bands.max(1))
    }

    /// The same as a matrix with a row for each band, as librosa returns it.
    pub fn to_spectrogram(&self) -> Spectrogram {
        let (bands, frames) = (self.bands, self.frames());
        let mut data = Vec::with_capacity(bands * frames);
        for band in 0..bands {
            data.extend(self.iter().map(|frame| frame[band]));
        }
        Spectrogram { bands, frames, data }
    }

    /// Mean and variance of a band over all frames (`np.mean`, `np.var`).
    fn moments(&self, band: usize) -> [f64; 2] {
        moments(self.iter().map(|frame| frame[band]))
    }
}

/// Mean and variance (of the population) of some values; zeros of none.
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

/// MFCCs in the feature tables.
pub const TABLE_MFCC: usize = 20;

/// The 57 columns that the Kaggle tables of GTZAN have between `length` and `label`, in their
/// order.
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

/// Columns that [`Window::stacked`] makes at most: six hours.
const MAX_COLUMNS: usize = 1_000_000;

/// A feature's values for the current window; empty until somebody asks.
type Cache = Vec<f32>;

/// A plan for all features: built once, then given window after window.
///
/// Everything comes from one short-time Fourier transform, and nothing is computed that is not
/// asked for. Buffers stay from window to window.
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
    /// What the chroma filters are tuned to.
    tuned_to: f64,
    /// Not to be had at low sample rates: an error for those who ask, not for all others.
    contrast: Result<SpectralContrast, DspError>,
    separator: Separator,
    tempo: TempoEstimator,
    cache: Caches,
}

/// What has been computed of the current window.
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
    /// # Errors
    /// Parameters that make no sense; see [`MelBank::new`], [`Dct::new`] and
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
    pub fn params(&self) -> &FeatureParams {
        &self.params
    }

    /// Transforms a window; the features are methods of what is returned.
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

/// The features of one window. Each is computed when it is first asked for.
pub struct Window<'a> {
    plan: &'a mut FeatureExtractor,
    signal: &'a [f32],
}

impl Window<'_> {
    /// Frames: `1 + n / hop_length`.
    pub fn frames(&self) -> usize {
        self.plan.spectra.frames()
    }

    /// One frame's power spectrum, the linear spectrogram's column: `1 + n_fft / 2` values. Frames
    /// past the last give the last.
    pub fn power(&self, frame: usize) -> &[f32] {
        let spectra = &self.plan.spectra;
        &spectra.power_frame(frame.min(spectra.frames() - 1))[..spectra.bins()]
    }

    fn bin_hz(&self) -> f64 {
        f64::from(self.plan.params.sample_rate) / self.plan.params.n_fft as f64
    }

    /// The mel power spectrogram (`librosa.feature.melspectrogram`).
    pub fn mel(&mut self) -> Frames<'_> {
        let plan = &mut *self.plan;
        let (bands, mel) = (plan.bank.bands(), &mut plan.cache.mel);
        if mel.is_empty() {
            mel.resize(bands * plan.spectra.frames(), 0.0);
            for (frame, out) in mel.chunks_exact_mut(bands).enumerate() {
                plan.bank.sum(plan.spectra.power_frame(frame), out);
            }
        }
        Frames { bands, data: mel }
    }

    /// The mel spectrogram in decibels above a power of 1, cut 80 dB below the loudest value
    /// (`librosa.power_to_db` of it).
    pub fn mel_db(&mut self) -> Frames<'_> {
        self.mel();
        let Caches { mel, mel_db, .. } = &mut self.plan.cache;
        if mel_db.is_empty() {
            mel_db.extend_from_slice(mel);
            power_to_db_ref(mel_db, 1.0, 80.0);
        }
        Frames { bands: self.plan.bank.bands(), data: mel_db }
    }

    /// Mel-frequency cepstral coefficients (`librosa.feature.mfcc`).
    ///
    /// # Errors
    /// None that valid parameters can reach.
    pub fn mfcc(&mut self) -> Result<Frames<'_>, DspError> {
        self.mel_db();
        let plan = &mut *self.plan;
        let Caches { mel_db, mfcc, .. } = &mut plan.cache;
        let bands = plan.dct.coefficients();
        if mfcc.is_empty() {
            mfcc.resize(bands * plan.spectra.frames(), 0.0);
            for (decibels, out) in mel_db.chunks_exact(plan.bank.bands()).zip(mfcc.chunks_exact_mut(bands)) {
                plan.dct.apply(decibels, out)?;
            }
        }
        Ok(Frames { bands, data: mfcc })
    }

    /// Root mean square of each frame's samples (`librosa.feature.rms`).
    pub fn rms(&mut self) -> &[f32] {
        let FeatureParams { n_fft, hop_length, .. } = self.plan.params;
        let out = &mut self.plan.cache.rms;
        if out.is_empty() {
            rms(self.signal, n_fft, hop_length, out);
        }
        out
    }

    /// Share of neighbouring samples that differ in sign (`librosa.feature.zero_crossing_rate`).
    pub fn zero_crossing_rate(&mut self) -> &[f32] {
        let FeatureParams { n_fft, hop_length, .. } = self.plan.params;
        let out = &mut self.plan.cache.crossings;
        if out.is_empty() {
            zero_crossing_rate(self.signal, n_fft, hop_length, out);
        }
        out
    }

    /// Computes centroid, bandwidth and rolloff.
    fn shape(&mut self) {
        let bin_hz = self.bin_hz();
        let spectra = &self.plan.spectra;
        let Caches { magnitudes, centroid, bandwidth, rolloff, .. } = &mut self.plan.cache;
        if !centroid.is_empty() {
            return;
        }
        for frame in 0..spectra.frames() {
            magnitudes.clear();
            magnitudes.extend(spectra.power_frame(frame).iter().map(|p| p.sqrt()));
            let shape = SpectralShape::of(magnitudes, bin_hz);
            centroid.push(shape.centroid);
            bandwidth.push(shape.bandwidth);
            rolloff.push(shape.rolloff);
        }
    }

    /// Mean frequency in Hz of each frame; see [`SpectralShape::centroid`].
    pub fn spectral_centroid(&mut self) -> &[f32] {
        self.shape();
        &self.plan.cache.centroid
    }

    /// Spread in Hz of each frame; see [`SpectralShape::bandwidth`].
    pub fn spectral_bandwidth(&mut self) -> &[f32] {
        self.shape();
        &self.plan.cache.bandwidth
    }

    /// Rolloff frequency in Hz of each frame; see [`SpectralShape::rolloff`].
    pub fn spectral_rolloff(&mut self) -> &[f32] {
        self.shape();
        &self.plan.cache.rolloff
    }

    /// Likeness to noise of each frame, 0 to 1; see [`spectral_flatness`].
    pub fn spectral_flatness(&mut self) -> &[f32] {
        let spectra = &self.plan.spectra;
        let out = &mut self.plan.cache.flatness;
        if out.is_empty() {
            let flatness = |frame| spectral_flatness(&spectra.power_frame(frame)[..spectra.bins()]);
            out.extend((0..spectra.frames()).map(flatness));
        }
        out
    }

    /// Spectral contrast in decibels; see [`SpectralContrast`]. As in librosa, peaks and valleys
    /// are cut 80 dB below the highest of them in the window.
    ///
    /// # Errors
    /// A sample rate or an `n_fft` too low for it.
    pub fn spectral_contrast(&mut self) -> Result<Frames<'_>, DspError> {
        let plan = &mut *self.plan;
        let bands = plan.contrast.as_mut().map_err(|error| error.clone())?;
        let Caches { valleys, contrast, .. } = &mut plan.cache;
        if contrast.is_empty() {
            for frame in 0..plan.spectra.frames() {
                let (low, high) =
                    bands.valleys_and_peaks(&plan.spectra.power_frame(frame)[..plan.spectra.bins()]);
                valleys.extend(low);
                contrast.extend(high);
            }
            power_to_db_ref(valleys, 1.0, 80.0);
            power_to_db_ref(contrast, 1.0, 80.0);
            contrast.iter_mut().zip(valleys).for_each(|(peak, valley)| *peak -= *valley);
        }
        Ok(Frames { bands: CONTRAST_BANDS, data: contrast })
    }

    /// The recording's tuning in semitones above 440 Hz, −0.5…0.49; see [`Tuning`].
    pub fn tuning(&mut self) -> f64 {
        let bin_hz = self.bin_hz();
        let plan = &mut *self.plan;
        *plan.cache.tuning.get_or_insert_with(|| {
            plan.tuning.clear();
            for frame in 0..plan.spectra.frames() {
                plan.tuning.add(&plan.spectra.power_frame(frame)[..plan.spectra.bins()], bin_hz);
            }
            plan.tuning.estimate()
        })
    }

    /// The twelve pitch classes from C to B, each frame's largest 1, tuned to the recording
    /// (`librosa.feature.chroma_stft`).
    pub fn chroma(&mut self) -> Frames<'_> {
        let tuning = self.tuning();
        let plan = &mut *self.plan;
        let out = &mut plan.cache.chroma;
        if out.is_empty() {
            if plan.tuned_to != tuning {
                plan.chroma_bank.tune(f64::from(plan.params.sample_rate), plan.params.n_fft, tuning);
                plan.tuned_to = tuning;
            }
            for frame in 0..plan.spectra.frames() {
                out.extend(plan.chroma_bank.apply(plan.spectra.power_frame(frame)));
            }
        }
        Frames { bands: CHROMA, data: out }
    }

    /// Tonal centroids (`librosa.feature.tonnetz(chroma=…)` of [`Window::chroma`]; librosa alone
    /// would take a constant-Q chroma).
    pub fn tonnetz(&mut self) -> Frames<'_> {
        self.chroma();
        let Caches { chroma, tonnetz: out, .. } = &mut self.plan.cache;
        if out.is_empty() {
            let (chroma, _) = chroma.as_chunks::<CHROMA>();
            out.extend(chroma.iter().flat_map(tonnetz));
        }
        Frames { bands: TONNETZ, data: out }
    }

    /// How much louder each frame is than the one before, in decibels
    /// (`librosa.onset.onset_strength`, with `aggregate`).
    pub fn onset_strength(&mut self, aggregate: Aggregate) -> &[f32] {
        self.mel_db();
        let plan = &mut *self.plan;
        let Caches { mel_db, onsets, onsets_of, scratch, .. } = &mut plan.cache;
        if *onsets_of != Some(aggregate) {
            let lengths = (plan.params.n_fft, plan.params.hop_length);
            onset_strength(mel_db, plan.bank.bands(), lengths, aggregate, scratch, onsets);
            *onsets_of = Some(aggregate);
        }
        onsets
    }

    /// Tempo in beats a minute, from onsets aggregated by their median, as
    /// `librosa.beat.beat_track` has it; 0 without onsets.
    ///
    /// # Errors
    /// None that a window can reach.
    pub fn tempo(&mut self) -> Result<f64, DspError> {
        self.onset_strength(Aggregate::Median);
        self.plan.tempo.tempo(&self.plan.cache.onsets)
    }

    /// Tempo in beats a minute and the frames of the beats (`librosa.beat.beat_track`).
    ///
    /// # Errors
    /// None that a window can reach.
    pub fn beats(&mut self) -> Result<(f64, Vec<usize>), DspError> {
        let bpm = self.tempo()?;
        Ok((bpm, self.plan.tempo.beats(&self.plan.cache.onsets, bpm)?))
    }

    /// The autocorrelation of onset strength over time; see [`TempoEstimator::tempogram`].
    ///
    /// # Errors
    /// None that a window can reach.
    pub fn tempogram(&mut self) -> Result<Spectrogram, DspError> {
        self.onset_strength(Aggregate::Mean);
        self.plan.tempo.tempogram(&self.plan.cache.onsets)
    }

    /// The harmonic and the percussive signal; see [`crate::Hpss`].
    ///
    /// # Errors
    /// None that a window can reach.
    pub fn harmonic_percussive(&mut self) -> Result<(&[f32], &[f32]), DspError> {
        self.plan.separator.separate(self.signal, &self.plan.spectra)
    }

    /// The 57 features of the Kaggle tables of GTZAN ([`TABLE_COLUMNS`]): mean and variance over
    /// the window of chroma, RMS, centroid, bandwidth, rolloff, zero crossing rate, the harmonic
    /// and the percussive signal and 20 MFCCs, and the tempo.
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

    /// The stacked input of published networks: the rows of [`STACKED_PARTS`] one below the
    /// other, 187 in all, with `columns` frames (130 for 3 s). Each part is brought to mean 0 and
    /// variance 1 over the window, since decibels, cepstra and pitch classes have no common scale;
    /// missing frames become 0, which is each part's mean, and frames past the last are cut.
    ///
    /// # Errors
    /// A plan with other than 128 mel bands and 40 MFCCs (see [`FeatureParams::stacked`]), or more
    /// than a million columns; see [`Window::spectral_contrast`].
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
            // A part without variance (silence) is all zeros.
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
