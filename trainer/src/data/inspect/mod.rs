//! Inspection of a data set: unusable files, damaged audio, duplicate clips, tables with missing values.
//!
//! Faults are detected in the audio; GTZAN's published list of faults is not used.

mod duplicates;
mod facts;
mod similarity;
mod spectrum;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use cratedigger_zoo::{InputSpec, LogMel, MIN_SECONDS, Signals, sha256_hex};
use rayon::prelude::*;
use serde::Serialize;

pub use duplicates::drop_duplicates;
use facts::{FactFinder, Facts};
use spectrum::{Print, SpectrumFinder};

use super::walk::Unread;
use super::{Clip, Dataset, audio};
use crate::format::{causes, whole_percent};
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
    /// What was left out or mended while a file was decoded.
    pub notes: Vec<Finding>,
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
    /// What is odd about the data set as a whole.
    pub remarks: Vec<String>,
    /// Number of files by sound format that is not read.
    pub unread: Unread,
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
    /// Lowest similarity of the group's pairs, the mean agreement of their columns; 1 for identical samples.
    pub similarity: f32,
}

/// Content of a clip.
#[derive(Clone, Debug)]
struct Sound {
    sha256: String,
    facts: Option<Facts>,
    print: Option<Print>,
    /// Frequency in Hz above which there is nothing.
    edge: Option<f64>,
    notes: Vec<String>,
}

/// Fraction of clipped samples above which distortion is audible.
const CLIPPED_FRACTION: f64 = 1e-3;

fn listen(clip: &Clip) -> Result<Sound> {
    let array = clip.columns.as_ref().map(|columns| {
        let rate = LogMel::default().columns_per_second(InputSpec::log_mel_3s().sample_rate);
        spectrum::of_array(columns, rate)
    });
    if let Some(path) = &clip.audio {
        let rate = InputSpec::log_mel_3s().sample_rate;
        let mut reader = audio::Reader::new(audio::open(path)?, path, &[rate])?;
        let (mut facts, mut spectrum) = (FactFinder::default(), SpectrumFinder::new(rate)?);
        let mut signals = Signals::empty(&[rate]);
        while reader.read_with(&mut signals, |block| facts.add(block))? {
            if let Some(signal) = signals.at_mut(rate) {
                // The comparison uses the array.
                if array.is_none() {
                    spectrum.add(signal)?;
                }
                signal.clear();
            }
        }
        let (facts, sha256) = facts.finish();
        let (print, edge) = array.or(spectrum.finish()?).unzip();
        let notes = reader.notes().iter().map(ToString::to_string).collect();
        return Ok(Sound { sha256, facts: Some(facts), print, edge: edge.flatten(), notes });
    }
    let mut bytes: Vec<u8> = Vec::new();
    if let Some(columns) = &clip.columns {
        bytes.extend(columns.db.iter().flat_map(|v| v.to_le_bytes()));
    } else {
        if let Some(path) = &clip.picture {
            bytes = fs::read(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        }
        clip.row.iter().for_each(|row| bytes.extend(row.iter().flat_map(|v| v.to_le_bytes())));
        bytes.extend(clip.rows.iter().flatten().flat_map(|v| v.to_le_bytes()));
    }
    let (print, edge) = array.unzip();
    Ok(Sound { sha256: sha256_hex(&bytes), facts: None, print, edge: edge.flatten(), notes: Vec::new() })
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
            notes: Vec::new(),
            exact: Vec::new(),
            near: Vec::new(),
            sample_rates: BTreeMap::new(),
            channels: BTreeMap::new(),
            seconds: None,
            remarks: data.remarks.clone(),
            unread: data.unread.clone(),
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
                    self.unreadable.push(finding(clip, causes(error)));
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
            if let Some(edge) = sound.edge.filter(|edge| *edge < 9000.0) {
                self.band_limited.push(finding(clip, format!("no content above {:.1} kHz", edge / 1000.0)));
            }
            self.notes.extend(sound.notes.iter().map(|note| finding(clip, note.clone())));
        }
    }

    /// Whether there are no faults.
    pub fn is_clean(&self) -> bool {
        let findings = [&self.unreadable, &self.short, &self.silent, &self.clipped];
        findings.iter().all(|list| list.is_empty()) && self.exact.is_empty() && self.near.is_empty()
    }
}
