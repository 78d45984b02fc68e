//! Duplicate clips: identical samples, or the same recording at another offset and level.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use cratedigger_zoo::sha256_hex;
use rayon::prelude::*;
use realfft::RealFftPlanner;

use super::similarity::{Fingerprint, similarity};
use super::{Repeats, Sound, inspect};
use crate::data::Dataset;
use crate::files::{read_json, write_atomically};
use crate::progress::progress_bar;

/// Similarity above which two clips of audio with ten seconds in common are of the same recording. Lossy copies
/// at any offset and level reach 0.75 to 1, different songs at most 0.45.
const SAME: f32 = 0.65;
/// The same for arrays, whose columns are 77 ms apart: copies that lie between them reach only 0.66 to 0.84,
/// different clips at most 0.5.
const SAME_ARRAY: f32 = 0.6;
/// Minimum overlap of two clips in seconds.
const OVERLAP_SECONDS: f64 = 5.0;
/// Minimum overlap as a fraction of the shorter clip: a few seconds in common do not make two songs one.
const OVERLAP_FRACTION: f64 = 1.0 / 6.0;
/// Version of the duplicate search, part of the cache key. Increase it if results change.
const REVISION: u32 = 3;
/// Number of clips that each clip is compared with, those of the nearest mean spectra.
const NEIGHBOURS: usize = 1000;

fn repeats(data: &Dataset, mut members: Vec<usize>, similarity: f32) -> Repeats {
    members.sort_unstable();
    Repeats {
        classes_differ: members.windows(2).any(|pair| data.clips[pair[0]].class != data.clips[pair[1]].class),
        clips: members.into_iter().map(|m| data.clips[m].id.clone()).collect(),
        similarity,
    }
}

pub(super) fn exact(data: &Dataset, sounds: &[(usize, &Sound)]) -> Vec<Repeats> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, sound) in sounds {
        groups.entry(&sound.sha256).or_default().push(*place);
    }
    let mut groups: Vec<Repeats> =
        groups.into_values().filter(|group| group.len() > 1).map(|group| repeats(data, group, 1.0)).collect();
    groups.sort_by(|a, b| a.clips.cmp(&b.clips));
    groups
}

/// Groups of clips of the same recording. Each clip is compared with the clips of the nearest mean spectra.
pub(super) fn near(
    data: &Dataset,
    sounds: &[(usize, &Sound)],
    cancelled: &AtomicBool,
) -> Result<Vec<Repeats>> {
    let mut found = Vec::new();
    for of_array in [false, true] {
        let prints: Vec<Fingerprint> = sounds
            .par_iter()
            .map_init(RealFftPlanner::<f32>::new, |planner, (place, sound)| {
                let print = sound.print.as_ref().filter(|print| print.of_array == of_array)?;
                Fingerprint::new(*place, print, planner)
            })
            .flatten()
            .collect();
        found.extend(alike(data, &prints, if of_array { SAME_ARRAY } else { SAME }, cancelled)?);
    }
    found.sort_by(|a: &Repeats, b| a.clips.cmp(&b.clips));
    Ok(found)
}

/// The pairs to compare: all, or in a large data set each clip with its nearest.
fn pairs_of(prints: &[Fingerprint]) -> Vec<(usize, usize)> {
    let all = 0..prints.len();
    if prints.len() <= NEIGHBOURS + 1 {
        return all.clone().flat_map(|a| (a + 1..prints.len()).map(move |b| (a, b))).collect();
    }
    let mut pairs: Vec<(usize, usize)> = all
        .clone()
        .into_par_iter()
        .flat_map_iter(|a| {
            let distance = |b: &usize| {
                let pairs = prints[a].summary.iter().zip(&prints[*b].summary);
                pairs.map(|(x, y)| (x - y) * (x - y)).sum::<f32>()
            };
            let mut others: Vec<(f32, usize)> =
                all.clone().filter(|b| *b != a).map(|b| (distance(&b), b)).collect();
            others.select_nth_unstable_by(NEIGHBOURS - 1, |x, y| x.0.total_cmp(&y.0));
            others.into_iter().take(NEIGHBOURS).map(move |(_, b)| (a.min(b), a.max(b)))
        })
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn alike(data: &Dataset, prints: &[Fingerprint], same: f32, cancelled: &AtomicBool) -> Result<Vec<Repeats>> {
    let compared = pairs_of(prints);
    let bar = progress_bar(compared.len() as u64, "comparing");
    let pairs: Vec<(usize, usize, f32)> = compared
        .into_par_iter()
        .map_init(RealFftPlanner::<f32>::new, |planner, (a, b)| {
            if cancelled.load(Ordering::Relaxed) {
                return None;
            }
            let (first, second) = (&prints[a], &prints[b]);
            let seconds = OVERLAP_SECONDS.max(OVERLAP_FRACTION * first.seconds().min(second.seconds()));
            // Clips that are shorter than the overlap are compared as a whole.
            let seconds = seconds.min(0.9 * first.seconds()).min(0.9 * second.seconds());
            let least = ((seconds * first.rate) as usize).max(1);
            let found = similarity(first, second, least, same, planner);
            bar.inc(1);
            found.map(|found| (a, b, found))
        })
        .flatten()
        .collect();
    bar.finish_and_clear();
    ensure!(!cancelled.load(Ordering::Relaxed), "stopped before all clips were compared");

    // Joins pairs into groups.
    let mut group: Vec<usize> = (0..prints.len()).collect();
    let mut weakest: BTreeMap<(usize, usize), f32> = BTreeMap::new();
    for (a, b, similarity) in pairs {
        weakest.insert((a, b), similarity);
        let (from, to) = (group[a].max(group[b]), group[a].min(group[b]));
        group.iter_mut().filter(|g| **g == from).for_each(|g| *g = to);
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    group.iter().enumerate().for_each(|(print, g)| members.entry(*g).or_default().push(print));
    let groups: Vec<Repeats> = members
        .into_values()
        .filter(|members| members.len() > 1)
        .map(|members| {
            let least = weakest
                .iter()
                .filter(|((a, _), _)| members.contains(a))
                .map(|(_, similarity)| *similarity)
                .fold(1.0, f32::min);
            repeats(data, members.into_iter().map(|m| prints[m].place).collect(), least)
        })
        .collect();
    Ok(groups)
}

/// Removes duplicates from a data set: all but the first clip of a group, or all clips of a group with
/// different classes, since at most one label is correct. Removed clips are added to [`Dataset::skipped`].
///
/// The result is cached in `cache`, because comparing all clips is slow.
///
/// # Errors
/// The work was cancelled.
pub fn drop_duplicates(data: &mut Dataset, cache: Option<&Path>, cancelled: &Arc<AtomicBool>) -> Result<()> {
    let kept = cache.map(|folder| kept_at(folder, data));
    let known = kept
        .as_ref()
        .filter(|path| path.is_file())
        .and_then(|path| read_json::<Vec<(String, String)>>(path).ok());
    let dropped = match known {
        Some(dropped) => dropped,
        None => {
            let found = inspect(data, cancelled)?;
            let mut dropped = Vec::new();
            for group in found.exact.iter().chain(&found.near) {
                let Some(first) = group.clips.first() else { continue };
                for clip in group.clips.iter().skip(usize::from(!group.classes_differ)) {
                    let why = if group.classes_differ {
                        format!(
                            "the same recording is in several classes: {}{}",
                            group.clips.iter().take(3).cloned().collect::<Vec<_>>().join(", "),
                            if group.clips.len() > 3 { ", …" } else { "" }
                        )
                    } else {
                        format!("it is a duplicate of {first}")
                    };
                    dropped.push((clip.clone(), why));
                }
            }
            if let Some(path) = &kept {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                write_atomically(path, &serde_json::to_vec(&dropped)?)?;
            }
            dropped
        }
    };
    let dropped: BTreeMap<String, String> = dropped.into_iter().rev().collect();
    data.clips.retain(|clip| !dropped.contains_key(&clip.id));
    data.skipped.extend(dropped);
    Ok(())
}

/// The cache file of a data set's duplicates. Its name is a hash of all files with size and time, and of the
/// arrays.
fn kept_at(folder: &Path, data: &Dataset) -> PathBuf {
    let mut lines =
        format!("{REVISION} {SAME} {SAME_ARRAY} {NEIGHBOURS} {OVERLAP_SECONDS} {OVERLAP_FRACTION}\n");
    for clip in &data.clips {
        let stamp = clip.audio.as_ref().and_then(|path| {
            let data = fs::metadata(path).ok()?;
            Some((path, data.len(), data.modified().ok()?))
        });
        let array = clip
            .columns
            .as_ref()
            .map(|c| c.db.iter().map(|v| u64::from(v.to_bits())).fold(0, u64::wrapping_add));
        lines += &format!("{} {} {stamp:?} {array:?}\n", clip.id, clip.class);
    }
    folder.join("repeats").join(format!("{}.json", sha256_hex(lines.as_bytes())))
}
