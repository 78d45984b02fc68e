//! `cratedigger teach`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_zoo::teach::{Export, FEWEST_SONGS, Lesson, Song, Taught, teach};
use serde::Serialize;

use super::output::line;
use super::parallel::{answers, files_at_once};
use super::table::{align_right, table};
use super::{cancelled_by_ctrl_c, open_data_set, report_skipped};
use crate::data::examples::default_cache;
use crate::data::{Clip, Dataset};
use crate::eval::ModelBundle;
use crate::eval::classify::built_in;
use crate::eval::song_features::{Cache, SongFeatures, song_features};
use crate::eval::teach::{hash_of_songs, non_music_for, song, write};
use crate::format::{causes, percent, whole_percent};
use crate::progress::{note, progress_bar};

/// Arguments of `cratedigger teach`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// Folder with a folder of songs for each class: two to twenty classes, three songs or more in each
    music: PathBuf,
    /// Folder for the manifest and the weights, which `classify --model` loads
    #[arg(long)]
    out: PathBuf,
    /// A manifest (.json) or its folder, whose network with an embedding is used [default: the network built into
    /// this program]
    #[arg(long)]
    model: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Cache folder [default: in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Do not cache features of songs
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
}

/// The result, in JSON.
#[derive(Serialize)]
struct Outcome<'a> {
    classes: Vec<Class<'a>>,
    songs: usize,
    accuracy: f64,
    interval: [f64; 2],
    /// Songs that were left out together for one prediction.
    left_out_together: usize,
    /// Songs that were predicted wrongly without them.
    confused: Vec<Confused<'a>>,
}

#[derive(Serialize)]
struct Class<'a> {
    name: &'a str,
    songs: usize,
    correct: usize,
}

#[derive(Serialize)]
struct Confused<'a> {
    song: &'a str,
    class: &'a str,
    predicted: &'a str,
    probability: f32,
}

impl Command {
    /// Teaches the classes and prints how well they are told apart. The exit code is 1 if a song could not be used.
    pub(super) fn run(self) -> Result<ExitCode> {
        let cancelled = cancelled_by_ctrl_c()?;
        let data = open_data_set(&self.music)?;
        report_skipped(&data);
        let clips: Vec<(&Clip, PathBuf)> =
            data.clips.iter().filter_map(|clip| Some((clip, clip.audio.clone()?))).collect();
        ensure_songs(&data, &clips)?;
        let bundle = match &self.model {
            Some(path) => ModelBundle::open(path)?,
            None => built_in().context("the built-in network cannot be used; name another with --model")?,
        };
        let non_music = non_music_for(&bundle.analyser()?)?;
        let folder = if self.no_cache { None } else { self.cache.clone().or_else(default_cache) };
        let cache = folder.map(|folder| Cache::of(&bundle, &folder)).transpose()?;
        let (songs, features, failures) = read_songs(&bundle, &clips, cache.as_ref(), &cancelled)?;
        let lesson = Lesson { classes: &data.classes, songs: &songs, non_music: &non_music };
        let bar = progress_bar(1, "fitting");
        let progress = |done, of| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
            !cancelled.load(Ordering::Relaxed)
        };
        let taught = teach(&lesson, &progress)?;
        bar.finish_and_clear();
        let name = self.out.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.filter(|name| !name.contains(['/', '\\'])).unwrap_or_else(|| "own".into());
        let about = Export {
            name: &name,
            command: "cratedigger teach MUSIC",
            data_sha256: &hash_of_songs(&features),
        };
        let weights = write(&bundle, &lesson, &taught, about, &self.out)?;
        let outcome = outcome(&lesson, &taught);
        if self.json {
            line(serde_json::to_string(&outcome)?)?;
        } else {
            print(&outcome)?;
        }
        note(format_args!("{}: manifest.json with {name}", weights.display()));
        Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Tells of a class with too few songs before any song is decoded.
fn ensure_songs(data: &Dataset, clips: &[(&Clip, PathBuf)]) -> Result<()> {
    for (class, name) in data.classes.iter().enumerate() {
        let songs = clips.iter().filter(|(clip, _)| clip.class == class).count();
        ensure!(
            songs >= FEWEST_SONGS,
            "{name} has {songs} songs; a class needs at least {FEWEST_SONGS}. Add songs to its folder, or remove it"
        );
    }
    Ok(())
}

/// The songs that can be read, with their features, and the number of the others.
fn read_songs(
    bundle: &ModelBundle,
    clips: &[(&Clip, PathBuf)],
    cache: Option<&Cache>,
    cancelled: &AtomicBool,
) -> Result<(Vec<Song>, Vec<SongFeatures>, usize)> {
    let bar = progress_bar(clips.len() as u64, "computing features");
    let (mut songs, mut features, mut failures) = (Vec::new(), Vec::new(), 0);
    for some in clips.chunks(files_at_once()) {
        if cancelled.load(Ordering::Relaxed) {
            bar.finish_and_clear();
            bail!("stopped; the cache keeps the songs that were read");
        }
        let files: Vec<PathBuf> = some.iter().map(|(_, path)| path.clone()).collect();
        let found = answers(bundle, &files, &bar, |analyser, path| song_features(analyser, path, cache));
        for ((clip, _), found) in some.iter().zip(found) {
            let made = found.and_then(|found| Ok((song(clip.id.clone(), clip.class, &found)?, found)));
            match made {
                Ok((song, found)) => {
                    songs.push(song);
                    features.push(found);
                }
                Err(error) => {
                    failures += 1;
                    bar.suspend(|| note(format_args!("{} is left out: {}", clip.id, causes(&error))));
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok((songs, features, failures))
}

fn outcome<'a>(lesson: &Lesson<'a>, taught: &Taught) -> Outcome<'a> {
    let (accuracy, interval) = taught.accuracy(lesson.songs);
    let confusion = taught.confusion(lesson.songs, lesson.classes.len());
    let name = |class: usize| lesson.classes.get(class).map_or("?", String::as_str);
    let classes = confusion
        .iter()
        .enumerate()
        .map(|(class, row)| Class {
            name: name(class),
            songs: row.iter().sum::<u32>() as usize,
            correct: row[class] as usize,
        })
        .collect();
    let confused = taught
        .left_out
        .iter()
        .filter_map(|left| {
            let song = lesson.songs.get(left.song)?;
            let decision = left.decision;
            (decision.class != song.class).then(|| Confused {
                song: &song.name,
                class: name(song.class),
                predicted: name(decision.class),
                probability: decision.confidence,
            })
        })
        .collect();
    let songs = lesson.songs.len();
    Outcome { classes, songs, accuracy, interval, left_out_together: taught.together, confused }
}

fn print(outcome: &Outcome<'_>) -> Result<()> {
    let mut rows = table(&["class", "songs", "recognised when left out"]);
    align_right(&mut rows, [1, 2]);
    for Class { name, songs, correct } in &outcome.classes {
        rows.add_row([(*name).to_owned(), songs.to_string(), correct.to_string()]);
    }
    line(rows)?;
    let [low, high] = outcome.interval.map(percent);
    let how = match outcome.left_out_together {
        0 | 1 => "each left out once".to_owned(),
        together => format!("up to {together} left out at a time"),
    };
    line(format_args!(
        "{} of {} songs recognised, {how} (95 % interval {low} to {high})",
        percent(outcome.accuracy),
        outcome.songs
    ))?;
    for Confused { song, predicted, probability, .. } in &outcome.confused {
        line(format_args!("  {song}: taken for {predicted} ({})", whole_percent(f64::from(*probability))))?;
    }
    Ok(())
}
