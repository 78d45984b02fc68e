//! Mel bands and the mel spectrogram.

use wide::f32x4;

use crate::spectra::LANES;
use crate::stft::{check_hop, check_n_fft};
use crate::{DspError, Stft, check_finite, check_length};

/// Parameters of a mel spectrogram, with the meaning of `librosa.feature.melspectrogram`'s.
#[derive(Clone, Debug, PartialEq)]
pub struct MelParams {
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Samples per frame.
    pub n_fft: usize,
    /// Samples from one frame's centre to the next.
    pub hop_length: usize,
    /// Number of mel bands.
    pub n_mels: usize,
    /// Lower edge of the lowest band, in Hz.
    pub fmin: f64,
    /// Upper edge of the highest band, in Hz.
    pub fmax: f64,
}

/// A bank of triangular mel filters. Only the non-zero weights are stored.
pub struct MelBank {
    bins: usize,
    filters: Vec<Filter>,
    /// A spectrum padded with zeros to [`MelBank::padded`], for callers whose spectrum is not padded.
    scratch: Vec<f32>,
}

/// The triangle of one band.
struct Filter {
    first: usize,
    /// Number of non-zero weights.
    len: usize,
    /// The weights, padded with zeros to whole vectors: most filters are so short that a separate loop
    /// for the rest would cost more.
    weights: Vec<f32x4>,
}

/// Mel scales.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MelScale {
    /// Slaney's (Auditory Toolbox), librosa's default: linear below 1 kHz, logarithmic above.
    #[default]
    Slaney,
    /// The hidden Markov model toolkit's: 2595·log₁₀(1 + f / 700), librosa's `htk=True`.
    Htk,
}

/// Heights of the triangles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MelNorm {
    /// 2 / (width in Hz), so that white noise has about the same energy in every band: librosa's
    /// default `norm="slaney"`.
    #[default]
    Slaney,
    /// 1 at the peak: `norm=None`.
    Peak,
}

impl MelScale {
    /// Mels of a frequency in Hz.
    fn of_hz(self, hz: f64) -> f64 {
        match self {
            Self::Slaney => hz_to_mel(hz),
            Self::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
        }
    }

    /// Frequency in Hz of a number of mels.
    fn to_hz(self, mel: f64) -> f64 {
        match self {
            Self::Slaney => mel_to_hz(mel),
            Self::Htk => 700.0 * (10.0_f64.powf(mel / 2595.0) - 1.0),
        }
    }
}

/// Slaney's scale is linear below this frequency.
const BREAK_HZ: f64 = 1000.0;
const HZ_PER_MEL: f64 = 200.0 / 3.0;

/// Above [`BREAK_HZ`], 27 mels are a factor of 6.4.
fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

/// Frequency in Hz to mels on Slaney's scale ([`MelScale::Slaney`]): `librosa.hz_to_mel`.
///
/// ```
/// assert!((cratedigger_dsp::hz_to_mel(1000.0) - 15.0).abs() < 1e-9);
/// ```
pub fn hz_to_mel(hz: f64) -> f64 {
    if hz < BREAK_HZ { hz / HZ_PER_MEL } else { BREAK_HZ / HZ_PER_MEL + (hz / BREAK_HZ).ln() / log_step() }
}

/// Mels on Slaney's scale to a frequency in Hz: `librosa.mel_to_hz`.
///
/// ```
/// assert!((cratedigger_dsp::mel_to_hz(15.0) - 1000.0).abs() < 1e-9);
/// ```
pub fn mel_to_hz(mel: f64) -> f64 {
    let break_mel = BREAK_HZ / HZ_PER_MEL;
    if mel < break_mel { mel * HZ_PER_MEL } else { BREAK_HZ * (log_step() * (mel - break_mel)).exp() }
}

/// Largest number of bands, against absurd requests for memory.
const MAX_MELS: usize = 1 << 16;

impl MelBank {
    /// The filters of `librosa.filters.mel(sr=…, n_fft=…, n_mels=…, fmin=…, fmax=…)` with its
    /// defaults `htk=False, norm="slaney"`; see [`MelBank::new`].
    ///
    /// ```
    /// use cratedigger_dsp::MelBank;
    ///
    /// assert_eq!(MelBank::slaney(22_050.0, 2048, 128, 0.0, 11_025.0)?.bands(), 128);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// As [`MelBank::new`].
    pub fn slaney(
        sample_rate: f64,
        n_fft: usize,
        n_mels: usize,
        fmin: f64,
        fmax: f64,
    ) -> Result<Self, DspError> {
        Self::new(sample_rate, n_fft, n_mels, fmin, fmax, MelScale::Slaney, MelNorm::Slaney)
    }

    /// Triangles at equal distances on the mel scale, from `fmin` to `fmax` in Hz:
    /// `librosa.filters.mel`.
    ///
    /// ```
    /// use cratedigger_dsp::{MelBank, MelNorm, MelScale};
    ///
    /// // As in HTK and in torchaudio's defaults.
    /// let bank = MelBank::new(16_000.0, 512, 40, 0.0, 8000.0, MelScale::Htk, MelNorm::Peak)?;
    /// assert!(bank.weights(20).1.iter().all(|weight| *weight <= 1.0));
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// No bands or more than 65536, an `n_fft` that [`Stft`] refuses, or band edges that are not
    /// 0 ≤ fmin < fmax ≤ sample rate / 2.
    pub fn new(
        sample_rate: f64,
        n_fft: usize,
        n_mels: usize,
        fmin: f64,
        fmax: f64,
        scale: MelScale,
        norm: MelNorm,
    ) -> Result<Self, DspError> {
        let refuse = |name, value, reason| Err(DspError::Parameter { name, value, reason });
        check_n_fft(n_fft)?;
        if !(1..=MAX_MELS).contains(&n_mels) {
            return refuse("n_mels", n_mels as f64, "between 1 and 65536 bands are needed");
        }
        if !(sample_rate.is_finite() && sample_rate > 0.0) {
            return refuse("sample_rate", sample_rate, "a positive rate is needed");
        }
        if !(fmin >= 0.0 && fmin < fmax) {
            return refuse("fmin", fmin, "0 ≤ fmin < fmax is needed");
        }
        if fmax > sample_rate / 2.0 {
            return refuse("fmax", fmax, "it must not lie above half the sample rate");
        }
        let bins = n_fft / 2 + 1;
        let (low, high) = (scale.of_hz(fmin), scale.of_hz(fmax));
        let edges: Vec<f64> = (0..n_mels + 2)
            .map(|i| scale.to_hz(low + (high - low) * i as f64 / (n_mels + 1) as f64))
            .collect();
        let hz = |bin: usize| bin as f64 * sample_rate / n_fft as f64;
        let filters = edges
            .windows(3)
            .map(|e| {
                let (left, peak, right) = (e[0], e[1], e[2]);
                let norm = match norm {
                    MelNorm::Slaney => 2.0 / (right - left),
                    MelNorm::Peak => 1.0,
                };
                let weight = |bin: usize| {
                    let rising = (hz(bin) - left) / (peak - left);
                    let falling = (right - hz(bin)) / (right - peak);
                    (rising.min(falling).max(0.0) * norm) as f32
                };
                let first = (0..bins).find(|&b| weight(b) > 0.0).unwrap_or(0);
                let weights: Vec<f32> = (first..bins).map(weight).take_while(|&w| w > 0.0).collect();
                let vector = |chunk: &[f32]| {
                    f32x4::new(std::array::from_fn(|lane| chunk.get(lane).copied().unwrap_or(0.0)))
                };
                Filter { first, len: weights.len(), weights: weights.chunks(LANES).map(vector).collect() }
            })
            .collect();
        Ok(Self { bins, filters, scratch: vec![0.0; bins + LANES - 1] })
    }

    /// Number of bands.
    ///
    /// ```
    /// use cratedigger_dsp::MelBank;
    ///
    /// assert_eq!(MelBank::slaney(16_000.0, 512, 40, 0.0, 8000.0)?.bands(), 40);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn bands(&self) -> usize {
        self.filters.len()
    }

    /// First bin of a band's filter and its weights from there on; empty if the band is narrower than a
    /// bin or does not exist.
    ///
    /// ```
    /// use cratedigger_dsp::MelBank;
    ///
    /// let bank = MelBank::slaney(22_050.0, 2048, 128, 0.0, 11_025.0)?;
    /// let (first, weights) = bank.weights(0);
    /// assert_eq!((first, weights.len()), (1, 4)); // from 10.8 Hz to 43.1 Hz
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn weights(&self, band: usize) -> (usize, Vec<f32>) {
        self.filters.get(band).map_or((0, Vec::new()), |filter| {
            let all = filter.weights.iter().flat_map(|vector| vector.to_array());
            (filter.first, all.take(filter.len).collect())
        })
    }

    /// Sums a power spectrum (`1 + n_fft / 2` bins) into bands.
    ///
    /// ```
    /// use cratedigger_dsp::{MelBank, MelNorm, MelScale};
    ///
    /// let mut bank = MelBank::new(16_000.0, 512, 4, 0.0, 8000.0, MelScale::Htk, MelNorm::Peak)?;
    /// let mut bands = [0.0; 4];
    /// bank.apply(&[1.0; 257], &mut bands)?;
    /// let sum: f32 = bank.weights(2).1.iter().sum();
    /// assert!((bands[2] - sum).abs() < 1e-4);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A buffer of the wrong length.
    pub fn apply(&mut self, power: &[f32], out: &mut [f32]) -> Result<(), DspError> {
        check_length("power", self.bins, power.len())?;
        check_length("out", self.bands(), out.len())?;
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch[..power.len()].copy_from_slice(power);
        self.sum(&scratch, out);
        self.scratch = scratch;
        Ok(())
    }

    /// Number of values that [`MelBank::sum`] needs: the bins and some zeros.
    pub(crate) fn padded(&self) -> usize {
        self.scratch.len()
    }

    /// [`MelBank::apply`] for a spectrum padded with zeros.
    pub(crate) fn sum(&self, power: &[f32], out: &mut [f32]) {
        for (band, filter) in out.iter_mut().zip(&self.filters) {
            let (power, _) = power[filter.first..].as_chunks::<LANES>();
            let products = power.iter().zip(&filter.weights);
            *band = products.fold(f32x4::ZERO, |sum, (p, w)| sum + f32x4::new(*p) * *w).reduce_add();
        }
    }
}

/// A matrix of `bands` rows and `frames` columns, row after row, lowest band first.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrogram {
    /// Rows.
    pub bands: usize,
    /// Columns.
    pub frames: usize,
    /// `bands · frames` values.
    pub data: Vec<f32>,
}

/// A planned mel spectrogram.
pub struct MelSpectrogram {
    stft: Stft,
    bank: MelBank,
    hop_length: usize,
    power: Vec<f32>,
}

impl MelSpectrogram {
    /// Plans the FFT and the filters.
    ///
    /// ```
    /// use cratedigger_dsp::{MelParams, MelSpectrogram};
    ///
    /// let params = MelParams {
    ///     sample_rate: 22_050, n_fft: 2048, hop_length: 512, n_mels: 128, fmin: 0.0, fmax: 11_025.0,
    /// };
    /// assert_eq!(MelSpectrogram::new(&params)?.bands(), 128);
    /// assert!(MelSpectrogram::new(&MelParams { fmax: 12_000.0, ..params }).is_err());
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// Invalid parameters; see [`Stft::new`] and [`MelBank::slaney`].
    pub fn new(params: &MelParams) -> Result<Self, DspError> {
        check_hop(params.hop_length)?;
        let stft = Stft::new(params.n_fft)?;
        let bank = MelBank::slaney(
            f64::from(params.sample_rate),
            params.n_fft,
            params.n_mels,
            params.fmin,
            params.fmax,
        )?;
        let power = vec![0.0; bank.padded()];
        Ok(Self { stft, bank, hop_length: params.hop_length, power })
    }

    /// Number of bands.
    ///
    /// ```
    /// use cratedigger_dsp::{MelParams, MelSpectrogram};
    ///
    /// let params = MelParams {
    ///     sample_rate: 22_050, n_fft: 2048, hop_length: 512, n_mels: 128, fmin: 0.0, fmax: 11_025.0,
    /// };
    /// assert_eq!(MelSpectrogram::new(&params)?.bands(), 128);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn bands(&self) -> usize {
        self.bank.bands()
    }

    /// Mel power of the one frame centred at sample `centre` (see [`Stft::power`]); writes
    /// [`MelSpectrogram::bands`] values.
    ///
    /// ```
    /// use cratedigger_dsp::{MelParams, MelSpectrogram};
    ///
    /// let params = MelParams {
    ///     sample_rate: 22_050, n_fft: 2048, hop_length: 512, n_mels: 128, fmin: 0.0, fmax: 11_025.0,
    /// };
    /// let mut mel = MelSpectrogram::new(&params)?;
    /// let mut frame = vec![0.0; mel.bands()];
    /// mel.frame(&[0.5; 22_050], 11_025, &mut frame)?;
    /// assert!(frame[0] > frame[64]); // 0 Hz is loudest
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// `out` of the wrong length.
    pub fn frame(&mut self, signal: &[f32], centre: usize, out: &mut [f32]) -> Result<(), DspError> {
        check_length("out", self.bank.bands(), out.len())?;
        let bins = self.stft.bins();
        self.stft.power(signal, centre, &mut self.power[..bins])?;
        self.bank.sum(&self.power, out);
        Ok(())
    }

    /// The whole mel power spectrogram, `1 + n / hop_length` frames:
    /// `librosa.feature.melspectrogram(y=signal, …)`.
    ///
    /// ```
    /// use cratedigger_dsp::{MelParams, MelSpectrogram};
    ///
    /// let params = MelParams {
    ///     sample_rate: 22_050, n_fft: 2048, hop_length: 512, n_mels: 128, fmin: 0.0, fmax: 11_025.0,
    /// };
    /// let mel = MelSpectrogram::new(&params)?.spectrogram(&[0.5; 22_050])?;
    /// assert_eq!((mel.bands, mel.frames), (128, 44));
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A sample that is NaN, infinite or beyond [`crate::LOUDEST`], or no samples at all.
    pub fn spectrogram(&mut self, signal: &[f32]) -> Result<Spectrogram, DspError> {
        if signal.is_empty() {
            return Err(DspError::Length { name: "signal", expected: 1, found: 0 });
        }
        check_finite(signal)?;
        let (bands, frames) = (self.bands(), 1 + signal.len() / self.hop_length);
        let mut data = vec![0.0; bands * frames];
        // Frames are computed one by one but stored as columns. Transposing in blocks as wide as a
        // cache line avoids fetching a line for nearly every value.
        const BLOCK: usize = 16;
        let mut block = vec![0.0; bands * BLOCK];
        for first in (0..frames).step_by(BLOCK) {
            let count = BLOCK.min(frames - first);
            for (frame, column) in (first..first + count).zip(block.chunks_exact_mut(bands)) {
                self.frame(signal, frame * self.hop_length, column)?;
            }
            for (band, row) in data.chunks_exact_mut(frames).enumerate() {
                for (value, column) in row[first..first + count].iter_mut().zip(block.chunks_exact(bands)) {
                    *value = column[band];
                }
            }
        }
        Ok(Spectrogram { bands, frames, data })
    }
}

/// Smaller powers are replaced by this one, as in librosa: −100 dB.
const AMIN: f32 = 1e-10;

/// Power to decibels below the maximum, in place:
/// `librosa.power_to_db(S, ref=np.max, amin=1e-10, top_db=top_db)`.
///
/// The loudest value becomes 0 dB and no value is below `−top_db`. If all are below `amin` (silence),
/// all become 0 dB, as in librosa.
///
/// ```
/// use cratedigger_dsp::power_to_db;
///
/// let mut power = [4.0, 0.4, 1e-12];
/// power_to_db(&mut power, 80.0);
/// assert!(power.iter().zip([0.0, -10.0, -80.0]).all(|(db, expected)| (db - expected).abs() < 1e-4));
/// ```
pub fn power_to_db(power: &mut [f32], top_db: f32) {
    let max = crate::largest(power);
    decibels(power, max, max, top_db);
}

/// Power to decibels above a reference power, in place:
/// `librosa.power_to_db(S, ref=reference, amin=1e-10, top_db=top_db)`. No value is more than
/// `top_db` below the loudest.
///
/// ```
/// use cratedigger_dsp::power_to_db_ref;
///
/// let mut power = [10.0, 1.0, 1e-12];
/// power_to_db_ref(&mut power, 1.0, 80.0);
/// assert!(power.iter().zip([10.0, 0.0, -70.0]).all(|(db, expected)| (db - expected).abs() < 1e-4));
/// ```
pub fn power_to_db_ref(power: &mut [f32], reference: f32, top_db: f32) {
    let max = crate::largest(power);
    decibels(power, reference.abs(), max, top_db);
}

/// 10·log₁₀(value / reference), and at least that of the maximum minus `top_db`.
fn decibels(power: &mut [f32], reference: f32, max: f32, top_db: f32) {
    let of = |power: [f32; LANES]| {
        let log = f32x4::new(power).fast_max(f32x4::splat(AMIN)).ln();
        log * f32x4::splat(10.0 * std::f32::consts::LOG10_E)
    };
    let reference = of([reference; LANES]);
    let floor = of([max; LANES]) - reference - f32x4::splat(top_db);
    let (blocks, rest) = power.as_chunks_mut::<LANES>();
    for block in blocks {
        *block = (of(*block) - reference).fast_max(floor).to_array();
    }
    for value in rest {
        [*value, ..] = (of([*value; LANES]) - reference).fast_max(floor).to_array();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `librosa.hz_to_mel([110, 1000, 4000, 11025])`.
    #[test]
    fn the_mel_scale_equals_librosas() {
        for (hz, mel) in [(110.0, 1.65), (1000.0, 15.0), (4000.0, 35.163_760), (11_025.0, 49.910_594)] {
            assert!((hz_to_mel(hz) - mel).abs() < 1e-5, "{}", hz_to_mel(hz));
            assert!((mel_to_hz(hz_to_mel(hz)) - hz).abs() < 1e-9 * hz);
        }
    }
}
