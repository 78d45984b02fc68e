//! The plan as a table: a row for each song, with what is in the file and what is new.

use cratedigger_protocol::tags::{Change, Field, Kept};
use leptos::prelude::*;

use crate::i18n::Words;
use crate::state::{Outcome, State, TagRow};
use crate::text;

/// The table.
pub(super) fn table(state: State) -> impl IntoView {
    let w = move || &state.words().tags;
    let ids = Memo::new(move |_| {
        state.tagging.rows.with(|rows| rows.iter().map(|row| row.song).collect::<Vec<_>>())
    });
    view! {
        <table class="tag-table" data-testid="tags-table">
            <thead>
                <tr>
                    <td></td>
                    <th scope="col">{move || state.words().library.song}</th>
                    <th scope="col">{move || w().now}</th>
                    <th scope="col">{move || w().new}</th>
                </tr>
            </thead>
            <tbody>
                <For each=move || ids.get() key=|id| *id children=move |id| row(state, id) />
            </tbody>
        </table>
    }
}

fn row(state: State, id: u32) -> Option<impl IntoView> {
    let title = state.find(id)?.title();
    let tagging = state.tagging;
    let row = Memo::new(move |_| {
        let row = tagging.rows.with(|rows| rows.iter().find(|row| row.song == id).cloned());
        row.unwrap_or_default()
    });
    let label = {
        let title = title.clone();
        move || text::fill(state.words().tags.write_it, &[&title])
    };
    let now = move || row.with(|row| row.file.as_ref().map(|(_, tags)| tags.genres.join("; ")));
    let genres = move || match now() {
        None => String::new(),
        Some(genres) if genres.is_empty() => state.words().tags.empty.into(),
        Some(genres) => genres,
    };
    Some(view! {
        <tr data-testid="tag-row" data-outcome=move || row.with(outcome_id)>
            <td>
                <input
                    type="checkbox"
                    data-testid="tag-tick"
                    aria-label=label
                    prop:checked=move || row.with(TagRow::is_wanted)
                    prop:disabled=move || row.with(|row| row.plan.changes.is_empty())
                    on:change=move |event| {
                        let on = event_target_checked(&event);
                        tagging.update(id, |row| row.ticked = on);
                    }
                />
            </td>
            <th scope="row">{title}</th>
            <td data-testid="tag-old" class:quiet-words=move || now().is_none_or(|genres| genres.is_empty())>
                {genres}
            </td>
            <td data-testid="tag-new">{move || row.with(|row| new(state.words(), row))}</td>
        </tr>
    })
}

/// Name of an outcome in tests.
fn outcome_id(row: &TagRow) -> &'static str {
    match (&row.outcome, &row.file) {
        (Outcome::Written(_), _) => "written",
        (Outcome::Copied(_), _) => "copied",
        (Outcome::Restored, _) => "restored",
        (Outcome::Failed(_), _) => "failed",
        (Outcome::None, Some(_)) => "read",
        (Outcome::None, None) => "unread",
    }
}

/// What is new, why other fields are left, and what became of the file.
fn new(words: &'static Words, row: &TagRow) -> impl IntoView + use<> {
    let w = &words.tags;
    let change = |Change { field, old, new }: &Change| {
        let new = w.field(*field, &new.join("; "));
        // The genres of the file stand beside it.
        let line = match field {
            Field::Genre => new,
            _ if old.is_empty() => new,
            _ => text::fill(w.was, &[&new, &old.join("; ")]),
        };
        view! { <p>{line}</p> }
    };
    let changes = row.plan.changes.iter().map(change).collect_view();
    let kept = row.plan.kept.iter().map(|kept: &Kept| w.kept(kept, words));
    let mut remarks: Vec<String> = kept.collect();
    if row.is_unread() {
        remarks.push(w.unread.into());
    } else if row.plan.changes.is_empty() && remarks.is_empty() && row.outcome == Outcome::None {
        remarks.push(w.nothing_new.into());
    }
    let newer = |fields: &Option<String>| fields.as_ref().map(|fields| text::fill(w.newer, &[fields]));
    let (outcome, remark) = match &row.outcome {
        Outcome::None => (None, None),
        Outcome::Written(fields) => (Some(w.written.to_owned()), newer(fields)),
        Outcome::Copied(fields) => (Some(w.copied.to_owned()), newer(fields)),
        Outcome::Restored => (Some(w.restored.to_owned()), None),
        Outcome::Failed(why) => (Some(w.unwritten(why)), None),
    };
    remarks.extend(remark);
    view! {
        {changes}
        {remarks.into_iter().map(|remark| view! { <p class="quiet-words">{remark}</p> }).collect_view()}
        {outcome.map(|outcome| view! { <p class="tag-outcome">{outcome}</p> })}
    }
}
