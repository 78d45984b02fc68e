//! Live listening: from the microphone or a tab, about one judgement a second, and in the end a
//! recording that becomes a song like any other.

use std::cell::RefCell;

use js_sys::{Float32Array, Object};
use leptos::prelude::*;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::File;

use crate::app::Page;
use crate::state::LiveSource;
use crate::trouble::Notice;
use crate::{glue, text};

/// What has to be kept while the browser calls back.
struct Held {
    ear: Object,
    _piece: Closure<dyn FnMut(Float32Array, f64)>,
    _level: Closure<dyn FnMut(f64, f64)>,
    _end: Closure<dyn FnMut()>,
}

thread_local! {
    /// JavaScript's objects fit into no signal.
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// Asks for the sound, and listens.
pub fn start(page: Page, source: LiveSource) {
    let live = page.state.live;
    if live.source.get_untracked().is_some() {
        return;
    }
    page.state.notice.set(None);
    page.state.playback.playing.set(false);
    let piece = Closure::<dyn FnMut(Float32Array, f64)>::new(move |samples, rate: f64| {
        page.engine(|engine| engine.listen(samples, rate.round() as u32));
    });
    let level = Closure::<dyn FnMut(f64, f64)>::new(move |level: f64, seconds: f64| {
        live.level.set(level as f32);
        live.seconds.set(seconds);
    });
    let end = Closure::<dyn FnMut()>::new(move || stop(page));
    spawn_local(async move {
        match glue::listen(source == LiveSource::Tab, &piece, &level, &end).await {
            Ok(handle) => {
                let held = Held { ear: handle.unchecked_into(), _piece: piece, _level: level, _end: end };
                HELD.set(Some(held));
                live.segments.set(Vec::new());
                live.seconds.set(0.0);
                live.level.set(0.0);
                live.source.set(Some(source));
            }
            Err(_) => page.state.notice.set(Some(match source {
                LiveSource::Microphone => Notice::NoMicrophone,
                LiveSource::Tab => Notice::NoTabSound,
            })),
        }
    });
}

/// Stops; what was heard becomes a song, and is shown.
pub fn stop(page: Page) {
    finish(page, true);
}

/// Stops; what was heard becomes a song, while the visitor looks at another.
pub fn stop_aside(page: Page) {
    finish(page, false);
}

fn finish(page: Page, show: bool) {
    let Some(source) = page.state.live.source.get_untracked() else { return };
    let Some(held) = HELD.take() else { return };
    let words = page.state.words_now();
    let time = text::time_of_day(&js_sys::Date::new_0());
    let name = match source {
        LiveSource::Microphone => format!("{} {time}", words.live.recording),
        LiveSource::Tab => format!("{} {time}", words.live.tab_recording),
    };
    page.state.live.source.set(None);
    spawn_local(async move {
        let file = glue::stop_listening(&held.ear, &name).await.unwrap_or(JsValue::NULL);
        // Not earlier: the browser may be inside one of its closures.
        drop(held);
        if let Ok(file) = file.dyn_into::<File>() {
            page.engine(|engine| engine.open(vec![file], show));
        }
    });
}
