//! Small parts that several views use.

use cratedigger_protocol::NonMusic;
use leptos::prelude::*;

use crate::state::{Sound, State};
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

/// A check box.
pub fn check(
    testid: &'static str,
    words: impl Fn() -> &'static str + Send + 'static,
    on: impl Fn() -> bool + Send + 'static,
    act: impl Fn(bool) + 'static,
) -> impl IntoView {
    view! {
        <label class="check">
            <input
                type="checkbox"
                data-testid=testid
                prop:checked=on
                on:change=move |event| act(event_target_checked(&event))
            />
            {words}
        </label>
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

/// The kind of a non-music sound with the probability of non-music.
pub fn no_music_chip(state: State, non_music: &NonMusic) -> impl IntoView + use<> {
    let sound = Sound::of(&non_music.kind);
    view! {
        <span class="chip" data-non-music=sound.id()>
            <span class="swatch"></span>
            {state.words().hero.no_music(sound)}
            " "
            <span class="chip-share">{text::percent(non_music.probability.into())}</span>
        </span>
    }
}
