//! Classification of audio files.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use cratedigger_protocol::{NonMusic, Section, SectionLabel, Tag};
use cratedigger_zoo::{
    Analyser, MIN_SECONDS, Manifest, Observation, Signals, SongAccumulator, Sound, argmax, place_at,
    probabilities,
};
use serde::Serialize;
use serde::ser::SerializeMap as _;

use super::bundle::ModelBundle;
use crate::data::audio::{self, Reader};
use crate::data::walk::{Unread, audio_below};

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
    /// Sections in order of time, without gaps.
    pub sections: Vec<SectionClassification>,
    /// Names of the networks.
    pub models: Vec<String>,
    /// What was left out or mended while the file was decoded, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A section: segments joined by a hidden Markov model.
#[derive(Clone, Debug, Serialize)]
pub struct SectionClassification {
    /// Start in seconds.
    pub start: f64,
    /// End in seconds.
    pub end: f64,
    /// The genre, the kind of non-music, or `silence`.
    pub label: String,
    /// Mean probability of the label over the section's segments.
    pub probability: f32,
    /// The section as [`cratedigger_protocol::SectionFormat`] writes it.
    #[serde(skip)]
    pub section: Section,
}

impl SectionClassification {
    fn of(section: Section, classes: &[String]) -> Self {
        let Section { start, end, probability, .. } = section;
        Self { start, end, label: section_title(&section.label, classes), probability, section }
    }
}

/// The name of a section's label.
pub fn section_title(label: &SectionLabel, classes: &[String]) -> String {
    match label {
        SectionLabel::Class { class } => classes.get(*class as usize).cloned().unwrap_or_default(),
        SectionLabel::NonMusic { name } => name.clone(),
        SectionLabel::Silence => "silence".into(),
    }
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

/// A song that is predicted while it is being read. Only the samples of the next batch of segments are in
/// memory.
struct Listener<'a> {
    analyser: &'a mut Analyser,
    signals: Signals,
    /// Whole seconds that were dropped from the start of `signals`.
    dropped: usize,
    /// Samples of a segment, at the analyser's rate.
    length: usize,
    /// Segments that were predicted.
    done: usize,
    song: SongAccumulator,
    segments: Vec<SegmentClassification>,
    /// All segments, silent ones included, for the sections.
    observations: Vec<Observation>,
}

impl<'a> Listener<'a> {
    fn new(analyser: &'a mut Analyser) -> Self {
        Self {
            signals: Signals::empty(analyser.sample_rates()),
            dropped: 0,
            // A segment is shorter than an hour.
            length: analyser
                .segments(3600 * analyser.sample_rate() as usize)
                .first()
                .map_or(1, Range::len)
                .max(1),
            done: 0,
            song: analyser.song(),
            segments: Vec::new(),
            observations: Vec::new(),
            analyser,
        }
    }

    /// Samples of the song up to now, at the analyser's rate.
    fn heard(&self) -> usize {
        let rate = self.analyser.sample_rate();
        self.dropped * rate as usize + self.signals.at(rate).len()
    }

    /// Predicts the next batch, if all of it was read.
    fn predict_batch(&mut self) -> Result<()> {
        // The resamplers of the rates are not equally far.
        let read = |rate: u32| {
            let samples = self.dropped * rate as usize + self.signals.at(rate).len();
            place_at(samples, rate, self.analyser.sample_rate())
        };
        let read = self.signals.rates().map(read).min().unwrap_or_default();
        while read > (self.done + BATCH) * self.length {
            let starts = (self.done..self.done + BATCH).map(|segment| segment * self.length);
            let batch: Vec<Range<usize>> = starts.map(|start| start..start + self.length).collect();
            self.predict(&batch)?;
            self.done += BATCH;
            self.forget();
        }
        Ok(())
    }

    /// Predicts what is left at the end of the song.
    fn finish(&mut self) -> Result<()> {
        let rest: Vec<Range<usize>> =
            self.analyser.segments(self.heard()).into_iter().skip(self.done).collect();
        rest.chunks(BATCH).try_for_each(|batch| self.predict(batch))
    }

    /// Predicts segments, which are ranges of samples of the song.
    fn predict(&mut self, batch: &[Range<usize>]) -> Result<()> {
        let rate = self.analyser.sample_rate();
        let dropped = self.dropped * rate as usize;
        let here: Vec<Range<usize>> =
            batch.iter().map(|segment| segment.start - dropped..segment.end - dropped).collect();
        let answers = pollster::block_on(self.analyser.predict(&self.signals, &here))?;
        for (segment, answer) in batch.iter().zip(answers) {
            let [start, end] = [segment.start, segment.end].map(|sample| sample as f64 / f64::from(rate));
            let sound = answer.as_ref().map(|prediction| Sound {
                classes: probabilities(&prediction.ensemble),
                non_music: prediction.non_music.clone(),
            });
            self.observations.push(Observation { start, end, sound });
            let Some(prediction) = answer else { continue };
            self.segments.push(SegmentClassification {
                start,
                end,
                non_music: self.analyser.non_music(&prediction.non_music),
                probabilities: by_genre(probabilities(&prediction.ensemble), self.analyser.classes()),
            });
            self.song.add(&prediction);
        }
        Ok(())
    }

    /// Drops the samples that no later segment needs. The last segment can reach back by one segment, and a
    /// spectrogram a little further. Only whole seconds go, so that all rates agree on what is left.
    fn forget(&mut self) {
        let rate = self.analyser.sample_rate() as usize;
        let keep_from = self.done.saturating_sub(2) * self.length / rate;
        let seconds = keep_from.saturating_sub(self.dropped);
        for &rate in self.analyser.sample_rates() {
            if let Some(signal) = self.signals.at_mut(rate) {
                signal.drain(..(seconds * rate as usize).min(signal.len()));
            }
        }
        self.dropped += seconds;
    }
}

fn by_genre(values: Vec<f32>, classes: &[String]) -> Probabilities {
    Probabilities(classes.iter().cloned().zip(values).collect())
}

/// Classifies one file, or standard input for `-`, in memory that does not grow with its length.
///
/// # Errors
/// The file cannot be decoded, is too short or silent, or a network fails.
pub fn classify(analyser: &mut Analyser, path: &Path) -> Result<Classification> {
    let mut reader = Reader::new(audio::open(path)?, path, analyser.sample_rates())?;
    let mut listener = Listener::new(analyser);
    while reader.read(&mut listener.signals)? {
        listener.predict_batch()?;
    }
    let seconds = reader.seconds();
    ensure!(seconds >= MIN_SECONDS, "it is {seconds:.2} s long; the minimum is {MIN_SECONDS} s");
    listener.finish()?;
    let Listener { analyser, song, segments, observations, .. } = listener;
    let song = song.prediction().context("the file is silent")?;
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
        sections: analyser
            .sections(&observations)
            .into_iter()
            .map(|section| SectionClassification::of(section, analyser.classes()))
            .collect(),
        models: analyser.models().map(|m| m.entry().name.clone()).collect(),
        notes: reader.notes().iter().map(ToString::to_string).collect(),
    })
}

/// The shipped networks, which are compiled into the program.
///
/// # Errors
/// The program was built from a damaged `models/` folder.
pub fn built_in() -> Result<ModelBundle> {
    // build.rs sets the variable.
    static MODELS: include_dir::Dir<'_> = include_dir::include_dir!("$CRATEDIGGER_MODELS");
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

/// The given files, pipes or `-`, and the audio files in the given folders sorted by name; and the number of
/// files in formats that are not read.
///
/// # Errors
/// A folder cannot be listed or has no audio.
pub fn audio_files(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, Unread)> {
    let (mut files, mut unread) = (Vec::new(), Unread::default());
    for path in paths {
        // A missing file is reported for that file, after the others.
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let found = audio_below(path)?;
        let left_out = if found.unread.is_empty() { String::new() } else { format!(". {}", found.unread) };
        ensure!(
            !found.files.is_empty() || !found.broken.is_empty(),
            "{} has no audio files{left_out}",
            path.display()
        );
        unread.add(&found.unread);
        // A broken link inside is reported for that file.
        files.extend(found.files.into_iter().chain(found.broken.into_iter().map(|(path, _)| path)));
    }
    Ok((files, unread))
}
