//! Duplicate clips: identical samples, or the same recording at another offset and level.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use cratedigger_zoo::{InputSpec, LogMel, sha256_hex};
use rayon::prelude::*;
use realfft::RealFftPlanner;
use realfft::num_complex::Complex32;

use super::{Repeats, Sound, inspect, mel};
use crate::data::{Columns, Dataset};
use crate::files::{read_json, write_atomically};
use crate::progress::progress_bar;

/// Correlation above which two spectrograms are of the same recording. Two takes of a piece reach about
/// 0.6; a recording and its lossy copy exceed 0.95.
const SAME: f32 = 0.85;
/// Minimum overlap of two clips in seconds.
const OVERLAP_SECONDS: f64 = 5.0;
/// Version of the duplicate search, part of the cache key. Increase it if results change.
const REVISION: u32 = 2;
/// Number of candidates per clip that are compared in full.
const NEIGHBOURS: usize = 40;

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

/// Fingerprint of a clip: its spectrogram with bands averaged in pairs. The mean of each band is removed, so
/// that level and equalisation do not matter. The mean of each column is removed, so that clips with the
/// same beat do not match.
struct Fingerprint {
    place: usize,
    bands: Vec<Vec<f32>>,
    /// Mean (relative to the clip's mean) and standard deviation of each band, to select candidates.
    summary: Vec<f32>,
}

fn fingerprint(place: usize, columns: &Columns) -> Option<Fingerprint> {
    const AT_ONCE: usize = 2;
    let width = columns.columns;
    if width == 0 {
        return None;
    }
    let loudest = columns.db.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut bands = Vec::new();
    let mut summary = Vec::new();
    for rows in columns.db.chunks_exact(width * AT_ONCE) {
        let mut band: Vec<f32> = (0..width)
            .map(|c| {
                let level = |row: &[f32]| row.get(c).copied().unwrap_or(loudest).max(loudest - 60.0);
                rows.chunks_exact(width).map(level).sum::<f32>() / AT_ONCE as f32
            })
            .collect();
        let mean = band.iter().sum::<f32>() / width as f32;
        band.iter_mut().for_each(|v| *v -= mean);
        summary.push(mean);
        summary.push((band.iter().map(|v| v * v).sum::<f32>() / width as f32).sqrt());
        bands.push(band);
    }
    for column in 0..width {
        let mean = bands.iter().map(|band| band[column]).sum::<f32>() / bands.len().max(1) as f32;
        bands.iter_mut().for_each(|band| band[column] -= mean);
    }
    let level = summary.iter().step_by(2).sum::<f32>() / bands.len().max(1) as f32;
    summary.iter_mut().step_by(2).for_each(|mean| *mean -= level);
    let moves = summary.iter().skip(1).step_by(2).any(|deviation| *deviation > 1e-3);
    // Silence and steady tones match each other, so they have no fingerprint.
    moves.then_some(Fingerprint { place, bands, summary })
}

/// Groups of clips of the same recording. Each clip is compared in full with the clips of the nearest mean
/// spectra.
pub(super) fn near(
    data: &Dataset,
    sounds: &[(usize, &Sound)],
    cancelled: &AtomicBool,
) -> Result<Vec<Repeats>> {
    let rate = InputSpec::log_mel_3s().sample_rate;
    let mut found = Vec::new();
    for (of_arrays, spacing) in [(false, mel()), (true, LogMel::default())] {
        let prints: Vec<Fingerprint> = sounds
            .iter()
            .filter(|(place, _)| data.clips[*place].columns.is_some() == of_arrays)
            .filter_map(|(place, sound)| fingerprint(*place, sound.spectrum.as_ref()?))
            .collect();
        let least = (OVERLAP_SECONDS * spacing.columns_per_second(rate)) as usize;
        found.extend(alike(data, &prints, least, cancelled)?);
    }
    found.sort_by(|a: &Repeats, b| a.clips.cmp(&b.clips));
    Ok(found)
}

fn alike(
    data: &Dataset,
    prints: &[Fingerprint],
    least: usize,
    cancelled: &AtomicBool,
) -> Result<Vec<Repeats>> {
    let longest = prints.iter().filter_map(|p| p.bands.first()).map(Vec::len).max().unwrap_or_default();
    if longest == 0 {
        return Ok(Vec::new());
    }
    let length = (2 * longest).next_power_of_two();
    let bar = progress_bar(prints.len() as u64, "comparing");
    let transforms: Vec<Vec<Vec<Complex32>>> = prints
        .par_iter()
        .map_init(RealFftPlanner::<f32>::new, |planner, p| transform(planner, p, length))
        .collect();
    let pairs: Vec<Vec<(usize, usize, f32)>> = (0..prints.len())
        .into_par_iter()
        .map_init(RealFftPlanner::<f32>::new, |planner, a| {
            if cancelled.load(Ordering::Relaxed) {
                return Vec::new();
            }
            let distance = |b: &usize| {
                let pairs = prints[a].summary.iter().zip(&prints[*b].summary);
                pairs.map(|(x, y)| (x - y) * (x - y)).sum::<f32>()
            };
            let mut others: Vec<usize> = (0..prints.len()).filter(|b| *b != a).collect();
            others.sort_by(|x, y| distance(x).total_cmp(&distance(y)));
            let found = others
                .into_iter()
                .take(NEIGHBOURS)
                .filter_map(|b| {
                    let similarity = correlation(
                        planner,
                        [&prints[a], &prints[b]],
                        [&transforms[a], &transforms[b]],
                        length,
                        least,
                    );
                    (similarity > SAME).then_some((a.min(b), a.max(b), similarity))
                })
                .collect();
            bar.inc(1);
            found
        })
        .collect();
    bar.finish_and_clear();
    ensure!(!cancelled.load(Ordering::Relaxed), "stopped before all clips were compared");

    // Joins pairs into groups.
    let mut group: Vec<usize> = (0..prints.len()).collect();
    let mut weakest: BTreeMap<(usize, usize), f32> = BTreeMap::new();
    for (a, b, similarity) in pairs.into_iter().flatten() {
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

fn transform(planner: &mut RealFftPlanner<f32>, print: &Fingerprint, length: usize) -> Vec<Vec<Complex32>> {
    let plan = planner.plan_fft_forward(length);
    print
        .bands
        .iter()
        .map(|band| {
            let mut input = band.clone();
            input.resize(length, 0.0);
            let mut output = plan.make_output_vec();
            // Cannot fail, because the plan made the buffers.
            if plan.process(&mut input, &mut output).is_err() {
                output.fill(Complex32::default());
            }
            output
        })
        .collect()
}

/// The maximum correlation of two fingerprints over all offsets with sufficient overlap.
fn correlation(
    planner: &mut RealFftPlanner<f32>,
    prints: [&Fingerprint; 2],
    transforms: [&Vec<Vec<Complex32>>; 2],
    length: usize,
    least: usize,
) -> f32 {
    let [a, b] = prints;
    let mut product = vec![Complex32::default(); length / 2 + 1];
    for (x, y) in transforms[0].iter().zip(transforms[1]) {
        product.iter_mut().zip(x.iter().zip(y)).for_each(|(p, (x, y))| *p += x * y.conj());
    }
    // These imaginary parts are rounding errors, which the inverse FFT would reject.
    if let [first, .., last] = product.as_mut_slice() {
        (first.im, last.im) = (0.0, 0.0);
    }
    let plan = planner.plan_fft_inverse(length);
    let mut sums = vec![0.0; length];
    if plan.process(&mut product, &mut sums).is_err() {
        return 0.0;
    }
    // Cumulative energy over columns.
    let energy = |print: &Fingerprint| -> Vec<f32> {
        let width = print.bands.first().map_or(0, Vec::len);
        let mut running = vec![0.0; width + 1];
        for column in 0..width {
            let sum: f32 = print.bands.iter().map(|band| band[column] * band[column]).sum();
            running[column + 1] = running[column] + sum;
        }
        running
    };
    let (energy_a, energy_b) = (energy(a), energy(b));
    let (width_a, width_b) = (energy_a.len() - 1, energy_b.len() - 1);
    let least = least.min(width_a).min(width_b).max(1);
    let mut best = 0.0_f32;
    // Column i + offset of the first is aligned with column i of the second.
    for offset in -(width_b as isize)..=(width_a as isize) {
        let from = offset.max(0) as usize;
        let to = (offset + width_b as isize).clamp(0, width_a as isize) as usize;
        if to < from + least {
            continue;
        }
        let (from_b, to_b) = ((from as isize - offset) as usize, (to as isize - offset) as usize);
        let energies = (energy_a[to] - energy_a[from]) * (energy_b[to_b] - energy_b[from_b]);
        let sum = sums[offset.rem_euclid(length as isize) as usize] / length as f32;
        if energies > 0.0 {
            best = best.max(sum / energies.sqrt());
        }
    }
    best
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
    let mut lines = format!("{REVISION} {SAME} {NEIGHBOURS} {OVERLAP_SECONDS}\n");
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
