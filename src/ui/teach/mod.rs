//! The sheet in which the visitor teaches classes of their own.

mod classes;
mod result;

use leptos::prelude::*;
use web_sys::{File, HtmlInputElement};

use self::classes::{class_list, crate_songs};
use self::result::result;
use super::controls::{icon, small_button};
use super::icons;
use super::sheet::dialog;
use crate::app::Page;
use crate::collection::lesson;
use crate::state::{Own, Sheet, State, Teaching};
use crate::text;

/// The sheet.
#[component]
pub fn TeachSheet(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().teach;
    let collection = state.collection;
    let own = Memo::new(move |_| collection.own.get());
    let open = Memo::new(move |_| state.sheet.get() == Some(Sheet::Teach));
    // Two empty classes are a clearer invitation than none.
    Effect::new(move |_| {
        if open.get() && collection.classes.with(Vec::is_empty) {
            collection.add_class(String::new());
            collection.add_class(String::new());
        }
    });
    let body = view! {
        <Show when=move || open.get()>
            <p class="lead">{move || w().lead}</p>
            {class_list(page)}
            {crate_songs(page)}
            {lesson_line(page)}
            {move || own.get().map(|own: Own| result(state, &own))}
            {keep(page)}
        </Show>
    };
    dialog(state, Sheet::Teach, |w| w.teach.title, body.into_any())
}

/// The buttons that start and stop a lesson, and what is to say about it.
fn lesson_line(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().teach;
    let teaching = state.collection.teaching;
    let busy = Memo::new(move |_| teaching.get().is_busy());
    let lacking = Memo::new(move |_| lesson::lacking(state));
    let pending = Memo::new(move |_| lesson::readiness(state));
    let blocked = move || lacking.with(Option::is_some) || pending.get().1 > 0;
    view! {
        <div class="lesson">
            <Show
                when=move || busy.get()
                fallback=move || {
                    view! {
                        <button
                            type="button"
                            class="button"
                            data-testid="teach-start"
                            disabled=blocked
                            on:click=move |_| lesson::teach(page)
                        >
                            {move || w().teach}
                        </button>
                    }
                }
            >
                {small_button("teach-cancel", Some(icons::STOP), move || w().cancel, move || lesson::stop(page))}
            </Show>
            <p role="status" class="lesson-state" data-testid="teach-state">
                {move || lesson_state(state, lacking, pending)}
            </p>
        </div>
    }
}

/// What a lesson lacks, waits for or does.
fn lesson_state(
    state: State,
    lacking: Memo<Option<lesson::Lacking>>,
    pending: Memo<(usize, usize)>,
) -> String {
    let words = state.words();
    let w = &words.teach;
    match state.collection.teaching.get() {
        Teaching::Fitting { of: 0, .. } => w.starting.into(),
        Teaching::Fitting { done, of } => text::fill(w.fitting, &[&done.to_string(), &of.to_string()]),
        Teaching::Failed(trouble) => words.trouble.trouble(trouble, ""),
        Teaching::Unfit => w.unfit.into(),
        Teaching::Idle => match (lacking.get(), pending.get()) {
            (Some(lacking), _) => w.lacking(&lacking),
            (None, (ready, open)) if open > 0 => {
                text::fill(w.not_ready, &[&ready.to_string(), &open.to_string()])
            }
            _ => String::new(),
        },
    }
}

/// Export, import, forget.
fn keep(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().teach;
    let has_own = Memo::new(move |_| state.collection.own.with(Option::is_some));
    view! {
        <h3>{move || w().keep_title}</h3>
        <p class="quiet-words">{move || w().keep_hint}</p>
        <div class="sheet-tools">
            <Show when=move || has_own.get()>
                {small_button("teach-export", Some(icons::SAVE), move || w().export, lesson::export)}
            </Show>
            <label class="button quiet small">
                <input
                    type="file"
                    class="hidden"
                    accept=".zip,application/zip"
                    data-testid="teach-import"
                    on:change=move |event| {
                        if let Some(file) = chosen(&event_target(&event)).into_iter().next() {
                            lesson::import(page, file);
                        }
                    }
                />
                {icon(icons::FILE)}
                <span>{move || w().import}</span>
            </label>
            {small_button("teach-forget", Some(icons::CLOSE), move || w().forget, move || lesson::forget(page))}
        </div>
    }
}

/// The files that were chosen. Empties the input, so that the same file can be chosen again.
fn chosen(input: &HtmlInputElement) -> Vec<File> {
    let files = input.files().map(|list| (0..list.length()).filter_map(|at| list.get(at)).collect());
    input.set_value("");
    files.unwrap_or_default()
}
