//! The few colours of a report, each in a light and a dark variant.
//!
//! Pictures are drawn with placeholders ([`Tone::placeholder`]) that become CSS variables in the
//! page, so that one picture works on white paper and on a dark screen. The hues of the series are
//! those of Okabe and Ito, which people with any kind of colour blindness can tell apart, made
//! darker or lighter until even small letters in them can be read.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// A colour by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// The page.
    Paper,
    /// Text.
    Ink,
    /// Text that steps back: labels, captions.
    Muted,
    /// Axes and the rules of tables.
    Rule,
    /// Grid lines.
    Grid,
    /// The first series, and so on.
    First,
    Second,
    Third,
    Fourth,
    Fifth,
    Sixth,
    /// Behind counts that are right; ink is readable on it at any opacity.
    Right,
    /// Behind counts that are wrong, likewise.
    Wrong,
}

/// The series, in the order in which they are given out.
pub(super) const SERIES: [Tone; 6] =
    [Tone::First, Tone::Second, Tone::Third, Tone::Fourth, Tone::Fifth, Tone::Sixth];

/// Name, light, dark.
const TONES: [(Tone, &str, &str, &str); 13] = [
    (Tone::Paper, "paper", "#fffefb", "#16181b"),
    (Tone::Ink, "ink", "#1f1d1a", "#e9e6df"),
    (Tone::Muted, "muted", "#6a655d", "#a5a096"),
    (Tone::Rule, "rule", "#bdb6a9", "#54575e"),
    (Tone::Grid, "grid", "#eae6dd", "#2b2e33"),
    (Tone::First, "first", "#0a67a8", "#5fb4e8"),
    (Tone::Second, "second", "#c2500c", "#f0905a"),
    (Tone::Third, "third", "#00805d", "#45c9a0"),
    (Tone::Fourth, "fourth", "#a04c88", "#df9fc6"),
    (Tone::Fifth, "fifth", "#9a6b00", "#e6b645"),
    (Tone::Sixth, "sixth", "#55575c", "#b9bcc2"),
    (Tone::Right, "right", "#6cb0dc", "#1f5f92"),
    (Tone::Wrong, "wrong", "#efa56a", "#8f4a12"),
];

impl Tone {
    /// A colour that nothing else has, to be replaced by [`with_variables`].
    pub(super) fn placeholder(self) -> RGBColor {
        RGBColor(1, 0, 1 + self as u8)
    }
}

/// Replaces the placeholders in a picture by the page's variables.
pub(super) fn with_variables(svg: &str) -> String {
    TONES.iter().fold(svg.to_owned(), |svg, (tone, name, _, _)| {
        let RGBColor(r, g, b) = tone.placeholder();
        svg.replace(&format!("\"#{r:02X}{g:02X}{b:02X}\""), &format!("\"var(--{name})\""))
    })
}

/// The variables: light, dark where the reader prefers that, and light on paper.
pub(super) fn css() -> String {
    let mut css = String::new();
    for (media, dark) in [("screen, print", false), ("screen and (prefers-color-scheme: dark)", true)] {
        // Writing to a String cannot fail.
        let _ = write!(css, "@media {media} {{ :root {{");
        for (_, name, on_light, on_dark) in TONES {
            let _ = write!(css, " --{name}: {};", if dark { on_dark } else { on_light });
        }
        let _ = writeln!(css, " }} }}");
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance by WCAG 2.2.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap_or_default()) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    /// What is text, or stands behind text, has the contrast of 4.5 that WCAG's level AA asks for,
    /// in light and in dark.
    #[test]
    fn text_can_be_read() {
        for dark in [false, true] {
            let colour = |tone: Tone| if dark { TONES[tone as usize].3 } else { TONES[tone as usize].2 };
            let contrast = |a: Tone, b: Tone| {
                let (a, b) = (luminance(colour(a)) + 0.05, luminance(colour(b)) + 0.05);
                a.max(b) / a.min(b)
            };
            for tone in [Tone::Ink, Tone::Muted].into_iter().chain(SERIES) {
                assert!(contrast(tone, Tone::Paper) >= 4.5, "{tone:?}, dark: {dark}");
            }
            for tone in [Tone::Right, Tone::Wrong, Tone::Grid] {
                assert!(contrast(Tone::Ink, tone) >= 4.5, "{tone:?}, dark: {dark}");
            }
        }
        assert!(TONES.iter().enumerate().all(|(place, (tone, ..))| *tone as usize == place));
    }
}
