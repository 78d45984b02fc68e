//! The result of a song.

use cratedigger_protocol::{DeviceKind, ModelSet};
use leptos::prelude::*;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use super::title;
use crate::app::Page;
use crate::probabilities::ranked;
use crate::state::{FullSet, Song, SongResult, State};
use crate::trouble::Notice;
use crate::ui::controls::icon;
use crate::ui::icons;
use crate::{glue, share_image, text};

/// The two best genres are called almost equal if their probabilities differ by less.
const CLOSE: f32 = 0.15;
/// Longest name of a genre in the largest type.
const LONG: usize = 7;

/// The genre, the confidence, and what can be done with the result.
pub fn answer(page: Page, song: Song) -> Option<impl IntoView> {
    let state = page.state;
    let w = &state.words().hero;
    let result = song.result.get_untracked()?;
    let best = result.probabilities.best().unwrap_or_default();
    let none = result.none;
    let name = if none { w.none_of_these.into() } else { text::heading(&state.genre(best)) };
    let long = name.chars().count() > LONG;
    let fast = result.set == ModelSet::Fast;
    Some(view! {
        {title(song)}
        <h1
            class="genre"
            class:long=long
            class:none=none
            data-testid="result-genre"
            data-genre=state.models.class(best)
            data-none=none.to_string()
            data-class=(!none).then(|| best.to_string())
        >
            <span class="genre-name">{name}</span>
        </h1>
        <p class="sure" data-testid="sure">{confidence(state, &result)}</p>
        {timing(state, &result)}
        {move || fast.then(|| use_all(page, song)).flatten()}
        <div class="actions">
            {picture_button("save-picture", icons::SAVE, w.save_picture, move || keep_picture(page, song, false))}
            {picture_button("copy-picture", icons::COPY, w.copy_picture, move || keep_picture(page, song, true))}
        </div>
    })
}

/// Device and computation time.
fn timing(state: State, result: &SongResult) -> impl IntoView + use<> {
    let w = &state.words().hero;
    let (device, device_words) = match result.device {
        DeviceKind::Cpu => ("cpu", w.by_cpu),
        DeviceKind::WebGpu => ("web-gpu", w.by_gpu),
    };
    let (all, first) = (text::duration(result.milliseconds), text::duration(result.milliseconds_to_first));
    let words = text::fill(w.timing, &[&all, &first]);
    view! {
        <p class="timing">
            <span data-testid="device-used" data-device=device>
                {device_words}
            </span>
            " · "
            <span data-testid="timing">{words}</span>
        </p>
    }
}

/// Offers the full set of networks for a song that only the fast network analysed.
fn use_all(page: Page, song: Song) -> Option<impl IntoView> {
    let state = page.state;
    let w = &state.words().hero;
    let ready = state.models.full.get() == FullSet::Ready && state.models.wanted.get() == ModelSet::Full;
    let count = state.models.list.with(Vec::len).to_string();
    (ready && song.audible).then(|| {
        view! {
            <p class="quiet-words">
                {w.judged_fast} " "
                <button
                    type="button"
                    class="link"
                    data-testid="ask-all"
                    on:click=move |_| page.engine(|engine| engine.ask_all(song.id))
                >
                    {text::fill(w.ask_all, &[&count])}
                </button>
            </p>
        }
    })
}

fn picture_button(
    testid: &'static str,
    symbol: &'static str,
    words: &'static str,
    act: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <button type="button" class="button quiet" data-testid=testid on:click=move |_| act()>
            {icon(symbol)}
            {words}
        </button>
    }
}

/// Saves or copies an image of the result.
fn keep_picture(page: Page, song: Song, copy: bool) {
    let state = page.state;
    spawn_local(async move {
        let kept = match share_image::draw(state, song) {
            Some(canvas) if copy => glue::copy_picture(&canvas).await,
            Some(canvas) => glue::save_picture(&canvas, "cratedigger.png").await,
            None => Err(JsValue::NULL),
        };
        match kept {
            Err(_) => state.notice.set(Some(Notice::NotKept)),
            Ok(()) if copy => state.notice.set(Some(Notice::Copied)),
            Ok(()) => {}
        }
    });
}

/// The confidence in words, with the probabilities behind them.
fn confidence(state: State, result: &SongResult) -> String {
    let w = &state.words().hero;
    let ranked = ranked(&result.probabilities.ensemble);
    let Some((class, first)) = ranked.first().copied() else { return String::new() };
    if result.none {
        return text::fill(w.none_words, &[&state.genre(class), &text::percent(first.into())]);
    }
    let (other, second) = ranked.get(1).copied().unwrap_or_default();
    let values = [
        &*text::percent(first.into()),
        &*state.genre(class),
        &*state.genre(other),
        &*text::percent(second.into()),
    ];
    let sentence = match first {
        p if p - second < CLOSE => w.close_call,
        p if p >= 0.85 => w.very_sure,
        p if p >= 0.6 => w.quite_sure,
        p if p >= 0.4 => w.leaning,
        _ => w.guess,
    };
    text::fill(sentence, &values)
}
