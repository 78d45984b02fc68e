//! Where songs come in: the file picker, and the picture of the drop that the whole window takes.

use leptos::ev;
use leptos::prelude::*;

use crate::app::Page;
use crate::state::Phase;

/// The drop zone with its file picker.
#[component]
pub fn DropZone(page: Page, dragging: ReadSignal<bool>) -> impl IntoView {
    let state = page.state;
    let choose = move |event: ev::Event| {
        let input: web_sys::HtmlInputElement = event_target(&event);
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            page.engine(|engine| engine.open(file));
        }
        // So that the same file can be chosen again.
        input.set_value("");
    };
    let title = move || match (dragging.get(), state.phase.get()) {
        (true, _) => "Let go to listen",
        (false, Phase::Idle) => "Drop a song here",
        (false, _) => "Drop another song",
    };
    view! {
        <section
            class="drop"
            class:dragging=move || dragging.get()
            data-testid="drop-zone"
            aria-labelledby="drop-title"
        >
            <svg class="record" viewBox="0 0 200 200" aria-hidden="true">
                <circle class="record-disc" cx="100" cy="100" r="96" />
                <g class="record-grooves">
                    <circle cx="100" cy="100" r="86" />
                    <circle cx="100" cy="100" r="78" />
                    <circle cx="100" cy="100" r="70" />
                    <circle cx="100" cy="100" r="62" />
                    <circle cx="100" cy="100" r="54" />
                    <circle cx="100" cy="100" r="46" />
                </g>
                <path class="record-shine" d="M100 100 62 12A96 96 0 0 1 100 4zM100 100l38 88a96 96 0 0 1-38 8z" />
                <circle class="record-label" cx="100" cy="100" r="34" />
                <path class="record-print" d="M80 92a22 22 0 0 1 40 0M84 112h32" />
                <circle class="record-hole" cx="100" cy="100" r="4.500" />
            </svg>
            <div class="drop-words">
                <h2 id="drop-title">{title}</h2>
                <p class="drop-hint">"WAV, MP3, FLAC, OGG or M4A, anywhere on this page"</p>
                <label class="button">
                    <input
                        type="file"
                        class="hidden"
                        accept="audio/*,.wav,.mp3,.flac,.ogg,.oga,.opus,.m4a,.aac,.aif,.aiff"
                        data-testid="file-input"
                        on:change=choose
                    />
                    "Choose a file"
                </label>
            </div>
        </section>
    }
}
