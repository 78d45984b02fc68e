//! `cratedigger alike`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cratedigger_zoo::alike::{Neighbour, Songs, playlist};
use cratedigger_zoo::song_embedding;
use rayon::prelude::*;
use serde::Serialize;

use super::output::line;
use super::table::{align_right, table};
use crate::data::examples::default_cache;
use crate::data::tags::{self, Tags};
use crate::eval::ModelBundle;
use crate::eval::alike::SongTable;
use crate::eval::classify::built_in;
use crate::eval::collection::{Track, export};
use crate::eval::song_features::{Cache, song_features};
use crate::progress::note;

/// Arguments of `cratedigger alike`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// The song, in the table or not
    song: PathBuf,
    /// Table of embeddings: `cratedigger embed music/ --out e.parquet`
    #[arg(long, value_name = "TABLE")]
    among: PathBuf,
    /// Number of songs
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// Also write the songs to a playlist (.m3u8) that begins with SONG, without two neighbours by the same artist as
    /// far as their tags tell
    #[arg(long, value_name = "FILE")]
    playlist: Option<PathBuf>,
    /// Print the artist and title of each song, from its tags
    #[arg(long)]
    artist: bool,
    /// Print one JSON object per song and line
    #[arg(long)]
    json: bool,
    /// The model that made the table, for a song that is not in it [default: the networks built into this program]
    #[arg(long)]
    model: Option<PathBuf>,
}

/// One song of the result, in JSON.
#[derive(Serialize)]
struct Found<'a> {
    file: String,
    similarity: f32,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artist: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
}

impl Command {
    /// Prints the most similar songs of a table.
    pub(super) fn run(self) -> Result<()> {
        let songs = SongTable::read(&self.among)?;
        let own = songs.position(&self.song);
        let (embedding, seconds) = match own {
            Some(place) => (songs.embeddings[place].clone(), songs.seconds[place]),
            None => self.embedding()?,
        };
        let all = Songs::new(&songs.embeddings).with_context(|| self.among.display().to_string())?;
        let ranked = all
            .ranked(&embedding, |song| Some(song) != own)
            .context("the table was made by another model; name it with --model")?;
        let tags = self.tags_of(&songs, &ranked);
        let chosen = match &self.playlist {
            None => ranked.into_iter().take(self.count).collect(),
            Some(path) => {
                let artists: Vec<Option<String>> = tags.iter().map(|tags| tags.artist.clone()).collect();
                let first = tags::read(&self.song).unwrap_or_default();
                let list = playlist(&ranked, &artists, first.artist.as_deref(), self.count);
                if list.len() < self.count.min(ranked.len()) {
                    note("the playlist is shorter, because only songs by one artist were left");
                }
                let track = |file: &Path, seconds, tags: &Tags| Track {
                    file: file.display().to_string(),
                    artist: tags.artist.clone(),
                    title: tags.title.clone(),
                    seconds,
                    ..Track::default()
                };
                let mut tracks = vec![track(&self.song, seconds, &first)];
                tracks.extend(
                    list.iter().map(|n| track(&songs.paths[n.song], songs.seconds[n.song], &tags[n.song])),
                );
                export(path, &tracks)?;
                note(format_args!("{} songs in {}", tracks.len(), path.display()));
                list
            }
        };
        self.print(&songs, &chosen, &tags)
    }

    /// The embedding of a song that is not in the table, and its length.
    fn embedding(&self) -> Result<(Vec<f32>, f64)> {
        let bundle = match &self.model {
            Some(path) => ModelBundle::open(path)?,
            None => built_in().context("the built-in networks cannot be used; name others with --model")?,
        };
        let mut analyser = bundle.analyser()?;
        let width = analyser.embedding_width().context("no network of this model has an embedding")?;
        let cache = default_cache().map(|folder| Cache::of(&bundle, &folder)).transpose()?;
        let song = song_features(&mut analyser, &self.song, cache.as_ref())?;
        let embedding = song_embedding(&song.segments, width).context("the song is silent")?;
        Ok((embedding, song.seconds))
    }

    /// Tags of the songs that can come into the result; empty for the others. A playlist can skip songs, so it needs
    /// more. A file without tags, or one that is gone, has none.
    fn tags_of(&self, songs: &SongTable, ranked: &[Neighbour]) -> Vec<Tags> {
        let needed = match (&self.playlist, self.artist) {
            (Some(_), _) => ranked.len(),
            (None, true) => self.count.min(ranked.len()),
            (None, false) => 0,
        };
        let mut all = vec![Tags::default(); songs.paths.len()];
        let read: Vec<(usize, Tags)> = ranked[..needed]
            .par_iter()
            .map(|n| (n.song, tags::read(&songs.paths[n.song]).unwrap_or_default()))
            .collect();
        for (song, tags) in read {
            all[song] = tags;
        }
        all
    }

    fn print(&self, songs: &SongTable, chosen: &[Neighbour], tags: &[Tags]) -> Result<()> {
        let mut rows = table(if self.artist {
            &["similarity", "file", "artist", "title"]
        } else {
            &["similarity", "file"]
        });
        align_right(&mut rows, [0]);
        for Neighbour { song, similarity } in chosen.iter().copied() {
            let (file, tags) = (songs.paths[song].display().to_string(), &tags[song]);
            let (artist, title) = (tags.artist.as_deref(), tags.title.as_deref());
            if self.json {
                let seconds = songs.seconds[song];
                line(serde_json::to_string(&Found { file, similarity, seconds, artist, title })?)?;
                continue;
            }
            let mut cells = vec![format!("{similarity:.3}"), file];
            if self.artist {
                cells.extend([artist, title].map(|text| text.unwrap_or_default().to_owned()));
            }
            rows.add_row(cells);
        }
        if self.json { Ok(()) } else { line(rows) }
    }
}
