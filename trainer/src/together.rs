//! Several runs judged as one: what an ensemble of them would be worth, under any protocol.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_zoo::{EnsembleRule, Manifest};

use crate::calibrate::{Kind, Predictions};
use crate::combine::choose_rule;
use crate::data::Dataset;
use crate::display::with_progress;
use crate::evaluate::{Evaluated, Evaluation, Loaded, Measure, Precision, judge_part, open_data};
use crate::material::Origin;
use crate::metrics::Judged;
use crate::run::RunFolder;
use crate::split::{Protocol, SplitPlan};

/// What every network says of the same clips or segments, and what these are.
pub(crate) struct Opinions {
    /// Log-probabilities, `[network][clip][class]`.
    pub(crate) members: Vec<Vec<Vec<f32>>>,
    /// The true classes.
    pub(crate) labels: Vec<usize>,
}

/// Asks every network by itself about the clips that things are chosen by, or about their segments.
pub(crate) fn opinions(
    loaded: &Loaded,
    data: &mut Dataset,
    plan: &SplitPlan,
    origin: Origin,
    by_segment: bool,
) -> Result<Opinions> {
    let mut members = Vec::new();
    let mut truth: Option<Vec<(String, usize)>> = None;
    for (entry, weights) in loaded.manifest.models.iter().zip(&loaded.weights) {
        let manifest = Manifest {
            models: vec![entry.clone()],
            ensemble: EnsembleRule::default(),
            ..loaded.manifest.clone()
        };
        let alone = Loaded { manifest, weights: vec![weights.clone()] };
        let judged = with_progress(&format!("asking {}", entry.name), |progress| {
            judge_part(&alone, data, &Measure { plan, origin, progress }, Evaluated::Valid)
        })?;
        let rows = if by_segment { judged.segments } else { judged.tracks };
        let of: Vec<(String, usize)> = rows.iter().map(|(id, class, _)| (id.clone(), *class)).collect();
        ensure!(
            truth.get_or_insert_with(|| of.clone()) == &of,
            "{} could not judge the same clips as the networks before it",
            entry.name
        );
        members.push(rows.into_iter().map(|(_, _, log)| log).collect());
    }
    let labels = truth.unwrap_or_default().into_iter().map(|(_, class)| class).collect();
    Ok(Opinions { members, labels })
}

/// Measures several runs, or several cross-validations fold by fold, as one. In each fold the rule is
/// fitted to the clips that the runs left to choose by: to whole clips, or to segments where these are
/// what is split.
///
/// Returns the networks of the last fold, too, for a report.
///
/// # Errors
/// The runs were not trained on the same part of the same data, or left nothing to choose by.
pub fn measure(
    paths: &[PathBuf],
    data_folder: &Path,
    origin: Origin,
    kind: Option<Kind>,
) -> Result<(Loaded, Evaluation)> {
    let folds = folds_of(paths)?;
    let (mut segments, mut tracks) = (Vec::new(), Vec::new());
    let (mut seen, mut skipped, mut source, mut last) = (0, 0, String::new(), None);
    for (place, runs) in folds.iter().enumerate() {
        let (mut loaded, plan) = merged(runs)?;
        let mut data = open_data(&loaded, data_folder)?;
        let opinions = opinions(&loaded, &mut data, &plan, origin, plan.protocol == Protocol::Segment)?;
        let predictions = Predictions {
            members: &opinions.members,
            labels: &opinions.labels,
            classes: loaded.manifest.classes.len(),
        };
        loaded.manifest.ensemble = choose_rule(kind, false, &predictions)?.2;
        let words = format!("measuring together, {} of {}", place + 1, folds.len());
        let judged = with_progress(&words, |progress| {
            judge_part(&loaded, &mut data, &Measure { plan: &plan, origin, progress }, Evaluated::Test)
        })?;
        segments.extend(judged.segments.into_iter().map(Judged::from));
        tracks.extend(judged.tracks.into_iter().map(Judged::from));
        seen += judged.seen;
        skipped += judged.skipped;
        source = judged.source;
        last = Some((loaded, plan));
    }
    let (loaded, plan) = last.context("there is nothing to measure")?;
    let protocol = plan.protocol.name();
    let evaluation = Evaluation {
        protocol: if folds.len() > 1 { format!("{protocol}-{}-fold", folds.len()) } else { protocol.into() },
        source,
        seen_in_training: seen,
        skipped,
        ..Evaluation::of(&loaded, plan, &segments, &tracks)?
    };
    Ok((loaded, evaluation))
}

/// The runs of each fold: of cross-validations as many as they have, else one.
fn folds_of(paths: &[PathBuf]) -> Result<Vec<Vec<PathBuf>>> {
    let fold = |path: &Path, number: usize| path.join(format!("fold-{number}"));
    let crossed = paths.iter().filter(|path| is_cross_validation(path)).count();
    if crossed == 0 {
        return Ok(vec![paths.to_vec()]);
    }
    ensure!(crossed == paths.len(), "some of these are runs, some are cross-validations");
    let count = |path: &PathBuf| (1..).take_while(|&number| RunFolder::is_run(&fold(path, number))).count();
    let counts: Vec<usize> = paths.iter().map(count).collect();
    let all = counts.first().copied().unwrap_or(0);
    ensure!(counts.iter().all(|&count| count == all), "they have different numbers of folds: {counts:?}");
    Ok((1..=all).map(|number| paths.iter().map(|path| fold(path, number)).collect()).collect())
}

/// Whether a folder is what `cratedigger crossval` makes.
pub fn is_cross_validation(path: &Path) -> bool {
    RunFolder::is_run(&path.join("fold-1"))
}

/// Runs as one set of networks, and the split that they all were trained on.
fn merged(runs: &[PathBuf]) -> Result<(Loaded, SplitPlan)> {
    let mut merged: Option<(Loaded, SplitPlan)> = None;
    for path in runs {
        ensure!(RunFolder::is_run(path), "{} is no run: several at once must be runs", path.display());
        let run = RunFolder::new(path);
        let (loaded, plan) = (Loaded::of_run(&run, Precision::Half)?, run.record()?.split);
        for entry in &loaded.manifest.models {
            ensure!(
                entry.training.data.valid_clips > 0,
                "{} left no clips to fit a rule to; train it without data.learn_from_validation, or export it and use `cratedigger combine`",
                path.display()
            );
        }
        let Some((all, first)) = &mut merged else {
            merged = Some((loaded, plan));
            continue;
        };
        ensure!(plan == *first, "{} was trained on another split than those before it", path.display());
        ensure!(loaded.manifest.classes == all.manifest.classes, "{} has other classes", path.display());
        for (entry, weights) in loaded.manifest.models.into_iter().zip(loaded.weights) {
            if all.manifest.models.iter().any(|other| other.name == entry.name) {
                bail!("two of the runs are called {}; give one another with --set name=…", entry.name);
            }
            all.manifest.models.push(entry);
            all.weights.push(weights);
        }
    }
    merged.context("there are no runs")
}
