//! Clips that initial weights were trained or selected on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use cratedigger_zoo::Manifest;

use crate::data::Dataset;
use crate::data::split::IndexFile;
use crate::progress::warn;
use crate::store::{RunFolder, knows, manifest_of};

/// Ids of the clips that initial weights were trained or selected on.
#[derive(Default)]
pub(super) struct Known {
    /// Clips of training or validation.
    pub(super) seen: BTreeSet<String>,
    /// Clips of training, if the source tells training and validation apart.
    pub(super) learned: BTreeSet<String>,
}

/// The clips that weights were trained or selected on, from the run or the manifest in their folder. None for
/// torchvision's weights, which were trained on photographs.
pub(super) fn known_to(weights: &Path, data: &Dataset) -> Result<Known> {
    let mut known = Known::default();
    if weights.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("bpk")) {
        return Ok(known);
    }
    let folder = weights.parent().unwrap_or(Path::new(""));
    let manifest = manifest_of(weights);
    let trainings = if RunFolder::is_run(folder) {
        known.learned.extend(IndexFile::read(&folder.join("split.json"))?.train);
        vec![RunFolder::new(folder).training()?]
    } else if manifest.is_file() {
        let json = fs::read(&manifest).with_context(|| format!("{} cannot be read", manifest.display()))?;
        let models = Manifest::parse(&json).with_context(|| manifest.display().to_string())?.models;
        let file = weights.file_name().and_then(|name| name.to_str());
        models.into_iter().filter(|m| Some(m.weights.as_str()) == file).map(|m| m.training).collect()
    } else {
        Vec::new()
    };
    if trainings.is_empty() {
        warn(&format!(
            "neither a run nor a manifest beside {} lists its training clips, so an evaluation cannot detect test clips among them",
            weights.display()
        ));
    }
    for training in trainings {
        known.seen.extend(training.data.ids.iter().cloned());
        for clip in &data.clips {
            if knows(&training, clip).with_context(|| weights.display().to_string())? {
                known.seen.insert(clip.id.clone());
            }
        }
        if training.data.valid_clips == 0 {
            known.learned.extend(known.seen.iter().cloned());
        }
    }
    Ok(known)
}

/// Warns if validation clips are training clips of the initial weights.
pub(super) fn warn_of_learned(valid: &[usize], data: &Dataset, known: &Known) {
    let learned = valid.iter().filter(|&&clip| known.learned.contains(&data.clips[clip].id)).count();
    if learned > 0 {
        warn(&format!(
            "the initial weights were trained on {learned} of the {} validation clips, so validation metrics are too good",
            valid.len()
        ));
    }
}
