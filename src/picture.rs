//! A picture of a result, to keep or to send: drawn like the page, on a canvas of its own.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use crate::state::{Song, State};
use crate::text;

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 630.0;
const MARGIN: f64 = 72.0;
const INK: &str = "#f4ede0";
const SOFT: &str = "#b5aa98";
const PAPER: &str = "#16120e";
const DISPLAY: &str = "Display, ui-sans-serif, system-ui, sans-serif";
const BODY: &str = "ui-sans-serif, system-ui, sans-serif";

/// The picture; `None` for a song without a result.
pub fn of(state: State, song: Song) -> Option<HtmlCanvasElement> {
    let outcome = song.outcome.get_untracked()?;
    let seconds = song.outline.get_untracked()?.seconds;
    let canvas: HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
    canvas.set_width(WIDTH as u32);
    canvas.set_height(HEIGHT as u32);
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    let deck = document().query_selector(".deck").ok().flatten();
    let style = deck.and_then(|deck| window().get_computed_style(&deck).ok().flatten());
    let colour = |class: usize| {
        let name = format!("--g{class}");
        let value = style.as_ref().and_then(|style| style.get_property_value(&name).ok());
        value.filter(|value| !value.trim().is_empty()).unwrap_or_else(|| SOFT.into())
    };
    let ranked = text::ranked(&outcome.verdict.probabilities);
    let (best, share) = ranked.first().copied()?;

    context.set_fill_style_str(PAPER);
    context.fill_rect(0.0, 0.0, WIDTH, HEIGHT);
    context.set_text_baseline("alphabetic");
    let words = |text: &str, font: &str, colour: &str, x: f64, y: f64, room: f64| {
        context.set_font(font);
        context.set_fill_style_str(colour);
        // Text that can't be drawn leaves its place empty; the rest is still worth having.
        let _ = context.fill_text_with_max_width(text, x, y, room);
    };
    let column = 640.0;
    words(&song.title(), &format!("30px {BODY}"), SOFT, MARGIN, 112.0, column - 40.0);
    let name =
        if outcome.none { state.words_now().none_of_these.into() } else { text::heading(&state.genre(best)) };
    words(&name, &format!("750 150px {DISPLAY}"), INK, MARGIN, 262.0, column - 40.0);
    context.set_fill_style_str(&colour(best));
    context.fill_rect(MARGIN, 292.0, 132.0, 14.0);
    words(&text::percent(share.into()), &format!("650 34px {BODY}"), INK, MARGIN + 152.0, 312.0, 200.0);

    let left = MARGIN + column;
    let room = WIDTH - MARGIN - left;
    for (place, (class, share)) in ranked.iter().take(6).enumerate() {
        let y = 104.0 + place as f64 * 40.0;
        words(&state.genre(*class), &format!("24px {BODY}"), INK, left, y, 150.0);
        context.set_fill_style_str(&colour(*class));
        context.fill_rect(left + 130.0, y - 17.0, ((room - 200.0) * f64::from(*share)).max(3.0), 18.0);
        words(&text::percent((*share).into()), &format!("22px {BODY}"), SOFT, left + room - 60.0, y, 60.0);
    }

    let span = WIDTH - 2.0 * MARGIN;
    let x = |time: f64| MARGIN + span * (time / seconds.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
    song.segments.with_untracked(|segments| {
        for segment in segments {
            let Some(class) = segment.verdict.as_ref().and_then(|verdict| verdict.best()) else { continue };
            context.set_fill_style_str(&colour(class));
            let (start, end) = (x(segment.start), x(segment.end));
            context.fill_rect(start, 372.0, (end - start - 1.5).max(1.0), 26.0);
        }
        song.wave.with_value(|wave| {
            let steps = 500;
            for step in 0..steps {
                let (from, to) = (
                    seconds * f64::from(step) / f64::from(steps),
                    seconds * f64::from(step + 1) / f64::from(steps),
                );
                let Some((low, high)) = wave.extent(from, to) else { continue };
                let class = segments
                    .iter()
                    .find(|segment| segment.start <= from && from < segment.end)
                    .and_then(|segment| segment.verdict.as_ref()?.best());
                context.set_fill_style_str(&class.map_or_else(|| SOFT.into(), colour));
                let (top, bottom) = (466.0 - 58.0 * f64::from(high), 466.0 - 58.0 * f64::from(low));
                context.fill_rect(
                    x(from),
                    top,
                    (span / f64::from(steps) - 0.6).max(0.8),
                    (bottom - top).max(1.5),
                );
            }
        });
    });
    words("Cratedigger", &format!("750 30px {DISPLAY}"), INK, MARGIN, 582.0, 300.0);
    words(state.words_now().picture_line, &format!("22px {BODY}"), SOFT, MARGIN + 190.0, 581.0, 860.0);
    Some(canvas)
}
