//! Results that are stored on disk: of runs, cross-validations, and `evaluate --json`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::bundle::ModelBundle;
use super::crossval::CrossValidation;
use crate::metrics::FoldScore;
use crate::store::{Evaluation, RunFolder};

/// A model with all its evaluations.
pub struct Measured {
    /// The networks; none if only metrics are stored.
    pub bundle: Option<ModelBundle>,
    /// The run, if the model is one.
    pub run: Option<RunFolder>,
    /// The evaluations.
    pub evaluations: Vec<Evaluation>,
    /// The folds of a cross-validation; empty without one.
    pub folds: Vec<FoldScore>,
}

impl Measured {
    /// Reads a run, a model, a cross-validation, or a file that `evaluate --json` printed.
    ///
    /// # Errors
    /// `path` is none of these, or is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some((evaluation, folds)) = kept_metrics(path)? {
            return Ok(Self { bundle: None, run: None, evaluations: vec![evaluation], folds });
        }
        let bundle = ModelBundle::open(path)?;
        let run = RunFolder::is_run(path).then(|| RunFolder::new(path));
        let evaluations = run.as_ref().map(RunFolder::evaluations).transpose()?.unwrap_or_default();
        Ok(Self { bundle: Some(bundle), run, evaluations, folds: Vec::new() })
    }

    /// Number of parameters and bytes in half precision of the networks of an evaluation. Evaluations of
    /// old versions do not store them, so they are taken from the networks if these are known.
    pub fn size(&self, evaluation: &Evaluation) -> (u64, u64) {
        match &self.bundle {
            Some(bundle) => {
                let models = &bundle.manifest.models;
                (models.iter().map(|m| m.parameters).sum(), models.iter().map(|m| m.bytes).sum())
            }
            None => (evaluation.parameters, evaluation.bytes),
        }
    }
}

/// The evaluation in a file that `evaluate --json` printed, or in the folder of a cross-validation; none if
/// `path` is something else.
///
/// # Errors
/// The file cannot be read.
pub fn kept_evaluation(path: &Path) -> Result<Option<Evaluation>> {
    Ok(kept_metrics(path)?.map(|(evaluation, _)| evaluation))
}

/// [`kept_evaluation`] with the folds of a cross-validation.
fn kept_metrics(path: &Path) -> Result<Option<(Evaluation, Vec<FoldScore>)>> {
    let crossed = path.join("crossval.json");
    let kept = if crossed.is_file() { crossed } else { path.to_owned() };
    if !kept.is_file() || kept.extension().is_none_or(|extension| extension != "json") {
        return Ok(None);
    }
    let json = fs::read(&kept).with_context(|| format!("{} cannot be read", kept.display()))?;
    Ok(serde_json::from_slice::<Evaluation>(&json)
        .map(|evaluation| (evaluation, Vec::new()))
        .or_else(|_| {
            serde_json::from_slice::<CrossValidation>(&json)
                .map(|crossed| (crossed.evaluation, crossed.folds))
        })
        .ok())
}
