//! The shell around the [`Machine`]: performs its effects with the browser.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

use cratedigger_protocol::{DeviceKind, Request};
use js_sys::Float32Array;
use wasm_bindgen_futures::spawn_local;
use web_sys::{File, Url};

use crate::decode::{self, Channels, Undecoded};
use crate::decoder::Decoder;
use crate::files::Files;
use crate::machine::{Audio, Effect, Input, Machine, PATIENCE, RequestId, WorkerId};
use crate::policy::Mode;
use crate::settings::{ModelChoice, Settings};
use crate::trouble::Trouble;
use crate::update::{Interval, SongId, Status, Update};
use crate::worker::{Handle, Report, describe};
use crate::{adapter, build_status, global};

/// The sound of a song, as a host has it.
#[derive(Clone, Debug)]
pub enum Sound {
    /// A file, to be decoded.
    File(File),
    /// Samples, nominally in −1…1.
    Samples(Audio<Channels>),
}

/// Analyses songs: owns the files and the workers, and reports every change to its observer.
///
/// Copies are handles to the same client. The observer may call the client.
#[derive(Clone)]
pub struct Client(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    files: Files,
    observer: Box<dyn Fn(Update)>,
    machine: RefCell<Machine<Channels>>,
    /// Effects that are not performed yet. An effect may cause an input, and with it more effects,
    /// which have to come after those that are there already.
    effects: RefCell<VecDeque<Effect<Channels>>>,
    performing: Cell<bool>,
    /// A song's file is kept instead of its samples, which are larger and are transferred to a worker.
    sounds: RefCell<BTreeMap<SongId, Sound>>,
    /// Songs that the browser does not decode, and why.
    pub(crate) undecoded: RefCell<BTreeMap<SongId, Undecoded>>,
    /// The page's own decoders that run, by the requests that they work for.
    pub(crate) decoders: RefCell<BTreeMap<RequestId, Decoder>>,
    /// Id of the last request that the shell itself made. These count down from the largest number, while those of
    /// the machine count up.
    own_request: Cell<RequestId>,
    cpu: RefCell<Option<Running>>,
    gpu: RefCell<Option<Running>>,
}

struct Running {
    generation: u32,
    handle: Handle,
}

impl Client {
    /// Starts the CPU worker. The GPU worker follows when the CPU is ready, if the settings and the
    /// browser allow it.
    ///
    /// `files` may be the absolute URL of the folder with all of them, with a slash at its end; see
    /// [`page_folder`]. `observer` is called on every change.
    pub fn start(files: impl Into<Files>, settings: Settings, observer: impl Fn(Update) + 'static) -> Self {
        let files = files.into();
        let machine = Machine::new(files.models_folder(), settings).with_model_files(files.moved_models());
        let client = Self(Rc::new(Inner {
            files,
            observer: Box::new(observer),
            machine: RefCell::new(machine),
            effects: RefCell::default(),
            performing: Cell::new(false),
            sounds: RefCell::default(),
            undecoded: RefCell::default(),
            decoders: RefCell::default(),
            own_request: Cell::new(RequestId::MAX),
            cpu: RefCell::new(None),
            gpu: RefCell::new(None),
        }));
        client.feed(Input::Start);
        client
    }

    /// The files that were given to [`Client::start`].
    pub fn files(&self) -> &Files {
        &self.0.files
    }

    /// Puts a song at the end of the queue. `song` must be new.
    pub fn open(&self, song: SongId, file: File) {
        self.open_sound(song, Sound::File(file));
    }

    /// Puts a song at the end of the queue, which may be given as samples. `song` must be new.
    pub fn open_sound(&self, song: SongId, sound: Sound) {
        self.0.sounds.borrow_mut().entry(song).or_insert(sound);
        self.feed(Input::Open { song });
    }

    /// A song's file, to be played; `None` also for a song that was given as samples.
    pub fn file(&self, song: SongId) -> Option<File> {
        match self.0.sounds.borrow().get(&song)? {
            Sound::File(file) => Some(file.clone()),
            Sound::Samples(_) => None,
        }
    }

    /// Takes a newer state of a song's file, whose sound is the same. A browser does not read the old one any more
    /// after another state was written to disk.
    pub fn renew(&self, song: SongId, file: File) {
        if let Some(sound) = self.0.sounds.borrow_mut().get_mut(&song) {
            *sound = Sound::File(file);
        }
    }

    /// The samples of a song, at most of its first `seconds`.
    ///
    /// # Errors
    /// It cannot be decoded.
    pub async fn samples(&self, song: SongId, seconds: f64) -> Result<Audio<Channels>, Trouble> {
        let range = Interval { start: 0.0, end: seconds };
        if !self.0.undecoded.borrow().contains_key(&song) {
            let sound = self.0.sounds.borrow().get(&song).cloned();
            let audio = match sound.ok_or(Trouble::Unreadable)? {
                Sound::File(file) => decode::decode(&file).await,
                // The worker for the crate gets a copy anyway.
                Sound::Samples(audio) => Ok(audio),
            };
            match audio {
                Ok(audio) => {
                    let samples = audio.channels.first().map_or(0, Float32Array::length);
                    let longer = f64::from(samples) > seconds * f64::from(audio.sample_rate);
                    return Ok(if longer { decode::cut(&audio, range) } else { audio });
                }
                Err(decode::Failure::Trouble(trouble)) => return Err(trouble),
                Err(decode::Failure::Undecoded(why)) => {
                    self.0.undecoded.borrow_mut().insert(song, why);
                }
            }
        }
        let request = self.0.own_request.get();
        self.0.own_request.set(request.wrapping_sub(1));
        self.part(request, song, range).await
    }

    /// Where a song stands; `None` for an unknown song.
    pub fn status(&self, song: SongId) -> Option<Status> {
        self.0.machine.borrow().status(song)
    }

    /// Stops a song that waits or is under way. Its partial results stay valid.
    pub fn cancel(&self, song: SongId) {
        self.feed(Input::Cancel { song });
    }

    /// Stops all songs that wait or are under way.
    pub fn cancel_all(&self) {
        self.feed(Input::CancelAll);
    }

    /// Analyses a song again that is done, failed or cancelled.
    pub fn retry(&self, song: SongId) {
        self.feed(Input::Retry { song });
    }

    /// Stops a song and forgets its file.
    pub fn remove(&self, song: SongId) {
        self.feed(Input::Remove { song });
        self.0.sounds.borrow_mut().remove(&song);
        self.0.undecoded.borrow_mut().remove(&song);
    }

    /// Moves a waiting song one place ahead in the queue.
    pub fn raise(&self, song: SongId) {
        self.feed(Input::Raise { song });
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.0.machine.borrow().settings()
    }

    /// Chooses the device for the next songs. Choosing WebGPU after it failed tries it again.
    pub fn set_mode(&self, mode: Mode) {
        self.feed(Input::SetMode(mode));
    }

    /// Chooses the networks, and how they decide, for the next songs.
    pub fn set_models(&self, models: ModelChoice) {
        self.feed(Input::SetModels(models));
    }

    /// Analyses a piece of live sound (one channel, as from [`Capture`](crate::Capture)), unless a
    /// worker still has the last piece. Answered by [`Update::Live`].
    pub fn listen(&self, samples: Float32Array, sample_rate: u32) {
        self.feed(Input::Listen(Audio { sample_rate, channels: vec![samples] }));
    }

    /// Asks which parts of a segment speak for a class. Replaces an earlier question. Answered by
    /// [`Update::Explanation`]. `segment` is 0-based, `range` is its place in the song, and `class` an
    /// index into [`Update::Classes`].
    pub fn explain(&self, song: SongId, segment: u32, range: Interval, class: usize) {
        self.feed(Input::Explain { song, segment, range, class });
    }

    /// Drops the question asked by [`Client::explain`].
    pub fn stop_explaining(&self) {
        self.feed(Input::StopExplaining);
    }

    pub(crate) fn feed(&self, input: Input<Channels>) {
        let effects = self.0.machine.borrow_mut().handle(input);
        self.0.effects.borrow_mut().extend(effects);
        if self.0.performing.replace(true) {
            return;
        }
        loop {
            let next = self.0.effects.borrow_mut().pop_front();
            let Some(effect) = next else { break };
            self.perform(effect);
        }
        self.0.performing.set(false);
    }

    fn perform(&self, effect: Effect<Channels>) {
        match effect {
            Effect::Decode { request, song, range } => self.decode(request, song, range),
            Effect::OpenStream { request, song } => self.open_stream(request, song),
            Effect::Pull { request } => self.pull(request),
            Effect::CloseStream { request } => self.close_stream(request),
            Effect::StartWorker(worker) => self.start_worker(worker),
            Effect::StopWorker(worker) => self.stop_worker(worker),
            Effect::Send { worker, request, samples } => {
                self.send(worker, &request, &samples.unwrap_or_default());
            }
            Effect::FindAdapter => {
                let client = self.clone();
                spawn_local(async move {
                    let found = adapter::find().await;
                    if found.is_ok() {
                        build_status::built("worker-gpu").await;
                    }
                    client.feed(Input::Adapter(found));
                });
            }
            Effect::StartTimer { worker, request } => self.start_timer(worker, request),
            Effect::Notify(update) => (self.0.observer)(update),
            Effect::Warn(text) => (self.0.observer)(Update::Warning(text)),
        }
    }

    fn decode(&self, request: RequestId, song: SongId, range: Option<Interval>) {
        if self.0.undecoded.borrow().contains_key(&song) {
            return self.go_undecoded(request, song, range);
        }
        let client = self.clone();
        let sound = self.0.sounds.borrow().get(&song).cloned();
        spawn_local(async move {
            let audio = match sound {
                Some(Sound::File(file)) => decode::decode(&file).await,
                // A copy, because a worker will own the samples.
                Some(Sound::Samples(audio)) => Ok(decode::copy(&audio)),
                None => Err(decode::Failure::Trouble(Trouble::Unreadable)),
            };
            let result = match audio {
                Ok(audio) => Ok(audio),
                Err(decode::Failure::Trouble(trouble)) => Err(trouble),
                Err(decode::Failure::Undecoded(why)) => {
                    client.0.undecoded.borrow_mut().insert(song, why);
                    return client.go_undecoded(request, song, range);
                }
            };
            let result = match range {
                Some(range) => result.map(|audio| decode::cut(&audio, range)),
                None => result,
            };
            client.feed(Input::Decoded { request, result });
        });
    }

    /// Decodes a song, or a part of it, without the browser's decoder.
    fn go_undecoded(&self, request: RequestId, song: SongId, range: Option<Interval>) {
        match range {
            Some(range) => self.decode_part(request, song, range),
            None => self.feed(Input::Undecoded { request }),
        }
    }

    fn start_worker(&self, worker: WorkerId) {
        let client = Rc::downgrade(&self.0);
        let report = move |report| {
            let Some(client) = Weak::upgrade(&client).map(Self) else { return };
            client.feed(match report {
                Report::Event(event, payload) => Input::WorkerEvent { worker, event, payload },
                Report::Lost(detail) => Input::WorkerLost { worker, detail },
            });
        };
        match Handle::start(worker.kind, &self.0.files, report) {
            Ok(handle) => {
                let running = Running { generation: worker.generation, handle };
                let old = self.slot(worker.kind).replace(Some(running));
                drop_later(old);
            }
            Err(error) => self.feed(Input::WorkerLost { worker, detail: describe(&error) }),
        }
    }

    fn stop_worker(&self, worker: WorkerId) {
        let slot = self.slot(worker.kind);
        let is_it = slot.borrow().as_ref().is_some_and(|running| running.generation == worker.generation);
        if is_it {
            drop_later(slot.take());
        }
    }

    fn send(&self, worker: WorkerId, request: &Request, samples: &[Float32Array]) {
        let sent = {
            let slot = self.slot(worker.kind).borrow();
            match slot.as_ref().filter(|running| running.generation == worker.generation) {
                Some(running) => running.handle.send(request, samples),
                // The machine was told already why this worker is gone.
                None => return,
            }
        };
        if let Err(error) = sent {
            self.feed(Input::WorkerLost { worker, detail: describe(&error) });
        }
    }

    fn start_timer(&self, worker: WorkerId, request: RequestId) {
        let client = Rc::downgrade(&self.0);
        let milliseconds = i32::try_from(PATIENCE.as_millis()).unwrap_or(i32::MAX);
        global::call_after(milliseconds, move || {
            if let Some(client) = Weak::upgrade(&client).map(Self) {
                client.feed(Input::PatienceOver { worker, request });
            }
        });
    }

    fn slot(&self, kind: DeviceKind) -> &RefCell<Option<Running>> {
        match kind {
            DeviceKind::Cpu => &self.0.cpu,
            DeviceKind::WebGpu => &self.0.gpu,
        }
    }
}

/// Drops a worker in a later turn: this turn may run inside one of the worker's own closures.
fn drop_later(running: Option<Running>) {
    if let Some(running) = running {
        spawn_local(async move { drop(running.handle) });
    }
}

/// The folder of the current page, as an absolute URL with a slash at its end.
pub fn page_folder() -> Option<String> {
    let here = web_sys::window()?.location().href().ok()?;
    Some(Url::new_with_base("./", &here).ok()?.href())
}
