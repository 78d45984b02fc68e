//! The workers: start, networks, events, loss.

use cratedigger_protocol::{DeviceKind, Event, FailureKind, ModelSet, Request};

use super::message::{Effect, RequestId, WorkerId};
use super::{Machine, side};
use crate::policy::{self, DeviceState, Mode, Step};
use crate::settings::ModelChoice;
use crate::trouble::Reason;
use crate::update::{FullSet, Update};

/// One device and its worker.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) state: DeviceState,
    /// Generation of the latest worker.
    generation: u32,
    /// Whether this worker was started and is not lost.
    alive: bool,
    /// The cancelled request that it has not answered yet.
    pub(super) stopping: Option<RequestId>,
    /// The networks that it has loaded.
    has: Option<ModelChoice>,
    /// The networks that were requested last; other than `has` until it has answered.
    asked: Option<ModelChoice>,
    /// The networks that it could not load.
    refused: Option<ModelChoice>,
}

impl Slot {
    pub(super) fn worker(&self, kind: DeviceKind) -> WorkerId {
        WorkerId { kind, generation: self.generation }
    }
}

impl<S> Machine<S> {
    pub(super) fn start(&mut self) {
        if !self.cpu.alive {
            self.start_worker(DeviceKind::Cpu);
        }
    }

    pub(super) fn set_mode(&mut self, mode: Mode) {
        self.settings.mode = mode;
        // Choosing the GPU by name asks for another try.
        let lost = matches!(self.gpu.state, DeviceState::Failed(_) | DeviceState::Unavailable(_));
        if mode == Mode::WebGpu && lost {
            self.set_device(DeviceKind::WebGpu, DeviceState::Off);
        }
        self.consider_gpu();
    }

    pub(super) fn set_models(&mut self, models: ModelChoice) {
        self.settings.models = models;
        // Choosing them again asks for another try.
        if self.full == FullSet::Failed {
            self.set_full(FullSet::Offered);
        }
        self.cpu.refused = None;
        self.gpu.refused = None;
        self.consider_models();
    }

    /// Starts a worker with the small set, whatever was chosen, because it answers first.
    pub(super) fn start_worker(&mut self, kind: DeviceKind) {
        let first = ModelChoice { set: ModelSet::Fast, rule: self.settings.models.rule };
        let slot = self.slot_mut(kind);
        slot.generation = slot.generation.wrapping_add(1);
        slot.alive = true;
        slot.has = None;
        slot.asked = Some(first);
        slot.stopping = None;
        let worker = slot.worker(kind);
        self.set_device(kind, DeviceState::Loading);
        self.effects.push(Effect::StartWorker(worker));
        self.send_load(kind, first);
    }

    fn send_load(&mut self, kind: DeviceKind, ModelChoice { set, rule }: ModelChoice) {
        let (models, files) = (self.models_url.clone(), self.model_files.clone());
        self.send(kind, Request::Load { models, files, set, rule }, None);
    }

    pub(super) fn send(&mut self, kind: DeviceKind, request: Request, samples: Option<S>) {
        let worker = self.slot(kind).worker(kind);
        self.effects.push(Effect::Send { worker, request, samples });
    }

    /// Requests the chosen networks from the workers that have others. Not while a song is under way,
    /// which would have to wait.
    pub(super) fn consider_models(&mut self) {
        if self.job.is_some() {
            return;
        }
        let ModelChoice { set, rule } = self.settings.models;
        let set = if self.full == FullSet::None { ModelSet::Fast } else { set };
        let wanted = ModelChoice { set, rule };
        for kind in [DeviceKind::Cpu, DeviceKind::WebGpu] {
            let slot = self.slot_mut(kind);
            let busy = slot.has.is_none() || slot.asked != slot.has;
            if busy || slot.has == Some(wanted) || slot.refused == Some(wanted) {
                continue;
            }
            slot.asked = Some(wanted);
            if set == ModelSet::Full && self.full == FullSet::Offered {
                self.set_full(FullSet::Loading);
            }
            self.send_load(kind, wanted);
        }
    }

    /// The device for a song or a piece of live sound that is ready now. In automatic mode, a GPU that has not
    /// loaded the chosen networks yet leaves the song to a CPU that has.
    pub(super) fn next_step(&self, mode: Mode) -> Step {
        let wanted = Some(self.settings.models);
        let behind = mode == Mode::Auto && self.cpu.has == wanted && self.gpu.has != wanted;
        let gpu = match &self.gpu.state {
            DeviceState::Ready { .. } if behind => &DeviceState::Loading,
            state => state,
        };
        policy::next_step(mode, &self.cpu.state, gpu)
    }

    /// Looks for a GPU, if its worker should be loaded now.
    pub(super) fn consider_gpu(&mut self) {
        if policy::wants_gpu(self.settings.mode, &self.cpu.state, &self.gpu.state) {
            self.finding_adapter = true;
            self.set_device(DeviceKind::WebGpu, DeviceState::Loading);
            self.effects.push(Effect::FindAdapter);
        }
    }

    pub(super) fn adapter(&mut self, found: Result<(), Reason>) {
        if !std::mem::take(&mut self.finding_adapter) {
            return;
        }
        match found {
            Ok(()) => self.start_worker(DeviceKind::WebGpu),
            Err(reason) => self.set_device(DeviceKind::WebGpu, DeviceState::Unavailable(reason)),
        }
    }

    pub(super) fn patience_over(&mut self, worker: WorkerId, request: RequestId) {
        if self.is_current(worker) && self.slot(worker.kind).stopping == Some(request) {
            self.lose(worker.kind, FailureKind::Device, "no answer to a cancellation");
        }
    }

    pub(super) fn worker_lost(&mut self, worker: WorkerId, detail: &str) {
        if self.is_current(worker) {
            self.lose(worker.kind, FailureKind::Device, detail);
        }
    }

    /// Whether this worker is the living one of its device, and not a predecessor.
    fn is_current(&self, worker: WorkerId) -> bool {
        let slot = self.slot(worker.kind);
        slot.alive && slot.worker(worker.kind) == worker
    }

    pub(super) fn worker_event(&mut self, worker: WorkerId, event: Event, payload: Vec<f32>) {
        if !self.is_current(worker) {
            return;
        }
        let kind = worker.kind;
        match event {
            Event::Ready { .. } => self.ready(kind, event),
            Event::Kept { set, detail } => self.kept(kind, set, &detail),
            Event::Failed { id: None, kind: failure, detail } => self.lose(kind, failure, &detail),
            Event::Failed {
                id: Some(id),
                kind:
                    failure @ (FailureKind::Device
                    | FailureKind::GoldenMismatch
                    | FailureKind::NoGpu
                    | FailureKind::Models),
                detail,
            } if self.has_job(worker, id) => self.lose(kind, failure, &detail),
            event => self.request_event(worker, event, payload),
        }
    }

    /// An event about a request goes to whoever waits for it.
    fn request_event(&mut self, worker: WorkerId, event: Event, payload: Vec<f32>) {
        let Some(id) = request_of(&event) else { return };
        let slot = self.slot_mut(worker.kind);
        if side::ends(&event) && slot.stopping == Some(id) {
            slot.stopping = None;
        }
        if self.explaining.as_ref().is_some_and(|explaining| explaining.id == id) {
            self.explanation_event(event, payload);
        } else if self.live == Some(id) {
            self.live_event(event);
        } else if self.has_job(worker, id) {
            self.job_event(worker.kind, event, payload);
        }
    }

    /// A worker has loaded, checked and timed networks.
    fn ready(&mut self, kind: DeviceKind, event: Event) {
        let Event::Ready {
            device_name,
            classes,
            models,
            set,
            more,
            metrics,
            typical,
            golden_difference,
            golden_tolerance,
            milliseconds_per_segment,
            ..
        } = event
        else {
            return;
        };
        let slot = self.slot_mut(kind);
        slot.has = slot.asked;
        match (set, more, self.full) {
            (ModelSet::Full, ..) => self.set_full(FullSet::Ready),
            (ModelSet::Fast, true, FullSet::None) => self.set_full(FullSet::Offered),
            _ => {}
        }
        let state = DeviceState::Ready {
            name: device_name,
            milliseconds: milliseconds_per_segment,
            difference: golden_difference,
            tolerance: golden_tolerance,
        };
        self.set_device(kind, state);
        if self.classes != classes {
            self.classes.clone_from(&classes);
            self.notify(Update::Classes(classes));
        }
        // A GPU worker that joins later starts with the small set, which is not news.
        if set == ModelSet::Full || self.settings.models.set == set || !self.models_known {
            self.models_known = true;
            self.notify(Update::Models { device: kind, set, models, metrics, typical });
        }
        self.dispatch();
        self.consider_gpu();
        self.consider_models();
    }

    /// A worker could not load other networks and keeps those that it has.
    fn kept(&mut self, kind: DeviceKind, set: ModelSet, detail: &str) {
        self.warn(format!("{kind:?} worker keeps its networks: {detail}"));
        let slot = self.slot_mut(kind);
        slot.refused = slot.asked;
        slot.asked = slot.has;
        if set == ModelSet::Full && self.full == FullSet::Loading {
            self.set_full(FullSet::Failed);
        }
        self.notify(Update::Kept { device: kind, set });
        self.consider_models();
    }

    /// Discards a worker that crashed or is of no use, and does its work somewhere else.
    pub(super) fn lose(&mut self, kind: DeviceKind, failure: FailureKind, detail: &str) {
        self.warn(format!("{kind:?} worker lost ({failure:?}): {detail}"));
        let slot = self.slot_mut(kind);
        slot.alive = false;
        slot.has = None;
        slot.stopping = None;
        let worker = slot.worker(kind);
        self.effects.push(Effect::StopWorker(worker));
        self.set_device(kind, DeviceState::Failed(failure.into()));
        self.stop_side();
        self.recover(kind, failure);
    }

    fn set_device(&mut self, kind: DeviceKind, state: DeviceState) {
        let slot = self.slot_mut(kind);
        if slot.state != state {
            slot.state = state.clone();
            self.notify(Update::Device { kind, state });
        }
    }

    fn set_full(&mut self, full: FullSet) {
        if self.full != full {
            self.full = full;
            self.notify(Update::FullSet(full));
        }
    }
}

/// The request that an event is about.
fn request_of(event: &Event) -> Option<RequestId> {
    match event {
        Event::Ready { .. } | Event::Kept { .. } => None,
        Event::Failed { id, .. } => *id,
        Event::Started { id, .. }
        | Event::Length { id, .. }
        | Event::Wanted { id }
        | Event::Noted { id, .. }
        | Event::Waveform { id, .. }
        | Event::Segment { id, .. }
        | Event::Silent { id, .. }
        | Event::Character { id, .. }
        | Event::Explained { id, .. }
        | Event::Embedded { id, .. }
        | Event::Collection { id, .. }
        | Event::Finished { id, .. }
        | Event::Cancelled { id } => Some(*id),
    }
}
