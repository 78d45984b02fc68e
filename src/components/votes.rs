//! What each network of the ensemble said, of the song or of a moment, and where they disagree: part
//! of the why.

use cratedigger_protocol::MemberOutput;
use leptos::prelude::*;

use crate::app::Page;
use crate::state::{Probabilities, Song, State};
use crate::text;

/// The networks' own verdicts on the song. One network's verdict is the answer itself.
#[component]
pub fn Votes(page: Page) -> impl IntoView {
    let state = page.state;
    move || {
        let song = state.song()?;
        let outcome = song.outcome.get()?;
        (outcome.verdict.members.len() > 1).then(|| table(page, song))
    }
}

fn table(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let w = state.words();
    let whole = song.outcome.get_untracked().map(|outcome| outcome.verdict);
    // Where they part company: the moments at which most of them don't say what the ensemble says.
    let split: Vec<f64> = song.segments.with_untracked(|all| {
        let apart = |verdict: &Probabilities| {
            verdict.members.len() > 1 && verdict.agree() * 2 <= verdict.members.len()
        };
        let split = all.iter().filter(|segment| segment.verdict.as_ref().is_some_and(apart));
        split.take(6).map(|segment| segment.start).collect()
    });
    let moments = split
        .into_iter()
        .enumerate()
        .map(|(at, time)| {
            // The very beginning would stand for the whole song.
            let go = move |_| page.seek(time.max(0.01));
            view! {
                {(at > 0).then_some(", ")}
                <button type="button" class="link" data-testid="split" on:click=go>
                    {text::clock(time)}
                </button>
            }
        })
        .collect::<Vec<_>>();
    let (before, after) = w.split_at.split_once("{0}").unwrap_or((w.split_at, ""));
    let moments = (!moments.is_empty()).then(|| view! { {before} {moments} {after} });
    // Of the moment that the page is about, like the bars beside the genre's name.
    let here = Memo::new(move |_| {
        let segment = song.segment_at(state.moment()?)?;
        segment.verdict.filter(|verdict| verdict.members.len() > 1).map(|verdict| (segment.start, verdict))
    });
    let shown = Memo::new(move |_| match here.get() {
        Some((start, verdict)) => Some((Some(start), verdict)),
        None => whole.clone().map(|verdict| (None, verdict)),
    });
    let summary = move || {
        let (start, verdict) = shown.get()?;
        let (agree, all) = (verdict.agree(), verdict.members.len());
        let about = match start {
            Some(start) => text::fill(w.votes_at, &[&text::clock(start)]),
            None => w.votes_of_all.into(),
        };
        let agree = if agree == all {
            text::fill(w.all_agree, &[&all.to_string()])
        } else {
            text::fill(w.some_agree, &[&agree.to_string(), &all.to_string()])
        };
        Some(format!("{about} {agree}"))
    };
    let rows = move || shown.get().map(|(_, verdict)| rows(state, &verdict)).unwrap_or_default();
    view! {
        <section class="votes" aria-labelledby="votes-title" data-testid="votes">
            <h2 id="votes-title">{w.votes_title}</h2>
            <p class="quiet-words">{summary} {moments}</p>
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

/// A row for each network.
fn rows(state: State, verdict: &Probabilities) -> Vec<impl IntoView + use<>> {
    let answer = verdict.best();
    let row = |member: &MemberOutput| {
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
                    <span class="vote-name">{member.model.clone()}</span>
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
    };
    verdict.members.iter().map(row).collect()
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
