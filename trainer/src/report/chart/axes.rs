//! Linear axes with round ticks.

use maud::{Markup, html};

use super::{Point, Tone, line, text};

/// Ticks from 0 to at least `max`, about five steps of 1, 2 or 5 × 10ⁿ (Heckbert 1990, "Nice numbers for
/// graph labels"). Without a positive, finite maximum: from 0 to 1.
pub(crate) fn nice_ticks(max: f64) -> Vec<f64> {
    // Outside of this range powers of ten overflow or become 0.
    let max = if (1e-300..1e300).contains(&max) { max } else { 1.0 };
    let magnitude = 10_f64.powf((max / 5.0).log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| 5.0 * factor * magnitude >= 0.999 * max);
    let step = factor.unwrap_or(10.0) * magnitude;
    (0..=(max / step - 1e-9).ceil() as usize).map(|i| i as f64 * step).collect()
}

/// Moves labels apart until neighbours are at least `gap` pixels from each other, as little as possible,
/// within `range`. Returns the new heights in the order of `heights`.
pub(crate) fn spread(heights: &[f64], gap: f64, range: [f64; 2]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|&a, &b| heights[a].total_cmp(&heights[b]));
    let mut moved = heights.to_vec();
    let mut lowest = range[0];
    for &index in &order {
        moved[index] = moved[index].max(lowest);
        lowest = moved[index] + gap;
    }
    let mut highest = range[1];
    for &index in order.iter().rev() {
        moved[index] = moved[index].min(highest);
        highest = moved[index] - gap;
    }
    moved
}

/// A rectangle of a chart with a linear scale on each side.
#[derive(Clone, Debug)]
pub(crate) struct Axes {
    /// Left, top, right, bottom in pixels.
    pub(crate) frame: [f64; 4],
    /// Values at the left and at the right.
    pub(crate) x: [f64; 2],
    /// Values at the bottom and at the top.
    pub(crate) y: [f64; 2],
}

impl Axes {
    /// The pixel of a value. Values outside of the scale are moved to its ends.
    pub(crate) fn at(&self, x: f64, y: f64) -> Point {
        let [left, top, right, bottom] = self.frame;
        let fraction = |value: f64, [from, to]: [f64; 2]| {
            if to > from { ((value - from) / (to - from)).clamp(0.0, 1.0) } else { 0.5 }
        };
        (left + (right - left) * fraction(x, self.x), bottom - (bottom - top) * fraction(y, self.y))
    }

    /// Horizontal grid lines with labels at the left.
    pub(crate) fn y_grid(&self, ticks: &[f64], label: impl Fn(f64) -> String) -> Markup {
        let [left, _, right, _] = self.frame;
        html! {
            @for &tick in ticks {
                @let (_, y) = self.at(self.x[0], tick);
                (line((left, y), (right, y), if tick == self.y[0] { Tone::Rule } else { Tone::Grid }))
                (text(&label(tick), (left - 7.0, y)).end().small(Tone::Muted))
            }
        }
    }

    /// Vertical grid lines without labels.
    pub(crate) fn x_grid(&self, ticks: &[f64]) -> Markup {
        let [_, top, _, bottom] = self.frame;
        html! {
            @for &tick in ticks {
                @let (x, _) = self.at(tick, self.y[0]);
                (line((x, top), (x, bottom), if tick == self.x[0] { Tone::Rule } else { Tone::Grid }))
            }
        }
    }

    /// Ticks with labels below the horizontal axis.
    pub(crate) fn x_ticks(&self, ticks: &[f64], label: impl Fn(f64) -> String) -> Markup {
        html! {
            @for &tick in ticks {
                @let (x, y) = self.at(tick, self.y[0]);
                (line((x, y), (x, y + 4.0), Tone::Rule))
                (text(&label(tick), (x, y + 13.0)).middle().small(Tone::Muted))
            }
        }
    }

    /// Name of the horizontal axis, centred below its labels.
    pub(crate) fn x_name(&self, name: &str) -> Markup {
        let [left, _, right, bottom] = self.frame;
        html! { (text(name, ((left + right) / 2.0, bottom + 30.0)).middle().small(Tone::Muted)) }
    }

    /// Name of the vertical axis, above its upper end.
    pub(crate) fn y_name(&self, name: &str) -> Markup {
        let [_, top, _, _] = self.frame;
        html! { (text(name, (0.0, top - 16.0)).small(Tone::Muted)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_maximum() {
        assert_eq!(nice_ticks(5.0), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(nice_ticks(2.3), [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]);
        assert_eq!(nice_ticks(40.0), [0.0, 10.0, 20.0, 30.0, 40.0]);
        for exponent in -250..=250 {
            for digits in [1.0, 1.7, 2.0, 3.1, 4.9, 5.0, 9.99] {
                let max = digits * 10_f64.powi(exponent);
                let ticks = nice_ticks(max);
                assert!((3..=7).contains(&ticks.len()), "{max}: {ticks:?}");
                assert!(ticks[ticks.len() - 1] >= 0.999 * max, "{max}: {ticks:?}");
            }
        }
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX, f64::MIN_POSITIVE] {
            assert_eq!(nice_ticks(odd).last(), Some(&1.0), "{odd}");
        }
    }

    #[test]
    fn labels_are_moved_apart_within_their_range() {
        assert_eq!(spread(&[50.0, 52.0, 10.0], 12.0, [0.0, 100.0]), [50.0, 62.0, 10.0]);
        assert_eq!(spread(&[99.0, 98.0], 12.0, [0.0, 100.0]), [100.0, 88.0]);
    }

    #[test]
    fn values_become_pixels() {
        let axes = Axes { frame: [10.0, 0.0, 110.0, 50.0], x: [0.0, 1.0], y: [0.0, 2.0] };
        assert_eq!(axes.at(0.25, 1.0), (35.0, 25.0));
        assert_eq!(axes.at(7.0, -1.0), (110.0, 50.0));
        let point = Axes { x: [3.0, 3.0], ..axes };
        assert_eq!(point.at(3.0, 0.0), (60.0, 50.0));
    }
}
