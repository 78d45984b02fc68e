//! The page's side of the workers: starts them, sends one song after the other, follows what
//! comes back, and replaces a worker that fails.

mod build_status;
mod client;
pub mod policy;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use cratedigger_protocol::{DeviceKind, Event, FailureKind, ModelSet, Request, Rule};
use js_sys::{Float32Array, Function, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{File, Url};

use self::client::{Client, Report};
use self::policy::{DeviceState, Mode, Recovery, Step};
use crate::decode::{self, Decoded};
use crate::state::{Explained, Full, Probabilities, Segment, Song, State, Status, Tiles};
use crate::trouble::{Notice, Reason, Trouble};
use crate::{history, store};

/// How long a worker may take to answer a cancellation. It looks for one between segments, and a
/// software GPU takes seconds for each. One that takes longer hangs, and would block every song.
const PATIENCE: Duration = Duration::from_secs(30);
/// Under which the chosen [`Mode`] is remembered.
const STORED_MODE: &str = "cratedigger.device";
/// Under which it is remembered that the fast network is enough, and another rule than the measured one.
const STORED_SET: &str = "cratedigger.networks";
const STORED_RULE: &str = "cratedigger.rule";

/// Which networks, and how they decide.
type Networks = (ModelSet, Option<Rule>);

/// One try at a song.
struct Job {
    /// What the worker knows it by: a song that is tried again gets another, so that late words
    /// about the first try can't be taken for the second.
    id: u32,
    /// The [`Song`].
    song: u32,
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
    /// The job that it was told to stop and hasn't answered for.
    stopping: Cell<Option<u32>>,
    /// The networks that it has, with their rule; those that it was asked for last, which are others
    /// until it has answered; and those that it could not load.
    has: Cell<Option<Networks>>,
    asked: Cell<Option<Networks>>,
    refused: Cell<Option<Networks>>,
}

/// Owns the workers and the files; everything it learns goes into the [`State`].
pub struct Engine {
    state: State,
    base: String,
    cpu: Slot,
    gpu: Slot,
    /// Kept instead of the samples, which are a hundred times as large and were transferred: a
    /// song that has to be done again is decoded again.
    files: RefCell<BTreeMap<u32, File>>,
    job: RefCell<Option<Job>>,
    /// The explanation that a worker works on.
    explaining: Cell<Option<u32>>,
    /// The piece of live sound that a worker has.
    live: Cell<Option<u32>>,
    last_id: Cell<u32>,
    last_added: Cell<f64>,
}

impl Engine {
    /// Starts the CPU worker; the GPU's follows when that is ready, if it may and can.
    pub fn start(state: State) -> Rc<Self> {
        if let Some(mode) = store::get(STORED_MODE).as_deref().and_then(Mode::from_id) {
            state.mode.set(mode);
        }
        if store::get(STORED_SET).as_deref() == Some(set_id(ModelSet::Fast)) {
            state.wanted.set(ModelSet::Fast);
        }
        let stored = store::get(STORED_RULE);
        state
            .rule
            .set(RULES.into_iter().flatten().find(|rule| stored.as_deref() == Some(rule_id(Some(*rule)))));
        let engine = Rc::new(Self {
            state,
            base: base_url().unwrap_or_default(),
            cpu: Slot::default(),
            gpu: Slot::default(),
            files: RefCell::default(),
            job: RefCell::new(None),
            explaining: Cell::new(None),
            live: Cell::new(None),
            last_id: Cell::new(0),
            last_added: Cell::new(0.0),
        });
        engine.start_worker(DeviceKind::Cpu);
        engine
    }

    /// Takes new songs, in this order; with `show`, the first of them is shown.
    pub fn open(self: &Rc<Self>, files: Vec<File>, show: bool) {
        let mut first = None;
        for file in files {
            // A key of the history: no two songs of one drop may share it.
            let added = js_sys::Date::now().max(self.last_added.get() + 1.0);
            self.last_added.set(added);
            let song = self.state.add(added, file.name(), true, Status::Waiting);
            self.files.borrow_mut().insert(song.id, file);
            first.get_or_insert(song.id);
        }
        if show && first.is_some() {
            self.state.show(first);
        }
        self.next();
    }

    /// The file of a song, to be played.
    pub fn file(&self, song: u32) -> Option<File> {
        self.files.borrow().get(&song).cloned()
    }

    /// The visitor gave up on a song; what was heard of it stays.
    pub fn cancel(self: &Rc<Self>, id: u32) {
        let Some(song) = self.state.find(id).filter(|song| song.status.get_untracked().is_open()) else {
            return;
        };
        song.status.set(Status::Cancelled);
        if self.current().is_some_and(|(_, current)| current == id) {
            self.abandon();
            self.next();
        }
    }

    /// The visitor gave up on everything that waits or is under way.
    pub fn cancel_all(self: &Rc<Self>) {
        let open: Vec<Song> = self.state.songs.with_untracked(|all| {
            all.iter().filter(|s| s.status.get_untracked().is_open()).copied().collect()
        });
        for song in open {
            song.status.set(Status::Cancelled);
        }
        self.abandon();
    }

    /// Tries a song again that failed or was cancelled.
    pub fn retry(self: &Rc<Self>, id: u32) {
        let again =
            |song: &Song| matches!(song.status.get_untracked(), Status::Failed(_) | Status::Cancelled);
        if let Some(song) = self.state.find(id).filter(|song| song.audible && again(song)) {
            song.notice.set(None);
            song.status.set(Status::Waiting);
            self.next();
        }
    }

    /// Takes a song out of the crate.
    pub fn remove(self: &Rc<Self>, id: u32) {
        self.cancel(id);
        self.files.borrow_mut().remove(&id);
        self.state.remove(id);
    }

    /// Lets a song that waits have its turn one place earlier.
    pub fn raise(&self, id: u32) {
        let waits = |song: &Song| song.status.get_untracked() == Status::Waiting;
        self.state.songs.update(|all| {
            let Some(at) = all.iter().position(|song| song.id == id) else { return };
            let before = all.get(..at).and_then(|before| before.iter().rposition(waits));
            if let Some(before) = before {
                all.swap(at, before);
            }
        });
    }

    /// The visitor chose a device. A song under way stays where it is.
    pub fn set_mode(self: &Rc<Self>, mode: Mode) {
        self.state.mode.set(mode);
        store::set(STORED_MODE, mode.id());
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

    /// The visitor chose the networks, or how they decide. A song under way is not touched.
    pub fn set_networks(self: &Rc<Self>, set: ModelSet, rule: Option<Rule>) {
        self.state.wanted.set(set);
        self.state.rule.set(rule);
        store::set(STORED_SET, set_id(set));
        store::set(STORED_RULE, rule_id(rule));
        // Choosing them is asking to try again.
        if self.state.full.get_untracked() == Full::Failed {
            self.state.full.set(Full::Offered);
        }
        self.cpu.refused.set(None);
        self.gpu.refused.set(None);
        self.consider_networks();
    }

    /// Has a song judged again that only the fast network has heard.
    pub fn ask_all(self: &Rc<Self>, id: u32) {
        if let Some(song) =
            self.state.find(id).filter(|song| song.audible && !song.status.get_untracked().is_open())
        {
            song.status.set(Status::Waiting);
            self.next();
        }
    }

    /// Asks the workers for the networks that are wanted, if they have others. Not while a song is
    /// under way, which would wait for it.
    fn consider_networks(self: &Rc<Self>) {
        let state = self.state;
        if self.job.borrow().is_some() {
            return;
        }
        let offered = state.full.get_untracked() != Full::None;
        let set = if offered { state.wanted.get_untracked() } else { ModelSet::Fast };
        let wanted = (set, state.rule.get_untracked());
        for kind in [DeviceKind::Cpu, DeviceKind::WebGpu] {
            let slot = self.slot(kind);
            let (has, refused) = (slot.has.get(), slot.refused.get());
            let busy = has.is_none() || slot.asked.get() != has;
            if busy || has == Some(wanted) || refused == Some(wanted) {
                continue;
            }
            slot.asked.set(Some(wanted));
            if set == ModelSet::Full && state.full.get_untracked() == Full::Offered {
                state.full.set(Full::Loading);
            }
            if let Err(error) = self.send(kind, &self.load(wanted), &[]) {
                self.lose(kind, FailureKind::Device, &describe(&error));
            }
        }
    }

    fn load(&self, (set, rule): Networks) -> Request {
        Request::Load { models: format!("{}models/", self.base), set, rule }
    }

    /// Has a piece of live sound judged, unless the last one still is: then this one is let go,
    /// since the next comes within a second.
    pub fn listen(self: &Rc<Self>, samples: Float32Array, sample_rate: u32) {
        if self.live.get().is_some() {
            return;
        }
        let state = self.state;
        let step = policy::next_step(
            state.mode.get_untracked(),
            &state.cpu.get_untracked(),
            &state.gpu.get_untracked(),
        );
        match step {
            Step::Wait => {}
            Step::StartCpu => self.start_worker(DeviceKind::Cpu),
            Step::Use(kind) => {
                let id = self.next_id();
                self.live.set(Some(id));
                if let Err(error) = self.send(kind, &Request::Analyse { id, sample_rate }, &[samples]) {
                    self.lose(kind, FailureKind::Device, &describe(&error));
                }
            }
        }
    }

    /// Asks why a segment sounds like a genre. Another question replaces the one under way.
    pub fn explain(self: &Rc<Self>, song: Song, segment: &Segment, class: usize) {
        let Some(file) = self.file(song.id) else { return };
        self.stop_explaining();
        let id = self.next_id();
        self.explaining.set(Some(id));
        self.state.explained.set(Some(Explained {
            song: song.id,
            segment: segment.index,
            class,
            tiles: None,
        }));
        let (start, end) = (segment.start, segment.end);
        let engine = self.clone();
        spawn_local(async move {
            // The samples went to the worker and were let go there: they come from the file again.
            let decoded = decode::decode(&file).await;
            if engine.explaining.get() != Some(id) {
                return;
            }
            let sent = decoded.ok().and_then(|samples| {
                let rate = samples.sample_rate;
                let place = |time: f64| (time * f64::from(rate)).round().max(0.0) as u32;
                let part: Vec<Float32Array> =
                    samples.channels.iter().map(|channel| channel.slice(place(start), place(end))).collect();
                let kind = engine.ready_device()?;
                let request = Request::Explain { id, sample_rate: rate, class: u32::try_from(class).ok()? };
                engine.send(kind, &request, &part).ok()
            });
            if sent.is_none() {
                engine.explained(None);
            }
        });
    }

    /// Lets go of a question that nobody waits for any more.
    pub fn stop_explaining(&self) {
        if let Some(id) = self.explaining.take() {
            for kind in [DeviceKind::Cpu, DeviceKind::WebGpu] {
                // A worker that doesn't have it doesn't mind.
                let _ = self.send(kind, &Request::Cancel { id }, &[]);
            }
        }
        self.state.explained.set(None);
    }

    fn explained(&self, tiles: Option<Tiles>) {
        self.explaining.set(None);
        if tiles.is_none() {
            self.state.notice.set(Some(Notice::NotExplained));
            self.state.explained.set(None);
        } else {
            self.state.explained.update(|all| {
                if let Some(explained) = all {
                    explained.tiles = tiles;
                }
            });
        }
    }

    /// The device that the next song would be sent to, if one is ready.
    fn ready_device(&self) -> Option<DeviceKind> {
        let state = self.state;
        let (cpu, gpu) = (state.cpu.get_untracked(), state.gpu.get_untracked());
        match policy::next_step(state.mode.get_untracked(), &cpu, &gpu) {
            Step::Use(kind) => Some(kind),
            Step::Wait | Step::StartCpu => None,
        }
    }

    fn next_id(&self) -> u32 {
        let id = self.last_id.get().wrapping_add(1);
        self.last_id.set(id);
        id
    }

    /// The job's and the song's id.
    fn current(&self) -> Option<(u32, u32)> {
        self.job.borrow().as_ref().map(|job| (job.id, job.song))
    }

    fn current_song(&self) -> Option<Song> {
        self.state.find(self.current()?.1)
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

    fn send(&self, kind: DeviceKind, request: &Request, payload: &[Float32Array]) -> Result<(), JsValue> {
        match self.slot(kind).client.borrow().as_ref() {
            Some(client) => client.send(request, payload),
            None => Err(JsValue::from_str("no worker")),
        }
    }

    /// Starts on the first song that waits, unless one is under way.
    fn next(self: &Rc<Self>) {
        if self.job.borrow().is_some() {
            return;
        }
        let waits = |song: &&Song| song.status.get_untracked() == Status::Waiting;
        let Some(song) = self.state.songs.with_untracked(|all| all.iter().find(waits).copied()) else {
            return;
        };
        let id = self.next_id();
        *self.job.borrow_mut() = Some(Job { id, song: song.id, waiting: None, running: None, cpu_deaths: 0 });
        song.status.set(Status::Decoding);
        self.decode(id);
    }

    /// The current song has come to an end; on with the next.
    fn end(self: &Rc<Self>, status: Status) {
        let song = self.current_song();
        self.job.take();
        if let Some(song) = song {
            if matches!(status, Status::Failed(_)) {
                song.notice.set(None);
            }
            song.status.set(status);
        }
        self.next();
        self.consider_networks();
    }

    /// Forgets the job, and tells its worker.
    fn abandon(self: &Rc<Self>) {
        let Some(Job { id, running: Some(kind), .. }) = self.job.take() else { return };
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
            // The small set first, whatever is wanted: it answers first.
            let first = (ModelSet::Fast, self.state.rule.get_untracked());
            slot.has.set(None);
            slot.asked.set(Some(first));
            self.send(kind, &self.load(first), &[])
        });
        if let Err(error) = started {
            self.lose(kind, FailureKind::Device, &describe(&error));
        }
    }

    fn hear(self: &Rc<Self>, kind: DeviceKind, report: Report) {
        let current = self.current().map(|(job, _)| job);
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
                    set,
                    more,
                    metrics,
                    ..
                } => {
                    let slot = self.slot(kind);
                    slot.has.set(slot.asked.get());
                    match (set, more, self.state.full.get_untracked()) {
                        (ModelSet::Full, ..) => self.state.full.set(Full::Ready),
                        (ModelSet::Fast, true, Full::None) => self.state.full.set(Full::Offered),
                        _ => {}
                    }
                    self.set_device(
                        kind,
                        DeviceState::Ready {
                            name: device_name,
                            milliseconds: milliseconds_per_segment,
                            difference: golden_difference,
                            tolerance: golden_tolerance,
                        },
                    );
                    if self.state.classes.with_untracked(|old| *old != classes) {
                        self.state.classes.set(classes);
                    }
                    // A GPU that comes later has the fast ones first, and nothing new to say of them.
                    if set == ModelSet::Full
                        || self.state.wanted.get_untracked() == set
                        || self.state.models.with_untracked(Vec::is_empty)
                    {
                        self.state.models.set(models);
                        self.state.together.set(metrics);
                    }
                    self.dispatch();
                    self.consider_gpu();
                    self.consider_networks();
                }
                Event::Kept { set, detail } => {
                    leptos::logging::warn!("{kind:?} worker keeps its networks: {detail}");
                    let slot = self.slot(kind);
                    slot.refused.set(slot.asked.get());
                    slot.asked.set(slot.has.get());
                    if set == ModelSet::Full && self.state.full.get_untracked() == Full::Loading {
                        self.state.full.set(Full::Failed);
                    }
                    self.consider_networks();
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
                        self.end(Status::Failed(Trouble::of(failure)));
                    }
                },
                event => {
                    let id = song_of(&event);
                    let ends = matches!(
                        event,
                        Event::Finished { .. } | Event::Cancelled { .. } | Event::Failed { .. }
                    );
                    if ends && id == self.slot(kind).stopping.get() {
                        self.slot(kind).stopping.set(None);
                    }
                    if id.is_some() && id == self.explaining.get() {
                        match event {
                            Event::Explained { rows, columns, .. } => {
                                let (rows, columns) = (rows as usize, columns as usize);
                                let values = payload.map(|values| values.to_vec()).unwrap_or_default();
                                let fits = !values.is_empty() && values.len() == rows * columns;
                                self.explained(fits.then_some(Tiles { rows, columns, values }));
                            }
                            _ => self.explained(None),
                        }
                    } else if id.is_some() && id == self.live.get() {
                        if ends {
                            self.live.set(None);
                        }
                        self.hear_live(event);
                    } else if id.is_some() && id == current {
                        self.hear_song(kind, event, payload.map(|values| values.to_vec()));
                    }
                }
            },
        }
    }

    fn hear_song(self: &Rc<Self>, kind: DeviceKind, event: Event, payload: Option<Vec<f32>>) {
        let Some(song) = self.current_song() else { return };
        let (finished, cancelled) =
            (matches!(event, Event::Finished { .. }), matches!(event, Event::Cancelled { .. }));
        song.apply(kind, event, payload);
        if finished {
            history::keep(self.state, song);
            self.end(Status::Done);
        } else if cancelled {
            self.end(Status::Cancelled);
        }
    }

    /// A piece of live sound lies at the end of what was heard so far.
    fn hear_live(&self, event: Event) {
        let live = self.state.live;
        if live.ear.get_untracked().is_none() {
            return;
        }
        let verdict = match event {
            Event::Segment { probabilities, members, .. } => Some(Probabilities { probabilities, members }),
            Event::Silent { .. } => None,
            _ => return,
        };
        let end = live.seconds.get_untracked();
        live.heard.update(|all| {
            let start = all.last().map_or((end - 1.0).max(0.0), |last| last.end);
            let index = u32::try_from(all.len()).unwrap_or(u32::MAX);
            all.push(Segment { index, start, end, verdict, revision: 0 });
        });
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
        slot.has.set(None);
        self.set_device(kind, DeviceState::Failed(failure.into()));
        // Whichever worker had it: the next piece comes within a second.
        self.live.set(None);
        if self.explaining.get().is_some() {
            self.explained(None);
        }

        let affected = self.job.borrow().as_ref().and_then(|job| {
            // A song that waits, waits for the CPU.
            let waits = job.running.is_none() && job.waiting.is_some();
            (job.running == Some(kind) || (waits && kind == DeviceKind::Cpu))
                .then_some((job.id, job.cpu_deaths))
        });
        let Some((id, deaths)) = affected else { return };
        match policy::recovery(kind, deaths) {
            Recovery::GiveUp => self.end(Status::Failed(Trouble::of(failure))),
            recovery => {
                let notice = match recovery {
                    Recovery::RestartCpu => Notice::CpuRestarted,
                    _ => Notice::GpuStopped,
                };
                if let Some(song) = self.current_song() {
                    song.notice.set(Some(notice));
                }
                if let Some(job) = self.job.borrow_mut().as_mut() {
                    job.running = None;
                    job.waiting = None;
                    job.cpu_deaths += u32::from(kind == DeviceKind::Cpu);
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
        let Some(file) = self.current().and_then(|(_, song)| self.file(song)) else {
            return self.end(Status::Failed(Trouble::Unreadable));
        };
        let engine = self.clone();
        spawn_local(async move {
            let decoded = decode::decode(&file).await;
            {
                let mut slot = engine.job.borrow_mut();
                // Another song may have its turn in the meantime.
                let Some(job) = slot.as_mut().filter(|job| job.id == id) else { return };
                match decoded {
                    Ok(samples) => job.waiting = Some(samples),
                    Err(trouble) => {
                        drop(slot);
                        engine.end(Status::Failed(trouble));
                        return;
                    }
                }
            }
            engine.dispatch();
        });
    }

    /// Sends the song if it is decoded and a device is ready.
    fn dispatch(self: &Rc<Self>) {
        let waits = self.job.borrow().as_ref().is_some_and(|job| job.waiting.is_some());
        let Some(song) = self.current_song().filter(|_| waits) else { return };
        song.status.set(Status::Analysing);
        let state = self.state;
        let (mode, cpu, gpu) =
            (state.mode.get_untracked(), state.cpu.get_untracked(), state.gpu.get_untracked());
        let retried = self.job.borrow().as_ref().is_some_and(|job| job.cpu_deaths > 0);
        // What a song was taken from the GPU for must not send it back there.
        let mode = if retried { Mode::Cpu } else { mode };
        match policy::next_step(mode, &cpu, &gpu) {
            Step::Wait => {}
            Step::StartCpu => {
                if let Some(job) = self.job.borrow_mut().as_mut() {
                    job.cpu_deaths += 1;
                }
                self.start_worker(DeviceKind::Cpu);
            }
            Step::Use(kind) => {
                if mode == Mode::WebGpu && kind == DeviceKind::Cpu && song.notice.get_untracked().is_none() {
                    song.notice.set(Some(match gpu {
                        DeviceState::Off | DeviceState::Loading => Notice::GpuNotReady,
                        _ => Notice::GpuUnusable,
                    }));
                }
                let Some((id, samples)) = self.job.borrow_mut().as_mut().and_then(|job| {
                    job.running = Some(kind);
                    Some((job.id, job.waiting.take()?))
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
                Ok(()) => {
                    build_status::built("worker-gpu").await;
                    engine.start_worker(DeviceKind::WebGpu);
                }
                Err(reason) => engine.state.gpu.set(DeviceState::Unavailable(reason)),
            }
        });
    }
}

/// The rules that can be chosen, the measured one first.
pub const RULES: [Option<Rule>; 4] = [None, Some(Rule::Sum), Some(Rule::Product), Some(Rule::Vote)];

/// A rule's name in storage and in the page's test hooks.
pub fn rule_id(rule: Option<Rule>) -> &'static str {
    match rule {
        None => "measured",
        Some(Rule::Sum) => "sum",
        Some(Rule::Product) => "product",
        Some(Rule::Vote) => "vote",
    }
}

/// The same of a set of networks.
pub fn set_id(set: ModelSet) -> &'static str {
    match set {
        ModelSet::Fast => "fast",
        ModelSet::Full => "full",
    }
}

/// The job that an event is about.
fn song_of(event: &Event) -> Option<u32> {
    match event {
        Event::Ready { .. } | Event::Kept { .. } => None,
        Event::Failed { id, .. } => *id,
        Event::Started { id, .. }
        | Event::Waveform { id, .. }
        | Event::Segment { id, .. }
        | Event::Silent { id, .. }
        | Event::Character { id, .. }
        | Event::Explained { id, .. }
        | Event::Finished { id, .. }
        | Event::Cancelled { id } => Some(*id),
    }
}

/// Whether there is a GPU at all: asked through reflection, since the bindings for WebGPU are
/// unstable and this is all that the page needs of them.
async fn adapter() -> Result<(), Reason> {
    let navigator = web_sys::window().ok_or(Reason::NoApi)?.navigator();
    let gpu = Reflect::get(&navigator, &"gpu".into()).map_err(|_| Reason::NoApi)?;
    if !gpu.is_object() {
        return Err(Reason::NoApi);
    }
    let request: Function =
        Reflect::get(&gpu, &"requestAdapter".into()).and_then(JsCast::dyn_into).map_err(|_| Reason::NoApi)?;
    let promise: Promise = request.call0(&gpu).and_then(JsCast::dyn_into).map_err(|_| Reason::NoAdapter)?;
    let adapter = JsFuture::from(promise).await.map_err(|_| Reason::NoAdapter)?;
    if adapter.is_object() { Ok(()) } else { Err(Reason::NoAdapter) }
}

fn base_url() -> Option<String> {
    let here = web_sys::window()?.location().href().ok()?;
    Some(Url::new_with_base("./", &here).ok()?.href())
}

fn describe(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()))
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "unknown error".into())
}
