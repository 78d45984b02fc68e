//! Numbers and names as text.

use super::Scores;
pub(crate) use crate::format::thousands as count;

/// A text whose spaces are narrow and do not break, as before a unit.
fn tied(text: &str) -> String {
    text.replace(' ', "\u{202f}")
}

/// A fraction in per cent.
pub(crate) fn percent(fraction: f64) -> String {
    tied(&crate::format::percent(fraction))
}

/// The 95 % interval of an accuracy.
pub(crate) fn interval(scores: &Scores) -> String {
    let [low, high] = scores.interval;
    format!("{:.1} to {}", 100.0 * low, percent(high))
}

/// A fraction in per cent for a table whose head names the unit. A dash if it is not finite, as after a
/// training that diverged.
pub(crate) fn cell(fraction: f64) -> String {
    if fraction.is_finite() { format!("{:.1}", 100.0 * fraction) } else { "–".into() }
}

/// Bytes in kilobytes or megabytes.
pub(crate) fn size(bytes: u64) -> String {
    tied(&crate::format::bytes(bytes))
}

/// A text with its control characters replaced, because they are invalid in HTML and XML.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([582_696, 1_250_000].map(size), ["583\u{202f}kB", "1.2\u{202f}MB"]);
        assert_eq!([0.5, f64::NAN].map(cell), ["50.0", "–"]);
        assert_eq!(clean("a\nb\u{0}"), "a\u{fffd}b\u{fffd}");
    }
}
