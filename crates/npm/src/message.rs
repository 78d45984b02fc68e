//! The client's updates as plain objects of JavaScript.

use std::cell::RefCell;

use cratedigger_client::{DeviceState, Prediction, SongUpdate, Status, Update};
use cratedigger_protocol::decode::Note;
use cratedigger_protocol::{DeviceKind, Event, Metric, ModelInfo, NonMusic};
use serde::Serialize;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::advice;

/// One update. Enums of the client are given by their ids.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Message {
    /// Where a song stands; see [`Status::id`].
    Status {
        /// The song.
        song: u32,
        /// Its status.
        status: &'static str,
    },
    /// A song has no result.
    Failed {
        /// The song.
        song: u32,
        /// Id of the trouble.
        code: &'static str,
        /// What happened, and what to do.
        message: String,
        /// For a developer.
        detail: String,
    },
    /// What was left out or mended while the file was decoded.
    Notes {
        /// The song.
        song: u32,
        /// In addition to earlier ones.
        notes: Vec<Note>,
    },
    /// A worker's event about a song, without its payload.
    Output {
        /// The song.
        song: u32,
        /// `cpu` or `gpu`.
        device: &'static str,
        /// The event.
        event: Event,
    },
    /// A device changed its state.
    Device {
        /// `cpu` or `gpu`.
        device: &'static str,
        /// See [`DeviceState::id`].
        state: &'static str,
        /// The adapter, or the kind of CPU code.
        name: Option<String>,
        /// Time of the networks for one segment.
        milliseconds: Option<f64>,
        /// Why it is out of use: id.
        code: Option<&'static str>,
        /// Why it is out of use, and what to do.
        message: Option<&'static str>,
        /// The same in detail.
        detail: Option<String>,
    },
    /// The full set changed its state; see [`cratedigger_client::FullSet::id`].
    Full {
        /// Its state.
        state: &'static str,
    },
    /// The classes, in the order of all probabilities.
    Classes {
        /// Their names.
        classes: Vec<String>,
    },
    /// The networks that are loaded now.
    Models {
        /// `cpu` or `gpu`.
        device: &'static str,
        /// Id of the set.
        set: &'static str,
        /// Each network.
        models: Vec<ModelInfo>,
        /// Accuracies of the ensemble.
        metrics: Vec<Metric>,
    },
    /// A device could not load a set.
    Kept {
        /// `cpu` or `gpu`.
        device: &'static str,
        /// Id of the set.
        set: &'static str,
    },
    /// A piece of live sound; without probabilities if it is silent.
    Live {
        /// The ensemble's.
        probabilities: Option<Vec<f32>>,
        /// How probable it is that the sound is no music.
        non_music: Option<NonMusic>,
    },
}

/// Makes messages of updates. It remembers the words that come before the update that they are about.
#[derive(Debug, Default)]
pub struct Translator {
    /// The decoder's words about the song under way.
    words: RefCell<String>,
    /// The last warning.
    warning: RefCell<String>,
}

/// A message as an object of JavaScript.
pub fn value(message: &impl Serialize) -> Option<JsValue> {
    // Plain data can always be written.
    message.serialize(&serde_wasm_bindgen::Serializer::json_compatible()).ok()
}

/// An object with which a promise is rejected; the package's JavaScript makes an error of it.
pub fn error(code: &'static str, message: &'static str, detail: String) -> JsValue {
    #[derive(Serialize)]
    struct Rejection {
        code: &'static str,
        message: &'static str,
        detail: String,
    }
    value(&Rejection { code, message, detail }).unwrap_or(JsValue::UNDEFINED)
}

/// The message of a JavaScript error.
pub fn describe(error: &JsValue) -> String {
    let message = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    message.or_else(|| error.as_string()).unwrap_or_default()
}

fn device(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Cpu => "cpu",
        DeviceKind::WebGpu => "gpu",
    }
}

impl Translator {
    /// The message for an update; `None` for one that the package does not pass on.
    pub fn message(&self, update: Update) -> Option<Message> {
        Some(match update {
            Update::Song { song, update } => return self.of_song(song, update),
            Update::Device { kind, state } => self.of_device(kind, state),
            Update::FullSet(full) => Message::Full { state: full.id() },
            Update::Classes(classes) => Message::Classes { classes },
            Update::Models { device: kind, set, models, metrics, .. } => {
                Message::Models { device: device(kind), set: set.id(), models, metrics }
            }
            Update::Kept { device: kind, set } => Message::Kept { device: device(kind), set: set.id() },
            Update::Live(Some(Prediction { probabilities, non_music, .. })) => {
                Message::Live { probabilities: Some(probabilities), non_music }
            }
            Update::Live(None) => Message::Live { probabilities: None, non_music: None },
            Update::Warning(text) => {
                self.warning.replace(text);
                return None;
            }
            Update::Raised { .. } | Update::Explanation(_) => return None,
        })
    }

    fn of_song(&self, song: u32, update: SongUpdate) -> Option<Message> {
        Some(match update {
            SongUpdate::Status(Status::Failed(trouble)) => {
                let message = advice::trouble(trouble, &self.words.take());
                Message::Failed { song, code: trouble.id(), message, detail: self.warning.take() }
            }
            SongUpdate::Status(status) => Message::Status { song, status: status.id() },
            SongUpdate::Detail(detail) => {
                self.words.replace(detail);
                return None;
            }
            SongUpdate::Notes(notes) => Message::Notes { song, notes },
            // Nothing draws here.
            SongUpdate::Output { event, .. } if matches!(*event, Event::Waveform { .. }) => return None,
            SongUpdate::Output { device: kind, event, .. } => {
                Message::Output { song, device: device(kind), event: *event }
            }
            // A song that changes devices is told by its result.
            SongUpdate::Notice(_) => return None,
        })
    }

    fn of_device(&self, kind: DeviceKind, state: DeviceState) -> Message {
        let id = state.id();
        let (name, milliseconds, reason) = match state {
            DeviceState::Ready { name, milliseconds, .. } => (Some(name), Some(milliseconds), None),
            DeviceState::Unavailable(reason) | DeviceState::Failed(reason) => (None, None, Some(reason)),
            DeviceState::Off | DeviceState::Loading => (None, None, None),
        };
        Message::Device {
            device: device(kind),
            state: id,
            name,
            milliseconds,
            code: reason.map(|reason| reason.id()),
            message: reason.map(advice::reason),
            detail: reason.map(|_| self.warning.take()),
        }
    }
}
