//! A map of songs: two coordinates of each, from their embeddings.

use bhtsne::{Neighbor, tSNE};
use nalgebra::{DMatrix, SymmetricEigen};

use super::{Songs, WidthError};

/// Numbers of songs that t-SNE places. Fewer have no neighbourhoods to speak of, and more take minutes in a browser.
const NEIGHBOURHOODS: std::ops::RangeInclusive<usize> = 30..=3000;
/// Largest perplexity of t-SNE: about the number of neighbours that a song stays close to.
const PERPLEXITY: f32 = 30.0;
/// Iterations of t-SNE.
const EPOCHS: usize = 750;
/// Accuracy of the Barnes-Hut approximation; the value of the publication.
const THETA: f32 = 0.5;
/// Standard deviation of the coordinates that t-SNE starts from, along the first axis.
const START: f32 = 1e-4;

/// A map of songs: two coordinates of each, within −1…1.
///
/// 30 to 3000 songs are placed by t-SNE (van der Maaten 2014), which keeps similar songs together. It starts from the
/// principal components, draws nothing and adds up in one order, so the same songs give the same map. Fewer and more songs
/// lie at their two principal components.
///
/// # Errors
/// Embeddings differ in width.
pub fn map<R: AsRef<[f32]>>(embeddings: &[R]) -> Result<Vec<[f32; 2]>, WidthError> {
    let songs = Songs::new(embeddings)?;
    if songs.is_empty() {
        return Ok(vec![[0.0; 2]; embeddings.len()]);
    }
    let components = principal_components(&songs);
    let differ = components.iter().any(|place| *place != [0.0; 2]);
    if differ && NEIGHBOURHOODS.contains(&songs.len()) {
        return neighbourhoods(&songs, &components);
    }
    Ok(components)
}

/// The coordinates along the two directions in which the embeddings vary most, each axis scaled to −1…1. Songs are
/// centred; the sign of an axis is that for which the song farthest from the centre is positive, so that the map does
/// not depend on the solver.
fn principal_components(songs: &Songs) -> Vec<[f32; 2]> {
    let (rows, width) = (songs.len(), songs.width);
    let mut centred = DMatrix::from_row_iterator(rows, width, songs.units.iter().map(|x| f64::from(*x)));
    for mut column in centred.column_iter_mut() {
        let mean = column.mean();
        column.add_scalar_mut(-mean);
    }
    let eigen = SymmetricEigen::new(centred.transpose() * &centred);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let axis = |place: usize| -> Vec<f64> {
        let Some(&direction) = order.get(place) else { return vec![0.0; rows] };
        let along = &centred * eigen.eigenvectors.column(direction);
        let farthest = along.iter().fold(0.0_f64, |far, x| if x.abs() > far.abs() { *x } else { far });
        let scale = if farthest.abs() > 1e-6 { 1.0 / farthest } else { 0.0 };
        along.iter().map(|x| x * scale).collect()
    };
    axis(0).into_iter().zip(axis(1)).map(|(x, y)| [x as f32, y as f32]).collect()
}

/// t-SNE from these coordinates. Both axes have the same scale.
fn neighbourhoods(songs: &Songs, start: &[[f32; 2]]) -> Result<Vec<[f32; 2]>, WidthError> {
    let rows: Vec<&[f32]> = songs.units.chunks_exact(songs.width.max(1)).collect();
    let count = rows.len() as f32;
    let perplexity = PERPLEXITY.min((count - 1.0) / 3.0);
    // An exact search: that of the crate depends on random numbers in the order of equal distances.
    let neighbours = |(song, row): (usize, &&[f32])| -> Result<Vec<Neighbor<f32>>, WidthError> {
        let nearest = songs.ranked(row, |other| other != song)?.into_iter().take((3.0 * perplexity) as usize);
        let distance = |similarity: f32| (2.0 - 2.0 * similarity).max(0.0).sqrt();
        Ok(nearest.map(|near| Neighbor { index: near.song, distance: distance(near.similarity) }).collect())
    };
    let neighbours = rows.iter().enumerate().map(neighbours).collect::<Result<Vec<_>, _>>()?;
    let variance = start.iter().map(|[x, _]| x * x).sum::<f32>() / count;
    let scale = START / variance.sqrt().max(START);
    let start: Vec<f32> = start.iter().flatten().map(|x| x * scale).collect();
    let places = on_one_thread(|| {
        tSNE::<f32, &[f32], 2>::new(&rows)
            .perplexity(perplexity)
            .epochs(EPOCHS)
            .initial_embedding(start)
            .barnes_hut_with_neighbors(THETA, &neighbours)
            .embedding()
    });
    let places = places.as_chunks::<2>().0;
    let mean = |axis: usize| places.iter().map(|place| place[axis]).sum::<f32>() / count;
    let mean = [mean(0), mean(1)];
    let centred: Vec<[f32; 2]> = places.iter().map(|[x, y]| [x - mean[0], y - mean[1]]).collect();
    let farthest = centred.iter().flatten().fold(f32::MIN_POSITIVE, |far, x| far.max(x.abs()));
    Ok(centred.iter().map(|[x, y]| [x / farthest, y / farthest]).collect())
}

/// Several threads add up in any order, and t-SNE turns other roundings into other maps.
fn on_one_thread<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(work),
        // A worker of a browser has no other thread.
        Err(_) => work(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Reference: power iteration on the covariance of the rows at length 1, each axis divided by its largest value.
    #[test]
    fn a_map_of_few_songs_has_the_principal_components() {
        let songs = [[3.0_f32, 0.0, 0.5], [2.0, 0.2, 0.0], [0.0, 1.0, 0.1], [0.1, 3.0, 0.0], [0.5, 0.4, 2.0]];
        let found = map(&songs).unwrap();
        let expected: [[f32; 2]; 5] = [
            [-0.98059, -0.18154],
            [-0.87291, -0.40752],
            [1.00000, -0.13996],
            [0.98135, -0.27098],
            [-0.12785, 1.00000],
        ];
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
        // Songs without a difference lie at one point.
        assert_eq!(map(&[[1.0_f32, 2.0], [2.0, 4.0]]).unwrap(), [[0.0; 2]; 2]);
        assert_eq!(map(&[[1.0_f32, 2.0]; 40]).unwrap(), [[0.0; 2]; 40]);
        assert!(map::<Vec<f32>>(&[]).unwrap().is_empty() && map(&[vec![1.0], vec![1.0, 2.0]]).is_err());
    }

    /// Ten kinds of songs, each along an axis of its own: two principal components mix some of them.
    #[test]
    fn songs_of_a_kind_stay_together() {
        let mut state = 7_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let song = |index: usize| -> Vec<f32> {
            (0..40).map(|axis| if axis == index % 10 { 1.0 } else { 0.15 * random() }).collect()
        };
        let songs: Vec<Vec<f32>> = (0..120).map(song).collect();
        let together = |places: &[[f32; 2]]| {
            let near = |index: usize| {
                let far = |other: &usize| {
                    (0..2).map(|axis| (places[index][axis] - places[*other][axis]).powi(2)).sum::<f32>()
                };
                let mut others: Vec<usize> = (0..places.len()).filter(|other| *other != index).collect();
                others.sort_by(|a, b| far(a).total_cmp(&far(b)));
                others[..5].iter().filter(|other| **other % 10 == index % 10).count()
            };
            (0..places.len()).map(near).sum::<usize>() as f64 / (5 * places.len()) as f64
        };
        let found = map(&songs).unwrap();
        assert!(together(&found) > 0.99, "{}", together(&found));
        let components = together(&principal_components(&Songs::new(&songs).unwrap()));
        assert!(components < 0.9, "{components}");
        assert!(found.iter().flatten().all(|x| x.abs() <= 1.0));
        for _ in 0..5 {
            assert_eq!(map(&songs).unwrap(), found, "the same songs give the same map");
        }
    }
}
