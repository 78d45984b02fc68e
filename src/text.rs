//! Numbers and ids to what people read.

/// `0.814` → `81%`. Nothing is rounded to a certainty or to an impossibility that it isn't.
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "–".into();
    }
    match share * 100.0 {
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

/// Seconds as `m:ss.t`, for what lies within a segment.
pub fn clock_tenths(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round().max(0.0) as u64;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

/// Milliseconds in the unit that reads best.
pub fn duration(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms if ms < 60_000.0 => format!("{:.1} s", ms / 1000.0),
        ms => clock(ms / 1000.0),
    }
}

/// `rock` → `Rock`, for a heading.
pub fn heading(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Two letters for where the name has no room.
pub fn abbreviation(name: &str) -> String {
    heading(name).chars().take(2).collect()
}

/// Puts values into a sentence: `{0}` is the first, and so on.
pub fn fill(sentence: &str, values: &[&str]) -> String {
    let mut filled = sentence.to_string();
    for (place, value) in values.iter().enumerate() {
        filled = filled.replace(&format!("{{{place}}}"), value);
    }
    filled
}

/// A cell of a CSV file (RFC 4180). What a spreadsheet would take for a formula is made words: a
/// file's name is no program.
pub fn csv_cell(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.into() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// `14:05`, for the name of a recording.
pub fn time_of_day(date: &js_sys::Date) -> String {
    format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
}

/// Indices of the classes, most probable first; ties in class order.
pub fn ranked(probabilities: &[f32]) -> Vec<(usize, f32)> {
    let mut ranked: Vec<_> = probabilities.iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

/// Where the true share lies with 95 % confidence, by Wilson's score, if `n` trials gave `share`.
pub fn wilson(share: f64, n: u64) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    let n = n.max(1) as f64;
    let scale = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).max(0.0).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// Times for the marks of an axis of `span` seconds from `from` on: at most ten, at round distances.
pub fn ticks(from: f64, span: f64) -> Vec<f64> {
    const STEPS: [f64; 13] =
        [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
    let step = STEPS.into_iter().find(|step| span / step <= 10.0).unwrap_or(7200.0);
    // A mark at the very end would have no room for its time.
    std::iter::successors(Some((from / step).ceil() * step), |at| Some(at + step))
        .take_while(|at| *at < from + span * 0.95)
        .take(100)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rounded_to_certainty() {
        assert_eq!(percent(0.814), "81%");
        assert_eq!(percent(1.0), ">99%");
        assert_eq!(percent(0.004), "<1%");
        assert_eq!(percent(f64::NAN), "–");
    }

    #[test]
    fn times_read_well() {
        assert_eq!(clock(7.4), "0:07");
        assert_eq!(clock(3725.0), "1:02:05");
        assert_eq!(clock(f64::NAN), "0:00");
        assert_eq!(clock_tenths(64.96), "1:05.0");
        assert_eq!(duration(9.94), "9.9 ms");
        assert_eq!(duration(1240.0), "1.2 s");
    }

    #[test]
    fn sentences_are_filled_and_cells_are_safe() {
        assert_eq!(fill("{1} of {0}", &["ten", "two"]), "two of ten");
        assert_eq!(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv_cell("=cmd()"), "'=cmd()");
        assert_eq!(csv_cell("plain"), "plain");
        assert_eq!(abbreviation("rock"), "Ro");
        assert_eq!(heading(""), "");
    }

    #[test]
    fn ranking_survives_nan_and_keeps_ties_in_order() {
        let order = |p: &[f32]| ranked(p).into_iter().map(|(i, _)| i).collect::<Vec<_>>();
        assert_eq!(order(&[0.2, 0.6, 0.2]), [1, 0, 2]);
        assert_eq!(order(&[f32::NAN, 0.5]).len(), 2);
    }

    #[test]
    fn wilson_agrees_with_a_worked_example() {
        // 50 of 100: 40.4 % to 59.6 %.
        let (low, high) = wilson(0.5, 100);
        assert!((low - 0.4038).abs() < 1e-3 && (high - 0.5962).abs() < 1e-3);
        assert!(wilson(1.0, 0).1 <= 1.0);
    }

    #[test]
    fn an_axis_has_few_round_marks() {
        assert_eq!(ticks(0.0, 30.5).len(), 6);
        assert_eq!(ticks(31.0, 6.0), [31.0, 32.0, 33.0, 34.0, 35.0, 36.0]);
        assert_eq!(ticks(0.0, 0.0), Vec::<f64>::new());
        assert!(ticks(0.0, 1e9).len() <= 100);
    }
}
