//! Similar songs: ranking by the cosine of their embeddings, playlists, and maps.

#[cfg(feature = "fit")]
mod map;

#[cfg(feature = "fit")]
pub use map::map;

/// A song of the ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Index of the song.
    pub song: usize,
    /// Cosine of the two embeddings, −1…1.
    pub similarity: f32,
}

/// Embeddings of songs, scaled to length 1.
#[derive(Clone, Debug)]
pub struct Songs {
    width: usize,
    units: Vec<f32>,
}

/// The songs have embeddings of different widths, or of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an embedding has {found} values, the others {expected}")]
pub struct WidthError {
    /// Number of values of the first embedding.
    pub expected: usize,
    /// Number of values of another.
    pub found: usize,
}

impl Songs {
    /// Songs with one embedding each, in this order.
    ///
    /// # Errors
    /// Embeddings differ in width.
    pub fn new<R: AsRef<[f32]>>(embeddings: &[R]) -> Result<Self, WidthError> {
        let expected = embeddings.first().map_or(0, |first| first.as_ref().len());
        let mut units = Vec::with_capacity(expected * embeddings.len());
        for embedding in embeddings {
            let embedding = embedding.as_ref();
            if embedding.len() != expected {
                return Err(WidthError { expected, found: embedding.len() });
            }
            units.extend(unit(embedding));
        }
        Ok(Self { width: expected, units })
    }

    /// Number of songs.
    pub fn len(&self) -> usize {
        self.units.len() / self.width.max(1)
    }

    /// Whether there is no song.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// All songs for which `wanted` is true, the most similar first; of equally similar ones, the earlier first.
    ///
    /// # Errors
    /// The embedding has another width.
    pub fn ranked(
        &self,
        embedding: &[f32],
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Vec<Neighbour>, WidthError> {
        if embedding.len() != self.width {
            return Err(WidthError { expected: self.width, found: embedding.len() });
        }
        let song = unit(embedding);
        let mut ranked: Vec<Neighbour> = self
            .units
            .chunks_exact(self.width.max(1))
            .enumerate()
            .filter(|(index, _)| wanted(*index))
            .map(|(index, other)| Neighbour { song: index, similarity: dot(&song, other) })
            .collect();
        ranked.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        Ok(ranked)
    }
}

/// The first `count` songs of a ranking in an order without two neighbours by the same artist: at each place
/// stands the most similar song that is left and is not by the artist before it. `artists` gives the artist of
/// each song by its index, if known; songs without an artist can stand anywhere. `before` is the artist of the
/// song that precedes the list.
///
/// The list is shorter if only songs by the last artist are left.
pub fn playlist(
    ranked: &[Neighbour],
    artists: &[Option<String>],
    before: Option<&str>,
    count: usize,
) -> Vec<Neighbour> {
    let artist = |song: usize| artists.get(song).and_then(|artist| artist.as_deref());
    let mut left: Vec<Neighbour> = ranked.to_vec();
    let mut list: Vec<Neighbour> = Vec::new();
    let mut last = before.map(folded);
    while list.len() < count {
        let differs = |song: &Neighbour| match (artist(song.song), &last) {
            (Some(artist), Some(last)) => folded(artist) != *last,
            _ => true,
        };
        let Some(place) = left.iter().position(differs) else { break };
        let next = left.remove(place);
        last = artist(next.song).map(folded);
        list.push(next);
    }
    list
}

/// A name without case and outer spaces, for comparison.
fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The embedding at length 1; zeros stay.
fn unit(embedding: &[f32]) -> Vec<f32> {
    let length = embedding.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let scale = if length > 0.0 && length.is_finite() { 1.0 / length } else { 0.0 };
    embedding.iter().map(|x| (f64::from(*x) * scale) as f32).collect()
}

/// The sum of products, in eight sums that the compiler keeps in one register.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, x), y) in sums.iter_mut().zip(a).zip(b) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f32>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn songs_are_ranked_by_the_angle_alone() {
        let mut songs = vec![vec![0.0_f32; 11]; 4];
        songs[0][0] = 3.0;
        songs[1][0] = -1.0;
        songs[2][..2].copy_from_slice(&[50.0, 50.0]);
        // The last song has no direction.
        let all = Songs::new(&songs).unwrap();
        let found = all.ranked(&songs[0], |song| song != 0).unwrap();
        let order: Vec<usize> = found.iter().map(|n| n.song).collect();
        assert_eq!(order, [2, 3, 1]);
        let cosines = [0.5_f32.sqrt(), 0.0, -1.0];
        assert!(
            found.iter().zip(cosines).all(|(n, cosine)| (n.similarity - cosine).abs() < 1e-6),
            "{found:?}"
        );
        assert_eq!(all.ranked(&[1.0], |_| true), Err(WidthError { expected: 11, found: 1 }));
        assert!(Songs::new(&[vec![1.0], vec![1.0, 2.0]]).is_err());
        assert_eq!((all.len(), Songs::new::<Vec<f32>>(&[]).unwrap().len()), (4, 0));
    }

    #[test]
    fn no_two_neighbours_are_by_the_same_artist() {
        let ranked: Vec<Neighbour> =
            (0..7).map(|song| Neighbour { song, similarity: 1.0 - song as f32 / 10.0 }).collect();
        let artists: Vec<Option<String>> =
            ["a", "A ", "b", "a", "", "b", "a"].map(|a| (!a.is_empty()).then(|| a.to_owned())).into();
        let order = |before, count| -> Vec<usize> {
            playlist(&ranked, &artists, before, count).iter().map(|n| n.song).collect()
        };
        assert_eq!(order(None, 20), [0, 2, 1, 4, 3, 5, 6]);
        assert_eq!(order(Some("a"), 3), [2, 0, 4]);
        // Only songs by one artist are left.
        let alone = vec![Some("a".to_owned()); 7];
        assert_eq!(playlist(&ranked, &alone, None, 20).len(), 1);
    }
}
