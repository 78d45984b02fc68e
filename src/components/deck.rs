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
use crate::state::{Segment, Song, State};
use crate::text;
use crate::zoom::Zoom;

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
    let zoom = RwSignal::new(None::<Zoom>);
    let view = Memo::new(move |_| zoom.get().unwrap_or_else(|| Zoom::whole(seconds.get())));
    let set = Callback::new(move |to: Zoom| {
        let whole = to.span >= seconds.get_untracked() - 1e-6;
        zoom.set((!whole && Zoom::possible(seconds.get_untracked())).then_some(to));
    });
    // Around the cursor, or the middle of what is in sight.
    let scale = move |factor: f64| {
        let now = view.get_untracked();
        let cursor = state.position.get_untracked();
        let time = if now.shows(cursor) { cursor } else { now.time(0.5) };
        set.run(now.scaled(seconds.get_untracked(), factor, time));
    };
    let reveal = move |time: f64| set.run(view.get_untracked().showing(seconds.get_untracked(), time));
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
        if let Some(share) = share_of(event.client_x())
            && fingers.try_update_value(|f| f.put(event.pointer_id(), share)) == Some(true)
        {
            return;
        }
        if event.button() == 0
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
    let moved = move |event: ev::PointerEvent| {
        let share = share_of(event.client_x()).unwrap_or_default();
        let pinched = fingers.try_update_value(|f| {
            let before = f.two();
            f.follow(event.pointer_id(), share);
            f.pinching.then(|| before.zip(f.two()))
        });
        if let Some(Some(pinch)) = pinched {
            if let Some((before, after)) = pinch {
                set.run(view.get_untracked().pinched(seconds.get_untracked(), before, after));
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
            let Some(share) = share_of(event.client_x()).filter(|_| Zoom::possible(all)) else { return };
            event.prevent_default();
            set.run(now.scaled(all, (0.008 * y).clamp(-0.6, 0.6).exp(), now.time(share.clamp(0.0, 1.0))));
        } else if zoom.get_untracked().is_some() && (event.shift_key() || x.abs() > y.abs()) {
            event.prevent_default();
            set.run(now.moved(all, if x == 0.0 { y } else { x } / width));
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
        reveal(state.position.get_untracked());
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
    let runs = Memo::new(move |_| song.segments.with(|all| runs(all)));
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
                    <Show when=move || Zoom::possible(seconds.get())>
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
                    <Ribbon page song seconds view runs reveal=Callback::new(reveal) />
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
                        on:pointerup=lifted
                        on:pointerleave=move |_| state.hover.set(None)
                        on:pointercancel=move |event| {
                            lifted(event);
                            state.hover.set(None);
                        }
                    >
                        <Wave state song deck view />
                        <div class="lane">
                            <Picture state song seconds view />
                            <Spotlight state song view />
                        </div>
                        <span class="pitch high">{move || w().high_tones}</span>
                        <span class="pitch low">{move || w().low_tones}</span>
                    </div>
                    <Axis view />
                    <Show when=move || state.hover.get().is_some()>
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
    disabled: impl Fn() -> bool + Send + Sync + 'static,
    act: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="icon-button"
            data-testid=testid
            aria-label=words
            title=words
            disabled=disabled
            on:click=move |_| act()
        >
            {icon(symbol)}
        </button>
    }
}

/// What lies on a screen that can be touched, by the numbers of its pointers, each with its share of
/// the width.
#[derive(Default)]
struct Fingers {
    down: Vec<(i32, f64)>,
    /// Two were down at once; so it stays until the last one is lifted, or a finger that stays would
    /// move the cursor.
    pinching: bool,
}

impl Fingers {
    /// Says whether this is the second one, or a later one.
    fn put(&mut self, id: i32, share: f64) -> bool {
        self.lift(id);
        self.down.push((id, share));
        self.pinching |= self.down.len() > 1;
        self.pinching
    }

    fn lift(&mut self, id: i32) {
        self.down.retain(|(down, _)| *down != id);
        self.pinching &= !self.down.is_empty();
    }

    fn follow(&mut self, id: i32, share: f64) {
        if let Some(finger) = self.down.iter_mut().find(|(down, _)| *down == id) {
            finger.1 = share;
        }
    }

    fn two(&self) -> Option<[f64; 2]> {
        match *self.down {
            [(_, a), (_, b), ..] => Some([a, b]),
            _ => None,
        }
    }
}

/// Segments of one genre, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// None if they are silent.
    pub class: Option<usize>,
    start: f64,
    end: f64,
}

impl Run {
    /// Where it lies in the song.
    pub fn stretch(&self) -> Zoom {
        Zoom { from: self.start, span: self.end - self.start }
    }
}

fn runs(segments: &[Segment]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for segment in segments {
        let class = segment.verdict.as_ref().and_then(|verdict| verdict.best());
        match runs.last_mut() {
            Some(run) if run.class == class && segment.start - run.end < 0.1 => run.end = segment.end,
            _ => runs.push(Run { class, start: segment.start, end: segment.end }),
        }
    }
    runs
}

/// Where a stretch of a song lies in what is shown of it, in percent of the width: its left edge, its
/// width.
pub fn place(stretch: Zoom, view: Zoom) -> (String, String) {
    let width = (view.share(stretch.to()) - view.share(stretch.from)).max(0.0);
    (format!("{:.4}%", 100.0 * view.share(stretch.from)), format!("{:.4}%", 100.0 * width))
}

/// One cell a segment, and the genre's name over each run of segments of one genre, so that colour
/// isn't needed. Only one cell is in the order of the Tab key; arrows move between them.
#[component]
fn Ribbon(
    page: Page,
    song: Song,
    seconds: Memo<f64>,
    view: Memo<Zoom>,
    runs: Memo<Vec<Run>>,
    reveal: Callback<f64>,
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
        let (left, width) =
            place(Zoom { from: start, span: end - start }, Zoom::whole(seconds.get_untracked()));
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
                on:focus=move |_| {
                    focused.set(index);
                    reveal.run(start);
                    reveal.run(end);
                }
                on:click=move |_| page.seek(start)
                on:pointerenter=move |_| state.hover.set(Some((start + end) / 2.0))
                on:pointerleave=move |_| state.hover.set(None)
            ></button>
        }
    };
    // As far as it is in sight, so that its name is.
    let run = move |Run { class, start, end }: Run| {
        let shown = view.get();
        let (start, end) = (start.max(shown.from), end.min(shown.to()));
        let (left, width) = place(Zoom { from: start, span: end - start }, shown);
        let name = class.map(|class| state.genre(class));
        let (long, short) = match &name {
            Some(name) => (text::heading(name), text::abbreviation(name)),
            None => (w().silent.to_string(), "–".into()),
        };
        (end > start).then(|| {
            view! {
                <span
                    class="run"
                    data-class=class.map(|class| class.to_string())
                    style:left=move || left.clone()
                    style:width=move || width.clone()
                >
                    <span class="run-long">{long}</span>
                    <span class="run-short">{short}</span>
                </span>
            }
        })
    };
    let strip = move || place(Zoom::whole(seconds.get()), view.get());
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
                {move || runs.get().into_iter().map(run).collect_view()}
            </div>
        </div>
    }
}

fn cell_id(index: u32) -> String {
    format!("segment-{index}")
}

#[component]
fn Axis(view: Memo<Zoom>) -> impl IntoView {
    let marks = move || {
        let shown = view.get();
        text::ticks(shown.from, shown.span)
            .into_iter()
            .map(|time| {
                let (left, _) = place(Zoom { from: time, span: 0.0 }, shown);
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
