//! Drawing with plotters such that all pictures look alike: units, text, marks, axes.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::element::{Circle, Drawable, PathElement, PointCollection, Polygon, Rectangle, Text};
use plotters::prelude::{DrawingArea, IntoDrawingArea as _, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontTransform, IntoFont as _, ShapeStyle, TextStyle};

use super::palette::{Tone, with_variables};

/// plotters has whole units only; so a CSS pixel is this many of them.
const UNITS: f64 = 4.0;

/// plotters writes a font's size divided by this.
const FONT_FACTOR: f64 = 1.24;

/// Sizes of text in pixels.
pub(super) const TEXT: f64 = 11.5;
pub(super) const SMALL: f64 = 10.0;

/// A point in pixels from the upper left corner.
pub(super) type Point = (f64, f64);

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The shape of a point: tells series apart without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Disc,
    Ring,
    Square,
    Diamond,
    Triangle,
    Cross,
}

/// The marks, in the order in which they are given out.
pub(super) const MARKS: [Mark; 6] =
    [Mark::Disc, Mark::Square, Mark::Triangle, Mark::Diamond, Mark::Ring, Mark::Cross];

/// A picture in the making.
pub(super) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

/// Draws a picture of `width × height` pixels; `label` says to those who cannot see it what it shows.
pub(super) fn draw(
    (width, height): Point,
    label: &str,
    content: impl FnOnce(&Canvas<'_>) -> Result<()>,
) -> Result<String> {
    let mut svg = String::new();
    let size = ((width * UNITS).ceil() as u32, (height * UNITS).ceil() as u32);
    {
        let canvas = Canvas(SVGBackend::with_string(&mut svg, size).into_drawing_area());
        content(&canvas)?;
        canvas.0.present().map_err(|e| anyhow!("a picture cannot be drawn: {e}"))?;
    }
    // In HTML an SVG needs no name space, and its size follows from the page.
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let label = maud::html! { (label) }.into_string();
    Ok(format!(
        r#"<svg viewBox="0 0 {} {}" style="--width:{width}px" role="img" aria-label="{label}">{}"#,
        size.0,
        size.1,
        with_variables(body)
            .replace(" opacity=\"1\"", "")
            .replace(" font-family=\"sans-serif\"", "")
            // What `tilted` writes.
            .replace("rotate(180, ", "rotate(-40, ")
            .replace("rotate(90, ", "rotate(-65, ")
    ))
}

fn units((x, y): Point) -> (i32, i32) {
    ((x * UNITS).round() as i32, (y * UNITS).round() as i32)
}

fn stroke(tone: Tone, width: f64, opacity: f64) -> ShapeStyle {
    ShapeStyle {
        color: tone.placeholder().mix(opacity),
        filled: false,
        stroke_width: (width * UNITS).round() as u32,
    }
}

fn fill(tone: Tone, opacity: f64) -> ShapeStyle {
    ShapeStyle { color: tone.placeholder().mix(opacity), filled: true, stroke_width: 0 }
}

impl<'a> Canvas<'a> {
    fn put<E>(&self, element: &E) -> Result<()>
    where
        for<'b> &'b E: PointCollection<'b, (i32, i32)>,
        E: Drawable<SVGBackend<'a>>,
    {
        self.0.draw(element).map_err(|e| anyhow!("a picture cannot be drawn: {e}"))
    }

    /// A line through points.
    pub(super) fn path(&self, points: &[Point], tone: Tone, width: f64) -> Result<()> {
        let points: Vec<(i32, i32)> = points.iter().copied().map(units).collect();
        self.put(&PathElement::new(points, stroke(tone, width, 1.0)))
    }

    /// A line between two points.
    pub(super) fn line(&self, from: Point, to: Point, tone: Tone, width: f64) -> Result<()> {
        self.path(&[from, to], tone, width)
    }

    /// A filled polygon.
    pub(super) fn area(&self, points: &[Point], tone: Tone, opacity: f64) -> Result<()> {
        let points: Vec<(i32, i32)> = points.iter().copied().map(units).collect();
        self.put(&Polygon::new(points, fill(tone, opacity)))
    }

    /// A filled rectangle between two corners.
    pub(super) fn rectangle(&self, from: Point, to: Point, tone: Tone, opacity: f64) -> Result<()> {
        self.put(&Rectangle::new([units(from), units(to)], fill(tone, opacity)))
    }

    /// A point.
    pub(super) fn mark(&self, mark: Mark, (x, y): Point, tone: Tone) -> Result<()> {
        let around =
            |corners: &[Point]| -> Vec<Point> { corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect() };
        match mark {
            Mark::Disc => self.put(&Circle::new(units((x, y)), (3.2 * UNITS) as i32, fill(tone, 1.0))),
            Mark::Ring => {
                self.put(&Circle::new(units((x, y)), (3.2 * UNITS) as i32, fill(Tone::Paper, 1.0)))?;
                self.put(&Circle::new(units((x, y)), (3.2 * UNITS) as i32, stroke(tone, 1.5, 1.0)))
            }
            Mark::Square => self.rectangle((x - 2.9, y - 2.9), (x + 2.9, y + 2.9), tone, 1.0),
            Mark::Diamond => {
                self.area(&around(&[(0.0, -4.2), (4.2, 0.0), (0.0, 4.2), (-4.2, 0.0)]), tone, 1.0)
            }
            Mark::Triangle => self.area(&around(&[(0.0, -4.0), (3.8, 2.9), (-3.8, 2.9)]), tone, 1.0),
            Mark::Cross => {
                self.path(&around(&[(-3.0, -3.0), (3.0, 3.0)]), tone, 1.75)?;
                self.path(&around(&[(-3.0, 3.0), (3.0, -3.0)]), tone, 1.75)
            }
        }
    }

    fn words(
        &self,
        text: &str,
        at: Point,
        anchor: Anchor,
        size: f64,
        tone: Tone,
        turn: FontTransform,
    ) -> Result<()> {
        let across = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let font = ("sans-serif", size * UNITS * FONT_FACTOR).into_font().transform(turn);
        let colour = tone.placeholder();
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(across, VPos::Center));
        self.put(&Text::new(super::clean(text), units(at), style))
    }

    /// A line of text, its middle at the height of the point.
    pub(super) fn text(&self, text: &str, at: Point, anchor: Anchor, size: f64, tone: Tone) -> Result<()> {
        self.words(text, at, anchor, size, tone, FontTransform::None)
    }

    /// A text that begins at the point and rises, by 40 degrees or, if there is little room, by 65.
    pub(super) fn tilted(&self, text: &str, at: Point, size: f64, tone: Tone, steep: bool) -> Result<()> {
        // plotters turns by right angles only: `draw` makes these angles of two of them, which no
        // other text has.
        let turn = if steep { FontTransform::Rotate90 } else { FontTransform::Rotate180 };
        self.words(text, at, Anchor::Start, size, tone, turn)
    }
}

/// About how wide a text is, without asking a font: letters of the widest usual sans-serif fonts are
/// on average 0.6 of their size wide.
pub(super) fn width_of(text: &str, size: f64) -> f64 {
    0.6 * size * text.chars().count() as f64
}

/// At most `most` characters of a text.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Some five round values from 0 to at least `max`.
pub(super) fn ticks_to(max: f64) -> Vec<f64> {
    let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
    let magnitude = 10_f64.powf((max / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|s| s * magnitude).into_iter().find(|s| s * 5.0 >= max * 0.999);
    let step = step.unwrap_or(10.0 * magnitude);
    (0..=(max / step - 1e-9).ceil() as usize).map(|i| i as f64 * step).collect()
}

/// A rectangle of the canvas with a scale on each side.
#[derive(Clone, Debug)]
pub(super) struct Axes {
    /// Left, top, right, bottom in pixels.
    pub(super) frame: [f64; 4],
    /// Values at the left and at the right.
    pub(super) x: [f64; 2],
    /// Values at the bottom and at the top.
    pub(super) y: [f64; 2],
}

impl Axes {
    /// The pixel of a value.
    pub(super) fn at(&self, x: f64, y: f64) -> Point {
        let [left, top, right, bottom] = self.frame;
        let share = |value: f64, [from, to]: [f64; 2]| {
            if to > from { ((value - from) / (to - from)).clamp(0.0, 1.0) } else { 0.5 }
        };
        (left + (right - left) * share(x, self.x), bottom - (bottom - top) * share(y, self.y))
    }

    /// Horizontal grid lines with their values to the left.
    pub(super) fn grid_y(
        &self,
        canvas: &Canvas<'_>,
        ticks: &[f64],
        label: impl Fn(f64) -> String,
    ) -> Result<()> {
        let [left, _, right, _] = self.frame;
        for &tick in ticks {
            let (_, y) = self.at(self.x[0], tick);
            let tone = if tick == self.y[0] { Tone::Rule } else { Tone::Grid };
            canvas.line((left, y), (right, y), tone, 1.0)?;
            canvas.text(&label(tick), (left - 7.0, y), Anchor::End, SMALL, Tone::Muted)?;
        }
        Ok(())
    }

    /// Values below the horizontal axis.
    pub(super) fn ticks_x(
        &self,
        canvas: &Canvas<'_>,
        ticks: &[f64],
        label: impl Fn(f64) -> String,
    ) -> Result<()> {
        for &tick in ticks {
            let (x, y) = self.at(tick, self.y[0]);
            canvas.line((x, y), (x, y + 4.0), Tone::Rule, 1.0)?;
            canvas.text(&label(tick), (x, y + 13.0), Anchor::Middle, SMALL, Tone::Muted)?;
        }
        Ok(())
    }

    /// What the horizontal axis counts, below its right end.
    pub(super) fn name_x(&self, canvas: &Canvas<'_>, name: &str) -> Result<()> {
        let [left, _, right, bottom] = self.frame;
        canvas.text(name, ((left + right) / 2.0, bottom + 30.0), Anchor::Middle, SMALL, Tone::Muted)
    }

    /// What the vertical axis counts, above its upper end.
    pub(super) fn name_y(&self, canvas: &Canvas<'_>, name: &str) -> Result<()> {
        let [_, top, _, _] = self.frame;
        canvas.text(name, (0.0, top - 16.0), Anchor::Start, SMALL, Tone::Muted)
    }
}

/// Moves labels that stand one above the other apart until `least` lies between neighbours, as
/// little as possible, within `range`. Gives their heights in the order of `heights`.
pub(super) fn apart(heights: &[f64], least: f64, range: [f64; 2]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|&a, &b| heights[a].total_cmp(&heights[b]));
    let mut moved = heights.to_vec();
    let mut floor = range[0];
    for &index in &order {
        moved[index] = moved[index].max(floor);
        floor = moved[index] + least;
    }
    let mut ceiling = range[1];
    for &index in order.iter().rev() {
        moved[index] = moved[index].min(ceiling);
        ceiling = moved[index] - least;
    }
    moved
}
