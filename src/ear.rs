//! Live listening on the page: about one prediction a second, and in the end a recording that becomes
//! a song like any other.

use std::cell::RefCell;

use cratedigger_client::{Capture, CaptureError, LiveSource};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::app::Page;
use crate::text;
use crate::trouble::Notice;

thread_local! {
    /// Not in the state: a signal cannot hold JavaScript objects.
    static CAPTURE: RefCell<Option<Capture>> = const { RefCell::new(None) };
}

/// Asks for the source, and listens.
pub fn start(page: Page, source: LiveSource) {
    let live = page.state.live;
    if live.source.get_untracked().is_some() {
        return;
    }
    page.state.notice.set(None);
    page.state.playback.playing.set(false);
    let mut tap = String::new();
    page.engine(|engine| tap = engine.files().url("tap.js"));
    spawn_local(async move {
        let on_piece = move |samples, rate| page.engine(|engine| engine.listen(samples, rate));
        let on_level = move |level, seconds| {
            live.level.set(level);
            live.seconds.set(seconds);
        };
        match Capture::start(source, &tap, on_piece, on_level, move || stop(page)).await {
            Ok(capture) => {
                CAPTURE.set(Some(capture));
                live.segments.set(Vec::new());
                live.seconds.set(0.0);
                live.level.set(0.0);
                live.source.set(Some(source));
            }
            Err(error) => page.state.notice.set(Some(match (error, source) {
                (CaptureError::NoOutput, _) => Notice::NoOutput,
                (CaptureError::Refused(_), LiveSource::Microphone) => Notice::NoMicrophone,
                (CaptureError::Refused(_), LiveSource::Tab) => Notice::NoTabSound,
            })),
        }
    });
}

/// Stops. The recording becomes a song and is shown.
pub fn stop(page: Page) {
    finish(page, true);
}

/// Stops. The recording becomes a song while another one is shown.
pub fn stop_aside(page: Page) {
    finish(page, false);
}

fn finish(page: Page, show: bool) {
    let Some(source) = page.state.live.source.get_untracked() else { return };
    let Some(capture) = CAPTURE.take() else { return };
    let words = page.state.words_now();
    let time = text::time_of_day(&js_sys::Date::new_0());
    let name = match source {
        LiveSource::Microphone => format!("{} {time}", words.live.recording),
        LiveSource::Tab => format!("{} {time}", words.live.tab_recording),
    };
    page.state.live.source.set(None);
    spawn_local(async move {
        if let Some(file) = capture.stop(&name).await {
            page.engine(|engine| {
                engine.open(vec![file], show);
            });
        }
    });
}
