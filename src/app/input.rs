//! Events of the whole window: files, keys, full screen. The listeners live as long as the page, so
//! their handles are dropped.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{ClipboardEvent, DataTransfer, DragEvent, Element, KeyboardEvent};

use super::Page;
use crate::glue;
use crate::state::State;

/// Accepts files anywhere in the window. Returns whether files are being dragged over it.
pub fn accept_files(page: Page) -> ReadSignal<bool> {
    let (dragging, set_dragging) = signal(false);
    // Some browsers announce files by their addresses only, and their contents are hidden until the drop.
    let holds_files = |event: &DragEvent| {
        event.data_transfer().is_some_and(|data| {
            let types = data.types();
            types.includes(&"Files".into(), 0) || types.includes(&"text/uri-list".into(), 0)
        })
    };
    let over = move |event: DragEvent| {
        if holds_files(&event) {
            // Otherwise the browser opens the file.
            event.prevent_default();
            if let Some(data) = event.data_transfer() {
                data.set_drop_effect("copy");
            }
            set_dragging.maybe_update(|now| !std::mem::replace(now, true));
        }
    };
    let _ = window_event_listener(ev::dragenter, over);
    let _ = window_event_listener(ev::dragover, over);
    let _ = window_event_listener(ev::dragleave, move |event| {
        // The event has a related target if the pointer only moves to another element of the page.
        if event.related_target().is_none() {
            set_dragging.set(false);
        }
    });
    let _ = window_event_listener(ev::drop, move |event| {
        set_dragging.set(false);
        // A part of the page has taken the files.
        if event.default_prevented() {
            return;
        }
        event.prevent_default();
        page.take_data(event.data_transfer().as_ref());
    });
    let _ = window_event_listener(ev::paste, move |event: ClipboardEvent| {
        let data = event.clipboard_data();
        // Pasted text is ignored.
        let files =
            |data: &DataTransfer| data.types().includes(&"Files".into(), 0) || glue::has_address(data);
        if data.as_ref().is_some_and(files) {
            event.prevent_default();
            page.take_data(data.as_ref());
        }
    });
    dragging
}

/// Keys that work anywhere: Space plays, and arrows change the song in conference mode. A focused
/// control keeps its own keys.
pub fn listen_to_keys(page: Page) {
    const CONTROLS: &str = "button, a, input, select, summary, textarea, dialog";
    let _ = window_event_listener(ev::keydown, move |event: KeyboardEvent| {
        if event.ctrl_key() || event.alt_key() || event.meta_key() || event.default_prevented() {
            return;
        }
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let busy = target.is_some_and(|element| element.closest(CONTROLS).ok().flatten().is_some());
        let conference = page.state.conference.get_untracked();
        match event.key().as_str() {
            "Escape" if conference => page.state.conference.set(false),
            "ArrowRight" | "PageDown" if conference && !busy => page.turn(true),
            "ArrowLeft" | "PageUp" if conference && !busy => page.turn(false),
            " " if !busy => {
                event.prevent_default();
                page.toggle();
            }
            _ => {}
        }
    });
}

/// Ends conference mode when the visitor leaves the full screen. The browser keeps that Escape for
/// itself, so without this the visitor would have to press it twice.
pub fn leave_conference_with_full_screen(state: State) {
    let _ = window_event_listener(ev::fullscreenchange, move |_| {
        if document().fullscreen_element().is_none() && state.conference.get_untracked() {
            state.conference.set(false);
        }
    });
}
