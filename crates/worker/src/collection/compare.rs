//! Finds similar songs.

use cratedigger_protocol::collection::{CollectionAnswer, Similar};
use cratedigger_zoo::alike::{Songs, playlist};

use super::bad;
use crate::Failure;

/// The songs that are similar to one, and a playlist of them.
pub(super) fn compare(
    embeddings: &[Vec<f32>],
    song: usize,
    artists: &[Option<String>],
    count: usize,
) -> Result<CollectionAnswer, Failure> {
    let own = embeddings.get(song).ok_or_else(|| bad("there is no such song"))?;
    let ranked =
        Songs::new(embeddings).and_then(|songs| songs.ranked(own, |other| other != song)).map_err(bad)?;
    let artist = artists.get(song).and_then(Option::as_deref);
    let list = playlist(&ranked, artists, artist, count);
    let similar = ranked
        .iter()
        .take(count)
        .map(|near| Similar { song: near.song as u32, similarity: near.similarity })
        .collect();
    let playlist = list.iter().map(|near| near.song as u32).collect();
    Ok(CollectionAnswer::Compared { similar, playlist })
}
