//! What the visitor wants to have written.

use leptos::prelude::*;

use crate::state::{State, TagChoices};
use crate::text;
use crate::ui::controls::check;

/// Percentages for the least probability of the first genre, and of further ones.
const SURE: [u8; 7] = [50, 60, 70, 80, 90, 95, 99];
const MORE: [u8; 5] = [0, 10, 20, 30, 40];

/// All choices.
pub(super) fn choices(state: State) -> impl IntoView {
    let w = move || &state.words().tags;
    let choices = state.tagging.choices;
    let has_own =
        Memo::new(move |_| state.collection.own.with(|own| own.as_ref().is_some_and(|own| own.usable)));
    let tick = move |testid,
                     words: fn(State) -> &'static str,
                     get: fn(&TagChoices) -> bool,
                     set: fn(&mut TagChoices, bool)| {
        check(
            testid,
            move || words(state),
            move || choices.with(get),
            move |on| choices.update(|choices| set(choices, on)),
        )
    };
    let percent = |value: u8| text::percent(f64::from(value) / 100.0);
    view! {
        <fieldset class="tag-choices">
            <legend>{move || w().choices}</legend>
            <div class="sheet-tools">
                {percentages(
                    state,
                    "tags-sure",
                    |state| state.words().tags.sure,
                    &SURE,
                    percent,
                    |choices| &mut choices.sure,
                )}
                {percentages(
                    state,
                    "tags-more",
                    |state| state.words().tags.more,
                    &MORE,
                    move |value| match value {
                        0 => w().more_none.into(),
                        value => text::fill(w().more_from, &[&percent(value)]),
                    },
                    |choices| &mut choices.more,
                )}
            </div>
            {tick("tags-replace", |s| s.words().tags.replace, |c| c.replace, |c, on| c.replace = on)}
            {tick("tags-tempo", |s| s.words().tags.tempo, |c| c.tempo, |c, on| c.tempo = on)}
            {tick("tags-heard", |s| s.words().tags.heard, |c| c.heard, |c, on| c.heard = on)}
            <Show when=move || has_own.get()>
                {tick("tags-own", |s| s.words().tags.own, |c| c.own, |c, on| c.own = on)}
            </Show>
            {names(state)}
        </fieldset>
    }
}

/// A choice among percentages.
fn percentages(
    state: State,
    testid: &'static str,
    name: fn(State) -> &'static str,
    values: &'static [u8],
    words: impl Fn(u8) -> String + Copy + Send + 'static,
    field: fn(&mut TagChoices) -> &mut u8,
) -> impl IntoView {
    let choices = state.tagging.choices;
    let now = move || choices.with(|choices| *field(&mut choices.clone()));
    let options = values.iter().map(|value| {
        view! {
            <option value=value.to_string() prop:selected=move || now() == *value>
                {move || words(*value)}
            </option>
        }
    });
    view! {
        <label class="tag-choice">
            <span>{move || name(state)}</span>
            <select
                class="select"
                data-testid=testid
                on:change=move |event| {
                    if let Ok(value) = event_target_value(&event).parse() {
                        choices.update(|choices| *field(choices) = value);
                    }
                }
            >
                {options.collect_view()}
            </select>
        </label>
    }
}

/// What is typed as the name of a class.
fn typed<'a>(choices: &'a TagChoices, class: &str) -> Option<&'a String> {
    choices.names.iter().find(|(named, _)| named == class).map(|(_, typed)| typed)
}

/// The visitor's own names of the genres.
fn names(state: State) -> impl IntoView {
    let w = move || &state.words().tags;
    let choices = state.tagging.choices;
    let name = move |class: String| {
        let (shown, key, placeholder) = (class.clone(), class.clone(), class.clone());
        view! {
            <label class="tag-choice">
                <span>{move || state.words().genre(&shown)}</span>
                <input
                    type="text"
                    class="select"
                    data-testid="tags-name"
                    data-class=class
                    placeholder=placeholder
                    prop:value={
                        let key = key.clone();
                        move || choices.with(|choices| typed(choices, &key).cloned().unwrap_or_default())
                    }
                    on:input=move |event| {
                        let name = event_target_value(&event);
                        choices.update(|choices| {
                            choices.names.retain(|(class, _)| *class != key);
                            choices.names.push((key.clone(), name));
                        });
                    }
                />
            </label>
        }
    };
    view! {
        <details class="as-table">
            <summary>{move || w().names}</summary>
            <p class="quiet-words">{move || w().names_hint}</p>
            <div class="tag-names">{move || state.models.classes.get().into_iter().map(name).collect_view()}</div>
        </details>
    }
}
