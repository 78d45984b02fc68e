//! One song in the table.

use leptos::prelude::*;

use super::shelf::{answer, open_sheet};
use crate::app::Page;
use crate::i18n::Words;
use crate::state::{Answer, OwnAnswer, Sheet, Song, Sound, State, Status};
use crate::text;
use crate::ui::controls::icon;
use crate::ui::icons;

/// The row of the song with this id.
pub fn row(page: Page, id: u32) -> Option<impl IntoView> {
    let state = page.state;
    let song = state.find(id)?;
    let shown = move || state.shown.get() == Some(id);
    let answer = Memo::new(move |_| answer(&song));
    let class = move || answer.get().and_then(|(answer, _)| answer.class());
    let sound = move || answer.get().and_then(|(answer, _)| answer.sound());
    Some(view! {
        <tr
            class="row"
            class:shown=shown
            data-testid="row"
            data-status=move || song.status.get().id()
            data-class=move || class().map(|class| class.to_string())
            data-non-music=move || sound().map(Sound::id)
        >
            <th scope="row">
                <button
                    type="button"
                    class="row-name"
                    data-testid="row-show"
                    aria-current=move || shown().then_some("true")
                    on:click=move |_| {
                        state.show(Some(id));
                        // The song is shown above the table, which may be long.
                        window().scroll_to_with_x_and_y(0.0, 0.0);
                    }
                >
                    {song.title()}
                </button>
            </th>
            <td>
                {move || genre(state, song.status.get(), answer.get().map(|(answer, _)| answer))}
                {move || song.own.with(|own| own.as_ref().map(|own| own_class(state, own)))}
            </td>
            <td class="figure">{move || answer.get().map(|(_, probability)| text::percent(probability.into()))}</td>
            <td class="figure">{move || song.info.get().map(|info| text::clock(info.seconds))}</td>
            <td class="row-actions">{move || actions(page, song)}</td>
        </tr>
    })
}

/// The answer or, before a result, the status.
fn genre(state: State, status: Status, answer: Option<Answer>) -> impl IntoView {
    let w = state.words();
    let words = match (status, answer) {
        (_, Some(Answer::NoneOfThese)) => w.hero.none_of_these,
        (_, Some(answer)) => {
            return view! {
                <span class="row-genre">
                    <span class="swatch"></span>
                    {state.answer(answer)}
                </span>
            }
            .into_any();
        }
        (Status::Waiting, None) => w.library.status_waiting,
        (Status::Decoding | Status::Analysing, None) => w.library.status_working,
        (Status::Failed(_), None) => w.library.status_failed,
        (Status::Cancelled, None) => w.library.status_cancelled,
        (Status::Done, None) => "",
    };
    view! { <span class="row-status">{words}</span> }.into_any()
}

/// The answer with the visitor's own classes.
fn own_class(state: State, own: &OwnAnswer) -> impl IntoView + use<> {
    let w = &state.words().library;
    let words = match own.class() {
        Some((name, probability)) => text::fill(w.own_class, &[name, &text::percent(probability.into())]),
        None => w.own_none.into(),
    };
    let all = own.prediction.probabilities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    view! {
        <span
            class="row-own"
            data-testid="row-own"
            data-own=own.class().map(|(name, _)| name.to_owned())
            data-probabilities=all
        >
            {words}
        </span>
    }
}

/// The buttons that the song's status allows.
fn actions(page: Page, song: Song) -> impl IntoView {
    let status = song.status.get();
    let again = song.audible && matches!(status, Status::Failed(_) | Status::Cancelled);
    let button = move |symbol, testid, name, act| button(page, song, symbol, testid, name, act);
    view! {
        {(status == Status::Waiting)
            .then(|| {
                let act = |page: Page, id| page.engine(|engine| engine.raise(id));
                button(icons::UP, "row-raise", |w| w.library.raise, act)
            })}
        {again
            .then(|| {
                let act = |page: Page, id| page.engine(|engine| engine.retry(id));
                button(icons::RETRY, "row-retry", |w| w.hero.retry, act)
            })}
        {(status == Status::Done && (song.audible || song.content.with(Option::is_some)))
            .then(|| {
                let act = |page: Page, id| {
                    page.state.collection.target.set(Some(id));
                    open_sheet(page, Sheet::Alike);
                };
                button(icons::MAP, "row-alike", |w| w.library.alike_one, act)
            })}
        {if status.is_open() {
            let act = |page: Page, id| page.engine(|engine| engine.cancel(id));
            button(icons::STOP, "row-cancel", |w| w.hero.cancel, act)
        } else {
            button(icons::CLOSE, "row-remove", |w| w.library.remove, |page, id| page.remove(id))
        }}
    }
}

fn button(
    page: Page,
    song: Song,
    symbol: &'static str,
    testid: &'static str,
    name: fn(&'static Words) -> &'static str,
    act: fn(Page, u32),
) -> impl IntoView {
    let w = move || page.state.words();
    view! {
        <button
            type="button"
            class="icon-button"
            data-testid=testid
            title=move || name(w())
            aria-label=move || text::fill(w().library.action_on, &[name(w()), &song.title()])
            on:click=move |_| act(page, song.id)
        >
            {icon(symbol)}
        </button>
    }
}
