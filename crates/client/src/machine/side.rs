//! What a worker does beside songs: live sound and explanations.

use cratedigger_protocol::{DeviceKind, Event, Request};

use super::Machine;
use super::message::{Audio, Effect, RequestId};
use crate::policy::Step;
use crate::update::{ExplanationUpdate, Interval, Prediction, SongId, Tiles, Update};

/// The explanation under way.
#[derive(Debug)]
pub(super) struct Explaining {
    pub(super) id: RequestId,
    class: usize,
    /// The device whose worker has it; `None` while its song is decoded.
    sent: Option<DeviceKind>,
}

/// Whether no later event can be about the same request.
pub(super) fn ends(event: &Event) -> bool {
    matches!(
        event,
        Event::Finished { .. }
            | Event::Cancelled { .. }
            | Event::Failed { .. }
            | Event::Explained { .. }
            | Event::Embedded { .. }
    )
}

impl<S> Machine<S> {
    /// Sends a piece of live sound, unless a worker still has the last one: then this one is dropped,
    /// because the next piece comes within a second.
    pub(super) fn listen(&mut self, audio: Audio<S>) {
        if self.live.is_some() {
            return;
        }
        match self.next_step(self.settings.mode) {
            Step::Wait => {}
            Step::StartCpu => self.start_worker(DeviceKind::Cpu),
            Step::Use(kind) => {
                let id = self.next_request();
                self.live = Some(id);
                let request = Request::Analyse { id, sample_rate: audio.sample_rate };
                self.send(kind, request, Some(audio.channels));
            }
        }
    }

    pub(super) fn live_event(&mut self, event: Event) {
        if ends(&event) {
            self.live = None;
        }
        match event {
            Event::Segment { probabilities, members, non_music, .. } => {
                self.notify(Update::Live(Some(Prediction { probabilities, members, non_music })));
            }
            Event::Silent { .. } => self.notify(Update::Live(None)),
            _ => {}
        }
    }

    /// Decodes the song first, because its samples went to the worker and were dropped there.
    pub(super) fn explain(&mut self, song: SongId, segment: u32, range: Interval, class: usize) {
        if self.entry(song).is_none() {
            return;
        }
        self.stop_explaining();
        let id = self.next_request();
        self.explaining = Some(Explaining { id, class, sent: None });
        self.notify(Update::Explanation(ExplanationUpdate::Asked { song, segment, class }));
        self.effects.push(Effect::Decode { request: id, song, range: Some(range) });
    }

    pub(super) fn send_explanation(&mut self, audio: Option<Audio<S>>) {
        let step = self.next_step(self.settings.mode);
        let Some(explaining) = self.explaining.as_mut().filter(|explaining| explaining.sent.is_none()) else {
            return;
        };
        match (audio, step, u32::try_from(explaining.class)) {
            (Some(audio), Step::Use(kind), Ok(class)) => {
                explaining.sent = Some(kind);
                let id = explaining.id;
                let request = Request::Explain { id, sample_rate: audio.sample_rate, class };
                self.send(kind, request, Some(audio.channels));
            }
            _ => self.end_explanation(ExplanationUpdate::Failed),
        }
    }

    pub(super) fn explanation_event(&mut self, event: Event, payload: Vec<f32>) {
        let update = match event {
            Event::Explained { rows, columns, .. } => {
                let (rows, columns) = (rows as usize, columns as usize);
                let fits = !payload.is_empty() && rows.checked_mul(columns) == Some(payload.len());
                if fits {
                    ExplanationUpdate::Answered(Tiles { rows, columns, values: payload })
                } else {
                    ExplanationUpdate::Failed
                }
            }
            _ => ExplanationUpdate::Failed,
        };
        self.end_explanation(update);
    }

    pub(super) fn stop_explaining(&mut self) {
        if let Some(Explaining { id, sent: Some(kind), .. }) = self.explaining {
            self.send(kind, Request::Cancel { id }, None);
        }
        self.end_explanation(ExplanationUpdate::Stopped);
    }

    /// Forgets the live piece and the explanation after a worker was lost, whichever worker had them.
    pub(super) fn stop_side(&mut self) {
        self.live = None;
        if self.explaining.is_some() {
            self.end_explanation(ExplanationUpdate::Failed);
        }
    }

    fn end_explanation(&mut self, update: ExplanationUpdate) {
        self.explaining = None;
        self.notify(Update::Explanation(update));
    }
}
