//! The page's side of the workers: starts them, sends songs, follows what comes back, and
//! replaces a worker that fails.

mod client;
pub mod policy;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use cratedigger_protocol::{DeviceKind, Event, FailureKind, Request};
use js_sys::{Function, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{File, Url};

use self::client::{Client, Report};
use self::policy::{DeviceState, Mode, Recovery, Step};
use crate::decode::{self, Decoded};
use crate::state::{Phase, State};
use crate::trouble::{Trouble, device_reason};

/// How long a worker may take to answer a cancellation. It looks for one between segments, and a
/// software GPU takes seconds for each. One that takes longer hangs, and would block every song.
const PATIENCE: Duration = Duration::from_secs(30);
/// Under which the chosen [`Mode`] is remembered.
const STORED_MODE: &str = "cratedigger.device";

/// The one song that the page is about.
struct Song {
    id: u32,
    /// Kept instead of the samples, which are a hundred times as large and were transferred: a
    /// song that has to be done again is decoded again.
    file: File,
    /// Decoded, and not sent yet.
    waiting: Option<Decoded>,
    /// The worker that has it.
    running: Option<DeviceKind>,
    /// How many CPU workers died of it.
    cpu_deaths: u32,
}

#[derive(Default)]
struct Slot {
    client: RefCell<Option<Client>>,
    /// Tells a worker's late words from those of its successor.
    generation: Cell<u32>,
    /// The song that it was told to stop and hasn't answered for.
    stopping: Cell<Option<u32>>,
}

/// Owns the workers and the song; everything it learns goes into the [`State`].
pub struct Engine {
    state: State,
    base: String,
    cpu: Slot,
    gpu: Slot,
    song: RefCell<Option<Song>>,
    last_id: Cell<u32>,
}

impl Engine {
    /// Starts the CPU worker; the GPU's follows when that is ready, if it may and can.
    pub fn start(state: State) -> Rc<Self> {
        if let Some(mode) = stored_mode() {
            state.mode.set(mode);
        }
        let engine = Rc::new(Self {
            state,
            base: base_url().unwrap_or_default(),
            cpu: Slot::default(),
            gpu: Slot::default(),
            song: RefCell::new(None),
            last_id: Cell::new(0),
        });
        engine.start_worker(DeviceKind::Cpu);
        engine
    }

    /// Takes a new song; one that is under way is cancelled.
    pub fn open(self: &Rc<Self>, file: File) {
        self.abandon();
        let id = self.next_id();
        self.state.begin(file.name());
        *self.song.borrow_mut() = Some(Song { id, file, waiting: None, running: None, cpu_deaths: 0 });
        self.decode(id);
    }

    /// The visitor gave up on the song that is under way.
    pub fn cancel(self: &Rc<Self>) {
        self.abandon();
        self.state.clear();
    }

    /// Something was offered that is no song.
    pub fn refuse(self: &Rc<Self>, trouble: Trouble) {
        self.abandon();
        self.state.clear();
        self.state.fail(trouble);
    }

    /// The visitor chose a device. A song under way stays where it is.
    pub fn set_mode(self: &Rc<Self>, mode: Mode) {
        self.state.mode.set(mode);
        store_mode(mode);
        // Asking for the GPU by name is asking to try it again.
        let lost = self
            .state
            .gpu
            .with_untracked(|gpu| matches!(gpu, DeviceState::Failed(_) | DeviceState::Unavailable(_)));
        if mode == Mode::WebGpu && lost {
            self.state.gpu.set(DeviceState::Off);
        }
        self.consider_gpu();
    }

    fn next_id(&self) -> u32 {
        let id = self.last_id.get().wrapping_add(1);
        self.last_id.set(id);
        id
    }

    fn slot(&self, kind: DeviceKind) -> &Slot {
        match kind {
            DeviceKind::Cpu => &self.cpu,
            DeviceKind::WebGpu => &self.gpu,
        }
    }

    fn set_device(&self, kind: DeviceKind, to: DeviceState) {
        match kind {
            DeviceKind::Cpu => self.state.cpu.set(to),
            DeviceKind::WebGpu => self.state.gpu.set(to),
        }
    }

    fn send(
        &self,
        kind: DeviceKind,
        request: &Request,
        payload: &[js_sys::Float32Array],
    ) -> Result<(), JsValue> {
        match self.slot(kind).client.borrow().as_ref() {
            Some(client) => client.send(request, payload),
            None => Err(JsValue::from_str("no worker")),
        }
    }

    /// Forgets the song, and tells its worker.
    fn abandon(self: &Rc<Self>) {
        let Some(Song { id, running: Some(kind), .. }) = self.song.take() else { return };
        // If this can't be sent the worker is gone, and the song with it.
        let _ = self.send(kind, &Request::Cancel { id }, &[]);
        let slot = self.slot(kind);
        slot.stopping.set(Some(id));
        let generation = slot.generation.get();
        let engine = Rc::downgrade(self);
        set_timeout(
            move || {
                let Some(engine) = engine.upgrade() else { return };
                let slot = engine.slot(kind);
                if slot.generation.get() == generation && slot.stopping.get() == Some(id) {
                    engine.lose(kind, FailureKind::Device, "no answer to a cancellation");
                }
            },
            PATIENCE,
        );
    }

    fn start_worker(self: &Rc<Self>, kind: DeviceKind) {
        let slot = self.slot(kind);
        let generation = slot.generation.get().wrapping_add(1);
        slot.generation.set(generation);
        self.set_device(kind, DeviceState::Loading);

        let engine = Rc::downgrade(self);
        let report = move |report| {
            if let Some(engine) = engine.upgrade()
                && engine.slot(kind).generation.get() == generation
            {
                engine.hear(kind, report);
            }
        };
        let started = Client::start(kind, &self.base, report).and_then(|client| {
            *slot.client.borrow_mut() = Some(client);
            self.send(kind, &Request::Load { models: format!("{}models/", self.base) }, &[])
        });
        if let Err(error) = started {
            self.lose(kind, FailureKind::Device, &describe(&error));
        }
    }

    fn hear(self: &Rc<Self>, kind: DeviceKind, report: Report) {
        let current = self.song.borrow().as_ref().map(|song| song.id);
        match report {
            Report::Died(detail) => self.lose(kind, FailureKind::Device, &detail),
            Report::Event(event, payload) => match event {
                Event::Ready {
                    device_name,
                    classes,
                    models,
                    golden_difference,
                    golden_tolerance,
                    milliseconds_per_segment,
                    ..
                } => {
                    self.set_device(
                        kind,
                        DeviceState::Ready {
                            name: device_name,
                            milliseconds: milliseconds_per_segment,
                            difference: golden_difference,
                            tolerance: golden_tolerance,
                        },
                    );
                    self.state.classes.set(classes);
                    self.state.models.set(models);
                    self.dispatch();
                    self.consider_gpu();
                }
                Event::Failed { id: None, kind: failure, detail } => {
                    self.lose(kind, failure, &detail);
                }
                Event::Failed { id, kind: failure, detail } if id == current => match failure {
                    FailureKind::Device
                    | FailureKind::GoldenMismatch
                    | FailureKind::NoGpu
                    | FailureKind::Models => self.lose(kind, failure, &detail),
                    _ => {
                        leptos::logging::warn!("song refused: {detail}");
                        self.song.take();
                        self.state.fail(Trouble::of(failure));
                    }
                },
                event => {
                    let ends = matches!(
                        event,
                        Event::Finished { .. } | Event::Cancelled { .. } | Event::Failed { .. }
                    );
                    if ends && song_of(&event) == self.slot(kind).stopping.get() {
                        self.slot(kind).stopping.set(None);
                    }
                    if song_of(&event) != current || current.is_none() {
                        return;
                    }
                    if ends {
                        self.song.take();
                    }
                    self.state.apply(kind, event, payload.map(|values| values.to_vec()));
                }
            },
        }
    }

    /// A worker is gone, or of no use: throw it away, and do its song somewhere else.
    fn lose(self: &Rc<Self>, kind: DeviceKind, failure: FailureKind, detail: &str) {
        leptos::logging::warn!("{kind:?} worker lost ({failure:?}): {detail}");
        let slot = self.slot(kind);
        slot.generation.set(slot.generation.get().wrapping_add(1));
        if let Some(client) = slot.client.take() {
            // Not here: this may run inside one of the client's own closures.
            spawn_local(async move { drop(client) });
        }
        self.set_device(kind, DeviceState::Failed(device_reason(failure).into()));

        let affected = self.song.borrow().as_ref().and_then(|song| {
            // A song that waits, waits for the CPU.
            let waits = song.running.is_none() && song.waiting.is_some();
            (song.running == Some(kind) || (waits && kind == DeviceKind::Cpu))
                .then_some((song.id, song.cpu_deaths))
        });
        let Some((id, deaths)) = affected else { return };
        match policy::recovery(kind, deaths) {
            Recovery::GiveUp => {
                self.song.take();
                self.state.fail(Trouble::of(failure));
            }
            recovery => {
                let words = match recovery {
                    Recovery::RestartCpu => "The CPU worker stopped and was started again.",
                    _ => "The GPU stopped, so the CPU does this song again.",
                };
                self.state.notice.set(Some(words.into()));
                if let Some(song) = self.song.borrow_mut().as_mut() {
                    song.running = None;
                    song.waiting = None;
                    song.cpu_deaths += u32::from(kind == DeviceKind::Cpu);
                }
                if recovery == Recovery::RestartCpu {
                    self.start_worker(DeviceKind::Cpu);
                }
                self.decode(id);
            }
        }
    }

    /// Decodes the song's file and sends it as soon as a device is ready.
    fn decode(self: &Rc<Self>, id: u32) {
        let Some(file) = self.song.borrow().as_ref().map(|song| song.file.clone()) else { return };
        let engine = self.clone();
        spawn_local(async move {
            let decoded = decode::decode(&file).await;
            {
                let mut slot = engine.song.borrow_mut();
                // Another song may have been dropped in the meantime.
                let Some(song) = slot.as_mut().filter(|song| song.id == id) else { return };
                match decoded {
                    Ok(samples) => song.waiting = Some(samples),
                    Err(trouble) => {
                        *slot = None;
                        drop(slot);
                        engine.state.fail(trouble);
                        return;
                    }
                }
            }
            engine.dispatch();
        });
    }

    /// Sends the song if it is decoded and a device is ready.
    fn dispatch(self: &Rc<Self>) {
        let waits = self.song.borrow().as_ref().is_some_and(|song| song.waiting.is_some());
        if !waits {
            return;
        }
        self.state.phase.set(Phase::Analysing);
        let state = self.state;
        let (mode, cpu, gpu) =
            (state.mode.get_untracked(), state.cpu.get_untracked(), state.gpu.get_untracked());
        let retried = self.song.borrow().as_ref().is_some_and(|song| song.cpu_deaths > 0);
        // What a song was taken from the GPU for must not send it back there.
        let mode = if retried { Mode::Cpu } else { mode };
        match policy::next_step(mode, &cpu, &gpu) {
            Step::Wait => {}
            Step::StartCpu => {
                if let Some(song) = self.song.borrow_mut().as_mut() {
                    song.cpu_deaths += 1;
                }
                self.start_worker(DeviceKind::Cpu);
            }
            Step::Use(kind) => {
                if mode == Mode::WebGpu && kind == DeviceKind::Cpu && state.notice.get_untracked().is_none() {
                    let words = match gpu {
                        DeviceState::Off | DeviceState::Loading => {
                            "WebGPU isn’t ready yet, so the CPU does this song."
                        }
                        _ => "WebGPU doesn’t work here, so the CPU does this song.",
                    };
                    state.notice.set(Some(words.into()));
                }
                let Some((id, samples)) = self.song.borrow_mut().as_mut().and_then(|song| {
                    song.running = Some(kind);
                    Some((song.id, song.waiting.take()?))
                }) else {
                    return;
                };
                let request = Request::Analyse { id, sample_rate: samples.sample_rate };
                if let Err(error) = self.send(kind, &request, &samples.channels) {
                    self.lose(kind, FailureKind::Device, &describe(&error));
                }
            }
        }
    }

    /// Looks for a GPU, and loads its worker if there is one.
    fn consider_gpu(self: &Rc<Self>) {
        let state = self.state;
        let wanted = state.cpu.with_untracked(|cpu| {
            state.gpu.with_untracked(|gpu| policy::wants_gpu(state.mode.get_untracked(), cpu, gpu))
        });
        if !wanted {
            return;
        }
        state.gpu.set(DeviceState::Loading);
        let engine = self.clone();
        spawn_local(async move {
            match adapter().await {
                Ok(()) => engine.start_worker(DeviceKind::WebGpu),
                Err(reason) => engine.state.gpu.set(DeviceState::Unavailable(reason.into())),
            }
        });
    }
}

/// The song that an event is about.
fn song_of(event: &Event) -> Option<u32> {
    match event {
        Event::Ready { .. } => None,
        Event::Failed { id, .. } => *id,
        Event::Started { id, .. }
        | Event::Segment { id, .. }
        | Event::Silent { id, .. }
        | Event::Finished { id, .. }
        | Event::Cancelled { id } => Some(*id),
    }
}

/// Whether there is a GPU at all: asked through reflection, since the bindings for WebGPU are
/// unstable and this is all that the page needs of them.
async fn adapter() -> Result<(), &'static str> {
    const NO_API: &str = "this browser doesn’t offer it";
    const NO_ADAPTER: &str = "no suitable graphics card found";
    let navigator = web_sys::window().ok_or(NO_API)?.navigator();
    let gpu = Reflect::get(&navigator, &"gpu".into()).map_err(|_| NO_API)?;
    if !gpu.is_object() {
        return Err(NO_API);
    }
    let request: Function =
        Reflect::get(&gpu, &"requestAdapter".into()).and_then(JsCast::dyn_into).map_err(|_| NO_API)?;
    let promise: Promise = request.call0(&gpu).and_then(JsCast::dyn_into).map_err(|_| NO_ADAPTER)?;
    let adapter = JsFuture::from(promise).await.map_err(|_| NO_ADAPTER)?;
    if adapter.is_object() { Ok(()) } else { Err(NO_ADAPTER) }
}

fn base_url() -> Option<String> {
    let here = web_sys::window()?.location().href().ok()?;
    Some(Url::new_with_base("./", &here).ok()?.href())
}

/// Storage may be blocked, full or absent; the choice is then only good for this visit.
fn stored_mode() -> Option<Mode> {
    let storage = web_sys::window()?.local_storage().ok()??;
    Mode::from_id(&storage.get_item(STORED_MODE).ok()??)
}

fn store_mode(mode: Mode) {
    if let Some(Ok(Some(storage))) = web_sys::window().map(|window| window.local_storage()) {
        let _ = storage.set_item(STORED_MODE, mode.id());
    }
}

fn describe(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()))
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "unknown error".into())
}
