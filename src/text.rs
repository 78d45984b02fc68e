//! Numbers and names as text: percentages, times, sizes, cells of a table.

/// A fraction as percentage: `0.814` → `81%`. Never rounds to 0% or 100%, which would claim certainty.
pub fn percent(fraction: f64) -> String {
    if !fraction.is_finite() {
        return "–".into();
    }
    match fraction * 100.0 {
        p if p >= 99.5 => ">99%".into(),
        p if p < 0.5 => "<1%".into(),
        p => format!("{p:.0}%"),
    }
}

/// Seconds as `m:ss`, or `h:mm:ss`.
pub fn clock(seconds: f64) -> String {
    // A float-to-integer `as` saturates; NaN becomes 0.
    let whole = seconds.round().max(0.0) as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Seconds as `m:ss.t`, for times within a segment.
pub fn clock_tenths(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round().max(0.0) as u64;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

/// Milliseconds in the most readable unit.
pub fn duration(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms if ms < 60_000.0 => format!("{:.1} s", ms / 1000.0),
        ms => clock(ms / 1000.0),
    }
}

/// Bytes as kilobytes, rounded up, without the unit.
pub fn kilobytes(bytes: u64) -> String {
    bytes.div_ceil(1000).to_string()
}

/// A small number as `2.1e−5`. With a true minus sign, at which lines do not break.
pub fn scientific(value: f32) -> String {
    format!("{value:.1e}").replace('-', "−")
}

/// `rock` → `Rock`, for a heading.
pub fn heading(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// First two letters, for narrow places.
pub fn abbreviation(name: &str) -> String {
    heading(name).chars().take(2).collect()
}

/// Replaces the placeholders `{0}`, `{1}` … of a text by values.
pub fn fill(sentence: &str, values: &[&str]) -> String {
    let mut filled = sentence.to_string();
    for (place, value) in values.iter().enumerate() {
        filled = filled.replace(&format!("{{{place}}}"), value);
    }
    filled
}

/// `14:05`, for the name of a recording.
pub fn time_of_day(date: &js_sys::Date) -> String {
    format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
}

/// Times of the ticks of an axis of `span` seconds from `from` on: at most ten, at round distances.
pub fn ticks(from: f64, span: f64) -> Vec<f64> {
    const STEPS: [f64; 13] =
        [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
    let step = STEPS.into_iter().find(|step| span / step <= 10.0).unwrap_or(7200.0);
    // A tick at the very end has no room for its label.
    std::iter::successors(Some((from / step).ceil() * step), |at| Some(at + step))
        .take_while(|at| *at < from + span * 0.95)
        .take(100)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_do_not_claim_certainty() {
        assert_eq!(percent(0.814), "81%");
        assert_eq!(percent(1.0), ">99%");
        assert_eq!(percent(0.004), "<1%");
        assert_eq!(percent(f64::NAN), "–");
    }

    #[test]
    fn times_and_sizes_are_readable() {
        assert_eq!(clock(7.4), "0:07");
        assert_eq!(clock(3725.0), "1:02:05");
        assert_eq!(clock(f64::NAN), "0:00");
        assert_eq!(clock_tenths(64.96), "1:05.0");
        assert_eq!(duration(9.94), "9.9 ms");
        assert_eq!(duration(1240.0), "1.2 s");
        assert_eq!(kilobytes(1_001), "2");
        assert_eq!(scientific(0.000_021), "2.1e−5");
    }

    #[test]
    fn placeholders_are_filled() {
        assert_eq!(fill("{1} of {0}", &["ten", "two"]), "two of ten");
        assert_eq!(abbreviation("rock"), "Ro");
        assert_eq!(heading(""), "");
    }

    #[test]
    fn an_axis_has_few_round_ticks() {
        assert_eq!(ticks(0.0, 30.5).len(), 6);
        assert_eq!(ticks(31.0, 6.0), [31.0, 32.0, 33.0, 34.0, 35.0, 36.0]);
        assert_eq!(ticks(0.0, 0.0), Vec::<f64>::new());
        assert!(ticks(0.0, 1e9).len() <= 100);
    }
}
