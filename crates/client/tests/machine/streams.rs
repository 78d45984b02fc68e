//! Songs that the page's own decoder decodes piece by piece.

use cratedigger_client::machine::{Input, StreamEvent};
use cratedigger_client::{Settings, SongNotice, SongUpdate, Status, Trouble};
use cratedigger_protocol::DeviceKind::{Cpu, WebGpu};
use cratedigger_protocol::decode::Note;

use crate::world::{Work, World, segment, told};

/// A world in which a worker has a song of which it waits for pieces.
fn streaming() -> World {
    let mut world = World::ready();
    world.open(1);
    world.refuse();
    world.decoder_goes_on();
    world
}

fn ended(notes: Vec<Note>) -> StreamEvent<u32> {
    StreamEvent::Ended { notes }
}

#[test]
fn a_song_goes_piece_by_piece_and_never_far_ahead() {
    let mut world = World::ready();
    world.open(1);
    world.refuse();
    assert_eq!(world.status(1), Status::Decoding);
    assert_eq!(world.decoders[0].pulls, 0, "nothing is decoded before a worker has the song");
    world.decoder_goes_on();
    assert_eq!(world.status(1), Status::Analysing);
    let (worker, id) = world.running().unwrap();
    let ahead = world.decoders[0].pulls;
    for _ in 0..20 {
        world.decoder_goes_on();
    }
    let pieces = |world: &World| world.tasks(|_| true)[0].1.pieces.unwrap();
    assert_eq!((world.decoders[0].pulls, pieces(&world)), (0, ahead));
    world.event(worker, segment(id));
    world.use_piece();
    assert_eq!((world.decoders[0].pulls, pieces(&world)), (1, ahead - 1));
    world.decoder_ends(ended(vec![Note::Joined { parts: 2 }]));
    assert!(world.tasks(|_| true)[0].1.ended);
    assert!(world.has(&told(1, SongUpdate::Notes(vec![Note::Joined { parts: 2 }]))));
    // Pieces that are used up now are not replaced.
    world.use_piece();
    assert_eq!(world.decoders[0].pulls, 0);
    world.finish();
    assert_eq!((world.status(1), world.decoders.len()), (Status::Done, 0));
}

#[test]
fn a_file_that_cannot_be_decoded_says_why() {
    let mut world = World::ready();
    world.open(1);
    world.open(2);
    world.refuse();
    let detail = "a WavPack file".to_string();
    let request = world.decoders[0].request;
    let event = StreamEvent::Failed { trouble: Trouble::Unsupported, detail: detail.clone(), at: 0.0 };
    world.feed(Input::Stream { request, event });
    assert_eq!(world.status(1), Status::Failed(Trouble::Unsupported));
    assert!(world.has(&told(1, SongUpdate::Detail(detail))));
    assert!(world.decoders.is_empty());
    assert_eq!(world.status(2), Status::Decoding);
}

#[test]
fn what_was_decoded_before_a_failure_gets_its_answer() {
    let mut world = streaming();
    world.decoder_goes_on();
    let event = StreamEvent::Failed { trouble: Trouble::Unreadable, detail: "gone".into(), at: 4.0 };
    world.decoder_ends(event);
    assert!(world.has(&told(1, SongUpdate::Notes(vec![Note::Unreadable { at: 4.0 }]))));
    world.finish();
    assert_eq!(world.status(1), Status::Done);
}

#[test]
fn cancelling_stops_the_decoder_at_once() {
    let mut world = streaming();
    world.open(2);
    world.feed(Input::Cancel { song: 1 });
    assert!(world.decoders.is_empty());
    assert!(world.tasks(|task| task.cancelled).len() == 1);
    world.refuse();
    assert_eq!(world.decoders[0].song, 2);
    world.settle();
    assert_eq!((world.status(1), world.status(2)), (Status::Cancelled, Status::Done));
}

#[test]
fn a_lost_worker_starts_the_song_over() {
    let mut world = World::ready_with_gpu();
    world.open(1);
    world.refuse();
    world.decoder_goes_on();
    world.decoder_goes_on();
    let (gpu, first) = world.running().unwrap();
    assert_eq!(gpu.kind, WebGpu);
    world.feed(Input::WorkerLost { worker: gpu, detail: "device lost".into() });
    assert!(
        world.decoders.is_empty() && world.has(&told(1, SongUpdate::Notice(Some(SongNotice::GpuStopped))))
    );
    // A late report about the old decoder changes nothing.
    let event = StreamEvent::Block { samples: 1, expected: 9.0 };
    world.feed(Input::Stream { request: first, event });
    world.refuse();
    world.decoder_goes_on();
    let (cpu, again) = world.running().unwrap();
    assert!(cpu.kind == Cpu && again != first);
    world.settle();
    assert_eq!(world.status(1), Status::Done);
}

#[test]
fn an_open_file_waits_for_the_first_worker() {
    let mut world = World::new(Settings::default());
    world.open(1);
    world.refuse();
    world.decoder_goes_on();
    assert_eq!((world.status(1), world.decoders[0].pulls), (Status::Analysing, 0));
    world.load(Cpu, 30.0, false);
    assert!(world.decoders[0].pulls > 0);
    assert_eq!(world.tasks(|_| true)[0].1.work, Work::Song(1));
}
