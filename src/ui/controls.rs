//! Small parts that several views use.

use leptos::prelude::*;

use crate::state::State;
use crate::text;

/// An icon on a button. Hidden from screen readers, because the button has a text.
pub fn icon(path: &'static str) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
            <path d=path />
        </svg>
    }
}

/// A small secondary button.
pub fn small_button(
    testid: &'static str,
    symbol: Option<&'static str>,
    words: impl Fn() -> &'static str + Send + 'static,
    act: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <button type="button" class="button quiet small" data-testid=testid on:click=move |_| act()>
            {symbol.map(icon)}
            {words}
        </button>
    }
}

/// A genre with its probability.
pub fn chip(state: State, class: usize, probability: f32) -> impl IntoView + use<> {
    view! {
        <span class="chip" data-class=class.to_string()>
            <span class="swatch"></span>
            {state.genre(class)}
            " "
            <span class="chip-share">{text::percent(probability.into())}</span>
        </span>
    }
}
