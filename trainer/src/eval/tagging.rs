//! A plan of new tags for classified songs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
pub use cratedigger_tags::{Change, PlanOptions};
use cratedigger_tags::{Heard, Kept, Plan};
use cratedigger_zoo::{Analyser, character};
use serde::{Deserialize, Serialize};

use super::classify::{Classification, classify};
use crate::data::tags::{self, Changes, Tags};
use crate::data::{audio, mono};
use crate::files::sha256_of;
use crate::format::{causes, whole_percent};

/// Sample rate in Hz at which the tempo is measured, the one of the page.
const TEMPO_RATE: u32 = 22_050;

/// Which fields are planned, and when.
#[derive(Clone, Debug)]
pub struct Options {
    /// The fields.
    pub plan: PlanOptions,
    /// Also measure the tempo.
    pub tempo: bool,
}

/// One's own names for classes: a class can have one name, several, or none, if it is never written. Read from a TOML
/// table from class to name: `rock = "Rock/Classic"` or `rock = ["Rock", "Classic"]`.
///
/// # Errors
/// It is no such table, or names a class that does not exist.
pub fn names(text: &str, classes: &[String]) -> Result<Vec<(String, Vec<String>)>> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Value {
        One(String),
        Several(Vec<String>),
    }
    let table: BTreeMap<String, Value> =
        toml::from_str(text).context("expected lines such as: rock = \"Rock/Classic\"")?;
    if let Some(unknown) = table.keys().find(|key| !classes.contains(key)) {
        bail!("there is no class {unknown}; the classes are {}", classes.join(", "));
    }
    let values = |value| match value {
        Value::One(name) => vec![name],
        Value::Several(names) => names,
    };
    let clean = |names: Vec<String>| {
        names.iter().map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect::<Vec<_>>()
    };
    Ok(table.into_iter().map(|(class, value)| (class, clean(values(value)))).collect())
}

/// What is planned for one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The file, as given.
    pub file: PathBuf,
    /// SHA-256 of its content, in hexadecimal. A file with other content is not written.
    pub sha256: String,
    /// The most probable class.
    pub genre: String,
    /// Its probability.
    pub confidence: f32,
    /// The fields to write; none if nothing is to be written.
    pub changes: Vec<Change>,
    /// Why a field is left as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// Tempo in beats per minute, if it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tempo: Option<f64>,
    /// Length in seconds.
    pub seconds: f64,
    /// The tags in the file.
    pub tags: Tags,
}

impl Planned {
    /// The changes as [`tags::replace`] takes them.
    pub fn changes(&self) -> Changes {
        self.changes.iter().map(|change| (change.field, change.new.clone())).collect()
    }
}

/// Classifies a file and plans its tags.
///
/// # Errors
/// The file cannot be read or decoded, its tags cannot be parsed, or a network fails.
pub fn plan(analyser: &mut Analyser, path: &Path, options: &Options) -> Result<Planned> {
    ensure!(!audio::is_stream(path), "a pipe has no tags");
    let sha256 = sha256_of(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let tags = tags::read(path)?;
    let found = classify(analyser, path)?;
    let tempo = if options.tempo || options.plan.bpm { Some(tempo_of(path)?) } else { None };
    Ok(planned(path, sha256, tags, &found, tempo.flatten(), options))
}

/// The tempo in beats per minute of the middle of a song; `None` if it has none.
fn tempo_of(path: &Path) -> Result<Option<f64>> {
    let (samples, _) = mono(path, TEMPO_RATE)?;
    let measured = character::measure(&samples, TEMPO_RATE)?;
    Ok(measured.map(|character| character.tempo).filter(|tempo| *tempo > 0.0))
}

fn planned(
    path: &Path,
    sha256: String,
    tags: Tags,
    found: &Classification,
    tempo: Option<f64>,
    options: &Options,
) -> Planned {
    let ranked = found.ranked();
    let confidence = ranked.first().map_or(0.0, |(_, probability)| *probability);
    let heard = Heard {
        ranked,
        none: found.none,
        non_music: found.non_music.as_ref().filter(|n| n.rejected).map(|n| n.kind.clone()),
        tempo,
        tags: found.tags.iter().map(|tag| tag.name.clone()).collect(),
    };
    let Plan { changes, kept } = cratedigger_tags::plan(&tags, &heard, &options.plan);
    Planned {
        file: path.to_owned(),
        sha256,
        genre: found.genre.clone(),
        confidence,
        changes,
        kept: kept.iter().map(reason).collect(),
        tempo,
        seconds: found.seconds,
        tags,
    }
}

/// Why a field is left as it is.
fn reason(kept: &Kept) -> String {
    match kept {
        Kept::There { field, old } => format!("{} is there: {}", field.name(), old.join("; ")),
        Kept::NoneOfThese => "none of the genres".into(),
        Kept::NonMusic { kind } => format!("not music: {kind}"),
        Kept::Unsure { class, probability } => {
            format!("not sure: {class} {}", whole_percent(f64::from(*probability)))
        }
    }
}

/// Reads a plan that `cratedigger tag --format json` wrote: one file a line.
///
/// # Errors
/// A line is not a planned file.
pub fn read_plan(text: &str) -> Result<Vec<Planned>> {
    let planned = |(number, line): (usize, &str)| {
        let parsed = serde_json::from_str(line).map_err(anyhow::Error::from);
        parsed.map_err(|error| anyhow::anyhow!("line {} of the plan: {}", number + 1, causes(&error)))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(planned).collect()
}
