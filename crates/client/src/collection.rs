//! What concerns the songs of a crate together: a worker of its own computes features, teaches classes of one's
//! own, and finds similar songs, beside the worker that analyses songs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use cratedigger_protocol::collection::{
    CollectionAnswer, CollectionTask, Lesson, LessonReport, OwnNetwork, OwnPrediction, Similar,
};
use cratedigger_protocol::{Event, ModelSet, Request};
use js_sys::{Array, Float32Array, Function, Promise, Uint8Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::decode::Channels;
use crate::files::Files;
use crate::machine::Audio;
use crate::trouble::Trouble;
use crate::worker::Running;

/// The features of a song.
#[derive(Clone, Debug)]
pub struct SongFeatures {
    /// Features of some segments, row after row.
    pub segments: Float32Array,
    /// The song's embedding.
    pub embedding: Float32Array,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectionError {
    /// [`Collection::stop`] was called.
    Stopped,
    /// The worker failed, for this reason. The detail is for a developer.
    Trouble(Trouble, String),
}

/// The worker for the songs of a crate together. It starts with the first question. Copies are handles to the same
/// worker.
#[derive(Clone)]
pub struct Collection(Rc<Inner>);

struct Inner {
    files: Files,
    running: RefCell<Option<Running>>,
    open: RefCell<BTreeMap<u32, Question>>,
    last: Cell<u32>,
}

/// A question that is not answered yet.
struct Question {
    /// Resolves with the message, or with `undefined` if there is none to come.
    answer: Function,
    progress: Box<dyn Fn(u32, u32)>,
}

impl Collection {
    /// No worker yet. `files` are those of [`Client::start`](crate::Client::start).
    pub fn new(files: Files) -> Self {
        Self(Rc::new(Inner {
            files,
            running: RefCell::new(None),
            open: RefCell::default(),
            last: Cell::new(0),
        }))
    }

    /// Ends the worker. Open questions are answered by [`CollectionError::Stopped`].
    pub fn stop(&self) {
        self.0.running.take();
        self.answer_all(&JsValue::UNDEFINED);
    }

    /// SHA-256 of the weights of the network that computes features.
    ///
    /// # Errors
    /// See [`CollectionError`]; so for all other questions.
    pub async fn network(&self) -> Result<String, CollectionError> {
        match self.ask(CollectionTask::Ear, &Array::new(), |_, _| {}).await? {
            (CollectionAnswer::Ear { network }, _) => Ok(network),
            _ => Err(mismatch()),
        }
    }

    /// The features of a song.
    ///
    /// # Errors
    /// See [`CollectionError`].
    pub async fn features(&self, audio: Audio<Channels>) -> Result<SongFeatures, CollectionError> {
        let task = CollectionTask::Features { sample_rate: audio.sample_rate };
        let (answer, payload) = self.ask(task, &audio.channels.iter().collect(), |_, _| {}).await?;
        let (CollectionAnswer::Features { rows, width, .. }, Ok(values)) =
            (answer, payload.dyn_into::<Float32Array>())
        else {
            return Err(mismatch());
        };
        let end = rows.saturating_mul(width);
        Ok(SongFeatures { segments: values.slice(0, end), embedding: values.slice(end, values.length()) })
    }

    /// Fits classes of one's own. `songs` are the features of the lesson's songs. Returns how well they were learned,
    /// and the network as a zip file. `progress` gets the number of fits that are done, and of all.
    ///
    /// # Errors
    /// See [`CollectionError`].
    pub async fn teach(
        &self,
        lesson: Lesson,
        songs: &[Float32Array],
        progress: impl Fn(u32, u32) + 'static,
    ) -> Result<(LessonReport, Uint8Array), CollectionError> {
        let (answer, payload) =
            self.ask(CollectionTask::Teach(lesson), &songs.iter().collect(), progress).await?;
        match (answer, payload.dyn_into::<Uint8Array>()) {
            (CollectionAnswer::Taught { report }, Ok(zip)) => Ok((report, zip)),
            _ => Err(mismatch()),
        }
    }

    /// What a zip file with classes of one's own holds.
    ///
    /// # Errors
    /// See [`CollectionError`].
    pub async fn read(&self, zip: &Uint8Array) -> Result<OwnNetwork, CollectionError> {
        match self.ask(CollectionTask::Open, &Array::of1(zip), |_, _| {}).await? {
            (CollectionAnswer::Opened { network }, _) => Ok(network),
            _ => Err(mismatch()),
        }
    }

    /// The predictions of a network with classes of one's own for songs, from their features.
    ///
    /// # Errors
    /// See [`CollectionError`].
    pub async fn recognise(
        &self,
        zip: &Uint8Array,
        songs: &[Float32Array],
    ) -> Result<Vec<Option<OwnPrediction>>, CollectionError> {
        let payload = Array::of1(zip);
        songs.iter().for_each(|song| {
            payload.push(song);
        });
        match self.ask(CollectionTask::Recognise, &payload, |_, _| {}).await? {
            (CollectionAnswer::Recognised { songs }, _) => Ok(songs),
            _ => Err(mismatch()),
        }
    }

    /// The songs that are most similar to one, and a playlist of them, as indices into `embeddings`. `artists` has
    /// the artist of each song, if known.
    ///
    /// # Errors
    /// See [`CollectionError`].
    pub async fn compare(
        &self,
        song: usize,
        embeddings: &[Float32Array],
        artists: Vec<Option<String>>,
        count: u32,
    ) -> Result<(Vec<Similar>, Vec<u32>), CollectionError> {
        let song = u32::try_from(song).unwrap_or(u32::MAX);
        let task = CollectionTask::Compare { song, artists, count };
        match self.ask(task, &embeddings.iter().collect(), |_, _| {}).await? {
            (CollectionAnswer::Compared { similar, playlist }, _) => Ok((similar, playlist)),
            _ => Err(mismatch()),
        }
    }

    /// A map of songs: two coordinates of each, within −1…1.
    ///
    /// # Errors
    /// See [`CollectionError`].
    pub async fn map(&self, embeddings: &[Float32Array]) -> Result<Vec<[f32; 2]>, CollectionError> {
        let (answer, payload) =
            self.ask(CollectionTask::Map, &embeddings.iter().collect(), |_, _| {}).await?;
        match (answer, payload.dyn_into::<Float32Array>()) {
            (CollectionAnswer::Mapped, Ok(places)) => Ok(places.to_vec().as_chunks::<2>().0.to_vec()),
            _ => Err(mismatch()),
        }
    }

    /// Asks the worker. The payload is copied.
    async fn ask(
        &self,
        task: CollectionTask,
        payload: &Array,
        progress: impl Fn(u32, u32) + 'static,
    ) -> Result<(CollectionAnswer, JsValue), CollectionError> {
        let failed =
            |error: JsValue| CollectionError::Trouble(Trouble::Device, crate::worker::describe(&error));
        self.start().map_err(failed)?;
        let id = self.0.last.get().wrapping_add(1);
        self.0.last.set(id);
        let progress: Box<dyn Fn(u32, u32)> = Box::new(progress);
        let mut question = Some(progress);
        let promise = Promise::new(&mut |answer, _| {
            if let Some(progress) = question.take() {
                self.0.open.borrow_mut().insert(id, Question { answer, progress });
            }
        });
        if let Err(error) = self.send(&Request::Collection { id, task }, payload) {
            self.0.open.borrow_mut().remove(&id);
            return Err(failed(error));
        }
        let message = JsFuture::from(promise).await.map_err(failed)?;
        if message.is_undefined() {
            return Err(CollectionError::Stopped);
        }
        let parts = Array::from(&message);
        match serde_wasm_bindgen::from_value(parts.get(0)) {
            Ok(Event::Collection { answer, .. }) => Ok((answer, parts.get(1))),
            Ok(Event::Failed { kind, detail, .. }) => Err(CollectionError::Trouble(kind.into(), detail)),
            Ok(Event::Cancelled { .. }) => Err(CollectionError::Stopped),
            _ => Err(mismatch()),
        }
    }

    fn send(&self, request: &Request, payload: &Array) -> Result<(), JsValue> {
        let running = self.0.running.borrow();
        running.as_ref().ok_or("there is no worker")?.post(request, payload)
    }

    /// Starts the worker, unless it runs.
    fn start(&self) -> Result<(), JsValue> {
        if self.0.running.borrow().is_some() {
            return Ok(());
        }
        let inner = Rc::downgrade(&self.0);
        let heard = inner.clone();
        let running = Running::start(
            "worker-collection",
            &self.0.files,
            move |message| {
                if let Some(inner) = heard.upgrade() {
                    Self(inner).take(message);
                }
            },
            move |error| {
                if let Some(inner) = inner.upgrade() {
                    Self(inner).lose(&error);
                }
            },
        )?;
        *self.0.running.borrow_mut() = Some(running);
        // The small set has the network that computes features.
        let (models, files) = (self.0.files.models_folder(), self.0.files.moved_models());
        self.send(&Request::Load { models, files, set: ModelSet::Fast, rule: None }, &Array::new())
    }

    /// Takes a message of the worker.
    fn take(&self, message: &JsValue) {
        let header = Array::from(message).get(0);
        let (id, ends) = match serde_wasm_bindgen::from_value(header) {
            Ok(Event::Collection { id, answer: CollectionAnswer::Fitting { done, of } }) => {
                if let Some(question) = self.0.open.borrow().get(&id) {
                    (question.progress)(done, of);
                }
                (id, false)
            }
            Ok(
                Event::Collection { id, .. } | Event::Failed { id: Some(id), .. } | Event::Cancelled { id },
            ) => (id, true),
            Ok(Event::Failed { id: None, detail, .. }) => return self.lose(&detail),
            Err(error) => return self.lose(&error.to_string()),
            // The networks are ready.
            Ok(_) => return,
        };
        if ends {
            let question = self.0.open.borrow_mut().remove(&id);
            if let Some(question) = question {
                // It only resolves a promise.
                let _ = question.answer.call1(&JsValue::NULL, message);
            }
        }
    }

    /// Gives up a worker that failed.
    fn lose(&self, detail: &str) {
        web_sys::console::warn_1(&format!("the worker for the crate is lost: {detail}").into());
        let old = self.0.running.take();
        // In a later turn: this one may run inside one of the worker's own closures.
        wasm_bindgen_futures::spawn_local(async move { drop(old) });
        let failed = Event::Failed {
            id: None,
            kind: cratedigger_protocol::FailureKind::Device,
            detail: detail.to_owned(),
        };
        let header = failed.serialize(&serde_wasm_bindgen::Serializer::json_compatible());
        self.answer_all(&header.map_or(JsValue::UNDEFINED, |header| Array::of1(&header).into()));
    }

    fn answer_all(&self, message: &JsValue) {
        for question in self.0.open.take().into_values() {
            // It only resolves a promise.
            let _ = question.answer.call1(&JsValue::NULL, message);
        }
    }
}

fn mismatch() -> CollectionError {
    CollectionError::Trouble(Trouble::Mismatch, "the worker gave another answer".into())
}
