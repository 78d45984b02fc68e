//! The page's own settings, remembered from visit to visit. Those of the analysis are the client's.

use cratedigger_client::settings::{Choice, LocalStorage};
use leptos::prelude::*;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_futures::spawn_local;

use crate::engine::policy::DeviceState;
use crate::glue;
use crate::i18n::Language;
use crate::state::State;

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// The system's setting.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All themes, in display order.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Stable id, in storage and in the style sheet.
    pub fn id(self) -> &'static str {
        Choice::id(self)
    }
}

impl Choice for Theme {
    const KEY: &'static str = "cratedigger.theme";
    const VALUES: &'static [Self] = &Self::ALL;

    fn id(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Whether parts of the page move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Motion {
    /// The system's setting.
    #[default]
    System,
    /// They do not move.
    Still,
}

impl Choice for Motion {
    const KEY: &'static str = "cratedigger.motion";
    const VALUES: &'static [Self] = &[Self::System, Self::Still];

    fn id(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Still => "still",
        }
    }
}

/// Whether results are kept from visit to visit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Keep {
    #[default]
    On,
    Off,
}

impl Choice for Keep {
    const KEY: &'static str = "cratedigger.history";
    const VALUES: &'static [Self] = &[Self::On, Self::Off];

    fn id(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

impl Choice for Language {
    const KEY: &'static str = "cratedigger.language";
    const VALUES: &'static [Self] = &Self::ALL;

    fn id(self) -> &'static str {
        Self::id(self)
    }
}

/// The stored language, else the browser's first language that the page speaks.
pub fn language() -> Language {
    let browser = || Language::of(&web_sys::window()?.navigator().language()?);
    Language::load(&LocalStorage).or_else(browser).unwrap_or_default()
}

/// The stored theme.
pub fn theme() -> Theme {
    Theme::load(&LocalStorage).unwrap_or_default()
}

/// Whether the user asked the page not to move. The system may ask the same by a media query.
pub fn still() -> bool {
    Motion::load(&LocalStorage) == Some(Motion::Still)
}

/// Whether results are kept from visit to visit.
pub fn keeps_history() -> bool {
    Keep::load(&LocalStorage) != Some(Keep::Off)
}

/// Stores whether results are kept.
pub fn set_keeps_history(on: bool) {
    let keep = if on { Keep::On } else { Keep::Off };
    keep.save(&LocalStorage);
}

fn mark(name: &str, value: &str) {
    if let Some(root) = document().document_element() {
        // If the attribute cannot be set, the system's setting applies.
        let _ = root.set_attribute(name, value);
    }
}

/// Changes and stores the theme.
pub fn set_theme(theme: Theme) {
    theme.save(&LocalStorage);
    mark("data-theme", theme.id());
}

/// Stops all motion, or follows the system again; stores the choice.
pub fn set_still(still: bool) {
    let motion = if still { Motion::Still } else { Motion::System };
    motion.save(&LocalStorage);
    mark("data-motion", motion.id());
}

/// Changes and stores the language.
pub fn set_language(state: State, language: Language) {
    language.save(&LocalStorage);
    state.language.set(language);
}

/// Applies the stored settings to the document, and follows the page's language.
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

/// Registers the offline copy once the first worker is ready, so that it does not delay the first answer.
pub fn go_offline_when_ready(state: State) {
    Effect::new(move |done: Option<bool>| {
        if done == Some(true) {
            return true;
        }
        let ready = state.devices.cpu.with(|cpu| matches!(cpu, DeviceState::Ready { .. }));
        if ready {
            // The browser calls it for as long as the page lives.
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
