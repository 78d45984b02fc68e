//! The kinds of input that networks take, and how each is computed from a window.

use cratedigger_dsp::picture::{Colours, Enhancement, Picture, PictureParams, ResizeFilter};
use cratedigger_dsp::{
    DspError, FeatureExtractor, FeatureParams, MelParams, MelSpectrogram, STACKED_PARTS, Spectrogram,
    TABLE_COLUMNS,
};
use serde::{Deserialize, Serialize};

use crate::{InputSpec, InputSpecError, LogPowerMel, LogPowerMelPlan, Preparation};

/// A power below this is as good as none (librosa's `amin`).
const AMIN: f32 = 1e-10;

/// One part of a network's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Input {
    /// A log-mel spectrogram: `[1, n_mels, columns]`.
    LogMel(LogMel),
    /// The features of the Kaggle tables, mean and variance over the window: `[1, 1, 57]`.
    Features(Features),
    /// The same features of equal parts of the window, one after the other: `[1, steps, 57]`.
    Sequence(Sequence),
    /// Mel, MFCC, chroma and contrast one below the other: `[1, 187, columns]`.
    Stacked(Stacked),
    /// A picture of the mel spectrogram: `[3, size, size]`.
    Picture(PictureInput),
    /// The logarithm of mel power: `[1, n_mels, columns]`.
    LogPowerMel(LogPowerMel),
}

/// A log-mel spectrogram of a window.
///
/// Columns lie `frames_per_column` frames of `hop_length` samples apart (a fraction; the frame is
/// rounded down), so that a network can be trained on spectrograms that kept only some of their
/// frames. Values are decibels below the window's own loudest value, cut at `top_db`, scaled
/// linearly to −1…1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogMel {
    /// Samples a frame.
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
    /// Columns a window.
    pub columns: usize,
    /// Range of levels kept, in dB.
    pub top_db: f32,
}

impl Default for LogMel {
    /// For windows of 3 s: 128 bands, 39 columns, 77.7 ms apart. The spacing is that of 387
    /// columns sampled from the 1292 frames of a 30 s clip.
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
    fn validate(&self, recipe: &InputSpec) -> Result<(), InputSpecError> {
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
        if self.column_offset(self.columns - 1) >= recipe.segment_samples() {
            return Err(InputSpecError::Invalid("the window's columns must fit into segment_seconds"));
        }
        self.spectrogram(recipe.sample_rate)?;
        Ok(())
    }

    /// Values of one window: bands × columns.
    pub fn values(&self) -> usize {
        self.n_mels * self.columns
    }

    /// Frame, counted from the window's start, of a column.
    pub fn column_frame(&self, column: usize) -> usize {
        let [numerator, denominator] = self.frames_per_column;
        column * numerator as usize / denominator.max(1) as usize
    }

    fn column_offset(&self, column: usize) -> usize {
        self.column_frame(column).saturating_mul(self.hop_length)
    }

    /// Columns a second.
    pub fn columns_per_second(&self, sample_rate: u32) -> f64 {
        let [numerator, denominator] = self.frames_per_column;
        f64::from(sample_rate) / self.hop_length as f64 * f64::from(denominator) / f64::from(numerator)
    }

    /// Scales decibels below the window's maximum (−`top_db`…0) to −1…1.
    pub fn scale(&self, db: f32) -> f32 {
        db.max(-self.top_db) * 2.0 / self.top_db + 1.0
    }

    /// Plans the mel spectrogram that the windows are cut from.
    ///
    /// # Errors
    /// Parameters that make no sense.
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

    /// Scales a window's decibels, relative to any level, to the network's input.
    pub fn scale_window(&self, db: &[f32], input: &mut [f32]) {
        let loudest = db.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // A window of nothing but padding has no maximum to refer to: all floor.
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

/// The features of equal parts of the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sequence {
    /// Parts; the notebooks take 10 of 3 s.
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
    /// Frames; 130 for 3 s.
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
    /// Range of levels drawn, in dB.
    pub top_db: f32,
    /// Denoise, contrast +20 %, brightness +10 %, sharpness +10 %.
    pub enhance: bool,
    /// How levels are scaled.
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
    /// As Kaggle's `images_original` has it.
    #[default]
    Viridis,
    /// As librosa draws decibels.
    Magma,
    /// Three equal channels.
    Grey,
}

/// How the levels of a picture are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalise {
    /// To 0…1.
    #[default]
    Unit,
    /// To mean 0 and deviation 1 of ImageNet's channels, as torchvision's networks were trained.
    Imagenet,
}

/// Mean and deviation of ImageNet's red, green and blue. Source: torchvision's presets.
const IMAGENET: [(f32, f32); 3] = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)];

impl PictureInput {
    /// The network's input of any picture: brought to size, enhanced and scaled.
    ///
    /// # Errors
    /// A picture or size that makes no sense.
    pub fn of_picture(&self, picture: &Picture) -> Result<Vec<f32>, DspError> {
        let PictureParams { filter, enhancement, .. } = self.params();
        let mut values = picture.resize(self.size, self.size, filter)?.enhance(&enhancement)?.to_input()?;
        if self.normalise == Normalise::Imagenet {
            let pixels = (self.size * self.size).max(1);
            for (channel, (mean, deviation)) in values.chunks_exact_mut(pixels).zip(IMAGENET) {
                channel.iter_mut().for_each(|v| *v = (*v - mean) / deviation);
            }
        }
        Ok(values)
    }

    fn params(&self) -> PictureParams {
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

    /// Whether its rows are features without a common scale, which a fitted [`Preparation`] brings
    /// to one.
    pub fn is_prepared(&self) -> bool {
        matches!(self, Self::Features(_) | Self::Sequence(_))
    }

    /// Its name, as configurations have it.
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

    /// A few words for people, with its size.
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

    pub(crate) fn validate(&self, recipe: &InputSpec) -> Result<(), InputSpecError> {
        match self {
            Self::LogMel(mel) => mel.validate(recipe),
            Self::LogPowerMel(mel) => mel.validate(recipe),
            Self::Features(_) => {
                if recipe.sample_rate == FeatureParams::default().sample_rate {
                    Ok(())
                } else {
                    Err(InputSpecError::Invalid("features are defined at 22050 Hz"))
                }
            }
            Self::Sequence(sequence) => {
                // Steps shorter than a frame would hold nothing.
                if sequence.steps == 0 || recipe.segment_samples() / sequence.steps < 2048 {
                    return Err(InputSpecError::Invalid(
                        "each step of a sequence needs 2048 samples or more",
                    ));
                }
                Self::Features(Features {}).validate(recipe)
            }
            Self::Stacked(stacked) => {
                if stacked.columns == 0 || stacked.columns > 1 << 16 {
                    return Err(InputSpecError::Invalid("columns must be 1 to 65536"));
                }
                Self::Features(Features {}).validate(recipe)
            }
            Self::Picture(picture) => {
                if picture.size < 8 || picture.size > 2048 {
                    return Err(InputSpecError::Invalid("a picture's size must be 8 to 2048 pixels"));
                }
                if !(1e-3..=1e6).contains(&picture.top_db) {
                    return Err(InputSpecError::Invalid("top_db must be positive"));
                }
                Self::Features(Features {}).validate(recipe)
            }
        }
    }
}

/// Makes windows of log-mel without allocating.
pub struct LogMelPlan {
    params: LogMel,
    mel: MelSpectrogram,
    column: Vec<f32>,
}

impl LogMelPlan {
    /// Plans windows at a sample rate.
    ///
    /// # Errors
    /// Parameters that make no sense.
    pub fn new(params: &LogMel, sample_rate: u32) -> Result<Self, DspError> {
        Ok(Self {
            mel: params.spectrogram(sample_rate)?,
            column: vec![0.0; params.n_mels],
            params: params.clone(),
        })
    }

    /// The parameters.
    pub fn params(&self) -> &LogMel {
        &self.params
    }

    /// Mel power in dB relative to full scale of the window that begins at sample `start`:
    /// [`LogMel::values`] values, band by band, lowest band first.
    ///
    /// # Errors
    /// A buffer of the wrong length, or samples that are no sound.
    pub fn decibels(&mut self, signal: &[f32], start: usize, db: &mut [f32]) -> Result<(), DspError> {
        check_length("db", self.params.values(), db.len())?;
        let columns = self.params.columns;
        for column in 0..columns {
            let offset = start.saturating_add(self.params.column_offset(column));
            self.mel.frame(signal, offset, &mut self.column)?;
            for (band, power) in self.column.iter().enumerate() {
                db[band * columns + column] = 10.0 * power.max(AMIN).log10();
            }
        }
        Ok(())
    }
}

/// A part of the input, planned.
enum Plan {
    LogMel { plan: Box<LogMelPlan>, db: Vec<f32> },
    Features { extractor: Box<FeatureExtractor>, steps: usize },
    Stacked { extractor: Box<FeatureExtractor>, columns: usize },
    Picture { extractor: Box<FeatureExtractor>, input: PictureInput },
    LogPowerMel(Box<LogPowerMelPlan>),
}

impl Plan {
    fn new(input: &Input, sample_rate: u32) -> Result<Self, DspError> {
        let extractor = |params: FeatureParams| FeatureExtractor::new(&params).map(Box::new);
        Ok(match input {
            Input::LogMel(mel) => {
                let plan = Box::new(LogMelPlan::new(mel, sample_rate)?);
                Self::LogMel { plan, db: vec![0.0; mel.values()] }
            }
            Input::Features(_) => {
                Self::Features { extractor: extractor(FeatureParams::default())?, steps: 1 }
            }
            Input::Sequence(s) => {
                Self::Features { extractor: extractor(FeatureParams::default())?, steps: s.steps }
            }
            Input::Stacked(s) => {
                Self::Stacked { extractor: extractor(FeatureParams::stacked())?, columns: s.columns }
            }
            Input::Picture(p) => {
                Self::Picture { extractor: extractor(FeatureParams::default())?, input: p.clone() }
            }
            Input::LogPowerMel(mel) => Self::LogPowerMel(Box::new(LogPowerMelPlan::new(mel, sample_rate)?)),
        })
    }

    /// The part for the segment of `length` samples that begins at `start`.
    fn window(
        &mut self,
        signal: &[f32],
        start: usize,
        length: usize,
        out: &mut Vec<f32>,
    ) -> Result<(), DspError> {
        let end = start.saturating_add(length).min(signal.len());
        let segment = signal.get(start..end).unwrap_or_default();
        match self {
            Self::LogPowerMel(plan) => plan.window(signal, start, length, out)?,
            Self::LogMel { plan, db } => {
                plan.decibels(signal, start, db)?;
                let from = out.len();
                out.resize(from + db.len(), 0.0);
                plan.params.scale_window(db, &mut out[from..]);
            }
            Self::Features { extractor, steps } => {
                let step = (length / (*steps).max(1)).max(1);
                for index in 0..*steps {
                    // A song that ends before its last step repeats its end: padding with silence
                    // would be measured as a quiet, dark part of it.
                    let first = (index * step).min(segment.len().saturating_sub(step));
                    let part = segment.get(first..(first + step).min(segment.len())).unwrap_or_default();
                    out.extend(extractor.window(part)?.table_row()?.iter().map(|v| *v as f32));
                }
            }
            Self::Stacked { extractor, columns } => {
                out.extend(extractor.window(segment)?.stacked(*columns)?.data);
            }
            Self::Picture { extractor, input } => {
                let mut spectrogram = extractor.window(segment)?.mel_db().to_spectrogram();
                let loudest = spectrogram.data.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                spectrogram.data.iter_mut().for_each(|v| *v -= loudest);
                out.extend(picture_input(&spectrogram, input)?);
            }
        }
        Ok(())
    }
}

fn picture_input(spectrogram: &Spectrogram, input: &PictureInput) -> Result<Vec<f32>, DspError> {
    let params = input.params();
    input.of_picture(&Picture::colour(spectrogram, params.colours, params.top_db)?)
}

/// A planned [`InputSpec`]: makes windows.
pub struct Extractor {
    input_spec: InputSpec,
    preparation: Preparation,
    plans: Vec<Plan>,
    values: usize,
}

impl Extractor {
    /// Plans a recipe, with what was fitted to the training data.
    ///
    /// # Errors
    /// As [`InputSpec::validate`], or the preparation does not fit the features.
    pub fn new(recipe: &InputSpec, preparation: &Preparation) -> Result<Self, InputSpecError> {
        recipe.validate()?;
        let shapes = recipe.prepared_shapes(preparation)?;
        Ok(Self {
            plans: recipe
                .inputs
                .iter()
                .map(|input| Plan::new(input, recipe.sample_rate))
                .collect::<Result<_, _>>()?,
            values: shapes.iter().map(|[a, b, c]| a * b * c).sum(),
            input_spec: recipe.clone(),
            preparation: preparation.clone(),
        })
    }

    /// The recipe.
    pub fn recipe(&self) -> &InputSpec {
        &self.input_spec
    }

    /// Values of one window, all parts together.
    pub fn values(&self) -> usize {
        self.values
    }

    /// The parts of the window that begins at sample `start` of a mono signal at the recipe's
    /// rate, before anything fitted is applied: what a trainer keeps.
    ///
    /// # Errors
    /// Samples that are no sound.
    pub fn raw_parts(&mut self, signal: &[f32], start: usize) -> Result<Vec<Vec<f32>>, InputSpecError> {
        let length = self.input_spec.segment_samples();
        self.plans
            .iter_mut()
            .map(|plan| {
                let mut part = Vec::new();
                plan.window(signal, start, length, &mut part)?;
                Ok(part)
            })
            .collect()
    }

    /// Appends the network's input for the window that begins at sample `start`:
    /// [`Extractor::values`] values, part after part, each channel by channel and row by row.
    ///
    /// # Errors
    /// Samples that are no sound, or features that the preparation refuses.
    pub fn window(&mut self, signal: &[f32], start: usize, out: &mut Vec<f32>) -> Result<(), InputSpecError> {
        let length = self.input_spec.segment_samples();
        for (plan, input) in self.plans.iter_mut().zip(&self.input_spec.inputs) {
            if input.is_prepared() && !self.preparation.steps.is_empty() {
                let mut part = Vec::new();
                plan.window(signal, start, length, &mut part)?;
                prepare(&self.preparation, input, &part, out)?;
            } else {
                plan.window(signal, start, length, out)?;
            }
        }
        Ok(())
    }
}

/// Appends a part as the network gets it: features row by row through what was fitted, other kinds
/// as they are.
///
/// # Errors
/// Features that the preparation refuses.
pub fn prepare(
    preparation: &Preparation,
    input: &Input,
    part: &[f32],
    out: &mut Vec<f32>,
) -> Result<(), InputSpecError> {
    if input.is_prepared() && !preparation.steps.is_empty() {
        for row in part.chunks_exact(TABLE_COLUMNS.len()) {
            out.extend(preparation.apply(row)?);
        }
    } else {
        out.extend_from_slice(part);
    }
    Ok(())
}

fn check_length(name: &'static str, expected: usize, found: usize) -> Result<(), DspError> {
    if expected == found { Ok(()) } else { Err(DspError::Length { name, expected, found }) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Every kind at once.
    fn all_kinds() -> InputSpec {
        InputSpec::new(
            3.0,
            vec![
                Input::LogMel(LogMel::default()),
                Input::Features(Features::default()),
                Input::Sequence(Sequence { steps: 3 }),
                Input::Stacked(Stacked::default()),
                Input::Picture(PictureInput { size: 32, ..PictureInput::default() }),
            ],
        )
    }

    #[test]
    fn a_window_does_not_depend_on_what_follows_it_nor_log_mel_on_gain() {
        let recipe = all_kinds();
        let mut extractor = Extractor::new(&recipe, &Preparation::default()).unwrap();
        let signal = crate::golden_signal(recipe.sample_rate, 3.0);
        let mut window = |signal: &[f32]| {
            let mut input = Vec::new();
            extractor.window(signal, 0, &mut input).unwrap();
            input
        };
        let plain = window(&signal);
        let sizes: Vec<usize> = recipe.shapes().iter().map(|s| s.iter().product()).collect();
        assert_eq!(plain.len(), sizes.iter().sum::<usize>());
        assert!(plain.iter().all(|v| v.is_finite()));
        let mut longer = signal.clone();
        longer.extend(std::iter::repeat_n(0.9, 50_000));
        for (a, b) in plain.iter().zip(window(&longer)) {
            assert!((a - b).abs() < 1e-4 * a.abs().max(1.0), "{a} {b}");
        }
        let quiet: Vec<f32> = signal.iter().map(|s| s * 0.25).collect();
        let (loud, quiet) = (&plain[..sizes[0]], &window(&quiet)[..sizes[0]]);
        assert!(loud.iter().zip(quiet).all(|(a, b)| (a - b).abs() < 1e-4));
        assert!(loud.iter().all(|v| (-1.0..=1.0).contains(v)));
        assert!(loud.contains(&1.0));
    }

    /// A step of a sequence is what the features of that part of the song are.
    #[test]
    fn steps_are_the_features_of_their_parts() {
        let steps = InputSpec::new(3.0, vec![Input::Sequence(Sequence { steps: 3 })]);
        let one = InputSpec::new(1.0, vec![Input::Features(Features {})]);
        let signal = crate::golden_signal(22_050, 3.0);
        let mut all = Vec::new();
        Extractor::new(&steps, &Preparation::default()).unwrap().window(&signal, 0, &mut all).unwrap();
        let mut each = Vec::new();
        let mut extractor = Extractor::new(&one, &Preparation::default()).unwrap();
        for start in [0, 22_050, 44_100] {
            extractor.window(&signal, start, &mut each).unwrap();
        }
        assert_eq!(all, each);
        // A song of two seconds: its last step is its last second.
        let mut short = Vec::new();
        Extractor::new(&steps, &Preparation::default())
            .unwrap()
            .window(&signal[..44_100], 0, &mut short)
            .unwrap();
        assert_eq!(short[2 * 57..], all[57..2 * 57]);
    }
}
