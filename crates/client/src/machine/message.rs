//! What goes into the [`Machine`](super::Machine) and what comes out.

use cratedigger_protocol::decode::Note;
use cratedigger_protocol::{DeviceKind, Event, Request};

use crate::policy::Mode;
use crate::settings::ModelChoice;
use crate::trouble::{Reason, Trouble};
use crate::update::{Interval, SongId, Update};

/// Id of one request: of a try at a song, a piece of live sound, or an explanation. It is the `id` in
/// the protocol.
pub type RequestId = u32;

/// Decoded sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Audio<S> {
    /// Samples a second of each channel, in Hz.
    pub sample_rate: u32,
    /// The samples of all channels.
    pub channels: S,
}

/// One worker. A replacement gets another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WorkerId {
    /// Its device.
    pub kind: DeviceKind,
    /// Counts the workers of this device, from 1.
    pub generation: u32,
}

/// The page's own decoder reports about a file.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent<S> {
    /// The file holds sound.
    Opened {
        /// Samples a second of all blocks, in Hz.
        sample_rate: u32,
    },
    /// The next samples: the answer to one [`Effect::Pull`].
    Block {
        /// The samples, mono.
        samples: S,
        /// Expected length of the whole file in seconds.
        expected: f64,
    },
    /// There is no more sound.
    Ended {
        /// What was left out or mended.
        notes: Vec<Note>,
    },
    /// The file cannot be decoded, or not any further.
    Failed {
        /// Why.
        trouble: Trouble,
        /// The decoder's words, in English.
        detail: String,
        /// Seconds that were decoded before.
        at: f64,
    },
}

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<S> {
    /// The client starts.
    Start,
    /// The user opens a song. Ignored if its id is known.
    Open {
        /// A new id.
        song: SongId,
    },
    /// The user gives up on a song; partial results stay.
    Cancel {
        /// The song.
        song: SongId,
    },
    /// The user gives up on every open song.
    CancelAll,
    /// The user wants a song that has ended to be analysed again.
    Retry {
        /// The song.
        song: SongId,
    },
    /// The user removes a song.
    Remove {
        /// The song.
        song: SongId,
    },
    /// The user moves a waiting song one place ahead.
    Raise {
        /// The song.
        song: SongId,
    },
    /// The user chooses a device. The song under way stays where it is.
    SetMode(Mode),
    /// The user chooses networks, or how they decide. The song under way is not affected.
    SetModels(ModelChoice),
    /// A piece of live sound.
    Listen(Audio<S>),
    /// The user asks which parts of a segment speak for a class. Replaces an earlier question.
    Explain {
        /// The song.
        song: SongId,
        /// The segment, 0-based.
        segment: u32,
        /// Where the segment lies.
        range: Interval,
        /// The class, by its place in the list of classes.
        class: usize,
    },
    /// The user does not wait for the explanation any more.
    StopExplaining,
    /// Answers [`Effect::Decode`].
    Decoded {
        /// The request.
        request: RequestId,
        /// The samples, or why there are none.
        result: Result<Audio<S>, Trouble>,
    },
    /// Answers [`Effect::Decode`] too: the browser does not decode this file, and the page's own decoder has
    /// to do it.
    Undecoded {
        /// The request.
        request: RequestId,
    },
    /// Follows [`Effect::OpenStream`].
    Stream {
        /// The request.
        request: RequestId,
        /// What the decoder reports.
        event: StreamEvent<S>,
    },
    /// A message from a worker.
    WorkerEvent {
        /// The worker.
        worker: WorkerId,
        /// The message.
        event: Event,
        /// Its payload; empty for a message without one.
        payload: Vec<f32>,
    },
    /// A worker crashed, could not be started, could not be reached, or sent an unreadable message.
    WorkerLost {
        /// The worker.
        worker: WorkerId,
        /// What happened, for a developer.
        detail: String,
    },
    /// Answers [`Effect::FindAdapter`].
    Adapter(Result<(), Reason>),
    /// Answers [`Effect::StartTimer`].
    PatienceOver {
        /// The worker.
        worker: WorkerId,
        /// The cancelled request.
        request: RequestId,
    },
}

/// Something that the shell has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect<S> {
    /// Decode a song's file; answer with [`Input::Decoded`] or, for a whole song, [`Input::Undecoded`].
    Decode {
        /// The request, for the answer.
        request: RequestId,
        /// The song.
        song: SongId,
        /// The part that is needed; `None` for the whole song.
        range: Option<Interval>,
    },
    /// Open a song's file with the page's own decoder; report with [`Input::Stream`].
    OpenStream {
        /// The request, for the reports.
        request: RequestId,
        /// The song.
        song: SongId,
    },
    /// Have the decoder of this request give its next piece.
    Pull {
        /// The request.
        request: RequestId,
    },
    /// Stop the decoder of this request.
    CloseStream {
        /// The request.
        request: RequestId,
    },
    /// Start this worker.
    StartWorker(WorkerId),
    /// Terminate this worker. No later input about it has an effect.
    StopWorker(WorkerId),
    /// Send a request; if that fails, answer with [`Input::WorkerLost`].
    Send {
        /// The worker.
        worker: WorkerId,
        /// The request.
        request: Request,
        /// Its payload.
        samples: Option<S>,
    },
    /// Ask the browser for a GPU adapter; answer with [`Input::Adapter`].
    FindAdapter,
    /// Answer with [`Input::PatienceOver`] after [`PATIENCE`](super::PATIENCE).
    StartTimer {
        /// The worker that has to answer a cancellation.
        worker: WorkerId,
        /// The cancelled request.
        request: RequestId,
    },
    /// Tell the host.
    Notify(Update),
    /// Write a warning for developers.
    Warn(String),
}
