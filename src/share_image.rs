//! Image of a result, to save or to send: drawn like the page, on a canvas of its own.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, CssStyleDeclaration, HtmlCanvasElement};

use crate::probabilities::ranked;
use crate::state::{Answer, Segment, Song, SongResult, State};
use crate::text;

/// Size of the image in pixels.
const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 630.0;
const MARGIN: f64 = 72.0;
/// Width of the left column with name and genre.
const COLUMN: f64 = 640.0;
const INK: &str = "#f4ede0";
const SOFT: &str = "#b5aa98";
const PAPER: &str = "#16120e";
const DISPLAY: &str = "Display, ui-sans-serif, system-ui, sans-serif";
const BODY: &str = "ui-sans-serif, system-ui, sans-serif";

/// The image; `None` for a song without a result.
pub fn draw(state: State, song: Song) -> Option<HtmlCanvasElement> {
    let result = song.result.get_untracked()?;
    let seconds = song.info.get_untracked()?.seconds;
    let canvas: HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
    canvas.set_width(WIDTH as u32);
    canvas.set_height(HEIGHT as u32);
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    let image = Image { state, context, style: deck_style() };
    image.context.set_fill_style_str(PAPER);
    image.context.fill_rect(0.0, 0.0, WIDTH, HEIGHT);
    image.context.set_text_baseline("alphabetic");
    image.headline(song, &result)?;
    image.bars(&result);
    song.segments.with_untracked(|segments| {
        image.ribbon(segments, seconds);
        image.waveform(song, segments, seconds);
    });
    image.text("Cratedigger", &format!("750 30px {DISPLAY}"), INK, MARGIN, 582.0, 300.0);
    let line = state.words_now().hero.picture_line;
    image.text(line, &format!("22px {BODY}"), SOFT, MARGIN + 190.0, 581.0, 860.0);
    Some(canvas)
}

/// The style of the timeline, which has the genres' colours.
fn deck_style() -> Option<CssStyleDeclaration> {
    let deck = document().query_selector(".deck").ok().flatten()?;
    window().get_computed_style(&deck).ok().flatten()
}

/// The canvas, and what drawing needs.
struct Image {
    state: State,
    context: CanvasRenderingContext2d,
    style: Option<CssStyleDeclaration>,
}

impl Image {
    /// Writes text with its baseline at `y`, compressed to `room` pixels if it is wider.
    fn text(&self, text: &str, font: &str, colour: &str, x: f64, y: f64, room: f64) {
        self.context.set_font(font);
        self.context.set_fill_style_str(colour);
        // Text that cannot be drawn leaves its place empty; the rest of the image is still useful.
        let _ = self.context.fill_text_with_max_width(text, x, y, room);
    }

    /// Colour of a class.
    fn colour(&self, class: usize) -> String {
        let value =
            self.style.as_ref().and_then(|style| style.get_property_value(&format!("--g{class}")).ok());
        value.filter(|value| !value.trim().is_empty()).unwrap_or_else(|| SOFT.into())
    }

    /// Name of the song, answer and its probability.
    fn headline(&self, song: Song, result: &SongResult) -> Option<()> {
        let (answer, probability) = (result.answer()?, result.confidence()?);
        self.text(&song.title(), &format!("30px {BODY}"), SOFT, MARGIN, 112.0, COLUMN - 40.0);
        let large = format!("750 150px {DISPLAY}");
        match answer {
            Answer::NonMusic(sound) => {
                let [first, second] = self.state.words_now().hero.no_music_lines(sound);
                self.text(first, &format!("750 92px {DISPLAY}"), INK, MARGIN, 204.0, COLUMN - 40.0);
                self.text(second, &format!("750 60px {DISPLAY}"), INK, MARGIN, 268.0, COLUMN - 40.0);
            }
            other => self.text(&self.state.answer(other), &large, INK, MARGIN, 262.0, COLUMN - 40.0),
        }
        let best = result.probabilities.best().filter(|_| answer.sound().is_none());
        self.context.set_fill_style_str(&best.map_or_else(|| SOFT.into(), |class| self.colour(class)));
        self.context.fill_rect(MARGIN, 292.0, 132.0, 14.0);
        let percent = text::percent(probability.into());
        self.text(&percent, &format!("650 34px {BODY}"), INK, MARGIN + 152.0, 312.0, 200.0);
        Some(())
    }

    /// The six most probable genres as bars.
    fn bars(&self, result: &SongResult) {
        let left = MARGIN + COLUMN;
        let room = WIDTH - MARGIN - left;
        let ranked = ranked(&result.probabilities.ensemble);
        // Without music, the genres do not count.
        let grey = result.answer().and_then(Answer::sound).is_some();
        for (place, (class, probability)) in ranked.into_iter().take(6).enumerate() {
            let y = 104.0 + place as f64 * 40.0;
            let probability = f64::from(probability);
            self.text(&self.state.genre(class), &format!("24px {BODY}"), INK, left, y, 150.0);
            self.context.set_fill_style_str(&if grey { SOFT.into() } else { self.colour(class) });
            self.context.fill_rect(left + 130.0, y - 17.0, ((room - 200.0) * probability).max(3.0), 18.0);
            let percent = text::percent(probability);
            self.text(&percent, &format!("22px {BODY}"), SOFT, left + room - 60.0, y, 60.0);
        }
    }

    /// One cell for each segment.
    fn ribbon(&self, segments: &[Segment], seconds: f64) {
        for segment in segments {
            let (start, end) = (x_of(segment.start, seconds), x_of(segment.end, seconds));
            let width = (end - start - 1.5).max(1.0);
            match segment.answer() {
                Some(Answer::Genre(class)) => {
                    self.context.set_fill_style_str(&self.colour(class));
                    self.context.fill_rect(start, 372.0, width, 26.0);
                }
                // A thin grey line, unlike any genre.
                Some(Answer::NonMusic(_)) => {
                    self.context.set_fill_style_str(SOFT);
                    self.context.fill_rect(start, 382.0, width, 6.0);
                }
                Some(Answer::NoneOfThese) | None => {}
            }
        }
    }

    /// The waveform, each part in the colour of its genre.
    fn waveform(&self, song: Song, segments: &[Segment], seconds: f64) {
        const STEPS: u32 = 500;
        let width = ((WIDTH - 2.0 * MARGIN) / f64::from(STEPS) - 0.6).max(0.8);
        song.peaks.with_value(|peaks| {
            for step in 0..STEPS {
                let time = |step: u32| seconds * f64::from(step) / f64::from(STEPS);
                let (from, to) = (time(step), time(step + 1));
                let Some((low, high)) = peaks.extent(from, to) else { continue };
                let segment = segments.iter().find(|segment| segment.start <= from && from < segment.end);
                let class = segment.and_then(Segment::best);
                self.context.set_fill_style_str(&class.map_or_else(|| SOFT.into(), |c| self.colour(c)));
                let (top, bottom) = (466.0 - 58.0 * f64::from(high), 466.0 - 58.0 * f64::from(low));
                self.context.fill_rect(x_of(from, seconds), top, width, (bottom - top).max(1.5));
            }
        });
    }
}

/// Horizontal place of a time.
fn x_of(time: f64, seconds: f64) -> f64 {
    MARGIN + (WIDTH - 2.0 * MARGIN) * (time / seconds.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
}
