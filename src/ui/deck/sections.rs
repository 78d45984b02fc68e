//! The sections of a song as a table, and as files for other programs.

use cratedigger_protocol::{Section, SectionFormat, SectionLabel};
use leptos::prelude::*;

use crate::app::Page;
use crate::state::{Answer, Song, State};
use crate::trouble::Notice;
use crate::ui::controls::small_button;
use crate::ui::icons;
use crate::{glue, text};

/// A song of at least this many seconds shows its sections without a click.
const LONG_SECS: f64 = 15.0 * 60.0;

/// The table of sections; nothing for a song with one section.
#[component]
pub fn Sections(page: Page, song: Song) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().deck;
    let sections = Memo::new(move |_| {
        song.result.with(|result| Some(result.as_ref()?.sections.clone())).unwrap_or_default()
    });
    let long = move || song.seconds() >= LONG_SECS;
    let rows = move || sections.with(|all| all.iter().map(|section| row(page, section)).collect_view());
    let exports = move || {
        SectionFormat::ALL.into_iter().map(move |format| export_button(state, song, sections, format))
    };
    view! {
        <Show when=move || sections.with(|all| all.len() > 1)>
            <details class="as-table" data-testid="sections" open=long>
                <summary>
                    {move || text::fill(w().sections, &[&sections.with(Vec::len).to_string()])}
                </summary>
                <p class="quiet-words">{move || w().sections_words}</p>
                <div class="scroll" tabindex="0" role="region" aria-label=move || w().sections_table>
                    <table>
                        <thead>
                            <tr>
                                <th scope="col">{move || w().time}</th>
                                <th scope="col">{move || w().length}</th>
                                <th scope="col">{move || w().content}</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
                <div class="actions" role="group" aria-label=move || w().sections_export>
                    {exports().collect_view()}
                </div>
            </details>
        </Show>
    }
}

/// A section: its time, which starts the playback there, its length and its content.
fn row(page: Page, section: &Section) -> impl IntoView + use<> {
    let state = page.state;
    let Section { start, end, label, probability } = section.clone();
    let span = format!("{}–{}", text::clock(start), text::clock(end));
    let answer = Answer::of_section(&label);
    view! {
        <tr>
            <th scope="row">
                <button
                    type="button"
                    class="link"
                    data-testid="section"
                    data-start=start.to_string()
                    data-end=end.to_string()
                    on:click=move |_| page.seek(start)
                >
                    {span}
                </button>
            </th>
            <td>{text::clock(end - start)}</td>
            <td>
                <span
                    class="chip"
                    data-class=answer.and_then(Answer::class).map(|class| class.to_string())
                    data-non-music=answer.and_then(Answer::sound).map(|sound| sound.id())
                >
                    <span class="swatch"></span>
                    {title(state, &label)}
                    " "
                    <span class="chip-share">{answer.map(|_| text::percent(probability.into()))}</span>
                </span>
            </td>
        </tr>
    }
}

/// The words for the content of a section.
fn title(state: State, label: &SectionLabel) -> String {
    match Answer::of_section(label) {
        Some(answer) => state.answer(answer),
        None => text::heading(state.words().deck.silent),
    }
}

/// Saves the sections in one format.
fn export_button(
    state: State,
    song: Song,
    sections: Memo<Vec<Section>>,
    format: SectionFormat,
) -> impl IntoView {
    let testid = match format {
        SectionFormat::Csv => "sections-csv",
        SectionFormat::Audacity => "sections-audacity",
        SectionFormat::Cue => "sections-cue",
        SectionFormat::Chapters => "sections-chapters",
    };
    let words = move || {
        let w = &state.words().deck;
        match format {
            SectionFormat::Csv => "CSV",
            SectionFormat::Audacity => w.audacity,
            SectionFormat::Cue => w.cue,
            SectionFormat::Chapters => w.chapters,
        }
    };
    small_button(testid, Some(icons::SAVE), words, move || {
        let name = song.title();
        let text = sections.with_untracked(|all| format.render(&name, all, |label| title(state, label)));
        match text {
            Ok(text) => {
                let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
                glue::save_text(&text, format.mime(), &format!("{stem}.{}", format.extension()));
            }
            Err(_) => state.notice.set(Some(Notice::TooManyTracks)),
        }
    })
}
