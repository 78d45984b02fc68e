//! Why: which parts of the sound speak for a genre, and the character of the song beside the typical
//! one of its genre.

mod character;
mod explain;

use leptos::prelude::*;

use self::character::character;
use self::explain::explain;
use crate::app::Page;

/// The section, once the song has a result.
#[component]
pub fn Why(page: Page) -> impl IntoView {
    let state = page.state;
    let song = Memo::new(move |_| {
        let song = state.song()?;
        song.result.with(Option::is_some).then_some(song.id)
    });
    move || {
        let song = state.find(song.get()?)?;
        Some(view! {
            <section class="why" aria-labelledby="why-title" data-testid="why">
                <h2 id="why-title">{state.words().why.title}</h2>
                {song.audible.then(|| explain(page, song))}
                {move || song.character.get().map(|values| character(state, song, values))}
            </section>
        })
    }
}
