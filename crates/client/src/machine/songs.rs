//! The queue and the song under way.

use cratedigger_protocol::{DeviceKind, Event, FailureKind, Request};

use super::message::{Audio, Effect, RequestId};
use super::stream::Stream;
use super::{Machine, WorkerId};
use crate::policy::{self, DeviceState, Mode, Recovery, Step};
use crate::trouble::{SongNotice, Trouble};
use crate::update::{SongId, SongUpdate, Status, Update};

/// A song that was opened.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: SongId,
    pub(super) status: Status,
    notice: Option<SongNotice>,
}

/// The song under way.
#[derive(Debug)]
pub(super) struct Job<S> {
    /// Id of the current try.
    pub(super) id: RequestId,
    pub(super) song: SongId,
    /// Decoded and not sent yet.
    pub(super) audio: Option<Audio<S>>,
    /// The page's own decoder, if the browser does not decode the song.
    pub(super) stream: Option<Stream>,
    /// The device whose worker has it.
    pub(super) running: Option<DeviceKind>,
    /// Number of CPU workers lost to this song.
    pub(super) cpu_deaths: u32,
}

impl<S> Job<S> {
    /// Whether it is still to be decoded.
    pub(super) fn is_waiting(&self) -> bool {
        self.running.is_none() && self.audio.is_none() && self.stream.is_none()
    }

    /// Whether a worker can take it.
    fn is_decoded(&self) -> bool {
        self.audio.is_some() || self.stream.is_some_and(Stream::is_open)
    }
}

impl<S> Machine<S> {
    pub(super) fn open(&mut self, song: SongId) {
        if self.entry(song).is_some() {
            return;
        }
        self.songs.push(Entry { id: song, status: Status::Waiting, notice: None });
        self.tell(song, SongUpdate::Status(Status::Waiting));
        self.advance();
    }

    pub(super) fn cancel(&mut self, song: SongId) {
        if !self.is_open(song) {
            return;
        }
        self.set_status(song, Status::Cancelled);
        if self.current() == Some(song) {
            self.abandon();
        }
        self.advance();
    }

    pub(super) fn cancel_all(&mut self) {
        let open: Vec<SongId> =
            self.songs.iter().filter(|entry| entry.status.is_open()).map(|entry| entry.id).collect();
        for song in open {
            self.set_status(song, Status::Cancelled);
        }
        self.abandon();
        self.advance();
    }

    pub(super) fn retry(&mut self, song: SongId) {
        if self.entry(song).is_some_and(|entry| !entry.status.is_open()) {
            self.set_notice(song, None);
            self.set_status(song, Status::Waiting);
            self.advance();
        }
    }

    pub(super) fn remove(&mut self, song: SongId) {
        self.cancel(song);
        self.songs.retain(|entry| entry.id != song);
    }

    pub(super) fn raise(&mut self, song: SongId) {
        let waits = |entry: &Entry| entry.status == Status::Waiting;
        let Some(at) = self.songs.iter().position(|entry| entry.id == song && waits(entry)) else { return };
        let Some(before) = self.songs.iter().take(at).rposition(waits) else { return };
        self.songs.swap(at, before);
        if let Some(over) = self.songs.get(at).map(|entry| entry.id) {
            self.notify(Update::Raised { song, over });
        }
    }

    /// Goes on after something ended: with the next song, else with the networks that are wanted.
    pub(super) fn advance(&mut self) {
        self.start_next();
        self.consider_models();
    }

    /// Starts on the first waiting song, unless a song is under way.
    fn start_next(&mut self) {
        if self.job.is_some() {
            return;
        }
        let waiting = self.songs.iter().find(|entry| entry.status == Status::Waiting);
        let Some(song) = waiting.map(|entry| entry.id) else { return };
        let id = self.next_request();
        self.job = Some(Job { id, song, audio: None, stream: None, running: None, cpu_deaths: 0 });
        self.set_status(song, Status::Decoding);
        self.effects.push(Effect::Decode { request: id, song, range: None });
    }

    /// Ends the song under way.
    pub(super) fn end(&mut self, status: Status) {
        if let Some(job) = self.job.take() {
            self.close_stream(job.id, job.stream);
            if matches!(status, Status::Failed(_)) {
                self.set_notice(job.song, None);
            }
            self.set_status(job.song, status);
        }
        self.advance();
    }

    /// Forgets the song under way, and cancels it in its worker.
    pub(super) fn abandon(&mut self) {
        let Some(Job { id, running, stream, .. }) = self.job.take() else { return };
        self.close_stream(id, stream);
        let Some(kind) = running else { return };
        let slot = self.slot_mut(kind);
        slot.stopping = Some(id);
        let worker = slot.worker(kind);
        self.effects.push(Effect::Send { worker, request: Request::Cancel { id }, samples: None });
        self.effects.push(Effect::StartTimer { worker, request: id });
    }

    /// The shell has decoded a song, for the job or for an explanation. The answer to a request that
    /// nobody waits for is dropped.
    pub(super) fn decoded(&mut self, request: RequestId, result: Result<Audio<S>, Trouble>) {
        if self.explaining.as_ref().is_some_and(|explaining| explaining.id == request) {
            return self.send_explanation(result.ok());
        }
        let Some(job) = self.job.as_mut().filter(|job| job.id == request && job.is_waiting()) else {
            return;
        };
        match result {
            Ok(audio) => {
                job.audio = Some(audio);
                self.dispatch();
            }
            Err(trouble) => self.end(Status::Failed(trouble)),
        }
    }

    /// Sends the job to a worker, if it is decoded and a device is ready.
    pub(super) fn dispatch(&mut self) {
        let Some(job) = self.job.as_ref() else { return };
        if job.running.is_some() || !job.is_decoded() {
            return;
        }
        let (song, retried) = (job.song, job.cpu_deaths > 0);
        // A retried song was taken from another device and must not return to it.
        let mode = if retried { Mode::Cpu } else { self.settings.mode };
        let step = self.next_step(mode);
        let Some(job) = self.job.as_mut() else { return };
        match step {
            Step::Wait => self.set_status(song, Status::Analysing),
            Step::StartCpu => {
                job.cpu_deaths += 1;
                self.set_status(song, Status::Analysing);
                self.start_worker(DeviceKind::Cpu);
            }
            Step::Use(kind) => {
                let id = job.id;
                job.running = Some(kind);
                let audio = job.audio.take();
                self.set_status(song, Status::Analysing);
                if mode == Mode::WebGpu && kind == DeviceKind::Cpu {
                    self.explain_fallback(song);
                }
                match audio {
                    Some(Audio { sample_rate, channels }) => {
                        self.send(kind, Request::Analyse { id, sample_rate }, Some(channels));
                    }
                    None => self.start_stream(kind),
                }
            }
        }
    }

    /// Says why a song goes to the CPU although the GPU was chosen.
    fn explain_fallback(&mut self, song: SongId) {
        if self.entry(song).is_some_and(|entry| entry.notice.is_none()) {
            let notice = match self.gpu.state {
                DeviceState::Off | DeviceState::Loading => SongNotice::GpuNotReady,
                _ => SongNotice::GpuUnusable,
            };
            self.set_notice(song, Some(notice));
        }
    }

    /// A worker reports on the job.
    pub(super) fn job_event(&mut self, kind: DeviceKind, event: Event, payload: Vec<f32>) {
        let Some(song) = self.current() else { return };
        match event {
            Event::Cancelled { .. } => self.end(Status::Cancelled),
            Event::Failed { kind: failure, detail, .. } => {
                self.warn(format!("song refused: {detail}"));
                self.end(Status::Failed(failure.into()));
            }
            Event::Ready { .. }
            | Event::Kept { .. }
            | Event::Explained { .. }
            | Event::Embedded { .. }
            | Event::Collection { .. } => {}
            Event::Wanted { .. } => self.wanted(),
            event => {
                let finished = matches!(event, Event::Finished { .. });
                self.tell(song, SongUpdate::Output { device: kind, event: Box::new(event), payload });
                if finished {
                    self.end(Status::Done);
                }
            }
        }
    }

    /// Starts the job over if it was with, or waits for, a worker that was lost.
    pub(super) fn recover(&mut self, lost: DeviceKind, failure: FailureKind) {
        let Some(job) = self.job.as_mut() else { return };
        // A decoded song that was not sent waits for the CPU.
        let waits = job.running.is_none() && job.is_decoded();
        if job.running != Some(lost) && !(waits && lost == DeviceKind::Cpu) {
            return;
        }
        let song = job.song;
        let notice = match policy::recovery(lost, job.cpu_deaths) {
            Recovery::GiveUp => return self.end(Status::Failed(failure.into())),
            Recovery::RestartCpu => SongNotice::CpuRestarted,
            Recovery::RedoOnCpu => SongNotice::GpuStopped,
        };
        let (old, stream) = (job.id, job.stream.take());
        self.close_stream(old, stream);
        let id = self.next_request();
        if let Some(job) = self.job.as_mut() {
            job.id = id;
            job.running = None;
            job.audio = None;
            job.cpu_deaths += u32::from(lost == DeviceKind::Cpu);
        }
        self.set_notice(song, Some(notice));
        if lost == DeviceKind::Cpu {
            self.start_worker(DeviceKind::Cpu);
        }
        self.effects.push(Effect::Decode { request: id, song, range: None });
    }

    /// Whether this worker has the job under this id.
    pub(super) fn has_job(&self, worker: WorkerId, request: RequestId) -> bool {
        self.job.as_ref().is_some_and(|job| job.id == request && job.running == Some(worker.kind))
    }

    fn is_open(&self, song: SongId) -> bool {
        self.entry(song).is_some_and(|entry| entry.status.is_open())
    }

    fn entry_mut(&mut self, song: SongId) -> Option<&mut Entry> {
        self.songs.iter_mut().find(|entry| entry.id == song)
    }

    pub(super) fn set_status(&mut self, song: SongId, status: Status) {
        if let Some(entry) = self.entry_mut(song).filter(|entry| entry.status != status) {
            entry.status = status;
            self.tell(song, SongUpdate::Status(status));
        }
    }

    pub(super) fn set_notice(&mut self, song: SongId, notice: Option<SongNotice>) {
        if let Some(entry) = self.entry_mut(song).filter(|entry| entry.notice != notice) {
            entry.notice = notice;
            self.tell(song, SongUpdate::Notice(notice));
        }
    }

    pub(super) fn tell(&mut self, song: SongId, update: SongUpdate) {
        self.notify(Update::Song { song, update });
    }
}
