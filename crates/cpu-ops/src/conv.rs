//! A convolution with bias, batch normalisation, ReLU and max-pooling, over slices.

use std::borrow::Cow;

use crate::tile::{self, Finish, Job, TILES, Tile};
use crate::vector::lanes;

/// Reasons why a convolution cannot be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A size is 0, or the padded input is smaller than the kernel or the pool.
    #[error("the kernel or the pool does not fit into the padded input: {0:?}")]
    Empty(Window),
    /// The length of a slice does not match the sizes.
    #[error("{what}: {found} values instead of {expected}")]
    Length {
        /// The slice.
        what: &'static str,
        /// Expected number of values.
        expected: usize,
        /// Actual number of values.
        found: usize,
    },
}

/// Sizes of a two-dimensional convolution and of the max-pooling after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Rows and columns of the input.
    pub size: [usize; 2],
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Stride of the kernel along rows and columns.
    pub stride: [usize; 2],
    /// Padding with zeros at the top, left, bottom and right.
    pub padding: [usize; 4],
    /// Rows and columns of the window of the max-pooling; `[1, 1]` for no pooling. The stride equals the
    /// window; remaining rows and columns at the end are dropped.
    pub pool: [usize; 2],
}

impl Window {
    /// A convolution without padding and pooling, with a stride of 1.
    pub fn new([inputs, outputs]: [usize; 2], size: [usize; 2], kernel: [usize; 2]) -> Self {
        Self { inputs, outputs, size, kernel, stride: [1, 1], padding: [0; 4], pool: [1, 1] }
    }

    /// Rows and columns of the convolution's output; `None` if the kernel does not fit.
    pub fn positions(&self) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let padded = self.size[axis] + self.padding[axis] + self.padding[axis + 2];
            let room = padded.checked_sub(self.kernel[axis].max(1))?;
            Some(room.checked_div(self.stride[axis])? + 1)
        };
        Some([along(0)?, along(1)?])
    }

    /// Rows and columns after the pooling; `None` if kernel or pool do not fit.
    pub fn pooled(&self) -> Option<[usize; 2]> {
        let [down, across] = self.positions()?;
        let pooled = [down.checked_div(self.pool[0])?, across.checked_div(self.pool[1])?];
        pooled.iter().all(|&side| side > 0).then_some(pooled)
    }

    /// Number of weights, `[outputs, inputs, kernel rows, kernel columns]`.
    pub fn weights(&self) -> usize {
        self.outputs * self.steps()
    }

    /// Number of input values of one item of a batch.
    fn values(&self) -> usize {
        self.inputs * self.size[0] * self.size[1]
    }

    /// Number of products for one output value.
    fn steps(&self) -> usize {
        self.inputs * self.kernel[0] * self.kernel[1]
    }
}

/// The steps between the convolution's sums and the maximum:
/// `after[0] · relu(before[0] · sum + before[1]) + after[1]`.
///
/// All slices are `[outputs]`; an empty slice means factors of 1 or summands of 0. A batch normalisation
/// before or after the ReLU is a factor and a summand; a bias is a summand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// Factor and summand before the ReLU.
    pub before: [&'a [f32]; 2],
    /// Whether negative values become 0.
    pub relu: bool,
    /// Factor and summand after the ReLU.
    pub after: [&'a [f32]; 2],
}

impl Epilogue<'_> {
    /// For each channel, whether outputs decrease when sums increase. The maximum output then belongs to
    /// the smallest sum.
    fn falling(&self, outputs: usize) -> Vec<bool> {
        let negative = |factors: &[f32], channel: usize| factors.get(channel).is_some_and(|&f| f < 0.0);
        (0..outputs).map(|c| negative(self.before[0], c) != negative(self.after[0], c)).collect()
    }
}

/// A group of channels that are computed together.
#[derive(Clone, Copy, Debug)]
struct Group {
    first: usize,
    channels: usize,
    tile: Tile,
}

/// Weights in the order in which the kernels read them.
#[derive(Clone, Debug)]
pub struct Kernel {
    window: Window,
    positions: [usize; 2],
    pooled: [usize; 2],
    groups: Vec<Group>,
    /// For each group `[kernel rows, kernel columns, inputs, channels of its tile]`.
    weights: Vec<f32>,
    /// Channels whose weights are negated, so that the maximum can be taken before the epilogue.
    falling: Vec<bool>,
}

impl Kernel {
    /// Packs weights `[outputs, inputs, kernel rows, kernel columns]` for [`Self::run`] with epilogues
    /// whose factors have the same signs as those of `epilogue`.
    ///
    /// # Errors
    /// The sizes are inconsistent.
    pub fn new(window: Window, weights: &[f32], epilogue: &Epilogue<'_>) -> Result<Self, Error> {
        let sizes = [window.inputs, window.outputs, window.kernel[0], window.kernel[1]];
        let (Some(positions), Some(pooled)) = (window.positions(), window.pooled()) else {
            return Err(Error::Empty(window));
        };
        if sizes.contains(&0) {
            return Err(Error::Empty(window));
        }
        check("weights", window.weights(), weights.len())?;
        let groups = groups(window.outputs, positions[1]);
        let falling = epilogue.falling(window.outputs);
        let steps = window.steps();
        let mut packed =
            vec![0.0; groups.iter().map(|group| group.tile.vectors * lanes() * steps).sum::<usize>()];
        let mut rest = packed.as_mut_slice();
        for group in &groups {
            let wide = group.tile.vectors * lanes();
            let (to, others) = rest.split_at_mut(wide * steps);
            rest = others;
            for channel in 0..group.channels {
                let output = group.first + channel;
                let from = &weights[output * steps..(output + 1) * steps];
                let sign = if falling[output] { -1.0 } else { 1.0 };
                // `[inputs, area]` becomes `[area, inputs]`.
                let area = steps / window.inputs;
                for (input, from) in from.chunks_exact(area).enumerate() {
                    let to = to[input * wide + channel..].iter_mut().step_by(window.inputs * wide);
                    for (to, from) in to.zip(from) {
                        *to = sign * from;
                    }
                }
            }
        }
        Ok(Self { window, positions, pooled, groups, weights: packed, falling })
    }

    /// The sizes that the weights are packed for.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// Whether the packed weights are valid for an epilogue: the signs of its factors are the same.
    pub fn serves(&self, epilogue: &Epilogue<'_>) -> bool {
        self.falling == epilogue.falling(self.window.outputs)
    }

    /// Convolution, epilogue and maximum, on one thread.
    ///
    /// # Shapes
    /// `[batch, inputs, rows, columns]` → `[batch, outputs, pooled rows, pooled columns]`, with the
    /// sizes of [`Window::pooled`]
    ///
    /// # Errors
    /// The length of a slice does not match the sizes.
    pub fn run(&self, x: &[f32], epilogue: &Epilogue<'_>) -> Result<Vec<f32>, Error> {
        let values = self.window.values();
        let batch = x.len() / values.max(1);
        check("input", batch * values, x.len())?;
        let mut y = vec![0.0; batch * self.window.outputs * self.pooled[0] * self.pooled[1]];
        self.run_into(x, epilogue, &mut y)?;
        Ok(y)
    }

    /// [`Self::run`] into a slice, so that threads can share a batch.
    ///
    /// # Errors
    /// The length of a slice does not match the sizes.
    pub fn run_into(&self, x: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) -> Result<(), Error> {
        let Window { inputs, outputs, kernel, stride, pool, .. } = self.window;
        let area = self.pooled[0] * self.pooled[1];
        let values = self.window.values();
        let batch = x.len() / values.max(1);
        check("input", batch * values, x.len())?;
        check("output", batch * outputs * area, y.len())?;
        let [before, after] = [epilogue.before, epilogue.after];
        for slice in before.iter().chain(&after).filter(|slice| !slice.is_empty()) {
            check("epilogue", outputs, slice.len())?;
        }
        let padded: Vec<Padded<'_>> = x.chunks_exact(values).map(|x| self.pad(x)).collect();
        let mut line = Vec::new();
        let mut weights = self.weights.as_slice();
        for group in &self.groups {
            let channels = group.tile.vectors * lanes();
            let (of_group, others) = weights.split_at(channels * self.window.steps());
            weights = others;
            let mut factors = spread(before[0], group, channels, 1.0);
            let summands = spread(before[1], group, channels, 0.0);
            for (factor, _) in factors.iter_mut().zip(&self.falling[group.first..]).filter(|(_, f)| **f) {
                *factor = -*factor;
            }
            let after = [spread(after[0], group, channels, 1.0), spread(after[1], group, channels, 0.0)];
            line.resize(self.positions[1].max(group.tile.positions) * channels, 0.0);
            for (item, y) in padded.iter().zip(y.chunks_exact_mut(outputs * area)) {
                let y = &mut y[group.first * area..(group.first + group.channels) * area];
                let job = Job {
                    x: &item.values,
                    row: item.row,
                    weights: of_group,
                    run: kernel[1] * inputs,
                    stride: [stride[0] * item.row, stride[1] * inputs],
                    positions: self.positions[1],
                    pool,
                    pooled: self.pooled,
                    line: &mut line,
                    finish: Finish {
                        before: [&factors, &summands],
                        relu: epilogue.relu,
                        after: [&after[0], &after[1]],
                    },
                    y,
                };
                tile::run(group.tile, job);
            }
        }
        Ok(())
    }

    /// Pads one item's input with zeros. Rows are long enough for at least one tile.
    fn pad<'a>(&self, x: &'a [f32]) -> Padded<'a> {
        let Window { inputs, size: [rows, columns], kernel, stride, padding, .. } = self.window;
        let [top, left, bottom, right] = padding;
        let positions = self.groups.iter().map(|group| group.tile.positions).max().unwrap_or(1);
        let padded = (left + columns + right).max((positions - 1) * stride[1] + kernel[1]);
        let row = padded * inputs;
        if padding == [0; 4] && padded == columns && inputs == 1 {
            return Padded { values: Cow::Borrowed(x), row };
        }
        let mut values = vec![0.0; (top + rows + bottom) * row];
        for (input, from) in x.chunks_exact(rows * columns).enumerate() {
            let lines = values[top * row..].chunks_exact_mut(row).zip(from.chunks_exact(columns));
            for (to, from) in lines {
                let to = to[left * inputs + input..].iter_mut().step_by(inputs);
                to.zip(from).for_each(|(to, from)| *to = *from);
            }
        }
        Padded { values: Cow::Owned(values), row }
    }
}

/// A padded input, `[rows, columns, inputs]`.
struct Padded<'a> {
    values: Cow<'a, [f32]>,
    /// Number of values of a row.
    row: usize,
}

/// The maximum over all rows (bands) of a convolution: [`Kernel::run`] with a pool as high as the
/// convolution's output. The convolution's maps are not stored.
///
/// # Shapes
/// `[batch, inputs, bands, columns]` → `[batch, outputs, columns of the output]`
///
/// # Errors
/// The sizes are inconsistent.
pub fn conv_max_over_bands(
    window: Window,
    x: &[f32],
    weights: &[f32],
    epilogue: &Epilogue<'_>,
) -> Result<Vec<f32>, Error> {
    let [bands, _] = window.positions().ok_or(Error::Empty(window))?;
    Kernel::new(Window { pool: [bands, 1], ..window }, weights, epilogue)?.run(x, epilogue)
}

/// A convolution along the columns of `[batch, inputs, columns]` with "same" padding: the output is as
/// long as the input. For an even kernel, the padding before is one zero shorter than the padding after.
///
/// # Shapes
/// `[batch, inputs, columns]`, weights `[outputs, inputs, kernel]` → `[batch, outputs, columns]`
///
/// # Errors
/// The sizes are inconsistent.
pub fn conv_columns(
    [inputs, outputs]: [usize; 2],
    columns: usize,
    kernel: usize,
    x: &[f32],
    weights: &[f32],
    epilogue: &Epilogue<'_>,
) -> Result<Vec<f32>, Error> {
    let zeros = kernel.saturating_sub(1);
    let window = Window {
        padding: [0, zeros / 2, 0, zeros - zeros / 2],
        ..Window::new([inputs, outputs], [1, columns], [1, kernel])
    };
    Kernel::new(window, weights, epilogue)?.run(x, epilogue)
}

fn check(what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Length { what, expected, found }) }
}

/// A group's part of a factor or summand, filled with `missing` to the channels of its tile.
fn spread(of: &[f32], group: &Group, channels: usize, missing: f32) -> Vec<f32> {
    let mut part = vec![missing; channels];
    if let Some(of) = of.get(group.first..group.first + group.channels) {
        part[..of.len()].copy_from_slice(of);
    }
    part
}

/// Divides channels into groups so that the least time is spent on surplus positions and channels, which
/// tiles compute and no output needs.
fn groups(outputs: usize, positions: usize) -> Vec<Group> {
    // The best tile for this number of vectors of channels, and its time for a row.
    let best = |vectors: usize| -> Option<(Tile, f64)> {
        let tiles = TILES.iter().filter(|tile| tile.vectors == vectors);
        tiles
            .map(|&tile| (tile, positions.div_ceil(tile.positions) as f64 * tile.cost))
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
    };
    let needed = outputs.div_ceil(lanes());
    let widest = TILES.iter().map(|tile| tile.vectors).max().unwrap_or(1);
    let plan = |vectors: usize| {
        let (tile, cost) = best(vectors)?;
        let (whole, rest) = (needed / vectors, needed % vectors);
        let last = if rest > 0 { Some(best(rest)?) } else { None };
        let total = whole as f64 * cost + last.map_or(0.0, |(_, cost)| cost);
        Some((total, whole, tile, last))
    };
    let Some((_, whole, tile, last)) =
        (1..=widest).filter_map(plan).min_by(|(a, ..), (b, ..)| a.total_cmp(b))
    else {
        return Vec::new();
    };
    let tiles = std::iter::repeat_n(tile, whole).chain(last.map(|(tile, _)| tile));
    let mut first = 0;
    tiles
        .map(|tile| {
            let channels = (tile.vectors * lanes()).min(outputs - first);
            first += channels;
            Group { first: first - channels, channels, tile }
        })
        .collect()
}
