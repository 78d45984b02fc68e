//! Classes of one's own: teach, save, export, import, forget.

use std::collections::BTreeMap;

use cratedigger_client::CollectionError;
use cratedigger_protocol::collection::{Lesson, LessonSong};
use js_sys::{Float32Array, Reflect, Uint8Array};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::File;

use super::{KEPT, Kept, features_of, zip};
use crate::app::Page;
use crate::state::{FeatureState, Own, Song, State, Teaching};
use crate::trouble::Notice;
use crate::{glue, history};

/// Fewest and most classes, as `zoo::teach` has them; the worker checks them again.
pub const CLASSES: std::ops::RangeInclusive<usize> = 2..=20;
/// Fewest songs of a class, likewise.
pub const FEWEST_SONGS: usize = 3;
/// Key of the one record in the store of what was taught.
const KEY: &str = "own";
/// Name of the network, and of its file.
const NAME: &str = "own";

/// What was taught, as stored beside its zip file.
#[derive(Serialize, Deserialize)]
struct Saved {
    own: Own,
    lesson: Vec<SavedClass>,
}

/// A class of the lesson.
#[derive(Serialize, Deserialize)]
struct SavedClass {
    name: String,
    /// Hashes of its songs' files.
    songs: Vec<String>,
}

/// The songs of a class of the lesson, in the order of the crate, tracked.
pub fn songs_of(state: State, class: u32) -> Vec<Song> {
    let all = state.songs.get();
    state
        .collection
        .lesson
        .with(|lesson| all.into_iter().filter(|song| lesson.get(&song.id) == Some(&class)).collect())
}

/// Number of songs of the lesson whose features are ready, and of those that are still to come, tracked.
pub fn readiness(state: State) -> (usize, usize) {
    let lesson = state.collection.lesson.get();
    let songs = state.songs.get();
    let count = |is: fn(FeatureState) -> bool| {
        songs.iter().filter(|song| lesson.contains_key(&song.id) && is(song.features.get())).count()
    };
    let ready = count(|features| features == FeatureState::Ready);
    (ready, count(|features| matches!(features, FeatureState::Unknown | FeatureState::Working)))
}

/// What a lesson lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// More classes.
    Classes,
    /// A class has no name.
    Name,
    /// Two classes have this name.
    OtherName(String),
    /// A class, by its name, has too few songs that can be used.
    Songs(String, usize),
}

/// What the lesson lacks, tracked; `None` if it can be taught.
pub fn lacking(state: State) -> Option<Lacking> {
    let classes = state.collection.classes.get();
    if !CLASSES.contains(&classes.len()) {
        return Some(Lacking::Classes);
    }
    for (at, class) in classes.iter().enumerate() {
        let name = class.name.trim();
        if name.is_empty() {
            return Some(Lacking::Name);
        }
        if classes.iter().take(at).any(|other| other.name.trim() == name) {
            return Some(Lacking::OtherName(name.to_owned()));
        }
    }
    classes.into_iter().find_map(|class| {
        let usable = |song: &Song| song.features.get() != FeatureState::Failed;
        let songs = songs_of(state, class.id).iter().filter(|song| usable(song)).count();
        (songs < FEWEST_SONGS).then(|| Lacking::Songs(class.name.trim().to_owned(), songs))
    })
}

/// The lesson with the features of its songs. A file that is there twice counts once.
fn lesson(state: State) -> (Lesson, Vec<Float32Array>) {
    let classes = state.collection.classes.get_untracked();
    let (mut songs, mut features) = (Vec::<LessonSong>::new(), Vec::new());
    for (class, own) in (0_u32..).zip(&classes) {
        for song in untrack(|| songs_of(state, own.id)) {
            let (Some(found), Some(content)) = (features_of(&song), song.content.get_untracked()) else {
                continue;
            };
            if songs.iter().any(|other| other.content == content) {
                continue;
            }
            let title = song.title();
            let same = songs.iter().filter(|other| other.name == title).count();
            let name =
                if same == 0 { title } else { format!("{title} [{}]", content.get(..8).unwrap_or_default()) };
            songs.push(LessonSong { name, content, class });
            features.push(found.segments);
        }
    }
    let classes = classes.into_iter().map(|class| class.name.trim().to_owned()).collect();
    (Lesson { name: NAME.into(), classes, songs }, features)
}

/// Teaches the classes of the lesson.
pub fn teach(page: Page) {
    let state = page.state;
    let teaching = state.collection.teaching;
    let Some(collection) = page.collection() else { return };
    let (lesson, features) = lesson(state);
    teaching.set(Teaching::Fitting { done: 0, of: 0 });
    spawn_local(async move {
        let saved: Vec<SavedClass> = (0_u32..)
            .zip(&lesson.classes)
            .map(|(class, name)| SavedClass {
                name: name.clone(),
                songs: lesson.songs.iter().filter(|s| s.class == class).map(|s| s.content.clone()).collect(),
            })
            .collect();
        let progress = move |done, of| teaching.set(Teaching::Fitting { done, of });
        match collection.teach(lesson, &features, progress).await {
            Ok((report, zip)) => {
                let own = Own {
                    classes: report.classes,
                    metric: Some(report.metric),
                    together: report.together,
                    confused: report.confused,
                    usable: true,
                };
                teaching.set(Teaching::Idle);
                install(state, own, zip, saved).await;
            }
            Err(CollectionError::Stopped) => teaching.set(Teaching::Idle),
            Err(CollectionError::Trouble(trouble, detail)) => {
                web_sys::console::warn_1(&detail.into());
                teaching.set(Teaching::Failed(trouble));
            }
        }
    });
}

/// Stops the lesson under way.
pub fn stop(page: Page) {
    if let Some(collection) = page.collection() {
        collection.stop();
    }
}

/// Uses a network from now on, and saves it.
async fn install(state: State, own: Own, zip: Uint8Array, lesson: Vec<SavedClass>) {
    KEPT.with_borrow_mut(|kept| kept.zip = Some(zip.clone()));
    for song in state.songs.get_untracked() {
        song.own.set(None);
    }
    let saved = Saved { own: own.clone(), lesson };
    state.collection.own.set(Some(own));
    state.collection.active.set(true);
    let record = serde_wasm_bindgen::to_value(&saved).map_err(JsValue::from).and_then(|record| {
        Reflect::set(&record, &"key".into(), &KEY.into())?;
        Reflect::set(&record, &"zip".into(), &zip)?;
        Ok(record)
    });
    let kept = match record {
        Ok(record) => glue::keep("own", &record).await,
        Err(error) => Err(error),
    };
    if kept.is_err() {
        state.notice.set(Some(Notice::NoHistory));
    }
}

/// Reads what was taught at an earlier visit. The songs of its lesson go to their classes when they appear.
pub async fn load(state: State) {
    // An unreadable database counts as empty.
    let Ok(record) = glue::kept("own", KEY).await else { return };
    let zip = Reflect::get(&record, &"zip".into()).ok().and_then(|zip| zip.dyn_into::<Uint8Array>().ok());
    let (Some(zip), Ok(saved)) = (zip, serde_wasm_bindgen::from_value::<Saved>(record)) else { return };
    let mut expected = BTreeMap::new();
    for class in saved.lesson {
        let id = state.collection.add_class(class.name);
        expected.extend(class.songs.into_iter().map(|content| (content, id)));
    }
    state.collection.expected.set_value(expected);
    KEPT.with_borrow_mut(|kept| kept.zip = Some(zip));
    state.collection.own.set(Some(saved.own));
    state.collection.active.set(true);
}

/// Saves the network as a zip file.
pub fn export() {
    if let Some(zip) = zip() {
        glue::save_bytes(&zip, "application/zip", &format!("{NAME}.zip"));
    }
}

/// Takes a zip file of [`export`] in place of what was taught.
pub fn import(page: Page, file: File) {
    let teaching = page.state.collection.teaching;
    let Some(collection) = page.collection() else { return };
    spawn_local(async move {
        let zip = glue::bytes_of(&file).await.ok().and_then(|bytes| bytes.dyn_into::<Uint8Array>().ok());
        let Some(zip) = zip else { return teaching.set(Teaching::Unfit) };
        match collection.read(&zip).await {
            Ok(network) => {
                let own = Own {
                    classes: network.classes,
                    metric: network.metric,
                    together: 0,
                    confused: Vec::new(),
                    usable: true,
                };
                teaching.set(Teaching::Idle);
                install(page.state, own, zip, Vec::new()).await;
            }
            Err(CollectionError::Stopped) => {}
            Err(CollectionError::Trouble(_, detail)) => {
                web_sys::console::warn_1(&detail.into());
                teaching.set(Teaching::Unfit);
            }
        }
    });
}

/// Clears what was taught, and all features.
pub fn forget(page: Page) {
    let state = page.state;
    let collection = state.collection;
    stop(page);
    KEPT.set(Kept::default());
    collection.active.set(false);
    collection.own.set(None);
    collection.teaching.set(Teaching::Idle);
    collection.classes.set(Vec::new());
    collection.lesson.set(BTreeMap::new());
    collection.expected.set_value(BTreeMap::new());
    for song in state.songs.get_untracked() {
        song.own.set(None);
        song.features.set(FeatureState::Unknown);
        song.content.set(None);
        history::keep(state, song);
    }
    spawn_local(async move {
        if glue::clear_kept("own").await.is_err() || glue::clear_kept("features").await.is_err() {
            state.notice.set(Some(Notice::NoHistory));
        }
    });
}
