//! Restores the old bytes of files whose tags were written. What restores them is kept in the browser's database; where
//! that is not possible, until the page is closed.

use std::cell::RefCell;

use cratedigger_client::EditedFile;
use cratedigger_protocol::tags::Cut;
use js_sys::{Array, Reflect};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, File};

use super::write::problem;
use super::{is_cancelled, refused, renew, report};
use crate::app::Page;
use crate::glue::{self, Place};
use crate::history;
use crate::state::{Outcome, State, TagWork, Unwritten};

/// The store of the browser's database.
const STORE: &str = "written";

thread_local! {
    /// Records that the database does not have.
    static FLEETING: RefCell<Vec<JsValue>> = RefCell::default();
}

/// A record, but for the old bytes (`between`) and the place of the file (`place`).
#[derive(Serialize, Deserialize)]
struct Head {
    /// In the order of time.
    key: String,
    name: String,
    difference: Cut,
}

/// Keeps what restores a file. Returns the record.
pub(super) async fn keep(state: State, place: &Place, name: &str, edited: &EditedFile) -> JsValue {
    // The database sorts by the key. The hash tells two files of one millisecond apart.
    let now = js_sys::Date::new_0().to_iso_string();
    let key = format!("{now} {}", edited.difference.after);
    let head = Head { key, name: name.into(), difference: edited.difference.clone() };
    let record = serde_wasm_bindgen::to_value(&head).unwrap_or_default();
    // As a blob, so that the database reads it only when it is needed.
    let between = Blob::new_with_u8_array_sequence(&Array::of1(&edited.between));
    let between = between.map_or(JsValue::UNDEFINED, JsValue::from);
    for (name, value) in [("between", &between), ("place", place.as_ref())] {
        // Setting a field of a new object does not fail.
        let _ = Reflect::set(&record, &name.into(), value);
    }
    if !history::enabled() || glue::keep(STORE, &record).await.is_err() {
        FLEETING.with_borrow_mut(|all| all.push(record.clone()));
        state.tagging.fleeting.set(true);
    }
    record
}

/// Forgets what restores a file.
pub(super) async fn forget(record: &JsValue) {
    FLEETING.with_borrow_mut(|all| all.retain(|other| other != record));
    if let Some(head) = head(record) {
        // A record that could not be deleted restores what is restored already, which does no harm.
        let _ = glue::drop_kept(STORE, &head.key).await;
    }
}

/// Forgets all that restores files.
pub fn forget_all(state: State) {
    FLEETING.take();
    spawn_local(async move {
        let _ = glue::clear_kept(STORE).await;
        count(state).await;
    });
}

fn head(record: &JsValue) -> Option<Head> {
    serde_wasm_bindgen::from_value(record.clone()).ok()
}

/// All records, the oldest first.
async fn records() -> Vec<JsValue> {
    // An unreadable database counts as empty.
    let kept = glue::all_kept(STORE).await.map(|all| Array::from(&all).to_vec()).unwrap_or_default();
    kept.into_iter().chain(FLEETING.with_borrow(Clone::clone)).collect()
}

/// Counts the files that can be restored.
pub(super) async fn count(state: State) {
    // An unreadable database counts as empty.
    let kept = glue::count_kept(STORE).await.ok().and_then(|count| count.as_f64()).unwrap_or_default();
    state.tagging.restorable.set(kept as usize + FLEETING.with_borrow(Vec::len));
    state.tagging.fleeting.set(FLEETING.with_borrow(|all| !all.is_empty()));
}

/// Restores all files, the last one that was written first. Call it inside the event handler, because the browser may
/// ask the visitor.
pub fn undo(page: Page) {
    let state = page.state;
    state.tagging.begin(TagWork::Undoing, state.tagging.restorable.get_untracked());
    spawn_local(async move {
        let records: Vec<JsValue> = records().await.into_iter().rev().collect();
        let places: Array = records.iter().map(|record| field(record, "place")).collect();
        let allowed: Array = glue::permitted(&places).await.unchecked_into();
        let (mut done, mut failed) = (0, Vec::new());
        for (record, allowed) in records.into_iter().zip(allowed) {
            if is_cancelled(state) {
                break;
            }
            let Some(head) = head(&record) else { continue };
            let result = match allowed.is_truthy() {
                true => back(page, &record, &head.difference).await,
                false => Err(Unwritten::NotAllowed),
            };
            match result {
                Ok(()) => {
                    done += 1;
                    forget(&record).await;
                }
                Err(why) => {
                    if let Some(song) = song_with(state, &head.difference.after) {
                        state.tagging.update(song, |row| row.outcome = Outcome::Failed(why));
                    }
                    failed.push(head.name);
                }
            }
            state.tagging.step();
        }
        count(state).await;
        report(state, TagWork::Undoing, done, failed);
    });
}

fn field(record: &JsValue, name: &str) -> JsValue {
    Reflect::get(record, &name.into()).unwrap_or_default()
}

/// Restores one file.
async fn back(page: Page, record: &JsValue, difference: &Cut) -> Result<(), Unwritten> {
    let worker = page.tagging().ok_or(Unwritten::NotFound)?;
    let place: &Place = &field(record, "place").unchecked_into();
    let between: Blob = field(record, "between").unchecked_into();
    let between = glue::bytes_of(&between).await.map_err(|error| refused(&error))?.unchecked_into();
    let seen: File = glue::file_at(place).await.map_err(|error| refused(&error))?.unchecked_into();
    let old = worker.restore(&seen, difference.clone(), &between).await.map_err(problem)?;
    let file = match old {
        Some(old) => {
            glue::replace(place, &old, &seen).await.map_err(|error| refused(&error))?.unchecked_into()
        }
        None => seen,
    };
    if let Some(song) = song_with(page.state, &difference.after) {
        renew(page, song, file, Outcome::Restored).await.map_err(problem)?;
    }
    Ok(())
}

/// The song whose file has this content.
fn song_with(state: State, sha256: &str) -> Option<u32> {
    state.tagging.rows.with_untracked(|rows| {
        let is_it = |row: &crate::state::TagRow| row.file.as_ref().is_some_and(|(hash, _)| hash == sha256);
        Some(rows.iter().find(|row| is_it(row))?.song)
    })
}
