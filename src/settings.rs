//! The visitor's choices about the page itself, remembered from visit to visit.

use leptos::prelude::*;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_futures::spawn_local;

use crate::engine::policy::DeviceState;
use crate::i18n::Language;
use crate::state::State;
use crate::{glue, store};

const STORED_LANGUAGE: &str = "cratedigger.language";
const STORED_THEME: &str = "cratedigger.theme";
const STORED_MOTION: &str = "cratedigger.motion";

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// What the system says.
    #[default]
    System,
    /// Paper.
    Light,
    /// Night.
    Dark,
}

impl Theme {
    /// All of them, in the order of the choice.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Its name in storage and in the style sheet.
    pub fn id(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The stored language, else the browser's first that the page speaks.
pub fn language() -> Language {
    let stored = store::get(STORED_LANGUAGE);
    let browser = || web_sys::window()?.navigator().language();
    stored.as_deref().and_then(Language::from_id).or_else(|| Language::of(&browser()?)).unwrap_or_default()
}

/// The stored theme.
pub fn theme() -> Theme {
    let stored = store::get(STORED_THEME);
    Theme::ALL.into_iter().find(|theme| stored.as_deref() == Some(theme.id())).unwrap_or_default()
}

/// Whether the visitor asked this page, and not only the system, to keep still.
pub fn still() -> bool {
    store::get(STORED_MOTION).as_deref() == Some("still")
}

fn mark(name: &str, value: &str) {
    if let Some(root) = document().document_element() {
        // An attribute that can't be set leaves the system's choice in force.
        let _ = root.set_attribute(name, value);
    }
}

/// Changes the theme, for now and later.
pub fn set_theme(theme: Theme) {
    store::set(STORED_THEME, theme.id());
    mark("data-theme", theme.id());
}

/// Stops what moves, or lets it move if the system does, for now and later.
pub fn set_still(still: bool) {
    let value = if still { "still" } else { "system" };
    store::set(STORED_MOTION, value);
    mark("data-motion", value);
}

/// Changes the language, for now and later.
pub fn set_language(state: State, language: Language) {
    store::set(STORED_LANGUAGE, language.id());
    state.language.set(language);
}

/// Brings the document in line with what is stored, and keeps it in the page's language.
pub fn apply(state: State) {
    mark("data-theme", theme().id());
    if still() {
        mark("data-motion", "still");
    }
    Effect::new(move |_| {
        let language = state.language.get();
        mark("lang", language.id());
        document().set_title(language.words().frame.title);
    });
    Effect::new(move |before: Option<bool>| {
        let on = state.conference.get();
        if before.is_some_and(|before| before != on) {
            spawn_local(glue::conference(on));
        }
        on
    });
}

/// Makes a copy for the next visit without a network, once there is nothing more urgent to fetch.
pub fn go_offline_when_ready(state: State) {
    Effect::new(move |done: Option<bool>| {
        if done == Some(true) {
            return true;
        }
        let ready = state.devices.cpu.with(|cpu| matches!(cpu, DeviceState::Ready { .. }));
        if ready {
            // Called for as long as the page lives.
            let tell = Closure::<dyn FnMut()>::new(move || state.update_ready.set(true));
            spawn_local(async move {
                glue::go_offline(&tell).await;
                tell.forget();
            });
        }
        ready
    });
    Effect::new(move |done: Option<bool>| {
        let ready = state.devices.gpu.with(|gpu| matches!(gpu, DeviceState::Ready { .. }));
        if ready && done != Some(true) {
            spawn_local(glue::keep_gpu_worker());
        }
        ready || done == Some(true)
    });
}
