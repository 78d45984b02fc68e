//! The visible part of the song.

use leptos::prelude::*;

use crate::state::Playback;
use crate::time_range::TimeRange;

/// The visible part of the song; copies are handles to the same signals.
#[derive(Clone, Copy)]
pub struct Zoom {
    /// Length of the song in seconds; 0 while it is unknown.
    pub seconds: Memo<f64>,
    /// The visible part.
    pub view: Memo<TimeRange>,
    /// `None` for the whole song, whatever its length will be.
    part: RwSignal<Option<TimeRange>>,
    position: RwSignal<f64>,
}

impl Zoom {
    /// Factor of one step with a button or a key.
    pub const STEP: f64 = 2.0;

    /// The whole song.
    pub fn new(seconds: Memo<f64>, playback: Playback) -> Self {
        let part = RwSignal::new(None::<TimeRange>);
        let view = Memo::new(move |_| part.get().unwrap_or_else(|| TimeRange::whole(seconds.get())));
        Self { seconds, view, part, position: playback.position }
    }

    /// Whether a part of the song is shown.
    pub fn is_part(self) -> bool {
        self.part.with(Option::is_some)
    }

    /// The same, untracked.
    pub fn is_part_now(self) -> bool {
        self.part.with_untracked(Option::is_some)
    }

    /// The visible part, untracked.
    pub fn view_now(self) -> TimeRange {
        self.view.get_untracked()
    }

    /// Length of the song, untracked.
    pub fn seconds_now(self) -> f64 {
        self.seconds.get_untracked()
    }

    /// Shows a part of the song.
    pub fn set(self, to: TimeRange) {
        let all = self.seconds_now();
        let to = Some(to).filter(|to| to.span < all - 1e-6 && TimeRange::possible(all));
        if self.part.get_untracked() != to {
            self.part.set(to);
        }
    }

    /// Shows the whole song.
    pub fn show_all(self) {
        self.part.set(None);
    }

    /// Shows a part `factor` times as long, around the cursor or, if it is not visible, the middle.
    pub fn scale(self, factor: f64) {
        let now = self.view_now();
        let cursor = self.position.get_untracked();
        let time = if now.shows(cursor) { cursor } else { now.time(0.5) };
        self.set(now.scaled(self.seconds_now(), factor, time));
    }

    /// Makes a time visible.
    pub fn reveal(self, time: f64) {
        self.set(self.view_now().showing(self.seconds_now(), time));
    }

    /// Keeps the cursor visible: always when the visitor moves it, and during playback unless the visitor
    /// looks at another part.
    pub fn follow(self, playback: Playback) {
        Effect::new(move |_| {
            playback.seeks.track();
            self.reveal(playback.position.get_untracked());
        });
        Effect::new(move |before: Option<f64>| {
            let now = playback.position.get();
            if before.is_some_and(|before| self.view_now().shows(before)) {
                self.reveal(now);
            }
            now
        });
    }
}
