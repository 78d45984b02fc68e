//! The helper's side: predicts the excerpts that it is given.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use cratedigger_protocol::{FailureKind, Rule};
use cratedigger_zoo::{Analyser, Excerpt, Track};
use js_sys::{Array, Float32Array, Uint8Array};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use super::{Answer, Outputs, Task, TrackHead, memory};
use crate::{Backend, Failure, wire};

/// Messages that wait, and whether one is being handled.
#[derive(Default)]
struct State {
    waiting: VecDeque<JsValue>,
    running: bool,
    analyser: Option<Analyser>,
}

/// Installs the message handler.
pub(crate) fn listen(backend: Backend) {
    let state = Rc::new(RefCell::new(State::default()));
    let handler = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        state.borrow_mut().waiting.push_back(message.data());
        let state = Rc::clone(&state);
        spawn_local(async move { run(&state, backend).await });
    });
    wire::scope().set_onmessage(Some(handler.as_ref().unchecked_ref()));
    handler.forget(); // needed as long as the worker lives
}

/// Handles the messages that wait, one after the other, unless this is running already.
async fn run(state: &RefCell<State>, backend: Backend) {
    if std::mem::replace(&mut state.borrow_mut().running, true) {
        return;
    }
    let mut analyser = state.borrow_mut().analyser.take();
    loop {
        let next = state.borrow_mut().waiting.pop_front();
        let Some(message) = next else { break };
        if let Err(failure) = handle(&mut analyser, &message, backend).await {
            // The song's worker does without this helper, and finds the reason if it is the song.
            wire::post(&failure.event(None), None);
        }
    }
    let mut state = state.borrow_mut();
    state.analyser = analyser;
    state.running = false;
}

async fn handle(analyser: &mut Option<Analyser>, message: &JsValue, backend: Backend) -> Result<(), Failure> {
    let bad = |what: &dyn std::fmt::Display| Failure::new(FailureKind::BadRequest, what);
    let parts = Array::from(message);
    let task = serde_wasm_bindgen::from_value(parts.get(0)).map_err(|e| bad(&e))?;
    let payload = parts.iter().skip(1);
    match (task, analyser) {
        (Task::Load { rule }, analyser) => {
            let files = payload
                .map(|part| part.dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec()))
                .collect::<Result<_, _>>()
                .map_err(|_| bad(&"a file is not bytes"))?;
            *analyser = Some(load(files, rule, backend).await?);
            answer(&Answer::Loaded, None)
        }
        (Task::Predict { part, segments }, Some(analyser)) => {
            let excerpts = excerpts(&segments, payload).ok_or_else(|| bad(&"samples are missing"))?;
            let predictions = analyser.predict_excerpts(&excerpts).await?;
            let mut spectra = Vec::new();
            let segments = predictions
                .into_iter()
                .map(|prediction| {
                    let (outputs, mut db) = Outputs::of(prediction?);
                    spectra.append(&mut db);
                    Some(outputs)
                })
                .collect();
            answer(&Answer::Predicted { part, segments, memory: memory() }, Some(&spectra))
        }
        (Task::Predict { .. }, None) => Err(bad(&"no networks are loaded")),
    }
}

/// Loads the networks. Their golden logits were checked on this device by the song's worker.
async fn load(files: Vec<Vec<u8>>, rule: Option<Rule>, backend: Backend) -> Result<Analyser, Failure> {
    let mut files = files.into_iter();
    let manifest = crate::parse(&files.next().unwrap_or_default(), rule)?;
    let (device, _) = backend.device().await?;
    Analyser::load(&manifest, files.collect(), &device).map_err(|e| Failure::new(FailureKind::Models, e))
}

/// The excerpts with these heads; `None` if there are fewer tracks than heads.
fn excerpts(
    segments: &[Vec<TrackHead>],
    mut payload: impl Iterator<Item = JsValue>,
) -> Option<Vec<Excerpt<'static>>> {
    let mut track = |&TrackHead { rate, start }: &TrackHead| {
        let samples = payload.next()?.dyn_into::<Float32Array>().ok()?.to_vec();
        Some(Track { rate, start, samples: Cow::Owned(samples) })
    };
    let mut excerpts = Vec::with_capacity(segments.len());
    for heads in segments {
        excerpts.push(Excerpt { tracks: heads.iter().map(&mut track).collect::<Option<_>>()? });
    }
    Some(excerpts)
}

fn answer(answer: &Answer, spectra: Option<&[f32]>) -> Result<(), Failure> {
    wire::post_to_owner(answer, spectra).map_err(|e| Failure::new(FailureKind::Device, wire::describe(&e)))
}
