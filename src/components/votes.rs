//! What each network of the ensemble said, and where they disagree: part of the why.

use leptos::prelude::*;

use crate::app::Page;
use crate::state::{Song, State};
use crate::text;

/// The networks' own verdicts on the song. One network's verdict is the answer itself.
#[component]
pub fn Votes(page: Page) -> impl IntoView {
    let state = page.state;
    move || {
        let song = state.song()?;
        let outcome = song.outcome.get()?;
        (outcome.verdict.members.len() > 1).then(|| table(state, song))
    }
}

fn table(state: State, song: Song) -> impl IntoView {
    let w = state.words();
    let outcome = song.outcome.get_untracked();
    let verdict = outcome.map(|outcome| outcome.verdict);
    let answer = verdict.as_ref().and_then(|verdict| verdict.best());
    let members = verdict.map(|verdict| verdict.members).unwrap_or_default();
    let best = |p: &[f32]| text::ranked(p).first().map(|(class, _)| *class);
    let agree = members.iter().filter(|m| best(&m.probabilities) == answer).count();
    let summary = if agree == members.len() {
        text::fill(w.all_agree, &[&members.len().to_string()])
    } else {
        text::fill(w.some_agree, &[&agree.to_string(), &members.len().to_string()])
    };
    // Where they part company: the moments at which most of them don't say what the ensemble says.
    let split: Vec<String> = song.segments.with_untracked(|all| {
        all.iter()
            .filter(|segment| {
                segment.verdict.as_ref().is_some_and(|verdict| {
                    let winner = verdict.best();
                    let with = verdict.members.iter().filter(|m| best(&m.probabilities) == winner).count();
                    verdict.members.len() > 1 && with * 2 <= verdict.members.len()
                })
            })
            .take(6)
            .map(|segment| text::clock(segment.start))
            .collect()
    });
    let rows = members
        .into_iter()
        .map(|member| {
            let info = state.models.with_untracked(|models| {
                models.iter().find(|model| model.name == member.model).map(|m| m.summary.clone())
            });
            let ranked = text::ranked(&member.probabilities);
            let other = ranked.first().map(|(class, _)| *class) != answer;
            let parts = ranked
                .iter()
                .map(|(class, share)| {
                    let share = format!("{share:.4}");
                    view! {
                        <span
                            class="vote-part"
                            data-class=class.to_string()
                            style=("--share", move || share.clone())
                        ></span>
                    }
                })
                .collect_view();
            let top = ranked.iter().take(2).map(|(class, share)| chip(state, *class, *share)).collect_view();
            view! {
                <tr class:other=other>
                    <th scope="row">
                        {member.model}
                        {info.map(|words| view! { <small>{words}</small> })}
                    </th>
                    <td class="vote-bar" aria-hidden="true">
                        <span class="vote">{parts}</span>
                    </td>
                    <td>
                        <span class="chips">{top}</span>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="votes" aria-labelledby="votes-title" data-testid="votes">
            <h2 id="votes-title">{w.votes_title}</h2>
            <p class="quiet-words">
                {summary}
                {(!split.is_empty()).then(|| text::fill(w.split_at, &[&split.join(", ")]))}
            </p>
            <table>
                <thead class="hidden">
                    <tr>
                        <th scope="col">{w.network}</th>
                        <td></td>
                        <th scope="col">{w.its_vote}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
}

/// A genre with its share.
pub fn chip(state: State, class: usize, share: f32) -> impl IntoView + use<> {
    view! {
        <span class="chip" data-class=class.to_string()>
            <span class="swatch"></span>
            {state.genre(class)}
            " "
            <span class="chip-share">{text::percent(share.into())}</span>
        </span>
    }
}
