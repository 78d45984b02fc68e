//! The sheet in which the visitor writes genres into the files.

mod choices;
mod table;

use cratedigger_protocol::tags::ListFormat;
use leptos::prelude::*;

use self::choices::choices;
use self::table::table;
use super::controls::small_button;
use super::icons;
use super::sheet::dialog;
use crate::app::Page;
use crate::glue;
use crate::state::{Sheet, State, TagRow, TagWork};
use crate::tagging::{self, copies, lists, undo, write};
use crate::text;

/// The sheet.
#[component]
pub fn TagsSheet(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().tags;
    let open = Memo::new(move |_| state.sheet.get() == Some(Sheet::Tags));
    let any = Memo::new(move |_| state.tagging.rows.with(|rows| !rows.is_empty()));
    let body = view! {
        <Show when=move || open.get()>
            <p class="lead">{move || w().lead}</p>
            <Show
                when=move || any.get()
                fallback=move || view! { <p data-testid="tags-none">{move || w().no_songs}</p> }
            >
                {choices(state)}
                {table(state)}
                {act(page)}
            </Show>
            {undo_part(page)}
            {list_part(page)}
        </Show>
    };
    dialog(state, Sheet::Tags, |w| w.tags.title, body.into_any())
}

/// Number of songs that satisfy a condition, tracked.
fn count(state: State, is: fn(&TagRow) -> bool) -> usize {
    state.tagging.rows.with(|rows| rows.iter().filter(|row| is(row)).count())
}

/// The buttons that write, and what is to say about it.
fn act(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().tags;
    let tagging = state.tagging;
    let can_write = glue::can_write();
    let wanted = Memo::new(move |_| count(state, TagRow::is_wanted));
    let lost = Memo::new(move |_| count(state, |row| row.is_wanted() && !row.found));
    let unfound = Memo::new(move |_| count(state, |row| row.file.is_some() && !row.found));
    let idle = Memo::new(move |_| tagging.work() == TagWork::Idle);
    let copies_button = move || {
        small_button("tags-copies", Some(icons::SAVE), move || w().copies, move || copies::save_copies(page))
    };
    view! {
        <p role="status" class="lesson-state" data-testid="tags-state">
            {move || work_words(state, if can_write { lost.get() } else { 0 })}
        </p>
        <div class="sheet-tools">
            <Show when=move || !idle.get()>
                {small_button(
                    "tags-cancel",
                    Some(icons::STOP),
                    move || w().cancel,
                    move || tagging::cancel(state),
                )}
            </Show>
            <Show when=move || idle.get() && can_write && (wanted.get() > lost.get())>
                <button
                    type="button"
                    class="button"
                    data-testid="tags-write"
                    on:click=move |_| write::write(page)
                >
                    {move || w().write}
                </button>
            </Show>
            <Show when=move || idle.get() && can_write && (unfound.get() > 0)>
                {small_button(
                    "tags-folder",
                    Some(icons::FOLDER),
                    move || w().folder,
                    move || tagging::choose_folder(page),
                )}
            </Show>
            <Show when=move || idle.get() && (wanted.get() > 0)>{copies_button()}</Show>
        </div>
        <p class="quiet-words">{move || if can_write { w().write_hint } else { w().copies_hint }}</p>
    }
}

/// What is done, how it ended, and what there is to do.
fn work_words(state: State, lost: usize) -> String {
    let w = &state.words().tags;
    let tagging = state.tagging;
    if tagging.work() != TagWork::Idle {
        return tagging.progress.with(|progress| w.work(progress));
    }
    let report = tagging.progress.with(|progress| progress.report.as_ref().map(|report| w.report(report)));
    let plan = text::fill(
        w.plan_state,
        &[
            &count(state, |row| !row.plan.changes.is_empty()).to_string(),
            &tagging.rows.with(|rows| rows.len()).to_string(),
        ],
    );
    let lost = (lost > 0).then(|| text::fill(w.not_found_state, &[&lost.to_string()]));
    [report, Some(plan), lost].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Restoring files.
fn undo_part(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().tags;
    let tagging = state.tagging;
    let some = Memo::new(move |_| tagging.restorable.get() > 0);
    let idle = move || tagging.work() == TagWork::Idle;
    view! {
        <Show when=move || some.get()>
            <h3>{move || w().undo_title}</h3>
            <p class="quiet-words" data-testid="tags-restorable">
                {move || text::fill(w().undo_hint, &[&tagging.restorable.get().to_string()])}
                " "
                {move || tagging.fleeting.get().then(|| w().undo_fleeting)}
            </p>
            <Show when=idle>
                <div class="sheet-tools">
                    {small_button("tags-undo", Some(icons::RETRY), move || w().undo, move || undo::undo(page))}
                    {small_button(
                        "tags-forget",
                        Some(icons::CLOSE),
                        move || w().forget,
                        move || undo::forget_all(state),
                    )}
                </div>
            </Show>
        </Show>
    }
}

/// Lists for other programs.
fn list_part(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().tags;
    let folder = state.tagging.folder;
    let button = move |testid, name: &'static str, format| {
        small_button(testid, Some(icons::SAVE), move || name, move || lists::save_list(page, format))
    };
    view! {
        <h3>{move || w().lists_title}</h3>
        <p class="quiet-words">{move || w().lists_hint}</p>
        <label class="alike-choice">
            <span>{move || w().path}</span>
            <input
                type="text"
                class="select"
                data-testid="tags-path"
                placeholder="/home/me/Music"
                prop:value=move || folder.get()
                on:input=move |event| folder.set(event_target_value(&event))
            />
        </label>
        <div class="sheet-tools">
            {button("list-rekordbox", "Rekordbox XML", ListFormat::Rekordbox)}
            {button("list-m3u8", "M3U8", ListFormat::M3u8)}
            {button("list-csv", "CSV", ListFormat::Csv)}
        </div>
    }
}
