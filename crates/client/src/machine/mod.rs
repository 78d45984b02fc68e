//! The life of every song as a pure state machine.
//!
//! [`Machine::handle`] takes one [`Input`] and returns the [`Effect`]s that the shell has to perform,
//! in order. It knows no browser type: samples are a type parameter `S`, and every test of this module
//! runs natively.
//!
//! One song at a time is the *job*: it is decoded, at once or piece by piece, sent to a worker, and followed
//! until it ends. A job
//! whose worker is lost is decoded and sent again, because the samples went to the worker. A request
//! gets a new id each time, so that an event about an earlier try cannot be taken for the current one;
//! a worker has a generation, so that an event of a replaced worker cannot be taken for its successor's.

mod message;
mod side;
mod songs;
mod stream;
mod workers;

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use cratedigger_protocol::DeviceKind;

pub use self::message::{Audio, Effect, Input, RequestId, StreamEvent, WorkerId};
use self::side::Explaining;
use self::songs::{Entry, Job};
use self::workers::Slot;
use crate::policy::DeviceState;
use crate::settings::Settings;
use crate::update::{FullSet, SongId, Status, Update};

/// Time that a worker has to answer a cancellation. It looks for one between segments, and a software
/// GPU takes seconds for each. A worker that takes longer hangs and would block every later song.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// State of the client. `S` holds the samples of one sound: a list of typed arrays in the browser.
#[derive(Debug)]
pub struct Machine<S> {
    /// Absolute URL of the folder with the manifest, with a slash at its end.
    models_url: String,
    /// Absolute URLs of the manifests and weights that are not in that folder, by name.
    model_files: BTreeMap<String, String>,
    settings: Settings,
    cpu: Slot,
    gpu: Slot,
    /// Whether the shell looks for a GPU adapter.
    finding_adapter: bool,
    full: FullSet,
    /// Whether an [`Update::Models`] was sent.
    models_known: bool,
    classes: Vec<String>,
    /// Every song that was opened, in the order of their turn.
    songs: Vec<Entry>,
    /// The song under way.
    job: Option<Job<S>>,
    explaining: Option<Explaining>,
    /// The piece of live sound that a worker has.
    live: Option<RequestId>,
    last_request: RequestId,
    effects: Vec<Effect<S>>,
}

impl<S> Machine<S> {
    /// A machine without workers and songs. `models_url` is the absolute URL of the folder with the
    /// manifest, with a slash at its end.
    pub fn new(models_url: String, settings: Settings) -> Self {
        Self {
            models_url,
            model_files: BTreeMap::new(),
            settings,
            cpu: Slot::default(),
            gpu: Slot::default(),
            finding_adapter: false,
            full: FullSet::None,
            models_known: false,
            classes: Vec::new(),
            songs: Vec::new(),
            job: None,
            explaining: None,
            live: None,
            last_request: 0,
            effects: Vec::new(),
        }
    }

    /// The same machine with the absolute URLs of those manifests and weights that are not in the folder, by name.
    #[must_use]
    pub fn with_model_files(mut self, files: BTreeMap<String, String>) -> Self {
        self.model_files = files;
        self
    }

    /// Takes one input; returns what the shell has to do, in order.
    pub fn handle(&mut self, input: Input<S>) -> Vec<Effect<S>> {
        match input {
            Input::Start => self.start(),
            Input::Open { song } => self.open(song),
            Input::Cancel { song } => self.cancel(song),
            Input::CancelAll => self.cancel_all(),
            Input::Retry { song } => self.retry(song),
            Input::Remove { song } => self.remove(song),
            Input::Raise { song } => self.raise(song),
            Input::SetMode(mode) => self.set_mode(mode),
            Input::SetModels(models) => self.set_models(models),
            Input::Listen(audio) => self.listen(audio),
            Input::Explain { song, segment, range, class } => self.explain(song, segment, range, class),
            Input::StopExplaining => self.stop_explaining(),
            Input::Decoded { request, result } => self.decoded(request, result),
            Input::Undecoded { request } => self.undecoded(request),
            Input::Stream { request, event } => self.stream_event(request, event),
            Input::WorkerEvent { worker, event, payload } => self.worker_event(worker, event, payload),
            Input::WorkerLost { worker, detail } => self.worker_lost(worker, &detail),
            Input::Adapter(found) => self.adapter(found),
            Input::PatienceOver { worker, request } => self.patience_over(worker, request),
        }
        mem::take(&mut self.effects)
    }

    /// Where a song stands; `None` for a song that was never opened, or was removed.
    pub fn status(&self, song: SongId) -> Option<Status> {
        self.entry(song).map(|entry| entry.status)
    }

    /// The song under way.
    pub fn current(&self) -> Option<SongId> {
        self.job.as_ref().map(|job| job.song)
    }

    /// State of a device.
    pub fn device(&self, kind: DeviceKind) -> &DeviceState {
        &self.slot(kind).state
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    fn entry(&self, song: SongId) -> Option<&Entry> {
        self.songs.iter().find(|entry| entry.id == song)
    }

    fn slot(&self, kind: DeviceKind) -> &Slot {
        match kind {
            DeviceKind::Cpu => &self.cpu,
            DeviceKind::WebGpu => &self.gpu,
        }
    }

    fn slot_mut(&mut self, kind: DeviceKind) -> &mut Slot {
        match kind {
            DeviceKind::Cpu => &mut self.cpu,
            DeviceKind::WebGpu => &mut self.gpu,
        }
    }

    fn next_request(&mut self) -> RequestId {
        self.last_request = self.last_request.wrapping_add(1);
        self.last_request
    }

    fn notify(&mut self, update: Update) {
        self.effects.push(Effect::Notify(update));
    }

    fn warn(&mut self, text: String) {
        self.effects.push(Effect::Warn(text));
    }
}
