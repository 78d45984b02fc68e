//! Tags in audio files: a worker of its own reads them, plans new ones, and makes copies with changed fields. It is
//! fetched with the first question, so that a page that never asks does not carry it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use cratedigger_protocol::tags::{
    Change, Cut, Heard, ListFormat, Plan, PlanOptions, TagAnswer, TagEvent, TagProblem, TagRequest, TagTask,
    Tags, Track,
};
use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

use crate::files::Files;
use crate::worker::{Running, describe};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaggingError {
    /// [`Tagging::stop`] was called.
    Stopped,
    /// The file cannot be read or changed, or the worker failed. The detail is for a developer, except for
    /// [`TagProblem::Lost`], where it names fields.
    Problem(TagProblem, String),
}

/// A copy of a file with changed fields.
#[derive(Clone, Debug)]
pub struct EditedFile {
    /// Its content.
    pub content: Uint8Array,
    /// How it differs from the file.
    pub difference: Cut,
    /// The bytes of the file that the copy lacks.
    pub between: Uint8Array,
    /// Fields that made it necessary to turn a tag of ID3v2.3 into ID3v2.4.
    pub newer: Option<String>,
}

/// The worker for tags. It starts with the first question. Copies are handles to the same worker.
#[derive(Clone)]
pub struct Tagging(Rc<Inner>);

struct Inner {
    files: Files,
    running: RefCell<Option<Running>>,
    /// Questions by their ids. Each resolves with the message, with `undefined` if it was stopped, or with `null` if
    /// the worker is lost.
    open: RefCell<Vec<(u32, Function)>>,
    last: Cell<u32>,
}

impl Tagging {
    /// No worker yet. `files` are those of [`Client::start`](crate::Client::start); of them it needs `worker-tags.js`
    /// and `worker-tags_bg.wasm`.
    pub fn new(files: Files) -> Self {
        Self(Rc::new(Inner {
            files,
            running: RefCell::new(None),
            open: RefCell::default(),
            last: Cell::new(0),
        }))
    }

    /// Ends the worker, and with it a zip file under way. Open questions are answered by [`TaggingError::Stopped`].
    pub fn stop(&self) {
        self.0.running.take();
        self.answer_all(&JsValue::UNDEFINED);
    }

    /// SHA-256 of a file's content, and its tags.
    ///
    /// # Errors
    /// See [`TaggingError`]; so for all other questions.
    pub async fn read(&self, file: &File) -> Result<(String, Tags), TaggingError> {
        match self.ask(TagTask::Read, &Array::of1(file)).await? {
            (TagAnswer::Read { sha256, tags }, _) => Ok((sha256, tags)),
            _ => Err(mismatch()),
        }
    }

    /// What to write into files with these tags, in which this was heard.
    ///
    /// # Errors
    /// See [`TaggingError`].
    pub async fn plan(
        &self,
        options: PlanOptions,
        songs: Vec<(Tags, Heard)>,
    ) -> Result<Vec<Plan>, TaggingError> {
        match self.ask(TagTask::Plan { options, songs }, &Array::new()).await? {
            (TagAnswer::Planned { plans }, _) => Ok(plans),
            _ => Err(mismatch()),
        }
    }

    /// Makes a copy of a file with changed fields, if its content has this SHA-256.
    ///
    /// # Errors
    /// See [`TaggingError`].
    pub async fn edit(
        &self,
        file: &File,
        sha256: String,
        changes: Vec<Change>,
    ) -> Result<EditedFile, TaggingError> {
        let (answer, payload) = self.ask(TagTask::Edit { sha256, changes }, &Array::of1(file)).await?;
        match (answer, bytes(&payload, 1), bytes(&payload, 2)) {
            (TagAnswer::Edited { difference, newer }, Some(content), Some(between)) => {
                Ok(EditedFile { content, difference, between, newer })
            }
            _ => Err(mismatch()),
        }
    }

    /// The old content of a file that was changed; `None` if the file has it already.
    ///
    /// # Errors
    /// See [`TaggingError`].
    pub async fn restore(
        &self,
        file: &File,
        difference: Cut,
        between: &Uint8Array,
    ) -> Result<Option<Uint8Array>, TaggingError> {
        match self.ask(TagTask::Restore { difference }, &Array::of2(file, between)).await? {
            (TagAnswer::Restored, payload) => Ok(bytes(&payload, 1)),
            _ => Err(mismatch()),
        }
    }

    /// Adds a copy with changed fields to a zip file. Returns the next part of the zip file, and what
    /// [`EditedFile::newer`] is. The zip file is the parts together and the one of [`Tagging::end_pack`].
    ///
    /// # Errors
    /// See [`TaggingError`].
    pub async fn pack(
        &self,
        file: &File,
        changes: Vec<Change>,
    ) -> Result<(Uint8Array, Option<String>), TaggingError> {
        let (answer, payload) =
            self.ask(TagTask::Pack { name: file.name(), changes }, &Array::of1(file)).await?;
        match (answer, bytes(&payload, 1)) {
            (TagAnswer::Packed { newer }, Some(part)) => Ok((part, newer)),
            _ => Err(mismatch()),
        }
    }

    /// The last part of the zip file.
    ///
    /// # Errors
    /// See [`TaggingError`].
    pub async fn end_pack(&self) -> Result<Uint8Array, TaggingError> {
        let (_, payload) = self.ask(TagTask::EndPack, &Array::new()).await?;
        bytes(&payload, 1).ok_or_else(mismatch)
    }

    /// A list of songs for another program.
    ///
    /// # Errors
    /// See [`TaggingError`].
    pub async fn list(&self, format: ListFormat, tracks: Vec<Track>) -> Result<String, TaggingError> {
        match self.ask(TagTask::List { format, tracks }, &Array::new()).await? {
            (TagAnswer::Listed { text }, _) => Ok(text),
            _ => Err(mismatch()),
        }
    }

    /// Asks the worker. Returns the answer, and the message that it was in.
    async fn ask(&self, task: TagTask, payload: &Array) -> Result<(TagAnswer, Array), TaggingError> {
        let failed = |error: JsValue| TaggingError::Problem(TagProblem::Worker, describe(&error));
        self.start().map_err(failed)?;
        let id = self.0.last.get().wrapping_add(1);
        self.0.last.set(id);
        let promise = Promise::new(&mut |answer, _| {
            self.0.open.borrow_mut().push((id, answer));
        });
        if let Err(error) = self.send(&TagRequest { id, task }, payload) {
            self.0.open.borrow_mut().retain(|(other, _)| *other != id);
            return Err(failed(error));
        }
        let message = JsFuture::from(promise).await.map_err(failed)?;
        if message.is_undefined() {
            return Err(TaggingError::Stopped);
        }
        if message.is_null() {
            return Err(TaggingError::Problem(TagProblem::Worker, "the worker is lost".into()));
        }
        let message = Array::from(&message);
        match serde_wasm_bindgen::from_value::<TagEvent>(message.get(0)).map(|event| event.answer) {
            Ok(TagAnswer::Failed { problem, detail }) => Err(TaggingError::Problem(problem, detail)),
            Ok(answer) => Ok((answer, message)),
            Err(_) => Err(mismatch()),
        }
    }

    fn send(&self, request: &TagRequest, payload: &Array) -> Result<(), JsValue> {
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
            "worker-tags",
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
        Ok(())
    }

    /// Takes a message of the worker.
    fn take(&self, message: &JsValue) {
        let header = Array::from(message).get(0);
        match serde_wasm_bindgen::from_value::<TagEvent>(header.clone()) {
            Ok(event) => {
                let mut open = self.0.open.borrow_mut();
                let place = open.iter().position(|(id, _)| *id == event.id);
                let answer = place.map(|place| open.swap_remove(place).1);
                drop(open);
                if let Some(answer) = answer {
                    // It only resolves a promise.
                    let _ = answer.call1(&JsValue::NULL, message);
                }
            }
            // The script that starts a worker says why the module cannot be loaded.
            Err(error) => {
                let detail =
                    Reflect::get(&header, &"detail".into()).ok().and_then(|detail| detail.as_string());
                self.lose(&detail.unwrap_or_else(|| error.to_string()));
            }
        }
    }

    /// Gives up a worker that failed.
    fn lose(&self, detail: &str) {
        web_sys::console::warn_1(&format!("the worker for tags is lost: {detail}").into());
        let old = self.0.running.take();
        // In a later turn: this one may run inside one of the worker's own closures.
        wasm_bindgen_futures::spawn_local(async move { drop(old) });
        self.answer_all(&JsValue::NULL);
    }

    fn answer_all(&self, message: &JsValue) {
        for (_, answer) in self.0.open.take() {
            // It only resolves a promise.
            let _ = answer.call1(&JsValue::NULL, message);
        }
    }
}

/// Bytes of a message's payload.
fn bytes(message: &Array, at: u32) -> Option<Uint8Array> {
    message.get(at).dyn_into().ok()
}

fn mismatch() -> TaggingError {
    TaggingError::Problem(TagProblem::Worker, "the worker gave another answer".into())
}
