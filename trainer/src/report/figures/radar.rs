//! A radar chart: one value for each class, around a circle.

use std::f64::consts::TAU;

use maud::{Markup, html};

use super::{WIDTH, percent_label};
use crate::report::chart::{
    Chart, Point, SMALL, TEXT, Tone, area, curve, line, mark, shortened, spread, text,
};

/// Radius of 100 % in pixels.
const RADIUS: f64 = 122.0;
/// Height of a line of the legend.
const LEGEND: f64 = 17.0;

/// One polygon of a [`radar`].
pub(crate) struct Polygon {
    pub(crate) name: String,
    /// One fraction for each class.
    pub(crate) values: Vec<f64>,
}

/// A circle with one axis for each class.
struct Circle {
    axes: usize,
    centre: Point,
}

/// Fractions of each class around a circle, several polygons over each other. Needs at least three
/// classes.
pub(crate) fn radar(title: &str, classes: &[String], polygons: &[Polygon]) -> Chart {
    let circle = Circle { axes: classes.len(), centre: (WIDTH / 2.0, RADIUS + 34.0) };
    let lowest = (0..circle.axes).map(|axis| circle.at(axis, 1.0).1).fold(circle.centre.1, f64::max);
    let bottom = lowest + 34.0;
    let shapes = html! {
        (circle.grid())
        @for (index, polygon) in polygons.iter().enumerate() {
            // More than two areas over each other cannot be told apart.
            (circle.polygon(index, &polygon.values, polygons.len() <= 2))
        }
        // After the polygons, to stay readable.
        @for ring in [0.5, 1.0] {
            @let (x, y) = circle.at(0, ring);
            (text(&percent_label(ring), (x + 5.0, y + 7.0)).small(Tone::Muted).halo())
        }
        (circle.names(classes))
        @for (index, polygon) in polygons.iter().enumerate() {
            @let y = bottom + LEGEND * index as f64;
            (mark(index, (56.0, y)))
            (text(&shortened(&polygon.name, 48), (68.0, y)))
        }
    };
    Chart::new((WIDTH, bottom + LEGEND * polygons.len() as f64), title, shapes)
}

impl Circle {
    /// The pixel of a fraction on an axis.
    fn at(&self, axis: usize, fraction: f64) -> Point {
        let (sin, cos) = (TAU * axis as f64 / self.axes as f64).sin_cos();
        (self.centre.0 + RADIUS * fraction * sin, self.centre.1 - RADIUS * fraction * cos)
    }

    fn grid(&self) -> Markup {
        html! {
            @for axis in 0..self.axes { (line(self.centre, self.at(axis, 1.0), Tone::Grid)) }
            @for ring in [0.25, 0.5, 0.75, 1.0] {
                @for axis in 0..self.axes {
                    (line(self.at(axis, ring), self.at((axis + 1) % self.axes, ring), if ring == 1.0 { Tone::Rule } else { Tone::Grid }))
                }
            }
        }
    }

    fn polygon(&self, series: usize, values: &[f64], filled: bool) -> Markup {
        let tone = Tone::Series(series);
        let points: Vec<Point> =
            values.iter().enumerate().map(|(axis, &value)| self.at(axis, value)).collect();
        let closed: Vec<Point> = points.iter().chain(points.first()).copied().collect();
        html! {
            @if filled { (area(&points, tone, 0.07)) }
            (curve(&closed, tone))
            @for &point in &points { (mark(series, point)) }
        }
    }

    /// The names of the axes around the circle.
    fn names(&self, names: &[String]) -> Markup {
        let size = if self.axes > 16 { SMALL } else { TEXT };
        html! {
            @for (name, (x, y)) in names.iter().zip(self.name_points(RADIUS + 12.0)) {
                @let name = shortened(name, 13);
                @let label = text(&name, (x, y)).size(size);
                @if x - self.centre.0 > 2.0 { (label) }
                @else if x - self.centre.0 < -2.0 { (label.end()) }
                @else { (label.middle()) }
            }
        }
    }

    /// Points of the names: each on its side of the circle, with room to its neighbours.
    fn name_points(&self, radius: f64) -> Vec<Point> {
        let (centre_x, centre_y) = self.centre;
        let mut points: Vec<Point> = (0..self.axes).map(|axis| self.at(axis, radius / RADIUS)).collect();
        for left in [false, true] {
            let side: Vec<usize> =
                (0..self.axes).filter(|&axis| (points[axis].0 < centre_x - 2.0) == left).collect();
            let heights: Vec<f64> = side.iter().map(|&axis| points[axis].1).collect();
            let heights = spread(&heights, 1.1 * SMALL, [centre_y - radius, centre_y + radius]);
            for (axis, y) in side.into_iter().zip(heights) {
                if (y - points[axis].1).abs() > 1.0 {
                    // Along the circle, so that the name does not stand on it.
                    let across = (radius.powi(2) - (y - centre_y).powi(2)).max(0.0).sqrt().max(5.0);
                    points[axis] = (centre_x + if left { -across } else { across }, y);
                }
            }
        }
        points
    }
}
