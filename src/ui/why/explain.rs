//! Explanation of the segment at the cursor.

use leptos::ev;
use leptos::prelude::*;

use crate::app::Page;
use crate::probabilities::ranked;
use crate::state::{Explanation, Segment, Song, State, Tiles};
use crate::text;
use crate::ui::controls::small_button;

/// Number of parts that the answer names.
const PARTS: usize = 3;

/// The segment and the genre that the visitor can ask about.
#[derive(Clone, Copy)]
struct Question {
    state: State,
    song: Song,
    /// The genre that the visitor chose; `None` for the genre of the segment.
    chosen: RwSignal<Option<usize>>,
    /// The segment at the cursor, or the last one at the end of the song.
    segment: Memo<Option<Segment>>,
}

impl Question {
    fn new(state: State, song: Song) -> Self {
        let segment = Memo::new(move |_| {
            let position = state.playback.position.get();
            song.segment_at(position).or_else(|| song.segments.with(|all| all.last().cloned()))
        });
        Self { state, song, chosen: RwSignal::new(None), segment }
    }

    /// The genre to explain; `None` in silence and, unless the visitor chose one, without music.
    fn class(self) -> Option<usize> {
        let segment = self.segment.get()?;
        segment.probabilities.as_ref()?;
        self.chosen.get().or(segment.best())
    }

    /// The explanation of this song, if there is one.
    fn explanation(self) -> Option<Explanation> {
        self.state.explanation.get().filter(|explanation| explanation.song == self.song.id)
    }

    /// Time and genre, as a question.
    fn words(self) -> String {
        // Reads `class()` and no memo of it: a closure that reads a memo and its source misses changes.
        let genre = self.class().map_or_else(|| "–".into(), |class| self.state.genre(class));
        let time = self.segment.get().map(|segment| text::clock(segment.start)).unwrap_or_default();
        format!("{time} · {}", text::fill(self.state.words().why.here, &[&genre]))
    }
}

/// The question, its button, and the answer.
pub fn explain(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().why;
    let question = Question::new(state, song);
    // As a memo, so that an open choice stays open while the sound plays through segments of one genre.
    let class = Memo::new(move |_| question.class());
    let ask = move |_| {
        if let (Some(segment), Some(class)) = (question.segment.get_untracked(), class.get_untracked()) {
            page.engine(|engine| engine.explain(song, &segment, class));
        }
    };
    view! {
        <div class="closer">
            <div class="closer-ask">
                <span>{move || question.words()}</span>
                <label>
                    <span class="hidden">{move || w().choose}</span>
                    {genre_choice(state, class, question.chosen)}
                </label>
                <button
                    type="button"
                    class="button quiet small"
                    data-testid="why-ask"
                    disabled=move || class.get().is_none()
                    on:click=ask
                >
                    {move || w().ask}
                </button>
                <Show when=move || question.explanation().is_some()>
                    {small_button(
                        "why-stop",
                        None,
                        move || w().stop,
                        move || page.engine(|engine| engine.stop_explaining()),
                    )}
                </Show>
            </div>
            <div aria-live="polite" class="closer-answer">{move || answer(question)}</div>
        </div>
    }
}

/// Choice of the genre to explain.
fn genre_choice(state: State, class: Memo<Option<usize>>, chosen: RwSignal<Option<usize>>) -> impl IntoView {
    let choose = move |event: ev::Event| chosen.set(event_target_value(&event).parse().ok());
    let options = move || {
        let now = class.get();
        (0..state.models.classes.with(Vec::len))
            .map(|class| {
                view! {
                    <option value=class.to_string() selected=now == Some(class)>
                        {text::heading(&state.genre(class))}
                    </option>
                }
            })
            .collect_view()
    };
    view! {
        <select class="select" data-testid="why-genre" on:change=choose>
            {options}
        </select>
    }
}

/// The explanation in words.
fn answer(question: Question) -> Option<impl IntoView> {
    let Question { state, song, .. } = question;
    let w = &state.words().why;
    let explanation = question.explanation()?;
    let segment = song.segment(explanation.segment)?;
    let Some(tiles) = &explanation.tiles else {
        return Some(view! { <p class="quiet-words" data-testid="why-busy">{w.asking}</p> }.into_any());
    };
    let (start, end) = (text::clock(segment.start), text::clock(segment.end));
    let legend = text::fill(w.legend, &[&state.genre(explanation.class), &start, &end]);
    Some(
        view! {
            <p data-testid="why-answer">
                {strongest(state, tiles, &segment)} " " <span class="quiet-words">{legend}</span>
            </p>
        }
        .into_any(),
    )
}

/// The most important parts, in words; the spotlight shows the same.
fn strongest(state: State, tiles: &Tiles, segment: &Segment) -> String {
    let w = &state.words().why;
    let ranked = ranked(&tiles.values);
    let most = ranked.first().map_or(0.0, |(_, value)| *value);
    if most < Tiles::SMALLEST {
        return w.none.into();
    }
    let bands = w.bands();
    let (rows, columns) = (tiles.rows.max(1), tiles.columns.max(1));
    let part = |tile: usize| {
        let band = bands.get(tile / columns * bands.len() / rows).copied().unwrap_or_default();
        let fraction = ((tile % columns) as f64 + 0.5) / columns as f64;
        let time = text::clock_tenths(segment.range().time(fraction));
        text::fill(w.part, &[band, &time])
    };
    let parts: Vec<String> = ranked
        .iter()
        .take(PARTS)
        .take_while(|(_, value)| *value > most / 3.0)
        .map(|(tile, _)| part(*tile))
        .collect();
    text::fill(w.most, &[&parts.join(", ")])
}
