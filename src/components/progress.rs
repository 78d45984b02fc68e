//! How far a song is.

use leptos::prelude::*;

use crate::app::Page;
use crate::engine::policy::DeviceState;
use crate::state::Phase;
use crate::text;

/// Progress of the song under way, with the button that cancels it.
#[component]
pub fn Progress(page: Page) -> impl IntoView {
    let state = page.state;
    let total = Memo::new(move |_| state.outline.get().map(|outline| outline.segments.max(1)));
    let words = move || match (state.phase.get(), total.get()) {
        (Phase::Decoding, _) => "Decoding…".to_string(),
        (_, Some(total)) => {
            format!("{} of {}", state.progress.get(), text::count(u64::from(total), "segment"))
        }
        _ if matches!(state.cpu.get(), DeviceState::Loading) => "Getting the networks ready…".into(),
        _ => "Listening…".into(),
    };
    let bar = move || match total.get() {
        Some(total) => view! {
            <progress
                data-testid="progress"
                aria-labelledby="progress-title"
                max=total.to_string()
                value=move || state.progress.get().to_string()
            ></progress>
        }
        .into_any(),
        // Without a value it says "busy".
        None => {
            view! { <progress data-testid="progress" aria-labelledby="progress-title"></progress> }.into_any()
        }
    };
    let busy = Memo::new(move |_| state.phase.get().is_busy());
    view! {
        <Show when=move || busy.get()>
            <section class="card working">
                <div class="working-words">
                    <h2 id="progress-title" class="file-name">
                        {move || state.file.get()}
                    </h2>
                    <p>{words}</p>
                </div>
                <button
                    type="button"
                    class="button quiet"
                    on:click=move |_| page.engine(|engine| engine.cancel())
                >
                    "Cancel"
                </button>
                {bar}
            </section>
        </Show>
    }
}
