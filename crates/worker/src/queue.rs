//! One song at a time, in the order in which they came, each of which can be cancelled.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use cratedigger_protocol::{Event, FailureKind, Request};
use js_sys::Float32Array;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use crate::{Backend, Failure, Loaded, explain, song, wire};

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
    /// Absent while loading, while a song is under way, and after a failed first load.
    loaded: Option<Loaded>,
    /// Takes its place between two songs.
    next: Option<Loaded>,
    /// Whether the first load was asked for, and whether any is under way.
    begun: bool,
    loading: bool,
}

impl Shared {
    /// Puts networks to work: at once, or after the song under way.
    fn install(&mut self, loaded: Loaded, first: bool) {
        if first || self.loaded.is_some() {
            self.loaded = Some(loaded);
        } else {
            self.next = Some(loaded);
        }
    }

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
        Request::Load { models, set, rule } => {
            let mut state = shared.borrow_mut();
            if std::mem::replace(&mut state.loading, true) {
                let detail = "other networks are being loaded".to_owned();
                wire::post(&Event::Kept { set, detail }, None);
                return;
            }
            let first = !std::mem::replace(&mut state.begun, true);
            drop(state);
            let shared = Rc::clone(shared);
            spawn_local(async move {
                let outcome = crate::load(&models, set, rule, backend).await;
                shared.borrow_mut().loading = false;
                match outcome {
                    Ok(loaded) => {
                        shared.borrow_mut().install(loaded, first);
                        run(&shared, backend.batch).await;
                    }
                    Err(failure) if first => {
                        shared.borrow_mut().begun = false;
                        wire::post(&failure.event(None), None);
                    }
                    Err(Failure { detail, .. }) => wire::post(&Event::Kept { set, detail }, None),
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
    // Whoever holds the networks is the one who runs.
    let Some(mut loaded) = shared.borrow_mut().loaded.take() else { return };
    loop {
        if let Some(next) = shared.borrow_mut().next.take() {
            loaded = next;
        }
        let job = shared.borrow_mut().waiting.pop_front();
        let Some(job) = job else { break };
        let id = job.id;
        shared.borrow_mut().current = Some((id, false));
        let outcome = match job.task {
            Task::Analyse => song::analyse(&mut loaded, batch, &job, shared).await,
            Task::Explain { class } => {
                explain::explain(&mut loaded.analyser, batch, &job, class as usize, shared).await
            }
        };
        shared.borrow_mut().current = None;
        match outcome {
            Ok(true) => {}
            Ok(false) => wire::post(&Event::Cancelled { id }, None),
            Err(failure) => wire::post(&failure.event(Some(id)), None),
        }
    }
    shared.borrow_mut().loaded = Some(loaded);
}
