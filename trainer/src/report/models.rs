//! Report contents from bundles, evaluations and runs.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{ModelReport, html};
use crate::eval::crossval::CrossValidation;
use crate::eval::{Measured, ModelBundle};
use crate::metrics::FoldScore;
use crate::store::{Evaluation, RunFolder, clips_used, kept_epoch};

/// The report of a model under one protocol, with the training curves if the run is known.
///
/// # Errors
/// The run is damaged.
pub fn model_report(
    bundle: &ModelBundle,
    evaluation: &Evaluation,
    run: Option<&RunFolder>,
) -> Result<ModelReport> {
    let models = &bundle.manifest.models;
    let first = models.first().context("the manifest has no model")?;
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    let training = &first.training;
    fact("command", training.command.clone());
    fact("trained on", clips_used(&training.data));
    fact("data SHA-256", training.data.sha256.clone());
    fact("weights", kept_epoch(training));
    if let Some(environment) = run.map(RunFolder::environment).transpose()?.flatten() {
        fact("program", format!("cratedigger {}, burn {}", environment.version, environment.burn));
        if let Some(commit) = environment.commit {
            fact("commit", commit);
        }
        fact(
            "machine",
            format!("{}, {} threads, {}", environment.cpu, environment.cores, environment.system),
        );
        fact("device", environment.device);
    }
    let config = run.map(RunFolder::config).transpose()?;
    let valid_is_learned = config.as_ref().is_some_and(|config| config.data.learn_from_validation);
    fact(
        "configuration",
        match config {
            Some(config) => toml::to_string(&config)?,
            None => serde_json::to_string_pretty(&training.config)?,
        },
    );
    let names: Vec<&str> = models.iter().map(|m| m.name.as_str()).collect();
    Ok(ModelReport {
        name: names.join(" + "),
        summary: first.architecture.summary(&first.input_spec),
        parameters: models.iter().map(|m| m.parameters).sum(),
        bytes: models.iter().map(|m| m.bytes).sum(),
        seed: Some(training.seed),
        curves: run.map(RunFolder::metrics).transpose()?.unwrap_or_default(),
        valid_is_learned,
        facts,
        ..metrics_report(evaluation, Vec::new())
    })
}

/// The reports of a model under all protocols.
///
/// # Errors
/// The run is damaged.
pub fn measured_reports(measured: &Measured) -> Result<Vec<ModelReport>> {
    let report = |evaluation: &Evaluation| match &measured.bundle {
        Some(bundle) => model_report(bundle, evaluation, measured.run.as_ref()),
        None => Ok(metrics_report(evaluation, measured.folds.clone())),
    };
    measured.evaluations.iter().map(report).collect()
}

/// The report of a cross-validation; `bundle` is the network of its last fold.
///
/// # Errors
/// The bundle has no model.
pub fn cross_validation_report(result: &CrossValidation, bundle: &ModelBundle) -> Result<ModelReport> {
    let protocol = result.evaluation.split.protocol.name();
    Ok(ModelReport {
        protocol: format!("{protocol}, {} folds", result.folds.len()),
        folds: result.folds.clone(),
        ..model_report(bundle, &result.evaluation, None)?
    })
}

/// The report of metrics that are stored without the network.
fn metrics_report(evaluation: &Evaluation, folds: Vec<FoldScore>) -> ModelReport {
    let seen = if evaluation.seen_in_training > 0 {
        format!(
            "; {} of the clips are training clips, so the metrics do not hold for new songs",
            evaluation.seen_in_training
        )
    } else {
        String::new()
    };
    ModelReport {
        name: evaluation.models.join(" + "),
        summary: "stored metrics without the network".into(),
        parameters: evaluation.parameters,
        bytes: evaluation.bytes,
        protocol: protocol_label(evaluation),
        protocol_explanation: evaluation.split.protocol.explanation().into(),
        seed: None,
        data: format!(
            "{} clips and {} segments from {}{seen}",
            evaluation.track.n, evaluation.segment.n, evaluation.source
        ),
        segment: evaluation.segment.clone(),
        track: evaluation.track.clone(),
        conditions: evaluation.conditions.clone(),
        curves: Vec::new(),
        valid_is_learned: false,
        facts: Vec::new(),
        folds,
    }
}

/// The protocol of an evaluation with its fold, or with its seed if it covers all folds.
pub fn protocol_label(evaluation: &Evaluation) -> String {
    if evaluation.protocol == evaluation.split.protocol.name() {
        evaluation.split.describe()
    } else {
        format!("{}, seed {}", evaluation.protocol, evaluation.split.seed)
    }
}

/// Writes a report as one HTML file.
///
/// # Errors
/// The file cannot be written.
pub fn write_report(path: &Path, title: &str, models: &[ModelReport]) -> Result<()> {
    fs::write(path, html(title, models)?).with_context(|| format!("{} cannot be written", path.display()))
}
