//! The timeline as a table.

use leptos::prelude::*;

use crate::probabilities::ranked;
use crate::state::{Segment, Song, State};
use crate::text;
use crate::ui::controls::{chip, no_music_chip};

/// One row for each segment, with its three most probable genres, or that it is not music.
#[component]
pub fn Table(state: State, song: Song) -> impl IntoView {
    let w = move || &state.words().deck;
    let rows = move || song.segments.with(|all| all.iter().map(|segment| row(state, segment)).collect_view());
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

fn row(state: State, segment: &Segment) -> impl IntoView + use<> {
    let span = format!("{}–{}", text::clock(segment.start), text::clock(segment.end));
    let rejected = segment.non_music.as_ref().filter(|non_music| non_music.rejected);
    let cells = match (rejected, &segment.probabilities) {
        (Some(non_music), _) => view! { <td colspan="3">{no_music_chip(state, non_music)}</td> }.into_any(),
        (None, Some(probabilities)) => ranked(&probabilities.ensemble)
            .into_iter()
            .take(3)
            .map(|(class, probability)| view! { <td>{chip(state, class, probability)}</td> })
            .collect_view()
            .into_any(),
        (None, None) => view! { <td colspan="3">{state.words().deck.silent}</td> }.into_any(),
    };
    view! {
        <tr>
            <th scope="row">{span}</th>
            {cells}
        </tr>
    }
}
