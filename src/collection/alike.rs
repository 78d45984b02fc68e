//! Similar songs: ranking, map, playlist.

use std::fmt::Write as _;

use js_sys::Float32Array;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::features_of;
use crate::app::Page;
use crate::glue;
use crate::state::{Compared, FeatureState, Sheet, Song, State};

/// Number of similar songs, and of a playlist's songs after the first.
const COUNT: u32 = 20;
/// How often songs are compared, each time with the artists of those that were found before.
const ROUNDS: usize = 3;

/// The songs whose features are ready, tracked.
pub fn ready(state: State) -> Vec<Song> {
    state
        .songs
        .with(|all| all.iter().filter(|song| song.features.get() == FeatureState::Ready).copied().collect())
}

/// Compares songs while the sheet is open: whenever another song is chosen, or a song becomes ready.
pub(super) fn start(page: Page) {
    let state = page.state;
    let open = Memo::new(move |_| state.sheet.get() == Some(Sheet::Alike));
    let ids = Memo::new(move |_| ready(state).iter().map(|song| song.id).collect::<Vec<_>>());
    Effect::new(move |_| {
        let target = state.collection.target.get();
        if ids.with(Vec::is_empty) || !open.get() {
            state.collection.compared.set(Compared::default());
            return;
        }
        spawn_local(compare(page, target));
    });
    Effect::new(move |_| {
        if ids.with(|ids| ids.len() > 2) && open.get() {
            spawn_local(map(page));
        } else {
            state.collection.places.set(Vec::new());
        }
    });
}

/// The ready songs with their embeddings.
fn embeddings(state: State) -> (Vec<Song>, Vec<Float32Array>) {
    let songs = untrack(|| ready(state)).into_iter();
    songs.filter_map(|song| Some((song, features_of(&song)?.embedding))).unzip()
}

/// Compares songs, and does it again with the artists in the tags of those that are similar.
async fn compare(page: Page, target: Option<u32>) {
    for _ in 0..ROUNDS {
        let Some(similar) = compare_once(page, target).await else { return };
        if !read_artists(page, &similar).await {
            return;
        }
    }
}

/// Shows the songs that are similar to one, and returns it and those that were found. `None` if there is no answer, or
/// another song was chosen meanwhile.
async fn compare_once(page: Page, target: Option<u32>) -> Option<Vec<Song>> {
    let state = page.state;
    let (songs, embeddings) = embeddings(state);
    let at = songs.iter().position(|song| Some(song.id) == target)?;
    let artists = songs.iter().map(artist_of).collect();
    // Without an answer the list stays empty; the worker's trouble is in the console.
    let (similar, playlist) = page.collection()?.compare(at, &embeddings, artists, COUNT).await.ok()?;
    if state.collection.target.get_untracked() != target {
        return None;
    }
    let song = |index: u32| songs.get(index as usize).copied();
    let id = |index: u32| song(index).map(|song| song.id);
    let found = similar.iter().map(|near| near.song).chain(playlist.iter().copied()).filter_map(song);
    let found = songs.get(at).copied().into_iter().chain(found).collect();
    state.collection.compared.set(Compared {
        similar: similar.iter().filter_map(|near| Some((id(near.song)?, near.similarity))).collect(),
        playlist: playlist.into_iter().filter_map(id).collect(),
    });
    Some(found)
}

/// Reads the artists in the tags of songs that have a file. Whether one was found that was not known.
async fn read_artists(page: Page, songs: &[Song]) -> bool {
    let mut found = false;
    for song in songs {
        let known = song.artist.try_with_value(Option::is_some).unwrap_or(true);
        let file = page.client().and_then(|client| client.file(song.id));
        let (false, Some(file), Some(tagging)) = (known, file, page.tagging()) else { continue };
        // A file that cannot be read has no artist.
        let artist = tagging.read(&file).await.ok().and_then(|(_, tags)| tags.artist);
        found |= artist.is_some();
        let _ = song.artist.try_set_value(Some(artist));
    }
    found
}

/// The artist in the tags of a song, else in its file name.
fn artist_of(song: &Song) -> Option<String> {
    let tagged = song.artist.try_get_value().flatten().flatten();
    tagged.or_else(|| artist(&song.title()).map(str::to_owned))
}

async fn map(page: Page) {
    let (songs, embeddings) = embeddings(page.state);
    let Some(collection) = page.collection() else { return };
    let Ok(places) = collection.map(&embeddings).await else { return };
    page.state.collection.places.set(songs.iter().map(|song| song.id).zip(places).collect());
}

/// The artist in a file name of the form *Artist - Title*.
fn artist(name: &str) -> Option<&str> {
    let (artist, title) = name.split_once(" - ")?;
    Some(artist.trim()).filter(|artist| !artist.is_empty() && !title.trim().is_empty())
}

/// Saves the playlist that starts with the chosen song.
pub fn save_playlist(state: State) {
    let Some(target) = state.collection.target.get_untracked() else { return };
    let others = state.collection.compared.with_untracked(|compared| compared.playlist.clone());
    let songs = std::iter::once(target).chain(others).filter_map(|id| state.find(id));
    let entries: Vec<(f64, String)> = songs
        .map(|song| (song.info.get_untracked().map_or(-1.0, |info| info.seconds), song.title()))
        .collect();
    glue::save_text(&m3u8(&entries), "audio/x-mpegurl", "cratedigger.m3u8");
}

/// A playlist of files, with their lengths in seconds; −1 if unknown.
fn m3u8(songs: &[(f64, String)]) -> String {
    let mut list = String::from("#EXTM3U\n");
    for (seconds, name) in songs {
        let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let title = name.rsplit_once('.').map_or(name.as_str(), |(title, _)| title);
        // Writing to a string does not fail. A line that starts with # would be a comment.
        let path = if name.starts_with('#') { format!("./{name}") } else { name.clone() };
        let _ = write!(list, "#EXTINF:{:.0},{title}\n{path}\n", seconds);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_artist_is_before_the_dash() {
        assert_eq!(artist("Some Band - A Song - Live.mp3"), Some("Some Band"));
        assert_eq!(artist("Un-dashed.mp3"), None);
        assert_eq!(artist(" - Title.mp3"), None);
    }

    #[test]
    fn a_playlist_has_a_line_of_each_songs_length_and_title_before_its_file() {
        let songs = [(61.4, "a - b.mp3".to_owned()), (-1.0, "#1\nhit.wav".to_owned())];
        let expected = "#EXTM3U\n#EXTINF:61,a - b\na - b.mp3\n#EXTINF:-1,#1 hit\n./#1 hit.wav\n";
        assert_eq!(m3u8(&songs), expected);
    }
}
