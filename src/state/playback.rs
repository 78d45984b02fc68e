//! The cursor and the player of the shown song.

use leptos::prelude::*;

/// The cursor and the player of the shown song; copies are handles to the same signals.
#[derive(Clone, Copy)]
pub struct Playback {
    /// Time of the cursor in seconds.
    pub position: RwSignal<f64>,
    /// Counts up when the visitor moves the cursor. It stays the same when playback moves it.
    pub seeks: RwSignal<u32>,
    /// Time under the pointer in seconds, if the pointer is over the song.
    pub hover: RwSignal<Option<f64>>,
    /// Whether the song plays.
    pub playing: RwSignal<bool>,
}

impl Playback {
    /// A stopped player with the cursor at the start.
    pub(super) fn new() -> Self {
        Self {
            position: RwSignal::new(0.0),
            seeks: RwSignal::new(0),
            hover: RwSignal::new(None),
            playing: RwSignal::new(false),
        }
    }

    /// Moves the cursor because the visitor asked for it.
    pub fn seek(&self, time: f64) {
        self.position.set(time);
        self.seeks.update(|n| *n = n.wrapping_add(1));
    }

    /// Stops and goes back to the start, for another song.
    pub(super) fn reset(&self) {
        self.playing.set(false);
        self.position.set(0.0);
        self.hover.set(None);
    }

    /// The time that the page shows details of. `None` means that it shows the whole song.
    pub fn moment(&self) -> Option<f64> {
        self.hover.get().or_else(|| {
            let position = self.position.get();
            (self.playing.get() || position > 0.0).then_some(position)
        })
    }
}
