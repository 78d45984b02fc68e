//! Inspection of a data set: unusable files, damaged audio, duplicate clips, tables with missing values.
//!
//! Faults are detected in the audio; GTZAN's published list of faults is not used.

mod duplicates;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use cratedigger_dsp::{hz_to_mel, mel_to_hz};
use cratedigger_zoo::{InputSpec, LogMel, MIN_SECONDS, SILENCE, sha256_hex};
use rayon::prelude::*;
use serde::Serialize;

pub use duplicates::drop_duplicates;

use super::audio::{self, Audio};
use super::{Clip, Columns, Dataset, columns_of, mono_of};
use crate::format::whole_percent;
use crate::progress::progress_bar;

/// The result of an inspection; the output of `inspect --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Number of clips per class.
    pub classes: Vec<(String, usize)>,
    /// Files that cannot be decoded, or table rows with missing values, with the reason.
    pub unreadable: Vec<Finding>,
    /// Clips that are too short for a network, or much shorter than the median clip.
    pub short: Vec<Finding>,
    /// Clips that are silent for more than 30 % of their length.
    pub silent: Vec<Finding>,
    /// Clips with clipping.
    pub clipped: Vec<Finding>,
    /// Clips without high frequencies.
    pub band_limited: Vec<Finding>,
    /// Groups of clips with identical samples.
    pub exact: Vec<Repeats>,
    /// Groups of clips of the same recording, at any offset and level.
    pub near: Vec<Repeats>,
    /// Number of files per sample rate in Hz.
    pub sample_rates: BTreeMap<u32, usize>,
    /// Number of files per number of channels.
    pub channels: BTreeMap<usize, usize>,
    /// Minimum, median and maximum length in seconds.
    pub seconds: Option<[f64; 3]>,
}

/// A fault of a clip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Id of the clip.
    pub clip: String,
    /// Description of the fault.
    pub what: String,
}

/// Duplicate clips.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Repeats {
    /// Ids of the clips, sorted.
    pub clips: Vec<String>,
    /// Whether the clips have different classes.
    pub classes_differ: bool,
    /// Lowest correlation of the group's pairs; 1 for identical samples.
    pub similarity: f32,
}

/// Content of a clip.
#[derive(Clone, Debug)]
struct Sound {
    sha256: String,
    facts: Option<Facts>,
    spectrum: Option<Arc<Columns>>,
}

/// Properties of the audio.
#[derive(Clone, Debug)]
struct Facts {
    seconds: f64,
    sample_rate: u32,
    channels: usize,
    /// Fraction of clipped samples.
    clipped: f64,
    /// Fraction of silent 3-second windows.
    silent: f64,
}

/// Minimum number of consecutive samples at full scale that count as clipping. A loud note without clipping
/// reaches full scale once.
const FLAT: usize = 3;
/// Fraction of clipped samples above which distortion is audible.
const CLIPPED_FRACTION: f64 = 1e-3;

/// Spectrogram for comparisons: every frame of log-mel. Arrays have every third frame and are compared only
/// with each other.
fn mel() -> LogMel {
    LogMel { frames_per_column: [1, 1], ..LogMel::default() }
}

fn listen(clip: &Clip) -> Result<Sound> {
    if let Some(path) = &clip.audio {
        let bytes = fs::read(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let audio = audio::decode_named(bytes, path)?;
        // The hash is of the samples, so that the same audio in another container is a duplicate.
        let mut all: Vec<u8> = audio.sample_rate.to_le_bytes().to_vec();
        audio.channels.iter().flatten().for_each(|s| all.extend(s.to_le_bytes()));
        let sha256 = sha256_hex(&all);
        let facts = facts(&audio);
        let spec = InputSpec::log_mel_3s();
        let (signal, _) = mono_of(&audio, spec.sample_rate)?;
        let spectrum = match &clip.columns {
            Some(columns) => Some(Arc::clone(columns)),
            None => columns_of(&signal, &mel(), spec.sample_rate).ok().map(Arc::new),
        };
        return Ok(Sound { sha256, facts: Some(facts), spectrum });
    }
    if let Some(columns) = &clip.columns {
        let bytes: Vec<u8> = columns.db.iter().flat_map(|v| v.to_le_bytes()).collect();
        let spectrum = Some(Arc::clone(columns));
        return Ok(Sound { sha256: sha256_hex(&bytes), facts: None, spectrum });
    }
    let mut bytes: Vec<u8> = Vec::new();
    if let Some(path) = &clip.picture {
        bytes = fs::read(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    }
    clip.row.iter().for_each(|row| bytes.extend(row.iter().flat_map(|v| v.to_le_bytes())));
    bytes.extend(clip.rows.iter().flatten().flat_map(|v| v.to_le_bytes()));
    Ok(Sound { sha256: sha256_hex(&bytes), facts: None, spectrum: None })
}

fn facts(audio: &Audio) -> Facts {
    let frames = audio.channels.first().map_or(0, Vec::len);
    let mut flat = 0;
    for channel in &audio.channels {
        let peak = channel.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        let mut run = 0;
        for sample in channel {
            // Clipping can happen at any level near the recording's peak, not only at 1.
            let at_top = peak > 0.5 && sample.abs() >= 0.9999 * peak;
            run = if at_top { run + 1 } else { 0 };
            flat += match run {
                FLAT => FLAT,
                more if more > FLAT => 1,
                _ => 0,
            };
        }
    }
    let window = (3 * audio.sample_rate as usize).max(1);
    let windows = frames.div_ceil(window).max(1);
    let silent = (0..windows)
        .filter(|w| {
            let range = w * window..((w + 1) * window).min(frames);
            audio
                .channels
                .iter()
                .all(|c| c.get(range.clone()).unwrap_or_default().iter().all(|s| s.abs() < SILENCE))
        })
        .count();
    Facts {
        seconds: frames as f64 / f64::from(audio.sample_rate.max(1)),
        sample_rate: audio.sample_rate,
        channels: audio.channels.len(),
        clipped: flat as f64 / (frames * audio.channels.len()).max(1) as f64,
        silent: silent as f64 / windows as f64,
    }
}

/// Inspects all clips of a data set.
///
/// # Errors
/// The work was cancelled.
pub fn inspect(data: &Dataset, cancelled: &Arc<AtomicBool>) -> Result<Inspection> {
    let bar = progress_bar(data.clips.len() as u64, "reading clips");
    let sounds: Vec<Option<Result<Sound>>> = data
        .clips
        .par_iter()
        .map(|clip| {
            if cancelled.load(Ordering::Relaxed) {
                return None;
            }
            let sound = listen(clip);
            bar.inc(1);
            Some(sound)
        })
        .collect();
    bar.finish_and_clear();
    let sounds: Vec<Result<Sound>> =
        sounds.into_iter().collect::<Option<Vec<_>>>().context("stopped before all clips were read")?;

    let mut found = Inspection::of_listing(data);
    found.add_sounds(data, &sounds);
    let readable: Vec<(usize, &Sound)> =
        sounds.iter().enumerate().filter_map(|(place, sound)| Some((place, sound.as_ref().ok()?))).collect();
    found.exact = duplicates::exact(data, &readable);
    found.near = duplicates::near(data, &readable, cancelled)?;
    // Identical clips are already in the other list.
    let known: Vec<&Vec<String>> = found.exact.iter().map(|group| &group.clips).collect();
    found.near.retain(|group| !known.contains(&&group.clips));
    Ok(found)
}

/// Frequency in Hz above which a clip has no content: the bands stay within 10 dB of the lowest level of the
/// recording. None if the clip has content up to the top.
fn upper_edge(columns: &Columns) -> Option<f64> {
    let floor = columns.db.iter().copied().fold(f32::INFINITY, f32::min);
    let loudest = columns.db.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let row_is_empty = |row: &[f32]| {
        row.iter().filter(|v| **v > (floor + 10.0).max(loudest - 75.0)).count() * 100 < row.len()
    };
    let empty =
        columns.db.chunks_exact(columns.columns.max(1)).rev().take_while(|row| row_is_empty(row)).count();
    if empty == 0 || empty == columns.bands {
        return None;
    }
    let top = hz_to_mel(mel().fmax) * (columns.bands - empty) as f64 / (columns.bands + 1) as f64;
    Some(mel_to_hz(top))
}

impl Inspection {
    /// The classes and the skipped files of a data set; everything else is empty.
    fn of_listing(data: &Dataset) -> Self {
        Self {
            classes: data
                .classes
                .iter()
                .enumerate()
                .map(|(place, name)| (name.clone(), data.clips.iter().filter(|c| c.class == place).count()))
                .collect(),
            unreadable: data
                .skipped
                .iter()
                .map(|(clip, what)| Finding { clip: clip.clone(), what: what.clone() })
                .collect(),
            short: Vec::new(),
            silent: Vec::new(),
            clipped: Vec::new(),
            band_limited: Vec::new(),
            exact: Vec::new(),
            near: Vec::new(),
            sample_rates: BTreeMap::new(),
            channels: BTreeMap::new(),
            seconds: None,
        }
    }

    /// Adds the faults and properties of single clips.
    fn add_sounds(&mut self, data: &Dataset, sounds: &[Result<Sound>]) {
        let finding = |clip: &Clip, what: String| Finding { clip: clip.id.clone(), what };
        let mut lengths: Vec<f64> =
            sounds.iter().flatten().filter_map(|s| s.facts.as_ref()).map(|facts| facts.seconds).collect();
        lengths.sort_by(f64::total_cmp);
        let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
        if let (Some(first), Some(last)) = (lengths.first(), lengths.last()) {
            self.seconds = Some([*first, median, *last]);
        }
        for (clip, sound) in data.clips.iter().zip(sounds) {
            let sound = match sound {
                Ok(sound) => sound,
                Err(error) => {
                    self.unreadable.push(finding(clip, format!("{error:#}")));
                    continue;
                }
            };
            if let Some(facts) = &sound.facts {
                *self.sample_rates.entry(facts.sample_rate).or_default() += 1;
                *self.channels.entry(facts.channels).or_default() += 1;
                if facts.seconds < MIN_SECONDS || facts.seconds < 0.9 * median {
                    self.short.push(finding(
                        clip,
                        format!("{:.2} s; the median clip has {median:.1} s", facts.seconds),
                    ));
                }
                if facts.silent > 0.3 {
                    self.silent
                        .push(finding(clip, format!("{} of it is silent", whole_percent(facts.silent))));
                }
                if facts.clipped > CLIPPED_FRACTION {
                    self.clipped.push(finding(
                        clip,
                        format!("{:.2} % of its samples are clipped", 100.0 * facts.clipped),
                    ));
                }
            }
            if let Some(edge) = sound.spectrum.as_ref().and_then(|s| upper_edge(s))
                && edge < 9000.0
            {
                self.band_limited.push(finding(clip, format!("no content above {:.1} kHz", edge / 1000.0)));
            }
        }
    }

    /// Whether there are no faults.
    pub fn is_clean(&self) -> bool {
        let findings = [&self.unreadable, &self.short, &self.silent, &self.clipped];
        findings.iter().all(|list| list.is_empty()) && self.exact.is_empty() && self.near.is_empty()
    }
}
