//! Predictions of all networks of an ensemble for segments and songs.

use std::ops::Range;

use burn::tensor::Device;
use cratedigger_dsp::DspError;
use cratedigger_protocol::{NonMusic, Section, Tag};

use crate::{
    EnsembleRule, Excerpt, Extractor, Input, InputSpec, InputSpecError, LoadError, LogMel, LogMelPlan,
    Manifest, Model, ModelEntry, Observation, SILENCE, SectionModel, SegmentFeatures, Signals,
    SongAccumulator, SongPrediction, SongStream, argmax, golden_signal, log_softmax, non_music, of_classes,
    probabilities,
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
    /// No network has an embedding.
    #[error("no network of this set has an embedding")]
    NoEmbedding,
}

/// The spectrogram of a segment, for display.
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
    /// Log-probabilities of each network, in the order of [`Analyser::models`]: of the classes and, for a
    /// network that predicts them, of the kinds of non-music.
    pub members: Vec<Vec<f32>>,
    /// Log-probabilities of the ensemble, for the classes.
    pub ensemble: Vec<f32>,
    /// Probability of each kind of non-music; empty if no network predicts kinds.
    pub non_music: Vec<f32>,
    /// Strength of each tag, 0…1; empty if no network predicts tags.
    pub tags: Vec<f32>,
    /// The spectrogram for display.
    pub spectra: Spectra,
}

impl Prediction {
    /// Probabilities of the classes of each network, in the order of [`Analyser::models`].
    pub fn class_probabilities(&self) -> Vec<Vec<f32>> {
        let classes = self.ensemble.len();
        self.members.iter().map(|member| probabilities(&of_classes(member, classes))).collect()
    }
}

/// Default of [`Manifest::tags_above`].
const TAGS_ABOVE: f32 = 0.1;
/// The largest number of tags of a song.
const MOST_TAGS: usize = 6;

/// All networks of a manifest on one device, with the plans of their inputs.
pub struct Analyser {
    classes: Vec<String>,
    /// Kinds of non-music.
    kinds: Vec<String>,
    /// Minimum strength of a tag of a song.
    tags_above: f32,
    sections: SectionModel,
    /// The first network with tags.
    tagger: Option<usize>,
    /// Defines the sample rate of segment ranges and the spectrogram for display.
    input_spec: InputSpec,
    rates: Vec<u32>,
    members: Vec<Member>,
    rule: EnsembleRule,
    /// One extractor for each distinct input, so that networks with the same input share its windows.
    extractors: Vec<Extractor>,
    drawing: LogMelPlan,
    /// Samples before a segment that its windows and its spectrogram extend to, at any rate.
    lead: usize,
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
    /// The first network that cannot be loaded, or weights for more or fewer networks.
    pub fn load(manifest: &Manifest, weights: Vec<Vec<u8>>, device: &Device) -> Result<Self, LoadError> {
        if weights.len() != manifest.models.len() {
            return Err(LoadError::Count { networks: manifest.models.len(), weights: weights.len() });
        }
        let mut inputs: Vec<&ModelEntry> = Vec::new();
        let mut extractors = Vec::new();
        let mut members = Vec::new();
        for (entry, bytes) in manifest.models.iter().zip(weights) {
            let model = Model::load(entry, manifest.outputs_of(entry), bytes, device)?;
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
        // Without a network on log-mel, the spectrogram for display has the default shape.
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
        let all_inputs = manifest.models.iter().flat_map(|m| &m.input_spec.inputs);
        let lead = all_inputs.map(Input::lead).chain([mel.n_fft.div_ceil(2)]).max().unwrap_or_default();
        Ok(Self {
            classes: manifest.classes.clone(),
            kinds: manifest.non_music.clone(),
            tags_above: manifest.tags_above.unwrap_or(TAGS_ABOVE),
            sections: manifest.sections.unwrap_or_default(),
            tagger: manifest.models.iter().position(|model| !model.architecture.tags().is_empty()),
            input_spec,
            rates,
            members,
            rule: manifest.ensemble.clone(),
            extractors,
            drawing,
            lead,
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

    /// Sample rate in Hz of segment ranges and of the spectrogram for display; one of
    /// [`Analyser::sample_rates`].
    pub fn sample_rate(&self) -> u32 {
        self.input_spec.sample_rate
    }

    /// All required sample rates of a song in Hz, ascending: those of the networks, and that of the
    /// spectrogram for display.
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

    /// A song that comes piece by piece, at `from` Hz.
    ///
    /// # Errors
    /// A sample rate that cannot be resampled.
    pub fn stream(&self, from: u32) -> Result<SongStream, DspError> {
        SongStream::new(&self.input_spec, from, &self.rates)
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
        let excerpts: Vec<_> = segments.iter().map(|segment| self.excerpt(signals, segment)).collect();
        self.predict_excerpts(&excerpts).await
    }

    /// Whether a segment of a song is audible; [`Analyser::predict`] predicts no other.
    pub fn is_audible(&self, signals: &Signals, segment: &Range<usize>) -> bool {
        is_audible(&self.excerpt(signals, segment), self.sample_rate())
    }

    /// Cuts a segment out of a song, with all samples that its prediction depends on. Segments are as for
    /// [`Analyser::predict`].
    pub fn excerpt<'a>(&self, signals: &'a Signals, segment: &Range<usize>) -> Excerpt<'a> {
        Excerpt::cut(signals, &self.rates, segment, self.sample_rate(), self.lead)
    }

    /// Predicts some segments in one batch; `None` for a silent one. The predictions are those that
    /// [`Analyser::predict`] makes in the song.
    ///
    /// # Errors
    /// An excerpt lacks one of [`Analyser::sample_rates`], or the device failed.
    pub async fn predict_excerpts(
        &mut self,
        excerpts: &[Excerpt<'_>],
    ) -> Result<Vec<Option<Prediction>>, AnalyseError> {
        self.check_rates(excerpts)?;
        let rate = self.sample_rate();
        let audible: Vec<&Excerpt<'_>> =
            excerpts.iter().filter(|excerpt| is_audible(excerpt, rate)).collect();
        let mut predictions: Vec<Prediction> = Vec::with_capacity(audible.len());
        for excerpt in &audible {
            let spectra = self.spectra(excerpt)?;
            let (members, ensemble, non_music, tags) = Default::default();
            predictions.push(Prediction { members, ensemble, non_music, tags, spectra });
        }
        if !audible.is_empty() {
            self.run_members(&audible, &mut predictions).await?;
        }
        let classes = self.classes.len();
        for prediction in &mut predictions {
            let members: Vec<_> = prediction.members.iter().map(|m| of_classes(m, classes)).collect();
            prediction.ensemble = self.rule.combine(&members.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prediction.non_music = non_music(prediction.members.iter().map(Vec::as_slice), classes);
        }
        let mut predictions = predictions.into_iter();
        Ok(excerpts.iter().map(|e| if is_audible(e, rate) { predictions.next() } else { None }).collect())
    }

    fn spectra(&mut self, excerpt: &Excerpt<'_>) -> Result<Spectra, AnalyseError> {
        let (bands, columns) = self.spectra_shape();
        let mut db = vec![0.0; bands * columns];
        let (signal, start) = excerpt.at(self.sample_rate());
        self.drawing.decibels(signal, start, &mut db)?;
        Ok(Spectra { bands, columns, db })
    }

    fn check_rates(&self, excerpts: &[Excerpt<'_>]) -> Result<(), AnalyseError> {
        let lacking = |rate: &&u32| excerpts.iter().any(|excerpt| excerpt.track(**rate).is_none());
        self.rates.iter().find(lacking).map_or(Ok(()), |missing| Err(AnalyseError::Rate(*missing)))
    }

    /// The windows of segments for one extractor, one after the other.
    fn windows(&mut self, extractor: usize, excerpts: &[&Excerpt<'_>]) -> Result<Vec<f32>, AnalyseError> {
        let extractor = &mut self.extractors[extractor];
        let mut windows = Vec::with_capacity(extractor.values() * excerpts.len());
        for excerpt in excerpts {
            let (signal, start) = excerpt.at(extractor.input_spec().sample_rate);
            extractor.window(signal, start, &mut windows)?;
        }
        Ok(windows)
    }

    /// Appends the log-probabilities of each network, and sets the tags of the predictions.
    async fn run_members(
        &mut self,
        excerpts: &[&Excerpt<'_>],
        predictions: &mut [Prediction],
    ) -> Result<(), AnalyseError> {
        let mut inputs = Vec::with_capacity(self.extractors.len());
        for extractor in 0..self.extractors.len() {
            inputs.push(self.windows(extractor, excerpts)?);
        }
        for (index, Member { model, extractor }) in self.members.iter().enumerate() {
            // The last network with this input takes the windows, the others copy them.
            let last = self.members[index + 1..].iter().all(|other| other.extractor != *extractor);
            let input = &mut inputs[*extractor];
            let windows = if last { std::mem::take(input) } else { input.clone() };
            let logits = if self.tagger == Some(index) {
                let (logits, tags) = model.logits_and_tags(windows).await?;
                let width = model.entry().architecture.tags().len().max(1);
                for (prediction, tags) in predictions.iter_mut().zip(tags.chunks_exact(width)) {
                    prediction.tags = tags.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
                }
                logits
            } else {
                model.logits(windows).await?
            };
            for (prediction, logits) in predictions.iter_mut().zip(logits.chunks_exact(model.outputs())) {
                prediction.members.push(log_softmax(logits));
            }
        }
        Ok(())
    }

    /// Number of values of [`Analyser::embedding`]; `None` if no network has an embedding.
    pub fn embedding_width(&self) -> Option<usize> {
        self.models().find_map(|model| model.entry().architecture.embedding_width())
    }

    /// The embedding of some segments of a song, by the first network that has one; `None` for a silent
    /// segment. Segments are as for [`Analyser::predict`].
    ///
    /// # Errors
    /// No network has an embedding, the signals lack one of [`Analyser::sample_rates`], or the device
    /// failed.
    pub async fn embedding(
        &mut self,
        signals: &Signals,
        segments: &[Range<usize>],
    ) -> Result<Vec<Option<Vec<f32>>>, AnalyseError> {
        let width = |member: &Member| member.model.entry().architecture.embedding_width();
        let Some((index, width)) =
            self.members.iter().enumerate().find_map(|(index, member)| Some((index, width(member)?)))
        else {
            return Err(AnalyseError::NoEmbedding);
        };
        let rate = self.sample_rate();
        let excerpts: Vec<_> = segments.iter().map(|segment| self.excerpt(signals, segment)).collect();
        self.check_rates(&excerpts)?;
        let audible: Vec<&Excerpt<'_>> =
            excerpts.iter().filter(|excerpt| is_audible(excerpt, rate)).collect();
        if audible.is_empty() {
            return Ok(vec![None; segments.len()]);
        }
        let windows = self.windows(self.members[index].extractor, &audible)?;
        let values = self.members[index].model.embedding(windows).await?;
        let mut rows = values.chunks_exact(width.max(1));
        let row = |excerpt| if is_audible(excerpt, rate) { rows.next().map(<[f32]>::to_vec) } else { None };
        Ok(excerpts.iter().map(row).collect())
    }

    /// Number of values of [`SegmentFeatures`]; `None` if no network has an embedding.
    pub fn features_width(&self) -> Option<usize> {
        self.models().find_map(|model| model.entry().architecture.features_width())
    }

    /// The network with the embedding and the features.
    pub fn ear(&self) -> Option<&Model> {
        self.models().find(|model| model.entry().architecture.embedding_width().is_some())
    }

    /// The features of some segments of a song, by the first network that has an embedding; `None` for a
    /// silent segment. Segments are as for [`Analyser::predict`].
    ///
    /// # Errors
    /// As [`Analyser::embedding`].
    pub async fn features(
        &mut self,
        signals: &Signals,
        segments: &[Range<usize>],
    ) -> Result<Vec<Option<SegmentFeatures>>, AnalyseError> {
        let has = |member: &Member| member.model.entry().architecture.features_width().is_some();
        let Some(index) = self.members.iter().position(has) else { return Err(AnalyseError::NoEmbedding) };
        let rate = self.sample_rate();
        let excerpts: Vec<_> = segments.iter().map(|segment| self.excerpt(signals, segment)).collect();
        self.check_rates(&excerpts)?;
        let audible: Vec<&Excerpt<'_>> =
            excerpts.iter().filter(|excerpt| is_audible(excerpt, rate)).collect();
        if audible.is_empty() {
            return Ok(vec![None; segments.len()]);
        }
        let windows = self.windows(self.members[index].extractor, &audible)?;
        let model = &self.members[index].model;
        let (logits, values) = model.logits_and_features(windows).await?;
        let outputs = model.outputs();
        let width = values.len() / audible.len().max(1);
        let mut rows = logits.chunks_exact(outputs.max(1)).zip(values.chunks_exact(width.max(1)));
        let mut row = || {
            let (logits, values) = rows.next()?;
            let kinds = non_music([log_softmax(logits).as_slice()], self.classes.len());
            Some(SegmentFeatures { values: values.to_vec(), music: !self.rule.rejects(&kinds) })
        };
        Ok(excerpts.iter().map(|e| if is_audible(e, rate) { row() } else { None }).collect())
    }

    /// The prediction for a song from the features of its segments, row after row, as [`Analyser::features`] of
    /// the same body gives them. `None` without a row. The ensemble must consist of the one network that has an
    /// embedding.
    ///
    /// # Errors
    /// There is another network, the features are those of another one, or the device failed.
    pub async fn song_of_features(&self, features: Vec<f32>) -> Result<Option<SongPrediction>, AnalyseError> {
        let [Member { model, .. }] = self.members.as_slice() else { return Err(AnalyseError::NoEmbedding) };
        let logits = model.logits_of_features(features).await?;
        let predictions: Vec<Prediction> = logits
            .chunks_exact(model.outputs().max(1))
            .map(|logits| {
                let member = log_softmax(logits);
                let ensemble = self.rule.combine(&[&of_classes(&member, self.classes.len())]);
                let non_music = non_music([member.as_slice()], self.classes.len());
                let spectra = Spectra { bands: 0, columns: 0, db: Vec::new() };
                Prediction { members: vec![member], ensemble, non_music, tags: Vec::new(), spectra }
            })
            .collect();
        Ok(self.song_prediction(&predictions))
    }

    /// The sections of a song, by the manifest's parameters. `observations` are its segments in order of
    /// time.
    pub fn sections(&self, observations: &[Observation]) -> Vec<Section> {
        self.sections.sections(observations, self.classes.len(), &self.kinds)
    }

    /// Sums up the probabilities of the kinds of non-music: the most probable kind, the total probability,
    /// and whether the ensemble rule rejects the sound. `None` if no network predicts kinds.
    pub fn non_music(&self, probabilities: &[f32]) -> Option<NonMusic> {
        if probabilities.is_empty() {
            return None;
        }
        Some(NonMusic {
            kind: self.kinds.get(argmax(probabilities))?.clone(),
            probability: probabilities.iter().sum::<f32>().min(1.0),
            rejected: self.rule.rejects(probabilities),
        })
    }

    /// The tags with these strengths, the strongest first: at most six, and only those of at least
    /// [`Manifest::tags_above`].
    pub fn tags(&self, strengths: &[f32]) -> Vec<Tag> {
        let names = self.tagger.and_then(|index| self.members.get(index));
        let names = names.map_or(&[] as &[String], |member| member.model.entry().architecture.tags());
        let mut tags: Vec<Tag> = names
            .iter()
            .zip(strengths)
            .filter(|(_, strength)| **strength >= self.tags_above)
            .map(|(name, &strength)| Tag { name: name.clone(), strength })
            .collect();
        tags.sort_by(|a, b| b.strength.total_cmp(&a.strength));
        tags.truncate(MOST_TAGS);
        tags
    }

    /// An empty accumulator of the segments of one song.
    pub fn song(&self) -> SongAccumulator {
        SongAccumulator::new(self.rule.clone(), self.classes.len())
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

    /// The input of every network for the golden signal, in batches of `copies` equal windows.
    ///
    /// # Errors
    /// The preparation gives a value that is not finite, for example with a scale of 0.
    pub fn golden_windows(&mut self, copies: usize) -> Result<Vec<Vec<f32>>, AnalyseError> {
        let windows = |extractor: &mut Extractor| -> Result<Vec<f32>, AnalyseError> {
            let InputSpec { sample_rate, segment_seconds, .. } = *extractor.input_spec();
            let mut window = Vec::new();
            extractor.window(&golden_signal(sample_rate, segment_seconds), 0, &mut window)?;
            Ok(window.repeat(copies.max(1)))
        };
        let windows: Vec<_> = self.extractors.iter_mut().map(windows).collect::<Result<_, _>>()?;
        Ok(self.members.iter().filter_map(|member| windows.get(member.extractor).cloned()).collect())
    }

    /// Logits of the first window of each network, network after network. Each network computes all its
    /// windows, so this function also serves to time a device.
    ///
    /// # Errors
    /// The device failed.
    pub async fn logits(&self, windows: &[Vec<f32>]) -> Result<Vec<f32>, AnalyseError> {
        let mut all = Vec::new();
        for (Member { model, .. }, windows) in self.members.iter().zip(windows) {
            all.extend(model.logits(windows.clone()).await?.into_iter().take(model.outputs()));
        }
        Ok(all)
    }

    /// Logits of every network for the golden input, network after network.
    ///
    /// # Errors
    /// The device failed.
    pub async fn golden_logits(&mut self) -> Result<Vec<f32>, AnalyseError> {
        let windows = self.golden_windows(1)?;
        self.logits(&windows).await
    }

    /// The manifest's golden logits, in the order of [`Analyser::golden_logits`].
    pub fn expected_golden_logits(&self) -> Vec<f32> {
        self.models().flat_map(|m| m.entry().golden.logits.iter().copied()).collect()
    }
}

/// Whether the segment is above silence, at this rate in Hz.
fn is_audible(excerpt: &Excerpt<'_>, rate: u32) -> bool {
    let (signal, start) = excerpt.at(rate);
    signal.get(start..).is_some_and(|samples| samples.iter().any(|s| s.abs() >= SILENCE))
}
