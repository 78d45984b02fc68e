//! Classes of one's own, and similar songs.

use std::collections::BTreeMap;

use cratedigger_client::Trouble;
use cratedigger_protocol::Metric;
use cratedigger_protocol::collection::{Confused, OwnPrediction};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Whether a song's features are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeatureState {
    /// Not yet.
    #[default]
    Unknown,
    /// They are computed or read.
    Working,
    /// They are there.
    Ready,
    /// They cannot be computed.
    Failed,
}

/// A class that the visitor teaches.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnClass {
    /// Number on this page.
    pub id: u32,
    /// Name.
    pub name: String,
}

/// The state of a lesson.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Teaching {
    /// Nothing is computed.
    #[default]
    Idle,
    /// Heads are fitted.
    Fitting {
        /// Number of fits that are done.
        done: u32,
        /// Number of all fits; 0 if unknown.
        of: u32,
    },
    /// It failed.
    Failed(Trouble),
    /// The file that was to be imported holds no network for this page.
    Unfit,
}

impl Teaching {
    /// Whether something is computed.
    pub fn is_busy(self) -> bool {
        matches!(self, Self::Fitting { .. })
    }
}

/// A network with classes of one's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Own {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Its accuracy, if known.
    pub metric: Option<Metric>,
    /// Number of songs that were left out together; 0 for an imported network.
    pub together: u32,
    /// Songs that were predicted wrongly when left out.
    pub confused: Vec<Confused>,
    /// Whether it can predict songs with this version of the page.
    pub usable: bool,
}

/// The answer of a network with classes of one's own about a song.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnAnswer {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The prediction.
    pub prediction: OwnPrediction,
}

impl OwnAnswer {
    /// Name and probability of the class; `None` if the answer is none of them.
    pub fn class(&self) -> Option<(&str, f32)> {
        let class = self.prediction.class as usize;
        let name = self.classes.get(class).filter(|_| !self.prediction.none)?;
        Some((name, self.prediction.probabilities.get(class).copied().unwrap_or_default()))
    }
}

/// The songs that are similar to one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// Ids and cosines, the most similar first.
    pub similar: Vec<(u32, f32)>,
    /// Ids of a playlist.
    pub playlist: Vec<u32>,
}

/// State of what concerns the songs of the crate together; copies are handles to the same signals.
#[derive(Clone, Copy)]
pub struct Collection {
    /// Whether features of the crate's songs are computed.
    pub active: RwSignal<bool>,
    /// The classes of the lesson.
    pub classes: RwSignal<Vec<OwnClass>>,
    /// Class of each song of the lesson, both by their ids.
    pub lesson: RwSignal<BTreeMap<u32, u32>>,
    /// Class of songs of the saved lesson that are not in the crate yet, by the hash of the file.
    pub expected: StoredValue<BTreeMap<String, u32>>,
    /// The lesson under way.
    pub teaching: RwSignal<Teaching>,
    /// What was taught or imported.
    pub own: RwSignal<Option<Own>>,
    /// Id of the song that others are compared with.
    pub target: RwSignal<Option<u32>>,
    /// The songs similar to it.
    pub compared: RwSignal<Compared>,
    /// The map: ids and coordinates within −1…1.
    pub places: RwSignal<Vec<(u32, [f32; 2])>>,
    last_class: StoredValue<u32>,
}

impl Collection {
    pub(super) fn new() -> Self {
        Self {
            active: RwSignal::new(false),
            classes: RwSignal::new(Vec::new()),
            lesson: RwSignal::new(BTreeMap::new()),
            expected: StoredValue::new(BTreeMap::new()),
            teaching: RwSignal::new(Teaching::Idle),
            own: RwSignal::new(None),
            target: RwSignal::new(None),
            compared: RwSignal::new(Compared::default()),
            places: RwSignal::new(Vec::new()),
            last_class: StoredValue::new(0),
        }
    }

    /// Adds a class to the lesson; returns its id.
    pub fn add_class(&self, name: String) -> u32 {
        let id = self.last_class.try_update_value(|last| {
            *last += 1;
            *last
        });
        let id = id.unwrap_or_default();
        self.classes.update(|all| all.push(OwnClass { id, name }));
        id
    }

    /// Removes a class from the lesson.
    pub fn remove_class(&self, id: u32) {
        self.classes.update(|all| all.retain(|class| class.id != id));
        self.lesson.update(|lesson| lesson.retain(|_, class| *class != id));
    }

    /// Puts a song into a class of the lesson, for which its features are needed, or takes it out.
    pub fn assign(&self, song: u32, class: Option<u32>) {
        if class.is_some() {
            self.active.set(true);
        }
        self.lesson.update(|lesson| {
            match class {
                Some(class) => lesson.insert(song, class),
                None => lesson.remove(&song),
            };
        });
    }

    /// Puts a song whose content is known into the class that it had in the saved lesson.
    pub fn assign_expected(&self, song: u32, content: &str) {
        let class = self.expected.try_update_value(|all| all.remove(content)).flatten();
        if class.is_some() {
            self.assign(song, class);
        }
    }
}
