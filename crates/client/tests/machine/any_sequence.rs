//! Any sequence of inputs. [`World`] checks after each that there is one job at most; here, that every
//! song comes to an end.

use cratedigger_client::machine::{Audio, Input, StreamEvent};
use cratedigger_client::settings::{ModelChoice, RULES};
use cratedigger_client::{Interval, Mode, Reason, Settings, Status, Trouble};
use cratedigger_protocol::decode::Note;
use cratedigger_protocol::{DeviceKind, Event, FailureKind, ModelSet};
use proptest::prelude::*;

use crate::world::{LIVE, RATE, World, failed, finished, segment};

/// Something that a user, the browser or a worker does.
#[derive(Clone, Debug)]
enum Act {
    Open,
    Cancel(u32),
    CancelAll,
    Retry(u32),
    Remove(u32),
    Raise(u32),
    SetMode(usize),
    SetModels(bool, usize),
    Listen,
    Explain(u32),
    StopExplaining,
    Decode,
    DecodeFails,
    /// The browser does not decode a song.
    Undecoded,
    DecoderGoesOn,
    DecoderEnds,
    DecoderFails(f64),
    UsePiece,
    Adapter(bool),
    /// A worker answers a request for networks.
    Load(DeviceKind, bool),
    Refuse(DeviceKind),
    /// A worker reports on its n-th task.
    Progress(DeviceKind, usize),
    Finish(DeviceKind, usize),
    Fail(DeviceKind, usize, FailureKind),
    Cancelled(DeviceKind, usize),
    Explained(DeviceKind, usize),
    Lose(DeviceKind),
    FailAll(DeviceKind, FailureKind),
    Patience(usize),
    /// Something about a worker that is gone, or a request of any id.
    Stale(DeviceKind, u32, u32),
}

fn act() -> impl Strategy<Value = Act> {
    use Act::*;
    let song = 0u32..8;
    let kind = prop_oneof![Just(DeviceKind::Cpu), Just(DeviceKind::WebGpu)];
    let failure = prop_oneof![
        Just(FailureKind::TooShort),
        Just(FailureKind::Models),
        Just(FailureKind::GoldenMismatch),
        Just(FailureKind::NoGpu),
        Just(FailureKind::Device),
        Just(FailureKind::BadRequest),
    ];
    let user = prop_oneof![
        4 => Just(Open),
        2 => song.clone().prop_map(Cancel),
        1 => Just(CancelAll),
        2 => song.clone().prop_map(Retry),
        1 => song.clone().prop_map(Remove),
        1 => song.clone().prop_map(Raise),
        1 => (0usize..3).prop_map(SetMode),
        1 => (any::<bool>(), 0usize..4).prop_map(|(full, rule)| SetModels(full, rule)),
        1 => Just(Listen),
        1 => song.prop_map(Explain),
        1 => Just(StopExplaining),
    ];
    let world = prop_oneof![
        8 => Just(Decode),
        1 => Just(DecodeFails),
        4 => Just(Undecoded),
        10 => Just(DecoderGoesOn),
        2 => Just(DecoderEnds),
        1 => prop_oneof![Just(0.0), Just(4.0)].prop_map(DecoderFails),
        6 => Just(UsePiece),
        2 => any::<bool>().prop_map(Adapter),
        6 => (kind.clone(), any::<bool>()).prop_map(|(kind, more)| Load(kind, more)),
        1 => kind.clone().prop_map(Refuse),
        3 => (kind.clone(), 0usize..3).prop_map(|(kind, n)| Progress(kind, n)),
        5 => (kind.clone(), 0usize..3).prop_map(|(kind, n)| Finish(kind, n)),
        2 => (kind.clone(), 0usize..3, failure.clone()).prop_map(|(kind, n, f)| Fail(kind, n, f)),
        2 => (kind.clone(), 0usize..3).prop_map(|(kind, n)| Cancelled(kind, n)),
        1 => (kind.clone(), 0usize..3).prop_map(|(kind, n)| Explained(kind, n)),
        2 => kind.clone().prop_map(Lose),
        1 => (kind.clone(), failure).prop_map(|(kind, f)| FailAll(kind, f)),
        1 => (0usize..3).prop_map(Patience),
        2 => (kind, 0u32..6, 0u32..20).prop_map(|(kind, generation, id)| Stale(kind, generation, id)),
    ];
    prop_oneof![1 => user, 2 => world]
}

/// Sends an event about the n-th task of this worker, if there is one.
fn about(world: &mut World, kind: DeviceKind, n: usize, event: impl Fn(u32) -> Event) {
    let task = world.worker(kind).and_then(|worker| Some((worker.id, worker.tasks.get(n)?.request)));
    if let Some((worker, request)) = task {
        world.event(worker, event(request));
    }
}

fn perform(world: &mut World, opened: &mut u32, act: Act) {
    match act {
        Act::Open => {
            world.open(*opened);
            *opened += 1;
        }
        Act::Cancel(song) => world.feed(Input::Cancel { song }),
        Act::CancelAll => world.feed(Input::CancelAll),
        Act::Retry(song) => world.feed(Input::Retry { song }),
        Act::Remove(song) => world.feed(Input::Remove { song }),
        Act::Raise(song) => world.feed(Input::Raise { song }),
        Act::SetMode(mode) => world.feed(Input::SetMode(Mode::ALL[mode])),
        Act::SetModels(full, rule) => {
            let set = if full { ModelSet::Full } else { ModelSet::Fast };
            world.feed(Input::SetModels(ModelChoice { set, rule: RULES[rule] }));
        }
        Act::Listen => world.feed(Input::Listen(Audio { sample_rate: RATE, channels: LIVE })),
        Act::Explain(song) => {
            let range = Interval { start: 0.0, end: 3.0 };
            world.feed(Input::Explain { song, segment: 0, range, class: 1 });
        }
        Act::StopExplaining => world.feed(Input::StopExplaining),
        Act::Decode if !world.decodes.is_empty() => world.decode(),
        Act::DecodeFails if !world.decodes.is_empty() => {
            let (request, ..) = world.decodes.remove(0);
            world.feed(Input::Decoded { request, result: Err(Trouble::NotAudio) });
        }
        Act::Undecoded if !world.decodes.is_empty() => world.refuse(),
        Act::Decode | Act::DecodeFails | Act::Undecoded => {}
        Act::DecoderGoesOn => world.decoder_goes_on(),
        Act::DecoderEnds => world.decoder_ends(StreamEvent::Ended { notes: vec![Note::LowBandOnly] }),
        Act::DecoderFails(at) => {
            let detail = "on purpose".to_string();
            world.decoder_ends(StreamEvent::Failed { trouble: Trouble::Damaged, detail, at });
        }
        Act::UsePiece => world.use_piece(),
        // Also when nobody asked.
        Act::Adapter(found) => {
            world.answer_adapter(if found { Ok(()) } else { Err(Reason::NoAdapter) });
        }
        Act::Load(kind, more) => world.load(kind, 10.0, more),
        Act::Refuse(kind) => {
            let worker = world.workers.iter_mut().find(|worker| worker.id.kind == kind);
            if let Some(worker) = worker.filter(|worker| worker.loaded > 0)
                && let Some(ModelChoice { set, .. }) = worker.loads.pop()
            {
                let id = worker.id;
                world.event(id, Event::Kept { set, detail: String::new() });
            }
        }
        Act::Progress(kind, n) => about(world, kind, n, segment),
        Act::Finish(kind, n) => about(world, kind, n, finished),
        Act::Fail(kind, n, failure) => about(world, kind, n, |id| failed(Some(id), failure)),
        Act::Cancelled(kind, n) => about(world, kind, n, |id| Event::Cancelled { id }),
        Act::Explained(kind, n) => {
            about(world, kind, n, |id| Event::Explained { id, class: 1, rows: 0, columns: 0 });
        }
        Act::Lose(kind) => {
            if let Some(worker) = world.worker(kind).map(|worker| worker.id) {
                world.feed(Input::WorkerLost { worker, detail: String::new() });
            }
        }
        Act::FailAll(kind, failure) => {
            if let Some(worker) = world.worker(kind).map(|worker| worker.id) {
                world.event(worker, failed(None, failure));
            }
        }
        Act::Patience(n) if n < world.timers.len() => {
            let (worker, request) = world.timers.remove(n);
            world.feed(Input::PatienceOver { worker, request });
        }
        Act::Patience(_) => {}
        Act::Stale(kind, back, id) => stale(world, kind, back, id),
    }
}

/// Whatever a worker of an earlier generation says changes nothing.
fn stale(world: &mut World, kind: DeviceKind, back: u32, id: u32) {
    let Some(now) = world.worker(kind).map(|worker| worker.id) else { return };
    let Some(generation) = now.generation.checked_sub(back + 1) else { return };
    let old = cratedigger_client::machine::WorkerId { kind, generation };
    let before = world.updates.len();
    for event in
        [segment(id), finished(id), failed(Some(id), FailureKind::Device), failed(None, FailureKind::Device)]
    {
        world.feed(Input::WorkerEvent { worker: old, event, payload: Vec::new() });
    }
    world.feed(Input::WorkerLost { worker: old, detail: String::new() });
    assert_eq!(world.updates.len(), before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_song_comes_to_one_end(mode in 0usize..3, acts in prop::collection::vec(act(), 0..120)) {
        let mut world = World::new(Settings { mode: Mode::ALL[mode], ..Settings::default() });
        let mut opened = 0;
        for act in acts {
            perform(&mut world, &mut opened, act);
        }
        prop_assert_eq!(world.statuses.len(), opened as usize);
        world.settle();
        for (song, status) in &world.statuses {
            let ended = matches!(status, Status::Done | Status::Failed(_) | Status::Cancelled);
            prop_assert!(ended, "song {} is {:?}", song, status);
        }
        prop_assert_eq!(world.machine.current(), None);
    }
}
