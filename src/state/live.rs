//! Live listening.

use cratedigger_client::LiveSource;
use leptos::prelude::*;

use super::segment::Segment;

/// Live listening; copies are handles to the same signals.
#[derive(Clone, Copy)]
pub struct Live {
    /// The source, while the page listens.
    pub source: RwSignal<Option<LiveSource>>,
    /// Length so far in seconds.
    pub seconds: RwSignal<f64>,
    /// Current level, 0…1.
    pub level: RwSignal<f32>,
    /// The segments so far, about one for each second.
    pub segments: RwSignal<Vec<Segment>>,
}

impl Live {
    /// Not listening.
    pub(super) fn new() -> Self {
        Self {
            source: RwSignal::new(None),
            seconds: RwSignal::new(0.0),
            level: RwSignal::new(0.0),
            segments: RwSignal::new(Vec::new()),
        }
    }

    /// Whether the page listens.
    pub fn is_on(&self) -> bool {
        self.source.get().is_some()
    }
}
