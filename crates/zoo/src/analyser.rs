//! A song through all networks.

use std::ops::Range;

use burn::tensor::Device;
use cratedigger_dsp::DspError;

use crate::{
    Extractor, LoadError, Manifest, Model, RecipeError, SILENCE, combine, golden_signal, log_softmax,
    probabilities,
};

/// What can go wrong while judging.
#[derive(Debug, thiserror::Error)]
pub enum AnalyseError {
    /// The device failed or was lost.
    #[error("{model}: the device failed: {reason}")]
    Device {
        /// The model that was being run.
        model: String,
        /// The device's words.
        reason: String,
    },
    /// From the feature library.
    #[error(transparent)]
    Dsp(#[from] DspError),
    /// From a recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
}

/// The spectrogram that goes with a judged segment, for drawing.
#[derive(Clone, Debug)]
pub struct Spectra {
    /// Rows: mel bands, lowest first.
    pub bands: usize,
    /// Columns.
    pub columns: usize,
    /// `bands · columns` values, row after row: mel power in dB relative to full scale.
    pub db: Vec<f32>,
}

/// What the networks say of one segment.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Log-probabilities of each network, in the order of [`Analyser::models`].
    pub members: Vec<Vec<f32>>,
    /// Log-probabilities of the ensemble.
    pub ensemble: Vec<f32>,
    /// The first network's spectrogram.
    pub spectra: Spectra,
}

/// What the networks say of a song.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Probabilities of each network.
    pub members: Vec<Vec<f32>>,
    /// Probabilities of the ensemble.
    pub ensemble: Vec<f32>,
}

/// All networks of a manifest, on one device, with their planned inputs.
pub struct Analyser {
    classes: Vec<String>,
    members: Vec<(Model, Extractor)>,
}

impl Analyser {
    /// Loads all networks of a manifest; `weights` holds the bytes of each one's file, in the
    /// manifest's order.
    ///
    /// # Errors
    /// The first network that cannot be loaded.
    pub fn load(manifest: &Manifest, weights: Vec<Vec<u8>>, device: &Device) -> Result<Self, LoadError> {
        let members = manifest
            .models
            .iter()
            .zip(weights)
            .map(|(entry, bytes)| {
                let model = Model::load(entry, manifest.classes.len(), bytes, device)?;
                let extractor = Extractor::new(&entry.recipe)
                    .map_err(|source| LoadError::Recipe { model: entry.name.clone(), source })?;
                Ok((model, extractor))
            })
            .collect::<Result<Vec<_>, LoadError>>()?;
        Ok(Self { classes: manifest.classes.clone(), members })
    }

    /// The genres, in the order of all probabilities.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The networks.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.members.iter().map(|(model, _)| model)
    }

    /// Rate in Hz that songs must be resampled to.
    pub fn sample_rate(&self) -> u32 {
        self.members.first().map_or(0, |(_, e)| e.recipe().sample_rate)
    }

    /// Bands and columns of [`Judgement::spectra`].
    pub fn spectra_shape(&self) -> (usize, usize) {
        self.members.first().map_or((0, 0), |(_, e)| (e.recipe().n_mels, e.recipe().columns))
    }

    /// Where the segments of a song lie; see [`crate::Recipe::segments`].
    pub fn segments(&self, samples: usize) -> Vec<Range<usize>> {
        self.members.first().map_or_else(Vec::new, |(_, e)| e.recipe().segments(samples))
    }

    /// Judges some segments of a mono signal in one batch; `None` for a silent one. Samples past
    /// a segment's end are never looked at, so the signal may still be growing.
    ///
    /// # Errors
    /// The device failed.
    pub async fn judge(
        &mut self,
        signal: &[f32],
        segments: &[Range<usize>],
    ) -> Result<Vec<Option<Judgement>>, AnalyseError> {
        let audible: Vec<&Range<usize>> = segments.iter().filter(|s| is_audible(signal, s)).collect();
        let mut judged: Vec<Judgement> = Vec::with_capacity(audible.len());
        if !audible.is_empty() {
            for (model, extractor) in &mut self.members {
                let recipe = extractor.recipe();
                let (bands, columns, length) = (recipe.n_mels, recipe.columns, recipe.input_len());
                let mut windows = vec![0.0; length * audible.len()];
                let mut db = vec![0.0; length];
                let first_member = judged.is_empty();
                for (segment, window) in audible.iter().zip(windows.chunks_exact_mut(length)) {
                    extractor.window(signal, segment.start, window, &mut db)?;
                    if first_member {
                        judged.push(Judgement {
                            members: Vec::new(),
                            ensemble: Vec::new(),
                            spectra: Spectra { bands, columns, db: db.clone() },
                        });
                    }
                }
                let logits = model.logits(windows).await?;
                for (judgement, logits) in judged.iter_mut().zip(logits.chunks_exact(self.classes.len())) {
                    judgement.members.push(log_softmax(logits));
                }
            }
        }
        for judgement in &mut judged {
            judgement.ensemble = combine(judgement.members.iter().map(Vec::as_slice));
        }
        let mut judged = judged.into_iter();
        Ok(segments.iter().map(|s| if is_audible(signal, s) { judged.next() } else { None }).collect())
    }

    /// What the judged segments say of the whole song; `None` if there are none.
    pub fn verdict<'a>(&self, judgements: impl IntoIterator<Item = &'a Judgement>) -> Option<Verdict> {
        let judgements: Vec<&Judgement> = judgements.into_iter().collect();
        if judgements.is_empty() {
            return None;
        }
        let members: Vec<Vec<f32>> = (0..self.members.len())
            .map(|m| combine(judgements.iter().filter_map(|j| j.members.get(m)).map(Vec::as_slice)))
            .collect();
        let ensemble = combine(members.iter().map(Vec::as_slice));
        Some(Verdict {
            members: members.iter().map(|m| probabilities(m)).collect(),
            ensemble: probabilities(&ensemble),
        })
    }

    /// Logits of every network for `copies` copies of the golden input, the first copy's only:
    /// network after network. More than one copy makes a batch, to time a device with.
    ///
    /// # Errors
    /// The device failed.
    pub async fn golden_logits(&mut self, copies: usize) -> Result<Vec<f32>, AnalyseError> {
        let mut all = Vec::with_capacity(self.members.len() * self.classes.len());
        for (model, extractor) in &mut self.members {
            let signal = golden_signal(extractor.recipe().sample_rate);
            let mut window = vec![0.0; extractor.recipe().input_len()];
            let mut db = window.clone();
            extractor.window(&signal, 0, &mut window, &mut db)?;
            let logits = model.logits(window.repeat(copies.max(1))).await?;
            all.extend(logits.into_iter().take(self.classes.len()));
        }
        Ok(all)
    }

    /// The manifest's golden logits, in the order of [`Analyser::golden_logits`].
    pub fn expected_golden_logits(&self) -> Vec<f32> {
        self.models().flat_map(|m| m.entry().golden.logits.iter().copied()).collect()
    }
}

fn is_audible(signal: &[f32], segment: &Range<usize>) -> bool {
    signal
        .get(segment.start.min(signal.len())..segment.end.min(signal.len()))
        .is_some_and(|samples| samples.iter().any(|s| s.abs() >= SILENCE))
}
