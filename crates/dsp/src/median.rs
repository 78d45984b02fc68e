//! Running medians of 31 values, four sequences at a time.
//!
//! A median of 31 values by sorting takes about a hundred comparisons, and HPSS needs two medians
//! for every value of a spectrogram. Neighbouring windows share nearly all values, so outputs are
//! computed in tiles of 16: their windows have 16 common values, which are sorted once. Halving the
//! tile adds 8 common values, then 4, 2 and 1. Each step drops as many values at both ends as it
//! adds, because these can no longer be the median: 16 candidates become 8, 4, 2 and the median.
//! This is the method of A. Adams, *Fast Median Filters using Separable Sorting Networks* (SIGGRAPH
//! 2021), in one dimension. No step branches on values, so four sequences run in the lanes of a
//! vector register. A median takes about nine instructions.

use wide::f32x4;

/// Values in a window.
pub(crate) const KERNEL: usize = 31;
/// Values on each side of the middle one.
pub(crate) const REACH: usize = KERNEL / 2;
/// Outputs computed together.
const TILE: usize = 16;

/// Puts the smaller of two values first.
#[inline(always)]
fn order(v: &mut [f32x4], a: usize, b: usize) {
    let (x, y) = (v[a], v[b]);
    v[a] = x.fast_min(y);
    v[b] = x.fast_max(y);
}

macro_rules! network {
    ($name:ident, $n:literal: $(($a:literal $b:literal))*) => {
        #[inline(always)]
        fn $name(v: &mut [f32x4; $n]) {
            $(order(v, $a, $b);)*
        }
    };
}

// Batcher's odd-even merge sort.
network!(sort2, 2: (0 1));
network!(sort4, 4: (0 1)(2 3)(0 2)(1 3)(1 2));
network!(sort8, 8: (0 1)(2 3)(0 2)(1 3)(1 2)(4 5)(6 7)(4 6)(5 7)(5 6)(0 4)(2 6)(2 4)(1 5)(3 7)(3 5)(1 2)
    (3 4)(5 6));
network!(sort16, 16: (0 1)(2 3)(0 2)(1 3)(1 2)(4 5)(6 7)(4 6)(5 7)(5 6)(0 4)(2 6)(2 4)(1 5)(3 7)(3 5)(1 2)
    (3 4)(5 6)(8 9)(10 11)(8 10)(9 11)(9 10)(12 13)(14 15)(12 14)(13 15)(13 14)(8 12)(10 14)(10 12)(9 13)
    (11 15)(11 13)(9 10)(11 12)(13 14)(0 8)(4 12)(4 8)(2 10)(6 14)(6 10)(2 4)(6 8)(10 12)(1 9)(5 13)(5 9)
    (3 11)(7 15)(7 11)(3 5)(7 9)(11 13)(1 2)(3 4)(5 6)(7 8)(9 10)(11 12)(13 14));
// Sorts a bitonic sequence (first rising, then falling, or the reverse).
network!(bitonic2, 2: (0 1));
network!(bitonic4, 4: (0 2)(1 3)(0 1)(2 3));
network!(bitonic8, 8: (0 4)(1 5)(2 6)(3 7)(0 2)(1 3)(4 6)(5 7)(0 1)(2 3)(4 5)(6 7));

macro_rules! narrow {
    ($name:ident, $wide:literal to $n:literal, $sort:ident, $bitonic:ident) => {
        /// Adds values to sorted candidates and drops as many at each end; the rest stays sorted.
        #[inline(always)]
        fn $name(candidates: &[f32x4; $wide], added: &[f32x4; $n]) -> [f32x4; $n] {
            let mut new = *added;
            $sort(&mut new);
            // The lowest values are among the lower half of the candidates and the new ones. Of each
            // pair taken in opposite directions, the larger value stays.
            let mut high: [f32x4; $n] = std::array::from_fn(|i| candidates[i].fast_max(new[$n - 1 - i]));
            $bitonic(&mut high);
            // The highest values are dropped in the same way.
            let mut kept: [f32x4; $n] = std::array::from_fn(|i| high[i].fast_min(candidates[$wide - 1 - i]));
            $bitonic(&mut kept);
            kept
        }
    };
}

narrow!(narrow8, 16 to 8, sort8, bitonic8);
narrow!(narrow4, 8 to 4, sort4, bitonic4);
narrow!(narrow2, 4 to 2, sort2, bitonic2);

/// `N` values from `start` on, of the caller's 16 + 30.
#[inline(always)]
fn part<const N: usize>(values: &[f32x4; TILE + KERNEL - 1], start: usize) -> [f32x4; N] {
    std::array::from_fn(|i| values[start + i])
}

/// Sixteen medians: output `i` is that of `values[i..i + 31]`.
#[inline(always)]
fn tile(values: &[f32x4; TILE + KERNEL - 1], out: &mut [f32x4; TILE]) {
    // The windows of outputs a..b share the values from b − 1 to a + 30.
    let mut core: [f32x4; 16] = part(values, TILE - 1);
    sort16(&mut core);
    for half in [0, 8] {
        let added = if half == 0 { 7 } else { KERNEL };
        let core = narrow8(&core, &part(values, added));
        for quarter in [half, half + 4] {
            let added = if quarter == half { quarter + 3 } else { half + KERNEL };
            let core = narrow4(&core, &part(values, added));
            for pair in [quarter, quarter + 2] {
                let added = if pair == quarter { pair + 1 } else { quarter + KERNEL };
                let [low, high] = narrow2(&core, &part(values, added));
                out[pair] = low.fast_max(high.fast_min(values[pair]));
                out[pair + 1] = low.fast_max(high.fast_min(values[pair + KERNEL]));
            }
        }
    }
}

/// Index of the value at position `i − REACH` of a sequence of `n` values that is mirrored at its
/// ends, with each end value repeated: `mode="reflect"` of `scipy.ndimage.median_filter`.
fn mirrored(i: usize, n: usize) -> usize {
    let period = 2 * n;
    let place = (i + period * REACH.div_ceil(period) - REACH) % period;
    if place < n { place } else { period - 1 - place }
}

/// Medians of four sequences, with the buffers they need.
#[derive(Default)]
pub(crate) struct RunningMedian {
    /// The sequences with their mirrored ends.
    padded: Vec<f32x4>,
    out: Vec<f32x4>,
}

impl RunningMedian {
    /// The median of the 31 values around each of `n`; `value(i)` gives the four at index `i`.
    /// Values must not be NaN; `n` is at least 1.
    pub(crate) fn run(&mut self, n: usize, value: impl Fn(usize) -> f32x4) -> &[f32x4] {
        let tiles = n.div_ceil(TILE);
        self.padded.clear();
        self.padded.extend((0..REACH).map(|i| value(mirrored(i, n))));
        self.padded.extend((0..n).map(&value));
        self.padded.extend((n + REACH..tiles * TILE + 2 * REACH).map(|i| value(mirrored(i, n))));
        self.out.resize(tiles * TILE, f32x4::ZERO);
        let (out, _) = self.out.as_chunks_mut::<TILE>();
        for (index, out) in out.iter_mut().enumerate() {
            if let Some((values, _)) = self.padded[index * TILE..].split_first_chunk() {
                tile(values, out);
            }
        }
        &self.out[..n]
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// By definition: mirror, sort, take the middle value.
    fn naive(values: &[f32]) -> Vec<f32> {
        let n = values.len() as isize;
        let at = |mut i: isize| {
            while !(0..n).contains(&i) {
                i = if i < 0 { -1 - i } else { 2 * n - 1 - i };
            }
            values[i as usize]
        };
        (0..n)
            .map(|i| {
                let mut window: Vec<f32> = (i - 15..=i + 15).map(at).collect();
                window.sort_by(f32::total_cmp);
                window[15]
            })
            .collect()
    }

    proptest! {
        #[test]
        fn it_is_the_median(lanes in (1..200_usize).prop_flat_map(|n| {
            // Also with few distinct values, because errors of sorting networks show with equal ones.
            let value = prop_oneof![0.0_f32..1.0, (0..4_u8).prop_map(f32::from)];
            vec(vec(value, n), 4)
        })) {
            let n = lanes[0].len();
            let mut median = RunningMedian::default();
            let found: Vec<[f32; 4]> = median
                .run(n, |i| f32x4::new([lanes[0][i], lanes[1][i], lanes[2][i], lanes[3][i]]))
                .iter()
                .map(|v| v.to_array())
                .collect();
            for (lane, values) in lanes.iter().enumerate() {
                let found: Vec<f32> = found.iter().map(|v| v[lane]).collect();
                prop_assert_eq!(found, naive(values));
            }
        }
    }
}
