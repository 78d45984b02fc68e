//! Songs that the page's own decoder decodes piece by piece: those that the browser refuses, and those
//! that are too long to be decoded at once.
//!
//! The shell runs one decoder a request. A piece is pulled only when the worker wants it, so that no more
//! than [`AHEAD`] pieces are in memory.

use cratedigger_protocol::decode::Note;
use cratedigger_protocol::{DeviceKind, Request};

use super::Machine;
use super::message::{Effect, RequestId, StreamEvent};
use crate::trouble::Trouble;
use crate::update::{SongId, SongUpdate, Status};

/// Pieces that are decoded before the worker has used the first one.
pub(super) const AHEAD: usize = 6;

/// The decoder of the song under way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Stream {
    /// Samples a second, in Hz; `None` until the file is open.
    sample_rate: Option<u32>,
    /// Whether the decoder has given its last piece.
    ended: bool,
}

impl Stream {
    /// Whether a worker could take the song.
    pub(super) fn is_open(self) -> bool {
        self.sample_rate.is_some()
    }
}

impl<S> Machine<S> {
    /// The browser does not decode a file, so the page's own decoder does.
    pub(super) fn undecoded(&mut self, request: RequestId) {
        let Some(job) = self.job.as_mut().filter(|job| job.id == request && job.is_waiting()) else { return };
        job.stream = Some(Stream::default());
        let song = job.song;
        self.effects.push(Effect::OpenStream { request, song });
    }

    /// The page's own decoder reports.
    pub(super) fn stream_event(&mut self, request: RequestId, event: StreamEvent<S>) {
        let Some(job) = self.job.as_mut().filter(|job| job.id == request) else { return };
        let (song, running) = (job.song, job.running);
        let Some(stream) = job.stream.as_mut().filter(|stream| !stream.ended) else { return };
        match event {
            StreamEvent::Opened { sample_rate } => {
                stream.sample_rate = Some(sample_rate);
                self.dispatch();
            }
            StreamEvent::Block { samples, expected } => {
                if let Some(kind) = running {
                    self.send(kind, Request::Samples { id: request, expected }, Some(samples));
                }
            }
            StreamEvent::Ended { notes } => {
                stream.ended = true;
                self.end_stream(song, running, request, notes);
            }
            StreamEvent::Failed { trouble, detail, at } => {
                stream.ended = true;
                self.warn(format!("decoder stopped at {at:.1} s: {detail}"));
                if at > 0.0 && running.is_some() {
                    // What was decoded still gets its answer.
                    self.end_stream(song, running, request, vec![Note::Unreadable { at }]);
                } else {
                    self.fail(song, trouble, detail);
                }
            }
        }
    }

    /// Begins to send a stream to a worker that has just got the job.
    pub(super) fn start_stream(&mut self, kind: DeviceKind) {
        let Some(job) = self.job.as_ref() else { return };
        let id = job.id;
        if let Some(sample_rate) = job.stream.and_then(|stream| stream.sample_rate) {
            self.send(kind, Request::Stream { id, sample_rate }, None);
            self.effects.extend((0..AHEAD).map(|_| Effect::Pull { request: id }));
        }
    }

    /// The worker has used a piece.
    pub(super) fn wanted(&mut self) {
        let Some(job) = self.job.as_ref() else { return };
        if job.stream.is_some_and(|stream| !stream.ended) {
            self.effects.push(Effect::Pull { request: job.id });
        }
    }

    /// Stops the decoder of a job that ends or starts over.
    pub(super) fn close_stream(&mut self, request: RequestId, stream: Option<Stream>) {
        if stream.is_some() {
            self.effects.push(Effect::CloseStream { request });
        }
    }

    fn end_stream(&mut self, song: SongId, running: Option<DeviceKind>, id: RequestId, notes: Vec<Note>) {
        if !notes.is_empty() {
            self.tell(song, SongUpdate::Notes(notes));
        }
        match running {
            Some(kind) => self.send(kind, Request::End { id }, None),
            // No worker has asked for a piece, so the decoder cannot have come to an end.
            None => self.end(Status::Failed(Trouble::Decoder)),
        }
    }

    /// Gives up on the song. A worker that has it already is told.
    fn fail(&mut self, song: SongId, trouble: Trouble, detail: String) {
        self.tell(song, SongUpdate::Detail(detail));
        self.set_notice(song, None);
        self.set_status(song, Status::Failed(trouble));
        self.abandon();
        self.advance();
    }
}
