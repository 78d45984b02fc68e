//! Explanation of one segment.

/// Which parts of a segment's sound speak for a genre.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Id of the song.
    pub song: u32,
    /// Index of the segment.
    pub segment: u32,
    /// The class to explain.
    pub class: usize,
    /// The result; `None` while the worker computes it.
    pub tiles: Option<Tiles>,
}

/// Importance over time and frequency.
#[derive(Clone, Debug, PartialEq)]
pub struct Tiles {
    /// Number of frequency bands.
    pub rows: usize,
    /// Number of time steps.
    pub columns: usize,
    /// Row after row, lowest band first; positive values speak for the genre.
    pub values: Vec<f32>,
}

impl Tiles {
    /// Smallest importance that counts: a hundredth of the logarithm of the probability.
    pub const SMALLEST: f32 = 0.01;

    /// Brightness of each tile, 0…1, relative to the most important one.
    pub fn brightness(&self) -> Vec<f32> {
        let most = self.values.iter().copied().fold(Self::SMALLEST, f32::max);
        self.values.iter().map(|value| (value / most).clamp(0.0, 1.0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_important_tile_is_the_brightest() {
        let tiles = Tiles { rows: 1, columns: 3, values: vec![-1.0, 0.5, 0.25] };
        assert_eq!(tiles.brightness(), [0.0, 1.0, 0.5]);
        let faint = Tiles { rows: 1, columns: 1, values: vec![0.001] };
        assert!(faint.brightness().iter().all(|value| *value < 0.2));
    }
}
