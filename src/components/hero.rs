//! The words about the song: what to do while there is none, what goes on, the genre, large.

use cratedigger_protocol::{DeviceKind, ModelSet};
use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use super::{icon, icons};
use crate::app::Page;
use crate::engine::policy::DeviceState;
use crate::state::{Ear, Full, Song, State, Status};
use crate::words::Words;
use crate::{ear, example, glue, picture, text};

/// Two genres nearer than this are called close.
const CLOSE: f32 = 0.15;

/// The place for the page's main sentence.
#[component]
pub fn Hero(page: Page, phase: Memo<&'static str>, dragging: ReadSignal<bool>) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    // What is drawn anew is drawn when one of these changes, and not with every segment.
    let key = Memo::new(move |_| (phase.get(), state.shown.get(), state.language.get()));
    let body = move || {
        let (phase, ..) = key.get();
        match (phase, state.song()) {
            ("live", _) => listening(page).into_any(),
            ("idle", _) | (_, None) => entrance(page, dragging).into_any(),
            ("failed", Some(song)) => failure(page, song).into_any(),
            ("done", Some(song)) => verdict(page, song).into_any(),
            (_, Some(song)) => working(page, song).into_any(),
        }
    };
    let notice = move || {
        let about_song = state.song().and_then(|song| song.notice.get());
        about_song.or_else(|| state.notice.get()).map(|notice| {
            view! {
                <p class="notice" role="status" data-testid="notice">
                    {w().notice(notice)}
                </p>
            }
        })
    };
    view! {
        <section class="hero" aria-live="off">
            {body}
            {notice}
        </section>
    }
}

/// Before the first song.
fn entrance(page: Page, dragging: ReadSignal<bool>) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    view! {
        <h1 class="invitation">
            {move || if dragging.get() { w().let_go } else { w().drop_a_song }}
            " "
            <span class="invitation-more">{move || w().see_its_genre}</span>
        </h1>
        <p class="lead">{move || w().lead}</p>
        <div class="sources">
            <Sources page compact=false />
        </div>
        <p class="formats">{move || w().formats}</p>
    }
}

/// All ways for sound to come in.
#[component]
pub fn Sources(page: Page, compact: bool) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let offers = glue::offers();
    let offered = |at: u32| offers.get(at).is_truthy();
    let chosen = move |event: ev::Event| {
        let input: web_sys::HtmlInputElement = event_target(&event);
        if let Some(list) = input.files() {
            let files: Vec<web_sys::File> = (0..list.length()).filter_map(|at| list.get(at)).collect();
            if !files.is_empty() {
                state.notice.set(None);
                ear::stop_aside(page);
                page.engine(|engine| engine.open(files, true));
            }
        }
        // So that the same file can be chosen again.
        input.set_value("");
    };
    let chosen_folder = move |event: ev::Event| {
        let input: web_sys::HtmlInputElement = event_target(&event);
        if let Some(list) = input.files() {
            page.take(&glue::files_of_folder(&list));
        }
        input.set_value("");
    };
    let making = RwSignal::new(false);
    let play_example = move |_| {
        if making.get_untracked() {
            return;
        }
        making.set(true);
        state.notice.set(None);
        spawn_local(async move {
            let file = example::file(state.words_now().example_name).await;
            making.try_set(false);
            page.engine(|engine| engine.open(vec![file], true));
        });
    };
    let listens = move || state.live.ear.get().is_some();
    let (class, main_class) = if compact { ("tool", "tool") } else { ("button quiet", "button") };
    view! {
        <label class=main_class title=move || w().choose_files>
            <input
                type="file"
                class="hidden"
                multiple
                accept="audio/*,.wav,.mp3,.flac,.ogg,.oga,.opus,.m4a,.aac,.aif,.aiff"
                data-testid="file-input"
                on:change=chosen
            />
            {icon(icons::FILE)}
            <span>{move || w().choose_files}</span>
        </label>
        {offered(2)
            .then(|| {
                view! {
                    <label class=class title=move || w().choose_folder>
                        <input
                            type="file"
                            class="hidden"
                            prop:webkitdirectory=true
                            data-testid="folder-input"
                            on:change=chosen_folder
                        />
                        {icon(icons::FOLDER)}
                        <span>{move || w().choose_folder}</span>
                    </label>
                }
            })}
        {offered(0)
            .then(|| {
                view! {
                    <button
                        type="button"
                        class=class
                        title=move || w().microphone
                        data-testid="microphone"
                        disabled=listens
                        on:click=move |_| ear::start(page, Ear::Microphone)
                    >
                        {icon(icons::MICROPHONE)}
                        <span>{move || w().microphone}</span>
                    </button>
                }
            })}
        {offered(1)
            .then(|| {
                view! {
                    <button
                        type="button"
                        class=class
                        title=move || w().tab_sound
                        data-testid="tab-sound"
                        disabled=listens
                        on:click=move |_| ear::start(page, Ear::Tab)
                    >
                        {icon(icons::TAB)}
                        <span>{move || w().tab_sound}</span>
                    </button>
                }
            })}
        <button
            type="button"
            class=class
            title=move || w().example
            data-testid="example"
            aria-busy=move || making.get().to_string()
            on:click=play_example
        >
            {icon(icons::RECORD)}
            <span>{move || w().example}</span>
        </button>
    }
}

/// The song's name and length.
fn title(song: Song) -> impl IntoView {
    view! {
        <p class="song-title">
            <span class="song-name">{song.title()}</span>
            {move || {
                song.outline.get().map(|outline| view! { <span class="length">{text::clock(outline.seconds)}</span> })
            }}
        </p>
    }
}

/// In the queue, decoding, or under way.
fn working(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let so_far = Memo::new(move |_| {
        let (class, _) = *text::ranked(&song.probabilities()?).first()?;
        Some(class)
    });
    let total = Memo::new(move |_| song.outline.get().map(|outline| outline.segments.max(1)));
    let words = move || match (song.status.get(), total.get()) {
        (Status::Waiting, _) => {
            let before = state.songs.with(|all| {
                all.iter()
                    .take_while(|other| other.id != song.id)
                    .filter(|s| s.status.get().is_open())
                    .count()
            });
            w().waiting(before)
        }
        (Status::Decoding, _) => w().decoding.to_string(),
        (_, Some(total)) => {
            text::fill(w().segments_of, &[&song.progress.get().to_string(), &total.to_string()])
        }
        _ if matches!(state.cpu.get(), DeviceState::Loading) => w().loading_networks.to_string(),
        _ => w().listening.to_string(),
    };
    let bar = move || match total.get() {
        Some(total) => view! {
            <progress
                data-testid="progress"
                aria-label=move || w().progress
                max=total.to_string()
                value=move || song.progress.get().to_string()
            ></progress>
        }
        .into_any(),
        // Without a value it says "busy".
        None => {
            view! { <progress data-testid="progress" aria-label=move || w().progress></progress> }.into_any()
        }
    };
    view! {
        {title(song)}
        <h1 class="genre pending" data-class=move || so_far.get().map(|class| class.to_string())>
            <span class="genre-name">
                {move || {
                    so_far.get().map_or_else(|| w().listening_large.to_string(), |class| text::heading(&state.genre(class)))
                }}
            </span>
        </h1>
        <p class="sure">{words}</p>
        {bar}
        <div class="actions">
            <button
                type="button"
                class="button quiet"
                data-testid="cancel"
                on:click=move |_| page.engine(|engine| engine.cancel(song.id))
            >
                {move || w().cancel}
            </button>
        </div>
    }
}

/// No result, why not, and what to do.
fn failure(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let sentence = move || match song.status.get() {
        Status::Failed(trouble) => w().trouble(trouble),
        _ => String::new(),
    };
    view! {
        {title(song)}
        <h1 class="genre none">
            <span class="genre-name">{move || w().no_answer}</span>
        </h1>
        <p class="trouble" role="alert" data-testid="error">
            {sentence}
        </p>
        <div class="actions">
            <button
                type="button"
                class="button quiet"
                data-testid="retry"
                on:click=move |_| page.engine(|engine| engine.retry(song.id))
            >
                {icon(icons::RETRY)}
                {move || w().retry}
            </button>
        </div>
    }
}

/// The answer.
fn verdict(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let outcome = song.outcome.get_untracked();
    let ranked = outcome.as_ref().map(|o| text::ranked(&o.verdict.probabilities)).unwrap_or_default();
    let best = ranked.first().map_or(0, |(class, _)| *class);
    let device = outcome.as_ref().map(|outcome| match outcome.device {
        DeviceKind::Cpu => ("cpu", w().by_cpu),
        DeviceKind::WebGpu => ("web-gpu", w().by_gpu),
    });
    let (device, device_words) = device.unwrap_or_default();
    let timing = outcome.as_ref().map(|outcome| {
        text::fill(
            w().timing,
            &[&text::duration(outcome.milliseconds), &text::duration(outcome.milliseconds_to_first)],
        )
    });
    let none = outcome.as_ref().is_some_and(|outcome| outcome.none);
    let fast = outcome.as_ref().is_some_and(|outcome| outcome.set == ModelSet::Fast);
    let id = state.class(best);
    let name = if none { w().none_of_these.into() } else { text::heading(&state.genre(best)) };
    let long = name.chars().count() > 7;
    view! {
        {title(song)}
        <h1
            class="genre"
            class:long=long
            class:none=none
            data-testid="result-genre"
            data-genre=id
            data-none=none.to_string()
            data-class=(!none).then(|| best.to_string())
        >
            <span class="genre-name">{name}</span>
        </h1>
        <p class="sure" data-testid="sure">{sureness(state, w(), &ranked, none)}</p>
        <p class="timing">
            <span data-testid="device-used" data-device=device>
                {device_words}
            </span>
            " · "
            <span data-testid="timing">{timing}</span>
        </p>
        {move || {
            let all = state.full.get() == Full::Ready && state.wanted.get() == ModelSet::Full;
            (fast && all && song.audible)
                .then(|| {
                    view! {
                        <p class="quiet-words">
                            {w().judged_fast} " "
                            <button
                                type="button"
                                class="link"
                                data-testid="ask-all"
                                on:click=move |_| page.engine(|engine| engine.ask_all(song.id))
                            >
                                {text::fill(w().ask_all, &[&state.models.with(Vec::len).to_string()])}
                            </button>
                        </p>
                    }
                })
        }}
        <div class="actions">
            <button
                type="button"
                class="button quiet"
                data-testid="save-picture"
                on:click=move |_| keep_picture(page, song, false)
            >
                {icon(icons::SAVE)}
                {w().save_picture}
            </button>
            <button
                type="button"
                class="button quiet"
                data-testid="copy-picture"
                on:click=move |_| keep_picture(page, song, true)
            >
                {icon(icons::COPY)}
                {w().copy_picture}
            </button>
        </div>
    }
}

fn keep_picture(page: Page, song: Song, copy: bool) {
    let state = page.state;
    spawn_local(async move {
        let kept = match picture::of(state, song) {
            Some(canvas) if copy => glue::copy_picture(&canvas).await,
            Some(canvas) => glue::save_picture(&canvas, "cratedigger.png").await,
            None => Err(JsValue::NULL),
        };
        match kept {
            Err(_) => state.notice.set(Some(crate::trouble::Notice::NotKept)),
            Ok(()) if copy => state.notice.set(Some(crate::trouble::Notice::Copied)),
            Ok(()) => {}
        }
    });
}

/// How sure, in words, with the figures that the words stand for.
fn sureness(state: State, words: &'static Words, ranked: &[(usize, f32)], none: bool) -> String {
    let Some((class, first)) = ranked.first().copied() else { return String::new() };
    if none {
        return text::fill(words.none_words, &[&state.genre(class), &text::percent(first.into())]);
    }
    let (other, second) = ranked.get(1).copied().unwrap_or_default();
    let values = [
        &*text::percent(first.into()),
        &*state.genre(class),
        &*state.genre(other),
        &*text::percent(second.into()),
    ];
    let sentence = match first {
        p if p - second < CLOSE => words.close_call,
        p if p >= 0.85 => words.very_sure,
        p if p >= 0.6 => words.quite_sure,
        p if p >= 0.4 => words.leaning,
        _ => words.guess,
    };
    text::fill(sentence, &values)
}

/// While the microphone or a tab is heard.
fn listening(page: Page) -> impl IntoView {
    let state = page.state;
    let live = state.live;
    let w = move || state.words();
    let best = Memo::new(move |_| {
        live.heard.with(|all| all.last().map(|s| s.verdict.as_ref().and_then(|v| v.best())))
    });
    let name = move || match best.get() {
        Some(Some(class)) => text::heading(&state.genre(class)),
        Some(None) => w().live_silence.to_string(),
        None => w().listening_large.to_string(),
    };
    let heard = move || {
        live.heard.with(|all| {
            let recent = all.len().saturating_sub(60);
            all.iter()
                .skip(recent)
                .map(|segment| {
                    let class = segment.verdict.as_ref().and_then(|v| v.best());
                    view! { <span class="live-cell" data-class=class.map(|class| class.to_string())></span> }
                })
                .collect_view()
        })
    };
    view! {
        <p class="song-title">
            <span class="song-name">
                {move || match live.ear.get() {
                    Some(Ear::Tab) => w().hearing_tab,
                    _ => w().hearing_microphone,
                }}
            </span>
            <span class="length" data-testid="live-time">{move || text::clock(live.seconds.get())}</span>
        </p>
        <h1 class="genre" data-testid="live-genre" data-class=move || best.get().flatten().map(|class| class.to_string())>
            <span class="genre-name">{name}</span>
        </h1>
        <div class="level" aria-hidden="true">
            <span class="level-fill" style=("--level", move || format!("{:.3}", live.level.get().clamp(0.0, 1.0)))></span>
        </div>
        <div class="live-ribbon" aria-hidden="true" data-testid="live-ribbon">{heard}</div>
        <p class="sure">{move || w().live_hint}</p>
        <div class="actions">
            <button type="button" class="button" data-testid="stop" on:click=move |_| ear::stop(page)>
                {icon(icons::STOP)}
                {move || w().stop}
            </button>
        </div>
    }
}
