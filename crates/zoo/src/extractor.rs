//! Computes the input of a network from the samples of a window.

use cratedigger_dsp::picture::Picture;
use cratedigger_dsp::{
    DspError, FeatureExtractor, FeatureParams, MelSpectrogram, Spectrogram, TABLE_COLUMNS,
};

use crate::{Input, InputSpec, InputSpecError, LogMel, LogPowerMelPlan, PictureInput, Preparation};

/// Lower limit of the power before the logarithm (librosa's `amin`).
const AMIN: f32 = 1e-10;

/// Computes windows of log-mel without allocating.
pub struct LogMelPlan {
    params: LogMel,
    mel: MelSpectrogram,
    column: Vec<f32>,
}

impl LogMelPlan {
    /// Plans windows at a sample rate.
    ///
    /// # Errors
    /// Invalid parameters.
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

    /// Writes the window that begins at sample `start` as mel power in dB relative to full scale:
    /// [`LogMel::values`] values, band by band, lowest band first.
    ///
    /// Samples must be finite, which is not checked here.
    ///
    /// # Errors
    /// A buffer of the wrong length.
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

/// The plan of one part of the input.
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

    /// Appends the part for the segment of `length` samples that begins at `start`.
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
                    // If the song ends before the last step, its end is repeated: the features of padding
                    // would be those of a quiet, dark part of the song.
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

/// The plan of an [`InputSpec`]: computes windows.
pub struct Extractor {
    input_spec: InputSpec,
    preparation: Preparation,
    plans: Vec<Plan>,
    values: usize,
}

impl Extractor {
    /// Plans an input spec with a preparation fitted to the training data.
    ///
    /// # Errors
    /// As [`InputSpec::validate`], or the preparation does not fit the features.
    pub fn new(input_spec: &InputSpec, preparation: &Preparation) -> Result<Self, InputSpecError> {
        input_spec.validate()?;
        let shapes = input_spec.prepared_shapes(preparation)?;
        Ok(Self {
            plans: input_spec
                .inputs
                .iter()
                .map(|input| Plan::new(input, input_spec.sample_rate))
                .collect::<Result<_, _>>()?,
            values: shapes.iter().map(|[a, b, c]| a * b * c).sum(),
            input_spec: input_spec.clone(),
            preparation: preparation.clone(),
        })
    }

    /// The input spec.
    pub fn input_spec(&self) -> &InputSpec {
        &self.input_spec
    }

    /// Number of values of one window, all parts together.
    pub fn values(&self) -> usize {
        self.values
    }

    /// The parts of the window that begins at sample `start` of a mono signal at the input spec's sample
    /// rate, before the preparation. The trainer stores these.
    ///
    /// # Errors
    /// Samples that are not finite, for inputs other than log-mel and log-power-mel.
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
    /// Samples that are not finite, for inputs other than log-mel and log-power-mel; features that the
    /// preparation rejects.
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

/// Appends a part as the network gets it: the preparation is applied to each row of features; other
/// kinds do not change.
///
/// # Errors
/// Features that the preparation rejects.
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
    use crate::{Features, Sequence, Stacked};

    /// An input of every kind.
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
        let input_spec = all_kinds();
        let mut extractor = Extractor::new(&input_spec, &Preparation::default()).unwrap();
        let signal = crate::golden_signal(input_spec.sample_rate, 3.0);
        let mut window = |signal: &[f32]| {
            let mut input = Vec::new();
            extractor.window(signal, 0, &mut input).unwrap();
            input
        };
        let plain = window(&signal);
        let sizes: Vec<usize> = input_spec.shapes().iter().map(|s| s.iter().product()).collect();
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

    /// A step of a sequence has the features of its part of the song.
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
