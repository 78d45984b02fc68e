//! Charts as SVG: a frame with a title, shapes, text and axes.
//!
//! Coordinates are CSS pixels from the upper left corner. Shapes and texts carry CSS classes and no
//! colours. `chart.css` gives every class one colour for light and one for dark, so that a chart
//! follows the reader's colour scheme and prints in light colours.

mod axes;
mod shapes;

use maud::{Markup, PreEscaped, Render as _, html};

pub(crate) use axes::{Axes, nice_ticks, spread};
pub(crate) use shapes::{
    DISTINCT_SERIES, SMALL, TEXT, Tone, area, curve, error_bar, line, mark, rectangle, shortened, text,
    width_of,
};

/// The style sheet that charts need: colours by role, sizes of text, widths of lines.
pub(crate) const STYLE: &str = include_str!("chart.css");

/// A point in pixels from the upper left corner: x, y.
pub(crate) type Point = (f64, f64);

/// Wider charts keep a readable size on narrow screens and scroll; see `.wide` in `report.css`.
const WIDE: f64 = 480.0;

/// Around the chart of a file of its own, in pixels.
const MARGIN: f64 = 16.0;

/// A chart with a title, which is its text alternative.
pub(crate) struct Chart {
    /// Width and height in pixels.
    size: Point,
    title: String,
    shapes: Markup,
}

impl Chart {
    pub(crate) fn new(size: Point, title: impl Into<String>, shapes: Markup) -> Self {
        Self { size: (size.0.ceil(), size.1.ceil()), title: title.into(), shapes }
    }

    /// The SVG element for an HTML page that contains [`STYLE`]. `id` is unique on that page.
    pub(crate) fn element(&self, id: &str) -> Markup {
        let ((width, height), title_id) = (self.size, format!("{id}-title"));
        html! {
            svg.chart.wide[width > WIDE] id=(id) width=(width) height=(height)
                viewBox={ "0 0 " (width) " " (height) } role="img" aria-labelledby=(title_id) {
                title id=(title_id) { (super::clean(&self.title)) }
                (self.shapes)
            }
        }
    }

    /// A complete SVG file, with its style sheet and its background.
    pub(crate) fn file(&self) -> String {
        let (width, height) = (self.size.0 + 2.0 * MARGIN, self.size.1 + 2.0 * MARGIN);
        let svg = html! {
            svg.chart xmlns="http://www.w3.org/2000/svg" width=(width) height=(height)
                viewBox={ (-MARGIN) " " (-MARGIN) " " (width) " " (height) } role="img" aria-labelledby="title" {
                title id="title" { (super::clean(&self.title)) }
                style { (PreEscaped(STYLE)) }
                (rectangle((-MARGIN, -MARGIN), (width - MARGIN, height - MARGIN), Tone::Paper, 1.0))
                (self.shapes)
            }
        };
        svg.render().into_string() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The colour of a role, from the first (light) or the second (dark) list in the style sheet.
    fn colour(role: &str, dark: bool) -> &'static str {
        let property = format!("--{role}: ");
        let values: Vec<&str> =
            STYLE.split(&property).skip(1).filter_map(|rest| rest.split(';').next()).collect();
        assert_eq!(values.len(), 2, "{role} has one colour for light and one for dark");
        values[usize::from(dark)]
    }

    /// Relative luminance by WCAG 2.2.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap_or_default()) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    /// Text has the contrast of 4.5 that WCAG's level AA requires, in light and in dark.
    #[test]
    fn text_is_readable() {
        for dark in [false, true] {
            let contrast = |a: &str, b: &str| {
                let (a, b) = (luminance(colour(a, dark)) + 0.05, luminance(colour(b, dark)) + 0.05);
                a.max(b) / a.min(b)
            };
            for series in 1..=DISTINCT_SERIES {
                let series = format!("series-{series}");
                assert!(contrast(&series, "paper") >= 4.5, "{series}, dark: {dark}");
            }
            for tone in ["ink", "muted"] {
                assert!(contrast(tone, "paper") >= 4.5, "{tone}, dark: {dark}");
            }
            for background in ["correct", "wrong", "grid"] {
                assert!(contrast("ink", background) >= 4.5, "{background}, dark: {dark}");
            }
        }
    }

    /// Every class that a tone writes has a colour.
    #[test]
    fn tones_have_colours() {
        let series = (0..DISTINCT_SERIES).map(Tone::Series);
        let others =
            [Tone::Ink, Tone::Muted, Tone::Rule, Tone::Grid, Tone::Paper, Tone::Correct, Tone::Wrong];
        for tone in series.chain(others) {
            let rule = format!(".chart .{} {{ color: var(--{}); }}", tone.class(), tone.class());
            assert!(STYLE.contains(&rule), "{rule}");
        }
    }

    #[test]
    fn a_file_is_complete() {
        let file = Chart::new(
            (20.0, 10.0),
            "Precision & recall",
            html! { (line((0.0, 0.0), (1.0, 1.0), Tone::Ink)) },
        )
        .file();
        assert!(file.starts_with("<svg ") && file.ends_with("</svg>\n"));
        assert!(file.contains("Precision &amp; recall") && file.contains("prefers-color-scheme: dark"));
        // Text of an XML document must not contain these.
        assert!(!STYLE.contains(['<', '&']));
    }
}
