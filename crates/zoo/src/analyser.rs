//! A song through all networks.

use std::ops::Range;

use burn::tensor::Device;
use cratedigger_dsp::DspError;

use crate::ensemble::of_members;
use crate::{
    Decision, EnsembleRule, Extractor, InputSpec, InputSpecError, LoadError, LogMel, LogMelPlan, Manifest,
    Model, ModelEntry, SILENCE, Signals, golden_signal, log_softmax, place_at, probabilities,
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
    InputSpec(#[from] InputSpecError),
    /// The song is not there at a rate that a network takes.
    #[error("the song is needed at {0} Hz, too")]
    Rate(u32),
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
pub struct Prediction {
    /// Log-probabilities of each network, in the order of [`Analyser::models`].
    pub members: Vec<Vec<f32>>,
    /// Log-probabilities of the ensemble.
    pub ensemble: Vec<f32>,
    /// A spectrogram to draw.
    pub spectra: Spectra,
}

/// What the networks say of a song.
#[derive(Clone, Debug)]
pub struct SongPrediction {
    /// Probabilities of each network.
    pub members: Vec<Vec<f32>>,
    /// Probabilities of the ensemble.
    pub ensemble: Vec<f32>,
    /// What it comes to: a class, or that it is none of them.
    pub decision: Decision,
}

/// All networks of a manifest, on one device, with their planned inputs.
pub struct Analyser {
    classes: Vec<String>,
    /// Of the rate at which segments are counted and spectrograms drawn.
    input_spec: InputSpec,
    rates: Vec<u32>,
    members: Vec<Member>,
    rule: EnsembleRule,
    /// One for each different input, so that networks with the same one share its windows.
    extractors: Vec<Extractor>,
    drawing: LogMelPlan,
}

struct Member {
    model: Model,
    extractor: usize,
}

impl Analyser {
    /// Loads all networks of a manifest; `weights` holds the bytes of each one's file, in the
    /// manifest's order.
    ///
    /// # Errors
    /// The first network that cannot be loaded.
    pub fn load(manifest: &Manifest, weights: Vec<Vec<u8>>, device: &Device) -> Result<Self, LoadError> {
        let mut inputs: Vec<&ModelEntry> = Vec::new();
        let mut extractors = Vec::new();
        let mut members = Vec::new();
        for (entry, bytes) in manifest.models.iter().zip(weights) {
            let model = Model::load(entry, manifest.classes.len(), bytes, device)?;
            let same = |other: &&ModelEntry| {
                other.input_spec == entry.input_spec && other.preparation == entry.preparation
            };
            let extractor = match inputs.iter().position(same) {
                Some(place) => place,
                None => {
                    let failed = |source| LoadError::InputSpec { model: entry.name.clone(), source };
                    extractors.push(Extractor::new(&entry.input_spec, &entry.preparation).map_err(failed)?);
                    inputs.push(entry);
                    inputs.len() - 1
                }
            };
            members.push(Member { model, extractor });
        }
        let Some(first) = manifest.models.first() else { return Err(LoadError::Empty) };
        let drawn = manifest.models.iter().map(|m| &m.input_spec).find(|spec| spec.log_mel().is_some());
        // What is drawn stays the same where no network takes a log-mel spectrogram.
        let input_spec = drawn.cloned().unwrap_or_else(|| InputSpec {
            segment_seconds: first.input_spec.segment_seconds,
            ..InputSpec::log_mel_3s()
        });
        let mel = input_spec.log_mel().cloned().unwrap_or_default();
        let drawing = LogMelPlan::new(&mel, input_spec.sample_rate)
            .map_err(|e| LoadError::InputSpec { model: first.name.clone(), source: e.into() })?;
        let mut rates = vec![input_spec.sample_rate];
        rates.extend(manifest.models.iter().map(|m| m.input_spec.sample_rate));
        rates.sort_unstable();
        rates.dedup();
        Ok(Self {
            classes: manifest.classes.clone(),
            input_spec,
            rates,
            members,
            rule: manifest.ensemble.clone(),
            extractors,
            drawing,
        })
    }

    /// The genres, in the order of all probabilities.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The networks.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.members.iter().map(|member| &member.model)
    }

    /// The rate in Hz at which segments are counted and spectrograms are drawn: one of
    /// [`Analyser::sample_rates`].
    pub fn sample_rate(&self) -> u32 {
        self.input_spec.sample_rate
    }

    /// All rates in Hz that songs are needed at, lowest first: those of the networks, and that of the
    /// spectrogram.
    pub fn sample_rates(&self) -> &[u32] {
        &self.rates
    }

    /// Bands and columns of [`Prediction::spectra`].
    pub fn spectra_shape(&self) -> (usize, usize) {
        let LogMel { n_mels, columns, .. } = self.drawing.params();
        (*n_mels, *columns)
    }

    /// Where the segments of a song lie that has so many samples at [`Analyser::sample_rate`]; see
    /// [`InputSpec::segments`].
    pub fn segments(&self, samples: usize) -> Vec<Range<usize>> {
        self.input_spec.segments(samples)
    }

    /// Judges some segments of a song in one batch; `None` for a silent one. Segments are those of
    /// [`Analyser::segments`], or others in samples at [`Analyser::sample_rate`]; at the other rates they
    /// go to the nearest sample. Samples past a segment's end are never looked at, so the signals may
    /// still be growing.
    ///
    /// # Errors
    /// The song is not there at one of [`Analyser::sample_rates`], or the device failed.
    pub async fn judge(
        &mut self,
        signals: &Signals,
        segments: &[Range<usize>],
    ) -> Result<Vec<Option<Prediction>>, AnalyseError> {
        let rate = self.sample_rate();
        if let Some(missing) = self.rates.iter().find(|rate| signals.rates().all(|there| there != **rate)) {
            return Err(AnalyseError::Rate(*missing));
        }
        let signal = signals.at(rate);
        let audible: Vec<&Range<usize>> = segments.iter().filter(|s| is_audible(signal, s)).collect();
        let (bands, columns) = self.spectra_shape();
        let mut judged: Vec<Prediction> = Vec::with_capacity(audible.len());
        for segment in &audible {
            let mut db = vec![0.0; bands * columns];
            self.drawing.decibels(signal, segment.start, &mut db)?;
            let spectra = Spectra { bands, columns, db };
            judged.push(Prediction { members: Vec::new(), ensemble: Vec::new(), spectra });
        }
        if !audible.is_empty() {
            let mut inputs = Vec::with_capacity(self.extractors.len());
            for extractor in &mut self.extractors {
                let mut windows = Vec::with_capacity(extractor.values() * audible.len());
                let own = extractor.recipe().sample_rate;
                let signal = signals.at(own);
                for segment in &audible {
                    let [start, end] = [segment.start, segment.end].map(|place| place_at(place, rate, own));
                    extractor.window(&signal[..end.min(signal.len())], start, &mut windows)?;
                }
                inputs.push(windows);
            }
            for (place, Member { model, extractor }) in self.members.iter().enumerate() {
                // The last network that takes an input takes it for good.
                let last = self.members[place + 1..].iter().all(|other| other.extractor != *extractor);
                let input = &mut inputs[*extractor];
                let windows = if last { std::mem::take(input) } else { input.clone() };
                let logits = model.logits(windows).await?;
                for (judgement, logits) in judged.iter_mut().zip(logits.chunks_exact(self.classes.len())) {
                    judgement.members.push(log_softmax(logits));
                }
            }
        }
        for judgement in &mut judged {
            let members: Vec<&[f32]> = judgement.members.iter().map(Vec::as_slice).collect();
            judgement.ensemble = self.rule.combine(&members);
        }
        let mut judged = judged.into_iter();
        Ok(segments.iter().map(|s| if is_audible(signal, s) { judged.next() } else { None }).collect())
    }

    /// What the judged segments say of the whole song; `None` if there are none.
    pub fn verdict<'a>(
        &self,
        judgements: impl IntoIterator<Item = &'a Prediction>,
    ) -> Option<SongPrediction> {
        let judgements: Vec<&Prediction> = judgements.into_iter().collect();
        if judgements.is_empty() {
            return None;
        }
        let members = of_members(judgements.iter().map(|judgement| judgement.members.as_slice()));
        let ensemble = self.rule.combine(&members.iter().map(Vec::as_slice).collect::<Vec<_>>());
        Some(SongPrediction {
            members: members.iter().map(|m| probabilities(m)).collect(),
            decision: self.rule.decide(&ensemble),
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
        for Member { model, extractor } in &self.members {
            let extractor = &mut self.extractors[*extractor];
            let InputSpec { sample_rate, segment_seconds, .. } = *extractor.recipe();
            let mut window = Vec::new();
            extractor.window(&golden_signal(sample_rate, segment_seconds), 0, &mut window)?;
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
