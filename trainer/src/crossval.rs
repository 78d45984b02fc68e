//! Cross-validation: as many runs as folds, each clip measured once by a network that has not seen it.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::compare::{model_report, write_report};
use crate::data::Dataset;
use crate::display::with_progress;
use crate::evaluate::{Evaluated, Evaluation, Loaded, Measure, Precision, judge_part, open_data};
use crate::metrics::{FoldScore, Judged, Scores, mean_and_deviation};
use crate::run::{RunFolder, read_json, write_atomically};
use crate::split::Protocol;
use crate::train::{Options, train};

/// What `crossval --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossValidation {
    /// All folds' test clips together.
    pub evaluation: Evaluation,
    /// Fold by fold.
    pub folds: Vec<FoldScore>,
    /// Mean and sample standard deviation of the folds' accuracies over clips.
    pub track_accuracy: (f64, f64),
    /// The same over segments.
    pub segment_accuracy: (f64, f64),
}

/// What one fold's network said of its test clips; kept so that a run that was stopped goes on.
#[derive(Serialize, Deserialize)]
struct FoldJudgements {
    source: String,
    segments: Vec<Judged>,
    tracks: Vec<Judged>,
    skipped: usize,
    /// Clips that weights to begin with had seen.
    #[serde(default)]
    seen: usize,
}

/// Trains and measures all folds; `options` holds the folder of all of them and the number of folds.
/// With `resume`, folds that are done are not done again.
///
/// # Errors
/// As [`train`]; `folds` is missing in the configuration.
pub fn cross_validate(options: Options, data: &Path) -> Result<CrossValidation> {
    let folds = options.config.data.folds.context("cross-validation needs data.folds, or --folds")?;
    ensure!(
        options.config.data.split == Protocol::Track && options.config.data.index.is_none(),
        "cross-validation needs data.split = \"track\" and no data.index"
    );
    let mut options = options;
    let folder = options.folder.clone();
    let (mut segments, mut tracks, mut scores) = (Vec::new(), Vec::new(), Vec::new());
    let (mut skipped, mut seen, mut source, mut last) = (0, 0, String::new(), None);
    for fold in 0..folds {
        options.config.data.fold = fold;
        options.folder = folder.join(format!("fold-{}", fold + 1));
        let judged = one_fold(&mut options, data, fold)?;
        let loaded = Loaded::of_run(&RunFolder::new(&options.folder), Precision::Half)?;
        let classes = &loaded.manifest.classes;
        let (by_segment, by_track) =
            (Scores::of(classes, &judged.segments)?, Scores::of(classes, &judged.tracks)?);
        scores.push(FoldScore {
            fold: fold + 1,
            tracks: by_track.n,
            track_accuracy: by_track.accuracy,
            track_f1: by_track.macro_average.f1,
            segments: by_segment.n,
            segment_accuracy: by_segment.accuracy,
        });
        segments.extend(judged.segments);
        tracks.extend(judged.tracks);
        skipped += judged.skipped;
        seen += judged.seen;
        source = judged.source;
        last = Some(loaded);
    }
    let loaded = last.context("there are no folds")?;
    let of = |value: fn(&FoldScore) -> f64| mean_and_deviation(&scores.iter().map(value).collect::<Vec<_>>());
    let plan = RunFolder::new(&options.folder).record()?.split;
    let result = CrossValidation {
        evaluation: Evaluation {
            protocol: format!("{}-{folds}-fold", plan.protocol.name()),
            source,
            skipped,
            seen_in_training: seen,
            ..Evaluation::of(&loaded, plan, &segments, &tracks)?
        },
        track_accuracy: of(|f| f.track_accuracy),
        segment_accuracy: of(|f| f.segment_accuracy),
        folds: scores,
    };
    write_atomically(&folder.join("crossval.json"), &serde_json::to_vec_pretty(&result)?)?;
    let mut report = model_report(&loaded, &result.evaluation, None)?;
    report.protocol = format!("{}, {folds} folds", result.evaluation.split.protocol.name());
    report.folds = result.folds.clone();
    write_report(&folder.join("crossval.html"), &report.name.clone(), &[report])?;
    Ok(result)
}

fn one_fold(options: &mut Options, data: &Path, fold: usize) -> Result<FoldJudgements> {
    let kept = options.folder.join("judgements.json");
    if options.resume && kept.is_file() {
        return read_json(&kept);
    }
    let mut dataset = Dataset::open(data)?;
    // A fold that was not begun has nothing to resume, which is no mistake.
    train(options, &mut dataset).with_context(|| format!("fold {}", fold + 1))?;
    let run = RunFolder::new(&options.folder);
    ensure!(run.state()?.is_some_and(|s| s.finished), "fold {} was stopped; go on with --resume", fold + 1);
    let loaded = Loaded::of_run(&run, Precision::Half)?;
    let plan = run.record()?.split;
    let mut dataset = open_data(&loaded, data)?;
    let origin = options.config.data.source;
    let judged = with_progress(&format!("measuring fold {}", fold + 1), |progress| {
        judge_part(&loaded, &mut dataset, &Measure { plan: &plan, origin, progress }, Evaluated::Test)
    })?;
    let judged = FoldJudgements {
        source: judged.source,
        skipped: judged.skipped,
        seen: judged.seen,
        segments: judged.segments.into_iter().map(Judged::from).collect(),
        tracks: judged.tracks.into_iter().map(Judged::from).collect(),
    };
    write_atomically(&kept, &serde_json::to_vec(&judged)?)?;
    Ok(judged)
}

/// `cratedigger crossval`.
///
/// # Errors
/// See [`cross_validate`].
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
pub fn command(options: Options, data: &Path, json: bool) -> Result<()> {
    let folder = options.folder.clone();
    let result = cross_validate(options, data)?;
    if json {
        println!("{}", serde_json::to_string(&result)?);
        return Ok(());
    }
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    for fold in &result.folds {
        println!(
            "fold {}  clips {} of {}  segments {} of {}",
            fold.fold,
            percent(fold.track_accuracy),
            fold.tracks,
            percent(fold.segment_accuracy),
            fold.segments
        );
    }
    let track = &result.evaluation.track;
    println!(
        "all     clips {} of {} (95 %: {} to {}); folds {} ± {}",
        percent(track.accuracy),
        track.n,
        percent(track.interval[0]),
        percent(track.interval[1]),
        percent(result.track_accuracy.0),
        percent(result.track_accuracy.1)
    );
    eprintln!("report: {}", folder.join("crossval.html").display());
    Ok(())
}
