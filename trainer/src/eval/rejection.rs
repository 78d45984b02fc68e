//! The threshold of the non-music probability, measured on real sounds of kinds that the network was not
//! trained on, and on music.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use cratedigger_protocol::Metric;
use cratedigger_zoo::{Analyser, Signals};
use serde::Serialize;

use super::bundle::ModelBundle;
use super::calibrate::{Threshold, fit_threshold};
use crate::config::Config;
use crate::data::conditions::Condition;
use crate::data::split::{Split, SplitPlan, clips_of};
use crate::data::{Clip, Dataset, signals, signals_under};
use crate::metrics::wilson;
use crate::progress::progress_bar;

/// Number of sounds of one kind, and how many of them are rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Rejected at the threshold.
    pub rejected: usize,
    /// All.
    pub n: usize,
}

impl Count {
    fn add(&mut self, rejected: bool) {
        self.rejected += usize::from(rejected);
        self.n += 1;
    }
}

/// The threshold of the non-music probability, with what it was chosen from.
#[derive(Clone, Debug, Serialize)]
pub struct Rejection {
    /// The answer is *none of these* above this non-music probability.
    pub above: f32,
    /// The curve. Confidences are those of music: one minus the non-music probability.
    pub threshold: Threshold,
    /// Real sounds by kind, each predicted by a network that was not trained on this kind.
    pub kinds: BTreeMap<String, Count>,
    /// Validation clips as they are.
    pub music: Count,
    /// Validation clips under each condition, by the name of the condition.
    pub music_under: BTreeMap<String, Count>,
}

impl Rejection {
    /// The metrics as a manifest stores them.
    pub fn metrics(&self) -> Vec<Metric> {
        let sounds = self.kinds.values().fold(Count::default(), |sum, kind| Count {
            rejected: sum.rejected + kind.rejected,
            n: sum.n + kind.n,
        });
        let metric =
            |protocol: &str, level: &str, condition: Option<&str>, correct: usize, n: usize| Metric {
                protocol: protocol.into(),
                level: level.into(),
                condition: condition.map(str::to_owned),
                n: n as u64,
                accuracy: correct as f64 / n.max(1) as f64,
                interval: Some(wilson(correct, n)),
                confusion: None,
            };
        let music = |condition, count: &Count| {
            metric("validation", "music-accepted", condition, count.n - count.rejected, count.n)
        };
        let mut metrics = vec![
            metric("kinds left out", "non-music", None, sounds.rejected, sounds.n),
            music(None, &self.music),
        ];
        metrics.extend(self.music_under.iter().map(|(name, count)| music(Some(name.as_str()), count)));
        metrics
    }
}

/// What to choose the threshold from.
pub struct Sounds<'a> {
    /// Folder of sounds that are no music, with one folder a kind.
    pub folder: &'a Path,
    /// Runs that were trained without a kind of these sounds.
    pub left_out: &'a [PathBuf],
    /// Conditions of the music, besides as it is.
    pub conditions: &'a [Condition],
    /// Maximum fraction of music that may be rejected.
    pub refuse: f64,
}

/// Chooses the threshold: of those that reject at most a fraction of the validation clips, under all
/// conditions together, the one that rejects most sounds. `fitting` has not seen the validation clips.
///
/// # Errors
/// A run left out no kind, a kind of sounds was left out by no run, no network predicts kinds of non-music,
/// or a file cannot be read.
pub fn fit_rejection(
    fitting: &ModelBundle,
    data: &Dataset,
    plan: &SplitPlan,
    sounds: &Sounds<'_>,
) -> Result<Rejection> {
    let other = of_sounds(sounds)?;
    let split = Split::new(plan, &data.clips, &vec![1; data.clips.len()])?;
    let clips: Vec<&Clip> = clips_of(&split.valid).into_iter().map(|clip| &data.clips[clip]).collect();
    let mut analyser = fitting.analyser()?;
    let mut music: Vec<(Option<Condition>, f32)> = Vec::new();
    let conditions = || std::iter::once(None).chain(sounds.conditions.iter().copied().map(Some));
    let bar = progress_bar((clips.len() * conditions().count()) as u64, "non-music probability of music");
    for condition in conditions() {
        for clip in &clips {
            let probability = of_clip(&mut analyser, clip, condition)?;
            music.extend(probability.map(|p| (condition, p)));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();

    let confidences = |values: &mut dyn Iterator<Item = f32>| values.map(|p| 1.0 - p).collect::<Vec<f32>>();
    let threshold = fit_threshold(
        &confidences(&mut music.iter().map(|(_, p)| *p)),
        &confidences(&mut other.iter().map(|(_, p)| *p)),
        sounds.refuse,
    )?;
    let above = 1.0 - threshold.chosen.threshold;
    let mut rejection = Rejection {
        above,
        threshold,
        kinds: BTreeMap::new(),
        music: Count::default(),
        music_under: BTreeMap::new(),
    };
    for (kind, probability) in other {
        rejection.kinds.entry(kind).or_default().add(probability > above);
    }
    for (condition, probability) in music {
        let count = match condition {
            None => &mut rejection.music,
            Some(condition) => rejection.music_under.entry(condition.name().into()).or_default(),
        };
        count.add(probability > above);
    }
    Ok(rejection)
}

/// Kind and non-music probability of each sound, by a network that was trained without its kind.
fn of_sounds(sounds: &Sounds<'_>) -> Result<Vec<(String, f32)>> {
    let data = Dataset::open(sounds.folder)
        .with_context(|| format!("the sounds in {} cannot be read", sounds.folder.display()))?;
    let mut all = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    for run in sounds.left_out {
        let bundle = ModelBundle::open(run)?;
        let training = &bundle.manifest.models.first().context("a run has one model")?.training;
        let config = serde_json::from_value::<Config>(training.config.clone())
            .with_context(|| format!("{} has no configuration", run.display()))?;
        let left_out = config.data.non_music.map(|settings| settings.leave_out).unwrap_or_default();
        ensure!(!left_out.is_empty(), "{} was trained on all kinds of sounds", run.display());
        let mut analyser = bundle.analyser()?;
        for (class, kind) in data.classes.iter().enumerate().filter(|(_, kind)| left_out.contains(kind)) {
            known.push(kind);
            for clip in data.clips.iter().filter(|clip| clip.class == class) {
                let probability = of_clip(&mut analyser, clip, None)?;
                all.extend(probability.map(|p| (kind.clone(), p)));
            }
        }
    }
    let missing: Vec<&str> =
        data.classes.iter().map(String::as_str).filter(|kind| !known.contains(kind)).collect();
    ensure!(
        missing.is_empty(),
        "no run given with --left-out was trained without {}; train one with --set 'data.non_music.leave_out=[\"{}\"]'",
        missing.join(", "),
        missing.first().copied().unwrap_or_default()
    );
    Ok(all)
}

/// Probability that a clip is no music; none for a clip without audio and for silence, which is rejected
/// without a network.
fn of_clip(analyser: &mut Analyser, clip: &Clip, condition: Option<Condition>) -> Result<Option<f32>> {
    let Some(path) = &clip.audio else { return Ok(None) };
    let rates = analyser.sample_rates();
    let signals: Signals = match condition {
        Some(condition) => signals_under(condition, &clip.id, path, rates)?.0,
        None => signals(path, rates)?.0,
    };
    let segments = analyser.segments(signals.at(analyser.sample_rate()).len());
    let predictions = pollster::block_on(analyser.predict(&signals, &segments))?;
    let Some(song) = analyser.song_prediction(predictions.iter().flatten()) else { return Ok(None) };
    ensure!(!song.non_music.is_empty(), "no network predicts kinds of non-music");
    Ok(Some(song.non_music.iter().sum()))
}
