//! Measures the search of similar songs: `alike TABLE GTZAN`, where TABLE is what `cratedigger embed GTZAN/audio`
//! wrote. For each fault-filtered test clip, the share of its ten nearest clips that have its genre, among the
//! training and validation clips, which are all by other artists; beside chance and the 57 features of the Kaggle
//! tables.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use cratedigger_dsp::{FeatureExtractor, FeatureParams};
use cratedigger_trainer::data::partition::Part;
use cratedigger_trainer::data::{Dataset, mono};
use cratedigger_trainer::eval::alike::SongTable;
use cratedigger_trainer::metrics::mean_and_deviation;
use cratedigger_zoo::alike::{Songs, map};
use rayon::prelude::*;

/// Neighbours that are counted.
const NEAREST: usize = 10;

/// A clip with its embedding.
struct Clip {
    class: usize,
    is_test: bool,
    audio: PathBuf,
    embedding: Vec<f32>,
}

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [table, data] = arguments.as_slice() else { anyhow::bail!("usage: alike TABLE GTZAN") };
    let clips = clips(&SongTable::read(table)?, data)?;
    let tests = clips.iter().filter(|clip| clip.is_test).count();
    println!("{tests} test clips among {} clips by other artists", clips.len() - tests);
    let embeddings: Vec<Vec<f32>> = clips.iter().map(|clip| clip.embedding.clone()).collect();
    report("embedding, cosine", &precisions(&clips, &embeddings)?);
    let places: Vec<Vec<f32>> = map(&embeddings)?.iter().map(|place| place.to_vec()).collect();
    report("distance on the map of all clips", &by_distance(&clips, &places));
    let features = standardised(&clips, &table_features(&clips)?);
    report("57 features, standardised, cosine", &precisions(&clips, &features)?);
    report("57 features, standardised, distance", &by_distance(&clips, &features));
    let chance = |clip: &Clip| {
        let others = clips.iter().filter(|other| !other.is_test);
        let same = others.clone().filter(|other| other.class == clip.class).count();
        same as f64 / others.count() as f64
    };
    report("chance", &clips.iter().filter(|clip| clip.is_test).map(chance).collect::<Vec<_>>());
    Ok(())
}

/// The clips of the partition that are in the table.
fn clips(table: &SongTable, data: &Path) -> Result<Vec<Clip>> {
    let data = Dataset::open(data)?;
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let rows: BTreeMap<String, usize> =
        table.paths.iter().enumerate().filter_map(|(row, path)| Some((stem(path)?, row))).collect();
    let clips: Vec<Clip> = data
        .clips
        .iter()
        .filter_map(|clip| {
            let (part, audio) = (clip.part?, clip.audio.clone()?);
            let row = rows.get(&stem(&audio)?)?;
            let embedding = table.embeddings[*row].clone();
            Some(Clip { class: clip.class, is_test: part == Part::Test, audio, embedding })
        })
        .collect();
    ensure!(clips.iter().any(|clip| clip.is_test), "the table has no test clip");
    Ok(clips)
}

/// The 57 features of each whole clip.
fn table_features(clips: &[Clip]) -> Result<Vec<Vec<f32>>> {
    let params = FeatureParams::default();
    let each = |extractor: &mut Result<FeatureExtractor, _>, clip: &Clip| -> Result<Vec<f32>> {
        let extractor = extractor.as_mut().map_err(|_| anyhow::anyhow!("no extractor"))?;
        let (signal, _) = mono(&clip.audio, params.sample_rate)?;
        Ok(extractor.window(&signal)?.table_row()?.iter().map(|x| *x as f32).collect())
    };
    clips
        .par_iter()
        .map_init(|| FeatureExtractor::new(&params), each)
        .collect::<Result<_>>()
        .context("the features cannot be computed")
}

/// Mean 0 and deviation 1 over the clips that are searched.
fn standardised(clips: &[Clip], rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let width = rows.first().map_or(0, Vec::len);
    let scale: Vec<(f64, f64)> = (0..width)
        .map(|x| {
            let searched = rows.iter().zip(clips).filter(|(_, clip)| !clip.is_test);
            mean_and_deviation(&searched.map(|(row, _)| f64::from(row[x])).collect::<Vec<_>>())
        })
        .collect();
    let value = |(x, (mean, deviation)): (&f32, &(f64, f64))| {
        if *deviation > 0.0 { ((f64::from(*x) - mean) / deviation) as f32 } else { 0.0 }
    };
    rows.iter().map(|row| row.iter().zip(&scale).map(value).collect()).collect()
}

/// Precision at ten of each test clip, by cosine.
fn precisions(clips: &[Clip], rows: &[Vec<f32>]) -> Result<Vec<f64>> {
    let songs = Songs::new(rows)?;
    let mut precisions = Vec::new();
    for (clip, row) in clips.iter().zip(rows).filter(|(clip, _)| clip.is_test) {
        let ranked = songs.ranked(row, |song| !clips[song].is_test)?;
        let same = ranked.iter().take(NEAREST).filter(|n| clips[n.song].class == clip.class).count();
        precisions.push(same as f64 / NEAREST as f64);
    }
    Ok(precisions)
}

/// Precision at ten of each test clip, by Euclidean distance.
fn by_distance(clips: &[Clip], rows: &[Vec<f32>]) -> Vec<f64> {
    let of = |(clip, row): (&Clip, &Vec<f32>)| {
        let distance = |other: &Vec<f32>| other.iter().zip(row).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        let mut others: Vec<(f32, usize)> = rows
            .iter()
            .zip(clips)
            .filter(|(_, other)| !other.is_test)
            .map(|(row, other)| (distance(row), other.class))
            .collect();
        others.sort_by(|a, b| a.0.total_cmp(&b.0));
        others.iter().take(NEAREST).filter(|(_, class)| *class == clip.class).count() as f64 / NEAREST as f64
    };
    clips.iter().zip(rows).filter(|(clip, _)| clip.is_test).map(of).collect()
}

/// Mean over the test clips with its 95 % interval, which takes the clips as independent.
fn report(name: &str, precisions: &[f64]) {
    let (mean, deviation) = mean_and_deviation(precisions);
    let spread = 1.96 * deviation / (precisions.len() as f64).sqrt();
    let [mean, low, high] = [mean, mean - spread, mean + spread].map(|x| 100.0 * x);
    println!("{name}: {mean:.1} % ({low:.1} to {high:.1} %)");
}
