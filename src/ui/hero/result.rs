//! The result of a song.

use cratedigger_protocol::{DeviceKind, ModelSet, Tag};
use leptos::prelude::*;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use super::title;
use crate::app::Page;
use crate::probabilities::ranked;
use crate::state::{Answer, FullSet, Sheet, Song, SongResult, State};
use crate::trouble::Notice;
use crate::ui::about::TAGS;
use crate::ui::controls::icon;
use crate::ui::icons;
use crate::{glue, share_image, text};

/// The two best genres are called almost equal if their probabilities differ by less.
const CLOSE: f32 = 0.15;
/// Longest name of a genre in the largest type.
const LONG: usize = 7;
/// Largest number of tags shown.
const TAGS_SHOWN: usize = 6;

/// The genre, the confidence, and what can be done with the result.
pub fn answer(page: Page, song: Song) -> Option<impl IntoView> {
    let state = page.state;
    let w = &state.words().hero;
    let result = song.result.get_untracked()?;
    let best = result.probabilities.best().unwrap_or_default();
    let answer = result.answer()?;
    let (class, sound) = (answer.class(), answer.sound());
    let none = class.is_none();
    let name = state.answer(answer);
    let long = name.chars().count() > LONG;
    let fast = result.set == ModelSet::Fast;
    Some(view! {
        {title(song)}
        <h1
            class="genre"
            class:long=long
            class:none=none
            class:no-music=sound.is_some()
            data-testid="result-genre"
            data-genre=state.models.class(best)
            data-none=none.to_string()
            data-non-music=sound.map(|sound| sound.id())
            data-class=class.map(|class| class.to_string())
        >
            <span class="genre-name">{name}</span>
        </h1>
        <p class="sure" data-testid="sure">{confidence(state, answer, &result)}</p>
        {conditions(state, &result)}
        {timing(state, &result)}
        // Tags describe music; a network names some for any sound.
        {sound.is_none().then(|| tags(state, &result.tags))}
        {move || fast.then(|| use_all(page, song)).flatten()}
        <div class="actions">
            {picture_button("save-picture", icons::SAVE, w.save_picture, move || keep_picture(page, song, false))}
            {picture_button("copy-picture", icons::COPY, w.copy_picture, move || keep_picture(page, song, true))}
        </div>
    })
}

/// The conditions of the recording under which the networks are less accurate.
fn conditions(state: State, result: &SongResult) -> Option<impl IntoView + use<>> {
    let sentence = state.words().hero.conditions(&result.conditions)?;
    Some(view! {
        <p class="weak" data-testid="conditions">
            {icon(icons::WARNING)}
            <span>{sentence}</span>
        </p>
    })
}

/// The strongest tags, with a bar each. The bars have no figures, because the strengths are not
/// calibrated.
fn tags(state: State, tags: &[Tag]) -> Option<impl IntoView + use<>> {
    let w = &state.words().hero;
    let items = tags.iter().take(TAGS_SHOWN).map(tag).collect_view();
    let explain = move |_| {
        state.sheet.set(Some(Sheet::About));
        // The sheet opens in an effect, which runs before the next frame.
        request_animation_frame(|| {
            if let Some(heading) = document().get_element_by_id(TAGS) {
                heading.scroll_into_view();
            }
        });
    };
    (!tags.is_empty()).then(|| {
        view! {
            <div class="tags" data-testid="tags">
                <h2 class="tags-title">{w.tags}</h2>
                <ul class="tag-list" aria-label=w.tags_order>
                    {items}
                </ul>
                <button type="button" class="link" data-testid="tags-about" on:click=explain>
                    {w.tags_about}
                </button>
            </div>
        }
    })
}

/// One tag.
fn tag(tag: &Tag) -> impl IntoView + use<> {
    let strength = format!("{:.3}", tag.strength.clamp(0.0, 1.0));
    view! {
        <li class="tag" data-testid="tag" style=("--share", move || strength.clone())>
            {tag.name.clone()}
        </li>
    }
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

/// The answer in a sentence.
fn confidence(state: State, answer: Answer, result: &SongResult) -> impl IntoView + use<> {
    let w = &state.words().hero;
    let confidence = text::percent(result.confidence().unwrap_or_default().into());
    match answer {
        Answer::NonMusic(sound) => view! {
            <span data-testid="non-music" data-kind=sound.id()>
                {w.no_music_sentence(sound, &confidence)}
            </span>
        }
        .into_any(),
        Answer::NoneOfThese => {
            let nearest = result.probabilities.best().map(|class| state.genre(class)).unwrap_or_default();
            text::fill(w.none_words, &[&nearest, &confidence]).into_any()
        }
        Answer::Genre(_) => how_sure(state, result).into_any(),
    }
}

/// The confidence in a genre in words, with the probabilities behind them.
fn how_sure(state: State, result: &SongResult) -> String {
    let w = &state.words().hero;
    let ranked = ranked(&result.probabilities.ensemble);
    let Some((class, first)) = ranked.first().copied() else { return String::new() };
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
