//! Why: what the song is like beside its genre, and which parts of its sound speak for one.

use cratedigger_protocol::Character;
use leptos::ev;
use leptos::prelude::*;

use super::small_button;
use crate::app::Page;
use crate::state::{Explained, Segment, Song, State, Tiles};
use crate::{text, typical};

/// The section, as soon as there is a result.
#[component]
pub fn Why(page: Page) -> impl IntoView {
    let state = page.state;
    let song = Memo::new(move |_| {
        let song = state.song()?;
        song.outcome.with(Option::is_some).then_some(song.id)
    });
    move || {
        let song = state.find(song.get()?)?;
        Some(view! {
            <section class="why" aria-labelledby="why-title" data-testid="why">
                <h2 id="why-title">{state.words().why_title}</h2>
                {song.audible.then(|| closer(page, song))}
                {move || song.traits.get().map(|traits| character(state, song, traits))}
            </section>
        })
    }
}

/// The segment at the cursor.
fn segment_here(state: State, song: Song) -> Option<Segment> {
    let position = state.position.get();
    song.segment_at(position).or_else(|| song.segments.with(|all| all.last().cloned()))
}

/// Asking about the segment at the cursor.
fn closer(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    // None: whichever genre the segment was given.
    let chosen = RwSignal::new(None::<usize>);
    let here = Memo::new(move |_| segment_here(state, song));
    let class_here = move || {
        let best = here.get()?.verdict?.best();
        chosen.get().or(best)
    };
    // A choice that is open stays so while the sound moves on through moments of the same genre.
    let class = Memo::new(move |_| class_here());
    let ask = move |_| {
        if let (Some(segment), Some(class)) = (here.get_untracked(), class.get_untracked()) {
            page.engine(|engine| engine.explain(song, &segment, class));
        }
    };
    let asked = move || state.explained.get().filter(|explained| explained.song == song.id);
    let choose = move |event: ev::Event| chosen.set(event_target_value(&event).parse().ok());
    let answer = move || {
        let explained = asked()?;
        let segment = song.segments.with(|all| all.iter().find(|s| s.index == explained.segment).cloned())?;
        let (start, end) = (text::clock(segment.start), text::clock(segment.end));
        let genre = state.genre(explained.class);
        Some(match &explained.tiles {
            None => view! { <p class="quiet-words" data-testid="why-busy">{w().why_asking}</p> }.into_any(),
            Some(tiles) => view! {
                <p data-testid="why-answer">
                    {strongest(state, tiles, &segment)}
                    " "
                    <span class="quiet-words">{text::fill(w().why_legend, &[&genre, &start, &end])}</span>
                </p>
            }
            .into_any(),
        })
    };
    view! {
        <div class="closer">
            <div class="closer-ask">
                <span>
                    {move || {
                        // Not of the memo: what depends on it and on what it is made of misses changes.
                        let genre = class_here().map(|class| state.genre(class)).unwrap_or_else(|| "–".into());
                        let time = here.get().map(|segment| text::clock(segment.start)).unwrap_or_default();
                        format!("{time} · {}", text::fill(w().why_here, &[&genre]))
                    }}
                </span>
                <label>
                    <span class="hidden">{move || w().why_choose}</span>
                    <select class="select" data-testid="why-genre" on:change=choose>
                        {move || {
                            let now = class.get();
                            state
                                .classes
                                .with(|classes| {
                                    (0..classes.len())
                                        .map(|class| {
                                            view! {
                                                <option value=class.to_string() selected=now == Some(class)>
                                                    {text::heading(&state.genre(class))}
                                                </option>
                                            }
                                        })
                                        .collect_view()
                                })
                        }}
                    </select>
                </label>
                <button
                    type="button"
                    class="button quiet small"
                    data-testid="why-ask"
                    disabled=move || class.get().is_none()
                    on:click=ask
                >
                    {move || w().why_ask}
                </button>
                <Show when=move || asked().is_some()>
                    {small_button(
                        "why-stop",
                        None,
                        move || w().why_stop,
                        move || page.engine(|engine| engine.stop_explaining()),
                    )}
                </Show>
            </div>
            <div aria-live="polite" class="closer-answer">{answer}</div>
        </div>
    }
}

/// The parts that count most, in words: the same as the picture says.
fn strongest(state: State, tiles: &Tiles, segment: &Segment) -> String {
    let w = state.words();
    let mut ranked: Vec<(usize, f32)> = tiles.values.iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let most = ranked.first().map_or(0.0, |(_, value)| *value);
    // A hundredth of the probability's logarithm is no reason for anything.
    if most < 0.01 {
        return w.why_none.into();
    }
    let names = [w.tones_lowest, w.tones_low, w.tones_middle, w.tones_high, w.tones_highest];
    let mut parts: Vec<String> = Vec::new();
    for (tile, _) in ranked.iter().take(3).take_while(|(_, value)| *value > most / 3.0) {
        let (row, column) = (tile / tiles.columns.max(1), tile % tiles.columns.max(1));
        let name = names.get(row * names.len() / tiles.rows.max(1)).copied().unwrap_or_default();
        let share = (column as f64 + 0.5) / tiles.columns.max(1) as f64;
        let time = text::clock_tenths(segment.start + share * (segment.end - segment.start));
        parts.push(text::fill(w.why_part, &[name, &time]));
    }
    text::fill(w.why_most, &[&parts.join(", ")])
}

/// How strongly each tile of the shown explanation is lit, 0…1, if there is one.
pub fn lights(explained: &Explained) -> Option<(usize, usize, Vec<f32>)> {
    let tiles = explained.tiles.as_ref()?;
    let most = tiles.values.iter().copied().fold(0.01, f32::max);
    let lights = tiles.values.iter().map(|value| (value / most).clamp(0.0, 1.0)).collect();
    Some((tiles.rows, tiles.columns, lights))
}

/// Tempo and so on, beside what is usual for the genre.
fn character(state: State, song: Song, traits: Character) -> impl IntoView {
    let w = state.words();
    let values =
        [traits.tempo, traits.brightness, traits.noisiness, traits.harmony, traits.loudness, traits.dynamics];
    let written = [
        format!("{:.0}", traits.tempo),
        format!("{:.1}", traits.brightness / 1000.0),
        format!("{:.2}", traits.noisiness),
        text::percent(traits.harmony),
        text::percent(traits.loudness),
        text::percent(traits.dynamics),
    ];
    let best = song.outcome.get_untracked().and_then(|outcome| outcome.verdict.best()).unwrap_or_default();
    let id = state.class(best);
    let genre = state.genre(best);
    let usual = typical::GENRES.iter().find(|(name, _)| *name == id).map(|(_, ranges)| ranges);
    let rows = (0..values.len())
        .map(|at| {
            let pick = |all: &[&'static str; 6]| all.get(at).copied().unwrap_or_default();
            let value = values.get(at).copied().unwrap_or_default();
            let figure = text::fill(pick(&w.trait_units), &[written.get(at).map_or("", String::as_str)]);
            let beside = usual.and_then(|ranges| ranges.get(at)).map(|[low, _, high]| {
                let sentence = if value < *low {
                    w.trait_below
                } else if value > *high {
                    w.trait_above
                } else {
                    w.trait_within
                };
                text::fill(sentence, &[&genre])
            });
            view! {
                <tr>
                    <th scope="row">{pick(&w.trait_names)}</th>
                    <td>{figure}</td>
                    <td class="quiet-words">{beside}</td>
                </tr>
            }
        })
        .collect_view();
    let clips = typical::CLIPS.to_string();
    view! {
        <h3>{w.traits_title}</h3>
        <div class="character" data-testid="traits" data-class=best.to_string()>
            {usual.map(|usual| radar(w.traits_picture, &w.trait_names, &values, usual))}
            <table>
                // Of classes that a developer made nothing was measured.
                {usual.map(|_| view! { <caption>{text::fill(w.traits_caption, &[&clips, &genre])}</caption> })}
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

const CENTRE: f64 = 110.0;
const RADIUS: f64 = 78.0;

/// Where a value lies between the first and the last tenth of all clips, 0.15…1: the middle of the
/// radar is no value at all.
fn reach(at: usize, value: f64) -> f64 {
    let [low, _, high] = typical::ALL.get(at).copied().unwrap_or([0.0, 0.5, 1.0]);
    let share = (value - low) / (high - low).max(f64::MIN_POSITIVE);
    (0.25 + 0.55 * share).clamp(0.08, 1.0)
}

fn point(at: usize, of: usize, reach: f64) -> (f64, f64) {
    let angle = std::f64::consts::TAU * at as f64 / of as f64;
    (CENTRE + RADIUS * reach * angle.sin(), CENTRE - RADIUS * reach * angle.cos())
}

fn outline(reaches: impl Iterator<Item = f64>, of: usize) -> String {
    let points: Vec<String> = reaches
        .enumerate()
        .map(|(at, reach)| {
            let (x, y) = point(at, of, reach);
            format!("{x:.1},{y:.1}")
        })
        .collect();
    format!("M{}z", points.join("L"))
}

/// Six axes: the genre's usual range as a ring, the song as a line.
fn radar(
    label: &'static str,
    names: &[&'static str; 6],
    values: &[f64; 6],
    usual: &[[f64; 3]; 6],
) -> impl IntoView + use<> {
    let of = values.len();
    let high = outline(usual.iter().enumerate().map(|(at, [_, _, high])| reach(at, *high)), of);
    let low = outline(usual.iter().enumerate().map(|(at, [low, _, _])| reach(at, *low)), of);
    let song = outline(values.iter().enumerate().map(|(at, value)| reach(at, *value)), of);
    let grid: Vec<String> = [1.0, 0.5].iter().map(|r| outline(std::iter::repeat_n(*r, of), of)).collect();
    let axes: String = (0..of)
        .map(|at| {
            let (x, y) = point(at, of, 1.0);
            format!("M{CENTRE},{CENTRE}L{x:.1},{y:.1}")
        })
        .collect();
    let labels = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let (x, y) = point(at, of, 1.17);
            let anchor = if (x - CENTRE).abs() < 5.0 {
                "middle"
            } else if x > CENTRE {
                "start"
            } else {
                "end"
            };
            view! {
                <text x=format!("{x:.1}") y=format!("{:.1}", y + 4.0) text-anchor=anchor>
                    {*name}
                </text>
            }
        })
        .collect_view();
    view! {
        <svg class="radar" viewBox="-46 4 312 212" role="img" aria-label=label>
            <path class="radar-grid" d=grid.concat() />
            <path class="radar-grid" d=axes />
            <path class="radar-usual" fill-rule="evenodd" d=format!("{high}{low}") />
            <path class="radar-song" d=song />
            {labels}
        </svg>
    }
}
