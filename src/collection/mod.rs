//! Connects the page to the client's worker for the songs of the crate together: features of songs, classes of
//! one's own, similar songs. Also keeps features and what was taught in the browser's database.

pub mod alike;
pub mod lesson;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use cratedigger_client::{CollectionError, SongFeatures, Trouble};
use js_sys::{Float32Array, Reflect, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;

use crate::app::Page;
use crate::state::{FeatureState, OwnAnswer, Song, State, Status, Teaching};
use crate::{glue, history};

/// Seconds of a song that its features are computed from; what is longer would take too much memory at once.
const SECONDS: f64 = 900.0;

thread_local! {
    /// Not in the state: a signal cannot hold JavaScript objects.
    static KEPT: RefCell<Kept> = RefCell::default();
    /// Whether [`work`] runs.
    static WORKING: Cell<bool> = const { Cell::new(false) };
}

/// Data of this visit.
#[derive(Default)]
struct Kept {
    /// Hash of the network that computes features.
    network: Option<String>,
    /// Features of songs, by the hash of the file.
    features: BTreeMap<String, SongFeatures>,
    /// The zip file of the network with classes of one's own.
    zip: Option<Uint8Array>,
}

/// The features of a song whose state is [`FeatureState::Ready`].
fn features_of(song: &Song) -> Option<SongFeatures> {
    let content = song.content.get_untracked()?;
    KEPT.with_borrow(|kept| kept.features.get(&content).cloned())
}

fn zip() -> Option<Uint8Array> {
    KEPT.with_borrow(|kept| kept.zip.clone())
}

/// What is to be done next.
#[allow(clippy::large_enum_variant, reason = "one value at a time, and a song is a set of handles")]
enum Step {
    /// Predict songs with the visitor's own classes.
    Recognise(Vec<Song>),
    /// Find the features of a song.
    Features(Song),
}

/// The next step, tracked. Songs that are analysed come first, and a lesson has the worker for itself.
fn next(state: State) -> Option<Step> {
    let collection = state.collection;
    let busy = collection.teaching.get().is_busy();
    if !collection.active.get() || busy {
        return None;
    }
    let songs = state.songs.get();
    let usable = collection.own.with(|own| own.as_ref().is_some_and(|own| own.usable));
    let unanswered: Vec<Song> = songs
        .iter()
        .filter(|song| song.features.get() == FeatureState::Ready && song.own.with(Option::is_none))
        .copied()
        .collect();
    if usable && !unanswered.is_empty() {
        return Some(Step::Recognise(unanswered));
    }
    if songs.iter().any(|song| song.status.get().is_open()) {
        return None;
    }
    let wanted = |song: &&Song| {
        song.features.get() == FeatureState::Unknown
            && song.status.get() == Status::Done
            && (song.audible || song.content.with(Option::is_some))
    };
    songs.iter().find(wanted).copied().map(Step::Features)
}

/// Finds features and predicts songs whenever there is something to do.
pub fn start(page: Page) {
    Effect::new(move |_| {
        if next(page.state).is_some() && !WORKING.replace(true) {
            spawn_local(work(page));
        }
    });
    alike::start(page);
}

async fn work(page: Page) {
    while let Some(step) = untrack(|| next(page.state)) {
        match step {
            Step::Recognise(songs) => recognise(page, songs).await,
            Step::Features(song) => {
                song.features.set(FeatureState::Working);
                let found = find_features(page, song).await;
                song.features.try_set(match found {
                    Ok(()) => FeatureState::Ready,
                    Err(CollectionError::Stopped) => FeatureState::Unknown,
                    Err(CollectionError::Trouble(..)) => FeatureState::Failed,
                });
            }
        }
    }
    WORKING.set(false);
}

/// Finds the features of a song: in memory, in the database, or by computing them.
async fn find_features(page: Page, song: Song) -> Result<(), CollectionError> {
    let gone = || CollectionError::Trouble(Trouble::Unreadable, "the file is gone".into());
    let client = page.client().ok_or_else(gone)?;
    let network = match KEPT.with_borrow(|kept| kept.network.clone()) {
        Some(network) => network,
        None => page.collection().ok_or_else(gone)?.network().await?,
    };
    KEPT.with_borrow_mut(|kept| kept.network = Some(network.clone()));
    let content = match song.content.get_untracked() {
        Some(content) => content,
        None => {
            let file = client.file(song.id).ok_or_else(gone)?;
            let content = glue::content_of(&file).await.ok().and_then(|content| content.as_string());
            content.ok_or_else(gone)?
        }
    };
    let mut found = KEPT.with_borrow(|kept| kept.features.get(&content).cloned());
    if found.is_none() {
        let record = glue::kept("features", &content).await.unwrap_or(JsValue::UNDEFINED);
        found = parsed(&record, &network);
    }
    let features = match found {
        Some(features) => features,
        None => {
            let trouble = |trouble| CollectionError::Trouble(trouble, String::new());
            let audio = client.samples(song.id, SECONDS).await.map_err(trouble)?;
            let features = page.collection().ok_or_else(gone)?.features(audio).await?;
            if !page.state.collection.active.get_untracked() {
                // The visitor had everything forgotten meanwhile.
                return Err(CollectionError::Stopped);
            }
            if history::enabled() {
                // Without a database the features last for this visit.
                let _ = glue::keep("features", &record(&content, &network, &features)).await;
            }
            features
        }
    };
    // The song may have been removed meanwhile.
    let Some(known) = song.content.try_get_untracked() else { return Err(CollectionError::Stopped) };
    KEPT.with_borrow_mut(|kept| kept.features.insert(content.clone(), features));
    if known.is_none() {
        page.state.collection.assign_expected(song.id, &content);
        song.content.try_set(Some(content));
        history::keep(page.state, song);
    }
    Ok(())
}

/// A song's file has another content now, with the same sound, so its features stay.
pub fn moved(state: State, song: Song, content: &str) {
    if song.content.with_untracked(Option::is_none) {
        return;
    }
    if let Some(features) = features_of(&song) {
        let network = KEPT.with_borrow_mut(|kept| {
            kept.features.insert(content.to_owned(), features.clone());
            kept.network.clone()
        });
        if let (Some(network), true) = (network, history::enabled()) {
            let record = record(content, &network, &features);
            spawn_local(async move {
                // Without a database the features last for this visit.
                let _ = glue::keep("features", &record).await;
            });
        }
    }
    song.content.set(Some(content.to_owned()));
    history::keep(state, song);
}

/// The record of a song's features in the database.
fn record(content: &str, network: &str, features: &SongFeatures) -> JsValue {
    let record = js_sys::Object::new();
    let fields: [(&str, JsValue); 4] = [
        ("content", content.into()),
        ("network", network.into()),
        ("segments", features.segments.clone().into()),
        ("embedding", features.embedding.clone().into()),
    ];
    for (name, value) in fields {
        // Setting a field of a new object does not fail.
        let _ = Reflect::set(&record, &name.into(), &value);
    }
    record.into()
}

/// The features of a record, if the same network computed them.
fn parsed(record: &JsValue, network: &str) -> Option<SongFeatures> {
    let field = |name: &str| Reflect::get(record, &name.into()).ok();
    if field("network")?.as_string().as_deref() != Some(network) {
        return None;
    }
    let values = |name| field(name)?.dyn_into::<Float32Array>().ok();
    Some(SongFeatures { segments: values("segments")?, embedding: values("embedding")? })
}

/// Predicts songs with the visitor's own classes.
async fn recognise(page: Page, songs: Vec<Song>) {
    let own = page.state.collection.own;
    let (songs, features): (Vec<Song>, Vec<Float32Array>) =
        songs.into_iter().filter_map(|song| Some((song, features_of(&song)?.segments))).unzip();
    let Some(classes) = own.with_untracked(|own| Some(own.as_ref()?.classes.clone())) else { return };
    let (Some(collection), Some(zip)) = (page.collection(), zip()) else { return unusable(page, None) };
    match collection.recognise(&zip, &features).await {
        Ok(answers) => {
            // What was taught may have changed meanwhile.
            if own.with_untracked(|own| own.as_ref().is_none_or(|own| own.classes != classes)) {
                return;
            }
            for (song, answer) in songs.into_iter().zip(answers) {
                let Some(prediction) = answer else { return unusable(page, Some(Trouble::Mismatch)) };
                let answer = OwnAnswer { classes: classes.clone(), prediction };
                // The song may have been removed meanwhile.
                if song.own.try_set(Some(answer)).is_none() {
                    history::keep(page.state, song);
                }
            }
        }
        Err(CollectionError::Stopped) => {}
        Err(CollectionError::Trouble(trouble, _)) => unusable(page, Some(trouble)),
    }
}

/// Does not predict songs with the visitor's classes any more.
fn unusable(page: Page, trouble: Option<Trouble>) {
    let collection = page.state.collection;
    collection.own.update(|own| {
        if let Some(own) = own {
            own.usable = false;
        }
    });
    if let Some(trouble) = trouble {
        collection.teaching.set(Teaching::Failed(trouble));
    }
}
