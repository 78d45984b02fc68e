//! Messages to and from JavaScript.

use std::cell::RefCell;
use std::rc::Rc;

use cratedigger_protocol::tags::{TagAnswer, TagEvent, TagProblem, TagRequest, TagTask};
use cratedigger_tags::{lists, plan};
use js_sys::{Array, Uint8Array};
use serde::Serialize as _;
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, File, FileReaderSync, MessageEvent};

use crate::job::{self, Answer, Failure, Input, failed};
use crate::pack::Pack;

/// Largest file that is read, in bytes. A copy, and a second one while it is written, are in memory with it.
const LARGEST: f64 = 400e6;

/// Installs the message handler; returns at once.
pub(crate) fn start() {
    console_error_panic_hook::set_once();
    let pack = RefCell::new(None);
    let handler = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        let parts = Array::from(&message.data());
        let (id, (answer, payload)) = match serde_wasm_bindgen::from_value(parts.get(0)) {
            Ok(TagRequest { id, task }) => {
                let done = perform(task, &parts, &mut pack.borrow_mut());
                (id, done.unwrap_or_else(|failure| (failure.into(), Vec::new())))
            }
            Err(error) => (0, (failed(TagProblem::Worker, error).into(), Vec::new())),
        };
        post(&TagEvent { id, answer }, &payload);
    });
    scope().set_onmessage(Some(handler.as_ref().unchecked_ref()));
    handler.forget(); // needed as long as the worker lives
}

fn perform(task: TagTask, parts: &Array, open: &mut Option<Pack>) -> Result<Answer, Failure> {
    let file = || input(&parts.get(1));
    let plain = |answer| Ok((answer, Vec::new()));
    match task {
        TagTask::Read => job::read(&file()?),
        TagTask::Plan { options, songs } => {
            let plans = songs.iter().map(|(tags, heard)| plan(tags, heard, &options)).collect();
            plain(TagAnswer::Planned { plans })
        }
        TagTask::Edit { sha256, changes } => job::edit(&file()?, &sha256, &changes),
        TagTask::Restore { difference } => {
            let between = parts.get(2).dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec());
            job::restore(&file()?, &difference, between.unwrap_or_default())
        }
        TagTask::Pack { name, changes } => {
            job::pack(&file()?, &name, &changes, open.get_or_insert_with(Pack::new))
        }
        TagTask::EndPack => {
            let end = open.take().map(Pack::end).transpose();
            let part = end.map_err(|error| failed(TagProblem::Worker, error))?;
            Ok((TagAnswer::Packed { newer: None }, vec![part.unwrap_or_default()]))
        }
        TagTask::List { format, tracks } => plain(TagAnswer::Listed { text: lists::list(format, &tracks) }),
    }
}

/// Reads a file into memory.
fn input(file: &JsValue) -> Result<Input, Failure> {
    let file: &File =
        file.dyn_ref().ok_or_else(|| failed(TagProblem::Worker, "the payload is not a file"))?;
    if file.size() > LARGEST {
        return Err(failed(TagProblem::TooLarge, file.size()));
    }
    let unreadable = |error: JsValue| failed(TagProblem::Unreadable, describe(&error));
    let reader = FileReaderSync::new().map_err(unreadable)?;
    let bytes = Uint8Array::new(&reader.read_as_array_buffer(file).map_err(unreadable)?.into());
    Ok(Input { name: file.name(), content: Rc::new(bytes.to_vec()) })
}

fn describe(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message())).unwrap_or_default()
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Sends an event and transfers the buffers of its payload.
fn post(event: &TagEvent, payload: &[Vec<u8>]) {
    let sent = event
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(JsValue::from)
        .and_then(|header| {
            let message = Array::of1(&header);
            let transfer = Array::new();
            for bytes in payload {
                let array = Uint8Array::from(bytes.as_slice());
                transfer.push(&array.buffer());
                message.push(&array);
            }
            scope().post_message_with_transfer(&message, &transfer)
        });
    if let Err(error) = sent {
        // Messages do not work, so only the console is left.
        web_sys::console::error_1(&error);
    }
}
