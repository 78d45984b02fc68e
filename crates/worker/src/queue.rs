//! The queue of jobs: one at a time, in the order of arrival, each of which can be cancelled.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::rc::Rc;

use cratedigger_protocol::collection::CollectionTask;
use cratedigger_protocol::{Event, FailureKind, Request};
use js_sys::{Float32Array, Uint8Array};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use crate::stream::{Piece, Pieces};
use crate::wire::Received;
use crate::{ActiveModels, Backend, Failure, Places, embed, explain, song, stream, wire};

/// Does a task and posts its answer; false if it was cancelled.
pub(crate) type Collections = for<'a> fn(
    &'a mut ActiveModels,
    &'a Job,
    &'a CollectionTask,
    &'a RefCell<Shared>,
) -> Pin<Box<dyn Future<Output = Result<bool, Failure>> + 'a>>;

/// The task of a job.
pub(crate) enum Task {
    Analyse,
    /// The samples come later, in pieces.
    Stream,
    Explain {
        class: u32,
    },
    Embed,
    Collection(CollectionTask),
}

/// A song or a segment, waiting or running.
pub(crate) struct Job {
    pub(crate) id: u32,
    pub(crate) task: Task,
    pub(crate) sample_rate: u32,
    pub(crate) channels: Vec<Float32Array>,
    /// A file, for tasks that take one.
    pub(crate) bytes: Option<Uint8Array>,
}

impl Job {
    /// A job on samples.
    fn of_sound(id: u32, task: Task, sample_rate: u32, channels: Vec<Float32Array>) -> Self {
        Self { id, task, sample_rate, channels, bytes: None }
    }
}

/// State shared by the message handler and the running job.
#[derive(Default)]
pub(crate) struct Shared {
    waiting: VecDeque<Job>,
    /// What came of the songs that come in pieces, by their ids.
    pub(crate) pieces: BTreeMap<u32, Pieces>,
    /// Id of the running job, if any, and whether it was cancelled.
    current: Option<(u32, bool)>,
    /// Absent before the first successful load, and while a job runs.
    models: Option<ActiveModels>,
    /// Replaces `models` between two jobs.
    next: Option<ActiveModels>,
    /// Whether the first load was requested.
    begun: bool,
    /// Whether a load is running.
    loading: bool,
}

impl Shared {
    /// Activates networks: at once, or after the running job.
    fn install(&mut self, models: ActiveModels, first: bool) {
        if first || self.models.is_some() {
            self.models = Some(models);
        } else {
            self.next = Some(models);
        }
    }

    /// Whether the running job was cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.current.is_some_and(|(_, cancelled)| cancelled)
    }
}

/// Installs the message handler.
pub(crate) fn listen(backend: Backend) {
    let shared = Rc::new(RefCell::new(Shared::default()));
    let handler = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        match wire::read(&message.data()) {
            Ok((request, payload)) => handle(&shared, backend, request, payload),
            Err(detail) => wire::post(&Failure::new(FailureKind::BadRequest, detail).event(None), None),
        }
    });
    wire::scope().set_onmessage(Some(handler.as_ref().unchecked_ref()));
    handler.forget(); // needed as long as the worker lives
}

fn handle(shared: &Rc<RefCell<Shared>>, backend: Backend, request: Request, payload: Received) {
    let Received { channels, bytes } = payload;
    match request {
        Request::Load { models, files, set, rule } => {
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
                let places = Places { folder: models, files };
                let result = crate::load(&places, set, rule, backend).await;
                shared.borrow_mut().loading = false;
                match result {
                    Ok(models) => {
                        shared.borrow_mut().install(models, first);
                        run(&shared).await;
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
            enqueue(shared, Job::of_sound(id, Task::Analyse, sample_rate, channels));
        }
        Request::Stream { id, sample_rate } => {
            shared.borrow_mut().pieces.insert(id, Pieces::default());
            enqueue(shared, Job::of_sound(id, Task::Stream, sample_rate, channels));
        }
        Request::Samples { id, expected } => {
            if let Some(samples) = channels.into_iter().next() {
                add_piece(shared, id, Piece::Samples(samples, expected));
            }
        }
        Request::End { id } => add_piece(shared, id, Piece::End),
        Request::Explain { id, sample_rate, class } => {
            enqueue(shared, Job::of_sound(id, Task::Explain { class }, sample_rate, channels));
        }
        Request::Embed { id, sample_rate } => {
            enqueue(shared, Job::of_sound(id, Task::Embed, sample_rate, channels));
        }
        Request::Collection { id, task } => {
            let sample_rate = match task {
                CollectionTask::Features { sample_rate } => sample_rate,
                _ => 0,
            };
            enqueue(shared, Job { id, task: Task::Collection(task), sample_rate, channels, bytes });
        }
        Request::Cancel { id } => {
            let mut state = shared.borrow_mut();
            if let Some((_, cancelled)) = state.current.as_mut().filter(|(current, _)| *current == id) {
                *cancelled = true; // the job itself answers at its next turn
                if let Some(pieces) = state.pieces.get_mut(&id) {
                    pieces.wake();
                }
                return;
            }
            let before = state.waiting.len();
            state.waiting.retain(|job| job.id != id);
            state.pieces.remove(&id);
            if state.waiting.len() < before {
                wire::post(&Event::Cancelled { id }, None);
            }
        }
    }
}

/// Adds a piece of a song. Nothing waits for the pieces of one that was cancelled or has failed.
fn add_piece(shared: &RefCell<Shared>, id: u32, piece: Piece) {
    if let Some(pieces) = shared.borrow_mut().pieces.get_mut(&id) {
        pieces.push(piece);
    }
}

fn enqueue(shared: &Rc<RefCell<Shared>>, job: Job) {
    shared.borrow_mut().waiting.push_back(job);
    let shared = Rc::clone(shared);
    spawn_local(async move { run(&shared).await });
}

/// Runs the queued jobs, unless another call already does or no networks are loaded yet.
async fn run(shared: &Rc<RefCell<Shared>>) {
    // The networks can be taken only once, so only one loop runs at a time.
    let Some(mut models) = shared.borrow_mut().models.take() else { return };
    loop {
        if let Some(next) = shared.borrow_mut().next.take() {
            models = next;
        }
        let job = shared.borrow_mut().waiting.pop_front();
        let Some(job) = job else { break };
        let id = job.id;
        shared.borrow_mut().current = Some((id, false));
        let batch = models.batch;
        let result = match &job.task {
            Task::Analyse => song::analyse(&mut models, &job, shared).await,
            Task::Stream => stream::analyse(&mut models, batch, &job, shared).await,
            Task::Explain { class } => {
                explain::explain(&mut models.analyser, batch, &job, *class, shared).await
            }
            Task::Embed => embed::embed(&mut models.analyser, batch, &job, shared).await,
            Task::Collection(task) => match models.collections {
                Some(run) => run(&mut models, &job, task, shared).await,
                None => Err(Failure::new(FailureKind::BadRequest, "another worker does this")),
            },
        };
        {
            let mut state = shared.borrow_mut();
            state.current = None;
            state.pieces.remove(&id);
        }
        match result {
            Ok(true) => {}
            Ok(false) => wire::post(&Event::Cancelled { id }, None),
            Err(failure) => wire::post(&failure.event(Some(id)), None),
        }
    }
    shared.borrow_mut().models = Some(models);
}
