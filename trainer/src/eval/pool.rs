//! Several runs evaluated as one ensemble, under any protocol.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_zoo::{EnsembleRule, Manifest};

use super::bundle::{ModelBundle, Precision};
use super::calibrate::{Kind, MemberPredictions};
use super::combine::choose_rule;
use super::evaluation::{Evaluated, Measure, evaluation_of, open_data, predict_part};
use crate::data::Dataset;
use crate::data::conditions::Condition;
use crate::data::examples::Origin;
use crate::data::split::{Protocol, SplitPlan};
use crate::metrics::ScoredExample;
use crate::progress::with_progress;
use crate::store::{Evaluation, RunFolder};

/// Predictions of every network for the same clips or segments, with their labels.
pub(crate) struct Members {
    /// Log-probabilities, `[network][example][class]`.
    pub(crate) members: Vec<Vec<Vec<f32>>>,
    /// Labels, `[example]`.
    pub(crate) labels: Vec<usize>,
    /// Ids of clips or segments, `[example]`.
    pub(crate) ids: Vec<String>,
}

impl Members {
    /// The examples of the first that all have, then the same examples of each other one.
    pub(crate) fn joined(all: &[Self]) -> Self {
        let in_all = |id: &String| all.iter().all(|of| of.ids.contains(id));
        let mut joined = Self { members: Vec::new(), labels: Vec::new(), ids: Vec::new() };
        for of in all {
            for (place, id) in of.ids.iter().enumerate().filter(|(_, id)| in_all(id)) {
                joined.members.resize(of.members.len().max(joined.members.len()), Vec::new());
                for (to, from) in joined.members.iter_mut().zip(&of.members) {
                    to.push(from[place].clone());
                }
                joined.labels.push(of.labels[place]);
                joined.ids.push(id.clone());
            }
        }
        joined
    }
}

/// Predictions of every single network for the validation clips, or for their segments.
pub(crate) fn member_predictions(
    bundle: &ModelBundle,
    data: &mut Dataset,
    plan: &SplitPlan,
    origin: Origin,
    condition: Option<Condition>,
    by_segment: bool,
) -> Result<Members> {
    let mut members = Vec::new();
    let mut examples: Option<Vec<(String, usize)>> = None;
    for (entry, weights) in bundle.manifest.models.iter().zip(&bundle.weights) {
        let manifest = Manifest {
            models: vec![entry.clone()],
            ensemble: EnsembleRule::default(),
            ..bundle.manifest.clone()
        };
        let alone = ModelBundle { manifest, weights: vec![weights.clone()] };
        let predictions = with_progress(&format!("predicting with {}", entry.name), |progress| {
            predict_part(&alone, data, &Measure { plan, origin, condition, progress }, Evaluated::Valid)
        })?;
        let rows = if by_segment { predictions.segments } else { predictions.tracks };
        let of: Vec<(String, usize)> = rows.iter().map(|(id, label, _)| (id.clone(), *label)).collect();
        ensure!(
            examples.get_or_insert_with(|| of.clone()) == &of,
            "{} could not predict the same clips as the networks before it",
            entry.name
        );
        members.push(rows.into_iter().map(|(_, _, log)| log).collect());
    }
    let (ids, labels) = examples.unwrap_or_default().into_iter().unzip();
    Ok(Members { members, labels, ids })
}

/// Evaluates several runs, or several cross-validations fold by fold, as one ensemble. In each fold the
/// rule is fitted to the validation clips, or to validation segments under the segment protocol.
///
/// Also returns the networks of the last fold, for a report.
///
/// # Errors
/// The runs have different splits or data, or have no validation clips.
pub fn measure(
    paths: &[PathBuf],
    data_folder: &Path,
    origin: Origin,
    kind: Option<Kind>,
) -> Result<(ModelBundle, Evaluation)> {
    let folds = folds_of(paths)?;
    let (mut segments, mut tracks) = (Vec::new(), Vec::new());
    let (mut seen, mut skipped, mut source, mut last) = (0, 0, String::new(), None);
    for (place, runs) in folds.iter().enumerate() {
        let (mut bundle, plan) = merged(runs)?;
        let mut data = open_data(&bundle, data_folder)?;
        let by_segment = plan.protocol == Protocol::Segment;
        let Members { members, labels, .. } =
            member_predictions(&bundle, &mut data, &plan, origin, None, by_segment)?;
        let classes = bundle.manifest.classes.len();
        let predictions = MemberPredictions { members: &members, labels: &labels, classes };
        bundle.manifest.ensemble = choose_rule(kind, false, labels.len(), &predictions)?.2;
        let words = format!("evaluating the ensemble, {} of {}", place + 1, folds.len());
        let predictions = with_progress(&words, |progress| {
            predict_part(
                &bundle,
                &mut data,
                &Measure { plan: &plan, origin, condition: None, progress },
                Evaluated::Test,
            )
        })?;
        segments.extend(predictions.segments.into_iter().map(ScoredExample::from));
        tracks.extend(predictions.tracks.into_iter().map(ScoredExample::from));
        seen += predictions.seen;
        skipped += predictions.skipped;
        source = predictions.source;
        last = Some((bundle, plan));
    }
    let (bundle, plan) = last.context("there are no runs to evaluate")?;
    let protocol = plan.protocol.name();
    let evaluation = Evaluation {
        protocol: if folds.len() > 1 { format!("{protocol}-{}-fold", folds.len()) } else { protocol.into() },
        source,
        seen_in_training: seen,
        skipped,
        ..evaluation_of(&bundle, plan, &segments, &tracks)?
    };
    Ok((bundle, evaluation))
}

/// The runs of each fold. Paths are all cross-validations, or all runs, which make one fold.
fn folds_of(paths: &[PathBuf]) -> Result<Vec<Vec<PathBuf>>> {
    let fold = |path: &Path, number: usize| path.join(format!("fold-{number}"));
    let crossed = paths.iter().filter(|path| is_cross_validation(path)).count();
    if crossed == 0 {
        return Ok(vec![paths.to_vec()]);
    }
    ensure!(crossed == paths.len(), "the paths mix runs and cross-validations");
    let count = |path: &PathBuf| (1..).take_while(|&number| RunFolder::is_run(&fold(path, number))).count();
    let counts: Vec<usize> = paths.iter().map(count).collect();
    let all = counts.first().copied().unwrap_or(0);
    ensure!(
        counts.iter().all(|&count| count == all),
        "the cross-validations have different numbers of folds: {counts:?}"
    );
    Ok((1..=all).map(|number| paths.iter().map(|path| fold(path, number)).collect()).collect())
}

/// Whether a folder is the output of `cratedigger crossval`.
pub fn is_cross_validation(path: &Path) -> bool {
    RunFolder::is_run(&path.join("fold-1"))
}

/// Runs as one bundle, and their common split.
fn merged(runs: &[PathBuf]) -> Result<(ModelBundle, SplitPlan)> {
    let mut merged: Option<(ModelBundle, SplitPlan)> = None;
    for path in runs {
        ensure!(RunFolder::is_run(path), "{} is not a run; several models must all be runs", path.display());
        let run = RunFolder::new(path);
        let (bundle, plan) = (ModelBundle::of_run(&run, Precision::Half)?, run.record()?.split);
        for entry in &bundle.manifest.models {
            ensure!(
                entry.training.data.valid_clips > 0,
                "{} has no validation clips to fit a rule to; train it without data.learn_from_validation, or export it and use `cratedigger combine`",
                path.display()
            );
        }
        let Some((all, first)) = &mut merged else {
            merged = Some((bundle, plan));
            continue;
        };
        ensure!(plan == *first, "{} was trained on another split than the runs before it", path.display());
        ensure!(bundle.manifest.classes == all.manifest.classes, "{} has other classes", path.display());
        for (entry, weights) in bundle.manifest.models.into_iter().zip(bundle.weights) {
            if all.manifest.models.iter().any(|other| other.name == entry.name) {
                bail!("two runs have the name {}; give one another name with --set name=…", entry.name);
            }
            all.manifest.models.push(entry);
            all.weights.push(weights);
        }
    }
    merged.context("there are no runs")
}
