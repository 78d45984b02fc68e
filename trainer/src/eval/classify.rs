//! Classification of audio files.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use cratedigger_protocol::{NonMusic, Tag};
use cratedigger_zoo::{Analyser, MIN_SECONDS, Manifest, Prediction, argmax, probabilities};
use serde::Serialize;
use serde::ser::SerializeMap as _;

use super::bundle::ModelBundle;
use crate::data::{audio_below, signals};

/// Segments per batch, which bounds the memory for a long file.
const BATCH: usize = 16;

/// Result for one file.
#[derive(Clone, Debug, Serialize)]
pub struct Classification {
    /// The file's path as given.
    pub file: String,
    /// Length in seconds.
    pub seconds: f64,
    /// The most probable genre.
    pub genre: String,
    /// Whether the confidence is below the threshold, so that the answer is *none of these*.
    pub none: bool,
    /// Probability that the file is not music, if a network predicts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_music: Option<NonMusic>,
    /// Tags, the strongest first, if a network predicts tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Probabilities of all genres.
    pub probabilities: Probabilities,
    /// Results for segments; silent segments are missing.
    pub segments: Vec<SegmentClassification>,
    /// Names of the networks.
    pub models: Vec<String>,
}

/// Result for one segment.
#[derive(Clone, Debug, Serialize)]
pub struct SegmentClassification {
    /// Start in seconds.
    pub start: f64,
    /// End in seconds.
    pub end: f64,
    /// Probability that the segment is not music, if a network predicts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_music: Option<NonMusic>,
    /// Probabilities of all genres.
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

impl Classification {
    /// The genres by descending probability.
    pub fn ranked(&self) -> Vec<(String, f32)> {
        let mut ranked = self.probabilities.0.clone();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }
}

/// Classifies one file.
///
/// # Errors
/// The file cannot be decoded, is too short or silent, or a network fails.
pub fn classify(analyser: &mut Analyser, path: &Path) -> Result<Classification> {
    let rate = analyser.sample_rate();
    let (signals, seconds) = signals(path, analyser.sample_rates())?;
    ensure!(seconds >= MIN_SECONDS, "it is {seconds:.2} s long; the minimum is {MIN_SECONDS} s");
    let by_genre =
        |values: Vec<f32>, classes: &[String]| Probabilities(classes.iter().cloned().zip(values).collect());
    let mut predictions: Vec<Prediction> = Vec::new();
    let mut segments = Vec::new();
    for batch in analyser.segments(signals.at(rate).len()).chunks(BATCH) {
        let answers = pollster::block_on(analyser.predict(&signals, batch))?;
        for (segment, answer) in batch.iter().zip(answers) {
            let Some(mut prediction) = answer else { continue };
            segments.push(SegmentClassification {
                start: segment.start as f64 / f64::from(rate),
                end: segment.end as f64 / f64::from(rate),
                non_music: analyser.non_music(&prediction.non_music),
                probabilities: by_genre(probabilities(&prediction.ensemble), analyser.classes()),
            });
            prediction.spectra.db = Vec::new(); // the spectrogram is not needed here
            predictions.push(prediction);
        }
    }
    let song = analyser.song_prediction(&predictions).context("the file is silent")?;
    let genre = analyser.classes().get(argmax(&song.ensemble)).cloned().unwrap_or_default();
    Ok(Classification {
        file: path.display().to_string(),
        seconds,
        genre,
        none: song.decision.none,
        non_music: analyser.non_music(&song.non_music),
        tags: analyser.tags(&song.tags),
        probabilities: by_genre(song.ensemble, analyser.classes()),
        segments,
        models: analyser.models().map(|m| m.entry().name.clone()).collect(),
    })
}

/// The shipped networks, which are compiled into the program.
///
/// # Errors
/// The program was built from a damaged `models/` folder.
pub fn built_in() -> Result<ModelBundle> {
    static MODELS: include_dir::Dir<'_> = include_dir::include_dir!("$CARGO_MANIFEST_DIR/../models");
    let file = |name: &str| {
        MODELS
            .get_file(name)
            .map(include_dir::File::contents)
            .with_context(|| format!("{name} is not built in"))
    };
    let mut manifest = Manifest::parse(file("manifest.json")?)?;
    if let Some(full) = &manifest.full {
        manifest = Manifest::parse(file(full)?)?;
    }
    let weights = manifest.models.iter().map(|m| Ok(file(&m.weights)?.to_vec())).collect::<Result<_>>()?;
    Ok(ModelBundle { manifest, weights })
}

/// The given files, and the audio files in the given folders sorted by name.
///
/// # Errors
/// A folder cannot be listed or has no audio.
pub fn audio_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        for found in audio_below(path) {
            match found {
                Ok(file) => files.push(file),
                // A broken link inside is reported for that file; the folder itself must be readable.
                Err(error) if error.depth() > 0 => files.extend(error.path().map(Path::to_path_buf)),
                Err(error) => {
                    return Err(error).with_context(|| format!("{} cannot be listed", path.display()));
                }
            }
        }
        ensure!(files.len() > before, "{} has no audio files", path.display());
    }
    Ok(files)
}
