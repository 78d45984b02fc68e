//! One song at a time, in the order in which they came, each of which can be cancelled.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use cratedigger_protocol::{Event, FailureKind, Request};
use cratedigger_zoo::Analyser;
use js_sys::Float32Array;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use crate::{Backend, Failure, explain, song, wire};

/// What is to be done with the sound of a job.
#[derive(Clone, Copy)]
pub(crate) enum Task {
    Analyse,
    Explain { class: u32 },
}

/// A song, or a segment, that waits or is under way.
pub(crate) struct Job {
    pub(crate) id: u32,
    pub(crate) task: Task,
    pub(crate) sample_rate: u32,
    pub(crate) channels: Vec<Float32Array>,
}

/// What the message handler and the running song share.
#[derive(Default)]
pub(crate) struct Shared {
    waiting: VecDeque<Job>,
    /// The song under way, if any, and whether it was cancelled.
    current: Option<(u32, bool)>,
    /// Absent while loading, while a song is under way, and after a failed load.
    analyser: Option<Analyser>,
    loaded: bool,
}

impl Shared {
    /// Whether the song under way was cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.current.is_some_and(|(_, cancelled)| cancelled)
    }
}

/// Installs the message handler.
pub(crate) fn listen(backend: Backend) {
    let shared = Rc::new(RefCell::new(Shared::default()));
    let handler = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        match wire::read(&message.data()) {
            Ok((request, channels)) => handle(&shared, backend, request, channels),
            Err(detail) => wire::post(&Failure::new(FailureKind::BadRequest, detail).event(None), None),
        }
    });
    wire::scope().set_onmessage(Some(handler.as_ref().unchecked_ref()));
    handler.forget(); // it lives as long as the worker
}

fn handle(shared: &Rc<RefCell<Shared>>, backend: Backend, request: Request, channels: Vec<Float32Array>) {
    match request {
        Request::Load { models } => {
            let mut state = shared.borrow_mut();
            if std::mem::replace(&mut state.loaded, true) {
                wire::post(
                    &Failure::new(FailureKind::BadRequest, "the networks are loaded once").event(None),
                    None,
                );
                return;
            }
            drop(state);
            let shared = Rc::clone(shared);
            spawn_local(async move {
                match crate::load(&models, backend).await {
                    Ok(analyser) => {
                        shared.borrow_mut().analyser = Some(analyser);
                        run(&shared, backend.batch).await;
                    }
                    Err(failure) => wire::post(&failure.event(None), None),
                }
            });
        }
        Request::Analyse { id, sample_rate } => {
            enqueue(shared, backend, Job { id, task: Task::Analyse, sample_rate, channels });
        }
        Request::Explain { id, sample_rate, class } => {
            enqueue(shared, backend, Job { id, task: Task::Explain { class }, sample_rate, channels });
        }
        Request::Cancel { id } => {
            let mut state = shared.borrow_mut();
            if let Some((_, cancelled)) = state.current.as_mut().filter(|(current, _)| *current == id) {
                *cancelled = true; // the song itself answers when it gets there
                return;
            }
            let before = state.waiting.len();
            state.waiting.retain(|job| job.id != id);
            if state.waiting.len() < before {
                wire::post(&Event::Cancelled { id }, None);
            }
        }
    }
}

fn enqueue(shared: &Rc<RefCell<Shared>>, backend: Backend, job: Job) {
    shared.borrow_mut().waiting.push_back(job);
    let shared = Rc::clone(shared);
    spawn_local(async move { run(&shared, backend.batch).await });
}

/// Works through the queue, unless that is under way already or the networks are not there yet.
async fn run(shared: &Rc<RefCell<Shared>>, batch: usize) {
    // Whoever holds the analyser is the one who runs.
    let Some(mut analyser) = shared.borrow_mut().analyser.take() else { return };
    loop {
        let job = shared.borrow_mut().waiting.pop_front();
        let Some(job) = job else { break };
        let id = job.id;
        shared.borrow_mut().current = Some((id, false));
        let outcome = match job.task {
            Task::Analyse => song::analyse(&mut analyser, batch, &job, shared).await,
            Task::Explain { class } => {
                explain::explain(&mut analyser, batch, &job, class as usize, shared).await
            }
        };
        shared.borrow_mut().current = None;
        match outcome {
            Ok(true) => {}
            Ok(false) => wire::post(&Event::Cancelled { id }, None),
            Err(failure) => wire::post(&failure.event(Some(id)), None),
        }
    }
    shared.borrow_mut().analyser = Some(analyser);
}
