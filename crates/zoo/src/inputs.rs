//! The kinds of network input.

use cratedigger_dsp::picture::{Colours, Enhancement, Picture, PictureParams, ResizeFilter};
use cratedigger_dsp::{DspError, FeatureParams, MelParams, MelSpectrogram, STACKED_PARTS, TABLE_COLUMNS};
use serde::{Deserialize, Serialize};

use crate::{InputSpec, InputSpecError, LogPowerMel};

/// One part of a network's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Input {
    /// A log-mel spectrogram: `[1, n_mels, columns]`.
    LogMel(LogMel),
    /// The features of the Kaggle tables, mean and variance over the window: `[1, 1, 57]`.
    Features(Features),
    /// The same features for equal parts of the window: `[1, steps, 57]`.
    Sequence(Sequence),
    /// Mel, MFCC, chroma and contrast, stacked: `[1, 187, columns]`.
    Stacked(Stacked),
    /// A picture of the mel spectrogram: `[3, size, size]`.
    Picture(PictureInput),
    /// The logarithm of mel power: `[1, n_mels, columns]`.
    LogPowerMel(LogPowerMel),
}

/// A log-mel spectrogram of a window.
///
/// Columns are `frames_per_column` frames of `hop_length` samples apart (a fraction; frame indices are
/// rounded down), so that networks can be trained on spectrograms that store only some of their frames.
/// Values are decibels below the window's maximum, clipped at `top_db`, scaled linearly to −1…1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogMel {
    /// Samples per frame.
    pub n_fft: usize,
    /// Samples between frames.
    pub hop_length: usize,
    /// Mel bands (Slaney).
    pub n_mels: usize,
    /// Lower edge of the lowest band in Hz.
    pub fmin: f64,
    /// Upper edge of the highest band in Hz.
    pub fmax: f64,
    /// Frames from one column to the next, as numerator and denominator.
    pub frames_per_column: [u32; 2],
    /// Columns per window.
    pub columns: usize,
    /// Range of levels in dB.
    pub top_db: f32,
}

impl Default for LogMel {
    /// For windows of 3 s: 128 bands, 39 columns, 77.7 ms apart, the spacing of 387 columns sampled from
    /// the 1292 frames of a 30 s clip.
    fn default() -> Self {
        Self {
            n_fft: 2048,
            hop_length: 512,
            n_mels: 128,
            fmin: 0.0,
            fmax: 11_025.0,
            frames_per_column: [1291, 386],
            columns: 39,
            top_db: 70.0,
        }
    }
}

impl LogMel {
    fn validate(&self, input_spec: &InputSpec) -> Result<(), InputSpecError> {
        let [numerator, denominator] = self.frames_per_column;
        if denominator == 0 || numerator < denominator {
            return Err(InputSpecError::Invalid("frames_per_column must be a fraction of at least 1"));
        }
        if self.columns == 0 || self.columns > 1 << 16 {
            return Err(InputSpecError::Invalid("columns must be 1 to 65536"));
        }
        if !(self.top_db.is_finite() && self.top_db > 0.0) {
            return Err(InputSpecError::Invalid("top_db must be positive"));
        }
        if self.column_offset(self.columns - 1) >= input_spec.segment_samples() {
            return Err(InputSpecError::Invalid("the window's columns must fit into segment_seconds"));
        }
        self.spectrogram(input_spec.sample_rate)?;
        Ok(())
    }

    /// Number of values of one window: bands × columns.
    pub fn values(&self) -> usize {
        self.n_mels * self.columns
    }

    /// Frame of a column, counted from the window's start.
    pub fn column_frame(&self, column: usize) -> usize {
        let [numerator, denominator] = self.frames_per_column;
        column * numerator as usize / denominator.max(1) as usize
    }

    pub(crate) fn column_offset(&self, column: usize) -> usize {
        self.column_frame(column).saturating_mul(self.hop_length)
    }

    /// Columns per second.
    pub fn columns_per_second(&self, sample_rate: u32) -> f64 {
        let [numerator, denominator] = self.frames_per_column;
        f64::from(sample_rate) / self.hop_length as f64 * f64::from(denominator) / f64::from(numerator)
    }

    /// Scales decibels below the window's maximum (−`top_db`…0) to −1…1.
    pub fn scale(&self, db: f32) -> f32 {
        db.max(-self.top_db) * 2.0 / self.top_db + 1.0
    }

    /// Plans the mel spectrogram of the windows.
    ///
    /// # Errors
    /// Invalid parameters.
    pub fn spectrogram(&self, sample_rate: u32) -> Result<MelSpectrogram, DspError> {
        MelSpectrogram::new(&MelParams {
            sample_rate,
            n_fft: self.n_fft,
            hop_length: self.hop_length,
            n_mels: self.n_mels,
            fmin: self.fmin,
            fmax: self.fmax,
        })
    }

    /// Scales a window's decibels, relative to any reference, to the network's input.
    pub fn scale_window(&self, db: &[f32], input: &mut [f32]) {
        let loudest = db.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // A window without a finite maximum: all its values become the floor.
        let loudest = if loudest.is_finite() { loudest } else { 0.0 };
        for (value, level) in input.iter_mut().zip(db) {
            *value = self.scale(level - loudest);
        }
    }
}

/// The 57 features of the Kaggle tables of GTZAN, over the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Features {}

/// The features for equal parts of the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sequence {
    /// Number of parts; the usual notebooks take 10 of 3 s.
    pub steps: usize,
}

impl Default for Sequence {
    fn default() -> Self {
        Self { steps: 10 }
    }
}

/// The stacked input of [`cratedigger_dsp::Window::stacked`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stacked {
    /// Number of frames; 130 for 3 s.
    pub columns: usize,
}

impl Default for Stacked {
    fn default() -> Self {
        Self { columns: 130 }
    }
}

/// A picture of the mel spectrogram in decibels below the window's maximum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PictureInput {
    /// Width and height in pixels.
    pub size: usize,
    /// The colour map.
    pub colours: ColourMap,
    /// Range of levels in dB.
    pub top_db: f32,
    /// Whether the picture is denoised, with contrast +20 %, brightness +10 % and sharpness +10 %.
    pub enhance: bool,
    /// Scaling of the levels.
    pub normalise: Normalise,
}

impl Default for PictureInput {
    fn default() -> Self {
        Self {
            size: 128,
            colours: ColourMap::default(),
            top_db: 80.0,
            enhance: false,
            normalise: Normalise::default(),
        }
    }
}

/// matplotlib's colour maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColourMap {
    /// As in Kaggle's `images_original`.
    #[default]
    Viridis,
    /// As librosa displays decibels.
    Magma,
    /// Three equal channels.
    Grey,
}

/// Scaling of the levels of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalise {
    /// To 0…1.
    #[default]
    Unit,
    /// To mean 0 and standard deviation 1 of ImageNet's channels, as in the training of torchvision's
    /// networks.
    Imagenet,
    /// To −1…1, as in the training of EfficientNet-Lite: a level of 0…255 minus 127, divided by 128.
    Signed,
}

impl Normalise {
    /// Mean and standard deviation of red, green and blue, in levels of 0…1; none to leave them.
    fn statistics(self) -> Option<[(f32, f32); 3]> {
        match self {
            Self::Unit => None,
            // torchvision's presets.
            Self::Imagenet => Some([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]),
            Self::Signed => Some([(127.0 / 255.0, 128.0 / 255.0); 3]),
        }
    }
}

impl PictureInput {
    /// The network's input for any picture: resized, enhanced and scaled.
    ///
    /// # Errors
    /// An invalid picture or size.
    pub fn of_picture(&self, picture: &Picture) -> Result<Vec<f32>, DspError> {
        let PictureParams { filter, enhancement, .. } = self.params();
        let mut values = picture.resize(self.size, self.size, filter)?.enhance(&enhancement)?.to_input()?;
        if let Some(statistics) = self.normalise.statistics() {
            let pixels = (self.size * self.size).max(1);
            for (channel, (mean, deviation)) in values.chunks_exact_mut(pixels).zip(statistics) {
                channel.iter_mut().for_each(|v| *v = (*v - mean) / deviation);
            }
        }
        Ok(values)
    }

    pub(crate) fn params(&self) -> PictureParams {
        PictureParams {
            colours: match self.colours {
                ColourMap::Viridis => Colours::Viridis,
                ColourMap::Magma => Colours::Magma,
                ColourMap::Grey => Colours::Grey,
            },
            top_db: self.top_db,
            width: self.size,
            height: self.size,
            filter: ResizeFilter::default(),
            enhancement: if self.enhance { Enhancement::ALL } else { Enhancement::default() },
        }
    }
}

impl Input {
    /// `[channels, rows, columns]`.
    pub fn shape(&self) -> [usize; 3] {
        match self {
            Self::LogMel(mel) => [1, mel.n_mels, mel.columns],
            Self::Features(_) => [1, 1, TABLE_COLUMNS.len()],
            Self::Sequence(sequence) => [1, sequence.steps, TABLE_COLUMNS.len()],
            Self::Stacked(stacked) => [1, STACKED_PARTS.iter().sum(), stacked.columns],
            Self::Picture(picture) => [3, picture.size, picture.size],
            Self::LogPowerMel(mel) => [1, mel.n_mels, mel.columns],
        }
    }

    /// Samples before a window that its first frames extend to.
    pub(crate) fn lead(&self) -> usize {
        match self {
            Self::LogMel(mel) => mel.n_fft.div_ceil(2),
            Self::LogPowerMel(mel) => mel.n_fft.div_ceil(2),
            Self::Features(_) | Self::Sequence(_) | Self::Stacked(_) | Self::Picture(_) => 0,
        }
    }

    /// Whether the rows are features without a common scale, which a fitted [`crate::Preparation`]
    /// scales.
    pub fn is_prepared(&self) -> bool {
        matches!(self, Self::Features(_) | Self::Sequence(_))
    }

    /// Name of the kind in configurations.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LogMel(_) => "log-mel",
            Self::Features(_) => "features",
            Self::Sequence(_) => "sequence",
            Self::Stacked(_) => "stacked",
            Self::Picture(_) => "picture",
            Self::LogPowerMel(_) => "log-power-mel",
        }
    }

    /// Short description with its size.
    pub fn summary(&self) -> String {
        match self {
            Self::LogMel(mel) => format!("log-mel, {} bands × {} columns", mel.n_mels, mel.columns),
            Self::Features(_) => format!("{} features", TABLE_COLUMNS.len()),
            Self::Sequence(s) => format!("{} × {} features", s.steps, TABLE_COLUMNS.len()),
            Self::Stacked(s) => format!("mel, MFCC, chroma and contrast, 187 rows × {} columns", s.columns),
            Self::Picture(p) => format!("a picture of {0} × {0} pixels", p.size),
            Self::LogPowerMel(mel) => {
                format!("logarithm of mel power, {} bands × {} columns", mel.n_mels, mel.columns)
            }
        }
    }

    pub(crate) fn validate(&self, input_spec: &InputSpec) -> Result<(), InputSpecError> {
        match self {
            Self::LogMel(mel) => mel.validate(input_spec),
            Self::LogPowerMel(mel) => mel.validate(input_spec),
            Self::Features(_) => {
                if input_spec.sample_rate == FeatureParams::default().sample_rate {
                    Ok(())
                } else {
                    Err(InputSpecError::Invalid("features are defined at 22050 Hz"))
                }
            }
            Self::Sequence(sequence) => {
                // Steps shorter than a frame would be empty.
                if sequence.steps == 0 || input_spec.segment_samples() / sequence.steps < 2048 {
                    return Err(InputSpecError::Invalid(
                        "each step of a sequence needs 2048 samples or more",
                    ));
                }
                Self::Features(Features {}).validate(input_spec)
            }
            Self::Stacked(stacked) => {
                if stacked.columns == 0 || stacked.columns > 1 << 16 {
                    return Err(InputSpecError::Invalid("columns must be 1 to 65536"));
                }
                Self::Features(Features {}).validate(input_spec)
            }
            Self::Picture(picture) => {
                if picture.size < 8 || picture.size > 2048 {
                    return Err(InputSpecError::Invalid("a picture's size must be 8 to 2048 pixels"));
                }
                if !(1e-3..=1e6).contains(&picture.top_db) {
                    return Err(InputSpecError::Invalid("top_db must be positive"));
                }
                Self::Features(Features {}).validate(input_spec)
            }
        }
    }
}
