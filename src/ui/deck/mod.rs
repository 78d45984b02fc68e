//! Timeline of a song: ribbon of genres, waveform and spectrogram under one cursor.

mod canvas;
mod gestures;
mod lanes;
mod overview;
mod ribbon;
mod sections;
mod table;
mod zoom;

use leptos::html::Div;
use leptos::prelude::*;
use web_sys::Element;

use self::gestures::Gestures;
use self::lanes::{SpectrogramLane, Spotlight, WaveLane};
use self::overview::Overview;
use self::ribbon::Ribbon;
use self::sections::Sections;
use self::table::Table;
use self::zoom::Zoom;
use super::controls::{chip, icon, no_music_chip};
use super::icons;
use crate::app::Page;
use crate::probabilities::ranked;
use crate::state::{Answer, Phase, Run, Segment, Song, SongResult, State};
use crate::text;
use crate::time_range::TimeRange;

/// Id of the element that the overview controls.
const LANES: &str = "lanes";

/// The timeline of the shown song.
#[component]
pub fn Deck(page: Page, phase: Memo<Phase>) -> impl IntoView {
    let state = page.state;
    let song = Memo::new(move |_| state.shown.get().filter(|_| phase.get().has_deck()));
    move || {
        let song = state.find(song.get()?)?;
        Some(view! { <Timeline page song /> })
    }
}

#[component]
fn Timeline(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().deck;
    let deck = NodeRef::<Div>::new();
    let zoom = Zoom::new(Memo::new(move |_| song.seconds()), state.playback);
    zoom.follow(state.playback);
    // Sections replace the runs of segments as soon as they are known, because answers of single segments
    // flicker.
    let runs = Memo::new(move |_| {
        let sections = song.result.with(|result| Some(Run::of_sections(&result.as_ref()?.sections)));
        sections.filter(|runs| !runs.is_empty()).unwrap_or_else(|| song.segments.with(|all| Run::all(all)))
    });
    let as_table = RwSignal::new(false);
    view! {
        <section class="deck-frame" aria-label=move || w().timeline>
            <div
                class="deck"
                node_ref=deck
                class:quiet=!song.audible
                class:empty=move || song.info.get().is_none()
                class:doubtful=move || is_doubtful(song)
            >
                <div class="deck-head">
                    {play_button(page, song)}
                    <p class="clock" data-testid="clock">
                        <span class="clock-now">
                            {move || text::clock(state.playback.moment().unwrap_or_default())}
                        </span>
                        <span class="clock-all">" / " {move || text::clock(zoom.seconds.get())}</span>
                    </p>
                    <Show when=move || TimeRange::possible(zoom.seconds.get())>{zoom_buttons(state, zoom)}</Show>
                    <p class="deck-here" data-testid="moment">{moment(state, song)}</p>
                </div>
                <Lanes page song deck zoom runs />
                <Show when=move || zoom.is_part()>
                    <Overview state runs zoom controls=LANES />
                </Show>
            </div>
            <Sections page song />
            <details
                class="as-table"
                data-testid="as-table"
                on:toggle=move |event| as_table.set(event_target::<Element>(&event).has_attribute("open"))
            >
                <summary>{move || w().as_table}</summary>
                // A long song has thousands of rows.
                <Show when=move || as_table.get()>
                    <Table state song />
                </Show>
            </details>
        </section>
    }
}

/// Whether the result of the song is no genre.
fn is_doubtful(song: Song) -> bool {
    let class = |result: &SongResult| result.answer().and_then(Answer::class);
    song.result.with(|result| result.as_ref().is_some_and(|result| class(result).is_none()))
}

fn play_button(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let playing = state.playback.playing;
    let w = move || &state.words().deck;
    view! {
        <button
            type="button"
            class="play"
            data-testid="play"
            disabled=move || !song.audible
            aria-label=move || if playing.get() { w().pause } else { w().play }
            on:click=move |_| page.toggle()
        >
            {move || if playing.get() { icon(icons::PAUSE).into_any() } else { icon(icons::PLAY).into_any() }}
        </button>
    }
}

fn zoom_buttons(state: State, zoom: Zoom) -> impl IntoView {
    let w = move || &state.words().deck;
    let whole = move || !zoom.is_part();
    view! {
        <div class="zoomer" role="group" aria-label=move || w().zoom>
            {tool("zoom-out", icons::MINUS, move || w().zoom_out, whole, move || zoom.scale(Zoom::STEP))}
            {tool(
                "zoom-in",
                icons::PLUS,
                move || w().zoom_in,
                move || zoom.view.get().is_shortest(),
                move || zoom.scale(1.0 / Zoom::STEP),
            )}
            {tool("zoom-whole", icons::WIDE, move || w().zoom_whole, whole, move || zoom.show_all())}
        </div>
    }
}

/// A small button of the timeline.
fn tool(
    testid: &'static str,
    symbol: &'static str,
    words: impl Fn() -> &'static str + Copy + Send + Sync + 'static,
    disabled: impl Fn() -> bool + Copy + Send + Sync + 'static,
    act: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="icon-button"
            data-testid=testid
            aria-label=words
            title=words
            // `disabled` would take the focus away while the visitor uses the button.
            aria-disabled=move || disabled().to_string()
            on:click=move |_| {
                if !disabled() {
                    act();
                }
            }
        >
            {icon(symbol)}
        </button>
    }
}

/// The most probable genres at the cursor, or a hint.
fn moment(state: State, song: Song) -> impl IntoView {
    let w = move || &state.words().deck;
    let hint =
        |class: &'static str, words: &'static str| view! { <span class=class>{words}</span> }.into_any();
    // The segment and, because segments arrive in any order, whether it is still to come.
    let here = Memo::new(move |_| {
        let moment = state.playback.moment();
        let segment = moment.and_then(|moment| song.segment_at(moment));
        let pending = moment.is_some() && segment.is_none() && song.status.get().is_open();
        (segment, pending)
    });
    let pending = move || here.with(|(_, pending)| *pending);
    move || match here.get().0 {
        Some(Segment { non_music: Some(non_music), .. }) if non_music.rejected => {
            no_music_chip(state, &non_music).into_any()
        }
        Some(Segment { probabilities: Some(probabilities), .. }) => ranked(&probabilities.ensemble)
            .into_iter()
            .take(3)
            .map(|(class, probability)| chip(state, class, probability))
            .collect_view()
            .into_any(),
        Some(_) => hint("quiet-words", w().silent_here),
        None if pending() => hint("quiet-words", w().not_yet),
        None if song.audible => hint("quiet-words hint", w().hint),
        None => hint("quiet-words", w().no_sound_kept),
    }
}

/// Ribbon, waveform, spectrogram and axis under one cursor.
#[component]
fn Lanes(page: Page, song: Song, deck: NodeRef<Div>, zoom: Zoom, runs: Memo<Vec<Run>>) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().deck;
    let Zoom { seconds, view, .. } = zoom;
    let (position, hover) = (state.playback.position, state.playback.hover);
    let track = NodeRef::<Div>::new();
    let gestures = Gestures::new(page, zoom, track);
    let cursor = move |time: f64| format!("{:.4}%", 100.0 * view.get().fraction(time));
    view! {
        <div class="lanes" id=LANES on:wheel=move |event| gestures.wheel(&event)>
            <Ribbon page song zoom runs />
            <div
                class="track"
                node_ref=track
                role="slider"
                tabindex="0"
                data-testid="track"
                aria-label=move || w().position
                aria-valuemin="0"
                aria-valuemax=move || format!("{:.0}", seconds.get())
                aria-valuenow=move || format!("{:.0}", position.get())
                aria-valuetext=move || spoken_position(state, song)
                on:keydown=move |event| gestures.key(&event)
                on:pointerdown=move |event| gestures.down(&event)
                on:pointermove=move |event| gestures.moved(&event)
                on:pointerup=move |event| gestures.up(&event)
                on:lostpointercapture=move |event| gestures.lifted(&event)
                on:pointerleave=move |_| gestures.left()
                on:pointercancel=move |event| {
                    gestures.lifted(&event);
                    gestures.left();
                }
            >
                <WaveLane state song deck view />
                <div class="lane">
                    <SpectrogramLane state song view />
                    <Spotlight state song view />
                </div>
                <span class="pitch high">{move || w().high_tones}</span>
                <span class="pitch low">{move || w().low_tones}</span>
            </div>
            {axis(view)}
            <Show when=move || hover.get().is_some_and(|time| view.get().shows(time))>
                <div class="cursor ghost" style:left=move || cursor(hover.get().unwrap_or_default())></div>
            </Show>
            <div
                class="cursor"
                data-testid="cursor"
                hidden=move || !view.get().shows(position.get())
                style:left=move || cursor(position.get())
            ></div>
        </div>
    }
}

/// Time and answer at the cursor, for screen readers.
fn spoken_position(state: State, song: Song) -> String {
    let position = state.playback.position.get();
    let time = text::clock(position);
    match song.segment_at(position).and_then(|segment| segment.answer()) {
        Some(Answer::Genre(class)) => format!("{time}, {}", state.genre(class)),
        Some(answer) => format!("{time}, {}", state.answer(answer)),
        None => time,
    }
}

/// The time axis.
fn axis(view: Memo<TimeRange>) -> impl IntoView {
    let ticks = move || {
        let shown = view.get();
        text::ticks(shown.from, shown.span)
            .into_iter()
            .map(|time| {
                let (left, _) = TimeRange { from: time, span: 0.0 }.place(shown);
                view! {
                    <span class="tick" style:left=move || left.clone()>
                        <span>{text::clock(time)}</span>
                    </span>
                }
            })
            .collect_view()
    };
    view! { <div class="axis" aria-hidden="true">{ticks}</div> }
}
