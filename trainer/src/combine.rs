//! How the networks of a folder decide together: a rule fitted to validation clips, and the confidence
//! under which the answer is *none of these*.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use comfy_table::CellAlignment;
use cratedigger_zoo::{EnsembleRule, Manifest};
use serde::Serialize;

use crate::calibrate::{Kind, Predictions, Threshold, fit_rule, fit_threshold, negative_log_likelihood};
use crate::compare::table;
use crate::display::{progress_bar, with_progress};
use crate::evaluate::{Loaded, Measure, evaluate, manifest_of, metrics, open_data, plan_of};
use crate::material::Origin;
use crate::metrics::mean_and_deviation;
use crate::other;
use crate::report::threshold_svg;
use crate::split::SplitPlan;
use crate::together::{Opinions, opinions};
use crate::train::argmax;

/// Parts that the validation clips are cut into to compare rules on clips they were not fitted to.
const FOLDS: usize = 5;
/// Shares of the weight that all members have alike which are tried; see [`fit_rule`].
const EVENNESS: [f64; 3] = [0.0, 0.5, 1.0];
/// Seconds of each sound that is no music.
const OTHER_SECONDS: f64 = 12.0;
/// Sounds of each kind.
const OTHER_EACH: usize = 12;

/// What `cratedigger combine` is asked for.
#[derive(clap::Args)]
pub struct Command {
    /// Their manifest (.json), or its folder
    #[arg(default_value = "models")]
    pub models: PathBuf,
    /// The data set: the rule is fitted to its validation clips, and measured on its test clips
    #[arg(long)]
    pub data: PathBuf,
    /// The rule [default: the one that does best on validation clips left out]
    #[arg(long, value_enum)]
    pub rule: Option<Kind>,
    /// A run to fit by, in place of the exported network of the same name, which learned from the
    /// validation clips; may be repeated
    #[arg(long = "twin", value_name = "RUN")]
    pub twins: Vec<PathBuf>,
    /// Share of the music that may be refused at most, as none of the classes
    #[arg(long, default_value_t = 0.05)]
    pub refuse: f64,
    /// Seed of the sounds that are no music
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A manifest beside it, for the first answer, of which this becomes the full one
    #[arg(long, value_name = "MANIFEST")]
    pub full_of: Option<PathBuf>,
    /// What `evaluate --json` printed of networks like these that were trained for another split, or
    /// the folder of a cross-validation, to stand in the manifest beside the rest; may be repeated
    #[arg(long, value_name = "FILE")]
    pub measured: Vec<PathBuf>,
}

/// How a rule does on validation clips that it was not fitted to.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// The rule.
    pub kind: Kind,
    /// Share of the weight that all members have alike; see [`fit_rule`].
    pub evenness: f64,
    /// Share named rightly.
    pub accuracy: f64,
    /// Mean negative log-likelihood, in nats.
    pub loss: f64,
    /// The same of each example.
    #[serde(skip)]
    pub losses: Vec<f64>,
}

/// What was found out, as it is kept beside the manifest.
#[derive(Debug, Serialize)]
struct Record<'a> {
    split: SplitPlan,
    clips: usize,
    fitted_by: Vec<String>,
    candidates: &'a [Candidate],
    rule: &'a EnsembleRule,
    refuse_at_most: f64,
    seed: u64,
    threshold: &'a Threshold,
    refused_by_kind: BTreeMap<&'static str, f64>,
}

/// `cratedigger combine`: fits the rule, chooses the threshold, measures all networks together on the
/// test clips, and writes what came out into the manifest. Of `manifest.json`, `manifest-rule.json`
/// beside it has the figures, and `manifest-none-of-these.svg` the curve.
///
/// # Errors
/// There is no manifest, a network has learned from the validation clips and no twin of it was named,
/// or the data do not fit.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
pub fn command(command: &Command) -> Result<()> {
    ensure!((0.0..1.0).contains(&command.refuse), "--refuse is a share, 0…1");
    let manifest_path = manifest_of(&command.models);
    let shipped = Loaded::open(&manifest_path)?;
    let plan = plan_of(&shipped, None, None)?;
    let fitting = with_twins(&shipped, &command.twins)?;
    let mut data = open_data(&shipped, &command.data)?;

    let Opinions { members, labels } = opinions(&fitting, &mut data, &plan, Origin::Auto, false)?;
    let predictions =
        Predictions { members: &members, labels: &labels, classes: shipped.manifest.classes.len() };
    // A stack is fitted to one network's own confusions, and those of its twin are others.
    let stack = command.twins.is_empty();
    let (candidates, taken, mut rule) = choose_rule(command.rule, stack, &predictions)?;

    let music: Vec<f32> = (0..labels.len())
        .map(|clip| {
            let of_clip: Vec<&[f32]> = members.iter().map(|m| m[clip].as_slice()).collect();
            rule.decide(&rule.combine(&of_clip)).confidence
        })
        .collect();
    let (kinds, other) = confidences_of_other(&fitting, &rule, command.seed)?;
    let threshold = fit_threshold(&music, &other, command.refuse)?;
    rule.none_below = Some(threshold.chosen.threshold);

    let mut manifest = shipped.manifest.clone();
    manifest.ensemble = rule;
    let together = Loaded { manifest: manifest.clone(), weights: shipped.weights.clone() };
    let evaluation = with_progress("measuring all networks together", |progress| {
        evaluate(&together, &mut data, &Measure { plan: &plan, origin: Origin::Auto, progress })
    })?;
    manifest.metrics = metrics(&evaluation);
    for path in &command.measured {
        let other = crate::compare::kept_evaluation(path)?
            .with_context(|| format!("{} is not what `evaluate --json` prints", path.display()))?;
        ensure!(other.classes == manifest.classes, "{} has other classes", path.display());
        ensure!(
            manifest.metrics.iter().all(|metric| metric.protocol != other.protocol),
            "{}: there are figures of the {} protocol already",
            path.display(),
            other.protocol
        );
        manifest.metrics.extend(metrics(&other));
    }

    let mut refused: BTreeMap<&'static str, Vec<bool>> = BTreeMap::new();
    for (kind, confidence) in kinds.iter().zip(&other) {
        refused.entry(kind).or_default().push(*confidence < threshold.chosen.threshold);
    }
    let share = |of: &Vec<bool>| of.iter().filter(|refused| **refused).count() as f64 / of.len() as f64;
    let record = Record {
        split: plan,
        clips: labels.len(),
        fitted_by: fitting.manifest.models.iter().map(|m| m.training.command.clone()).collect(),
        candidates: &candidates,
        rule: &manifest.ensemble,
        refuse_at_most: command.refuse,
        seed: command.seed,
        threshold: &threshold,
        refused_by_kind: refused.iter().map(|(kind, of)| (*kind, share(of))).collect(),
    };
    let mut json = serde_json::to_vec_pretty(&manifest)?;
    json.push(b'\n');
    Manifest::parse(&json)?;
    // manifest.json: manifest-rule.json, so that two manifests of one folder do not share theirs.
    let beside = |ending: &str| {
        let stem = manifest_path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("manifest");
        manifest_path.with_file_name(format!("{stem}-{ending}"))
    };
    write(&beside("none-of-these.svg"), threshold_svg(&threshold).as_bytes())?;
    write(&beside("rule.json"), &serde_json::to_vec_pretty(&record)?)?;
    write(&manifest_path, &json)?;
    if let Some(path) = &command.full_of {
        name_as_full(path, &manifest_path, &manifest)?;
    }

    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut table = table(&["rule", "equal weight", "accuracy", "loss"]);
    for (index, candidate) in candidates.iter().enumerate() {
        table.add_row([
            format!("{}{}", name(candidate.kind), if index == taken { " (taken)" } else { "" }),
            format!("{:.0} %", 100.0 * candidate.evenness),
            percent(candidate.accuracy),
            format!("{:.3}", candidate.loss),
        ]);
    }
    for column in 1..4 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{table}\nof {} validation clips, each left out of the fit that judged it", labels.len());
    println!(
        "none of these below {:.3}: refuses {} of the music and {} of {} other sounds (area under the curve {:.3})",
        threshold.chosen.threshold,
        percent(threshold.chosen.music_refused),
        percent(threshold.chosen.other_refused),
        other.len(),
        threshold.area,
    );
    for (kind, share) in &record.refused_by_kind {
        println!("  {kind}: {}", percent(*share));
    }
    let track = &evaluation.track;
    println!(
        "{}: {} of {} clips (95 %: {} to {}), {} of {} segments",
        evaluation.split.describe(),
        percent(track.accuracy),
        track.n,
        percent(track.interval[0]),
        percent(track.interval[1]),
        percent(evaluation.segment.accuracy),
        evaluation.segment.n
    );
    if evaluation.seen_in_training > 0 {
        eprintln!("warning: {} of these clips were learned from", evaluation.seen_in_training);
    }
    Ok(())
}

/// Writes into a manifest that there is a fuller one beside it.
fn name_as_full(path: &Path, full: &Path, of: &Manifest) -> Result<()> {
    let path = manifest_of(path);
    let read = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut first = Manifest::parse(&read).with_context(|| path.display().to_string())?;
    ensure!(path.parent() == full.parent() && path != full, "--full-of names another manifest beside it");
    ensure!(first.classes == of.classes, "{} has other classes", path.display());
    first.full = full.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let mut json = serde_json::to_vec_pretty(&first)?;
    json.push(b'\n');
    write(&path, &json)
}

/// The networks to fit the rule by: those of the manifest, or runs that differ in nothing but that they
/// left the validation clips alone.
fn with_twins(shipped: &Loaded, twins: &[PathBuf]) -> Result<Loaded> {
    let mut fitting = shipped.clone();
    let mut by_name: BTreeMap<String, Loaded> = BTreeMap::new();
    for path in twins {
        let twin = Loaded::open(path)?;
        let name = twin.manifest.models.first().context("a run has one model")?.name.clone();
        ensure!(by_name.insert(name.clone(), twin).is_none(), "two of the twins are called {name}");
    }
    for (entry, weights) in fitting.manifest.models.iter_mut().zip(&mut fitting.weights) {
        if let Some(twin) = by_name.remove(&entry.name) {
            let model = twin.manifest.models.into_iter().next().context("a run has one model")?;
            ensure!(
                model.input_spec == entry.input_spec && model.architecture == entry.architecture,
                "{}: the twin is another network",
                entry.name
            );
            *entry = model;
            *weights = twin.weights.into_iter().next().context("a run has weights")?;
        }
        ensure!(
            entry.training.data.valid_clips > 0,
            "{} learned from the validation clips, and a rule fitted to them would believe it too much; train it again without data.learn_from_validation, and name that run by --twin",
            entry.name
        );
    }
    if let Some(name) = by_name.keys().next() {
        bail!("no network of the manifest is called {name}, as one of the twins is");
    }
    Ok(fitting)
}

/// The rule that does best on examples left out of its fit, of one kind or of all, with how all of them
/// do and which of them it is. Of its kind, the most even weights are taken that do no worse than by one
/// standard error of the difference (Breiman et al. 1984, "Classification and regression trees").
pub(crate) fn choose_rule(
    kind: Option<Kind>,
    stack: bool,
    predictions: &Predictions<'_>,
) -> Result<(Vec<Candidate>, usize, EnsembleRule)> {
    let kinds: &[Kind] = match (predictions.members.len(), stack) {
        // Of one network, all of them are its own temperature.
        (1, _) => &[Kind::Product],
        (_, false) => &[Kind::Sum, Kind::Product, Kind::Vote],
        (_, true) => &[Kind::Sum, Kind::Product, Kind::Vote, Kind::Stack],
    };
    let mut candidates = Vec::new();
    for &kind in kinds {
        let weighted = predictions.members.len() > 1 && kind != Kind::Stack;
        for &evenness in if weighted { &EVENNESS[..] } else { &[0.0] } {
            candidates.push(left_out(kind, evenness, predictions)?);
        }
    }
    let allowed = |candidate: &Candidate| kind.is_none_or(|kind| candidate.kind == kind);
    let best = (candidates.iter())
        .filter(|candidate| allowed(candidate) || predictions.members.len() == 1)
        .min_by(|a, b| a.loss.total_cmp(&b.loss))
        .context("stacking needs networks that left the validation clips alone")?;
    let (taken, best) = (candidates.iter().enumerate())
        .filter(|(_, other)| other.kind == best.kind && no_worse(&other.losses, &best.losses))
        .max_by(|(_, a), (_, b)| a.evenness.total_cmp(&b.evenness))
        .context("the best is no worse than itself")?;
    let rule = fit_rule(best.kind, best.evenness, predictions)?;
    Ok((candidates, taken, rule))
}

/// Whether losses are higher by no more than one standard error of the difference.
fn no_worse(losses: &[f64], best: &[f64]) -> bool {
    let differences: Vec<f64> = losses.iter().zip(best).map(|(a, b)| a - b).collect();
    let (mean, deviation) = mean_and_deviation(&differences);
    mean <= deviation / (differences.len() as f64).sqrt()
}

/// How a rule does on examples that it was not fitted to.
fn left_out(kind: Kind, evenness: f64, predictions: &Predictions<'_>) -> Result<Candidate> {
    let Predictions { members, labels, classes } = *predictions;
    let mut combined = vec![Vec::new(); labels.len()];
    for fold in 0..FOLDS {
        // Clips come in the order of their classes: every fold has some of each.
        let out = |clip: usize| clip % FOLDS == fold;
        let pick = |wanted: bool| (0..labels.len()).filter(move |clip| out(*clip) == wanted);
        let kept: Vec<Vec<Vec<f32>>> =
            members.iter().map(|m| pick(false).map(|clip| m[clip].clone()).collect()).collect();
        let of_kept: Vec<usize> = pick(false).map(|clip| labels[clip]).collect();
        let rule = fit_rule(kind, evenness, &Predictions { members: &kept, labels: &of_kept, classes })?;
        for clip in pick(true) {
            combined[clip] = rule.combine(&members.iter().map(|m| m[clip].as_slice()).collect::<Vec<_>>());
        }
    }
    let right = combined.iter().zip(labels).filter(|(log, label)| argmax(log) == **label).count();
    Ok(Candidate {
        kind,
        evenness,
        accuracy: right as f64 / labels.len() as f64,
        loss: negative_log_likelihood(&combined, labels, 1.0),
        losses: combined
            .iter()
            .zip(labels)
            .map(|(log, &label)| negative_log_likelihood(std::slice::from_ref(log), &[label], 1.0))
            .collect(),
    })
}

/// How sure the networks are of sounds that are no music, and what these are.
fn confidences_of_other(
    loaded: &Loaded,
    rule: &EnsembleRule,
    seed: u64,
) -> Result<(Vec<&'static str>, Vec<f32>)> {
    let mut analyser = loaded.analyser()?;
    let sounds = other::sounds(analyser.sample_rate(), OTHER_SECONDS, OTHER_EACH, seed);
    let bar = progress_bar(sounds.len() as u64, "sounds that are no music");
    let (mut kinds, mut confidences) = (Vec::new(), Vec::new());
    for sound in sounds {
        let segments = analyser.segments(sound.samples.len());
        let judged = pollster::block_on(analyser.judge(&sound.samples, &segments))?;
        let members: Vec<Vec<Vec<f32>>> = judged.into_iter().flatten().map(|j| j.members).collect();
        bar.inc(1);
        if members.is_empty() {
            continue; // silence: refused before any network hears it
        }
        kinds.push(sound.kind);
        confidences.push(rule.decide(&rule.song(members.iter().map(Vec::as_slice))).confidence);
    }
    bar.finish_and_clear();
    Ok((kinds, confidences))
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Sum => "sum",
        Kind::Product => "product",
        Kind::Vote => "vote",
        Kind::Stack => "stack",
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}
