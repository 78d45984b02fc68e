//! Predictions and metrics of networks on a part of a split.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, ensure};
use cratedigger_zoo::{Analyser, Manifest, ModelEntry};

use super::bundle::ModelBundle;
use super::windows::{Members, Windows};
use crate::config::Config;
use crate::data::conditions::Condition;
use crate::data::examples::{Origin, default_cache};
use crate::data::split::{Protocol, SegmentId, Split, SplitPlan, clips_of};
use crate::data::{Clip, Dataset, inspect};
use crate::format::causes;
use crate::metrics::{ScoredExample, Scores};
use crate::store::{Evaluation, UnderCondition, knows};

/// How to evaluate.
pub struct Measure<'a> {
    /// The split.
    pub plan: &'a SplitPlan,
    /// Source of the inputs.
    pub origin: Origin,
    /// Condition that recordings are brought to first; needs audio.
    pub condition: Option<Condition>,
    /// Called with the number of clips done and of all clips.
    pub progress: &'a dyn Fn(usize, usize),
}

/// The split of a model's training, or that of another protocol or seed if given.
///
/// # Errors
/// The manifest has no model, or this version does not know the model's protocol.
pub fn plan_of(bundle: &ModelBundle, protocol: Option<Protocol>, seed: Option<u64>) -> Result<SplitPlan> {
    let training = &bundle.manifest.models.first().context("the manifest has no model")?.training;
    let seed = seed.unwrap_or(training.seed);
    let own = Protocol::of_name(&training.protocol).with_context(|| {
        format!("the model was trained under an unknown protocol, {:?}", training.protocol)
    })?;
    let protocol = protocol.unwrap_or(own);
    // Fractions, folds and groups are those of the run, if the protocol is the run's.
    let config = serde_json::from_value::<Config>(training.config.clone()).ok();
    Ok(match config.filter(|_| protocol == own) {
        Some(config) => config.data.split_plan(seed),
        None => SplitPlan::of(protocol, seed),
    })
}

/// Opens a data set. Duplicates are dropped if a network was trained without them, because a duplicate of a
/// training clip must not be a test clip.
///
/// # Errors
/// There is no data set, or the search for duplicates was cancelled.
pub fn open_data(bundle: &ModelBundle, folder: &Path) -> Result<Dataset> {
    let mut data = Dataset::open(folder)?;
    let without = bundle.manifest.models.iter().any(|model| {
        let config = serde_json::from_value::<Config>(model.training.config.clone());
        config.is_ok_and(|config| config.data.drop_duplicates)
    });
    if without {
        let cache = default_cache();
        inspect::drop_duplicates(&mut data, cache.as_deref(), &Arc::new(AtomicBool::new(false)))?;
    }
    Ok(data)
}

/// Evaluates networks on the test part of a split.
///
/// # Errors
/// The data do not fit the networks, the test part is empty, or a network fails.
pub fn evaluate(bundle: &ModelBundle, data: &mut Dataset, measure: &Measure<'_>) -> Result<Evaluation> {
    metrics_of(bundle, measure, &predict_part(bundle, data, measure, Evaluated::Test)?)
}

/// Evaluates networks on the test clips that have audio, under each condition.
///
/// # Errors
/// See [`evaluate`].
pub fn evaluate_conditions(
    bundle: &ModelBundle,
    data: &mut Dataset,
    plan: &SplitPlan,
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<UnderCondition>> {
    let count = Condition::ALL.len();
    let mut scores = Vec::with_capacity(count);
    for (place, condition) in Condition::ALL.into_iter().enumerate() {
        let of_all = std::cell::RefCell::new(&mut progress);
        let measure = Measure {
            plan,
            origin: Origin::Audio,
            condition: Some(condition),
            progress: &|done, all| (of_all.borrow_mut())(place * all + done, count * all),
        };
        let skipped = data.skipped.len();
        let evaluation = evaluate(bundle, data, &measure)?;
        // The evaluation without a condition names the clips that have no audio.
        data.skipped.truncate(skipped);
        let (segment, track) = (evaluation.segment, evaluation.track);
        scores.push(UnderCondition { condition: condition.name().into(), segment, track });
    }
    Ok(scores)
}

/// The metrics of predictions.
pub(crate) fn metrics_of(
    bundle: &ModelBundle,
    measure: &Measure<'_>,
    predictions: &Predictions,
) -> Result<Evaluation> {
    let scored = |rows: &[Row]| rows.iter().cloned().map(ScoredExample::from).collect::<Vec<ScoredExample>>();
    let (segments, tracks) = (scored(&predictions.segments), scored(&predictions.tracks));
    Ok(Evaluation {
        source: predictions.source.clone(),
        seen_in_training: predictions.seen,
        skipped: predictions.skipped,
        ..evaluation_of(bundle, measure.plan.clone(), &segments, &tracks)?
    })
}

/// The metrics of scored segments and clips. Source and the numbers of seen and skipped clips are left
/// empty.
pub(crate) fn evaluation_of(
    bundle: &ModelBundle,
    plan: SplitPlan,
    segments: &[ScoredExample],
    tracks: &[ScoredExample],
) -> Result<Evaluation> {
    let Manifest { models, classes, .. } = &bundle.manifest;
    Ok(Evaluation {
        protocol: plan.protocol.name().into(),
        split: plan,
        source: String::new(),
        classes: classes.clone(),
        segment: Scores::of(classes, segments)?,
        track: Scores::of(classes, tracks)?,
        seen_in_training: 0,
        skipped: 0,
        conditions: Vec::new(),
        models: models.iter().map(|m| m.name.clone()).collect(),
        parameters: models.iter().map(|m| m.parameters).sum(),
        bytes: models.iter().map(|m| m.bytes).sum(),
    })
}

/// The part of a split to predict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluated {
    /// The test part, for reported figures.
    Test,
    /// The validation part, for selection.
    Valid,
}

impl Evaluated {
    /// The segments of this part.
    pub(super) fn of(self, split: Split) -> Vec<SegmentId> {
        match self {
            Self::Test => split.test,
            Self::Valid => split.valid,
        }
    }
}

/// Id, label (in the model's order of classes) and log-probabilities of a segment or clip.
pub type Row = (String, usize, Vec<f32>);

/// Predictions of networks for a part of a split.
pub struct Predictions {
    /// Predictions of segments.
    pub segments: Vec<Row>,
    /// Predictions of clips.
    pub tracks: Vec<Row>,
    /// Source of the windows.
    pub source: String,
    /// Number of clips that a network was trained or selected on.
    pub seen: usize,
    /// Number of clips that could not be evaluated.
    pub skipped: usize,
}

/// Predicts a part of a split.
///
/// # Errors
/// See [`evaluate`].
pub fn predict_part(
    bundle: &ModelBundle,
    data: &mut Dataset,
    measure: &Measure<'_>,
    part: Evaluated,
) -> Result<Predictions> {
    let Manifest { models, classes, ensemble, .. } = &bundle.manifest;
    let plan = measure.plan;
    let labels = labels_of(data, classes)?;
    // Segment splits depend on the number of segments of every clip.
    let by_segment = matches!(plan.protocol, Protocol::Segment | Protocol::Index);
    let mut analyser = bundle.analyser()?;
    let (counts, mut skipped) = if by_segment {
        segment_counts(&analyser, models, data, measure)
    } else {
        (vec![1; data.clips.len()], 0)
    };
    let mut wanted: BTreeMap<usize, Option<Vec<usize>>> = BTreeMap::new();
    for (clip, segment) in part.of(Split::new(plan, &data.clips, &counts)?) {
        let segments = wanted.entry(clip).or_insert_with(|| by_segment.then(Vec::new));
        segments.iter_mut().for_each(|segments| segments.push(segment));
    }
    ensure!(!wanted.is_empty(), "the {} split has no such clips in this data set", plan.protocol.name());
    let (predicted, sources) = predict_clips(&mut analyser, models, data, measure, &wanted)?;
    skipped += wanted.len() - predicted.len();

    let mut by_clip: BTreeMap<usize, Vec<&[Vec<f32>]>> = BTreeMap::new();
    let (mut segments, mut used) = (Vec::new(), Vec::new());
    for (&clip, of_clip) in &predicted {
        for (segment, members) in of_clip {
            let Clip { id, class, .. } = &data.clips[clip];
            let combined = ensemble.combine(&members.iter().map(Vec::as_slice).collect::<Vec<_>>());
            segments.push((format!("{id}#{segment}"), labels[*class], combined));
            by_clip.entry(clip).or_default().push(members);
            used.push((clip, *segment));
        }
    }
    ensure!(!segments.is_empty(), "no clip of the {} split could be evaluated", plan.protocol.name());
    let tracks = by_clip
        .iter()
        .map(|(&clip, segments)| {
            let Clip { id, class, .. } = &data.clips[clip];
            (id.clone(), labels[*class], ensemble.song(segments.iter().copied()))
        })
        .collect();
    Ok(Predictions {
        segments,
        tracks,
        source: source_of(&sources),
        seen: seen(models, data, &used)?,
        skipped,
    })
}

/// The model's label of each class of the data set, which can have fewer classes in another order.
fn labels_of(data: &Dataset, classes: &[String]) -> Result<Vec<usize>> {
    let label = |name: &String| {
        classes.iter().position(|c| c == name).with_context(|| {
            format!("the data set's class {name:?} is not a class of the model: {}", classes.join(", "))
        })
    };
    data.classes.iter().map(label).collect()
}

/// Predictions by clip, each with the index of its segment, and the number of clips by source.
type ByClip = (BTreeMap<usize, Vec<(usize, Members)>>, BTreeMap<&'static str, usize>);

/// The number of segments of every clip, 0 for a clip that fails, and the number of clips that fail, which are
/// added to [`Dataset::skipped`].
fn segment_counts(
    analyser: &Analyser,
    models: &[ModelEntry],
    data: &mut Dataset,
    measure: &Measure<'_>,
) -> (Vec<usize>, usize) {
    let mut failed = Vec::new();
    let count = |clip: &Clip| match Windows::of(clip, analyser, models, measure) {
        Ok(windows) => windows.count(models),
        Err(error) => {
            failed.push((clip.id.clone(), causes(&error)));
            0
        }
    };
    let counts = data.clips.iter().map(count).collect();
    let skipped = failed.len();
    data.skipped.extend(failed);
    (counts, skipped)
}

/// Predicts clips, or some segments of each. Clips that fail are added to [`Dataset::skipped`].
fn predict_clips(
    analyser: &mut Analyser,
    models: &[ModelEntry],
    data: &mut Dataset,
    measure: &Measure<'_>,
    wanted: &BTreeMap<usize, Option<Vec<usize>>>,
) -> Result<ByClip> {
    let (mut predicted, mut sources) = ByClip::default();
    for (done, (&index, segments)) in wanted.iter().enumerate() {
        let clip = &data.clips[index];
        let windows = Windows::of(clip, analyser, models, measure);
        let source = windows.as_ref().map_or("", Windows::source);
        match windows.and_then(|windows| windows.predict(analyser, models, segments.as_deref())) {
            Ok(segments) => {
                *sources.entry(source).or_default() += 1;
                predicted.insert(index, segments);
            }
            // An error of a network would occur for every clip.
            Err(error) if error.is::<cratedigger_zoo::AnalyseError>() => return Err(error),
            Err(error) => data.skipped.push((clip.id.clone(), causes(&error))),
        }
        (measure.progress)(done + 1, wanted.len());
    }
    Ok((predicted, sources))
}

/// The number of clips of `test` that a network was trained or selected on. Under the segment protocol, a
/// clip counts as seen if another of its segments was.
fn seen(models: &[ModelEntry], data: &Dataset, test: &[SegmentId]) -> Result<usize> {
    let mut seen = 0;
    for clip in clips_of(test).into_iter().map(|index| &data.clips[index]) {
        for model in models {
            if knows(&model.training, clip).with_context(|| model.name.clone())? {
                seen += 1;
                break;
            }
        }
    }
    Ok(seen)
}

fn source_of(sources: &BTreeMap<&str, usize>) -> String {
    if let [(source, _)] = sources.iter().collect::<Vec<_>>().as_slice() {
        return (*source).to_string();
    }
    let each: Vec<String> = sources.iter().map(|(source, n)| format!("{source} ({n} clips)")).collect();
    each.join(" and ")
}
