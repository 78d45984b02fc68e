//! The page as a whole.

use leptos::ev;
use leptos::prelude::*;
use web_sys::DragEvent;

use crate::components::{
    About, Announcer, Chart, Devices, DropZone, Networks, Progress, Result as ResultCard,
};
use crate::engine::Engine;
use crate::state::State;
use crate::trouble::Trouble;

/// What every component needs: the state to read, the engine to ask.
#[derive(Clone, Copy)]
pub struct Page {
    /// What the page knows.
    pub state: State,
    engine: StoredValue<std::rc::Rc<Engine>, LocalStorage>,
}

impl Page {
    /// The engine, unless the page is being torn down.
    pub fn engine(&self, act: impl FnOnce(&std::rc::Rc<Engine>)) {
        if let Some(engine) = self.engine.try_get_value() {
            act(&engine);
        }
    }
}

/// The page.
#[component]
pub fn App() -> impl IntoView {
    let state = State::new();
    let page = Page { state, engine: StoredValue::new_local(Engine::start(state)) };
    let dragging = accept_drops(page);

    let phase = move || state.phase.get().id();
    let trouble = move || {
        state.trouble.get().map(|trouble| {
            let name = state.file.get_untracked();
            view! {
                <section class="card error">
                    {(!name.is_empty()).then(|| view! { <h2 class="file-name">{name}</h2> })}
                    <p role="alert" data-testid="error">
                        {trouble.to_string()}
                    </p>
                </section>
            }
        })
    };
    let notice =
        move || state.notice.get().map(|words| view! { <p class="notice" role="status">{words}</p> });

    view! {
        <header class="masthead">
            <Mark />
            <div>
                <h1>"Cratedigger"</h1>
                <p>"Drop a song, see its genre, and why."</p>
            </div>
        </header>
        <main data-state=phase>
            <DropZone page dragging />
            {trouble}
            {notice}
            <Progress page />
            <ResultCard page />
            <Chart page />
            <Networks page />
            <Devices page />
            <About page />
        </main>
        <footer>
            <p>
                "Nothing is uploaded: your song is decoded and judged on this computer. This page’s content \
                 security policy lets it, and its workers, talk to no server but the one that the page came from."
            </p>
        </footer>
        <Announcer page />
    }
}

/// The record in its crate.
#[component]
fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 64 64" aria-hidden="true">
            <circle class="mark-disc" cx="32" cy="25" r="21" />
            <circle class="mark-groove" cx="32" cy="25" r="15.5" />
            <circle class="mark-groove" cx="32" cy="25" r="11.5" />
            <circle class="mark-label" cx="32" cy="25" r="7" />
            <path class="mark-crate" d="M6 32h52v25a3 3 0 0 1-3 3H9a3 3 0 0 1-3-3z" />
            <path class="mark-slat" d="M6 41h52M6 50.500h52" />
        </svg>
    }
}

/// Makes the whole window take files; tells whether one is being dragged over it.
fn accept_drops(page: Page) -> ReadSignal<bool> {
    let (dragging, set_dragging) = signal(false);
    let holds_files = |event: &DragEvent| {
        event.data_transfer().is_some_and(|data| data.types().includes(&"Files".into(), 0))
    };
    // The listeners live as long as the page, so their handles are not needed.
    let over = move |event: DragEvent| {
        if holds_files(&event) {
            // Without this the browser would open the file instead.
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
        // Leaving one element for another says where to; leaving the window doesn't.
        if event.related_target().is_none() {
            set_dragging.set(false);
        }
    });
    let _ = window_event_listener(ev::drop, move |event| {
        event.prevent_default();
        set_dragging.set(false);
        let file = event.data_transfer().and_then(|data| data.files()).and_then(|files| files.get(0));
        page.engine(|engine| match file {
            Some(file) => engine.open(file),
            None => engine.refuse(Trouble::NoFile),
        });
    });
    dragging
}
