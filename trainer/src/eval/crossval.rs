//! Cross-validation: one run per fold, each clip tested once by a network that was not trained on it.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::bundle::{ModelBundle, Precision};
use super::evaluation::{Evaluated, Measure, evaluation_of, open_data, predict_part};
use crate::data::Dataset;
use crate::data::split::Protocol;
use crate::files::{read_json, write_atomically};
use crate::metrics::{FoldScore, ScoredExample, Scores, mean_and_deviation};
use crate::progress::with_progress;
use crate::store::{Evaluation, RunFolder};
use crate::train::{Options, train};

/// Result of a cross-validation: `crossval.json`, and the output of `crossval --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossValidation {
    /// Metrics over the test clips of all folds.
    pub evaluation: Evaluation,
    /// Metrics of each fold.
    pub folds: Vec<FoldScore>,
    /// Mean and sample standard deviation over folds of the accuracy over clips.
    pub track_accuracy: (f64, f64),
    /// Mean and sample standard deviation over folds of the accuracy over segments.
    pub segment_accuracy: (f64, f64),
}

/// Predictions of a fold's network for its test clips. Stored, so that a stopped cross-validation
/// continues.
#[derive(Serialize, Deserialize)]
struct FoldPredictions {
    source: String,
    segments: Vec<ScoredExample>,
    tracks: Vec<ScoredExample>,
    skipped: usize,
    /// Number of clips known to the initial weights.
    #[serde(default)]
    seen: usize,
}

/// Trains and evaluates all folds and stores the result. `options` has the folder of the cross-validation
/// and the number of folds. With `resume`, finished folds are not repeated.
///
/// Also returns the network of the last fold, for a report.
///
/// # Errors
/// As [`train`], or `folds` is missing in the configuration.
pub fn cross_validate(mut options: Options, data: &Path) -> Result<(CrossValidation, ModelBundle)> {
    let folds = options.config.data.folds.context("cross-validation needs data.folds, or --folds")?;
    ensure!(
        options.config.data.split == Protocol::Track && options.config.data.index.is_none(),
        "cross-validation needs data.split = \"track\" and no data.index"
    );
    let folder = options.folder.clone();
    let (mut segments, mut tracks, mut scores) = (Vec::new(), Vec::new(), Vec::new());
    let (mut skipped, mut seen, mut source, mut last) = (0, 0, String::new(), None);
    for fold in 0..folds {
        options.config.data.fold = fold;
        options.folder = folder.join(format!("fold-{}", fold + 1));
        let predictions = one_fold(&options, data, fold)?;
        let bundle = ModelBundle::of_run(&RunFolder::new(&options.folder), Precision::Half)?;
        let classes = &bundle.manifest.classes;
        let by_segment = Scores::of(classes, &predictions.segments)?;
        let by_track = Scores::of(classes, &predictions.tracks)?;
        scores.push(FoldScore {
            fold: fold + 1,
            tracks: by_track.n,
            track_accuracy: by_track.accuracy,
            track_f1: by_track.macro_average.f1,
            segments: by_segment.n,
            segment_accuracy: by_segment.accuracy,
        });
        segments.extend(predictions.segments);
        tracks.extend(predictions.tracks);
        skipped += predictions.skipped;
        seen += predictions.seen;
        source = predictions.source;
        last = Some(bundle);
    }
    let bundle = last.context("there are no folds")?;
    let of = |value: fn(&FoldScore) -> f64| mean_and_deviation(&scores.iter().map(value).collect::<Vec<_>>());
    let plan = RunFolder::new(&options.folder).record()?.split;
    let result = CrossValidation {
        evaluation: Evaluation {
            protocol: format!("{}-{folds}-fold", plan.protocol.name()),
            source,
            skipped,
            seen_in_training: seen,
            ..evaluation_of(&bundle, plan, &segments, &tracks)?
        },
        track_accuracy: of(|f| f.track_accuracy),
        segment_accuracy: of(|f| f.segment_accuracy),
        folds: scores,
    };
    write_atomically(&folder.join("crossval.json"), &serde_json::to_vec_pretty(&result)?)?;
    Ok((result, bundle))
}

fn one_fold(options: &Options, data: &Path, fold: usize) -> Result<FoldPredictions> {
    let kept = options.folder.join("judgements.json");
    if options.resume && kept.is_file() {
        return read_json(&kept);
    }
    let mut dataset = Dataset::open(data)?;
    // A fold that was not started has nothing to resume, which is not an error.
    train(options, &mut dataset).with_context(|| format!("fold {}", fold + 1))?;
    let run = RunFolder::new(&options.folder);
    ensure!(
        run.state()?.is_some_and(|s| s.finished),
        "fold {} was stopped; continue with --resume",
        fold + 1
    );
    let bundle = ModelBundle::of_run(&run, Precision::Half)?;
    let plan = run.record()?.split;
    let mut dataset = open_data(&bundle, data)?;
    let origin = options.config.data.source;
    let predictions = with_progress(&format!("evaluating fold {}", fold + 1), |progress| {
        predict_part(
            &bundle,
            &mut dataset,
            &Measure { plan: &plan, origin, condition: None, progress },
            Evaluated::Test,
        )
    })?;
    let predictions = FoldPredictions {
        source: predictions.source,
        skipped: predictions.skipped,
        seen: predictions.seen,
        segments: predictions.segments.into_iter().map(ScoredExample::from).collect(),
        tracks: predictions.tracks.into_iter().map(ScoredExample::from).collect(),
    };
    write_atomically(&kept, &serde_json::to_vec(&predictions)?)?;
    Ok(predictions)
}
