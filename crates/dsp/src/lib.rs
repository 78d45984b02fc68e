//! Audio features with librosa's values.
//!
//! This crate does not depend on networks, browsers or files. Samples and features are slices. Every
//! feature is defined only here, so trainer and page compute the same values. Plans with tables and FFTs
//! are built once and then process frames without allocating.
//!
//! Conventions: samples are `f32`, nominally in −1…1; frequencies are in Hz; matrices are
//! row-major with the lowest band first. The documentation of a function names the librosa
//! function that it reproduces, of version 0.11. Tests compare them with librosa's values, natively and
//! in a browser: within 1e-3 (HPSS signals within 1e-2 of their peak, beats exact to the frame). Powers
//! are single precision, so magnitudes below 1e-22 count as silence.
//!
//! # Contents
//!
//! | | |
//! |---|---|
//! | samples | [`downmix`], [`Mixer`] (channels that cancel included), [`Resampler`], [`WindowStream`] (a track of any length in bounded memory) |
//! | all features of a window from one transform | [`FeatureExtractor`]: mel, MFCC, RMS, zero crossings, centroid, bandwidth, rolloff, flatness, contrast, tuning, chroma, tonnetz, onsets, tempo, beats, tempogram, harmonic and percussive signals; the 57 columns of the Kaggle tables of GTZAN; the stacked input of 187 rows |
//! | parts of these, for other plans | [`Stft`], [`Istft`], [`MelBank`], [`MelSpectrogram`], [`LogFrequencyBank`], [`Dct`], [`delta`], [`ChromaBank`], [`SpectralContrast`], [`TempoEstimator`], [`Hpss`] |
//! | pictures of spectrograms | [`picture`] |
//! | augmentation and degradation of recordings | [`augment`], [`degrade`] |
//!
//! # Speed
//!
//! Time in milliseconds for thirty seconds of sound on one core, measured by `cargo xtask bench features`.
//! (Two virtual cores with AVX2; Node.js 20 for WebAssembly; the fastest of three runs.)
//!
//! |                              |  librosa |   native |     wasm | librosa / native | wasm / native |
//! |------------------------------|---------:|---------:|---------:|-----------------:|--------------:|
//! | 57 features                  |   1686.1 |     38.2 |     55.1 |             44.2 |          1.44 |
//! | log-mel                      |     24.3 |      4.7 |      8.8 |              5.1 |          1.86 |
//! | HPSS                         |   1396.3 |     27.2 |     54.4 |             51.3 |          2.00 |
//! | MFCC                         |     24.1 |      5.0 |     12.0 |              4.8 |          2.38 |
//! | centroid, bandwidth, rolloff |     52.9 |      4.9 |     12.5 |             10.7 |          2.53 |
//! | chroma                       |     47.0 |      5.4 |     12.1 |              8.6 |          2.23 |
//! | contrast                     |     29.8 |     13.1 |     20.9 |              2.3 |          1.59 |
//! | tempo and beats              |     39.5 |      7.4 |     14.6 |              5.3 |          1.97 |
//!
//! Each row except the first is timed separately, including the transform.

#![forbid(unsafe_code)]

pub mod augment;
mod cepstrum;
mod chroma;
pub mod degrade;
mod extractor;
mod hpss;
mod median;
mod mel;
mod mixer;
pub mod picture;
mod resample;
mod rhythm;
mod spectra;
mod spectral;
mod stft;
mod windows;

use wide::f32x4;

use crate::spectra::LANES;

pub use cepstrum::{Dct, delta};
pub use chroma::{CHROMA, ChromaBank, LogFrequencyBank, TONNETZ, Tuning, tonnetz};
pub use extractor::{
    FeatureExtractor, FeatureParams, Frames, STACKED_PARTS, TABLE_COLUMNS, TABLE_MFCC, Window,
};
pub use hpss::Hpss;
pub use mel::{
    MelBank, MelNorm, MelParams, MelScale, MelSpectrogram, Spectrogram, hz_to_mel, mel_to_hz, power_to_db,
    power_to_db_ref,
};
pub use mixer::Mixer;
pub use realfft::num_complex::Complex32;
pub use resample::{MAX_RATE, MIN_RATE, Resampler, downmix, resample};
pub use rhythm::{Aggregate, TempoEstimator};
pub use spectral::{CONTRAST_BANDS, ROLL_PERCENT, SpectralContrast, SpectralShape, spectral_flatness};
pub use stft::{Istft, Stft, hann};
pub use windows::WindowStream;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Why an input of this crate is rejected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DspError {
    /// There are no channels to mix.
    #[error("the audio has no channels")]
    NoChannels,
    /// Channels of one recording differ in length.
    #[error("channel {channel} has {found} samples where the first has {expected}")]
    UnequalChannels {
        /// 0-based channel.
        channel: usize,
        /// Samples of the first channel.
        expected: usize,
        /// Samples of this one.
        found: usize,
    },
    /// A sample is NaN, infinite or beyond [`LOUDEST`].
    #[error("sample {index} is {value}, but must be a finite number within ±{LOUDEST:e}")]
    NonFinite {
        /// Index of the sample.
        index: usize,
        /// Value of the sample.
        value: f32,
    },
    /// A sample rate that this crate cannot resample from or to.
    #[error("a sample rate of {0} Hz is outside {MIN_RATE}…{MAX_RATE} Hz")]
    SampleRate(u32),
    /// An invalid parameter.
    #[error("{name} = {value} is invalid: {reason}")]
    Parameter {
        /// Name of the parameter.
        name: &'static str,
        /// Value of the parameter.
        value: f64,
        /// The valid values.
        reason: &'static str,
    },
    /// A buffer of the wrong length.
    #[error("{name} has {found} values instead of {expected}")]
    Length {
        /// Name of the buffer.
        name: &'static str,
        /// Number of values needed.
        expected: usize,
        /// Number of values found.
        found: usize,
    },
    /// The FFT or resampling library failed; unreachable with valid parameters.
    #[error("{0}")]
    Library(String),
}

/// The largest accepted magnitude of a sample: above every value in audio files (unscaled 32-bit integers
/// reach 2e9), and far below the magnitude at which the power of a spectrum overflows.
pub const LOUDEST: f32 = 1e12;

/// Rejects samples that are NaN, infinite or absurdly large, so that no feature can become NaN.
pub(crate) fn check_finite(samples: &[f32]) -> Result<(), DspError> {
    let is_good = |sample: &f32| sample.abs() <= LOUDEST; // false for NaN
    // A loop without an early exit is vectorised.
    let block_is_bad = |block: &[f32]| !block.iter().fold(true, |good, sample| good & is_good(sample));
    const BLOCK: usize = 1024;
    let Some(block) = samples.chunks(BLOCK).position(block_is_bad) else { return Ok(()) };
    match samples.iter().enumerate().skip(block * BLOCK).find(|(_, sample)| !is_good(sample)) {
        None => Ok(()),
        Some((index, value)) => Err(DspError::NonFinite { index, value: *value }),
    }
}

/// Rejects a buffer of the wrong length.
pub(crate) fn check_length(name: &'static str, expected: usize, found: usize) -> Result<(), DspError> {
    if expected == found { Ok(()) } else { Err(DspError::Length { name, expected, found }) }
}

/// The median: the middle value, or the mean of the two middle ones; 0 for no values. Reorders them.
pub(crate) fn median_of(values: &mut [f32]) -> f32 {
    let n = values.len();
    if n == 0 {
        return 0.0;
    }
    let (below, middle, _) = values.select_nth_unstable_by(n / 2, f32::total_cmp);
    if n.is_multiple_of(2) {
        let other = below.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        (other + *middle) / 2.0
    } else {
        *middle
    }
}

/// The largest of non-negative values; 0 for no values.
pub(crate) fn largest(values: &[f32]) -> f32 {
    let (blocks, rest) = values.as_chunks::<LANES>();
    let lanes = blocks.iter().fold(f32x4::ZERO, |max, block| max.fast_max(f32x4::new(*block)));
    lanes.to_array().into_iter().chain(rest.iter().copied()).fold(0.0, f32::max)
}

/// The sum of products, summed in lanes.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len());
    let ((a, a_rest), (b, b_rest)) = (a[..n].as_chunks::<LANES>(), b[..n].as_chunks::<LANES>());
    let lanes = a.iter().zip(b).fold(f32x4::ZERO, |sum, (a, b)| sum + f32x4::new(*a) * f32x4::new(*b));
    lanes.reduce_add() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}
