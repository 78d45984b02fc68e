//! All ways to give the page a song.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{File, HtmlInputElement};

use crate::app::Page;
use crate::state::LiveSource;
use crate::ui::controls::icon;
use crate::ui::icons;
use crate::{ear, example, glue};

/// File types that the file picker shows.
const ACCEPT: &str = "audio/*,.wav,.wave,.rf64,.mp1,.mp2,.mp3,.flac,.ogg,.oga,.opus,.m4a,.m4b,.mp4,.mov,.aac,.aif,\
                      .aiff,.aifc,.au,.snd,.caf,.webm,.weba,.mka,.mkv";

/// Buttons for files, a folder, the microphone, a tab and the example, as far as the browser has them.
#[component]
pub fn Sources(page: Page, compact: bool) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().hero;
    // Microphone, tab, folder.
    let offers = glue::offers();
    let offered = move |at: u32| offers.get(at).is_truthy();
    let (class, main_class) = if compact { ("tool", "tool") } else { ("button quiet", "button") };
    view! {
        <label class=main_class title=move || w().choose_files>
            <input
                type="file"
                class="hidden"
                multiple
                accept=ACCEPT
                data-testid="file-input"
                on:change=move |event| open_files(page, &event)
            />
            {icon(icons::FILE)}
            <span>{move || w().choose_files}</span>
        </label>
        {offered(2)
            .then(|| {
                view! {
                    <label class=class title=move || w().choose_folder>
                        <input
                            type="file"
                            class="hidden"
                            prop:webkitdirectory=true
                            data-testid="folder-input"
                            on:change=move |event| open_folder(page, &event)
                        />
                        {icon(icons::FOLDER)}
                        <span>{move || w().choose_folder}</span>
                    </label>
                }
            })}
        {offered(0)
            .then(|| {
                let words = move || w().microphone;
                live_button(page, class, "microphone", icons::MICROPHONE, words, LiveSource::Microphone)
            })}
        {offered(1)
            .then(|| live_button(page, class, "tab-sound", icons::TAB, move || w().tab_sound, LiveSource::Tab))}
        {example_button(page, class)}
    }
}

/// Opens the chosen files.
fn open_files(page: Page, event: &ev::Event) {
    let input: HtmlInputElement = event_target(event);
    if let Some(list) = input.files() {
        let files: Vec<File> = (0..list.length()).filter_map(|at| list.get(at)).collect();
        if !files.is_empty() {
            page.open(files, None);
        }
    }
    // Lets the visitor choose the same file again.
    input.set_value("");
}

/// Opens the songs of the chosen folder.
fn open_folder(page: Page, event: &ev::Event) {
    let input: HtmlInputElement = event_target(event);
    if let Some(list) = input.files() {
        page.take(&glue::files_of_folder(&list));
    }
    input.set_value("");
}

/// A button that starts live listening.
fn live_button(
    page: Page,
    class: &'static str,
    testid: &'static str,
    symbol: &'static str,
    words: impl Fn() -> &'static str + Copy + Send + Sync + 'static,
    source: LiveSource,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class=class
            title=words
            data-testid=testid
            disabled=move || page.state.live.is_on()
            on:click=move |_| ear::start(page, source)
        >
            {icon(symbol)}
            <span>{words}</span>
        </button>
    }
}

/// A button that opens the built-in example.
fn example_button(page: Page, class: &'static str) -> impl IntoView {
    let state = page.state;
    let making = RwSignal::new(false);
    let open = move |_| {
        if making.get_untracked() {
            return;
        }
        making.set(true);
        state.notice.set(None);
        spawn_local(async move {
            let file = example::file(state.words_now().hero.example_name).await;
            making.try_set(false);
            page.engine(|engine| engine.open(vec![file], true));
        });
    };
    view! {
        <button
            type="button"
            class=class
            title=move || state.words().hero.example
            data-testid="example"
            aria-busy=move || making.get().to_string()
            on:click=open
        >
            {icon(icons::RECORD)}
            <span>{move || state.words().hero.example}</span>
        </button>
    }
}
