//! Tiles: blocks of outputs whose sums stay in registers over the whole window of a kernel.
//!
//! A tile is a number of neighbouring positions × a number of vectors of channels. Each step of the
//! kernel loads the channels' weights once and multiplies them by one input value per position: a tile of
//! 4 × 2 vectors needs 6 loads for 8 products. Inputs are not copied (no im2col), and only finished sums
//! are stored.

#![allow(clippy::needless_range_loop)] // indices let the compiler see the size of the tile

use crate::vector::{Vectors, Work};

/// The size of a tile, and its cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tile {
    /// Number of neighbouring outputs of a row.
    pub(crate) positions: usize,
    /// Number of vectors of channels.
    pub(crate) vectors: usize,
    /// Relative time for one step of the kernel. The unit is the time of one product of two vectors in
    /// the best tile.
    pub(crate) cost: f64,
}

macro_rules! tiles {
    ($($positions:literal x $vectors:literal: $cost:literal),*) => {
        /// The compiled tiles, with costs measured for a kernel of 38 × 7.
        pub(crate) const TILES: &[Tile] = &[
            $(Tile { positions: $positions, vectors: $vectors, cost: $cost }),*
        ];

        /// Runs a job with tiles of one size.
        pub(crate) fn run(tile: Tile, job: Job<'_>) {
            match (tile.positions, tile.vectors) {
                $(($positions, $vectors) => crate::vector::dispatch(Tiled::<$positions, $vectors>(job)),)*
                // Unreachable: `Kernel::new` takes tiles from the list.
                _ => {}
            }
        }
    };
}

// V8 keeps 8 sums in registers and spills further ones: a tile of 3 × 3 vectors takes twice the time.
#[cfg(target_arch = "wasm32")]
tiles!(4 x 2: 8.0, 3 x 2: 6.4, 2 x 4: 8.0, 2 x 3: 6.6, 6 x 1: 7.0);
// 16 registers of 8 values, with fused multiply-add.
#[cfg(not(target_arch = "wasm32"))]
tiles!(3 x 3: 9.3, 4 x 2: 8.5, 6 x 2: 12.0, 2 x 3: 7.6, 8 x 1: 9.5, 4 x 1: 7.0);

/// A group of channels of one item of a batch.
pub(crate) struct Job<'a> {
    /// Padded input, `[rows, columns, inputs]`: a row of the kernel's window is contiguous.
    pub(crate) x: &'a [f32],
    /// Number of values of a row of the input.
    pub(crate) row: usize,
    /// Weights, `[kernel rows, kernel columns, inputs, channels of the tile]`.
    pub(crate) weights: &'a [f32],
    /// Number of values of a row of the kernel's window.
    pub(crate) run: usize,
    /// Stride of the kernel in values of the input, down and across.
    pub(crate) stride: [usize; 2],
    /// Number of positions in a row.
    pub(crate) positions: usize,
    /// Rows and columns of the window of the max-pooling.
    pub(crate) pool: [usize; 2],
    /// Number of outputs down and across.
    pub(crate) pooled: [usize; 2],
    /// Buffer for one row of largest sums, `[positions, channels of the tile]`.
    pub(crate) line: &'a mut [f32],
    pub(crate) finish: Finish<'a>,
    /// The outputs, `[channels, pooled rows, pooled columns]`. The tile may have more channels; the surplus
    /// is not stored.
    pub(crate) y: &'a mut [f32],
}

/// The steps from a sum to an output, for the channels of a tile:
/// `after[0] · relu(before[0] · sum + before[1]) + after[1]`.
#[derive(Clone, Copy)]
pub(crate) struct Finish<'a> {
    pub(crate) before: [&'a [f32]; 2],
    pub(crate) relu: bool,
    pub(crate) after: [&'a [f32]; 2],
}

struct Tiled<'a, const POSITIONS: usize, const VECTORS: usize>(Job<'a>);

impl<const POSITIONS: usize, const VECTORS: usize> Work for Tiled<'_, POSITIONS, VECTORS> {
    #[inline(always)]
    fn run<V: Vectors>(self, vectors: V) {
        let mut job = self.0;
        let [down, _] = job.pooled;
        for row in 0..down {
            job.largest::<V, POSITIONS, VECTORS>(vectors, row);
            job.write::<V, VECTORS>(row);
        }
    }
}

impl Job<'_> {
    /// Computes the largest sum over the rows of one pool, for every position.
    #[inline(always)]
    fn largest<V: Vectors, const POSITIONS: usize, const VECTORS: usize>(&mut self, vectors: V, row: usize) {
        let channels = VECTORS * V::LANES;
        let [down, across] = self.stride;
        let first = row * self.pool[0] * down;
        for position in (0..self.positions).step_by(POSITIONS) {
            // The last tile overlaps the one before; `Kernel::run` pads rows that are shorter.
            let position = position.min(self.positions.saturating_sub(POSITIONS));
            let from = first + position * across;
            let mut largest = self.sums::<V, POSITIONS, VECTORS>(vectors, from);
            for line in 1..self.pool[0] {
                let from = from + line * down;
                let sums = self.sums::<V, POSITIONS, VECTORS>(vectors, from);
                for p in 0..POSITIONS {
                    for v in 0..VECTORS {
                        largest[p][v] = vectors.max(sums[p][v], largest[p][v]);
                    }
                }
            }
            let line = &mut self.line[position * channels..(position + POSITIONS) * channels];
            for (p, line) in line.chunks_exact_mut(channels).enumerate() {
                for (v, line) in line.chunks_exact_mut(V::LANES).enumerate() {
                    vectors.store(largest[p][v], line);
                }
            }
        }
    }

    /// The sums of a tile whose first input value is at `from`.
    #[inline(always)]
    fn sums<V: Vectors, const POSITIONS: usize, const VECTORS: usize>(
        &self,
        vectors: V,
        from: usize,
    ) -> [[V::Vector; VECTORS]; POSITIONS] {
        let channels = VECTORS * V::LANES;
        let mut sums = [[vectors.splat(0.0); VECTORS]; POSITIONS];
        for (line, weights) in self.weights.chunks_exact(self.run * channels).enumerate() {
            let start = from + line * self.row;
            let x: [&[f32]; POSITIONS] =
                std::array::from_fn(|p| &self.x[start + p * self.stride[1]..][..self.run]);
            for (k, weights) in (0..self.run).zip(weights.chunks_exact(channels)) {
                let mut w = [vectors.splat(0.0); VECTORS];
                for v in 0..VECTORS {
                    w[v] = vectors.load(&weights[v * V::LANES..(v + 1) * V::LANES]);
                }
                for p in 0..POSITIONS {
                    let x = vectors.splat(x[p][k]);
                    for v in 0..VECTORS {
                        sums[p][v] = vectors.multiply_add(x, w[v], sums[p][v]);
                    }
                }
            }
        }
        sums
    }

    /// Writes a row of outputs.
    #[inline(always)]
    fn write<V: Vectors, const VECTORS: usize>(&mut self, row: usize) {
        let channels = VECTORS * V::LANES;
        let [down, across] = self.pooled;
        let wide = self.pool[1];
        let Finish { before: [scale, shift], relu, after: [scale_after, shift_after] } = self.finish;
        for (column, line) in self.line.chunks_exact_mut(channels * wide).take(across).enumerate() {
            let (first, others) = line.split_at_mut(channels);
            for other in others.chunks_exact(channels) {
                for (largest, &other) in first.iter_mut().zip(other) {
                    *largest = if other > *largest { other } else { *largest };
                }
            }
            let outputs = self.y[row * across + column..].iter_mut().step_by(down * across);
            for (channel, (y, sum)) in outputs.zip(first).enumerate() {
                let value = scale[channel] * *sum + shift[channel];
                let value = if relu && value < 0.0 { 0.0 } else { value };
                *y = scale_after[channel] * value + shift_after[channel];
            }
        }
    }
}
