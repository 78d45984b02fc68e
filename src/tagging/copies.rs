//! Tagged copies as a zip file, for browsers in which a page cannot write files.

use cratedigger_client::TaggingError;
use cratedigger_protocol::tags::{Change, TagProblem};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::Blob;

use super::write::{problem, wanted};
use super::{is_cancelled, report};
use crate::app::Page;
use crate::glue;
use crate::state::{Outcome, TagWork, Unwritten};

/// Saves copies of all ticked songs.
pub fn save_copies(page: Page) {
    let state = page.state;
    let songs = wanted(state);
    state.tagging.begin(TagWork::Copying, songs.len());
    spawn_local(async move {
        let (parts, mut done, mut failed) = (Array::new(), 0, Vec::new());
        for (song, _, changes) in songs {
            if is_cancelled(state) {
                break;
            }
            match copy(page, song, changes).await {
                Ok((part, newer)) => {
                    done += 1;
                    parts.push(&part);
                    state.tagging.update(song, |row| row.outcome = Outcome::Copied(newer));
                }
                Err(why) => {
                    failed.push(state.find(song).map(|song| song.title()).unwrap_or_default());
                    state.tagging.update(song, |row| row.outcome = Outcome::Failed(why));
                }
            }
            state.tagging.step();
        }
        // The worker forgets its zip file with this.
        let end = match page.tagging() {
            Some(worker) => worker.end_pack().await,
            None => Err(TaggingError::Stopped),
        };
        match end {
            Ok(end) if done > 0 && !is_cancelled(state) => {
                parts.push(&end);
                glue::save_parts(&parts, "application/zip", "cratedigger-tagged.zip");
            }
            _ => done = 0,
        }
        report(state, TagWork::Copying, done, failed);
    });
}

/// One copy, as the next part of the zip file. A blob, which the browser can keep on disk.
async fn copy(page: Page, song: u32, changes: Vec<Change>) -> Result<(JsValue, Option<String>), Unwritten> {
    let (Some(worker), Some(client)) = (page.tagging(), page.client()) else {
        return Err(Unwritten::NotFound);
    };
    let file = client.file(song).ok_or(Unwritten::NotFound)?;
    let (part, newer): (Uint8Array, _) = worker.pack(&file, changes).await.map_err(problem)?;
    let blob = Blob::new_with_u8_array_sequence(&Array::of1(&part));
    let blob = blob.map_err(|_| Unwritten::Problem(TagProblem::TooLarge, String::new()))?;
    Ok((blob.into(), newer))
}
