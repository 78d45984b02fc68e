//! Teaching of classes of one's own: songs to a manifest folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cratedigger_zoo::teach::{self, Export, Lesson, NonMusic, Song, Taught};
use cratedigger_zoo::{Analyser, Manifest, sha256_hex};

use super::ModelBundle;
use super::classify::built_in_file;
use super::song_features::SongFeatures;
use crate::device::cpu;
use crate::files::write_atomically;

/// File of the features of non-music sounds in `models/`.
const NON_MUSIC: &str = "non-music.bpk";

/// The features of non-music sounds that come with the program, for the network of `analyser` with the embedding.
///
/// # Errors
/// No network has an embedding, or another one than the built-in network.
pub fn non_music_for(analyser: &Analyser) -> Result<NonMusic> {
    let ear = analyser.ear().context("no network of this model has an embedding")?;
    let non_music = NonMusic::from_bytes(built_in_file(NON_MUSIC)?.to_vec())?;
    non_music.check(&pollster::block_on(teach::golden_features(ear))?)?;
    Ok(non_music)
}

/// A song for teaching, from its features.
///
/// # Errors
/// It has no segment.
pub fn song(name: String, class: usize, features: &SongFeatures) -> Result<Song> {
    Song::new(name, class, &features.segments).context("the file is silent")
}

/// SHA-256 over the hashes of all songs, in an order that does not depend on names.
pub fn hash_of_songs(songs: &[SongFeatures]) -> String {
    let mut hashes: Vec<&str> = songs.iter().map(|song| song.sha256.as_str()).collect();
    hashes.sort_unstable();
    sha256_hex(hashes.join("\n").as_bytes())
}

/// Writes a taught head as a folder with a manifest, weights and licence. Returns the file of weights.
///
/// The manifest is written last, so that an interrupted call leaves no manifest without its weights.
///
/// # Errors
/// The head does not fit the network, or a file cannot be written.
pub fn write(
    bundle: &ModelBundle,
    lesson: &Lesson<'_>,
    taught: &Taught,
    about: Export<'_>,
    folder: &Path,
) -> Result<PathBuf> {
    let analyser = bundle.analyser()?;
    let ear = analyser.ear().context("no network of this model has an embedding")?;
    let device = cpu();
    let export = teach::export(&bundle.manifest, ear, lesson, taught, about, &device);
    let (manifest, weights) = pollster::block_on(export)?;
    let json = serde_json::to_vec_pretty(&manifest)?;
    // What a user gets is what loads again.
    Manifest::parse(&json)?;
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    let entry = manifest.models.first().context("a taught manifest has one network")?;
    if let Some(licence) = &entry.licence {
        write_atomically(&folder.join("LICENSE-network.txt"), licence.as_bytes())?;
    }
    let file = folder.join(&entry.weights);
    write_atomically(&file, &weights)?;
    write_atomically(&folder.join("manifest.json"), &json)?;
    Ok(file)
}
