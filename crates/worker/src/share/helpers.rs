//! The side of the song's worker: starts helpers and gives them parts.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use cratedigger_zoo::{Analyser, Parts, Prediction, Signals};
use js_sys::{Array, Float32Array};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Event, MessageEvent, Worker, WorkerOptions};

use super::{Answer, Fetched, Outputs, Task, TrackHead};
use crate::wire;

/// Name of a helper: the script and [`crate::start`] tell by it what a worker is.
pub(crate) const NAME: &str = "helper";
/// The largest number of helpers. Each takes some 50 MB of memory.
const MOST: usize = 3;
/// Segments that make one more helper worth its start.
const SEGMENTS_EACH: usize = 12;
/// Parts that a helper has at a time: one that it does, and one so that it need not wait for the next.
const AHEAD: usize = 2;

/// The predictions of a part.
type Predictions = Vec<Option<Prediction>>;

/// The helpers of one song. Dropping them ends them.
pub(crate) struct Helpers(Vec<Helper>);

struct Helper {
    worker: Worker,
    inbox: Rc<RefCell<Inbox>>,
    /// Parts without an answer.
    given: Vec<usize>,
    lost: bool,
    ready: bool,
    /// Size of its WebAssembly memory in bytes; 0 before its first prediction.
    memory: f64,
    // The worker calls these for as long as it lives.
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(Event)>,
}

#[derive(Default)]
struct Inbox {
    messages: Vec<JsValue>,
    failed: bool,
}

impl Helpers {
    /// Starts helpers for `segments` segments: as many as this machine has cores beside this worker's, and
    /// none for a short song or without `fetched`. A helper that cannot be started is left out.
    pub(crate) fn start(segments: usize, fetched: Option<&Fetched>) -> Self {
        let Some(fetched) = fetched else { return Self(Vec::new()) };
        let cores = wire::scope().navigator().hardware_concurrency();
        let others = (cores as usize).saturating_sub(1);
        let count = others.min(MOST).min(segments / SEGMENTS_EACH);
        Self((0..count).filter_map(|_| Helper::start(fetched).ok()).collect())
    }

    /// Takes the answers that have come, and gives new parts to helpers that are ready for more.
    pub(crate) fn turn(&mut self, parts: &mut Parts<Predictions>, job: &Job<'_>) {
        for helper in self.0.iter_mut().filter(|helper| !helper.lost) {
            if helper.receive(parts).is_none() {
                helper.lost = true;
                helper.given.drain(..).for_each(|part| parts.take_back(part));
            }
        }
        for helper in self.0.iter_mut().filter(|helper| helper.ready && !helper.lost) {
            while helper.given.len() < AHEAD
                && let Some(part) = parts.give()
            {
                helper.given.push(part);
                // A part that did not arrive has no answer, so the song's worker will do it.
                helper.lost |= helper.send(part, job).is_err();
            }
        }
    }

    /// Number of helpers that predicted something, and their memory in bytes.
    pub(crate) fn used(&self) -> (u32, f64) {
        let used = self.0.iter().filter(|helper| helper.memory > 0.0);
        used.fold((0, 0.0), |(count, memory), helper| (count + 1, memory + helper.memory))
    }
}

/// What helpers need to know of the song.
pub(crate) struct Job<'a> {
    pub(crate) analyser: &'a Analyser,
    pub(crate) signals: &'a Signals,
    /// The segments of each part.
    pub(crate) segments: &'a dyn Fn(usize) -> Vec<Range<usize>>,
}

impl Helper {
    /// Starts a worker with the script of this one, the module of this one, and its networks.
    fn start(fetched: &Fetched) -> Result<Self, JsValue> {
        let options = WorkerOptions::new();
        options.set_name(NAME);
        let worker = Worker::new_with_options(&wire::scope().location().href(), &options)?;
        let inbox = Rc::new(RefCell::new(Inbox::default()));
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new({
            let inbox = Rc::clone(&inbox);
            move |message: MessageEvent| inbox.borrow_mut().messages.push(message.data())
        });
        let on_error = Closure::<dyn FnMut(Event)>::new({
            let inbox = Rc::clone(&inbox);
            move |error: Event| {
                // It was dealt with; otherwise it would become an error of this worker.
                error.prevent_default();
                inbox.borrow_mut().failed = true;
            }
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        worker.post_message(&wasm_bindgen::module())?;
        let message = wire::message(&Task::Load { rule: fetched.rule })?;
        message.push(&fetched.manifest);
        fetched.weights.iter().for_each(|weights| {
            message.push(weights);
        });
        worker.post_message(&message)?;
        Ok(Self {
            worker,
            inbox,
            given: Vec::new(),
            lost: false,
            ready: false,
            memory: 0.0,
            _on_message: on_message,
            _on_error: on_error,
        })
    }

    /// Takes its answers; `None` if it is of no use any more.
    fn receive(&mut self, parts: &mut Parts<Predictions>) -> Option<()> {
        let Inbox { messages, failed } = std::mem::take(&mut *self.inbox.borrow_mut());
        for message in messages {
            let message = Array::from(&message);
            match serde_wasm_bindgen::from_value(message.get(0)).ok()? {
                Answer::Loaded => self.ready = true,
                Answer::Predicted { part, segments, memory } => {
                    let spectra = message.get(1).dyn_into::<Float32Array>().ok()?.to_vec();
                    let mut spectra = spectra.into_iter();
                    let predictions = segments
                        .into_iter()
                        .map(|outputs: Option<Outputs>| Some(outputs?.prediction(&mut spectra)))
                        .collect();
                    self.memory = memory;
                    self.given.retain(|given| *given != part);
                    parts.finish(part, predictions);
                }
            }
        }
        (!failed).then_some(())
    }

    /// Sends the samples of a part.
    fn send(&self, part: usize, job: &Job<'_>) -> Result<(), JsValue> {
        let segments = (job.segments)(part);
        let excerpts: Vec<_> =
            segments.iter().map(|segment| job.analyser.excerpt(job.signals, segment)).collect();
        let heads = excerpts
            .iter()
            .map(|excerpt| {
                let heads = excerpt.tracks.iter();
                heads.map(|track| TrackHead { rate: track.rate, start: track.start }).collect()
            })
            .collect();
        let message = wire::message(&Task::Predict { part, segments: heads })?;
        let transfer = Array::new();
        for track in excerpts.iter().flat_map(|excerpt| &excerpt.tracks) {
            let samples = Float32Array::from(&*track.samples);
            transfer.push(&samples.buffer());
            message.push(&samples);
        }
        self.worker.post_message_with_transfer(&message, &transfer)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}
