//! Predictions of the individual networks, for the song or for the segment at the cursor, and where they
//! disagree.

use cratedigger_protocol::MemberOutput;
use leptos::prelude::*;

use super::controls::chip;
use crate::app::Page;
use crate::probabilities::{Probabilities, argmax, ranked};
use crate::state::{Song, State};
use crate::text;

/// Largest number of disagreements that are listed.
const SPLITS: usize = 6;

/// The section, if several networks analysed the song.
#[component]
pub fn Votes(page: Page) -> impl IntoView {
    let state = page.state;
    move || {
        let song = state.song()?;
        let result = song.result.get()?;
        (result.probabilities.members.len() > 1).then(|| table(page, song, result.probabilities))
    }
}

fn table(page: Page, song: Song, whole: Probabilities) -> impl IntoView {
    let state = page.state;
    let w = &state.words().votes;
    // The segment that the page shows details of.
    let here = Memo::new(move |_| {
        let segment = song.segment_at(state.playback.moment()?)?;
        segment.probabilities.filter(|p| p.members.len() > 1).map(|p| (segment.start, p))
    });
    let shown = Memo::new(move |_| match here.get() {
        Some((start, probabilities)) => (Some(start), probabilities),
        None => (None, whole.clone()),
    });
    let summary = move || shown.with(|(start, probabilities)| summary(state, *start, probabilities));
    let rows = move || {
        shown.with(|(_, all)| all.members.iter().map(|member| row(state, member, all.best())).collect_view())
    };
    view! {
        <section class="votes" aria-labelledby="votes-title" data-testid="votes">
            <h2 id="votes-title">{w.title}</h2>
            <p class="quiet-words">{summary} {disagreements(page, song)}</p>
            <table>
                <thead class="hidden">
                    <tr>
                        <th scope="col">{w.network}</th>
                        <td></td>
                        <th scope="col">{w.prediction}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
}

/// How many networks agree with the result.
fn summary(state: State, start: Option<f64>, probabilities: &Probabilities) -> String {
    let w = &state.words().votes;
    let (agree, all) = (probabilities.agree(), probabilities.members.len());
    let about = match start {
        Some(start) => text::fill(w.at, &[&text::clock(start)]),
        None => w.whole.into(),
    };
    let agree = if agree == all {
        text::fill(w.all_agree, &[&all.to_string()])
    } else {
        text::fill(w.some_agree, &[&agree.to_string(), &all.to_string()])
    };
    format!("{about} {agree}")
}

/// Links to the segments at which at most half of the networks agree with the ensemble.
fn disagreements(page: Page, song: Song) -> Option<impl IntoView> {
    let w = &page.state.words().votes;
    let apart = |p: &Probabilities| p.members.len() > 1 && p.agree() * 2 <= p.members.len();
    let split: Vec<f64> = song.segments.with_untracked(|all| {
        let split = all.iter().filter(|segment| segment.probabilities.as_ref().is_some_and(apart));
        split.take(SPLITS).map(|segment| segment.start).collect()
    });
    if split.is_empty() {
        return None;
    }
    let links = split
        .into_iter()
        .enumerate()
        .map(|(at, time)| {
            // Not 0, because the cursor at the start means the whole song.
            let go = move |_| page.seek(time.max(0.01));
            view! {
                {(at > 0).then_some(", ")}
                <button type="button" class="link" data-testid="split" on:click=go>
                    {text::clock(time)}
                </button>
            }
        })
        .collect_view();
    let (before, after) = w.split_at.split_once("{0}").unwrap_or((w.split_at, ""));
    Some(view! { {before} {links} {after} })
}

/// The prediction of one network; `answer` is the ensemble's.
fn row(state: State, member: &MemberOutput, answer: Option<usize>) -> impl IntoView + use<> {
    let summary = state.models.list.with_untracked(|models| {
        models.iter().find(|model| model.name == member.model).map(|model| model.summary.clone())
    });
    let other = argmax(&member.probabilities) != answer;
    let ranked = ranked(&member.probabilities);
    let parts = ranked
        .iter()
        .map(|(class, probability)| {
            let width = format!("{probability:.4}");
            view! {
                <span class="vote-part" data-class=class.to_string() style=("--share", move || width.clone())></span>
            }
        })
        .collect_view();
    let top = ranked.iter().take(2).map(|(class, p)| chip(state, *class, *p)).collect_view();
    view! {
        <tr class:other=other>
            <th scope="row">
                <span class="vote-name">{member.model.clone()}</span>
                {summary.map(|words| view! { <small>{words}</small> })}
            </th>
            <td class="vote-bar" aria-hidden="true">
                <span class="vote">{parts}</span>
            </td>
            <td>
                <span class="chips">{top}</span>
            </td>
        </tr>
    }
}
