//! Numbers and names as text.

use super::Scores;

/// A fraction in per cent. A narrow no-break space stands before the sign.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.1}\u{202f}%", 100.0 * fraction)
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

/// A number with commas between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in kilobytes or megabytes (powers of 1000).
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0}\u{202f}kB", bytes as f64 / 1e3),
        _ => format!("{:.2}\u{202f}MB", bytes as f64 / 1e6),
    }
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
        assert_eq!(
            [0, 999, 1000, 290_762, 1_000_000].map(count),
            ["0", "999", "1,000", "290,762", "1,000,000"]
        );
        assert_eq!([582_696, 1_250_000].map(size), ["583\u{202f}kB", "1.25\u{202f}MB"]);
        assert_eq!([0.5, f64::NAN].map(cell), ["50.0", "–"]);
        assert_eq!(clean("a\nb\u{0}"), "a\u{fffd}b\u{fffd}");
    }
}
