//! Ranges of time in a song, and which of them the timeline shows.

/// A range of time in a song, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TimeRange {
    /// Start.
    pub from: f64,
    /// Length.
    pub span: f64,
}

/// Shortest range shown: two segments, at which the spectrogram is still readable.
const SHORTEST: f64 = 6.0;

impl TimeRange {
    /// The whole song.
    pub fn whole(seconds: f64) -> Self {
        Self { from: 0.0, span: seconds.max(0.0) }
    }

    /// Whether a song of this length can be zoomed.
    pub fn possible(seconds: f64) -> bool {
        seconds >= 2.0 * SHORTEST
    }

    /// Whether it is the shortest range shown.
    pub fn is_shortest(self) -> bool {
        self.span <= SHORTEST
    }

    /// End.
    pub fn to(self) -> f64 {
        self.from + self.span
    }

    /// Whether it contains a time.
    pub fn shows(self, time: f64) -> bool {
        (self.from..=self.to()).contains(&time)
    }

    /// Position of a time in it: 0 at the start, 1 at the end, other values outside.
    pub fn fraction(self, time: f64) -> f64 {
        (time - self.from) / self.span.max(f64::MIN_POSITIVE)
    }

    /// Left edge and width in percent of the width that shows `view`.
    pub fn place(self, view: Self) -> (String, String) {
        let width = (view.fraction(self.to()) - view.fraction(self.from)).max(0.0);
        (format!("{:.4}%", 100.0 * view.fraction(self.from)), format!("{:.4}%", 100.0 * width))
    }

    /// Intersection with another range; `None` if they do not overlap.
    pub fn within(self, other: Self) -> Option<Self> {
        let (from, to) = (self.from.max(other.from), self.to().min(other.to()));
        (to > from).then_some(Self { from, span: to - from })
    }

    /// The time at a fraction of its length.
    pub fn time(self, fraction: f64) -> f64 {
        self.from + fraction * self.span
    }

    /// A range of length `span` with `time` at a fraction of its length, moved into the song if needed.
    pub fn put(seconds: f64, time: f64, fraction: f64, span: f64) -> Self {
        // No real gesture gives NaN; if one does, show the whole song.
        let span = if span.is_finite() { span.max(SHORTEST).min(seconds) } else { seconds };
        let from = time - fraction * span;
        let from = if from.is_finite() { from.min(seconds - span).max(0.0) } else { 0.0 };
        Self { from, span }
    }

    /// `factor` times as long. `time` keeps its position if it is visible, and moves to the middle if not.
    pub fn scaled(self, seconds: f64, factor: f64, time: f64) -> Self {
        let fraction = if self.shows(time) { self.fraction(time) } else { 0.5 };
        Self::put(seconds, time, fraction, self.span * factor)
    }

    /// The same length, later by a fraction of its length.
    pub fn moved(self, seconds: f64, by: f64) -> Self {
        Self::put(seconds, self.time(by), 0.0, self.span)
    }

    /// The same length, with `time` visible: unchanged if it is, else moved by about a page.
    pub fn showing(self, seconds: f64, time: f64) -> Self {
        if self.shows(time) {
            return self;
        }
        let fraction = if time > self.to() { 0.05 } else { 0.95 };
        Self::put(seconds, time, fraction, self.span)
    }

    /// The same length, moved as little as needed to show all of `part`.
    pub fn showing_all(self, seconds: f64, part: Self) -> Self {
        Self::put(seconds, self.from.max(part.to() - self.span).min(part.from), 0.0, self.span)
    }

    /// Result of a pinch: the times at positions `before` move to positions `after`, both fractions of
    /// the width.
    pub fn pinched(self, seconds: f64, before: [f64; 2], after: [f64; 2]) -> Self {
        let middle = |[a, b]: [f64; 2]| (a + b) / 2.0;
        let apart = |[a, b]: [f64; 2]| (a - b).abs().max(0.02);
        let span = self.span * apart(before) / apart(after);
        Self::put(seconds, self.time(middle(before)), middle(after), span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hundreds of gestures one after another, from and to many positions.
    #[test]
    fn no_gesture_leaves_the_song() {
        let seconds = 200.0;
        let mut zoom = TimeRange::whole(seconds);
        for n in 0..400u32 {
            let place = f64::from(n * 7919 % 101) / 100.0;
            let part = TimeRange { from: place * (seconds - 3.0), span: 3.0 };
            zoom = match n % 6 {
                0 => zoom.scaled(seconds, 0.6, place * seconds),
                1 => zoom.moved(seconds, place * 3.0 - 1.5),
                2 => zoom.pinched(seconds, [place, 0.4], [0.5, place]),
                3 => zoom.showing(seconds, place * seconds),
                4 => zoom.showing_all(seconds, part),
                _ => zoom.scaled(seconds, 1.5, place * seconds),
            };
            assert!(
                zoom.from >= 0.0 && zoom.to() <= seconds + 1e-9 && zoom.span >= SHORTEST,
                "{n}: {zoom:?}"
            );
            match n % 6 {
                3 => assert!(zoom.shows(place * seconds), "{n}: {zoom:?}"),
                4 => assert!(part.within(zoom).is_some_and(|p| p.span > 3.0 - 1e-9), "{n}: {zoom:?}"),
                _ => {}
            }
        }
        let view = TimeRange { from: 20.0, span: 6.0 };
        assert_eq!(view.showing_all(seconds, TimeRange { from: 24.0, span: 3.0 }).from, 21.0);
        assert_eq!(view.showing_all(seconds, TimeRange { from: 21.0, span: 3.0 }), view);
        assert_eq!(TimeRange::put(seconds, f64::NAN, 0.5, f64::NAN), TimeRange::whole(seconds));
    }

    #[test]
    fn the_time_under_the_pointer_keeps_its_position() {
        let zoom = TimeRange { from: 40.0, span: 60.0 };
        let place = zoom.fraction(55.0);
        assert!((zoom.scaled(200.0, 0.5, 55.0).fraction(55.0) - place).abs() < 1e-12);
        // A pinch keeps the two times under the two fingers.
        let (before, after) = ([0.3, 0.6], [0.2, 0.7]);
        let pinched = zoom.pinched(200.0, before, after);
        for (old, new) in before.into_iter().zip(after) {
            assert!((pinched.time(new) - zoom.time(old)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_short_song_stays_whole() {
        assert!(!TimeRange::possible(9.0));
        assert_eq!(TimeRange::whole(4.0).scaled(4.0, 0.1, 2.0), TimeRange::whole(4.0));
    }
}
