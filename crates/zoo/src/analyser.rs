//! Predictions of all networks of an ensemble for segments and songs.

use std::ops::Range;

use burn::tensor::Device;
use cratedigger_dsp::DspError;

use crate::{
    EnsembleRule, Extractor, InputSpec, InputSpecError, LoadError, LogMel, LogMelPlan, Manifest, Model,
    ModelEntry, SILENCE, Signals, SongAccumulator, SongPrediction, golden_signal, log_softmax, place_at,
};

/// Why a prediction failed.
#[derive(Debug, thiserror::Error)]
pub enum AnalyseError {
    /// The device failed or was lost.
    #[error("{model}: the device failed: {reason}")]
    Device {
        /// The model that was running.
        model: String,
        /// Message of the device.
        reason: String,
    },
    /// An error of the feature library.
    #[error(transparent)]
    Dsp(#[from] DspError),
    /// An error of an input spec.
    #[error(transparent)]
    InputSpec(#[from] InputSpecError),
    /// The signals do not contain a sample rate that a network needs.
    #[error("the song is also needed at {0} Hz")]
    Rate(u32),
}

/// The spectrogram of a segment, for drawing.
#[derive(Clone, Debug)]
pub struct Spectra {
    /// Rows: mel bands, the lowest first.
    pub bands: usize,
    /// Columns.
    pub columns: usize,
    /// `bands · columns` values, row after row: mel power in dB relative to full scale.
    pub db: Vec<f32>,
}

/// The prediction for one segment.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// Log-probabilities of each network, in the order of [`Analyser::models`].
    pub members: Vec<Vec<f32>>,
    /// Log-probabilities of the ensemble.
    pub ensemble: Vec<f32>,
    /// The spectrogram for drawing.
    pub spectra: Spectra,
}

/// All networks of a manifest on one device, with the plans of their inputs.
pub struct Analyser {
    classes: Vec<String>,
    /// Defines the sample rate of segment ranges and the spectrogram for drawing.
    input_spec: InputSpec,
    rates: Vec<u32>,
    members: Vec<Member>,
    rule: EnsembleRule,
    /// One for each distinct input, so that networks with the same input share its windows.
    extractors: Vec<Extractor>,
    drawing: LogMelPlan,
}

struct Member {
    model: Model,
    extractor: usize,
}

impl Analyser {
    /// Loads all networks of a manifest. `weights` contains the bytes of each network's file, in the order
    /// of the manifest.
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
        // Without a network on log-mel, the spectrogram for drawing keeps its usual shape.
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

    /// Sample rate in Hz at which segments are counted and spectrograms are drawn; one of
    /// [`Analyser::sample_rates`].
    pub fn sample_rate(&self) -> u32 {
        self.input_spec.sample_rate
    }

    /// All sample rates in Hz that songs are needed at, the lowest first: those of the networks, and that
    /// of the spectrogram.
    pub fn sample_rates(&self) -> &[u32] {
        &self.rates
    }

    /// Bands and columns of [`Prediction::spectra`].
    pub fn spectra_shape(&self) -> (usize, usize) {
        let LogMel { n_mels, columns, .. } = self.drawing.params();
        (*n_mels, *columns)
    }

    /// The segments of a song with `samples` samples at [`Analyser::sample_rate`], as ranges of samples; see
    /// [`InputSpec::segments`].
    pub fn segments(&self, samples: usize) -> Vec<Range<usize>> {
        self.input_spec.segments(samples)
    }

    /// Predicts some segments of a song in one batch; `None` for a silent segment. Segments are ranges of
    /// samples at [`Analyser::sample_rate`]; at other rates they begin at the nearest sample. Samples after
    /// a segment's end are not read, so the signals may still be growing.
    ///
    /// # Errors
    /// The signals lack one of [`Analyser::sample_rates`], or the device failed.
    pub async fn predict(
        &mut self,
        signals: &Signals,
        segments: &[Range<usize>],
    ) -> Result<Vec<Option<Prediction>>, AnalyseError> {
        if let Some(missing) = self.rates.iter().find(|rate| signals.rates().all(|there| there != **rate)) {
            return Err(AnalyseError::Rate(*missing));
        }
        let signal = signals.at(self.sample_rate());
        let audible: Vec<&Range<usize>> = segments.iter().filter(|s| is_audible(signal, s)).collect();
        let mut predictions: Vec<Prediction> = Vec::with_capacity(audible.len());
        for segment in &audible {
            let spectra = self.spectra(signal, segment.start)?;
            predictions.push(Prediction { members: Vec::new(), ensemble: Vec::new(), spectra });
        }
        if !audible.is_empty() {
            self.run_members(signals, &audible, &mut predictions).await?;
        }
        for prediction in &mut predictions {
            let members: Vec<&[f32]> = prediction.members.iter().map(Vec::as_slice).collect();
            prediction.ensemble = self.rule.combine(&members);
        }
        let mut predictions = predictions.into_iter();
        Ok(segments.iter().map(|s| if is_audible(signal, s) { predictions.next() } else { None }).collect())
    }

    fn spectra(&mut self, signal: &[f32], start: usize) -> Result<Spectra, AnalyseError> {
        let (bands, columns) = self.spectra_shape();
        let mut db = vec![0.0; bands * columns];
        self.drawing.decibels(signal, start, &mut db)?;
        Ok(Spectra { bands, columns, db })
    }

    /// Appends the log-probabilities of each network to the predictions for `segments`.
    async fn run_members(
        &mut self,
        signals: &Signals,
        segments: &[&Range<usize>],
        predictions: &mut [Prediction],
    ) -> Result<(), AnalyseError> {
        let rate = self.sample_rate();
        let mut inputs = Vec::with_capacity(self.extractors.len());
        for extractor in &mut self.extractors {
            let mut windows = Vec::with_capacity(extractor.values() * segments.len());
            let own = extractor.input_spec().sample_rate;
            let signal = signals.at(own);
            for segment in segments {
                let [start, end] = [segment.start, segment.end].map(|place| place_at(place, rate, own));
                extractor.window(&signal[..end.min(signal.len())], start, &mut windows)?;
            }
            inputs.push(windows);
        }
        for (index, Member { model, extractor }) in self.members.iter().enumerate() {
            // The last network with this input takes the windows, the others copy them.
            let last = self.members[index + 1..].iter().all(|other| other.extractor != *extractor);
            let input = &mut inputs[*extractor];
            let windows = if last { std::mem::take(input) } else { input.clone() };
            let logits = model.logits(windows).await?;
            for (prediction, logits) in predictions.iter_mut().zip(logits.chunks_exact(self.classes.len())) {
                prediction.members.push(log_softmax(logits));
            }
        }
        Ok(())
    }

    /// An empty accumulator of the segments of one song.
    pub fn song(&self) -> SongAccumulator {
        SongAccumulator::new(self.rule.clone())
    }

    /// The prediction for a song from the predictions for its segments; `None` if there are none.
    pub fn song_prediction<'a>(
        &self,
        segments: impl IntoIterator<Item = &'a Prediction>,
    ) -> Option<SongPrediction> {
        let mut song = self.song();
        segments.into_iter().for_each(|segment| song.add(segment));
        song.prediction()
    }

    /// Logits of every network for the golden input, network after network. The batch has `copies` copies
    /// of it, to time a device; only the logits of the first copy are returned.
    ///
    /// # Errors
    /// The device failed.
    pub async fn golden_logits(&mut self, copies: usize) -> Result<Vec<f32>, AnalyseError> {
        let mut all = Vec::with_capacity(self.members.len() * self.classes.len());
        for Member { model, extractor } in &self.members {
            let extractor = &mut self.extractors[*extractor];
            let InputSpec { sample_rate, segment_seconds, .. } = *extractor.input_spec();
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
