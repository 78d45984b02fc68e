//! Parts of a song, and which of them the deck shows.

/// A stretch of a song, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stretch {
    /// Where it begins.
    pub from: f64,
    /// How long it is.
    pub span: f64,
}

/// Nothing shorter is shown: two segments, and a spectrogram that still looks like one.
const SHORTEST: f64 = 6.0;

impl Stretch {
    /// The whole song.
    pub fn whole(seconds: f64) -> Self {
        Self { from: 0.0, span: seconds.max(0.0) }
    }

    /// Whether there is anything to zoom into.
    pub fn possible(seconds: f64) -> bool {
        seconds >= 2.0 * SHORTEST
    }

    /// Whether nothing shorter is shown.
    pub fn is_shortest(self) -> bool {
        self.span <= SHORTEST
    }

    /// Where it ends.
    pub fn to(self) -> f64 {
        self.from + self.span
    }

    /// Whether a moment is in it.
    pub fn shows(self, time: f64) -> bool {
        (self.from..=self.to()).contains(&time)
    }

    /// Where a moment lies in it: 0 at its beginning, 1 at its end, and beyond outside.
    pub fn share(self, time: f64) -> f64 {
        (time - self.from) / self.span.max(f64::MIN_POSITIVE)
    }

    /// Where it lies in what is shown of the song, in percent of the width: its left edge, its width.
    pub fn place(self, view: Self) -> (String, String) {
        let width = (view.share(self.to()) - view.share(self.from)).max(0.0);
        (format!("{:.4}%", 100.0 * view.share(self.from)), format!("{:.4}%", 100.0 * width))
    }

    /// What of it lies in another one.
    pub fn within(self, other: Self) -> Option<Self> {
        let (from, to) = (self.from.max(other.from), self.to().min(other.to()));
        (to > from).then_some(Self { from, span: to - from })
    }

    /// The moment at a share of its width.
    pub fn time(self, share: f64) -> f64 {
        self.from + share * self.span
    }

    /// A stretch of `span` with the moment `time` at `share` of its width, as far as the song reaches.
    pub fn put(seconds: f64, time: f64, share: f64, span: f64) -> Self {
        // NaN, which no arithmetic here makes of a real gesture, becomes the whole song.
        let span = if span.is_finite() { span.max(SHORTEST).min(seconds) } else { seconds };
        let from = time - share * span;
        let from = if from.is_finite() { from.min(seconds - span).max(0.0) } else { 0.0 };
        Self { from, span }
    }

    /// `factor` times as long, while the moment `time` keeps its place if it is in sight, and comes to
    /// the middle if it isn't.
    pub fn scaled(self, seconds: f64, factor: f64, time: f64) -> Self {
        let share = if self.shows(time) { self.share(time) } else { 0.5 };
        Self::put(seconds, time, share, self.span * factor)
    }

    /// As long, and later by a share of its length.
    pub fn moved(self, seconds: f64, by: f64) -> Self {
        Self::put(seconds, self.time(by), 0.0, self.span)
    }

    /// As long, with `time` in sight: the same if it is, else turned like a page.
    pub fn showing(self, seconds: f64, time: f64) -> Self {
        if self.shows(time) {
            return self;
        }
        let share = if time > self.to() { 0.05 } else { 0.95 };
        Self::put(seconds, time, share, self.span)
    }

    /// As long, moved no more than it takes to have all of `part` in sight.
    pub fn showing_all(self, seconds: f64, part: Self) -> Self {
        Self::put(seconds, self.from.max(part.to() - self.span).min(part.from), 0.0, self.span)
    }

    /// What two fingers do: moments under `before` come to lie under `after`, both shares of the width.
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

    /// Some hundred gestures, one after the other, from everywhere to everywhere.
    #[test]
    fn no_gesture_leaves_the_song() {
        let seconds = 200.0;
        let mut zoom = Stretch::whole(seconds);
        for n in 0..400u32 {
            let place = f64::from(n * 7919 % 101) / 100.0;
            let part = Stretch { from: place * (seconds - 3.0), span: 3.0 };
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
        let view = Stretch { from: 20.0, span: 6.0 };
        assert_eq!(view.showing_all(seconds, Stretch { from: 24.0, span: 3.0 }).from, 21.0);
        assert_eq!(view.showing_all(seconds, Stretch { from: 21.0, span: 3.0 }), view);
        assert_eq!(Stretch::put(seconds, f64::NAN, 0.5, f64::NAN), Stretch::whole(seconds));
    }

    #[test]
    fn what_is_pointed_at_keeps_its_place() {
        let zoom = Stretch { from: 40.0, span: 60.0 };
        let place = zoom.share(55.0);
        assert!((zoom.scaled(200.0, 0.5, 55.0).share(55.0) - place).abs() < 1e-12);
        // Two fingers hold the two moments under them.
        let (before, after) = ([0.3, 0.6], [0.2, 0.7]);
        let pinched = zoom.pinched(200.0, before, after);
        for (old, new) in before.into_iter().zip(after) {
            assert!((pinched.time(new) - zoom.time(old)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_short_song_stays_whole() {
        assert!(!Stretch::possible(9.0));
        assert_eq!(Stretch::whole(4.0).scaled(4.0, 0.1, 2.0), Stretch::whole(4.0));
    }
}
