//! Fits the decision rule of an ensemble to validation clips, with the threshold of *none of these*.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_zoo::{EnsembleRule, Manifest, Prediction, Signals, argmax, of_classes};
use serde::Serialize;

use super::bundle::ModelBundle;
use super::calibrate::{
    Kind, MemberPredictions, Threshold, fit_rule, fit_temperature, fit_threshold, negative_log_likelihood,
};
use super::evaluation::{Measure, evaluate, evaluate_conditions, open_data, plan_of};
use super::kept::kept_evaluation;
use super::pool::{Members, member_predictions};
use super::rejection::{Rejection, Sounds, fit_rejection};
use crate::data::conditions::Condition;
use crate::data::examples::Origin;
use crate::data::split::SplitPlan;
use crate::data::{Dataset, non_music};
use crate::files::write;
use crate::metrics::mean_and_deviation;
use crate::progress::{progress_bar, with_progress};
use crate::store::{Evaluation, manifest_of};

/// Cross-validation folds of the validation clips, to compare rules on clips that they were not fitted to.
const FOLDS: usize = 5;
/// Values of `evenness` to try; see [`fit_rule`].
const EVENNESS: [f64; 3] = [0.0, 0.5, 1.0];
/// Length of each non-music sound in seconds.
const NON_MUSIC_SECONDS: f64 = 12.0;
/// Non-music sounds per kind.
const NON_MUSIC_EACH: usize = 12;

/// Input of [`combine`].
#[derive(Clone, Debug)]
pub struct Request {
    /// The manifest of the networks, or its folder.
    pub models: PathBuf,
    /// The data set's folder.
    pub data: PathBuf,
    /// The rule; the best on held-out validation clips if missing.
    pub rule: Option<Kind>,
    /// Runs that replace the network of the same name while the rule is fitted.
    pub twins: Vec<PathBuf>,
    /// Source of the validation and test clips.
    pub source: Origin,
    /// Whether the rule is fitted to the validation clips under each condition, too, and evaluated under
    /// each.
    pub conditions: bool,
    /// Threshold of the non-music probability, for networks that predict non-music. It replaces the
    /// confidence threshold.
    pub non_music_above: Option<f32>,
    /// Folder of sounds that are no music, to choose the threshold of the non-music probability from, with
    /// runs that were each trained without some kinds of them.
    pub other: Option<(PathBuf, Vec<PathBuf>)>,
    /// Maximum fraction of music that may be refused.
    pub refuse: f64,
    /// Seed of the non-music sounds.
    pub seed: u64,
    /// A manifest beside the networks' manifest, which becomes its full one.
    pub full_of: Option<PathBuf>,
    /// Further evaluations for the manifest: outputs of `evaluate --json` or cross-validations.
    pub measured: Vec<PathBuf>,
}

/// Metrics of a rule on validation clips that it was not fitted to.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// The rule.
    pub kind: Kind,
    /// Fraction of the weight that is equal for all members; see [`fit_rule`].
    pub evenness: f64,
    /// Accuracy on the clips as they are.
    pub accuracy: f64,
    /// Mean negative log-likelihood in nats, over all conditions.
    pub loss: f64,
    /// Negative log-likelihood of each clip in nats, the mean over all conditions.
    #[serde(skip)]
    pub losses: Vec<f64>,
}

/// The fitted rule with all figures of the fit. `manifest-rule.json` beside `manifest.json`.
#[derive(Debug, Serialize)]
pub struct Combined {
    split: SplitPlan,
    /// Number of validation clips.
    pub clips: usize,
    /// Conditions under which the rule was fitted to these clips, besides as they are.
    pub conditions: Vec<&'static str>,
    fitted_by: Vec<String>,
    /// All candidates.
    pub candidates: Vec<Candidate>,
    rule: EnsembleRule,
    refuse_at_most: f64,
    seed: u64,
    /// The threshold of *none of these*.
    pub threshold: Threshold,
    /// The threshold of the non-music probability, if real sounds were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
    /// Fraction of refused sounds by kind of non-music.
    pub refused_by_kind: BTreeMap<&'static str, f64>,
    /// Index of the selected candidate.
    #[serde(skip)]
    pub selected: usize,
    /// Number of non-music sounds.
    #[serde(skip)]
    pub sounds: usize,
    /// Metrics of the ensemble on the test clips.
    #[serde(skip)]
    pub evaluation: Evaluation,
    /// The networks' manifest with the rule.
    #[serde(skip)]
    pub manifest: Manifest,
    /// The path of the networks' manifest.
    #[serde(skip)]
    pub manifest_path: PathBuf,
}

/// Fits the rule, chooses the threshold, and evaluates all networks together on the test clips. Writes
/// nothing; see [`Combined::write`].
///
/// # Errors
/// There is no manifest, a network was trained on the validation clips and has no twin, or the data do not
/// fit.
pub fn combine(request: &Request) -> Result<Combined> {
    ensure!((0.0..1.0).contains(&request.refuse), "--refuse must be in 0…1");
    let manifest_path = manifest_of(&request.models);
    let shipped = ModelBundle::open(&manifest_path)?;
    let plan = plan_of(&shipped, None, None)?;
    let fitting = with_twins(&shipped, &request.twins)?;
    let mut data = open_data(&shipped, &request.data)?;

    let conditions: &[Condition] = if request.conditions { &Condition::ALL } else { &[] };
    let (Members { members, labels, .. }, clips) =
        validation_clips(&fitting, &mut data, &plan, request.source, conditions)?;
    let predictions =
        MemberPredictions { members: &members, labels: &labels, classes: shipped.manifest.classes.len() };
    // A stacked combiner is fitted to the confusions of a network, and a twin has others.
    let stack = request.twins.is_empty();
    let (candidates, selected, mut rule) = choose_rule(request.rule, stack, clips, &predictions)?;

    let music: Vec<f32> = (0..clips)
        .map(|clip| {
            let of_clip: Vec<&[f32]> = members.iter().map(|m| m[clip].as_slice()).collect();
            rule.decide(&rule.combine(&of_clip)).confidence
        })
        .collect();
    let (kinds, other) = confidences_of_non_music(&fitting, &rule, request.seed)?;
    let threshold = fit_threshold(&music, &other, request.refuse)?;
    let rejection = match &request.other {
        Some((folder, left_out)) => {
            let sounds = Sounds { folder, left_out, conditions, refuse: request.refuse };
            Some(fit_rejection(&fitting, &data, &plan, &sounds)?)
        }
        None => None,
    };
    rule.non_music_above = rejection.as_ref().map(|rejection| rejection.above).or(request.non_music_above);
    rule.none_below = rule.non_music_above.is_none().then_some(threshold.chosen.threshold);

    let manifest = Manifest { ensemble: rule.clone(), ..shipped.manifest.clone() };
    let ensemble = ModelBundle { manifest: manifest.clone(), weights: shipped.weights.clone() };
    let mut evaluation = with_progress("evaluating the ensemble", |progress| {
        let measure = Measure { plan: &plan, origin: request.source, condition: None, progress };
        evaluate(&ensemble, &mut data, &measure)
    })?;
    if request.conditions {
        evaluation.conditions = with_progress("evaluating under conditions", |progress| {
            evaluate_conditions(&ensemble, &mut data, &plan, progress)
        })?;
    }
    let mut manifest = with_metrics(manifest, &evaluation, &request.measured)?;
    manifest.metrics.extend(rejection.iter().flat_map(Rejection::metrics));
    Ok(Combined {
        split: plan,
        clips,
        conditions: conditions.iter().map(|condition| condition.name()).collect(),
        fitted_by: fitting.manifest.models.iter().map(|m| m.training.command.clone()).collect(),
        candidates,
        rule,
        refuse_at_most: request.refuse,
        seed: request.seed,
        refused_by_kind: refused_by_kind(&kinds, &other, threshold.chosen.threshold),
        threshold,
        rejection,
        selected,
        sounds: other.len(),
        evaluation,
        manifest,
        manifest_path,
    })
}

/// Predictions for the validation clips as they are, then under each condition, and the number of clips.
fn validation_clips(
    fitting: &ModelBundle,
    data: &mut Dataset,
    plan: &SplitPlan,
    origin: Origin,
    conditions: &[Condition],
) -> Result<(Members, usize)> {
    let all = std::iter::once(None)
        .chain(conditions.iter().copied().map(Some))
        .map(|condition| member_predictions(fitting, data, plan, origin, condition, false))
        .collect::<Result<Vec<_>>>()?;
    let joined = Members::joined(&all);
    let clips = joined.labels.len() / all.len();
    Ok((joined, clips))
}

/// Adds the metrics of the ensemble and of further evaluations to a manifest.
fn with_metrics(manifest: Manifest, evaluation: &Evaluation, measured: &[PathBuf]) -> Result<Manifest> {
    let mut manifest = Manifest { metrics: evaluation.metrics(), ..manifest };
    for path in measured {
        let other = kept_evaluation(path)?
            .with_context(|| format!("{} is not an output of `evaluate --json`", path.display()))?;
        ensure!(other.classes == manifest.classes, "{} has other classes", path.display());
        ensure!(
            manifest.metrics.iter().all(|metric| metric.protocol != other.protocol),
            "{}: the manifest already has metrics of the {} protocol",
            path.display(),
            other.protocol
        );
        manifest.metrics.extend(other.metrics());
    }
    Ok(manifest)
}

fn refused_by_kind(
    kinds: &[&'static str],
    confidences: &[f32],
    threshold: f32,
) -> BTreeMap<&'static str, f64> {
    let mut refused: BTreeMap<&'static str, Vec<bool>> = BTreeMap::new();
    for (kind, confidence) in kinds.iter().zip(confidences) {
        refused.entry(kind).or_default().push(*confidence < threshold);
    }
    let fraction = |of: Vec<bool>| of.iter().filter(|refused| **refused).count() as f64 / of.len() as f64;
    refused.into_iter().map(|(kind, of)| (kind, fraction(of))).collect()
}

impl Combined {
    /// Writes the manifest, the record of the fit, and `curve`, the threshold curve as SVG. If `full_of` is
    /// given, that manifest gets this one as its full manifest.
    ///
    /// # Errors
    /// A file cannot be written, or `full_of` does not fit.
    pub fn write(&self, curve: &str, full_of: Option<&Path>) -> Result<()> {
        let json = manifest_json(&self.manifest)?;
        // manifest.json has manifest-rule.json, so that two manifests in a folder have separate files.
        let beside = |ending: &str| {
            let stem = self.manifest_path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("manifest");
            self.manifest_path.with_file_name(format!("{stem}-{ending}"))
        };
        write(&beside("none-of-these.svg"), curve.as_bytes())?;
        write(&beside("rule.json"), &serde_json::to_vec_pretty(self)?)?;
        write(&self.manifest_path, &json)?;
        full_of.map_or(Ok(()), |path| name_as_full(path, &self.manifest_path, &self.manifest))
    }
}

/// A manifest as JSON, checked as a reader does.
pub(super) fn manifest_json(manifest: &Manifest) -> Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(manifest)?;
    json.push(b'\n');
    Manifest::parse(&json)?;
    Ok(json)
}

/// Sets the full manifest of a manifest in the same folder.
fn name_as_full(path: &Path, full: &Path, of: &Manifest) -> Result<()> {
    let path = manifest_of(path);
    let read = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut first = Manifest::parse(&read).with_context(|| path.display().to_string())?;
    ensure!(
        path.parent() == full.parent() && path != full,
        "--full-of must be another manifest in the same folder"
    );
    ensure!(first.classes == of.classes, "{} has other classes", path.display());
    first.full = full.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let mut json = serde_json::to_vec_pretty(&first)?;
    json.push(b'\n');
    write(&path, &json)
}

/// The networks to fit the rule with: those of the manifest, or twins, which are runs of the same
/// configuration that left out the validation clips.
fn with_twins(shipped: &ModelBundle, twins: &[PathBuf]) -> Result<ModelBundle> {
    let mut fitting = shipped.clone();
    let mut by_name: BTreeMap<String, ModelBundle> = BTreeMap::new();
    for path in twins {
        let twin = ModelBundle::open(path)?;
        let name = twin.manifest.models.first().context("a run has one model")?.name.clone();
        ensure!(by_name.insert(name.clone(), twin).is_none(), "two twins have the name {name}");
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
            "{} was trained on the validation clips, so a rule fitted to them would overrate it; train it with learn_from_validation=false and pass that run with --twin",
            entry.name
        );
    }
    if let Some(name) = by_name.keys().next() {
        bail!("the manifest has no network with the twin's name {name}");
    }
    Ok(fitting)
}

/// Selects the rule with the lowest loss on held-out examples, of one kind or of all kinds. Returns all
/// candidates, the index of the selected one, and the rule fitted to all examples. Of the selected kind,
/// the most even weights are used whose loss is within one standard error of the lowest (Breiman et al.
/// 1984, "Classification and regression trees").
pub(crate) fn choose_rule(
    kind: Option<Kind>,
    stack: bool,
    clips: usize,
    predictions: &MemberPredictions<'_>,
) -> Result<(Vec<Candidate>, usize, EnsembleRule)> {
    let kinds: &[Kind] = match (predictions.members.len(), stack) {
        // For one network all rules are the same.
        (1, _) => &[Kind::Product],
        (_, false) => &[Kind::Sum, Kind::Product, Kind::Vote],
        (_, true) => &[Kind::Sum, Kind::Product, Kind::Vote, Kind::Stack],
    };
    let mut candidates = Vec::new();
    for &kind in kinds {
        let weighted = predictions.members.len() > 1 && kind != Kind::Stack;
        for &evenness in if weighted { &EVENNESS[..] } else { &[0.0] } {
            candidates.push(held_out(kind, evenness, clips, predictions)?);
        }
    }
    let allowed = |candidate: &Candidate| kind.is_none_or(|kind| candidate.kind == kind);
    let best = (candidates.iter())
        .filter(|candidate| allowed(candidate) || predictions.members.len() == 1)
        .min_by(|a, b| a.loss.total_cmp(&b.loss))
        .context("stacking needs networks that were not trained on the validation clips")?;
    let (selected, best) = (candidates.iter().enumerate())
        .filter(|(_, other)| other.kind == best.kind && no_worse(&other.losses, &best.losses))
        .max_by(|(_, a), (_, b)| a.evenness.total_cmp(&b.evenness))
        .context("the best candidate is no worse than itself")?;
    let rule = fit_rule_to(best.kind, best.evenness, clips, predictions)?;
    Ok((candidates, selected, rule))
}

/// Whether losses are higher by at most one standard error of the difference.
fn no_worse(losses: &[f64], best: &[f64]) -> bool {
    let differences: Vec<f64> = losses.iter().zip(best).map(|(a, b)| a - b).collect();
    let (mean, deviation) = mean_and_deviation(&differences);
    mean <= deviation / (differences.len() as f64).sqrt()
}

/// Fits a rule to clips as they are and under conditions. The first `clips` examples are the clips as they
/// are; they alone give the ensemble's temperature, because most songs are in no such condition.
fn fit_rule_to(
    kind: Kind,
    evenness: f64,
    clips: usize,
    predictions: &MemberPredictions<'_>,
) -> Result<EnsembleRule> {
    let MemberPredictions { members, labels, .. } = *predictions;
    let mut rule = fit_rule(kind, evenness, predictions)?;
    if clips < labels.len() {
        let combined: Vec<Vec<f32>> = (0..clips)
            .map(|i| rule.combine(&members.iter().map(|m| m[i].as_slice()).collect::<Vec<_>>()))
            .collect();
        rule.temperature *= fit_temperature(&combined, &labels[..clips]) as f32;
        rule.validate(members.len(), predictions.classes).map_err(anyhow::Error::msg)?;
    }
    Ok(rule)
}

/// Metrics of a rule on held-out clips. Example `i` is of clip `i` modulo `clips`.
fn held_out(
    kind: Kind,
    evenness: f64,
    clips: usize,
    predictions: &MemberPredictions<'_>,
) -> Result<Candidate> {
    let MemberPredictions { members, labels, classes } = *predictions;
    let mut combined = vec![Vec::new(); labels.len()];
    for fold in 0..FOLDS {
        // Clips are sorted by class, so every fold has clips of each class.
        let out = |example: usize| example % clips % FOLDS == fold;
        let pick = |wanted: bool| (0..labels.len()).filter(move |clip| out(*clip) == wanted);
        let kept: Vec<Vec<Vec<f32>>> =
            members.iter().map(|m| pick(false).map(|clip| m[clip].clone()).collect()).collect();
        let of_kept: Vec<usize> = pick(false).map(|clip| labels[clip]).collect();
        let kept = MemberPredictions { members: &kept, labels: &of_kept, classes };
        let kept_clips = (0..clips).filter(|clip| !out(*clip)).count();
        let rule = fit_rule_to(kind, evenness, kept_clips, &kept)?;
        for clip in pick(true) {
            combined[clip] = rule.combine(&members.iter().map(|m| m[clip].as_slice()).collect::<Vec<_>>());
        }
    }
    let correct =
        (combined.iter().zip(labels).take(clips)).filter(|(log, label)| argmax(log) == **label).count();
    let mut losses = vec![0.0; clips];
    for (example, (log, &label)) in combined.iter().zip(labels).enumerate() {
        losses[example % clips] += negative_log_likelihood(std::slice::from_ref(log), &[label], 1.0);
    }
    let copies = (labels.len() / clips.max(1)).max(1) as f64;
    losses.iter_mut().for_each(|loss| *loss /= copies);
    Ok(Candidate {
        kind,
        evenness,
        accuracy: correct as f64 / clips as f64,
        loss: losses.iter().sum::<f64>() / clips as f64,
        losses,
    })
}

/// Kind and confidence of each non-music sound.
fn confidences_of_non_music(
    bundle: &ModelBundle,
    rule: &EnsembleRule,
    seed: u64,
) -> Result<(Vec<&'static str>, Vec<f32>)> {
    let mut analyser = bundle.analyser()?;
    let (rate, classes) = (analyser.sample_rate(), analyser.classes().len());
    let sounds = non_music::sounds(rate, NON_MUSIC_SECONDS, NON_MUSIC_EACH, seed);
    let bar = progress_bar(sounds.len() as u64, "non-music sounds");
    let (mut kinds, mut confidences) = (Vec::new(), Vec::new());
    for sound in sounds {
        let segments = analyser.segments(sound.samples.len());
        let signals = Signals::resampled(&sound.samples, rate, analyser.sample_rates())?;
        let predictions = pollster::block_on(analyser.predict(&signals, &segments))?;
        let of_segment = |p: Prediction| p.members.iter().map(|m| of_classes(m, classes)).collect();
        let members: Vec<Vec<Vec<f32>>> = predictions.into_iter().flatten().map(of_segment).collect();
        bar.inc(1);
        if members.is_empty() {
            continue; // silence, which is refused without a network
        }
        kinds.push(sound.kind);
        confidences.push(rule.decide(&rule.song(members.iter().map(Vec::as_slice))).confidence);
    }
    bar.finish_and_clear();
    Ok((kinds, confidences))
}
