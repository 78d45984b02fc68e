//! The situations that matter, one by one.

use cratedigger_client::machine::{Audio, Input};
use cratedigger_client::settings::ModelChoice;
use cratedigger_client::{
    DeviceState, ExplanationUpdate, FullSet, Interval, Mode, Prediction, Reason, Settings, SongNotice,
    SongUpdate, Status, Tiles, Trouble, Update,
};
use cratedigger_protocol::DeviceKind::{Cpu, WebGpu};
use cratedigger_protocol::{Event, FailureKind, ModelSet, Rule};

use crate::world::{LIVE, RATE, Work, World, failed, finished, ready, segment, told};

fn notice(song: u32, notice: SongNotice) -> Update {
    told(song, SongUpdate::Notice(Some(notice)))
}

#[test]
fn a_song_is_decoded_sent_and_done() {
    let mut world = World::ready();
    world.open(1);
    assert_eq!(world.status(1), Status::Decoding);
    world.decode();
    assert_eq!(world.status(1), Status::Analysing);
    let (worker, id) = world.running().unwrap();
    world.event(worker, segment(id));
    world.finish();
    assert_eq!(world.status(1), Status::Done);
    assert_eq!(world.outputs(1), [&segment(id), &finished(id)]);
}

#[test]
fn a_song_waits_for_the_first_worker() {
    let mut world = World::new(Settings::default());
    world.open(1);
    world.decode();
    assert_eq!((world.status(1), world.running()), (Status::Analysing, None));
    world.load(Cpu, 30.0, false);
    assert!(world.running().is_some());
}

#[test]
fn songs_take_turns_and_a_raised_one_comes_earlier() {
    let mut world = World::ready();
    for song in [1, 2, 3] {
        world.open(song);
    }
    assert_eq!(world.decodes.len(), 1);
    world.feed(Input::Raise { song: 1 });
    world.feed(Input::Raise { song: 2 });
    world.feed(Input::Raise { song: 3 });
    assert!(world.has(&Update::Raised { song: 3, over: 2 }));
    let mut order = Vec::new();
    for _ in 0..3 {
        order.push(world.machine.current());
        world.decode();
        world.finish();
    }
    assert_eq!(order, [Some(1), Some(3), Some(2)]);
}

#[test]
fn a_song_that_cannot_be_decoded_fails_and_the_next_goes_on() {
    let mut world = World::ready();
    world.open(1);
    world.open(2);
    let (request, ..) = world.decodes.remove(0);
    world.feed(Input::Decoded { request, result: Err(Trouble::NotAudio) });
    assert_eq!(world.status(1), Status::Failed(Trouble::NotAudio));
    assert_eq!(world.status(2), Status::Decoding);
}

#[test]
fn a_song_that_the_worker_refuses_fails_and_the_worker_stays() {
    let mut world = World::ready();
    world.open(1);
    world.decode();
    let (worker, id) = world.running().unwrap();
    world.event(worker, failed(Some(id), FailureKind::TooShort));
    assert_eq!(world.status(1), Status::Failed(Trouble::TooShort));
    assert_eq!(world.id(Cpu), worker);
}

#[test]
fn a_song_of_a_lost_gpu_is_analysed_on_the_cpu() {
    let mut world = World::ready_with_gpu();
    world.open(1);
    world.decode();
    let (gpu, id) = world.running().unwrap();
    assert_eq!(gpu.kind, WebGpu);
    world.event(gpu, segment(id));
    world.feed(Input::WorkerLost { worker: gpu, detail: "device lost".into() });
    assert!(world.has(&notice(1, SongNotice::GpuStopped)));
    assert_eq!(world.device(WebGpu), &DeviceState::Failed(Reason::Stopped));
    world.decode();
    assert_eq!(world.running().unwrap().0.kind, Cpu);
    world.finish();
    assert_eq!(world.status(1), Status::Done);
}

#[test]
fn a_failure_of_the_device_in_mid_song_loses_the_worker() {
    let mut world = World::ready_with_gpu();
    world.open(1);
    world.decode();
    let (gpu, id) = world.running().unwrap();
    world.event(gpu, failed(Some(id), FailureKind::Device));
    assert!(world.worker(WebGpu).is_none());
    world.decode();
    world.finish();
    assert_eq!(world.status(1), Status::Done);
}

#[test]
fn a_song_that_kills_two_cpu_workers_is_given_up_and_the_next_goes_on() {
    let mut world = World::ready();
    world.open(1);
    world.open(2);
    world.decode();
    let (first, id) = world.running().unwrap();
    world.feed(Input::WorkerLost { worker: first, detail: "unreachable".into() });
    assert!(world.has(&notice(1, SongNotice::CpuRestarted)));
    assert_ne!(world.id(Cpu), first);
    world.load(Cpu, 30.0, false);
    world.decode();
    let (second, again) = world.running().unwrap();
    assert_ne!(again, id);
    world.feed(Input::WorkerLost { worker: second, detail: "unreachable".into() });
    assert_eq!(world.status(1), Status::Failed(Trouble::Device));
    assert!(world.has(&told(1, SongUpdate::Notice(None))));
    world.decode();
    world.load(Cpu, 30.0, false);
    world.finish();
    assert_eq!(world.status(2), Status::Done);
}

#[test]
fn a_cpu_worker_that_never_loads_ends_the_songs_and_not_the_client() {
    let mut world = World::new(Settings::default());
    world.open(1);
    world.decode();
    for _ in 0..2 {
        let worker = world.id(Cpu);
        world.event(worker, failed(None, FailureKind::Models));
        if !world.decodes.is_empty() {
            world.decode();
        }
    }
    assert_eq!(world.status(1), Status::Failed(Trouble::Models));
    world.open(2);
    world.settle();
    assert_eq!(world.status(2), Status::Done);
}

#[test]
fn cancelling_while_decoding_drops_the_late_samples() {
    let mut world = World::ready();
    world.open(1);
    world.open(2);
    world.feed(Input::Cancel { song: 1 });
    assert_eq!((world.status(1), world.status(2)), (Status::Cancelled, Status::Decoding));
    world.decode();
    assert_eq!(world.running(), None);
    world.decode();
    let songs: Vec<Work> = world.tasks(|_| true).iter().map(|(_, task)| task.work).collect();
    assert_eq!(songs, [Work::Song(2)]);
    assert!(world.timers.is_empty());
}

#[test]
fn cancelling_a_running_song_lets_the_next_go_on() {
    let mut world = World::ready();
    world.open(1);
    world.open(2);
    world.decode();
    let (worker, id) = world.running().unwrap();
    world.feed(Input::Cancel { song: 1 });
    world.decode();
    // The worker is still busy and has the next song in its queue.
    world.event(worker, segment(id));
    assert!(world.outputs(1).is_empty());
    world.event(worker, Event::Cancelled { id });
    let (cancelled, request) = world.timers.remove(0);
    world.feed(Input::PatienceOver { worker: cancelled, request });
    assert_eq!(world.id(Cpu), worker);
    world.finish();
    assert_eq!((world.status(1), world.status(2)), (Status::Cancelled, Status::Done));
}

#[test]
fn a_worker_that_does_not_answer_a_cancellation_is_replaced() {
    let mut world = World::ready();
    world.open(1);
    world.open(2);
    world.decode();
    let (hanging, id) = world.running().unwrap();
    world.feed(Input::Cancel { song: 1 });
    world.decode();
    world.feed(Input::PatienceOver { worker: hanging, request: id });
    assert_ne!(world.id(Cpu), hanging);
    world.load(Cpu, 30.0, false);
    world.decode();
    world.finish();
    assert_eq!((world.status(1), world.status(2)), (Status::Cancelled, Status::Done));
}

#[test]
fn cancelling_all_empties_the_queue() {
    let mut world = World::ready();
    for song in 1..=3 {
        world.open(song);
    }
    world.decode();
    world.feed(Input::CancelAll);
    world.settle();
    assert!(world.statuses.values().all(|status| *status == Status::Cancelled));
}

#[test]
fn removing_the_song_under_way_stops_it() {
    let mut world = World::ready();
    world.open(1);
    world.open(2);
    world.decode();
    world.feed(Input::Remove { song: 1 });
    assert_eq!((world.machine.status(1), world.machine.current()), (None, Some(2)));
    world.feed(Input::Retry { song: 1 });
    world.settle();
    assert_eq!(world.machine.status(1), None);
}

#[test]
fn events_of_an_earlier_worker_or_try_are_ignored() {
    let mut world = World::ready();
    world.open(1);
    world.decode();
    let (old, id) = world.running().unwrap();
    world.feed(Input::WorkerLost { worker: old, detail: String::new() });
    world.load(Cpu, 30.0, false);
    world.decode();
    let (new, again) = world.running().unwrap();
    let before = world.updates.len();
    world.feed(Input::WorkerEvent { worker: old, event: segment(again), payload: Vec::new() });
    world.feed(Input::WorkerEvent { worker: old, event: finished(again), payload: Vec::new() });
    world.feed(Input::WorkerLost { worker: old, detail: String::new() });
    world.feed(Input::WorkerEvent {
        worker: old,
        event: failed(None, FailureKind::Device),
        payload: Vec::new(),
    });
    world.feed(Input::WorkerEvent { worker: new, event: finished(id), payload: Vec::new() });
    world.feed(Input::PatienceOver { worker: new, request: id });
    assert_eq!(world.updates.len(), before);
    assert_eq!(world.status(1), Status::Analysing);
}

#[test]
fn a_retry_has_another_id() {
    let mut world = World::ready();
    world.open(1);
    world.decode();
    let (worker, id) = world.running().unwrap();
    world.feed(Input::Cancel { song: 1 });
    world.feed(Input::Retry { song: 1 });
    world.decode();
    let (_, again) = world.running().unwrap();
    assert_ne!(id, again);
    world.feed(Input::WorkerEvent { worker, event: finished(id), payload: Vec::new() });
    assert_eq!(world.status(1), Status::Analysing);
    world.finish();
    assert_eq!(world.status(1), Status::Done);
    // A song that is done can be analysed again, too: by the full set.
    world.feed(Input::Retry { song: 1 });
    assert_eq!(world.status(1), Status::Decoding);
}

#[test]
fn networks_are_swapped_between_songs() {
    let mut world = World::new(Settings::default());
    world.open(1);
    world.open(2);
    world.decode();
    world.load(Cpu, 30.0, true);
    assert!(world.has(&Update::FullSet(FullSet::Offered)));
    world.finish();
    world.decode();
    assert!(world.worker(Cpu).unwrap().loads.is_empty());
    world.finish();
    let full = ModelChoice { set: ModelSet::Full, rule: None };
    assert_eq!(world.worker(Cpu).unwrap().loads, [full]);
    assert_eq!(world.updates.last(), Some(&Update::FullSet(FullSet::Loading)));
    // The worker goes on with the networks that it has.
    world.open(3);
    world.decode();
    assert!(world.running().is_some());
    world.load(Cpu, 60.0, true);
    assert!(world.has(&Update::FullSet(FullSet::Ready)));
    world.finish();
    // Another rule while nothing is under way.
    let voting = ModelChoice { rule: Some(Rule::Vote), ..full };
    world.feed(Input::SetModels(voting));
    assert_eq!(world.worker(Cpu).unwrap().loads, [voting]);
}

#[test]
fn networks_chosen_in_mid_song_come_after_its_cancellation() {
    let mut world = World::ready();
    world.open(1);
    world.decode();
    let choice = ModelChoice { set: ModelSet::Fast, rule: Some(Rule::Sum) };
    world.feed(Input::SetModels(choice));
    assert!(world.worker(Cpu).unwrap().loads.is_empty());
    world.feed(Input::Cancel { song: 1 });
    assert_eq!(world.worker(Cpu).unwrap().loads, [choice]);
}

#[test]
fn networks_that_cannot_be_loaded_are_requested_again_only_when_chosen_again() {
    let mut world = World::new(Settings::default());
    world.load(Cpu, 30.0, true);
    let worker = world.id(Cpu);
    let kept = || Event::Kept { set: ModelSet::Full, detail: "404".into() };
    world.workers.iter_mut().for_each(|worker| worker.loads.clear());
    world.event(worker, kept());
    assert!(world.has(&Update::FullSet(FullSet::Failed)));
    world.open(1);
    world.decode();
    world.finish();
    assert!(world.worker(Cpu).unwrap().loads.is_empty());
    world.feed(Input::SetModels(ModelChoice { set: ModelSet::Full, rule: None }));
    assert_eq!(world.worker(Cpu).unwrap().loads.len(), 1);
}

#[test]
fn a_gpu_with_other_logits_is_not_used() {
    let mut world = World::new(Settings { mode: Mode::WebGpu, ..Settings::default() });
    world.load(Cpu, 30.0, false);
    assert!(world.finding);
    // The GPU is not there yet.
    world.open(1);
    world.decode();
    assert!(world.has(&notice(1, SongNotice::GpuNotReady)));
    world.finish();
    world.answer_adapter(Ok(()));
    let gpu = world.id(WebGpu);
    world.event(gpu, failed(None, FailureKind::GoldenMismatch));
    assert_eq!(world.device(WebGpu), &DeviceState::Failed(Reason::Mismatch));
    world.open(2);
    world.decode();
    assert!(world.has(&notice(2, SongNotice::GpuUnusable)));
    world.finish();
    assert_eq!(world.status(2), Status::Done);
    // Choosing it again tries it again.
    world.feed(Input::SetMode(Mode::WebGpu));
    assert!(world.finding);
}

#[test]
fn a_gpu_is_looked_for_once_and_only_if_allowed() {
    let mut world = World::new(Settings { mode: Mode::Cpu, ..Settings::default() });
    world.load(Cpu, 30.0, false);
    assert!(!world.finding);
    world.feed(Input::SetMode(Mode::Auto));
    assert!(world.finding);
    world.answer_adapter(Err(Reason::NoAdapter));
    assert_eq!(world.device(WebGpu), &DeviceState::Unavailable(Reason::NoAdapter));
    world.feed(Input::SetMode(Mode::Auto));
    assert!(!world.finding);
}

#[test]
fn the_models_of_a_later_gpu_are_no_news_until_they_are_the_full_set() {
    let mut world = World::new(Settings::default());
    let models = |world: &World| {
        let models = |update: &&Update| matches!(update, Update::Models { .. });
        world.updates.iter().filter(models).count()
    };
    world.load(Cpu, 30.0, true);
    assert_eq!(models(&world), 1);
    world.load(Cpu, 60.0, true);
    assert_eq!(models(&world), 2);
    world.answer_adapter(Ok(()));
    world.load(WebGpu, 3.0, true);
    assert_eq!(models(&world), 2);
    world.load(WebGpu, 6.0, true);
    assert_eq!(models(&world), 3);
}

#[test]
fn a_gpu_without_the_chosen_networks_leaves_songs_to_a_cpu_that_has_them() {
    let mut world = World::new(Settings::default());
    let device = |world: &World| world.running().map(|(worker, _)| worker.kind);
    world.load(Cpu, 30.0, true);
    world.load(Cpu, 60.0, true);
    world.answer_adapter(Ok(()));
    world.open(1);
    world.load(WebGpu, 3.0, true);
    world.decode();
    assert_eq!(device(&world), Some(Cpu));
    world.finish();
    world.load(WebGpu, 6.0, true);
    world.open(2);
    world.decode();
    assert_eq!(device(&world), Some(WebGpu));
}

#[test]
fn live_sound_is_dropped_while_a_worker_has_a_piece() {
    let mut world = World::ready();
    let piece = || Input::Listen(Audio { sample_rate: RATE, channels: LIVE });
    world.feed(piece());
    world.feed(piece());
    let pieces = world.tasks(|task| task.work == Work::Live);
    let [(worker, task)] = pieces.as_slice() else { panic!("{pieces:?}") };
    let (worker, id) = (*worker, task.request);
    world.event(worker, segment(id));
    assert!(matches!(world.updates.last(), Some(Update::Live(Some(Prediction { non_music: Some(_), .. })))));
    world.event(worker, failed(Some(id), FailureKind::Silent));
    world.feed(piece());
    assert_eq!(world.tasks(|task| task.work == Work::Live).len(), 1);
    // A lost worker frees the place; the next piece starts another.
    world.feed(Input::WorkerLost { worker, detail: String::new() });
    world.feed(piece());
    world.load(Cpu, 30.0, false);
    world.feed(piece());
    assert_eq!(world.tasks(|task| task.work == Work::Live).len(), 1);
}

const RANGE: Interval = Interval { start: 3.0, end: 6.0 };

/// What the host heard last about an explanation.
fn last(world: &World) -> &ExplanationUpdate {
    let mut updates = world.updates.iter().rev();
    updates
        .find_map(|update| match update {
            Update::Explanation(update) => Some(update),
            _ => None,
        })
        .unwrap()
}

#[test]
fn a_segment_is_explained() {
    let mut world = World::ready();
    world.open(1);
    world.settle();
    world.feed(Input::Explain { song: 1, segment: 2, range: RANGE, class: 1 });
    assert_eq!(last(&world), &ExplanationUpdate::Asked { song: 1, segment: 2, class: 1 });
    assert_eq!(world.decodes.first().map(|(_, song, range)| (*song, *range)), Some((1, Some(RANGE))));
    world.decode();
    let (worker, task) = world.tasks(|task| task.work == Work::Explanation).remove(0);
    let answer = Event::Explained { id: task.request, class: 1, rows: 1, columns: 2 };
    world.feed(Input::WorkerEvent { worker, event: answer, payload: vec![0.5, -0.5] });
    let tiles = Tiles { rows: 1, columns: 2, values: vec![0.5, -0.5] };
    assert_eq!(last(&world), &ExplanationUpdate::Answered(tiles));
}

#[test]
fn an_explanation_is_replaced_stopped_or_fails() {
    let mut world = World::ready();
    world.open(1);
    world.settle();
    let ask = Input::Explain { song: 1, segment: 0, range: RANGE, class: 0 };
    world.feed(ask.clone());
    world.feed(ask.clone());
    world.decode();
    assert!(world.tasks(|_| true).is_empty(), "the first question is forgotten");
    world.decode();
    let (worker, task) = world.tasks(|_| true).remove(0);
    world.feed(Input::StopExplaining);
    assert_eq!(last(&world), &ExplanationUpdate::Stopped);
    assert!(world.tasks(|_| true).iter().all(|(_, task)| task.cancelled));
    world.event(worker, Event::Cancelled { id: task.request });
    assert_eq!(last(&world), &ExplanationUpdate::Stopped);
    // An answer of the wrong size.
    world.feed(ask.clone());
    world.decode();
    let (worker, task) = world.tasks(|_| true).remove(0);
    world.event(worker, Event::Explained { id: task.request, class: 0, rows: 2, columns: 2 });
    assert_eq!(last(&world), &ExplanationUpdate::Failed);
    // A lost worker, and an unknown song.
    world.feed(ask);
    world.feed(Input::WorkerLost { worker, detail: String::new() });
    assert_eq!(last(&world), &ExplanationUpdate::Failed);
    let before = world.updates.len();
    world.feed(Input::Explain { song: 9, segment: 0, range: RANGE, class: 0 });
    assert_eq!(world.updates.len(), before);
}

#[test]
fn a_second_start_changes_nothing() {
    let mut world = World::ready();
    let worker = world.id(Cpu);
    world.feed(Input::Start);
    assert_eq!(world.id(Cpu), worker);
    world.event(worker, ready(Cpu, ModelSet::Fast, 20.0, false));
    assert!(matches!(world.device(Cpu), DeviceState::Ready { .. }));
}
