//! Text: percentages, counts, sizes, errors.

/// A fraction in per cent with one digit: `0.8146` → `81.5 %`.
pub fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}

/// A fraction in whole per cent: `0.8146` → `81 %`.
pub fn whole_percent(fraction: f64) -> String {
    format!("{:.0} %", 100.0 * fraction)
}

/// A number of bytes in kB, or in MB from one MB on: `582696` → `583 kB`.
pub fn bytes(bytes: u64) -> String {
    match bytes as f64 / 1000.0 {
        kilobytes if kilobytes >= 1000.0 => format!("{:.1} MB", kilobytes / 1000.0),
        kilobytes => format!("{kilobytes:.0} kB"),
    }
}

/// A count with thousands separators: `1146026` → `1,146,026`.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// An error with its causes, each told once: many errors name their cause themselves.
pub fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        use anyhow::Context as _;
        let error = std::fs::read("no/such/file").context("the file cannot be read").unwrap_err();
        let error = error.context("the file cannot be read: no luck");
        let text = causes(&error);
        assert_eq!(text.matches("cannot be read").count(), 1, "{text}");
        assert_eq!(text.matches("No such file").count(), 1, "{text}");
    }

    #[test]
    fn numbers_are_readable() {
        let written = [7, 999, 1000, 56_794, 1_146_026].map(thousands);
        assert_eq!(written, ["7", "999", "1,000", "56,794", "1,146,026"]);
        assert_eq!([582_696, 2_300_000].map(bytes), ["583 kB", "2.3 MB"]);
        assert_eq!([percent(0.814_6), whole_percent(0.814_6)], ["81.5 %", "81 %"]);
    }
}
