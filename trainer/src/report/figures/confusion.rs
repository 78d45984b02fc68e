//! The confusion matrix.

use maud::{Markup, html};

use crate::report::Scores;
use crate::report::chart::{Chart, Point, SMALL, TEXT, Tone, rectangle, shortened, text, width_of};

/// Positions of a matrix, in pixels.
struct Layout {
    /// Width and height of a cell.
    cell: f64,
    /// Upper left corner of the first cell.
    left: f64,
    top: f64,
    /// Right border of the last cell.
    right: f64,
    /// Size of the class names.
    name_size: f64,
    /// Angle by which the class names of the columns rise.
    degrees: f64,
}

/// The confusion matrix as a heat map of `unit` (clips or segments): counts, and where they have room
/// also fractions of their row.
pub(crate) fn confusion(unit: &str, scores: &Scores) -> Chart {
    let n = scores.classes.len();
    let names: Vec<String> = scores.classes.iter().map(|class| shortened(class, 16)).collect();
    let cell = (440.0 / n as f64).clamp(18.0, 56.0);
    let narrow = cell < 24.0;
    let (name_size, degrees) = if narrow { (SMALL, 65.0) } else { (TEXT, 40.0) };
    let longest = names.iter().map(|name| width_of(name, name_size)).fold(0.0, f64::max);
    let left = longest.max(64.0) + 10.0;
    let top = longest * if narrow { 0.92 } else { 0.66 } + 30.0;
    let right = left + cell * n as f64;
    let layout = Layout { cell, left, top, right, name_size, degrees };
    let shapes = html! {
        (text("predicted →", (left - 8.0, top - 26.0)).end().small(Tone::Muted))
        (text("label ↓", (left - 8.0, top - 11.0)).end().small(Tone::Muted))
        (text(unit, (right + 34.0, top - 9.0)).end().small(Tone::Muted))
        @for (index, name) in names.iter().enumerate() { (layout.name(index, name)) }
        @for (label, counts) in scores.confusion.iter().enumerate() { (layout.row(label, counts)) }
    };
    let title = format!("Confusion matrix of {} {unit}. The numbers are in the table below.", scores.n);
    // The last name of a column rises beyond the matrix, and the sums of the rows stand there.
    let size = (right + (longest * 0.8).max(44.0), top + cell * n as f64 + 6.0);
    Chart::new(size, title, shapes)
}

impl Layout {
    /// A class name before its row and above its column.
    fn name(&self, index: usize, name: &str) -> Markup {
        let middle = self.cell * (index as f64 + 0.5);
        html! {
            (text(name, (self.left - 8.0, self.top + middle)).end().size(self.name_size))
            (text(name, (self.left + middle - 2.0, self.top - 9.0)).rising(self.degrees).size(self.name_size))
        }
    }

    /// The cells of a label and their sum.
    fn row(&self, label: usize, counts: &[usize]) -> Markup {
        let total: usize = counts.iter().sum();
        let y = self.top + self.cell * label as f64;
        let sum = if total == 0 { "none".into() } else { total.to_string() };
        html! {
            (text(&sum, (self.right + 34.0, y + self.cell / 2.0)).end().small(Tone::Muted))
            @for (predicted, &count) in counts.iter().enumerate() {
                (self.count((self.left + self.cell * predicted as f64, y), label == predicted, count, total))
            }
        }
    }

    /// A cell with its upper left corner.
    fn count(&self, (x, y): Point, correct: bool, count: usize, total: usize) -> Markup {
        let (from, to) = ((x + 1.0, y + 1.0), (x + self.cell - 1.0, y + self.cell - 1.0));
        let (middle_x, middle_y) = (x + self.cell / 2.0, y + self.cell / 2.0);
        let size = (self.cell * 0.29).clamp(8.5, 13.0);
        let fraction = count as f64 / total.max(1) as f64;
        let tone = if correct { Tone::Correct } else { Tone::Wrong };
        html! {
            // A grey background keeps empty cells and the diagonal visible.
            (rectangle(from, to, Tone::Grid, if correct { 1.0 } else { 0.55 }))
            @if count > 0 {
                (rectangle(from, to, tone, 0.12 + 0.88 * fraction))
                @if self.cell < 34.0 {
                    (text(&count.to_string(), (middle_x, middle_y)).middle().size(size))
                } @else {
                    (text(&count.to_string(), (middle_x, middle_y - 0.13 * self.cell)).middle().size(size))
                    (text(&format!("{:.0} %", 100.0 * fraction), (middle_x, middle_y + 0.2 * self.cell)).middle().size(0.78 * size))
                }
            }
        }
    }
}
