//! A world around the machine: it records the effects, plays the part of decoder and workers, and
//! checks after every input what must always hold.

use std::collections::BTreeMap;

use cratedigger_client::machine::{Audio, Effect, Input, Machine, RequestId, StreamEvent, WorkerId};
use cratedigger_client::{
    DeviceState, Interval, ModelChoice, Reason, Settings, SongId, SongUpdate, Status, Update,
};
use cratedigger_protocol::{DeviceKind, Event, FailureKind, ModelSet, NonMusic, Request};

/// In place of samples: the song they belong to, or [`LIVE`].
pub type Samples = u32;
pub const LIVE: Samples = u32::MAX;
pub const RATE: u32 = 22_050;

/// What a worker was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    Song(SongId),
    Live,
    Explanation,
}

#[derive(Clone, Copy, Debug)]
pub struct Task {
    pub request: RequestId,
    pub work: Work,
    /// A hanging worker knows of the cancellation and does not act on it.
    pub cancelled: bool,
    /// Pieces that it got and has not used, of a song that comes in pieces.
    pub pieces: Option<usize>,
    /// Whether all pieces came.
    pub ended: bool,
}

#[derive(Debug)]
pub struct Worker {
    pub id: WorkerId,
    /// Networks that were requested and not answered for.
    pub loads: Vec<ModelChoice>,
    pub loaded: usize,
    pub tasks: Vec<Task>,
}

impl Worker {
    fn stream(&mut self, request: RequestId) -> Option<&mut usize> {
        self.tasks.iter_mut().find(|task| task.request == request)?.pieces.as_mut()
    }
}

/// A decoder of the page's own.
#[derive(Debug)]
pub struct Decoder {
    pub request: RequestId,
    pub song: SongId,
    /// Pieces that were asked for and not given.
    pub pulls: usize,
    pub opened: bool,
}

pub struct World {
    pub machine: Machine<Samples>,
    pub decoders: Vec<Decoder>,
    pub decodes: Vec<(RequestId, SongId, Option<Interval>)>,
    pub workers: Vec<Worker>,
    pub timers: Vec<(WorkerId, RequestId)>,
    pub finding: bool,
    pub updates: Vec<Update>,
    /// What the host knows of each song.
    pub statuses: BTreeMap<SongId, Status>,
    requests: Vec<RequestId>,
    generations: Vec<WorkerId>,
}

impl World {
    pub fn new(settings: Settings) -> Self {
        let machine = Machine::new("https://example.org/models/".into(), settings);
        let mut world = Self {
            machine,
            decoders: Vec::new(),
            decodes: Vec::new(),
            workers: Vec::new(),
            timers: Vec::new(),
            finding: false,
            updates: Vec::new(),
            statuses: BTreeMap::new(),
            requests: Vec::new(),
            generations: Vec::new(),
        };
        world.feed(Input::Start);
        world
    }

    /// A world whose CPU worker is ready, without a full set and without a GPU.
    pub fn ready() -> Self {
        let mut world = Self::new(Settings::default());
        world.load(DeviceKind::Cpu, 30.0, false);
        world.answer_adapter(Err(Reason::NoAdapter));
        world
    }

    /// The same with a GPU worker that is faster.
    pub fn ready_with_gpu() -> Self {
        let mut world = Self::new(Settings::default());
        world.load(DeviceKind::Cpu, 30.0, false);
        world.answer_adapter(Ok(()));
        world.load(DeviceKind::WebGpu, 3.0, false);
        world
    }

    pub fn answer_adapter(&mut self, found: Result<(), Reason>) {
        self.finding = false;
        self.feed(Input::Adapter(found));
    }

    pub fn feed(&mut self, input: Input<Samples>) {
        for effect in self.machine.handle(input) {
            self.perform(effect);
        }
        self.check();
    }

    fn perform(&mut self, effect: Effect<Samples>) {
        match effect {
            Effect::Decode { request, song, range } => {
                self.new_request(request);
                self.decodes.push((request, song, range));
            }
            Effect::OpenStream { request, song } => {
                assert!(self.decoders.is_empty(), "two decoders: {:?}", self.decoders);
                self.decoders.push(Decoder { request, song, pulls: 0, opened: false });
            }
            Effect::Pull { request } => {
                let decoder = self.decoders.iter_mut().find(|decoder| decoder.request == request);
                let decoder = decoder.expect("a decoder to pull from");
                assert!(decoder.opened);
                decoder.pulls += 1;
            }
            Effect::CloseStream { request } => {
                let before = self.decoders.len();
                self.decoders.retain(|decoder| decoder.request != request);
                assert_eq!(self.decoders.len() + 1, before, "a decoder is closed once");
            }
            Effect::StartWorker(id) => {
                assert!(self.worker(id.kind).is_none(), "two workers for {:?}", id.kind);
                assert!(!self.generations.contains(&id), "{id:?} twice");
                self.generations.push(id);
                self.workers.push(Worker { id, loads: Vec::new(), loaded: 0, tasks: Vec::new() });
            }
            Effect::StopWorker(id) => {
                assert!(self.workers.iter().any(|worker| worker.id == id), "{id:?} is not there");
                self.workers.retain(|worker| worker.id != id);
            }
            Effect::Send { worker, request, samples } => self.take(worker, request, samples),
            Effect::FindAdapter => self.finding = true,
            Effect::StartTimer { worker, request } => self.timers.push((worker, request)),
            Effect::Notify(update) => {
                if let Update::Song { song, update: SongUpdate::Status(status) } = &update {
                    self.statuses.insert(*song, *status);
                }
                self.updates.push(update);
            }
            Effect::Warn(_) => {}
        }
    }

    /// A worker gets a request.
    fn take(&mut self, id: WorkerId, request: Request, samples: Option<Samples>) {
        let busy = self.machine.current().is_some();
        let worker = self.workers.iter_mut().find(|worker| worker.id == id);
        let worker = worker.unwrap_or_else(|| panic!("{id:?} is not there for {request:?}"));
        let task = |request, work| Task { request, work, cancelled: false, pieces: None, ended: false };
        match request {
            Request::Load { set, rule, models, .. } => {
                assert_eq!(models, "https://example.org/models/");
                assert!(worker.loads.is_empty(), "a worker loads one set at a time");
                assert!(worker.loaded == 0 || !busy, "other networks in the middle of a song");
                worker.loads.push(ModelChoice { set, rule });
            }
            Request::Analyse { id: request, sample_rate } => {
                assert_eq!(sample_rate, RATE);
                let work = match samples {
                    Some(LIVE) => Work::Live,
                    song => Work::Song(song.expect("samples")),
                };
                worker.tasks.push(task(request, work));
                if work == Work::Live {
                    self.new_request(request);
                }
            }
            Request::Stream { id: request, sample_rate } => {
                assert_eq!((sample_rate, samples), (RATE, None));
                let song =
                    self.decoders.iter().find(|decoder| decoder.request == request).expect("a decoder").song;
                worker.tasks.push(Task { pieces: Some(0), ..task(request, Work::Song(song)) });
            }
            Request::Samples { id, expected } => {
                assert!(expected > 0.0 && samples.is_some());
                *worker.stream(id).expect("a stream") += 1;
            }
            Request::End { id } => {
                let task = worker.tasks.iter_mut().find(|task| task.request == id).expect("a stream");
                task.ended = true;
            }
            Request::Explain { id: request, .. } => worker.tasks.push(task(request, Work::Explanation)),
            Request::Embed { .. } | Request::Collection { .. } => {
                panic!("another worker than the machine's compares songs")
            }
            Request::Cancel { id } => {
                let of = |task: &&mut Task| task.request == id;
                worker.tasks.iter_mut().find(of).expect("a task to cancel").cancelled = true;
            }
        }
    }

    fn new_request(&mut self, request: RequestId) {
        assert!(!self.requests.contains(&request), "request {request} twice");
        self.requests.push(request);
    }

    fn check(&self) {
        for (song, status) in &self.statuses {
            if let Some(known) = self.machine.status(*song) {
                assert_eq!(known, *status, "the host has to know about song {song}");
            }
        }
        let under_way =
            self.statuses.values().filter(|s| matches!(s, Status::Decoding | Status::Analysing)).count();
        assert!(under_way <= 1, "one song at a time: {:?}", self.statuses);
        assert_eq!(under_way == 1, self.machine.current().is_some());
        let running = self.tasks(|task| matches!(task.work, Work::Song(_)) && !task.cancelled);
        assert!(running.len() <= 1, "one job at a time: {running:?}");
        assert!(self.decoders.len() <= under_way, "a decoder without a song");
        for decoder in &self.decoders {
            let pieces = self.tasks(|task| task.request == decoder.request);
            let pieces = pieces.first().and_then(|(_, task)| task.pieces).unwrap_or_default();
            assert!(decoder.pulls + pieces <= 6, "{} pulls, {pieces} pieces", decoder.pulls);
        }
    }

    pub fn tasks(&self, of: impl Fn(&Task) -> bool) -> Vec<(WorkerId, Task)> {
        let all = self.workers.iter().flat_map(|worker| worker.tasks.iter().map(|task| (worker.id, *task)));
        all.filter(|(_, task)| of(task)).collect()
    }

    /// The job that a worker has.
    pub fn running(&self) -> Option<(WorkerId, RequestId)> {
        let songs = self.tasks(|task| matches!(task.work, Work::Song(_)) && !task.cancelled);
        songs.first().map(|(worker, task)| (*worker, task.request))
    }

    pub fn worker(&self, kind: DeviceKind) -> Option<&Worker> {
        self.workers.iter().find(|worker| worker.id.kind == kind)
    }

    pub fn id(&self, kind: DeviceKind) -> WorkerId {
        self.worker(kind).expect("a worker").id
    }

    pub fn status(&self, song: SongId) -> Status {
        *self.statuses.get(&song).expect("a song")
    }

    pub fn open(&mut self, song: SongId) {
        self.feed(Input::Open { song });
    }

    /// Decodes the oldest request.
    pub fn decode(&mut self) {
        let (request, song, _) = self.decodes.remove(0);
        self.feed(Input::Decoded { request, result: Ok(Audio { sample_rate: RATE, channels: song }) });
    }

    /// The browser does not decode the oldest request, if it is for a whole song.
    pub fn refuse(&mut self) {
        let (request, song, range) = self.decodes.remove(0);
        match range {
            None => self.feed(Input::Undecoded { request }),
            Some(_) => {
                self.feed(Input::Decoded {
                    request,
                    result: Ok(Audio { sample_rate: RATE, channels: song }),
                });
            }
        }
    }

    /// The decoder opens its file, or gives a piece that was asked for.
    pub fn decoder_goes_on(&mut self) {
        let Some(decoder) = self.decoders.first_mut() else { return };
        let (request, song) = (decoder.request, decoder.song);
        let event = if !std::mem::replace(&mut decoder.opened, true) {
            StreamEvent::Opened { sample_rate: RATE }
        } else if let Some(pulls) = decoder.pulls.checked_sub(1) {
            decoder.pulls = pulls;
            StreamEvent::Block { samples: song, expected: 9.0 }
        } else {
            return;
        };
        self.feed(Input::Stream { request, event });
    }

    /// The decoder answers what was asked for last with the end, or with a failure.
    pub fn decoder_ends(&mut self, event: StreamEvent<Samples>) {
        let Some(decoder) = self.decoders.first_mut().filter(|decoder| decoder.pulls > 0) else { return };
        decoder.pulls = 0;
        let request = decoder.request;
        self.feed(Input::Stream { request, event });
    }

    /// A worker uses a piece.
    pub fn use_piece(&mut self) {
        let Some((worker, request)) = self.running() else { return };
        let of = |known: &&mut Worker| known.id == worker;
        if let Some(pieces) = self.workers.iter_mut().find(of).and_then(|worker| worker.stream(request))
            && let Some(fewer) = pieces.checked_sub(1)
        {
            *pieces = fewer;
            self.event(worker, Event::Wanted { id: request });
        }
    }

    /// A worker answers the request for networks that it has not answered.
    pub fn load(&mut self, kind: DeviceKind, milliseconds: f64, more: bool) {
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.id.kind == kind) else { return };
        let Some(ModelChoice { set, .. }) = worker.loads.pop() else { return };
        worker.loaded += 1;
        let id = worker.id;
        self.event(id, ready(kind, set, milliseconds, more));
    }

    /// A worker sends an event without a payload.
    pub fn event(&mut self, worker: WorkerId, event: Event) {
        let (ended, explained) = match &event {
            Event::Finished { id, .. } | Event::Cancelled { id } | Event::Failed { id: Some(id), .. } => {
                (Some(*id), false)
            }
            Event::Explained { id, .. } => (Some(*id), true),
            _ => (None, false),
        };
        if let Some(worker) = self.workers.iter_mut().find(|known| known.id == worker) {
            let goes = |task: &Task| !explained || task.work == Work::Explanation;
            worker.tasks.retain(|task| Some(task.request) != ended || !goes(task));
        }
        self.feed(Input::WorkerEvent { worker, event, payload: Vec::new() });
    }

    /// The worker finishes the job.
    pub fn finish(&mut self) {
        let (worker, request) = self.running().expect("a job");
        self.event(worker, finished(request));
    }

    /// Answers everything that is open, in the friendliest way, until nothing is open.
    pub fn settle(&mut self) {
        for _ in 0..1000 {
            if !self.decodes.is_empty() {
                self.decode();
            } else if self.finding {
                self.answer_adapter(Ok(()));
            } else if let Some(kind) =
                self.workers.iter().find(|worker| !worker.loads.is_empty()).map(|worker| worker.id.kind)
            {
                self.load(kind, 10.0, true);
            } else if self.decoders.first().is_some_and(|decoder| !decoder.opened) {
                self.decoder_goes_on();
            } else if self.decoders.first().is_some_and(|decoder| decoder.pulls > 0) {
                self.decoder_ends(StreamEvent::Ended { notes: Vec::new() });
            } else if let Some((worker, task)) = self.tasks(|_| true).first().copied() {
                let id = task.request;
                self.event(worker, if task.cancelled { Event::Cancelled { id } } else { finished(id) });
            } else {
                return;
            }
        }
        panic!("the machine does not come to rest");
    }

    pub fn outputs(&self, song: SongId) -> Vec<&Event> {
        self.updates
            .iter()
            .filter_map(|update| match update {
                Update::Song { song: of, update: SongUpdate::Output { event, .. } } if *of == song => {
                    Some(event.as_ref())
                }
                _ => None,
            })
            .collect()
    }

    pub fn has(&self, update: &Update) -> bool {
        self.updates.contains(update)
    }

    pub fn device(&self, kind: DeviceKind) -> &DeviceState {
        self.machine.device(kind)
    }
}

pub fn ready(device: DeviceKind, set: ModelSet, milliseconds: f64, more: bool) -> Event {
    Event::Ready {
        device,
        device_name: String::new(),
        classes: vec!["blues".into(), "rock".into()],
        models: Vec::new(),
        set,
        more,
        metrics: Vec::new(),
        typical: None,
        golden_difference: 0.0,
        golden_tolerance: 1.0,
        milliseconds_per_segment: milliseconds,
    }
}

pub fn segment(id: RequestId) -> Event {
    Event::Segment {
        id,
        index: 0,
        start: 0.0,
        end: 3.0,
        probabilities: vec![0.25, 0.75],
        members: Vec::new(),
        song: vec![0.25, 0.75],
        none: false,
        non_music: Some(NonMusic { kind: "speech".into(), probability: 0.97, rejected: true }),
        song_non_music: None,
        settled: false,
    }
}

pub fn finished(id: RequestId) -> Event {
    Event::Finished {
        id,
        probabilities: vec![0.25, 0.75],
        none: false,
        non_music: None,
        tags: Vec::new(),
        sections: Vec::new(),
        conditions: Vec::new(),
        set: ModelSet::Fast,
        members: Vec::new(),
        milliseconds: 9.0,
        milliseconds_to_first: 3.0,
        workers: 1,
        memory: 1e6,
    }
}

pub fn failed(id: Option<RequestId>, kind: FailureKind) -> Event {
    Event::Failed { id, kind, detail: "on purpose".into() }
}

/// A status of a song, as an update.
pub fn told(song: SongId, update: SongUpdate) -> Update {
    Update::Song { song, update }
}
