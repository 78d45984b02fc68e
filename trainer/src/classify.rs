//! Naming the genre of files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use cratedigger_zoo::{Analyser, Judgement, MIN_SECONDS, Manifest, probabilities};
use serde::Serialize;
use serde::ser::SerializeMap as _;

use crate::data::mono;
use crate::evaluate::Loaded;
use crate::train::argmax;

/// Segments judged in one go, which bounds the memory that a long file needs.
const BATCH: usize = 16;

/// What is said of one file.
#[derive(Clone, Debug, Serialize)]
pub struct Classification {
    /// The file, as it was named.
    pub file: String,
    /// Its length.
    pub seconds: f64,
    /// The most probable genre.
    pub genre: String,
    /// All genres' probabilities.
    pub probabilities: Probabilities,
    /// What was judged one by one; silent segments are left out.
    pub segments: Vec<SegmentClassification>,
    /// The networks that judged.
    pub models: Vec<String>,
}

/// What is said of one segment.
#[derive(Clone, Debug, Serialize)]
pub struct SegmentClassification {
    /// Seconds.
    pub start: f64,
    /// Seconds.
    pub end: f64,
    /// All genres' probabilities.
    pub probabilities: Probabilities,
}

/// Probabilities by genre; in JSON an object in the order of the genres.
#[derive(Clone, Debug)]
pub struct Probabilities(pub Vec<(String, f32)>);

impl Serialize for Probabilities {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (genre, probability) in &self.0 {
            map.serialize_entry(genre, probability)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Failed {
    file: String,
    error: String,
}

/// Judges one file.
///
/// # Errors
/// The file cannot be read as audio, is too short or silent, or a network fails.
pub fn classify(analyser: &mut Analyser, path: &Path) -> Result<Classification> {
    let rate = analyser.sample_rate();
    let (signal, seconds) = mono(path, rate)?;
    ensure!(seconds >= MIN_SECONDS, "it is {seconds:.2} s long; at least {MIN_SECONDS} s are needed");
    let named =
        |values: Vec<f32>, classes: &[String]| Probabilities(classes.iter().cloned().zip(values).collect());
    let mut judged: Vec<Judgement> = Vec::new();
    let mut segments = Vec::new();
    for batch in analyser.segments(signal.len()).chunks(BATCH) {
        let answers = pollster::block_on(analyser.judge(&signal, batch))?;
        for (segment, answer) in batch.iter().zip(answers) {
            let Some(mut judgement) = answer else { continue };
            segments.push(SegmentClassification {
                start: segment.start as f64 / f64::from(rate),
                end: segment.end as f64 / f64::from(rate),
                probabilities: named(probabilities(&judgement.ensemble), analyser.classes()),
            });
            judgement.spectra.db = Vec::new(); // nothing is drawn here
            judged.push(judgement);
        }
    }
    let verdict = analyser.verdict(&judged).context("it is silent from beginning to end")?;
    let genre = analyser.classes().get(argmax(&verdict.ensemble)).cloned().unwrap_or_default();
    Ok(Classification {
        file: path.display().to_string(),
        seconds,
        genre,
        probabilities: named(verdict.ensemble, analyser.classes()),
        segments,
        models: analyser.models().map(|m| m.entry().name.clone()).collect(),
    })
}

/// The networks that ship with this program, compiled into it.
///
/// # Errors
/// The program was built from a damaged `models/` folder.
pub fn built_in() -> Result<Loaded> {
    static MODELS: include_dir::Dir<'_> = include_dir::include_dir!("$CARGO_MANIFEST_DIR/../models");
    let file = |name: &str| {
        MODELS
            .get_file(name)
            .map(include_dir::File::contents)
            .with_context(|| format!("no {name} was built in"))
    };
    let manifest = Manifest::parse(file("manifest.json")?)?;
    let weights = manifest.models.iter().map(|m| Ok(file(&m.weights)?.to_vec())).collect::<Result<_>>()?;
    Ok(Loaded { manifest, weights })
}

/// `cratedigger classify`. The exit status is 1 if any file failed.
///
/// # Errors
/// The model cannot be loaded; a file that fails is reported in its place instead.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
pub fn command(files: &[PathBuf], json: bool, model: Option<&Path>) -> Result<ExitCode> {
    let loaded = match model {
        Some(path) => Loaded::open(path)?,
        None => built_in().context("no usable networks are built in; name some by --model")?,
    };
    let mut analyser = loaded.analyser()?;
    let mut failures = 0;
    for path in files {
        match classify(&mut analyser, path) {
            Ok(result) if json => println!("{}", serde_json::to_string(&result)?),
            Ok(result) => println!("{}", in_words(&result)),
            Err(error) => {
                failures += 1;
                let failed = Failed { file: path.display().to_string(), error: format!("{error:#}") };
                if json {
                    println!("{}", serde_json::to_string(&failed)?);
                } else {
                    eprintln!("{}: {}", failed.file, failed.error);
                }
            }
        }
    }
    if failures == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{} of {} files failed", failures, files.len());
    Ok(ExitCode::FAILURE)
}

fn in_words(result: &Classification) -> String {
    let mut ranked: Vec<&(String, f32)> = result.probabilities.0.iter().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let top: Vec<String> =
        ranked.iter().take(3).map(|(genre, p)| format!("{genre} {:.0} %", 100.0 * p)).collect();
    format!("{}  {}", result.file, top.join(", "))
}
