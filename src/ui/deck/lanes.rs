//! The drawn lanes of the timeline: waveform, spectrogram, and the parts that speak for a genre.

use std::ops::Range;

use leptos::html::{Canvas, Div};
use leptos::prelude::*;
use wasm_bindgen::Clamped;
use web_sys::{Element, HtmlCanvasElement, ImageData};

use super::canvas::{context, fit, fits, resized};
use crate::fine;
use crate::spectrogram::{self, Dirty};
use crate::state::{Explanation, Segment, Song, State};
use crate::text;
use crate::time_range::TimeRange;

/// The waveform, each part in the colour of its genre.
#[component]
pub fn WaveLane(state: State, song: Song, deck: NodeRef<Div>, view: Memo<TimeRange>) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let resized = resized(canvas);
    let requested = StoredValue::new(false);
    Effect::new(move |_| {
        resized.track();
        view.track();
        song.peaks_grown.track();
        song.segments.track();
        state.models.classes.track();
        // Several pieces may arrive between two frames: paint once.
        if canvas.get().is_none() || requested.get_value() {
            return;
        }
        requested.set_value(true);
        request_animation_frame(move || {
            if requested.try_set_value(false).is_none()
                && let (Some(canvas), Some(deck)) =
                    (canvas.try_get_untracked().flatten(), deck.try_get_untracked().flatten())
            {
                paint_wave(state, song, &canvas, &deck, view.get_untracked());
            }
        });
    });
    view! { <canvas class="wave" node_ref=canvas data-testid="waveform" aria-hidden="true"></canvas> }
}

/// Colour of each class, and the colour without a class, from the style of the timeline.
fn colours(state: State, deck: &Element) -> (Vec<String>, String) {
    let style = window().get_computed_style(deck).ok().flatten();
    let property = |name: &str| {
        let value = style.as_ref().and_then(|style| style.get_property_value(name).ok());
        value.unwrap_or_default().trim().to_string()
    };
    let count = state.models.classes.with_untracked(Vec::len);
    ((0..count).map(|class| property(&format!("--g{class}"))).collect(), property("--wave"))
}

fn paint_wave(state: State, song: Song, canvas: &HtmlCanvasElement, deck: &Element, view: TimeRange) {
    fit(canvas);
    let Some(context) = context(canvas) else { return };
    let (colours, plain) = colours(state, deck);
    let (width, w, h) = (canvas.width(), f64::from(canvas.width()), f64::from(canvas.height()));
    context.clear_rect(0.0, 0.0, w, h);
    song.peaks.with_value(|peaks| {
        song.segments.with_untracked(|segments| {
            if peaks.is_empty() || view.span <= 0.0 {
                return;
            }
            let time = |x: u32| view.time(f64::from(x) / w);
            let middle = h / 2.0;
            let mut at = 0;
            let mut colour = "";
            for x in 0..width {
                let (start, end) = (time(x), time(x + 1));
                let Some((low, high)) = peaks.extent(start, end) else { continue };
                while segments.get(at).is_some_and(|segment| segment.end <= start) {
                    at += 1;
                }
                let class = segments.get(at).filter(|segment| segment.start <= end).and_then(Segment::best);
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
pub fn SpectrogramLane(state: State, song: Song, view: Memo<TimeRange>) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let resized = resized(canvas);
    // Nothing on the canvas is valid for another part of the song. At the start, the canvas may still
    // show another song, because leptos reuses the element.
    Effect::new(move |before: Option<TimeRange>| {
        let now = view.get();
        if before != Some(now) {
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
                paint_spectrogram(song, &canvas, view.get_untracked());
            }
        });
    });
    let label = move || {
        let shown = view.get();
        let (from, to) = (text::clock(shown.from), text::clock(shown.to()));
        text::fill(state.words().deck.spectrogram_of, &[&song.title(), &from, &to])
    };
    view! { <canvas class="picture" node_ref=canvas role="img" aria-label=label data-testid="spectrogram"></canvas> }
}

/// Paints the parts that are not up to date, or everything if the size has changed.
fn paint_spectrogram(song: Song, canvas: &HtmlCanvasElement, view: TimeRange) {
    let mut dirty = song.dirty.try_update_untracked(std::mem::take).unwrap_or_default();
    if fit(canvas) || dirty.contains(&Dirty::All) {
        dirty = vec![Dirty::All];
    }
    let Some(context) = context(canvas) else { return };
    let (columns, rows) = (canvas.width() as usize, canvas.height());
    fine::bring(song, view, columns);
    song.spectrogram.with_value(|spectrogram| {
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
            let width = u32::try_from(x.len()).unwrap_or(u32::MAX);
            let pixels = spectrogram.paint(view, x, columns, rows as usize);
            // If this fails, the next repaint of the part replaces it.
            if let Ok(image) = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels), width, rows) {
                let _ = context.put_image_data(&image, left, 0.0);
            }
        }
    });
}

/// Dims the parts of an explained segment that do not speak for the genre.
#[component]
pub fn Spotlight(state: State, song: Song, view: Memo<TimeRange>) -> impl IntoView {
    let shown = Memo::new(move |_| {
        let explanation = state.explanation.get().filter(|explanation| explanation.song == song.id)?;
        let range = song.segment(explanation.segment)?.range();
        Some((explanation, range))
    });
    let place = move || shown.get().map(|(_, range)| range.place(view.get()));
    let canvas = NodeRef::<Canvas>::new();
    Effect::new(move |_| {
        if let (Some(canvas), Some((explanation, _))) = (canvas.get(), shown.get()) {
            paint_spotlight(&canvas, &explanation);
        }
    });
    view! {
        <Show when=move || shown.get().is_some()>
            <canvas
                class="spotlight"
                node_ref=canvas
                aria-hidden="true"
                data-testid="spotlight"
                style:left=move || place().map(|(left, _)| left)
                style:width=move || place().map(|(_, width)| width)
            ></canvas>
        </Show>
    }
}

/// One pixel for each tile; evenly dimmed while the worker computes.
fn paint_spotlight(canvas: &HtmlCanvasElement, explanation: &Explanation) {
    let Some(context) = context(canvas) else { return };
    let (rows, columns, values) = match &explanation.tiles {
        Some(tiles) => (tiles.rows.max(1), tiles.columns.max(1), tiles.brightness()),
        None => (1, 1, vec![0.5]),
    };
    canvas.set_width(u32::try_from(columns).unwrap_or(1));
    canvas.set_height(u32::try_from(rows).unwrap_or(1));
    for (tile, brightness) in values.into_iter().enumerate() {
        let (row, column) = (tile / columns, tile % columns);
        context.set_fill_style_str(&format!("rgb(0 0 0 / {:.0}%)", 82.0 * (1.0 - brightness)));
        context.fill_rect(column as f64, rows.saturating_sub(1 + row) as f64, 1.0, 1.0);
    }
}
