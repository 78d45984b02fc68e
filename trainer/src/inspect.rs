//! What is wrong with a data set: files that cannot be used, sound that is damaged, clips that
//! repeat each other, tables with gaps.
//!
//! Nothing here knows GTZAN's published list of faults; they have to be found in the sound.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use cratedigger_zoo::{InputSpec, LogMel, MIN_SECONDS, SILENCE, sha256_hex};
use rayon::prelude::*;
use realfft::RealFftPlanner;
use realfft::num_complex::Complex32;
use serde::Serialize;

use crate::audio::{self, Audio};
use crate::data::{Clip, Columns, Dataset, columns_of, mono_of};
use crate::display::progress_bar;
use crate::run::{read_json, write_atomically};

/// What `inspect --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Clips by class.
    pub classes: Vec<(String, usize)>,
    /// Files that cannot be read, or rows with gaps, and why.
    pub unreadable: Vec<Finding>,
    /// Clips with less sound than a network can judge, or much less than is usual in the data set.
    pub short: Vec<Finding>,
    /// Clips that are silent, or silent for the most part.
    pub silent: Vec<Finding>,
    /// Clips with many samples at full scale.
    pub clipped: Vec<Finding>,
    /// Clips without anything in the upper part of the spectrum.
    pub band_limited: Vec<Finding>,
    /// Groups of clips with the same content.
    pub exact: Vec<Repeats>,
    /// Groups of clips with nearly the same sound, at whatever offset and level.
    pub near: Vec<Repeats>,
    /// Number of files at each sample rate in Hz.
    pub sample_rates: BTreeMap<u32, usize>,
    /// Number of files with each number of channels.
    pub channels: BTreeMap<usize, usize>,
    /// Lengths in seconds: shortest, median, longest.
    pub seconds: Option<[f64; 3]>,
}

/// One clip and what is the matter with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Its id.
    pub clip: String,
    /// In words.
    pub what: String,
}

/// Clips that repeat each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Repeats {
    /// Their ids, sorted.
    pub clips: Vec<String>,
    /// Whether they do not even have the same class.
    pub classes_differ: bool,
    /// The least correlation between neighbours in the group; 1 for the same content.
    pub similarity: f32,
}

/// What is known of one clip's sound.
#[derive(Clone, Debug)]
struct Sound {
    sha256: String,
    facts: Option<Facts>,
    spectrum: Option<Arc<Columns>>,
}

/// What only audio says.
#[derive(Clone, Debug)]
struct Facts {
    seconds: f64,
    sample_rate: u32,
    channels: usize,
    /// Share of samples at full scale next to another one.
    clipped: f64,
    /// Share of 3-second windows that are silent.
    silent: f64,
}

/// Consecutive samples at full scale that count as clipped: a loud note touches it once.
const FLAT: usize = 3;
/// Share of clipped samples that a listener would call distorted.
const CLIPPED_SHARE: f64 = 1e-3;
/// Correlation above which two spectrograms are the same recording. Two takes of one piece reach
/// about 0.6, a recording and its copy through a codec above 0.95.
const SAME: f32 = 0.85;
/// Seconds of overlap that two clips need to be compared.
const OVERLAP_SECONDS: f64 = 5.0;
/// Raised whenever this file finds other repeats.
const REVISION: u32 = 2;
/// Candidates for each clip that are compared in full.
const NEIGHBOURS: usize = 40;

/// What sounds are compared by: every frame of a log-mel spectrogram. Arrays have every third, and
/// are only compared with each other.
fn mel() -> LogMel {
    LogMel { frames_per_column: [1, 1], ..LogMel::default() }
}

fn listen(clip: &Clip) -> Result<Sound> {
    if let Some(path) = &clip.audio {
        let bytes = fs::read(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let audio = audio::decode_named(bytes, path)?;
        // The sound and not the file: the same samples in another container are the same clip.
        let mut all: Vec<u8> = audio.sample_rate.to_le_bytes().to_vec();
        audio.channels.iter().flatten().for_each(|s| all.extend(s.to_le_bytes()));
        let sha256 = sha256_hex(&all);
        let facts = facts(&audio);
        let recipe = InputSpec::log_mel_3s();
        let (signal, _) = mono_of(&audio, recipe.sample_rate)?;
        let spectrum = match &clip.columns {
            Some(columns) => Some(Arc::clone(columns)),
            None => columns_of(&signal, &mel(), recipe.sample_rate).ok().map(Arc::new),
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
            // Full scale is where this recording's tops are cut, if that is anywhere near 1.
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

/// Looks at all clips of a data set.
///
/// # Errors
/// The work was cancelled.
pub fn inspect(data: &Dataset, cancelled: &Arc<AtomicBool>) -> Result<Inspection> {
    let bar = progress_bar(data.clips.len() as u64, "listening");
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
        sounds.into_iter().collect::<Option<Vec<_>>>().context("stopped before all clips were heard")?;

    let finding = |clip: &Clip, what: String| Finding { clip: clip.id.clone(), what };
    let mut found = Inspection {
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
    };
    let mut lengths: Vec<f64> =
        sounds.iter().flatten().filter_map(|s| s.facts.as_ref()).map(|facts| facts.seconds).collect();
    lengths.sort_by(f64::total_cmp);
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
    if let (Some(first), Some(last)) = (lengths.first(), lengths.last()) {
        found.seconds = Some([*first, median, *last]);
    }
    for (clip, sound) in data.clips.iter().zip(&sounds) {
        let sound = match sound {
            Ok(sound) => sound,
            Err(error) => {
                found.unreadable.push(finding(clip, format!("{error:#}")));
                continue;
            }
        };
        if let Some(facts) = &sound.facts {
            *found.sample_rates.entry(facts.sample_rate).or_default() += 1;
            *found.channels.entry(facts.channels).or_default() += 1;
            if facts.seconds < MIN_SECONDS || facts.seconds < 0.9 * median {
                found.short.push(finding(
                    clip,
                    format!("{:.2} s; half of the clips have {median:.1} s or more", facts.seconds),
                ));
            }
            if facts.silent > 0.3 {
                found.silent.push(finding(clip, format!("{:.0} % of it is silent", 100.0 * facts.silent)));
            }
            if facts.clipped > CLIPPED_SHARE {
                found.clipped.push(finding(
                    clip,
                    format!("{:.2} % of its samples are cut off at full scale", 100.0 * facts.clipped),
                ));
            }
        }
        if let Some(edge) = sound.spectrum.as_ref().and_then(|s| upper_edge(s))
            && edge < 9000.0
        {
            found.band_limited.push(finding(clip, format!("nothing above {:.1} kHz", edge / 1000.0)));
        }
    }
    let readable: Vec<(usize, &Sound)> =
        sounds.iter().enumerate().filter_map(|(place, sound)| Some((place, sound.as_ref().ok()?))).collect();
    found.exact = exact(data, &readable);
    found.near = near(data, &readable, cancelled)?;
    // What is the same to the last sample is no news here.
    let known: Vec<&Vec<String>> = found.exact.iter().map(|group| &group.clips).collect();
    found.near.retain(|group| !known.contains(&&group.clips));
    Ok(found)
}

/// Frequency in Hz above which a clip holds nothing: its bands never rise 10 dB above the quietest
/// level of the recording. None if there is something up to the top.
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
    // Slaney's mel scale above 1 kHz: 15 + 27·ln(f / 1000) / ln 6.4.
    let mel_of = |hz: f64| 15.0 + 27.0 * (hz / 1000.0).ln() / 6.4_f64.ln();
    let top = mel_of(mel().fmax) * (columns.bands - empty) as f64 / (columns.bands + 1) as f64;
    Some(if top < 15.0 { top * 200.0 / 3.0 } else { 1000.0 * ((top - 15.0) / 27.0 * 6.4_f64.ln()).exp() })
}

fn repeats(data: &Dataset, mut members: Vec<usize>, similarity: f32) -> Repeats {
    members.sort_unstable();
    Repeats {
        classes_differ: members.windows(2).any(|pair| data.clips[pair[0]].class != data.clips[pair[1]].class),
        clips: members.into_iter().map(|m| data.clips[m].id.clone()).collect(),
        similarity,
    }
}

fn exact(data: &Dataset, sounds: &[(usize, &Sound)]) -> Vec<Repeats> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, sound) in sounds {
        groups.entry(&sound.sha256).or_default().push(*place);
    }
    let mut groups: Vec<Repeats> =
        groups.into_values().filter(|group| group.len() > 1).map(|group| repeats(data, group, 1.0)).collect();
    groups.sort_by(|a, b| a.clips.cmp(&b.clips));
    groups
}

/// A clip's spectrogram as it is compared: bands averaged in pairs, each without its mean, so that
/// level and tone control do not matter, and each column without its mean, so that two clips on one
/// beat are not yet the same.
struct Print {
    place: usize,
    bands: Vec<Vec<f32>>,
    /// Mean and deviation of each band below the clip's mean: what candidates are chosen by.
    summary: Vec<f32>,
}

fn print(place: usize, columns: &Columns) -> Option<Print> {
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
    // Silence and steady tones are all alike.
    moves.then_some(Print { place, bands, summary })
}

/// Groups of clips of nearly the same sound. Each clip is compared in full with those whose mean
/// spectrum is nearest.
fn near(data: &Dataset, sounds: &[(usize, &Sound)], cancelled: &AtomicBool) -> Result<Vec<Repeats>> {
    let rate = InputSpec::log_mel_3s().sample_rate;
    let mut found = Vec::new();
    for (of_arrays, spacing) in [(false, mel()), (true, LogMel::default())] {
        let prints: Vec<Print> = sounds
            .iter()
            .filter(|(place, _)| data.clips[*place].columns.is_some() == of_arrays)
            .filter_map(|(place, sound)| print(*place, sound.spectrum.as_ref()?))
            .collect();
        let least = (OVERLAP_SECONDS * spacing.columns_per_second(rate)) as usize;
        found.extend(alike(data, &prints, least, cancelled)?);
    }
    found.sort_by(|a: &Repeats, b| a.clips.cmp(&b.clips));
    Ok(found)
}

fn alike(data: &Dataset, prints: &[Print], least: usize, cancelled: &AtomicBool) -> Result<Vec<Repeats>> {
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
    anyhow::ensure!(!cancelled.load(Ordering::Relaxed), "stopped before all clips were compared");

    // Groups by joining pairs.
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

fn transform(planner: &mut RealFftPlanner<f32>, print: &Print, length: usize) -> Vec<Vec<Complex32>> {
    let plan = planner.plan_fft_forward(length);
    print
        .bands
        .iter()
        .map(|band| {
            let mut input = band.clone();
            input.resize(length, 0.0);
            let mut output = plan.make_output_vec();
            // The lengths are the plan's own.
            if plan.process(&mut input, &mut output).is_err() {
                output.fill(Complex32::default());
            }
            output
        })
        .collect()
}

/// The largest correlation of two spectrograms over all offsets at which they overlap enough.
fn correlation(
    planner: &mut RealFftPlanner<f32>,
    prints: [&Print; 2],
    transforms: [&Vec<Vec<Complex32>>; 2],
    length: usize,
    least: usize,
) -> f32 {
    let [a, b] = prints;
    let mut product = vec![Complex32::default(); length / 2 + 1];
    for (x, y) in transforms[0].iter().zip(transforms[1]) {
        product.iter_mut().zip(x.iter().zip(y)).for_each(|(p, (x, y))| *p += x * y.conj());
    }
    // What rounding leaves there has no meaning, and the inverse would refuse it.
    if let [first, .., last] = product.as_mut_slice() {
        (first.im, last.im) = (0.0, 0.0);
    }
    let plan = planner.plan_fft_inverse(length);
    let mut sums = vec![0.0; length];
    if plan.process(&mut product, &mut sums).is_err() {
        return 0.0;
    }
    // Energy of the first and the last so many columns.
    let energy = |print: &Print| -> Vec<f32> {
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
    // Column i + offset of the first lies on column i of the second.
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

/// Leaves out of a data set all but the first of clips that repeat each other; of repeats in
/// different classes all, since at most one of their labels is right. They are named in
/// [`Dataset::skipped`].
///
/// What was found is kept in `cache`, since comparing all clips takes a while.
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
                            "the same recording stands in several classes: {}{}",
                            group.clips.iter().take(3).cloned().collect::<Vec<_>>().join(", "),
                            if group.clips.len() > 3 { ", …" } else { "" }
                        )
                    } else {
                        format!("it repeats {first}")
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

/// Where the repeats of a data set are kept: by its files with their sizes and times, and its
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

/// `cratedigger inspect`. True if nothing was found.
///
/// # Errors
/// There is no data set, or the work was cancelled.
#[expect(clippy::print_stdout, reason = "a command's output")]
pub fn command(folder: &Path, json: bool, cancelled: &Arc<AtomicBool>) -> Result<bool> {
    let data = Dataset::open(folder)?;
    let found = inspect(&data, cancelled)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        println!("{}", in_words(&found, data.clips.len()));
    }
    Ok(found.is_clean())
}

impl Inspection {
    /// Whether there is nothing to complain of.
    pub fn is_clean(&self) -> bool {
        let findings = [&self.unreadable, &self.short, &self.silent, &self.clipped];
        findings.iter().all(|list| list.is_empty()) && self.exact.is_empty() && self.near.is_empty()
    }
}

/// Findings of a kind that are listed for a terminal; JSON has them all.
const LISTED: usize = 30;

fn in_words(found: &Inspection, clips: usize) -> String {
    let mut text = format!("{clips} clips in {} classes\n", found.classes.len());
    let most = found.classes.iter().map(|(_, n)| *n).max().unwrap_or(1).max(1);
    for (class, n) in &found.classes {
        text += &format!("  {class:14} {n:>6}  {}\n", "█".repeat((30 * n).div_ceil(most)));
    }
    if let Some([shortest, median, longest]) = found.seconds {
        text += &format!(
            "\nlength        {shortest:.1} s to {longest:.1} s, half of them {median:.1} s or more\n"
        );
    }
    let counted = |what: &str, counts: Vec<(String, usize)>| {
        let each: Vec<String> = counts.into_iter().map(|(value, n)| format!("{value} ({n})")).collect();
        if each.is_empty() { String::new() } else { format!("{what:13} {}\n", each.join(", ")) }
    };
    text +=
        &counted("sample rates", found.sample_rates.iter().map(|(r, n)| (format!("{r} Hz"), *n)).collect());
    text += &counted("channels", found.channels.iter().map(|(c, n)| (c.to_string(), *n)).collect());
    let lists = [
        ("unusable", &found.unreadable),
        ("short", &found.short),
        ("silent", &found.silent),
        ("clipped", &found.clipped),
        ("without high frequencies", &found.band_limited),
    ];
    for (name, findings) in lists {
        text += &format!("\n{name}: {}\n", findings.len());
        for finding in findings.iter().take(LISTED) {
            text += &format!("  {}: {}\n", finding.clip, finding.what);
        }
        if findings.len() > LISTED {
            text += &format!("  … and {} more (--json has all)\n", findings.len() - LISTED);
        }
    }
    for (name, groups) in [("the same content", &found.exact), ("the same recording, nearly", &found.near)] {
        text += &format!("\n{name}: {} groups\n", groups.len());
        for group in groups {
            text += &format!(
                "  {}{}{}\n",
                group.clips.join(" = "),
                if name.ends_with("nearly") { format!("  ({:.2})", group.similarity) } else { String::new() },
                if group.classes_differ { "  in different classes!" } else { "" }
            );
        }
    }
    text
}
