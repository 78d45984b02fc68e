//! The table of all songs: those in the queue, those with a result, those of earlier visits.

use std::cmp::Ordering;

use leptos::prelude::*;

use super::row::row;
use crate::app::Page;
use crate::history;
use crate::i18n::Words;
use crate::state::{Answer, Sheet, Song, State, Status};
use crate::text;
use crate::ui::controls::small_button;
use crate::ui::icons;

/// The column that the table is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    /// Songs in the queue in their order, then the newest ones.
    Turn,
    Name,
    Genre,
    Share,
    Length,
}

impl Column {
    /// Name in styles and tests.
    fn id(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Name => "name",
            Self::Genre => "genre",
            Self::Share => "share",
            Self::Length => "length",
        }
    }
}

/// Order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    column: Column,
    falling: bool,
}

impl Order {
    /// After a click on the head of a column.
    fn clicked(self, column: Column) -> Self {
        Self { column, falling: self.column == column && !self.falling }
    }

    /// Value of `aria-sort` for a column.
    fn aria(self, column: Column) -> &'static str {
        match self {
            Self { column: now, falling: true } if now == column => "descending",
            Self { column: now, falling: false } if now == column => "ascending",
            _ => "none",
        }
    }

    /// The songs in this order. Songs without a value come last in a rising order.
    fn sorted(self, mut songs: Vec<Song>) -> Vec<Song> {
        match self.column {
            Column::Turn => songs.sort_by(by_turn),
            Column::Name => songs.sort_by_key(|song| song.title().to_lowercase()),
            Column::Genre => songs.sort_by_key(by_genre),
            Column::Share => {
                let value = |song: &Song| answer(song).map_or(f32::MAX, |(_, probability)| probability);
                songs.sort_by(|a, b| value(a).total_cmp(&value(b)));
            }
            Column::Length => {
                let value = |song: &Song| song.info.get().map_or(f64::MAX, |info| info.seconds);
                songs.sort_by(|a, b| value(a).total_cmp(&value(b)));
            }
        }
        if self.falling {
            songs.reverse();
        }
        songs
    }
}

/// Songs in the queue first. The sort is stable, so they keep their order.
fn by_turn(a: &Song, b: &Song) -> Ordering {
    let (a_open, b_open) = (a.status.get().is_open(), b.status.get().is_open());
    b_open.cmp(&a_open).then(if a_open && b_open { Ordering::Equal } else { b.added.total_cmp(&a.added) })
}

/// Order of the genres, with *None of these* at its nearest genre; *No music* comes last.
fn by_genre(song: &Song) -> usize {
    match answer(song) {
        Some((Answer::NonMusic(_), _)) => usize::MAX - 1,
        _ => song.result.with(|result| result.as_ref()?.probabilities.best()).unwrap_or(usize::MAX),
    }
}

/// The answer of the result and its probability.
pub fn answer(song: &Song) -> Option<(Answer, f32)> {
    song.result.with(|result| {
        let result = result.as_ref()?;
        Some((result.answer()?, result.confidence()?))
    })
}

/// Number of songs with a status, tracked.
fn count(state: State, is: fn(Status) -> bool) -> usize {
    state.songs.with(|all| all.iter().filter(|song| is(song.status.get())).count())
}

/// The table, once there is a song.
#[component]
pub fn Shelf(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().library;
    let order = RwSignal::new(Order { column: Column::Turn, falling: false });
    let any = Memo::new(move |_| state.songs.with(|all| !all.is_empty()));
    let rows = Memo::new(move |_| {
        order.get().sorted(state.songs.get()).into_iter().map(|song| song.id).collect::<Vec<_>>()
    });
    view! {
        <Show when=move || any.get()>
            <section class="shelf" aria-labelledby="shelf-title">
                <div class="shelf-head">
                    <h2 id="shelf-title">{move || w().your_crate}</h2>
                    {summary(state)}
                    {tools(page)}
                </div>
                <table data-testid="shelf">
                    <thead>
                        <tr>
                            {head(state, order, Column::Name, |w| w.library.song)}
                            {head(state, order, Column::Genre, |w| w.library.genre)}
                            {head(state, order, Column::Share, |w| w.library.confidence)}
                            {head(state, order, Column::Length, |w| w.library.length)}
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

/// Number of songs, of open ones and of failed ones.
fn summary(state: State) -> impl IntoView {
    let w = move || &state.words().library;
    let open = Memo::new(move |_| count(state, Status::is_open));
    let failed = Memo::new(move |_| count(state, |status| matches!(status, Status::Failed(_))));
    let total = Memo::new(move |_| state.songs.with(Vec::len));
    let songs = move || match (open.get(), total.get()) {
        (0, total) => w().songs(total),
        (open, total) => text::fill(w().still_open, &[&open.to_string(), &total.to_string()]),
    };
    let failures = move || {
        let n = failed.get();
        (n > 0).then(|| text::fill(w().of_them_failed, &[&n.to_string()]))
    };
    view! {
        <p class="quiet-words" data-testid="shelf-summary">
            {songs}
            {failures}
        </p>
    }
}

/// Cancelling and exports.
fn tools(page: Page) -> impl IntoView {
    let state = page.state;
    let open = Memo::new(move |_| count(state, Status::is_open) > 0);
    view! {
        <div class="shelf-tools">
            <Show when=move || open.get()>
                {small_button(
                    "cancel-all",
                    None,
                    move || state.words().library.cancel_all,
                    move || page.engine(|engine| engine.cancel_all()),
                )}
            </Show>
            {small_button(
                "open-teach",
                Some(icons::TEACH),
                move || state.words().library.teach,
                move || open_sheet(page, Sheet::Teach),
            )}
            {small_button(
                "open-alike",
                Some(icons::MAP),
                move || state.words().library.alike,
                move || open_sheet(page, Sheet::Alike),
            )}
            {small_button(
                "open-tags",
                Some(icons::TAG),
                move || state.words().library.tags,
                move || state.sheet.set(Some(Sheet::Tags)),
            )}
            {small_button("export-json", Some(icons::SAVE), || "JSON", move || history::export_json(state))}
            {small_button("export-csv", Some(icons::SAVE), || "CSV", move || history::export_csv(state))}
        </div>
    }
}

/// Opens a sheet about the songs of the crate together, which need their features from now on.
pub fn open_sheet(page: Page, sheet: Sheet) {
    page.state.collection.active.set(true);
    page.state.sheet.set(Some(sheet));
}

/// Head of a column; a click sorts by it.
fn head(
    state: State,
    order: RwSignal<Order>,
    column: Column,
    name: fn(&'static Words) -> &'static str,
) -> impl IntoView {
    view! {
        <th scope="col" aria-sort=move || order.get().aria(column) data-column=column.id()>
            <button
                type="button"
                class="sort"
                on:click=move |_| order.update(|order| *order = order.clicked(column))
            >
                {move || name(state.words())}
            </button>
        </th>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_click_turns_the_order_around() {
        let order = Order { column: Column::Turn, falling: false };
        let once = order.clicked(Column::Name);
        assert_eq!((once.aria(Column::Name), once.aria(Column::Genre)), ("ascending", "none"));
        let twice = once.clicked(Column::Name);
        assert_eq!(twice.aria(Column::Name), "descending");
        assert_eq!(twice.clicked(Column::Length).aria(Column::Length), "ascending");
    }
}
