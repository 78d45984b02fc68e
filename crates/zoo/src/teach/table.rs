//! The rows of the regression.

use super::Lesson;
use crate::Examples;

/// Least weight of a class. The regularisation counts more if all weights are smaller; with the weights of a few songs the
/// head would hardly tell songs from sounds.
const LEAST_WEIGHT: f64 = 20.0;

/// Segments of songs and sounds, with labels and weights.
pub(super) struct Table {
    features: Vec<f32>,
    labels: Vec<usize>,
    weights: Vec<f64>,
    width: usize,
    outputs: usize,
}

impl Table {
    /// The segments of the songs for which `wanted` is true, and all sounds. All classes have the same weight: the mean
    /// number of songs of a class, and at least [`LEAST_WEIGHT`]. The sounds together weigh as much as one class, and each
    /// kind the same.
    pub(super) fn new(lesson: &Lesson<'_>, wanted: impl Fn(usize) -> bool) -> Self {
        let Lesson { classes, songs, non_music } = *lesson;
        let width = non_music.width();
        let kinds = non_music.kinds();
        let mut table = Self {
            features: Vec::new(),
            labels: Vec::new(),
            weights: Vec::new(),
            width,
            outputs: classes.len() + kinds.len(),
        };
        let mut counts = vec![0_usize; classes.len()];
        let songs: Vec<_> =
            songs.iter().enumerate().filter(|(index, _)| wanted(*index)).map(|(_, song)| song).collect();
        songs.iter().for_each(|song| counts[song.class] += 1);
        let of_class = (songs.len() as f64 / classes.len() as f64).max(LEAST_WEIGHT);
        for song in &songs {
            let weight = of_class / (counts[song.class] * song.segments.len()) as f64;
            table.add(song.segments.iter().map(Vec::as_slice), song.class, weight);
        }
        for kind in 0..kinds.len() {
            let rows = non_music.rows(kind);
            let weight = of_class / kinds.len() as f64 / (rows.len() / width.max(1)).max(1) as f64;
            table.add(rows.chunks_exact(width.max(1)), classes.len() + kind, weight);
        }
        table
    }

    fn add<'a>(&mut self, rows: impl Iterator<Item = &'a [f32]>, label: usize, weight: f64) {
        for row in rows {
            self.features.extend_from_slice(row);
            self.labels.push(label);
            self.weights.push(weight);
        }
    }

    pub(super) fn examples(&self) -> Examples<'_> {
        Examples {
            features: &self.features,
            width: self.width,
            labels: &self.labels,
            weights: &self.weights,
            classes: self.outputs,
        }
    }
}
