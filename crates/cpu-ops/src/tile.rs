//! Tiles: the outputs that stay in registers over the whole window of a kernel.
//!
//! A tile is some neighbouring positions × some vectors of channels. Each step of the kernel loads
//! the channels' weights once and multiplies them by one input value a position, so that a tile of
//! 4 × 2 vectors takes 6 loads for 8 products. Nothing is copied (no im2col), and nothing but
//! finished sums is written.

#![allow(clippy::needless_range_loop)] // indexes show the tile's size to the compiler

use crate::vector::{Vectors, Work};

/// A tile's size, and how fast it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tile {
    /// Neighbouring outputs of a row.
    pub(crate) positions: usize,
    /// Vectors of channels.
    pub(crate) vectors: usize,
    /// Time for one step of the kernel, in units in which one product of two vectors takes 1 in the
    /// best tile.
    pub(crate) cost: f64,
}

macro_rules! tiles {
    ($($positions:literal x $vectors:literal: $cost:literal),*) => {
        /// The tiles that are compiled, as measured with a kernel of 38 × 7.
        pub(crate) const TILES: &[Tile] = &[
            $(Tile { positions: $positions, vectors: $vectors, cost: $cost }),*
        ];

        /// Does a job in tiles of one size.
        pub(crate) fn run(tile: Tile, job: Job<'_>) {
            match (tile.positions, tile.vectors) {
                $(($positions, $vectors) => crate::vector::dispatch(Tiled::<$positions, $vectors>(job)),)*
                // `Kernel::new` takes tiles from the list.
                _ => {}
            }
        }
    };
}

// V8 keeps 8 sums in registers and spills more: a tile of 3 × 3 vectors takes twice the time.
#[cfg(target_arch = "wasm32")]
tiles!(4 x 2: 8.0, 3 x 2: 6.4, 2 x 4: 8.0, 2 x 3: 6.6, 6 x 1: 7.0);
// 16 registers of 8 values; a product and a sum are one instruction.
#[cfg(not(target_arch = "wasm32"))]
tiles!(3 x 3: 9.3, 4 x 2: 8.5, 6 x 2: 12.0, 2 x 3: 7.6, 8 x 1: 9.5, 4 x 1: 7.0);

/// A group of channels of one item of a batch.
pub(crate) struct Job<'a> {
    /// Padded input, `[rows, columns, inputs]`: a row of the kernel's window lies side by side.
    pub(crate) x: &'a [f32],
    /// Values of a row of it.
    pub(crate) row: usize,
    /// Weights, `[kernel rows, kernel columns, inputs, channels of the tile]`.
    pub(crate) weights: &'a [f32],
    /// Values of a row of the kernel's window.
    pub(crate) run: usize,
    /// Values that the kernel moves by, down and across.
    pub(crate) stride: [usize; 2],
    /// Positions in a row.
    pub(crate) positions: usize,
    /// Rows and columns whose maximum is one output.
    pub(crate) pool: [usize; 2],
    /// Outputs down and across.
    pub(crate) pooled: [usize; 2],
    /// Receives one row of largest sums, `[positions, channels of the tile]`.
    pub(crate) line: &'a mut [f32],
    pub(crate) finish: Finish<'a>,
    /// Receives the outputs, `[channels, pooled rows, pooled columns]`; the tile's last channels may
    /// be more than these.
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
    /// The largest sums over the rows that are pooled into one, for every position.
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
