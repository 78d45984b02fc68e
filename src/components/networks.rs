//! What each network of the ensemble said: part of the why.

use leptos::prelude::*;

use crate::app::Page;
use crate::state::State;
use crate::text;

/// A table of the networks' own verdicts on the song.
#[component]
pub fn Networks(page: Page) -> impl IntoView {
    let state = page.state;
    move || {
        let members = state.outcome.get()?.verdict.members;
        // One network's verdict is the answer itself, which stands above already.
        if members.len() < 2 {
            return None;
        }
        let rows = members
            .into_iter()
            .map(|member| {
                let summary = state.models.with_untracked(|models| {
                    models.iter().find(|model| model.name == member.model).map(|m| m.summary.clone())
                });
                view! {
                    <tr>
                        <th scope="row">
                            {member.model}
                            {summary.map(|words| view! { <small>{words}</small> })}
                        </th>
                        <td>{top(state, &member.probabilities)}</td>
                    </tr>
                }
            })
            .collect_view();
        Some(view! {
            <section class="card networks" aria-labelledby="networks-title">
                <h2 id="networks-title">"What each network heard"</h2>
                <p class="quiet-words">"The answer above is what they say together."</p>
                <table>
                    <thead class="hidden">
                        <tr>
                            <th scope="col">"Network"</th>
                            <th scope="col">"Its three most probable genres"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </section>
        })
    }
}

/// The three most probable genres as chips.
pub fn top(state: State, probabilities: &[f32]) -> impl IntoView + use<> {
    let chips = text::ranked(probabilities)
        .into_iter()
        .take(3)
        .map(|(class, share)| {
            view! {
                <li class="chip" data-class=class.to_string()>
                    <span class="swatch"></span>
                    {text::genre(&state.class(class))}
                    " "
                    <span class="chip-share">{text::percent(share.into())}</span>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="chips">{chips}</ul> }
}
