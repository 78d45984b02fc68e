//! Writes planned tags into files.

use cratedigger_client::TaggingError;
use cratedigger_protocol::tags::{Change, TagProblem};
use js_sys::Array;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::File;

use super::{PLACES, is_cancelled, refused, renew, report, undo};
use crate::app::Page;
use crate::glue::{self, Place};
use crate::state::{Outcome, State, TagWork, Unwritten};

/// The songs that are to be written, with the hash of the file and the changes.
pub(super) fn wanted(state: State) -> Vec<(u32, String, Vec<Change>)> {
    state.tagging.rows.with_untracked(|rows| {
        let wanted = rows.iter().filter(|row| row.is_wanted());
        let parts =
            wanted.filter_map(|row| Some((row.song, row.file.as_ref()?.0.clone(), row.plan.changes.clone())));
        parts.collect()
    })
}

/// Writes all ticked songs that were found on disk. Call it inside the event handler, because the browser asks the
/// visitor.
pub fn write(page: Page) {
    let state = page.state;
    let place =
        |song: u32| PLACES.with_borrow(|places| Some(places.iter().find(|(id, _)| *id == song)?.1.clone()));
    let songs: Vec<(Place, u32, String, Vec<Change>)> = wanted(state)
        .into_iter()
        .filter_map(|(id, sha256, changes)| Some((place(id)?, id, sha256, changes)))
        .collect();
    state.tagging.begin(TagWork::Writing, songs.len());
    spawn_local(async move {
        let places: Array = songs.iter().map(|(place, ..)| place).collect();
        let allowed: Array = glue::permitted(&places).await.unchecked_into();
        let (mut done, mut failed) = (0, Vec::new());
        for ((place, song, sha256, changes), allowed) in songs.into_iter().zip(allowed) {
            if is_cancelled(state) {
                break;
            }
            let result = match allowed.is_truthy() {
                true => write_one(page, &place, song, sha256, changes).await,
                false => Err(Unwritten::NotAllowed),
            };
            match result {
                Ok(()) => done += 1,
                Err(why) => {
                    failed.push(state.find(song).map(|song| song.title()).unwrap_or_default());
                    state.tagging.update(song, |row| row.outcome = Outcome::Failed(why));
                }
            }
            state.tagging.step();
        }
        undo::count(state).await;
        report(state, TagWork::Writing, done, failed);
    });
}

/// Writes one file, after what restores it is kept.
async fn write_one(
    page: Page,
    place: &Place,
    song: u32,
    sha256: String,
    changes: Vec<Change>,
) -> Result<(), Unwritten> {
    let worker = page.tagging().ok_or(Unwritten::NotFound)?;
    let seen: File = glue::file_at(place).await.map_err(|error| refused(&error))?.unchecked_into();
    let edited = worker.edit(&seen, sha256, changes).await.map_err(problem)?;
    let record = undo::keep(page.state, place, &seen.name(), &edited).await;
    let written = match glue::replace(place, &edited.content, &seen).await {
        Ok(file) => file.unchecked_into(),
        Err(error) => {
            undo::forget(&record).await;
            return Err(refused(&error));
        }
    };
    let after = edited.difference.after;
    match renew(page, song, written, Outcome::Written(edited.newer)).await {
        Ok(found) if found == after => Ok(()),
        Ok(_) => Err(Unwritten::Problem(TagProblem::Changed, String::new())),
        Err(error) => Err(problem(error)),
    }
}

/// Why a file was not written, from an answer of the worker.
pub(super) fn problem(error: TaggingError) -> Unwritten {
    match error {
        TaggingError::Stopped => Unwritten::Problem(TagProblem::Worker, String::new()),
        TaggingError::Problem(problem, detail) => {
            if problem != TagProblem::Lost {
                web_sys::console::warn_1(&detail.as_str().into());
            }
            Unwritten::Problem(problem, detail)
        }
    }
}
