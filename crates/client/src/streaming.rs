//! The client's side of the page's own decoder: whole songs piece by piece, and parts of them.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use cratedigger_protocol::decode::DecodeEvent;
use js_sys::{Float32Array, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::client::Client;
use crate::decode::{Channels, Undecoded};
use crate::decoder::{Decoder, Report};
use crate::machine::{Audio, Input, RequestId, StreamEvent};
use crate::trouble::Trouble;
use crate::update::{Interval, SongId};
use crate::worker::describe;

impl Client {
    /// Opens a whole song.
    pub(crate) fn open_stream(&self, request: RequestId, song: SongId) {
        let client = Rc::downgrade(&self.0);
        let why = self.0.undecoded.borrow().get(&song).copied().unwrap_or(Undecoded::Refused);
        let decoded = RefCell::new(Progress::default());
        let report = move |report| {
            if let Some(client) = Weak::upgrade(&client).map(Self) {
                let event = event_of(report, why, &mut decoded.borrow_mut());
                client.feed(Input::Stream { request, event });
            }
        };
        if let Err(event) = self.start_decoder(request, song, (0.0, None), report) {
            self.feed(Input::Stream { request, event });
        }
    }

    /// Has a decoder give its next piece.
    pub(crate) fn pull(&self, request: RequestId) {
        let pulled = self.0.decoders.borrow().get(&request).map(Decoder::pull);
        if let Some(Err(error)) = pulled {
            let event = lost(Trouble::Decoder, describe(&error), 0.0);
            self.feed(Input::Stream { request, event });
        }
    }

    /// Stops a decoder.
    pub(crate) fn close_stream(&self, request: RequestId) {
        let old = self.0.decoders.borrow_mut().remove(&request);
        // In a later turn: this turn may run inside one of the decoder's own closures.
        spawn_local(async move { drop(old) });
    }

    /// Decodes a part of a song; answers with [`Input::Decoded`].
    pub(crate) fn decode_part(&self, request: RequestId, song: SongId, range: Interval) {
        let client = self.clone();
        spawn_local(async move {
            let result = client.part(request, song, range).await;
            client.feed(Input::Decoded { request, result });
        });
    }

    /// A part of a song.
    ///
    /// # Errors
    /// It cannot be decoded.
    pub(crate) async fn part(
        &self,
        request: RequestId,
        song: SongId,
        range: Interval,
    ) -> Result<Audio<Channels>, Trouble> {
        type Found = RefCell<Option<Result<Audio<Channels>, Trouble>>>;
        let found: Rc<Found> = Rc::default();
        let client = Rc::downgrade(&self.0);
        let done = Promise::new(&mut |resolve, _| {
            let (client, found) = (client.clone(), Rc::clone(&found));
            let part = RefCell::new(Part::default());
            let report = move |report| {
                let Some(client) = Weak::upgrade(&client).map(Self) else { return };
                let taken = part.borrow_mut().take(report);
                match taken {
                    None => client.pull(request),
                    Some(result) => {
                        client.close_stream(request);
                        *found.borrow_mut() = Some(result);
                        // It only resolves a promise.
                        let _ = resolve.call0(&JsValue::NULL);
                    }
                }
            };
            let range = (range.start, Some(range.end));
            if self.start_decoder(request, song, range, report).is_err() {
                self.close_stream(request);
            }
        });
        // Without a decoder nothing resolves the promise.
        if self.0.decoders.borrow().contains_key(&request) {
            // The promise is never rejected.
            let _ = JsFuture::from(done).await;
        }
        let result = found.borrow_mut().take();
        result.unwrap_or(Err(Trouble::Decoder))
    }

    fn start_decoder(
        &self,
        request: RequestId,
        song: SongId,
        range: (f64, Option<f64>),
        report: impl Fn(Report) + 'static,
    ) -> Result<(), StreamEvent<Channels>> {
        let Some(file) = self.file(song) else {
            return Err(lost(Trouble::Unreadable, "the file is gone".into(), 0.0));
        };
        let decoder = Decoder::start(self.files(), &file, range, report)
            .map_err(|error| lost(Trouble::Decoder, describe(&error), 0.0))?;
        self.0.decoders.borrow_mut().insert(request, decoder);
        Ok(())
    }
}

fn lost(trouble: Trouble, detail: String, at: f64) -> StreamEvent<Channels> {
    StreamEvent::Failed { trouble, detail, at }
}

/// How far a decoder is.
#[derive(Default)]
struct Progress {
    /// Samples a second, in Hz; 0 before the file is open.
    rate: u32,
    samples: f64,
}

impl Progress {
    fn seconds(&self) -> f64 {
        self.samples / f64::from(self.rate.max(1))
    }
}

/// A report in the machine's words.
fn event_of(report: Report, why: Undecoded, progress: &mut Progress) -> StreamEvent<Channels> {
    match report {
        Report::Event(DecodeEvent::Opened { sample_rate }, _) => {
            progress.rate = sample_rate;
            StreamEvent::Opened { sample_rate }
        }
        Report::Event(DecodeEvent::Block { estimate }, samples) => {
            let samples = samples.unwrap_or_else(|| Float32Array::new_with_length(0));
            progress.samples += f64::from(samples.length());
            StreamEvent::Block { samples: vec![samples], expected: estimate }
        }
        Report::Event(DecodeEvent::Finished { notes }, _) => StreamEvent::Ended { notes },
        Report::Event(DecodeEvent::Failed { problem, detail, at }, _) => {
            StreamEvent::Failed { trouble: problem.into(), detail, at }
        }
        Report::Lost(detail) => {
            let trouble = match (progress.rate, why) {
                (0, Undecoded::TooLong) => Trouble::TooLong,
                (0, Undecoded::Refused) => Trouble::NotAudio,
                _ => Trouble::Decoder,
            };
            lost(trouble, detail, progress.seconds())
        }
    }
}

/// A part of a song that is collected.
#[derive(Default)]
struct Part {
    sample_rate: u32,
    blocks: Vec<Float32Array>,
}

impl Part {
    /// Takes a report; the result once there is one, and `None` while more is to be pulled.
    fn take(&mut self, report: Report) -> Option<Result<Audio<Channels>, Trouble>> {
        match report {
            Report::Event(DecodeEvent::Opened { sample_rate }, _) => {
                self.sample_rate = sample_rate;
                None
            }
            Report::Event(DecodeEvent::Block { .. }, samples) => {
                self.blocks.extend(samples);
                None
            }
            Report::Event(DecodeEvent::Finished { .. }, _) => {
                let samples =
                    Float32Array::new_with_length(self.blocks.iter().map(Float32Array::length).sum());
                let mut at = 0;
                for block in &self.blocks {
                    samples.set(block, at);
                    at += block.length();
                }
                Some(Ok(Audio { sample_rate: self.sample_rate, channels: vec![samples] }))
            }
            Report::Event(DecodeEvent::Failed { problem, .. }, _) => Some(Err(problem.into())),
            Report::Lost(_) => Some(Err(Trouble::Decoder)),
        }
    }
}
