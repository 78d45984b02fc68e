//! Connects the page to the client's worker for tags: reads the tags of the crate's songs, and plans new ones. The
//! files themselves are written in [`mod@write`], restored in [`undo`] and copied in [`copies`].

pub mod copies;
pub mod lists;
pub mod undo;
pub mod write;

use std::cell::RefCell;

use cratedigger_client::TaggingError;
use cratedigger_protocol::tags::{Field, Heard, PlanOptions, Tags};
use js_sys::Array;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::File;

use crate::app::Page;
use crate::collection;
use crate::glue::{self, Place};
use crate::probabilities::ranked;
use crate::state::{Outcome, Sheet, Song, State, Status, TagChoices, TagReport, TagRow, TagWork, Unwritten};

thread_local! {
    /// Where songs lie on disk. Not in the state: a signal cannot hold JavaScript objects.
    static PLACES: RefCell<Vec<(u32, Place)>> = RefCell::default();
}

/// Reads and plans while the sheet is open.
pub fn start(page: Page) {
    let state = page.state;
    let tagging = state.tagging;
    let open = Memo::new(move |_| state.sheet.get() == Some(Sheet::Tags));
    Effect::new(move |_| {
        if open.get() {
            tagging.paused.set(false);
            tagging.progress.update(|progress| progress.report = None);
            // What could not be read is tried again.
            tagging.rows.update(|rows| {
                rows.iter_mut().filter(|row| row.file.is_none()).for_each(|row| row.outcome = Outcome::None);
            });
            spawn_local(undo::count(state));
        } else if matches!(untrack(|| tagging.work()), TagWork::Idle | TagWork::Reading) {
            // Its memory is as large as the largest file.
            if let Some(worker) = page.tagging() {
                worker.stop();
            }
        }
    });
    let songs = Memo::new(move |_| with_file(state));
    Effect::new(move |_| {
        let songs = songs.get();
        if !open.get() {
            return;
        }
        tagging.rows.update(|rows| {
            for song in songs {
                if rows.iter().all(|row| row.song != song) {
                    rows.push(TagRow { song, ticked: true, ..TagRow::default() });
                }
            }
        });
    });
    let unread = Memo::new(move |_| tagging.rows.with(|rows| rows.iter().any(TagRow::is_unread)));
    Effect::new(move |_| {
        let idle = tagging.work() == TagWork::Idle && !tagging.paused.get();
        if open.get() && unread.get() && idle {
            spawn_local(read_all(page, open));
        }
    });
    let asked =
        Memo::new(move |_| open.get().then(|| (options(&tagging.choices.get()), heard_in_all(state))));
    Effect::new(move |_| {
        if let Some((options, songs)) = asked.get() {
            spawn_local(plan(page, asked, options, songs));
        }
    });
}

/// The songs that are done and have a file, tracked. Songs of earlier visits have none.
fn with_file(state: State) -> Vec<u32> {
    let is_done = |song: &&Song| song.audible && song.status.get() == Status::Done;
    state.songs.with(|all| all.iter().filter(is_done).map(|song| song.id).collect())
}

/// Stops what is under way after the file that it is at.
pub fn cancel(state: State) {
    state.tagging.paused.set(true);
}

fn is_cancelled(state: State) -> bool {
    state.tagging.paused.get_untracked()
}

/// Reads the files that are not read yet, one after the other.
async fn read_all(page: Page, open: Memo<bool>) {
    let tagging = page.state.tagging;
    let next = || tagging.rows.with_untracked(|rows| Some(rows.iter().find(|row| row.is_unread())?.song));
    if untrack(|| tagging.work()) != TagWork::Idle {
        return;
    }
    let count = tagging.rows.with_untracked(|rows| rows.iter().filter(|row| row.is_unread()).count());
    // How the work before ended is still to be told.
    tagging.progress.update(|progress| {
        (progress.work, progress.done, progress.of) = (TagWork::Reading, 0, count);
    });
    while let (Some(song), true, false) = (next(), open.get_untracked(), is_cancelled(page.state)) {
        let file = page.client().and_then(|client| client.file(song));
        match file {
            Some(file) => read(page, song, &file).await,
            None => tagging.update(song, |row| row.outcome = Outcome::Failed(Unwritten::NotFound)),
        }
        tagging.step();
    }
    tagging.end(None);
}

/// Reads the tags of a file, and finds it on disk.
async fn read(page: Page, song: u32, file: &File) {
    let tagging = page.state.tagging;
    let Some(worker) = page.tagging() else { return };
    match worker.read(file).await {
        Ok((sha256, tags)) => {
            let place = if glue::can_write() { find(page, file, &sha256).await } else { None };
            let found = place.is_some();
            PLACES.with_borrow_mut(|places| places.extend(place.map(|place| (song, place))));
            tagging.update(song, |row| (row.file, row.found) = (Some((sha256, tags)), found));
        }
        Err(TaggingError::Stopped) => {}
        Err(TaggingError::Problem(problem, detail)) => {
            let why = Unwritten::Problem(problem, detail);
            tagging.update(song, |row| row.outcome = Outcome::Failed(why));
        }
    }
}

/// Where on disk the file with this content lies.
async fn find(page: Page, file: &File, sha256: &str) -> Option<Place> {
    let places: Array = glue::places_of(file).await.ok()?.unchecked_into();
    for place in places {
        let place: Place = place.unchecked_into();
        let Ok(there) = glue::file_at(&place).await else { continue };
        if page.tagging()?.read(&there.unchecked_into()).await.is_ok_and(|(found, _)| found == sha256) {
            return Some(place);
        }
    }
    None
}

/// Asks the visitor for the folder of the songs, and finds those in it that were not found yet. Call it inside the
/// event handler.
pub fn choose_folder(page: Page) {
    spawn_local(async move {
        let tagging = page.state.tagging;
        match glue::choose_folder().await {
            Ok(chosen) if chosen.is_truthy() => {}
            Ok(_) => return,
            Err(error) => return web_sys::console::warn_1(&error),
        }
        let lost: Vec<(u32, String)> = tagging.rows.with_untracked(|rows| {
            let lost = rows.iter().filter(|row| !row.found);
            lost.filter_map(|row| Some((row.song, row.file.as_ref()?.0.clone()))).collect()
        });
        tagging.begin(TagWork::Finding, lost.len());
        for (song, sha256) in lost {
            let Some(file) = page.client().and_then(|client| client.file(song)) else { continue };
            if let Some(place) = find(page, &file, &sha256).await {
                PLACES.with_borrow_mut(|places| places.push((song, place)));
                tagging.update(song, |row| row.found = true);
            }
            tagging.step();
        }
        tagging.end(None);
    });
}

/// The options of a plan.
fn options(choices: &TagChoices) -> PlanOptions {
    let fraction = |percent: u8| f32::from(percent) / 100.0;
    let names = choices.names.iter().filter_map(|(class, typed)| {
        let names: Vec<String> =
            typed.split(';').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        (!names.is_empty()).then(|| (class.clone(), names))
    });
    PlanOptions {
        sure: fraction(choices.sure),
        replace: choices.replace,
        more: (choices.more > 0).then(|| fraction(choices.more)),
        names: names.collect(),
        bpm: choices.tempo,
        heard: choices.heard.then_some(Field::Comment),
    }
}

/// The tags of all songs that were read, and what was heard in them, tracked.
fn heard_in_all(state: State) -> Vec<(u32, Tags, Heard)> {
    let own = state.tagging.choices.with(|choices| choices.own) && state.collection.own.with(Option::is_some);
    let songs = state.songs.get();
    state.tagging.rows.with(|rows| {
        let song = |id: u32| songs.iter().find(|song| song.id == id);
        let read = rows.iter().filter_map(|row| Some((song(row.song)?, row.file.as_ref()?)));
        read.map(|(song, (_, tags))| (song.id, tags.clone(), heard(state, song, own))).collect()
    })
}

/// What was heard in a song, tracked: the genres or, with `own`, the visitor's own classes.
fn heard(state: State, song: &Song, own: bool) -> Heard {
    let classes = state.models.classes.get();
    let of = |classes: &[String], probabilities: &[f32]| -> Vec<(String, f32)> {
        let named = ranked(probabilities).into_iter();
        named.filter_map(|(class, probability)| Some((classes.get(class)?.clone(), probability))).collect()
    };
    let tempo = song.character.with(|character| character.as_ref().map(|character| character.tempo));
    let mut heard = song.result.with(|result| {
        let Some(result) = result else { return Heard { none: true, ..Heard::default() } };
        Heard {
            ranked: of(&classes, &result.probabilities.ensemble),
            none: result.none,
            non_music: result.non_music.as_ref().filter(|n| n.rejected).map(|n| n.kind.clone()),
            tempo: tempo.filter(|tempo| *tempo > 0.0),
            tags: result.tags.iter().map(|tag| tag.name.clone()).collect(),
        }
    });
    if own {
        song.own.with(|answer| match answer {
            Some(answer) => {
                let prediction = &answer.prediction;
                heard.ranked = of(&answer.classes, &prediction.probabilities);
                heard.none = prediction.none;
                heard.non_music =
                    prediction.non_music.as_ref().filter(|n| n.rejected).map(|n| n.kind.clone());
            }
            None => heard.none = true,
        });
    }
    heard
}

/// What is asked of the worker: options, and the songs with their tags.
type Asked = Option<(PlanOptions, Vec<(u32, Tags, Heard)>)>;

/// Plans all songs, unless something else is asked by then.
async fn plan(page: Page, asked: Memo<Asked>, options: PlanOptions, songs: Vec<(u32, Tags, Heard)>) {
    let Some(worker) = page.tagging() else { return };
    if songs.is_empty() {
        return;
    }
    let question = songs.iter().map(|(_, tags, heard)| (tags.clone(), heard.clone())).collect();
    // Without an answer the table stays as it is; the worker's trouble is in the console.
    let Ok(plans) = worker.plan(options.clone(), question).await else { return };
    let is_asked =
        asked.with_untracked(|now| now.as_ref().is_some_and(|now| (&now.0, &now.1) == (&options, &songs)));
    if is_asked {
        page.state.tagging.rows.update(|rows| {
            for ((song, ..), plan) in songs.iter().zip(plans) {
                if let Some(row) = rows.iter_mut().find(|row| row.song == *song) {
                    row.plan = plan;
                }
            }
        });
    }
}

/// A song's file has another content now, with the same sound.
async fn renew(page: Page, song: u32, file: File, outcome: Outcome) -> Result<String, TaggingError> {
    let worker = page.tagging().ok_or(TaggingError::Stopped)?;
    let (sha256, tags) = worker.read(&file).await?;
    if let (Some(client), Some(song)) = (page.client(), page.state.find(song)) {
        client.renew(song.id, file);
        song.renewed.update(|times| *times += 1);
        collection::moved(page.state, song, &sha256);
    }
    page.state.tagging.update(song, |row| {
        row.file = Some((sha256.clone(), tags));
        row.outcome = outcome;
    });
    Ok(sha256)
}

/// Why a file was not written, from an exception of the browser.
fn refused(error: &wasm_bindgen::JsValue) -> Unwritten {
    let field =
        |name: &str| js_sys::Reflect::get(error, &name.into()).ok().and_then(|value| value.as_string());
    match field("name").as_deref() {
        Some("NotAllowedError" | "SecurityError" | "NoModificationAllowedError") => Unwritten::NotAllowed,
        Some("NotFoundError") => Unwritten::NotFound,
        _ => Unwritten::Disk(field("message").unwrap_or_default()),
    }
}

/// Tells how work ended.
fn report(state: State, work: TagWork, done: usize, failed: Vec<String>) {
    state.tagging.end(Some(TagReport { work, done, failed }));
    // Reading may go on.
    state.tagging.paused.set(false);
}
