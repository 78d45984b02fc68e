//! Spectrogram of a song: decibels to pixels.
//!
//! Segments arrive one by one and the loudest value so far sets the scale. So all values are kept, and
//! the image can be painted again, whole or in part, at any size. Of a long song, only as many columns are
//! kept as a canvas can have; the others can be added and dropped again, segment by segment, where the
//! visitor zooms in.

use std::ops::Range;

use crate::time_range::TimeRange;

/// Values this far below the loudest one, in dB, get the darkest colour.
pub const RANGE_DB: f32 = 80.0;

/// Lowest level kept, in dB. Levels are kept in one byte each, because all songs of the page stay in
/// memory.
const FLOOR_DB: f32 = -110.0;
/// Resolution of the levels kept, in dB. The eye does not see such a small difference.
const STEP_DB: f32 = 0.66;

/// Columns that are kept of a whole song, about: browsers support hardly wider canvases.
const KEPT_COLUMNS: usize = 16_384;

fn pack(db: f32) -> u8 {
    // A float-to-integer `as` saturates; NaN becomes 0.
    ((db - FLOOR_DB) / STEP_DB).round() as u8
}

fn unpack(level: u8) -> f32 {
    FLOOR_DB + f32::from(level) * STEP_DB
}

#[derive(Clone, Debug)]
struct Block {
    start: f64,
    end: f64,
    /// [`Spectrogram::kept`] columns, row after row, lowest band first, packed by [`pack`].
    values: Vec<u8>,
    /// All columns, while they are in use.
    fine: Option<Vec<u8>>,
}

/// The spectrogram so far.
#[derive(Clone, Debug, Default)]
pub struct Spectrogram {
    bands: usize,
    /// Columns of a segment.
    columns: usize,
    /// Columns of a segment that are kept.
    kept: usize,
    loudest: Option<f32>,
    blocks: Vec<Option<Block>>,
}

/// The pixel columns, of `width` columns that show `view`, that a span of time touches.
pub fn pixels(view: TimeRange, start: f64, end: f64, width: usize) -> Range<usize> {
    let first = (view.fraction(start) * width as f64).floor().max(0.0) as usize;
    let last = (view.fraction(end) * width as f64).ceil().max(0.0) as usize;
    first.min(width)..last.min(width)
}

/// The part that has to be painted after a segment arrived.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dirty {
    /// Nothing: the segment had a wrong shape and was ignored.
    Nothing,
    /// Only these seconds.
    Span(f64, f64),
    /// Everything: the scale has changed.
    All,
}

impl Spectrogram {
    /// An empty spectrogram of about `segments` segments of `bands` × `columns` values.
    pub fn new(bands: u32, columns: u32, segments: u32) -> Self {
        let columns = columns as usize;
        let kept = (KEPT_COLUMNS / (segments as usize).max(1)).clamp(1, columns.max(1)).min(columns);
        Self { bands: bands as usize, columns, kept, loudest: None, blocks: Vec::new() }
    }

    /// Whether not all columns are kept.
    pub fn is_coarse(&self) -> bool {
        self.kept < self.columns
    }

    /// The values of a segment in the form in which [`Spectrogram::refine`] takes them.
    pub fn packed(values: &[f32]) -> Vec<u8> {
        values.iter().map(|value| pack(*value)).collect()
    }

    /// The segments, of those that are there, whose other columns are needed to paint `view` in `width` pixel
    /// columns, and drops those that are not needed any more.
    pub fn missing(&mut self, view: TimeRange, width: usize) -> Vec<u32> {
        let mut missing = Vec::new();
        for (index, block) in self.blocks.iter_mut().enumerate() {
            let Some(block) = block else { continue };
            let pixels = (block.end - block.start) / view.span.max(1e-9) * width as f64;
            let seen = block.start < view.to() && block.end > view.from;
            if !seen || pixels <= self.kept as f64 || self.kept == self.columns {
                block.fine = None;
            } else if block.fine.is_none() {
                missing.push(index as u32);
            }
        }
        missing
    }

    /// Adds all columns of a segment, as [`Spectrogram::packed`] made them.
    pub fn refine(&mut self, index: u32, values: Vec<u8>) -> Dirty {
        match self.blocks.get_mut(index as usize).and_then(Option::as_mut) {
            Some(block) if values.len() == self.bands * self.columns => {
                block.fine = Some(values);
                Dirty::Span(block.start, block.end)
            }
            _ => Dirty::Nothing,
        }
    }

    /// Adds or replaces segment `index`. `values` are in dB, row after row, lowest band first.
    pub fn insert(&mut self, index: u32, start: f64, end: f64, values: &[f32]) -> Dirty {
        let index = index as usize;
        let sound = values.len() == self.bands * self.columns && !values.is_empty() && end > start;
        // The bound keeps a wrong index from allocating all memory.
        if !sound || index > 1_000_000 {
            return Dirty::Nothing;
        }
        let peak = values.iter().copied().filter(|v| v.is_finite()).reduce(f32::max);
        let values = self.pooled(&Self::packed(values));
        if self.blocks.len() <= index {
            self.blocks.resize(index + 1, None);
        }
        if let Some(slot) = self.blocks.get_mut(index) {
            *slot = Some(Block { start, end, values, fine: None });
        }
        match (self.loudest, peak) {
            (Some(old), Some(new)) if new <= old => Dirty::Span(start, end),
            (_, Some(new)) => {
                self.loudest = Some(new);
                Dirty::All
            }
            (_, None) => Dirty::Span(start, end),
        }
    }

    /// RGBA values of the pixel columns `x` of an image of `view` with `width` × `height` pixels, row
    /// after row from the top. Transparent where no segment is known.
    pub fn paint(&self, view: TimeRange, x: Range<usize>, width: usize, height: usize) -> Vec<u8> {
        let span = x.len();
        let mut pixels = vec![0u8; span * height * 4];
        let Some(loudest) = self.loudest else { return pixels };
        let palette = palette();
        let time = |x: usize| view.time(x as f64 / width.max(1) as f64);
        // Many rows of the image show the same bands: find the bands once.
        let rows: Vec<Range<usize>> =
            (0..height).map(|row| covered(height - 1 - row, height, 0.0, 1.0, self.bands)).collect();
        for (dx, x) in x.enumerate() {
            let (left, right) = (time(x), time(x + 1));
            let middle = (left + right) / 2.0;
            let Some(block) = self.at(middle) else { continue };
            let length = block.end - block.start;
            let place = |time: f64| ((time - block.start) / length).clamp(0.0, 1.0);
            let (values, count) = match &block.fine {
                Some(fine) => (fine, self.columns),
                None => (&block.values, self.kept),
            };
            let columns = covered(0, 1, place(left), place(right), count);
            let (mut last, mut level) = (0..0, 0);
            for (row, bands) in rows.iter().enumerate() {
                if *bands != last {
                    last = bands.clone();
                    level = 0;
                    for band in bands.clone() {
                        let base = band * count;
                        if let Some(values) = values.get(base + columns.start..base + columns.end) {
                            level = values.iter().copied().fold(level, u8::max);
                        }
                    }
                }
                let shade = ((unpack(level) - loudest) / RANGE_DB + 1.0).clamp(0.0, 1.0);
                let colour = palette.get((shade * 255.0).round() as usize).copied();
                let at = (row * span + dx) * 4;
                if let (Some(pixel), Some([r, g, b])) = (pixels.get_mut(at..at + 4), colour) {
                    pixel.copy_from_slice(&[r, g, b, 255]);
                }
            }
        }
        pixels
    }

    /// The largest of the values that lie under each kept column.
    fn pooled(&self, values: &[u8]) -> Vec<u8> {
        if !self.is_coarse() {
            return values.to_vec();
        }
        let largest = |row: &[u8], column: usize| {
            let under = covered(column, self.kept, 0.0, 1.0, self.columns);
            row.get(under).into_iter().flatten().copied().max().unwrap_or_default()
        };
        values
            .chunks(self.columns.max(1))
            .flat_map(|row| (0..self.kept).map(move |column| largest(row, column)))
            .collect()
    }

    fn at(&self, time: f64) -> Option<&Block> {
        // Blocks are in order of time, with gaps where segments are silent or have not arrived. Their
        // common length gives a first guess; the neighbours cover rounding and overlap.
        let length = self.blocks.iter().flatten().next().map(|block| block.end - block.start)?;
        let guess = (time / length).max(0.0) as usize;
        let around = guess.saturating_sub(1)..guess.saturating_add(2);
        let inside = |block: &&Block| (block.start..block.end).contains(&time);
        self.blocks
            .get(around.start.min(self.blocks.len())..around.end.min(self.blocks.len()))?
            .iter()
            .flatten()
            .rev()
            .find(inside)
            // The guess is wrong for segments that overlap or have other lengths.
            .or_else(|| self.blocks.iter().flatten().rev().find(inside))
    }
}

/// The cells, of `count` cells in all, that lie under part `part` of `parts` of the interval
/// `from..to`, given in fractions of the whole. Always at least one, if there are any.
fn covered(part: usize, parts: usize, from: f64, to: f64, count: usize) -> Range<usize> {
    let step = (to - from) / parts.max(1) as f64;
    let low = from + step * part as f64;
    let first = ((low * count as f64 + 1e-9) as usize).min(count.saturating_sub(1));
    let last = (((low + step) * count as f64 - 1e-9).ceil() as usize).clamp(first, count);
    first..last.max((first + 1).min(count))
}

/// The colour map *magma*. Its lightness rises evenly, so that it works for colour-blind readers, on a
/// projector and in print. A polynomial fit of degree 6, within one step of the published table.
fn palette() -> Vec<[u8; 3]> {
    const RED: [f64; 7] = [-0.002136, 0.251661, 8.353717, -27.668733, 52.176140, -50.768525, 18.655706];
    const GREEN: [f64; 7] = [-0.000750, 0.677523, -3.577720, 14.264731, -27.943606, 29.046583, -11.489774];
    const BLUE: [f64; 7] = [-0.005386, 2.494027, 0.314468, -13.649213, 12.944169, 4.234153, -5.601962];
    let channel = |fit: [f64; 7], t: f64| {
        let value = fit.into_iter().rev().fold(0.0, |sum, factor| sum * t + factor);
        (value * 255.0).round().clamp(0.0, 255.0) as u8
    };
    (0..256u32)
        .map(|step| {
            let t = f64::from(step) / 255.0;
            [channel(RED, t), channel(GREEN, t), channel(BLUE, t)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIX: TimeRange = TimeRange { from: 0.0, span: 6.0 };

    fn two_by_two(values: [f32; 4]) -> Spectrogram {
        let mut picture = Spectrogram::new(2, 2, 2);
        assert_eq!(picture.insert(0, 0.0, 3.0, &values), Dirty::All);
        picture
    }

    fn pixel(pixels: &[u8], width: usize, x: usize, y: usize) -> Vec<u8> {
        pixels.iter().skip((y * width + x) * 4).take(4).copied().collect()
    }

    #[test]
    fn the_palette_gets_lighter_step_by_step() {
        let light =
            |[r, g, b]: [u8; 3]| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b);
        let palette = palette();
        assert_eq!(palette.len(), 256);
        assert!(palette.windows(2).all(|pair| light(pair[1]) >= light(pair[0]) - 0.8));
        assert!(light(palette[0]) < 5.0 && light(palette[255]) > 230.0);
    }

    #[test]
    fn the_lowest_band_is_at_the_bottom() {
        // Lowest band loud, highest 80 dB below.
        let pixels = two_by_two([0.0, 0.0, -80.0, -80.0]).paint(SIX, 0..4, 4, 2);
        let (top, bottom) = (pixel(&pixels, 4, 0, 0), pixel(&pixels, 4, 0, 1));
        assert!(top.iter().take(3).all(|c| *c < 10), "{top:?}");
        assert!(bottom.first().is_some_and(|r| *r > 240), "{bottom:?}");
    }

    #[test]
    fn what_is_not_known_yet_is_transparent() {
        let pixels = two_by_two([0.0; 4]).paint(SIX, 0..4, 4, 2);
        assert_eq!(pixel(&pixels, 4, 1, 0).last(), Some(&255));
        assert_eq!(pixel(&pixels, 4, 2, 0), [0; 4]);
    }

    #[test]
    fn a_part_is_the_same_picture_from_nearby() {
        let mut picture = two_by_two([0.0, -40.0, -20.0, -60.0]);
        picture.insert(1, 3.0, 6.0, &[-10.0, -50.0, -30.0, -70.0]);
        let whole = picture.paint(SIX, 0..12, 12, 2);
        let part = picture.paint(TimeRange { from: 1.5, span: 3.0 }, 0..6, 6, 2);
        for (x, y) in (0..6).flat_map(|x| [(x, 0), (x, 1)]) {
            assert_eq!(pixel(&part, 6, x, y), pixel(&whole, 12, x + 3, y), "{x} {y}");
        }
    }

    #[test]
    fn only_a_louder_segment_repaints_everything() {
        let mut picture = two_by_two([-20.0; 4]);
        assert_eq!(picture.insert(1, 3.0, 6.0, &[-30.0; 4]), Dirty::Span(3.0, 6.0));
        assert_eq!(picture.insert(1, 3.0, 6.0, &[-10.0; 4]), Dirty::All);
        assert_eq!(pixels(SIX, 3.0, 6.0, 100), 50..100);
        assert_eq!(pixels(TimeRange { from: 2.0, span: 2.0 }, 3.0, 6.0, 100), 50..100);
    }

    #[test]
    fn a_long_song_is_coarse_until_one_zooms_in() {
        let mut picture = Spectrogram::new(1, 8, 4096);
        assert!(picture.is_coarse() && !Spectrogram::new(1, 8, 100).is_coarse());
        let first = [-80.0, -70.0, -60.0, -50.0, -40.0, -30.0, -20.0, -10.0];
        picture.insert(0, 0.0, 3.0, &first);
        picture.insert(1, 3.0, 6.0, &[0.0; 8]);
        assert_eq!(picture.blocks[0].as_ref().map(|block| block.values.len()), Some(4));
        let reds = |picture: &Spectrogram, width: usize| -> Vec<u8> {
            let view = TimeRange { from: 0.0, span: 3.0 };
            picture.paint(view, 0..width, width, 1).chunks(4).map(|pixel| pixel[0]).collect()
        };
        // The loudest of two columns, then each by itself.
        let coarse = reds(&picture, 8);
        assert!(coarse.chunks(2).all(|pair| pair[0] == pair[1]), "{coarse:?}");
        let view = TimeRange { from: 0.0, span: 3.0 };
        assert_eq!(picture.missing(view, 4), [0; 0]);
        assert_eq!(picture.missing(view, 8), [0]);
        assert_eq!(picture.missing(TimeRange { from: 2.0, span: 2.0 }, 8), [0, 1]);
        assert_eq!(picture.refine(0, Spectrogram::packed(&first)), Dirty::Span(0.0, 3.0));
        let fine = reds(&picture, 8);
        assert!(fine.windows(2).all(|pair| pair[0] < pair[1]), "{fine:?}");
        assert_eq!((fine[7], picture.missing(view, 8)), (coarse[7], vec![]));
        // Somewhere else, they go again.
        picture.missing(TimeRange { from: 3.0, span: 3.0 }, 8);
        assert_eq!(reds(&picture, 8), coarse);
        assert_eq!(picture.refine(7, vec![0; 8]), Dirty::Nothing);
        assert_eq!(picture.refine(0, vec![0; 7]), Dirty::Nothing);
    }

    #[test]
    fn wrong_shapes_and_values_are_survived() {
        let mut picture = two_by_two([0.0; 4]);
        assert_eq!(picture.insert(1, 3.0, 6.0, &[0.0; 3]), Dirty::Nothing);
        assert_eq!(picture.insert(1, 6.0, 3.0, &[0.0; 4]), Dirty::Nothing);
        picture.insert(1, 3.0, 6.0, &[f32::NAN, f32::NEG_INFINITY, f32::INFINITY, -5.0]);
        for (width, height) in [(0, 0), (1, 1), (3, 7), (500, 3)] {
            assert_eq!(picture.paint(SIX, 0..width, width, height).len(), width * height * 4);
        }
        assert_eq!(Spectrogram::default().paint(SIX, 0..3, 3, 3).len(), 36);
    }
}
