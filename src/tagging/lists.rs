//! Lists of the crate's songs for other programs.

use cratedigger_protocol::tags::{Field, ListFormat, Tags, Track};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::heard;
use crate::app::Page;
use crate::glue;
use crate::state::{Song, TagRow};

/// Saves a list of all songs that have a result.
pub fn save_list(page: Page, format: ListFormat) {
    let (kind, name) = match format {
        ListFormat::Rekordbox => ("application/xml", "cratedigger.xml"),
        ListFormat::M3u8 => ("audio/x-mpegurl", "cratedigger.m3u8"),
        ListFormat::Csv => ("text/csv", "cratedigger-songs.csv"),
    };
    let songs = page.state.songs.get_untracked();
    let tracks: Vec<Track> = untrack(|| songs.iter().filter_map(|song| track(page, song)).collect());
    spawn_local(async move {
        let Some(worker) = page.tagging() else { return };
        // Without an answer nothing is saved; the worker's trouble is in the console.
        if let Ok(text) = worker.list(format, tracks).await {
            glue::save_text(&text, kind, name);
        }
    });
}

fn track(page: Page, song: &Song) -> Option<Track> {
    let state = page.state;
    let seconds = song.result.with(Option::is_some).then(|| song.seconds())?;
    let row: Option<TagRow> =
        state.tagging.rows.with(|rows| rows.iter().find(|row| row.song == song.id).cloned());
    let row = row.unwrap_or_default();
    let tags: Tags = row.file.map(|(_, tags)| tags).unwrap_or_default();
    let planned = row.plan.changes.into_iter().find(|change| change.field == Field::Genre);
    let heard = heard(state, song, false);
    let file = page.client().and_then(|client| client.file(song.id));
    let path = file.map_or_else(|| song.title(), |file| glue::path_inside(&file));
    Some(Track {
        file: joined(&state.tagging.folder.get(), &path),
        artist: tags.artist,
        title: tags.title,
        album: tags.album,
        genres: planned.map_or(tags.genres, |change| change.new),
        predicted: heard.ranked.into_iter().next(),
        seconds,
        tempo: heard.tempo,
    })
}

/// The path of a file in a folder, with the separators of the folder.
fn joined(folder: &str, path: &str) -> String {
    let folder = folder.trim().trim_end_matches(['/', '\\']);
    if folder.is_empty() {
        path.to_owned()
    } else if folder.contains('\\') || folder.ends_with(':') {
        format!("{folder}\\{}", path.replace('/', "\\"))
    } else {
        format!("{folder}/{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_the_separators_of_their_folder() {
        assert_eq!(joined("", "sub/a.mp3"), "sub/a.mp3");
        assert_eq!(joined(" /home/me/Music/ ", "sub/a.mp3"), "/home/me/Music/sub/a.mp3");
        assert_eq!(joined("C:\\Music", "sub/a.mp3"), "C:\\Music\\sub\\a.mp3");
        assert_eq!(joined("D:", "a.mp3"), "D:\\a.mp3");
    }
}
