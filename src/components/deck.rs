//! The song over time: genre ribbon, waveform and spectrogram as one object under one cursor.

use leptos::ev;
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::lanes::{Picture, Spotlight, Wave};
use super::overview::Overview;
use super::votes::chip;
use super::{icon, icons};
use crate::app::Page;
use crate::state::{Run, Segment, Song, State};
use crate::stretch::Stretch;
use crate::text;

/// What the overview moves.
const LANES: &str = "lanes";
/// How much a button or a key of the keyboard zooms.
const ZOOM_STEP: f64 = 2.0;
/// How far an arrow key moves the cursor, in seconds.
const STEP: f64 = 1.0;
const LONG_STEP: f64 = 10.0;

/// The deck, for as long as there is a song.
#[component]
pub fn Deck(page: Page, phase: Memo<&'static str>) -> impl IntoView {
    let state = page.state;
    let song = Memo::new(move |_| {
        let there = !matches!(phase.get(), "idle" | "live" | "failed");
        state.shown.get().filter(|_| there)
    });
    move || {
        let song = state.find(song.get()?)?;
        Some(view! { <Turntable page song /> })
    }
}

#[component]
fn Turntable(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let deck = NodeRef::<Div>::new();
    let track = NodeRef::<Div>::new();
    let outline = Memo::new(move |_| song.outline.get());
    let seconds = Memo::new(move |_| outline.get().map_or(0.0, |outline| outline.seconds));

    // None: the whole song, however long it turns out to be.
    let zoom = RwSignal::new(None::<Stretch>);
    let view = Memo::new(move |_| zoom.get().unwrap_or_else(|| Stretch::whole(seconds.get())));
    let set = Callback::new(move |to: Stretch| {
        let all = seconds.get_untracked();
        let to = Some(to).filter(|to| to.span < all - 1e-6 && Stretch::possible(all));
        if zoom.get_untracked() != to {
            zoom.set(to);
        }
    });
    // Around the cursor, or the middle of what is in sight.
    let scale = move |factor: f64| {
        let now = view.get_untracked();
        let cursor = state.position.get_untracked();
        let time = if now.shows(cursor) { cursor } else { now.time(0.5) };
        set.run(now.scaled(seconds.get_untracked(), factor, time));
    };
    let reveal = move |time: f64| set.run(view.get_untracked().showing(seconds.get_untracked(), time));
    // What the visitor goes to is shown.
    Effect::new(move |_| {
        state.sought.track();
        reveal(state.position.get_untracked());
    });
    // Sound that plays on past the edge takes the deck with it, unless the visitor looks elsewhere.
    Effect::new(move |before: Option<f64>| {
        let now = state.position.get();
        if before.is_some_and(|before| view.get_untracked().shows(before)) {
            reveal(now);
        }
        now
    });

    let share_of = move |x: i32| -> Option<f64> {
        let bounds = track.get_untracked()?.get_bounding_client_rect();
        Some((f64::from(x) - bounds.left()) / bounds.width().max(1.0))
    };
    let time_of = move |event: &ev::PointerEvent| -> Option<f64> {
        let share = share_of(event.client_x())?.clamp(0.0, 1.0);
        (seconds.get_untracked() > 0.0).then(|| view.get_untracked().time(share))
    };
    let fingers = StoredValue::new(Fingers::default());
    let down = move |event: ev::PointerEvent| {
        if event.pointer_type() == "touch" {
            // A finger may be the first of two, or scroll the page: what it wants shows later.
            if let Some(share) = share_of(event.client_x()) {
                let _ = fingers.try_update_value(|f| f.put(event.pointer_id(), share));
            }
        } else if event.button() == 0
            && let Some(time) = time_of(&event)
        {
            page.seek(time);
            if let Some(track) = track.get_untracked() {
                // Without it a drag that leaves the deck just ends there.
                let _ = track.set_pointer_capture(event.pointer_id());
            }
        }
    };
    let lifted = move |event: ev::PointerEvent| {
        let _ = fingers.try_update_value(|f| f.lift(event.pointer_id()));
    };
    let up = move |event: ev::PointerEvent| {
        let tapped = fingers.try_update_value(|f| !f.pinching && f.lift(event.pointer_id()));
        if let Some(time) = time_of(&event).filter(|_| tapped == Some(true)) {
            page.seek(time);
        }
        lifted(event);
    };
    let moved = move |event: ev::PointerEvent| {
        if event.pointer_type() == "touch" {
            let share = share_of(event.client_x()).unwrap_or_default();
            let drawn = fingers.try_update_value(|f| {
                let before = f.two();
                let drags = f.follow(event.pointer_id(), share);
                (before.zip(f.two()), drags && !f.pinching)
            });
            match drawn {
                Some((Some((before, after)), _)) => {
                    set.run(view.get_untracked().pinched(seconds.get_untracked(), before, after));
                }
                Some((None, true)) => {
                    if let Some(time) = time_of(&event) {
                        page.seek(time);
                    }
                }
                _ => {}
            }
            return;
        }
        let time = time_of(&event);
        if event.buttons() & 1 == 1 {
            if let Some(time) = time {
                page.seek(time);
            }
            state.hover.set(None);
        } else if event.pointer_type() == "mouse" {
            state.hover.set(time);
        }
    };
    let wheel = move |event: ev::WheelEvent| {
        let (all, now) = (seconds.get_untracked(), view.get_untracked());
        let width = track.get_untracked().map_or(1.0, |track| f64::from(track.client_width().max(1)));
        let pixels = |delta: f64| match event.delta_mode() {
            ev::WheelEvent::DOM_DELTA_PIXEL => delta,
            ev::WheelEvent::DOM_DELTA_LINE => 16.0 * delta,
            _ => width * delta,
        };
        let (x, y) = (pixels(event.delta_x()), pixels(event.delta_y()));
        // Browsers report a pinch on a touchpad as a wheel with Ctrl.
        if event.ctrl_key() || event.meta_key() {
            let Some(share) = share_of(event.client_x()).filter(|_| Stretch::possible(all)) else { return };
            event.prevent_default();
            set.run(now.scaled(all, (0.008 * y).clamp(-0.6, 0.6).exp(), now.time(share.clamp(0.0, 1.0))));
        } else if zoom.get_untracked().is_some() && (event.shift_key() || x.abs() > y.abs()) {
            event.prevent_default();
            // With Shift, some browsers turn the wheel's way round themselves.
            let along = if x == 0.0 { y } else { x };
            set.run(now.moved(all, along / width));
        }
        // Another moment is under the pointer now.
        if state.hover.get_untracked().is_some() {
            state.hover.set(share_of(event.client_x()).map(|share| view.get_untracked().time(share)));
        }
    };
    let key = move |event: ev::KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let now = state.position.get_untracked();
        let step = if event.shift_key() { LONG_STEP } else { STEP };
        let to = match event.key().as_str() {
            "ArrowLeft" | "ArrowDown" => now - step,
            "ArrowRight" | "ArrowUp" => now + step,
            "PageDown" => now - LONG_STEP,
            "PageUp" => now + LONG_STEP,
            "Home" => 0.0,
            "End" => seconds.get_untracked(),
            " " | "Enter" => {
                event.prevent_default();
                return page.toggle();
            }
            "+" | "=" => return scale(1.0 / ZOOM_STEP),
            "-" => return scale(ZOOM_STEP),
            "0" => return zoom.set(None),
            _ => return,
        };
        event.prevent_default();
        page.seek(to);
    };
    let here = Memo::new(move |_| {
        let time = state.moment()?;
        Some((time, song.segment_at(time)?))
    });
    let spoken = move || {
        let time = text::clock(state.position.get());
        let genre = song.segment_at(state.position.get()).and_then(|segment| {
            segment.verdict.and_then(|verdict| verdict.best()).map(|class| state.genre(class))
        });
        genre.map_or_else(|| time.clone(), |genre| format!("{time}, {genre}"))
    };
    let cursor = move |time: f64| format!("{:.4}%", 100.0 * view.get().share(time));
    let runs = Memo::new(move |_| song.segments.with(|all| Run::all(all)));
    view! {
        <section class="deck-frame" aria-label=move || w().timeline>
            <div
                class="deck"
                node_ref=deck
                class:quiet=!song.audible
                class:empty=move || outline.get().is_none()
                class:doubtful=move || song.outcome.with(|o| o.as_ref().is_some_and(|o| o.none))
            >
                <div class="deck-head">
                    <button
                        type="button"
                        class="play"
                        data-testid="play"
                        disabled=move || !song.audible
                        aria-label=move || if state.playing.get() { w().pause } else { w().play }
                        on:click=move |_| page.toggle()
                    >
                        {move || if state.playing.get() { icon(icons::PAUSE).into_any() } else { icon(icons::PLAY).into_any() }}
                    </button>
                    <p class="clock" data-testid="clock">
                        <span class="clock-now">{move || text::clock(state.moment().unwrap_or_default())}</span>
                        <span class="clock-all">" / " {move || text::clock(seconds.get())}</span>
                    </p>
                    <Show when=move || Stretch::possible(seconds.get())>
                        <div class="zoomer" role="group" aria-label=move || w().zoom>
                            {tool("zoom-out", icons::MINUS, move || w().zoom_out, move || zoom.get().is_none(), move || scale(ZOOM_STEP))}
                            {tool(
                                "zoom-in",
                                icons::PLUS,
                                move || w().zoom_in,
                                move || view.get().is_shortest(),
                                move || scale(1.0 / ZOOM_STEP),
                            )}
                            {tool("zoom-whole", icons::WIDE, move || w().zoom_whole, move || zoom.get().is_none(), move || zoom.set(None))}
                        </div>
                    </Show>
                    <p class="deck-here" data-testid="moment">
                        {move || match here.get() {
                            Some((_, Segment { verdict: Some(verdict), .. })) => {
                                text::ranked(&verdict.probabilities)
                                    .into_iter()
                                    .take(3)
                                    .map(|(class, share)| chip(state, class, share))
                                    .collect_view()
                                    .into_any()
                            }
                            Some(_) => view! { <span class="quiet-words">{w().silent_here}</span> }.into_any(),
                            None if song.audible => view! { <span class="quiet-words hint">{w().deck_hint}</span> }.into_any(),
                            None => view! { <span class="quiet-words">{w().no_sound_kept}</span> }.into_any(),
                        }}
                    </p>
                </div>
                <div class="lanes" id=LANES on:wheel=wheel>
                    <Ribbon page song seconds view runs set />
                    <div
                        class="track"
                        node_ref=track
                        role="slider"
                        tabindex="0"
                        data-testid="track"
                        aria-label=move || w().position
                        aria-valuemin="0"
                        aria-valuemax=move || format!("{:.0}", seconds.get())
                        aria-valuenow=move || format!("{:.0}", state.position.get())
                        aria-valuetext=spoken
                        on:keydown=key
                        on:pointerdown=down
                        on:pointermove=moved
                        on:pointerup=up
                        on:lostpointercapture=lifted
                        on:pointerleave=move |_| state.hover.set(None)
                        on:pointercancel=move |event| {
                            lifted(event);
                            state.hover.set(None);
                        }
                    >
                        <Wave state song deck view />
                        <div class="lane">
                            <Picture state song view />
                            <Spotlight state song view />
                        </div>
                        <span class="pitch high">{move || w().high_tones}</span>
                        <span class="pitch low">{move || w().low_tones}</span>
                    </div>
                    <Axis view />
                    <Show when=move || state.hover.get().is_some_and(|time| view.get().shows(time))>
                        <div class="cursor ghost" style:left=move || cursor(state.hover.get().unwrap_or_default())></div>
                    </Show>
                    <div
                        class="cursor"
                        data-testid="cursor"
                        hidden=move || !view.get().shows(state.position.get())
                        style:left=move || cursor(state.position.get())
                    ></div>
                </div>
                <Show when=move || zoom.get().is_some()>
                    <Overview state runs seconds view set controls=LANES />
                </Show>
            </div>
            <details class="as-table" data-testid="as-table">
                <summary>{move || w().as_table}</summary>
                <Table state song />
            </details>
        </section>
    }
}

/// A small button of the deck.
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
            // Not `disabled`, which would take the focus away from under the finger.
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

/// One on a screen that can be touched.
struct Finger {
    /// Its pointer's.
    id: i32,
    /// Where it was put down, as a share of the width.
    start: f64,
    /// Where it is.
    share: f64,
    /// Whether it went far enough to mean it.
    drags: bool,
}

/// All of them.
#[derive(Default)]
struct Fingers {
    down: Vec<Finger>,
    /// Two were down at once; so it stays until the last one is lifted, or a finger that stays would
    /// move the cursor.
    pinching: bool,
}

impl Fingers {
    fn put(&mut self, id: i32, share: f64) {
        self.lift(id);
        self.down.push(Finger { id, start: share, share, drags: false });
        self.pinching |= self.down.len() > 1;
    }

    /// Says whether it was there.
    fn lift(&mut self, id: i32) -> bool {
        let before = self.down.len();
        self.down.retain(|finger| finger.id != id);
        self.pinching &= !self.down.is_empty();
        self.down.len() < before
    }

    /// Says whether it drags.
    fn follow(&mut self, id: i32, share: f64) -> bool {
        let Some(finger) = self.down.iter_mut().find(|finger| finger.id == id) else { return false };
        finger.share = share;
        finger.drags |= (share - finger.start).abs() > 0.015;
        finger.drags
    }

    fn two(&self) -> Option<[f64; 2]> {
        match self.down.as_slice() {
            [a, b, ..] => Some([a.share, b.share]),
            _ => None,
        }
    }
}

/// One cell a segment, and the genre's name over each run of segments of one genre, so that colour
/// isn't needed. Only one cell is in the order of the Tab key; arrows move between them.
#[component]
fn Ribbon(
    page: Page,
    song: Song,
    seconds: Memo<f64>,
    view: Memo<Stretch>,
    runs: Memo<Vec<Run>>,
    set: Callback<Stretch>,
) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let focused = RwSignal::new(0u32);
    let key = move |event: ev::KeyboardEvent| {
        let target = song.segments.with_untracked(|all| {
            let at = all.binary_search_by_key(&focused.get_untracked(), |s| s.index).unwrap_or(0);
            let at = match event.key().as_str() {
                "ArrowLeft" | "ArrowUp" => at.saturating_sub(1),
                "ArrowRight" | "ArrowDown" => (at + 1).min(all.len().saturating_sub(1)),
                "Home" => 0,
                "End" => all.len().saturating_sub(1),
                _ => return None,
            };
            all.get(at).map(|segment| segment.index)
        });
        if let Some(index) = target {
            event.prevent_default();
            let cell = document().get_element_by_id(&cell_id(index));
            if let Some(cell) = cell.and_then(|cell| cell.dyn_into::<web_sys::HtmlElement>().ok()) {
                // What comes of it comes by the cell's own focus event.
                let _ = cell.focus();
            }
        }
    };
    let cell = move |segment: Segment| {
        let stretch = segment.stretch();
        let Segment { index, start, end, verdict, .. } = segment;
        let best = verdict.as_ref().and_then(|verdict| verdict.best());
        let span = text::fill(w().from_to, &[&text::clock(start), &text::clock(end)]);
        let label = match &verdict {
            Some(verdict) => {
                let top: Vec<_> = text::ranked(&verdict.probabilities)
                    .into_iter()
                    .take(3)
                    .map(|(class, share)| format!("{} {}", state.genre(class), text::percent(share.into())))
                    .collect();
                format!("{span}: {}", top.join(", "))
            }
            None => format!("{span}: {}", w().silent),
        };
        let (left, width) = stretch.place(Stretch::whole(seconds.get_untracked()));
        view! {
            <button
                type="button"
                class="cell"
                id=cell_id(index)
                data-testid="segment"
                data-index=index.to_string()
                data-start=start.to_string()
                data-end=end.to_string()
                data-genre=best.map(|class| state.class(class))
                data-class=best.map(|class| class.to_string())
                data-silent=verdict.is_none().then_some("true")
                aria-label=label
                tabindex=move || if focused.get() == index { "0" } else { "-1" }
                style:left=move || left.clone()
                style:width=move || width.clone()
                on:focus=move |event| {
                    focused.set(index);
                    // A pointer must find what it pressed still below it.
                    let by_key = event_target::<web_sys::Element>(&event).matches(":focus-visible");
                    if by_key.unwrap_or(false) {
                        set.run(view.get_untracked().showing_all(seconds.get_untracked(), stretch));
                    }
                }
                on:click=move |_| page.seek(start)
                on:pointerenter=move |_| {
                    state.hover.set(stretch.within(view.get_untracked()).map(|seen| seen.time(0.5)));
                }
                on:pointerleave=move |_| state.hover.set(None)
            ></button>
        }
    };
    // As far as it is in sight, so that its name is.
    let run = move |Run { class, stretch }: Run, shown: Stretch| {
        let (left, width) = stretch.within(shown)?.place(shown);
        let name = class.map(|class| state.genre(class));
        let (long, short) = match &name {
            Some(name) => (text::heading(name), text::abbreviation(name)),
            None => (w().silent.to_string(), "–".into()),
        };
        Some(view! {
            <span
                class="run"
                data-class=class.map(|class| class.to_string())
                style:left=move || left.clone()
                style:width=move || width.clone()
            >
                <span class="run-long">{long}</span>
                <span class="run-short">{short}</span>
            </span>
        })
    };
    let strip = move || Stretch::whole(seconds.get()).place(view.get());
    view! {
        <div class="ribbon" role="group" aria-label=move || w().segments_keys on:keydown=key>
            // The whole song, of which a part is in sight.
            <div class="strip" style:left=move || strip().0 style:width=move || strip().1>
            <For
                each=move || song.segments.get()
                key=move |segment| (segment.index, segment.revision, state.language.get())
                children=cell
            />
            </div>
            // Each cell says the same to a screen reader.
            <div class="runs" aria-hidden="true">
                {move || {
                    let shown = view.get();
                    runs.with(|all| all.iter().filter_map(|one| run(*one, shown)).collect_view())
                }}
            </div>
        </div>
    }
}

fn cell_id(index: u32) -> String {
    format!("segment-{index}")
}

#[component]
fn Axis(view: Memo<Stretch>) -> impl IntoView {
    let marks = move || {
        let shown = view.get();
        text::ticks(shown.from, shown.span)
            .into_iter()
            .map(|time| {
                let (left, _) = Stretch { from: time, span: 0.0 }.place(shown);
                view! {
                    <span class="tick" style:left=move || left.clone()>
                        <span>{text::clock(time)}</span>
                    </span>
                }
            })
            .collect_view()
    };
    view! { <div class="axis" aria-hidden="true">{marks}</div> }
}

/// The same in words and figures.
#[component]
fn Table(state: State, song: Song) -> impl IntoView {
    let w = move || state.words();
    let rows = move || {
        song.segments.with(|all| {
            all.iter()
                .map(|segment| {
                    let span = format!("{}–{}", text::clock(segment.start), text::clock(segment.end));
                    let cells = match &segment.verdict {
                        Some(verdict) => text::ranked(&verdict.probabilities)
                            .into_iter()
                            .take(3)
                            .map(|(class, share)| view! { <td>{chip(state, class, share)}</td> })
                            .collect_view()
                            .into_any(),
                        None => view! { <td colspan="3">{w().silent}</td> }.into_any(),
                    };
                    view! {
                        <tr>
                            <th scope="row">{span}</th>
                            {cells}
                        </tr>
                    }
                })
                .collect_view()
        })
    };
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=move || w().as_table>
            <table>
                <thead>
                    <tr>
                        <th scope="col">{move || w().time}</th>
                        <th scope="col">{move || w().first}</th>
                        <th scope="col">{move || w().second}</th>
                        <th scope="col">{move || w().third}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
