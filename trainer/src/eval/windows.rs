//! The windows of a clip for several networks, and their predictions.

use std::ops::Range;

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_zoo::{Analyser, MIN_SECONDS, ModelEntry, Prediction, Signals, log_softmax, of_classes};

use super::evaluation::Measure;
use crate::data::examples::{Examples, Loader, Origin, preprocessed};
use crate::data::{Clip, signals, signals_under};

/// Log-probabilities of a segment by each network.
pub(super) type Members = Vec<Vec<f32>>;

/// The windows of a clip, not yet predicted.
pub(super) enum Windows {
    /// Arrays, tables or pictures, for each network.
    Kept(Vec<Examples>),
    /// Audio and its segments.
    Audio(Signals, Vec<Range<usize>>),
}

impl Windows {
    /// Reads a clip. Arrays, tables or pictures are used only if they fit all networks; otherwise audio is used.
    pub(super) fn of(
        clip: &Clip,
        analyser: &Analyser,
        models: &[ModelEntry],
        measure: &Measure<'_>,
    ) -> Result<Self> {
        let origin = if measure.condition.is_some() { Origin::Audio } else { measure.origin };
        if origin != Origin::Audio {
            let origin = if origin == Origin::Both { Origin::Auto } else { origin };
            let kept = models
                .iter()
                .map(|model| Loader::kept(clip, &model.input_spec, origin))
                .collect::<Result<Option<Vec<_>>>>()?;
            if let Some(kept) = kept.filter(|kept| !kept.is_empty()) {
                return Ok(Self::Kept(kept));
            }
        }
        let (Some(path), Origin::Auto | Origin::Audio | Origin::Both) = (&clip.audio, origin) else {
            bail!("the clip has no usable source");
        };
        let (signals, seconds) = match measure.condition {
            Some(condition) => signals_under(condition, &clip.id, path, analyser.sample_rates())?,
            None => signals(path, analyser.sample_rates())?,
        };
        ensure!(seconds >= MIN_SECONDS, "only {seconds:.2} s long");
        let segments = analyser.segments(signals.at(analyser.sample_rate()).len());
        ensure!(segments.iter().any(|segment| analyser.is_audible(&signals, segment)), "the clip is silent");
        Ok(Self::Audio(signals, segments))
    }

    pub(super) fn source(&self) -> &'static str {
        match self {
            Self::Kept(kept) => kept.first().map_or("", |examples| examples.origin),
            Self::Audio(..) => "audio",
        }
    }

    /// Number of segments.
    pub(super) fn count(&self, models: &[ModelEntry]) -> usize {
        match self {
            Self::Kept(kept) => {
                let of = |(examples, model): (&Examples, &ModelEntry)| {
                    examples.versions.first().map_or(0, |version| version.segments(&model.input_spec))
                };
                kept.iter().zip(models).map(of).min().unwrap_or_default()
            }
            Self::Audio(_, segments) => segments.len(),
        }
    }

    /// The log-probabilities of the classes by each network, of all segments or of some, without silent ones.
    pub(super) fn predict(
        &self,
        analyser: &mut Analyser,
        models: &[ModelEntry],
        only: Option<&[usize]>,
    ) -> Result<Vec<(usize, Members)>> {
        let count = self.count(models);
        let wanted = only.map_or_else(|| (0..count).collect(), <[usize]>::to_vec);
        let classes = analyser.classes().len();
        match self {
            Self::Kept(kept) => {
                let mut segments: Vec<(usize, Members)> = wanted.iter().map(|&s| (s, Vec::new())).collect();
                for ((model, entry), examples) in analyser.models().zip(models).zip(kept) {
                    let version = examples.versions.first().context("a clip has no examples")?;
                    let mut windows = Vec::new();
                    for &segment in &wanted {
                        let raw = version.segment(&entry.input_spec, segment);
                        windows.extend(preprocessed(&entry.input_spec, &entry.preparation, &raw)?);
                    }
                    let logits = pollster::block_on(model.logits(windows))?;
                    for ((_, members), row) in segments.iter_mut().zip(logits.chunks_exact(model.outputs())) {
                        members.push(of_classes(&log_softmax(row), classes));
                    }
                }
                Ok(segments)
            }
            Self::Audio(signals, segments) => {
                let ranges: Vec<Range<usize>> =
                    wanted.iter().filter_map(|&segment| segments.get(segment)).cloned().collect();
                let predictions = pollster::block_on(analyser.predict(signals, &ranges))?;
                let of_segment = |p: Prediction| p.members.iter().map(|m| of_classes(m, classes)).collect();
                let pairs = wanted.into_iter().zip(predictions);
                Ok(pairs.filter_map(|(segment, p)| Some((segment, of_segment(p?)))).collect())
            }
        }
    }
}
