//! Shapes and texts of a chart. Their classes are those of `chart.css`.

use std::fmt::Write as _;

use maud::{Markup, Render, html};

use super::Point;

/// Usual size of text in pixels.
pub(crate) const TEXT: f64 = 11.5;
/// Size of axis labels in pixels; the class `small`.
pub(crate) const SMALL: f64 = 10.0;

/// Series that differ in colour and mark. Further series repeat them.
pub(crate) const DISTINCT_SERIES: usize = 6;

/// A colour by its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Background.
    Paper,
    /// Text.
    Ink,
    /// Secondary text: axis labels, notes.
    Muted,
    /// Axes.
    Rule,
    /// Grid lines.
    Grid,
    /// Data, by the index of its series.
    Series(usize),
    /// Background of correct counts; ink is readable on it at any opacity.
    Correct,
    /// Background of wrong counts; ink is readable on it at any opacity.
    Wrong,
}

impl Tone {
    /// Its CSS class.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Ink => "ink",
            Self::Muted => "muted",
            Self::Rule => "rule",
            Self::Grid => "grid",
            Self::Correct => "correct",
            Self::Wrong => "wrong",
            Self::Series(index) => match index % DISTINCT_SERIES {
                0 => "series-1",
                1 => "series-2",
                2 => "series-3",
                3 => "series-4",
                4 => "series-5",
                _ => "series-6",
            },
        }
    }
}

/// A coordinate with one decimal. A value that is not finite becomes 0, because it would make the SVG
/// invalid.
fn px(value: f64) -> f64 {
    if value.is_finite() { (10.0 * value).round() / 10.0 } else { 0.0 }
}

/// The attribute `points` of a polyline or polygon. Equal neighbours are written once.
fn points_attribute(points: &[Point]) -> String {
    let mut pixels: Vec<Point> = points.iter().map(|&(x, y)| (px(x), px(y))).collect();
    pixels.dedup();
    let mut text = String::new();
    for (index, (x, y)) in pixels.into_iter().enumerate() {
        let space = if index == 0 { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{space}{x},{y}");
    }
    text
}

fn segment(kind: &str, (x1, y1): Point, (x2, y2): Point, tone: Tone) -> Markup {
    html! { line class={ (kind) " " (tone.class()) } x1=(px(x1)) y1=(px(y1)) x2=(px(x2)) y2=(px(y2)) {} }
}

/// A thin straight line: an axis, a grid line, a mean.
pub(crate) fn line(from: Point, to: Point, tone: Tone) -> Markup {
    segment("line", from, to, tone)
}

/// A straight line that shows an interval.
pub(crate) fn error_bar(from: Point, to: Point, tone: Tone) -> Markup {
    segment("error-bar", from, to, tone)
}

/// A line through data points.
pub(crate) fn curve(points: &[Point], tone: Tone) -> Markup {
    html! {
        @if points.len() > 1 {
            polyline class={ "curve " (tone.class()) } points=(points_attribute(points)) {}
        }
    }
}

/// A filled polygon. `opacity` is 0…1.
pub(crate) fn area(points: &[Point], tone: Tone, opacity: f64) -> Markup {
    let opacity = (opacity < 1.0).then_some(opacity);
    html! {
        polygon class={ "area " (tone.class()) } fill-opacity=[opacity] points=(points_attribute(points)) {}
    }
}

/// A filled rectangle between its upper left and its lower right corner. `opacity` is 0…1.
pub(crate) fn rectangle(from: Point, to: Point, tone: Tone, opacity: f64) -> Markup {
    let opacity = (opacity < 1.0).then(|| (100.0 * opacity).round() / 100.0);
    let (width, height) = (px(to.0 - from.0).max(0.0), px(to.1 - from.1).max(0.0));
    html! {
        rect class={ "area " (tone.class()) } fill-opacity=[opacity]
            x=(px(from.0)) y=(px(from.1)) width=(width) height=(height) {}
    }
}

/// A data point. Series differ in the shape of their points, so that they can be told apart without
/// colour.
pub(crate) fn mark(series: usize, (x, y): Point) -> Markup {
    let tone = Tone::Series(series);
    let polygon = |corners: &[Point]| {
        let corners: Vec<Point> = corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        area(&corners, tone, 1.0)
    };
    match series % DISTINCT_SERIES {
        0 => html! { circle class={ "area " (tone.class()) } cx=(px(x)) cy=(px(y)) r="3.2" {} },
        1 => rectangle((x - 2.9, y - 2.9), (x + 2.9, y + 2.9), tone, 1.0),
        2 => polygon(&[(0.0, -4.0), (3.8, 2.9), (-3.8, 2.9)]),
        3 => polygon(&[(0.0, -4.2), (4.2, 0.0), (0.0, 4.2), (-4.2, 0.0)]),
        4 => html! { circle class={ "ring " (tone.class()) } cx=(px(x)) cy=(px(y)) r="3" {} },
        _ => html! {
            (curve(&[(x - 3.0, y - 3.0), (x + 3.0, y + 3.0)], tone))
            (curve(&[(x - 3.0, y + 3.0), (x + 3.0, y - 3.0)], tone))
        },
    }
}

/// A line of text, vertically centred on its point. See [`text`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    text: &'a str,
    at: Point,
    anchor: Option<&'static str>,
    size: f64,
    tone: Tone,
    degrees: Option<f64>,
    halo: bool,
}

/// A line of text that begins at a point, in the usual size and colour.
pub(crate) fn text(text: &str, at: Point) -> Text<'_> {
    Text { text, at, anchor: None, size: TEXT, tone: Tone::Ink, degrees: None, halo: false }
}

impl Text<'_> {
    /// Centred on its point.
    pub(crate) fn middle(self) -> Self {
        Self { anchor: Some("middle"), ..self }
    }

    /// Ends at its point.
    pub(crate) fn end(self) -> Self {
        Self { anchor: Some("end"), ..self }
    }

    /// Sets the size in pixels.
    pub(crate) fn size(self, size: f64) -> Self {
        Self { size, ..self }
    }

    /// Small and in another colour: axis labels, legends.
    pub(crate) fn small(self, tone: Tone) -> Self {
        Self { size: SMALL, tone, ..self }
    }

    /// Sets the colour.
    pub(crate) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// Rises by an angle in degrees.
    pub(crate) fn rising(self, degrees: f64) -> Self {
        Self { degrees: Some(degrees), ..self }
    }

    /// With a margin in the colour of the page: for text on lines.
    pub(crate) fn halo(self) -> Self {
        Self { halo: true, ..self }
    }
}

impl Render for Text<'_> {
    fn render(&self) -> Markup {
        let (x, y) = (px(self.at.0), px(self.at.1));
        let mut classes: Vec<&str> = self.anchor.into_iter().collect();
        classes.extend((self.tone != Tone::Ink).then(|| self.tone.class()));
        classes.extend((self.size == SMALL).then_some("small"));
        classes.extend(self.halo.then_some("halo"));
        let class = (!classes.is_empty()).then(|| classes.join(" "));
        let style =
            (self.size != SMALL && self.size != TEXT).then(|| format!("font-size: {}px", px(self.size)));
        let transform = self.degrees.map(|degrees| format!("rotate({} {x} {y})", -degrees));
        // 0.35 em from the baseline to the middle. Not all programs know `dominant-baseline`.
        html! {
            text class=[class] style=[style] transform=[transform] x=(x) y=(y) dy="0.35em" {
                (crate::report::clean(self.text))
            }
        }
    }
}

/// Approximate width of a text in pixels. The real width depends on the reader's font; letters of the
/// widest usual sans-serif fonts are 0.6 em wide on average.
pub(crate) fn width_of(text: &str, size: f64) -> f64 {
    0.6 * size * text.chars().count() as f64
}

/// A text cut to at most `most` characters.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short_and_finite() {
        let drawn = curve(&[(0.04, 1.0 / 3.0), (0.0, 0.3), (f64::NAN, 2.0)], Tone::Series(7)).into_string();
        assert_eq!(drawn, r#"<polyline class="curve series-2" points="0,0.3 0,2"></polyline>"#);
    }

    #[test]
    fn text_is_escaped_and_styled() {
        let drawn = text("a<b", (1.0, 2.0)).end().small(Tone::Muted).render().into_string();
        assert_eq!(drawn, r#"<text class="end muted small" x="1" y="2" dy="0.35em">a&lt;b</text>"#);
        let drawn = text("c", (1.0, 2.0)).rising(40.0).size(9.0).render().into_string();
        assert!(drawn.contains(r#"style="font-size: 9px" transform="rotate(-40 1 2)""#), "{drawn}");
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(shortened("reggae", 6), "reggae");
        assert_eq!(shortened("classical", 6), "class…");
    }
}
