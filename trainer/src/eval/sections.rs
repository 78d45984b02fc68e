//! Sections measured on mixes: clips joined at known seams, with speech between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use cratedigger_zoo::{Analyser, Observation, SectionModel, Signals, Sound, probabilities};
use rand::seq::SliceRandom as _;
use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::bundle::ModelBundle;
use super::evaluation::{Evaluated, plan_of};
use crate::data::split::{Split, clips_of};
use crate::data::walk::audio_below;
use crate::data::{Dataset, mono};

/// Sample rate of a mix in Hz.
const RATE: u32 = 22050;
/// Shortest and longest part of a clip in a mix, in seconds.
const CLIP_SECS: [f64; 2] = [12.0, 30.0];
/// A boundary is found if a seam is this near, in seconds: the longer tolerance that is usual for music
/// structure (Turnbull et al. 2007; `mir_eval.segment.detection`).
const TOLERANCE_SECS: f64 = 3.0;
/// Segments per batch.
const BATCH: usize = 16;
/// Candidates of [`SectionModel::stay`].
const STAY: [f64; 8] = [0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995];
/// Candidates of [`SectionModel::evidence`].
const EVIDENCE: [f64; 8] = [0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0];
/// Resamples for confidence intervals.
const RESAMPLES: usize = 2000;

/// How to measure.
#[derive(Clone, Debug)]
pub struct MixOptions<'a> {
    /// Folder with one folder of speech per kind.
    pub other: &'a Path,
    /// Names of these kinds, at least two. The first half of the mixes uses every second kind, the second
    /// half the others.
    pub kinds: &'a [String],
    /// Number of mixes.
    pub mixes: usize,
    /// Clips per mix.
    pub clips: usize,
    /// Seed of all random choices.
    pub seed: u64,
}

/// Counts of boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hits {
    /// Boundaries with a seam within [`TOLERANCE_SECS`], each seam counted once.
    found: usize,
    predicted: usize,
    seams: usize,
}

impl Hits {
    fn f1(self) -> f64 {
        2.0 * self.found as f64 / (self.predicted + self.seams).max(1) as f64
    }
}

/// Boundaries of all mixes, compared with the seams.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct BoundaryScore {
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// 95 % interval of the F1 score, by resampling mixes.
    pub interval: [f64; 2],
    /// Fraction of the boundaries that are seams.
    pub precision: f64,
    /// Fraction of the seams that have a boundary.
    pub recall: f64,
}

/// Result of [`measure`].
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SectionFigures {
    /// Number of mixes.
    pub mixes: usize,
    /// Seams in all mixes.
    pub seams: usize,
    /// Length of all mixes in seconds.
    pub seconds: f64,
    /// Boundaries of sections. The parameters of each half of the mixes were chosen on the other half,
    /// which has other clips and other speakers.
    pub sections: BoundaryScore,
    /// Boundaries without smoothing: every change of the most probable label between two segments.
    pub segments: BoundaryScore,
    /// Boundaries of sections with the parameters of the model's manifest.
    pub shipped: BoundaryScore,
    /// The best parameters on all mixes.
    pub best: SectionModel,
}

/// A mix with its predictions.
struct Mix {
    seams: Vec<f64>,
    seconds: f64,
    observations: Vec<Observation>,
}

/// Measures sections on mixes of the validation clips of a model's training.
///
/// # Errors
/// There are too few clips or sounds, a file cannot be read, or a network fails.
pub fn measure(
    bundle: &ModelBundle,
    data: &Dataset,
    options: &MixOptions<'_>,
    progress: &dyn Fn(usize, usize),
) -> Result<SectionFigures> {
    ensure!(options.kinds.len() >= 2, "name at least two kinds of speech, one for each half of the mixes");
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let halves = clips_by_half(bundle, data, options.clips, &mut rng)?;
    let speech = speech_by_half(options)?;
    let mut analyser = bundle.analyser()?;
    let mut mixes = [Vec::new(), Vec::new()];
    for index in 0..options.mixes {
        let half = index % 2;
        let (clips, speech) = if half == 0 { (&halves.0, &speech.0) } else { (&halves.1, &speech.1) };
        mixes[half].push(mix(&mut analyser, clips, speech, options.clips, &mut rng)?);
        progress(index + 1, options.mixes);
    }
    let manifest = &bundle.manifest;
    let shape = Shape { classes: manifest.classes.len(), kinds: &manifest.non_music };
    let [first, second] = [&mixes[0], &mixes[1]].map(|half| shape.best(half.iter()));
    let all = || mixes.iter().flatten();
    let own = manifest.sections.unwrap_or_default();
    let crossed = mixes[0].iter().map(|mix| shape.hits(mix, &second));
    let crossed = crossed.chain(mixes[1].iter().map(|mix| shape.hits(mix, &first)));
    Ok(SectionFigures {
        mixes: options.mixes,
        seams: all().map(|mix| mix.seams.len()).sum(),
        seconds: all().map(|mix| mix.seconds).sum(),
        sections: score(&crossed.collect::<Vec<_>>(), &mut rng),
        segments: score(&all().map(|mix| shape.unsmoothed(mix)).collect::<Vec<_>>(), &mut rng),
        shipped: score(&all().map(|mix| shape.hits(mix, &own)).collect::<Vec<_>>(), &mut rng),
        best: shape.best(all()),
    })
}

/// Validation clips with audio, in two halves.
fn clips_by_half(
    bundle: &ModelBundle,
    data: &Dataset,
    each: usize,
    rng: &mut impl Rng,
) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let plan = plan_of(bundle, None, None)?;
    let valid = clips_of(&Evaluated::Valid.of(Split::new(&plan, &data.clips, &vec![1; data.clips.len()])?));
    let mut paths: Vec<PathBuf> =
        valid.iter().filter_map(|clip| data.clips.get(*clip)?.audio.clone()).collect();
    paths.shuffle(rng);
    let second = paths.split_off(paths.len() / 2);
    ensure!(
        paths.len() >= each,
        "mixes of {each} clips need {} validation clips with audio; there are {}",
        2 * each,
        paths.len() + second.len()
    );
    Ok((paths, second))
}

/// Files of speech, in two halves of different kinds.
fn speech_by_half(options: &MixOptions<'_>) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let mut halves = (Vec::new(), Vec::new());
    for (index, kind) in options.kinds.iter().enumerate() {
        let folder = options.other.join(kind);
        let half = if index % 2 == 0 { &mut halves.0 } else { &mut halves.1 };
        half.extend(audio_below(&folder)?.files);
    }
    ensure!(!halves.0.is_empty() && !halves.1.is_empty(), "a kind of speech has no audio files");
    Ok(halves)
}

/// Joins clips with speech between them, and predicts all segments.
fn mix(
    analyser: &mut Analyser,
    clips: &[PathBuf],
    speech: &[PathBuf],
    count: usize,
    rng: &mut impl Rng,
) -> Result<Mix> {
    let mut order: Vec<&PathBuf> = clips.iter().collect();
    order.shuffle(rng);
    let (mut samples, mut seams): (Vec<f32>, Vec<f64>) = Default::default();
    let mut join = |part: &[f32]| {
        if !samples.is_empty() {
            seams.push(samples.len() as f64 / f64::from(RATE));
        }
        samples.extend(part);
    };
    let mut joined = 0;
    for path in order {
        if joined == count {
            break;
        }
        let (clip, seconds) = mono(path, RATE)?;
        if seconds < CLIP_SECS[0] {
            continue;
        }
        if joined > 0 {
            let sound = speech.get(rng.random_range(0..speech.len())).context("there is no speech")?;
            join(&mono(sound, RATE)?.0);
        }
        let length = rng.random_range(CLIP_SECS[0]..=CLIP_SECS[1].min(seconds));
        join(clip.get(..(length * f64::from(RATE)) as usize).unwrap_or(&clip));
        joined += 1;
    }
    ensure!(joined == count, "only {joined} validation clips last {} s; a mix needs {count}", CLIP_SECS[0]);
    let seconds = samples.len() as f64 / f64::from(RATE);
    let signals = Signals::resampled(&samples, RATE, analyser.sample_rates())?;
    Ok(Mix { seams, seconds, observations: observe(analyser, &signals)? })
}

/// The segments of a signal as the hidden Markov model sees them.
fn observe(analyser: &mut Analyser, signals: &Signals) -> Result<Vec<Observation>> {
    let rate = f64::from(analyser.sample_rate());
    let mut observations = Vec::new();
    for batch in analyser.segments(signals.at(analyser.sample_rate()).len()).chunks(BATCH) {
        let predictions = pollster::block_on(analyser.predict(signals, batch))?;
        for (segment, prediction) in batch.iter().zip(predictions) {
            let sound = prediction.map(|prediction| Sound {
                classes: probabilities(&prediction.ensemble),
                non_music: prediction.non_music,
            });
            let [start, end] = [segment.start, segment.end].map(|sample| sample as f64 / rate);
            observations.push(Observation { start, end, sound });
        }
    }
    Ok(observations)
}

/// The states of the hidden Markov model.
struct Shape<'a> {
    classes: usize,
    kinds: &'a [String],
}

impl Shape<'_> {
    fn hits(&self, mix: &Mix, model: &SectionModel) -> Hits {
        let sections = model.sections(&mix.observations, self.classes, self.kinds);
        let boundaries: Vec<f64> = sections.iter().skip(1).map(|section| section.start).collect();
        matched(&boundaries, &mix.seams)
    }

    /// Boundaries where the most probable label changes from one segment to the next.
    fn unsmoothed(&self, mix: &Mix) -> Hits {
        let label = |observation: &Observation| observation.sound.as_ref().map(Sound::top);
        let pairs = mix.observations.windows(2);
        let changes = pairs.filter_map(|pair| match pair {
            [a, b] if label(a) != label(b) => Some(b.start),
            _ => None,
        });
        matched(&changes.collect::<Vec<_>>(), &mix.seams)
    }

    /// The candidate with the best F1 score, the first of equal ones.
    fn best<'m>(&self, mixes: impl Iterator<Item = &'m Mix> + Clone) -> SectionModel {
        let mut best = (f64::MIN, SectionModel::default());
        for (stay, evidence) in STAY.iter().flat_map(|stay| EVIDENCE.iter().map(move |e| (*stay, *e))) {
            let model = SectionModel { stay, evidence };
            let f1 = total(mixes.clone().map(|mix| self.hits(mix, &model))).f1();
            if f1 > best.0 {
                best = (f1, model);
            }
        }
        best.1
    }
}

fn total(hits: impl IntoIterator<Item = Hits>) -> Hits {
    hits.into_iter().fold(Hits::default(), |sum, hits| Hits {
        found: sum.found + hits.found,
        predicted: sum.predicted + hits.predicted,
        seams: sum.seams + hits.seams,
    })
}

/// The score of all mixes together.
fn score(mixes: &[Hits], rng: &mut impl Rng) -> BoundaryScore {
    let all = total(mixes.iter().copied());
    let mut resampled: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let draw = (0..mixes.len()).filter_map(|_| mixes.get(rng.random_range(0..mixes.len())).copied());
            total(draw.collect::<Vec<_>>()).f1()
        })
        .collect();
    resampled.sort_by(f64::total_cmp);
    let at = |fraction: f64| {
        resampled.get((fraction * (RESAMPLES - 1) as f64).round() as usize).copied().unwrap_or_default()
    };
    BoundaryScore {
        f1: all.f1(),
        interval: [at(0.025), at(0.975)],
        precision: all.found as f64 / all.predicted.max(1) as f64,
        recall: all.found as f64 / all.seams.max(1) as f64,
    }
}

/// Counts boundaries with a seam within the tolerance. Each boundary and each seam counts once; both are in
/// order of time. Taking the earliest possible partner is optimal, because all tolerances are equal.
fn matched(boundaries: &[f64], seams: &[f64]) -> Hits {
    let mut found = 0;
    let mut waiting = seams.iter().copied().peekable();
    for boundary in boundaries {
        while waiting.next_if(|seam| *seam < boundary - TOLERANCE_SECS).is_some() {}
        if waiting.next_if(|seam| *seam <= boundary + TOLERANCE_SECS).is_some() {
            found += 1;
        }
    }
    Hits { found, predicted: boundaries.len(), seams: seams.len() }
}

/// The kinds of speech in a folder of sounds: the names of its folders that begin with one of `prefixes`.
///
/// # Errors
/// The folder cannot be listed.
pub fn speech_kinds(other: &Path, prefixes: &[String]) -> Result<Vec<String>> {
    let entries =
        std::fs::read_dir(other).with_context(|| format!("{} cannot be listed", other.display()))?;
    let mut kinds = BTreeMap::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if prefixes.iter().any(|prefix| name.starts_with(prefix.as_str())) && other.join(&name).is_dir() {
            kinds.insert(name, ());
        }
    }
    Ok(kinds.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest number of pairs, by trying all assignments.
    fn most(boundaries: &[f64], seams: &[f64]) -> usize {
        let Some((first, rest)) = boundaries.split_first() else { return 0 };
        let skipped = most(rest, seams);
        let taken =
            (0..seams.len()).filter(|seam| (seams[*seam] - first).abs() <= TOLERANCE_SECS).map(|seam| {
                let others: Vec<f64> =
                    seams.iter().enumerate().filter(|(i, _)| *i != seam).map(|(_, s)| *s).collect();
                1 + most(rest, &others)
            });
        taken.max().unwrap_or_default().max(skipped)
    }

    #[test]
    fn as_many_boundaries_are_matched_as_possible() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for _ in 0..300 {
            let mut times = || {
                let count = rng.random_range(0..6);
                let mut times: Vec<f64> =
                    (0..count).map(|_| f64::from(rng.random_range(0..60)) / 2.0).collect();
                times.sort_by(f64::total_cmp);
                times
            };
            let (boundaries, seams) = (times(), times());
            assert_eq!(
                matched(&boundaries, &seams).found,
                most(&boundaries, &seams),
                "{boundaries:?} {seams:?}"
            );
        }
    }
}
