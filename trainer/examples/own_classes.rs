//! Measures classes of one's own, and makes the features of non-music sounds that come with the program.
//!
//! * `own_classes non-music OTHER FILE` writes means of the features of the sounds in `OTHER` (a folder for each
//!   kind of sound, and synthetic ones) to `FILE`.
//! * `own_classes curve GTZAN` teaches five genres from few training clips and measures validation clips.
//! * `own_classes rejection GTZAN OTHER` leaves out each kind of sound in turn and measures how many of its sounds
//!   are rejected, and how many validation clips.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_trainer::data::examples::default_cache;
use cratedigger_trainer::data::partition::Part;
use cratedigger_trainer::data::walk::audio_below;
use cratedigger_trainer::data::{Dataset, non_music};
use cratedigger_trainer::eval::ModelBundle;
use cratedigger_trainer::eval::classify::built_in;
use cratedigger_trainer::eval::song_features::{Cache, SongFeatures, song_features};
use cratedigger_trainer::eval::teach::{non_music_for, song};
use cratedigger_trainer::metrics::{mean_and_deviation, wilson};
use cratedigger_zoo::teach::{Lesson, NonMusic, Song, fit, golden_features, outputs, teach};
use cratedigger_zoo::{Signals, argmax, non_music as kinds_of, of_classes, probabilities};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// The five genres with at least 20 training clips that have audio and the most validation clips.
const GENRES: [&str; 5] = ["blues", "classical", "disco", "jazz", "rock"];
/// Training clips of each genre.
const COUNTS: [usize; 4] = [3, 5, 10, 20];
/// Random draws of training clips.
const DRAWS: u64 = 10;
/// Means of each kind of non-music.
const MEANS: usize = 32;
/// Synthetic sounds of each kind among the other sounds.
const SYNTHETIC: usize = 4;
/// Prefixes of folders with speech.
const SPEECH: [&str; 3] = ["speech", "voice", "letter"];

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let bundle = built_in()?;
    match arguments.iter().map(PathBuf::as_path).collect::<Vec<_>>()[..] {
        [act, other, file] if act == Path::new("non-music") => {
            let bytes = means(&bundle, &sounds(&bundle, other)?, "")?.to_bytes()?;
            std::fs::write(file, &bytes).with_context(|| format!("{} cannot be written", file.display()))?;
            println!("{}: {} bytes", file.display(), bytes.len());
            Ok(())
        }
        [act, data] if act == Path::new("curve") => curve(&bundle, data),
        [act, data, other] if act == Path::new("rejection") => rejection(&bundle, data, other),
        _ => bail!("usage: own_classes non-music OTHER FILE | curve GTZAN | rejection GTZAN OTHER"),
    }
}

/// Features of files on all cores, in their order.
fn features(bundle: &ModelBundle, files: &[PathBuf]) -> Result<Vec<SongFeatures>> {
    let cache = default_cache().map(|folder| Cache::of(bundle, &folder)).transpose()?;
    files
        .par_iter()
        .map_init(
            || bundle.analyser(),
            |analyser, path| match analyser {
                Ok(analyser) => song_features(analyser, path, cache.as_ref()),
                Err(error) => bail!("{error:#}"),
            },
        )
        .collect()
}

/// The songs of the five genres in a part of the fault-filtered partition.
fn clips(bundle: &ModelBundle, data: &Path, part: Part) -> Result<Vec<Song>> {
    let data = Dataset::open(data)?;
    let wanted: Vec<_> = data
        .clips
        .iter()
        .filter(|clip| clip.part == Some(part))
        .filter_map(|clip| {
            let class = GENRES.iter().position(|genre| *genre == data.class_name(clip.class))?;
            Some((clip.id.clone(), class, clip.audio.clone()?))
        })
        .collect();
    let files: Vec<PathBuf> = wanted.iter().map(|(.., path)| path.clone()).collect();
    let found = features(bundle, &files)?;
    let made = |((id, class, _), found): ((String, usize, PathBuf), SongFeatures)| match part {
        Part::Train => song(id, class, &found),
        // `classify` leaves out no segment.
        _ => song(id, class, &whole(found)),
    };
    wanted.into_iter().zip(found).map(made).collect()
}

/// The features with all segments counted as music.
fn whole(mut features: SongFeatures) -> SongFeatures {
    features.segments.iter_mut().for_each(|segment| segment.music = true);
    features
}

/// One sound: folder, kind, features.
struct Sound {
    folder: String,
    speech: bool,
    features: SongFeatures,
}

/// Recorded sounds, and synthetic ones in a folder named `synthetic`.
fn sounds(bundle: &ModelBundle, other: &Path) -> Result<Vec<Sound>> {
    let files = audio_below(other)?.files;
    let found = features(bundle, &files)?;
    let mut sounds: Vec<Sound> = files
        .iter()
        .zip(found)
        .map(|(path, features)| {
            let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
            let folder = folder.to_string_lossy().into_owned();
            let speech = SPEECH.iter().any(|prefix| folder.starts_with(prefix));
            Sound { speech, folder, features: whole(features) }
        })
        .collect();
    let mut analyser = bundle.analyser()?;
    for made in non_music::sounds(22_050, 6.0, SYNTHETIC, 1) {
        if made.kind == non_music::KINDS[0] {
            continue;
        }
        let signals = Signals::resampled(&made.samples, 22_050, analyser.sample_rates())?;
        let segments = analyser.segments(signals.at(analyser.sample_rate()).len());
        let answers = pollster::block_on(analyser.features(&signals, &segments))?;
        let segments = answers.into_iter().flatten().collect();
        let features = SongFeatures { seconds: 6.0, sha256: String::new(), times: Vec::new(), segments };
        sounds.push(Sound { folder: "synthetic".into(), speech: false, features: whole(features) });
    }
    Ok(sounds)
}

/// Means of the features of all sounds, except those of a folder.
fn means(bundle: &ModelBundle, sounds: &[Sound], without: &str) -> Result<NonMusic> {
    let mut kinds = Vec::new();
    for (kind, speech) in [("speech", true), ("other-sounds", false)] {
        let rows: Vec<&[f32]> = sounds
            .iter()
            .filter(|sound| sound.speech == speech && sound.folder != without)
            .flat_map(|sound| sound.features.segments.iter().map(|segment| segment.values.as_slice()))
            .collect();
        kinds.push((kind.to_owned(), centres(&rows, MEANS)));
    }
    let analyser = bundle.analyser()?;
    let ear = analyser.ear().context("no network has an embedding")?;
    Ok(NonMusic::new(kinds, pollster::block_on(golden_features(ear))?)?)
}

/// Lloyd's k-means over standardised rows, from k-means++ with a fixed seed. Returns the means, one after the other.
fn centres(rows: &[&[f32]], count: usize) -> Vec<f32> {
    let width = rows.first().map_or(0, |row| row.len());
    let scale: Vec<f64> = (0..width)
        .map(|x| {
            let (_, deviation) =
                mean_and_deviation(&rows.iter().map(|row| f64::from(row[x])).collect::<Vec<_>>());
            if deviation > 1e-9 { 1.0 / deviation } else { 0.0 }
        })
        .collect();
    let distance = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).zip(&scale).map(|((a, b), scale)| (f64::from(a - b) * scale).powi(2)).sum()
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut means: Vec<Vec<f32>> = vec![rows[rng.random_range(0..rows.len())].to_vec()];
    while means.len() < count.min(rows.len()) {
        let nearest: Vec<f64> = rows
            .iter()
            .map(|row| means.iter().map(|mean| distance(row, mean)).fold(f64::INFINITY, f64::min))
            .collect();
        let mut rest = rng.random_range(0.0..nearest.iter().sum::<f64>().max(f64::MIN_POSITIVE));
        let place = nearest.iter().position(|d| {
            rest -= d;
            rest <= 0.0
        });
        means.push(rows[place.unwrap_or(0)].to_vec());
    }
    for _ in 0..50 {
        let mut sums = vec![(0_usize, vec![0.0_f64; width]); means.len()];
        for row in rows {
            let distances: Vec<f64> = means.iter().map(|mean| -distance(row, mean)).collect();
            let (count, sum) = &mut sums[argmax(&distances)];
            *count += 1;
            sum.iter_mut().zip(*row).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        for (mean, (count, sum)) in means.iter_mut().zip(&sums) {
            if *count > 0 {
                *mean = sum.iter().map(|sum| (sum / *count as f64) as f32).collect();
            }
        }
    }
    means.concat()
}

/// `count` songs of each class, drawn with a seed.
fn drawn(songs: &[Song], count: usize, seed: u64) -> Vec<Song> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut all = Vec::new();
    for class in 0..GENRES.len() {
        let mut of_class: Vec<&Song> = songs.iter().filter(|song| song.class == class).collect();
        of_class.shuffle(&mut rng);
        all.extend(of_class.into_iter().take(count).cloned());
    }
    all
}

fn names() -> Vec<String> {
    GENRES.map(String::from).into()
}

fn curve(bundle: &ModelBundle, data: &Path) -> Result<()> {
    let train = clips(bundle, data, Part::Train)?;
    let valid = clips(bundle, data, Part::Valid)?;
    let non_music = non_music_for(&bundle.analyser()?)?;
    let classes = names();
    let correct = |songs: &[Song]| -> Result<usize> {
        let head = fit(&Lesson { classes: &classes, songs, non_music: &non_music })?;
        let right = |song: &&Song| argmax(&outputs(&head, song)[..classes.len()]) == song.class;
        Ok(valid.iter().filter(right).count())
    };
    let n = valid.len();
    println!("{} validation clips of {}", n, GENRES.join(", "));
    println!("| clips a class | mean of {DRAWS} draws | least | most | deviation | left one out, mean |");
    println!("|---|---|---|---|---|---|");
    for count in COUNTS {
        let (mut found, mut left_out) = (Vec::new(), Vec::new());
        for seed in 0..DRAWS {
            let songs = drawn(&train, count, seed);
            ensure!(songs.len() == count * GENRES.len(), "a genre has fewer than {count} training clips");
            found.push(correct(&songs)? as f64 / n as f64);
            let lesson = Lesson { classes: &classes, songs: &songs, non_music: &non_music };
            left_out.push(teach(&lesson, &|_, _| true)?.accuracy(&songs).0);
        }
        let (mean, deviation) = mean_and_deviation(&found);
        let (least, most) = found.iter().fold((1.0_f64, 0.0_f64), |(l, m), x| (l.min(*x), m.max(*x)));
        let per_cent = [mean, least, most, deviation, mean_and_deviation(&left_out).0].map(|x| 100.0 * x);
        println!(
            "| {count} | {:.1} % | {:.1} % | {:.1} % | {:.1} | {:.1} % |",
            per_cent[0], per_cent[1], per_cent[2], per_cent[3], per_cent[4]
        );
    }
    let started = Instant::now();
    let all = correct(&train)?;
    let [low, high] = wilson(all, n).map(|x| 100.0 * x);
    println!(
        "all {} training clips: {:.1} % of {n} (95 % interval {low:.1} to {high:.1} %), fitted in {:.1?}",
        train.len(),
        100.0 * all as f64 / n as f64,
        started.elapsed()
    );
    Ok(())
}

fn rejection(bundle: &ModelBundle, data: &Path, other: &Path) -> Result<()> {
    let train = clips(bundle, data, Part::Train)?;
    let valid = clips(bundle, data, Part::Valid)?;
    let sounds = sounds(bundle, other)?;
    let classes = names();
    let mut folders: Vec<&str> = sounds.iter().map(|sound| sound.folder.as_str()).collect();
    folders.sort_unstable();
    folders.dedup();
    let lessons: Vec<(usize, Vec<Song>)> =
        COUNTS.into_iter().map(|count| (count, drawn(&train, count, 0))).collect();
    println!("sounds of the kind left out, and validation clips, that are rejected");
    for folder in folders {
        let non_music = means(bundle, &sounds, folder)?;
        let left: Vec<Song> = sounds
            .iter()
            .filter(|sound| sound.folder == folder)
            .filter_map(|sound| Song::new(String::new(), 0, &sound.features.segments))
            .collect();
        for (count, songs) in &lessons {
            let taught = teach(&Lesson { classes: &classes, songs, non_music: &non_music }, &|_, _| true)?;
            let rejected = |song: &&Song| {
                let all = outputs(&taught.head, song);
                let combined = taught.rule.combine(&[&of_classes(&all, classes.len())]);
                debug_assert!((probabilities(&combined).iter().sum::<f32>() - 1.0).abs() < 1e-3);
                taught.rule.decide_with(&combined, &kinds_of([all.as_slice()], classes.len())).none
            };
            let (sounds, music) =
                (left.iter().filter(rejected).count(), valid.iter().filter(rejected).count());
            println!(
                "{folder}, {count} clips a class: {sounds} of {}, {music} of {}",
                left.len(),
                valid.len()
            );
        }
    }
    Ok(())
}
