//! The song over time: one cell a segment, and the spectrogram that the networks saw under it.

use leptos::ev;
use leptos::html::Canvas;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen::{Clamped, JsCast};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use super::networks::top;
use crate::app::Page;
use crate::spectrogram::{Dirty, RANGE_DB};
use crate::state::{Outline, Segment, State};
use crate::text;

/// Narrowest cell, in CSS pixels: a long song scrolls instead.
const NARROWEST: f64 = 5.0;
/// Widest canvas, in its own pixels. Browsers refuse, silently, canvases much over this.
const WIDEST_CANVAS: f64 = 16_384.0;

/// Timeline, axis and spectrogram, and what lies under the pointer.
#[component]
pub fn Chart(page: Page) -> impl IntoView {
    let state = page.state;
    let shown = Memo::new(move |_| state.outline.get());
    move || {
        shown.get().map(|outline| {
            let width = f64::from(outline.segments) * NARROWEST;
            view! {
                <section class="card chart" aria-labelledby="chart-title">
                    <h2 id="chart-title">"Segment by segment"</h2>
                    <div class="chart-scroll">
                        <div class="chart-inner" style:min-width=move || format!("{width}px")>
                            <Strip state outline />
                            <Labels state outline />
                            <Picture state outline />
                            <Axis outline />
                        </div>
                    </div>
                    <Detail state />
                    <Legend state />
                </section>
            }
        })
    }
}

/// Where a span of time lies, in percent of the chart's width.
fn place(outline: Outline, start: f64, end: f64) -> (String, String) {
    let share = |time: f64| 100.0 * time / outline.seconds.max(f64::MIN_POSITIVE);
    (format!("{:.4}%", share(start)), format!("{:.4}%", share(end - start).max(0.0)))
}

/// One cell a segment. Only one of them is in the order of the Tab key; arrows move between them.
#[component]
fn Strip(state: State, outline: Outline) -> impl IntoView {
    let key = move |event: ev::KeyboardEvent| {
        let target = state.segments.with_untracked(|all| {
            let at = state
                .active
                .get_untracked()
                .and_then(|index| all.binary_search_by_key(&index, |s| s.index).ok())
                .unwrap_or(0);
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
            state.active.set(Some(index));
            let cell = document().get_element_by_id(&cell_id(index));
            if let Some(cell) = cell.and_then(|cell| cell.dyn_into::<web_sys::HtmlElement>().ok()) {
                // Focus that can't be had is no harm: the cell is marked anyway.
                let _ = cell.focus();
            }
        }
    };
    view! {
        <div
            class="strip"
            role="group"
            aria-label="Segments; use the arrow keys to move between them"
            on:keydown=key
        >
            <For
                each=move || state.segments.get()
                key=|segment| (segment.index, segment.revision)
                children=move |segment| cell(state, outline, segment)
            />
        </div>
    }
}

fn cell_id(index: u32) -> String {
    format!("segment-{index}")
}

fn cell(state: State, outline: Outline, segment: Segment) -> impl IntoView {
    let Segment { index, start, end, verdict, .. } = segment;
    let (left, width) = place(outline, start, end);
    let best = verdict.as_ref().and_then(|verdict| verdict.best());
    let id = best.map(|class| state.class(class));
    let span = format!("{} to {}", text::clock(start), text::clock(end));
    let label = match (&verdict, best) {
        (Some(verdict), Some(_)) => {
            let top: Vec<_> = text::ranked(&verdict.probabilities)
                .into_iter()
                .take(3)
                .map(|(class, share)| {
                    format!("{} {}", text::genre(&state.class(class)), text::percent(share.into()))
                })
                .collect();
            format!("{span}: {}", top.join(", "))
        }
        _ => format!("{span}: silent"),
    };
    let first = move || {
        state
            .active
            .get()
            .unwrap_or_else(|| state.segments.with(|all| all.first().map_or(0, |segment| segment.index)))
            == index
    };
    view! {
        <button
            type="button"
            class="cell"
            class:active=move || state.active.get() == Some(index)
            id=cell_id(index)
            data-testid="segment"
            data-index=index.to_string()
            data-start=start.to_string()
            data-end=end.to_string()
            data-genre=id
            data-class=best.map(|class| class.to_string())
            data-silent=verdict.is_none().then_some("true")
            aria-label=label
            tabindex=move || if first() { "0" } else { "-1" }
            style:left=move || left.clone()
            style:width=move || width.clone()
            on:pointerenter=move |_| state.active.set(Some(index))
            on:focus=move |_| state.active.set(Some(index))
            on:click=move |_| state.active.set(Some(index))
        ></button>
    }
}

/// The genre's name under each run of segments of one genre, so that colour isn't needed. How
/// much of the name is shown depends on the room, in the style sheet.
#[component]
fn Labels(state: State, outline: Outline) -> impl IntoView {
    let runs = Memo::new(move |_| {
        let mut runs: Vec<(Option<usize>, f64, f64)> = Vec::new();
        state.segments.with(|all| {
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
        let (left, width) = place(outline, start, end);
        let id = class.map(|class| state.class(class));
        let (long, short) = match &id {
            Some(id) => (text::genre(id), text::abbreviation(id)),
            None => ("silent".into(), "–".into()),
        };
        view! {
            <div
                class="run"
                data-class=class.map(|class| class.to_string())
                style:left=move || left.clone()
                style:width=move || width.clone()
            >
                <span class="run-long">{long}</span>
                <span class="run-short">{short}</span>
            </div>
        }
    };
    // Each cell says the same to a screen reader.
    view! {
        <div class="runs" aria-hidden="true">
            {move || runs.get().into_iter().map(run).collect_view()}
        </div>
    }
}

/// The spectrogram.
#[component]
fn Picture(state: State, outline: Outline) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let (resized, set_resized) = signal(0u32);
    // Kept by the closure that the page holds; it ends with the page.
    let observer = StoredValue::new_local(None::<(web_sys::ResizeObserver, Closure<dyn FnMut()>)>);
    Effect::new(move |_| {
        let Some(canvas) = canvas.get() else { return };
        let notify = Closure::<dyn FnMut()>::new(move || set_resized.update(|n| *n = n.wrapping_add(1)));
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
    Effect::new(move |_| {
        resized.track();
        if state.dirty.with(Vec::is_empty) && canvas.get().is_some_and(|canvas| fits(&canvas)) {
            return;
        }
        // Several segments may come between two frames: paint once.
        request_animation_frame(move || {
            if let Some(canvas) = canvas.try_get_untracked().flatten() {
                paint(state, &canvas);
            }
        });
    });
    let point = move |event: ev::PointerEvent| {
        let Some(canvas) = canvas.get_untracked() else { return };
        let bounds = canvas.get_bounding_client_rect();
        let share = (f64::from(event.client_x()) - bounds.left()) / bounds.width().max(1.0);
        let time = share * outline.seconds;
        let hit = state.segments.with_untracked(|all| {
            all.iter().rev().find(|s| (s.start..s.end).contains(&time)).map(|s| s.index)
        });
        if hit.is_some() && hit != state.active.get_untracked() {
            state.active.set(hit);
        }
    };
    let marker = move || {
        let active = state.active.get()?;
        let (left, width) = state.segments.with(|all| {
            let at = all.binary_search_by_key(&active, |s| s.index).ok()?;
            all.get(at).map(|s| place(outline, s.start, s.end))
        })?;
        Some(view! {
            <div
                class="marker"
                style:left=move || left.clone()
                style:width=move || width.clone()
            ></div>
        })
    };
    let label = move || {
        format!(
            "Spectrogram of {}: time from left to right over {}, low tones at the bottom, louder is brighter, \
             {RANGE_DB:.0} decibels in all.",
            state.file.get(),
            text::clock(outline.seconds)
        )
    };
    view! {
        <div class="picture" on:pointermove=point on:pointerdown=point>
            <canvas node_ref=canvas role="img" aria-label=label data-testid="spectrogram"></canvas>
            {marker}
            <span class="pitch high" aria-hidden="true">"high tones"</span>
            <span class="pitch low" aria-hidden="true">"low tones"</span>
        </div>
    }
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

/// Brings the canvas up to date: what is dirty, or all of it if its size has changed.
fn paint(state: State, canvas: &HtmlCanvasElement) {
    let (width, height) = wanted(canvas);
    let mut dirty = state.dirty.try_update_untracked(std::mem::take).unwrap_or_default();
    if !fits(canvas) {
        canvas.set_width(width);
        canvas.set_height(height);
        dirty = vec![Dirty::All];
    }
    let Some(context) = canvas
        .get_context("2d")
        .ok()
        .flatten()
        .and_then(|context| context.dyn_into::<CanvasRenderingContext2d>().ok())
    else {
        return;
    };
    if dirty.contains(&Dirty::All) {
        dirty = vec![Dirty::All];
    }
    let columns = width as usize;
    state.picture.with_value(|picture| {
        for part in dirty {
            let x = match part {
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
fn Axis(outline: Outline) -> impl IntoView {
    let marks = text::ticks(outline.seconds)
        .into_iter()
        .map(|time| {
            let (left, _) = place(outline, time, time);
            view! {
                <span class="tick" style:left=move || left.clone()>
                    {text::clock(time)}
                </span>
            }
        })
        .collect_view();
    view! { <div class="axis" aria-hidden="true">{marks}</div> }
}

/// What the segment under the pointer, or under the focus, is.
#[component]
fn Detail(state: State) -> impl IntoView {
    let words = move || {
        let Some(segment) = state.active.get().and_then(|active| {
            state.segments.with(|all| {
                let at = all.binary_search_by_key(&active, |s| s.index).ok()?;
                all.get(at).cloned()
            })
        }) else {
            return view! {
                <p class="quiet-words">
                    "Point at a segment, or move with the arrow keys, to see what was heard there."
                </p>
            }
            .into_any();
        };
        let span = format!("{}–{}", text::clock(segment.start), text::clock(segment.end));
        match segment.verdict {
            Some(verdict) => view! {
                <p class="detail-time">{span}</p>
                {top(state, &verdict.probabilities)}
            }
            .into_any(),
            None => view! {
                <p class="detail-time">{span}</p>
                <p>"silent, so not judged"</p>
            }
            .into_any(),
        }
    };
    view! { <div class="detail">{words}</div> }
}

/// Which colour is which genre, and how many segments it won.
#[component]
fn Legend(state: State) -> impl IntoView {
    let counts = Memo::new(move |_| {
        let mut counts = vec![0u32; state.classes.with(Vec::len)];
        let mut silent = 0;
        state.segments.with(|all| {
            for segment in all {
                match &segment.verdict {
                    Some(verdict) => {
                        if let Some(count) = verdict.best().and_then(|best| counts.get_mut(best)) {
                            *count += 1;
                        }
                    }
                    None => silent += 1,
                }
            }
        });
        let mut won: Vec<_> = counts.into_iter().enumerate().filter(|(_, n)| *n > 0).collect();
        won.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        (won, silent)
    });
    view! {
        <ul class="chips legend" aria-label="Segments a genre won">
            {move || {
                let (won, silent) = counts.get();
                let won = won
                    .into_iter()
                    .map(|(class, n)| {
                        view! {
                            <li class="chip" data-class=class.to_string()>
                                <span class="swatch"></span>
                                {text::genre(&state.class(class))}
                                <span class="chip-share">{format!(" × {n}")}</span>
                            </li>
                        }
                    })
                    .collect_view();
                let silent = (silent > 0)
                    .then(|| {
                        view! {
                            <li class="chip">
                                <span class="swatch"></span>
                                "silent"
                                <span class="chip-share">{format!(" × {silent}")}</span>
                            </li>
                        }
                    });
                (won, silent)
            }}
        </ul>
    }
}
