//! The song over time: genre ribbon, waveform and spectrogram as one object under one cursor.

use std::ops::Range;

use leptos::ev;
use leptos::html::{Canvas, Div};
use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{Clamped, JsCast};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use super::votes::chip;
use super::why::lights;
use super::{icon, icons};
use crate::app::Page;
use crate::spectrogram::Dirty;
use crate::state::{Outline, Segment, Song, State};
use crate::text;

/// No browser takes much wider ones.
const WIDEST_CANVAS: f64 = 16_384.0;
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

    let time_of = move |event: &ev::PointerEvent| -> Option<f64> {
        let bounds = track.get_untracked()?.get_bounding_client_rect();
        let share = (f64::from(event.client_x()) - bounds.left()) / bounds.width().max(1.0);
        (seconds.get_untracked() > 0.0).then(|| share.clamp(0.0, 1.0) * seconds.get_untracked())
    };
    let down = move |event: ev::PointerEvent| {
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
    let moved = move |event: ev::PointerEvent| {
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
    let key = move |event: ev::KeyboardEvent| {
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
    let cursor = move |time: f64| format!("{:.4}%", 100.0 * time / seconds.get().max(f64::MIN_POSITIVE));
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
                <div class="lanes">
                    <Ribbon page song outline />
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
                        on:pointerleave=move |_| state.hover.set(None)
                        on:pointercancel=move |_| state.hover.set(None)
                    >
                        <Wave state song deck seconds />
                        <div class="lane">
                            <Picture state song seconds />
                            <Spotlight state song seconds />
                        </div>
                        <span class="pitch high">{move || w().high_tones}</span>
                        <span class="pitch low">{move || w().low_tones}</span>
                    </div>
                    <Axis seconds />
                    <Show when=move || state.hover.get().is_some()>
                        <div class="cursor ghost" style:left=move || cursor(state.hover.get().unwrap_or_default())></div>
                    </Show>
                    <div class="cursor" data-testid="cursor" style:left=move || cursor(state.position.get())></div>
                </div>
            </div>
            <details class="as-table" data-testid="as-table">
                <summary>{move || w().as_table}</summary>
                <Table state song />
            </details>
        </section>
    }
}

/// Where a span of time lies, in percent of the deck's width: its left edge, its width.
fn place(seconds: f64, start: f64, end: f64) -> (String, String) {
    let share = |time: f64| 100.0 * time / seconds.max(f64::MIN_POSITIVE);
    (format!("{:.4}%", share(start)), format!("{:.4}%", share(end - start).max(0.0)))
}

/// One cell a segment, and the genre's name over each run of segments of one genre, so that colour
/// isn't needed. Only one cell is in the order of the Tab key; arrows move between them.
#[component]
fn Ribbon(page: Page, song: Song, outline: Memo<Option<Outline>>) -> impl IntoView {
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
        let seconds = outline.get_untracked().map_or(0.0, |outline| outline.seconds);
        let (left, width) = place(seconds, start, end);
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
                on:focus=move |_| focused.set(index)
                on:click=move |_| page.seek(start)
                on:pointerenter=move |_| state.hover.set(Some((start + end) / 2.0))
                on:pointerleave=move |_| state.hover.set(None)
            ></button>
        }
    };
    let runs = Memo::new(move |_| {
        let mut runs: Vec<(Option<usize>, f64, f64)> = Vec::new();
        song.segments.with(|all| {
            for segment in all {
                let class = segment.verdict.as_ref().and_then(|verdict| verdict.best());
                match runs.last_mut() {
                    Some((last, _, end)) if *last == class && segment.start - *end < 0.1 => {
                        *end = segment.end;
                    }
                    _ => runs.push((class, segment.start, segment.end)),
                }
            }
        });
        runs
    });
    let run = move |(class, start, end): (Option<usize>, f64, f64)| {
        let seconds = outline.get_untracked().map_or(0.0, |outline| outline.seconds);
        let (left, width) = place(seconds, start, end);
        let name = class.map(|class| state.genre(class));
        let (long, short) = match &name {
            Some(name) => (text::heading(name), text::abbreviation(name)),
            None => (w().silent.to_string(), "–".into()),
        };
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
    };
    view! {
        <div class="ribbon" role="group" aria-label=move || w().segments_keys on:keydown=key>
            <For
                each=move || song.segments.get()
                key=move |segment| (segment.index, segment.revision, state.language.get())
                children=cell
            />
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

/// Calls when an element's size changes, or the screen's pixel ratio.
fn on_resize(canvas: NodeRef<Canvas>, act: impl Fn() + Copy + 'static) {
    // Kept here until the deck goes.
    let observer = StoredValue::new_local(None::<(web_sys::ResizeObserver, Closure<dyn FnMut()>)>);
    Effect::new(move |_| {
        let Some(canvas) = canvas.get() else { return };
        let notify = Closure::<dyn FnMut()>::new(act);
        if let Ok(observe) = web_sys::ResizeObserver::new(notify.as_ref().unchecked_ref()) {
            observe.observe(&canvas);
            observer.set_value(Some((observe, notify)));
        }
    });
    on_cleanup(move || {
        let _ = observer.try_update_value(|held| {
            if let Some((observe, _)) = held {
                observe.disconnect();
            }
        });
    });
}

/// The size that a canvas should have, in its own pixels.
fn wanted(canvas: &HtmlCanvasElement) -> (u32, u32) {
    let ratio = window().device_pixel_ratio().clamp(0.5, 4.0);
    let width = (f64::from(canvas.client_width()) * ratio).clamp(1.0, WIDEST_CANVAS);
    let height = (f64::from(canvas.client_height()) * ratio).clamp(1.0, 2048.0);
    (width.round() as u32, height.round() as u32)
}

fn fits(canvas: &HtmlCanvasElement) -> bool {
    (canvas.width(), canvas.height()) == wanted(canvas)
}

fn context(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok()??.dyn_into().ok()
}

/// The waveform, each moment in the colour of its genre.
#[component]
fn Wave(state: State, song: Song, deck: NodeRef<Div>, seconds: Memo<f64>) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let resized = RwSignal::new(0u32);
    let asked = StoredValue::new(false);
    on_resize(canvas, move || resized.update(|n| *n = n.wrapping_add(1)));
    Effect::new(move |_| {
        resized.track();
        song.wave_grown.track();
        song.segments.track();
        state.classes.track();
        // Several pieces may come between two frames: paint once.
        if canvas.get().is_none() || asked.get_value() {
            return;
        }
        asked.set_value(true);
        request_animation_frame(move || {
            if asked.try_set_value(false).is_none()
                && let (Some(canvas), Some(deck)) =
                    (canvas.try_get_untracked().flatten(), deck.try_get_untracked().flatten())
            {
                paint_wave(state, song, &canvas, &deck, seconds.get_untracked());
            }
        });
    });
    view! { <canvas class="wave" node_ref=canvas data-testid="waveform" aria-hidden="true"></canvas> }
}

fn paint_wave(state: State, song: Song, canvas: &HtmlCanvasElement, deck: &web_sys::Element, seconds: f64) {
    let (width, height) = wanted(canvas);
    if !fits(canvas) {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    let Some(context) = context(canvas) else { return };
    let style = window().get_computed_style(deck).ok().flatten();
    let property = |name: &str| {
        style
            .as_ref()
            .and_then(|style| style.get_property_value(name).ok())
            .unwrap_or_default()
            .trim()
            .to_string()
    };
    let colours: Vec<String> =
        (0..state.classes.with_untracked(Vec::len)).map(|class| property(&format!("--g{class}"))).collect();
    let plain = property("--wave");
    let (w, h) = (f64::from(width), f64::from(height));
    context.clear_rect(0.0, 0.0, w, h);
    song.wave.with_value(|wave| {
        song.segments.with_untracked(|segments| {
            if wave.is_empty() || seconds <= 0.0 {
                return;
            }
            let second = seconds / w;
            let middle = h / 2.0;
            let mut at = 0;
            let mut colour = "";
            for x in 0..width {
                let (start, end) = (f64::from(x) * second, f64::from(x + 1) * second);
                let Some((low, high)) = wave.extent(start, end) else { continue };
                while segments.get(at).is_some_and(|segment| segment.end <= start) {
                    at += 1;
                }
                let class = segments
                    .get(at)
                    .filter(|segment| segment.start <= end)
                    .and_then(|segment| segment.verdict.as_ref()?.best());
                let next = class.and_then(|class| colours.get(class)).unwrap_or(&plain);
                if next != colour {
                    colour = next;
                    context.set_fill_style_str(colour);
                }
                let (top, bottom) = (middle - f64::from(high) * middle, middle - f64::from(low) * middle);
                context.fill_rect(f64::from(x), top, 1.0, (bottom - top).max(1.0));
            }
        });
    });
}

/// The spectrogram.
#[component]
fn Picture(state: State, song: Song, seconds: Memo<f64>) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let resized = RwSignal::new(0u32);
    on_resize(canvas, move || resized.update(|n| *n = n.wrapping_add(1)));
    Effect::new(move |_| {
        resized.track();
        if song.dirty.with(Vec::is_empty) && canvas.get().is_some_and(|canvas| fits(&canvas)) {
            return;
        }
        request_animation_frame(move || {
            if let Some(canvas) = canvas.try_get_untracked().flatten() {
                paint_picture(song, &canvas);
            }
        });
    });
    let label =
        move || text::fill(state.words().spectrogram_of, &[&song.title(), &text::clock(seconds.get())]);
    view! { <canvas class="picture" node_ref=canvas role="img" aria-label=label data-testid="spectrogram"></canvas> }
}

/// What speaks for a genre stays lit, the rest of its segment is dimmed.
#[component]
fn Spotlight(state: State, song: Song, seconds: Memo<f64>) -> impl IntoView {
    let shown = Memo::new(move |_| {
        let explained = state.explained.get().filter(|explained| explained.song == song.id)?;
        let span = song.segments.with(|all| {
            all.iter().find(|segment| segment.index == explained.segment).map(|s| (s.start, s.end))
        })?;
        Some((explained, span))
    });
    let canvas = NodeRef::<Canvas>::new();
    Effect::new(move |_| {
        let (Some(canvas), Some((explained, _))) = (canvas.get(), shown.get()) else { return };
        let Some(context) = context(&canvas) else { return };
        let lights = lights(&explained);
        let (rows, columns) = lights.as_ref().map_or((1, 1), |(rows, columns, _)| (*rows, *columns));
        canvas.set_width(u32::try_from(columns).unwrap_or(1));
        canvas.set_height(u32::try_from(rows).unwrap_or(1));
        let values = lights.map_or_else(|| vec![0.5], |(.., values)| values);
        for (tile, light) in values.into_iter().enumerate() {
            let (row, column) = (tile / columns, tile % columns);
            context.set_fill_style_str(&format!("rgb(0 0 0 / {:.0}%)", 82.0 * (1.0 - light)));
            context.fill_rect(column as f64, (rows - 1 - row) as f64, 1.0, 1.0);
        }
    });
    view! {
        <Show when=move || shown.get().is_some()>
            <canvas
                class="spotlight"
                node_ref=canvas
                aria-hidden="true"
                data-testid="spotlight"
                style:left=move || shown.get().map(|(_, (start, end))| place(seconds.get(), start, end).0)
                style:width=move || shown.get().map(|(_, (start, end))| place(seconds.get(), start, end).1)
            ></canvas>
        </Show>
    }
}

/// Brings the canvas up to date: what is dirty, or all of it if its size has changed.
fn paint_picture(song: Song, canvas: &HtmlCanvasElement) {
    let (width, height) = wanted(canvas);
    let mut dirty = song.dirty.try_update_untracked(std::mem::take).unwrap_or_default();
    if !fits(canvas) {
        canvas.set_width(width);
        canvas.set_height(height);
        dirty = vec![Dirty::All];
    }
    let Some(context) = context(canvas) else { return };
    if dirty.contains(&Dirty::All) {
        dirty = vec![Dirty::All];
    }
    let columns = width as usize;
    song.picture.with_value(|picture| {
        for part in dirty {
            let x: Range<usize> = match part {
                Dirty::Nothing => continue,
                Dirty::Span(start, end) => picture.pixels(start, end, columns),
                Dirty::All => 0..columns,
            };
            if x.is_empty() {
                continue;
            }
            let left = x.start as f64;
            let span = u32::try_from(x.len()).unwrap_or(u32::MAX);
            let pixels = picture.paint(x, columns, height as usize);
            // A frame that couldn't be painted is painted with the next.
            if let Ok(image) = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels), span, height) {
                let _ = context.put_image_data(&image, left, 0.0);
            }
        }
    });
}

#[component]
fn Axis(seconds: Memo<f64>) -> impl IntoView {
    let marks = move || {
        let all = seconds.get();
        text::ticks(all)
            .into_iter()
            .map(|time| {
                let (left, _) = place(all, time, time);
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
