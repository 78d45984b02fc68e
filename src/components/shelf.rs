//! All songs: those that wait, those that are done, those of earlier visits.

use std::cmp::Ordering;

use leptos::prelude::*;

use super::{icon, icons, small_button};
use crate::app::Page;
use crate::state::{Song, State, Status};
use crate::{history, text};

/// By what the table is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    /// Waiting ones in the order of their turn, then the newest.
    Turn,
    Name,
    Genre,
    Share,
    Length,
}

/// The best genre and its share.
fn best(song: &Song) -> Option<(usize, f32)> {
    song.outcome.with(|outcome| text::ranked(&outcome.as_ref()?.verdict.probabilities).first().copied())
}

fn sorted(state: State, column: Column, falling: bool) -> Vec<Song> {
    let mut songs = state.songs.get();
    match column {
        Column::Turn => {
            // Stable, so that those that wait keep their order.
            songs.sort_by(|a, b| {
                let (a_open, b_open) = (a.status.get().is_open(), b.status.get().is_open());
                b_open.cmp(&a_open).then(if a_open && b_open {
                    Ordering::Equal
                } else {
                    b.added.total_cmp(&a.added)
                })
            });
        }
        Column::Name => songs.sort_by_key(|song| song.title().to_lowercase()),
        Column::Genre => songs.sort_by_key(|song| best(song).map_or(usize::MAX, |(class, _)| class)),
        Column::Share => {
            songs.sort_by(|a, b| {
                let share = |song: &Song| best(song).map_or(2.0, |(_, share)| share);
                share(a).total_cmp(&share(b))
            });
        }
        Column::Length => {
            songs.sort_by(|a, b| {
                let length = |song: &Song| song.outline.get().map_or(f64::MAX, |outline| outline.seconds);
                length(a).total_cmp(&length(b))
            });
        }
    }
    if falling {
        songs.reverse();
    }
    songs
}

/// The table, as soon as there is a song.
#[component]
pub fn Shelf(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let order = RwSignal::new((Column::Turn, false));
    let any = Memo::new(move |_| state.songs.with(|all| !all.is_empty()));
    let open =
        Memo::new(move |_| state.songs.with(|all| all.iter().filter(|s| s.status.get().is_open()).count()));
    let total = Memo::new(move |_| state.songs.with(Vec::len));
    let failed = Memo::new(move |_| {
        state.songs.with(|all| all.iter().filter(|s| matches!(s.status.get(), Status::Failed(_))).count())
    });
    let rows = Memo::new(move |_| {
        let (column, falling) = order.get();
        sorted(state, column, falling).into_iter().map(|song| song.id).collect::<Vec<_>>()
    });
    let head = move |column: Column, name: fn(&'static crate::words::Words) -> &'static str| {
        let sort = move || match order.get() {
            (now, falling) if now == column => {
                if falling {
                    "descending"
                } else {
                    "ascending"
                }
            }
            _ => "none",
        };
        view! {
            <th scope="col" aria-sort=sort data-column=format!("{column:?}").to_lowercase()>
                <button
                    type="button"
                    class="sort"
                    on:click=move |_| {
                        order.update(|(now, falling)| {
                            *falling = *now == column && !*falling;
                            *now = column;
                        });
                    }
                >
                    {move || name(w())}
                </button>
            </th>
        }
    };
    let summary = move || match (open.get(), total.get()) {
        (0, total) => w().songs(total),
        (open, total) => {
            let total = total.to_string();
            text::fill(w().still_open, &[&open.to_string(), &total])
        }
    };
    view! {
        <Show when=move || any.get()>
            <section class="shelf" aria-labelledby="shelf-title">
                <div class="shelf-head">
                    <h2 id="shelf-title">{move || w().your_crate}</h2>
                    <p class="quiet-words" data-testid="shelf-summary">
                        {summary}
                        {move || {
                            let n = failed.get();
                            (n > 0).then(|| text::fill(w().of_them_failed, &[&n.to_string()]))
                        }}
                    </p>
                    <div class="shelf-tools">
                        <Show when=move || open.get().gt(&0)>
                            {small_button(
                                "cancel-all",
                                None,
                                move || w().cancel_all,
                                move || page.engine(|engine| engine.cancel_all()),
                            )}
                        </Show>
                        {small_button(
                            "export-json",
                            Some(icons::SAVE),
                            || "JSON",
                            move || history::export_json(state),
                        )}
                        {small_button(
                            "export-csv",
                            Some(icons::SAVE),
                            || "CSV",
                            move || history::export_csv(state),
                        )}
                    </div>
                </div>
                <table data-testid="shelf">
                    <thead>
                        <tr>
                            {head(Column::Name, |w| w.song)} {head(Column::Genre, |w| w.genre)}
                            {head(Column::Share, |w| w.share)} {head(Column::Length, |w| w.length)}
                            <th scope="col" data-column="actions">
                                <span class="hidden">{move || w().actions}</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || rows.get() key=|id| *id children=move |id| row(page, id) />
                    </tbody>
                </table>
            </section>
        </Show>
    }
}

fn row(page: Page, id: u32) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let song = state.find(id)?;
    let status = song.status;
    let is_best = Memo::new(move |_| best(&song));
    let genre = move || match (status.get(), is_best.get()) {
        (_, Some(_)) if song.outcome.with(|o| o.as_ref().is_some_and(|o| o.none)) => {
            view! { <span class="row-status">{w().none_of_these}</span> }.into_any()
        }
        (_, Some((class, _))) => view! {
            <span class="row-genre">
                <span class="swatch"></span>
                {text::heading(&state.genre(class))}
            </span>
        }
        .into_any(),
        (status, None) => {
            let words = match status {
                Status::Waiting => w().status_waiting,
                Status::Decoding | Status::Analysing => w().status_working,
                Status::Failed(_) => w().status_failed,
                Status::Cancelled => w().status_cancelled,
                Status::Done => "",
            };
            view! { <span class="row-status">{words}</span> }.into_any()
        }
    };
    let button = move |path: &'static str,
                       name: fn(&'static crate::words::Words) -> &'static str,
                       testid: &'static str,
                       act: fn(Page, u32)| {
        view! {
            <button
                type="button"
                class="icon-button"
                data-testid=testid
                title=move || name(w())
                aria-label=move || text::fill(w().action_on, &[name(w()), &song.title()])
                on:click=move |_| act(page, id)
            >
                {icon(path)}
            </button>
        }
    };
    let actions = move || {
        let state = status.get();
        let open = state.is_open();
        let again = song.audible && matches!(state, Status::Failed(_) | Status::Cancelled);
        view! {
            {(state == Status::Waiting)
                .then(|| button(icons::UP, |w| w.raise, "row-raise", |page, id| page.engine(|engine| engine.raise(id))))}
            {again
                .then(|| button(icons::RETRY, |w| w.retry, "row-retry", |page, id| page.engine(|engine| engine.retry(id))))}
            {if open {
                button(icons::STOP, |w| w.cancel, "row-cancel", |page, id| page.engine(|engine| engine.cancel(id)))
            } else {
                button(
                    icons::CLOSE,
                    |w| w.remove,
                    "row-remove",
                    |page, id| {
                        if let Some(song) = page.state.find(id) {
                            history::forget(song.added);
                        }
                        page.engine(|engine| engine.remove(id));
                    },
                )
            }}
        }
    };
    Some(view! {
        <tr
            class="row"
            class:shown=move || state.shown.get() == Some(id)
            data-testid="row"
            data-status=move || status.get().id()
            data-class=move || is_best.get().map(|(class, _)| class.to_string())
        >
            <th scope="row">
                <button
                    type="button"
                    class="row-name"
                    data-testid="row-show"
                    aria-current=move || (state.shown.get() == Some(id)).then_some("true")
                    on:click=move |_| {
                        state.show(Some(id));
                        // A table may be long, and the song is shown above it.
                        window().scroll_to_with_x_and_y(0.0, 0.0);
                    }
                >
                    {song.title()}
                </button>
            </th>
            <td>{genre}</td>
            <td class="figure">
                {move || is_best.get().map(|(_, share)| text::percent(share.into()))}
            </td>
            <td class="figure">{move || song.outline.get().map(|outline| text::clock(outline.seconds))}</td>
            <td class="row-actions">{actions}</td>
        </tr>
    })
}
