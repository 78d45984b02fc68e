//! The deck's pictures: waveform, spectrogram, and what of it speaks for a genre.

use std::ops::Range;

use leptos::html::{Canvas, Div};
use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{Clamped, JsCast};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use super::why::lights;
use crate::spectrogram::{self, Dirty};
use crate::state::{Segment, Song, State};
use crate::stretch::Stretch;
use crate::text;

/// No browser takes much wider ones.
const WIDEST_CANVAS: f64 = 16_384.0;

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
pub fn Wave(state: State, song: Song, deck: NodeRef<Div>, view: Memo<Stretch>) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let resized = RwSignal::new(0u32);
    let asked = StoredValue::new(false);
    on_resize(canvas, move || resized.update(|n| *n = n.wrapping_add(1)));
    Effect::new(move |_| {
        resized.track();
        view.track();
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
                paint_wave(state, song, &canvas, &deck, view.get_untracked());
            }
        });
    });
    view! { <canvas class="wave" node_ref=canvas data-testid="waveform" aria-hidden="true"></canvas> }
}

fn paint_wave(state: State, song: Song, canvas: &HtmlCanvasElement, deck: &web_sys::Element, view: Stretch) {
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
            if wave.is_empty() || view.span <= 0.0 {
                return;
            }
            let time = |x: u32| view.time(f64::from(x) / w);
            let middle = h / 2.0;
            let mut at = 0;
            let mut colour = "";
            for x in 0..width {
                let (start, end) = (time(x), time(x + 1));
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
pub fn Picture(state: State, song: Song, view: Memo<Stretch>) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let resized = RwSignal::new(0u32);
    on_resize(canvas, move || resized.update(|n| *n = n.wrapping_add(1)));
    // Of another part of the song nothing can stay.
    Effect::new(move |before: Option<Stretch>| {
        let now = view.get();
        if before.is_some_and(|before| before != now) {
            song.dirty.update(|dirty| dirty.push(Dirty::All));
        }
        now
    });
    Effect::new(move |_| {
        resized.track();
        if song.dirty.with(Vec::is_empty) && canvas.get().is_some_and(|canvas| fits(&canvas)) {
            return;
        }
        request_animation_frame(move || {
            if let Some(canvas) = canvas.try_get_untracked().flatten() {
                paint_picture(song, &canvas, view.get_untracked());
            }
        });
    });
    let label = move || {
        let shown = view.get();
        let (from, to) = (text::clock(shown.from), text::clock(shown.to()));
        text::fill(state.words().spectrogram_of, &[&song.title(), &from, &to])
    };
    view! { <canvas class="picture" node_ref=canvas role="img" aria-label=label data-testid="spectrogram"></canvas> }
}

/// What speaks for a genre stays lit, the rest of its segment is dimmed.
#[component]
pub fn Spotlight(state: State, song: Song, view: Memo<Stretch>) -> impl IntoView {
    let shown = Memo::new(move |_| {
        let explained = state.explained.get().filter(|explained| explained.song == song.id)?;
        let span = song.segments.with(|all| {
            all.iter().find(|segment| segment.index == explained.segment).map(Segment::stretch)
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
                style:left=move || shown.get().map(|(_, stretch)| stretch.place(view.get()).0)
                style:width=move || shown.get().map(|(_, stretch)| stretch.place(view.get()).1)
            ></canvas>
        </Show>
    }
}

/// Brings the canvas up to date: what is dirty, or all of it if its size has changed.
fn paint_picture(song: Song, canvas: &HtmlCanvasElement, view: Stretch) {
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
                Dirty::Span(start, end) => spectrogram::pixels(view, start, end, columns),
                Dirty::All => 0..columns,
            };
            if x.is_empty() {
                continue;
            }
            let left = x.start as f64;
            let span = u32::try_from(x.len()).unwrap_or(u32::MAX);
            let pixels = picture.paint(view, x, columns, height as usize);
            // A frame that couldn't be painted is painted with the next.
            if let Ok(image) = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels), span, height) {
                let _ = context.put_image_data(&image, left, 0.0);
            }
        }
    });
}
