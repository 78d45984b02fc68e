//! The native program, as the reference for what the browser says.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// What `cratedigger classify --json` prints for one file.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    /// The genre named.
    pub genre: String,
    /// Whether that is too little to name it.
    pub none: bool,
    /// Of every genre.
    pub probabilities: BTreeMap<String, f64>,
    /// The timeline, without its silent segments.
    pub segments: Vec<Segment>,
}

/// One segment of an [`Answer`].
#[derive(Clone, Debug, Deserialize)]
pub struct Segment {
    /// In seconds.
    pub start: f64,
    /// In seconds.
    pub end: f64,
    /// Of every genre.
    pub probabilities: BTreeMap<String, f64>,
}

/// The most probable genre, and by how much more than the next.
pub fn best(probabilities: &BTreeMap<String, f64>) -> Option<(&str, f64)> {
    let mut ranked: Vec<(&str, f64)> = probabilities.iter().map(|(genre, p)| (genre.as_str(), *p)).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let first = *ranked.first()?;
    Some((first.0, first.1 - ranked.get(1)?.1))
}

/// Has the native program judge a file, by the networks of a manifest.
///
/// # Errors
/// It fails, or says what can't be understood.
pub fn classify(program: &Path, manifest: &Path, file: &Path) -> Result<Answer> {
    let mut command = Command::new(program);
    let output = command.args(["classify", "--json", "--model"]).arg(manifest).arg(file).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "classify failed ({}): {text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let line = text.lines().next().context("classify printed nothing")?;
    serde_json::from_str(line).with_context(|| format!("classify printed {line}"))
}
