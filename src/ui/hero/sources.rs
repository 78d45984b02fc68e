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
pub const ACCEPT: &str = "audio/*,.wav,.wave,.bwf,.rf64,.mp3,.mp2,.mp1,.mpga,.mpa,.flac,.fla,.ogg,.oga,.ogx,.opus,.m4a,.m4b,\
                      .m4r,.mp4,.m4v,.mov,.3gp,.3g2,.aac,.adts,.aif,.aiff,.aifc,.afc,.caf,.au,.snd,.webm,.weba,.mka,\
                      .mkv";

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
            page.engine(|engine| {
                engine.open(vec![file], true);
            });
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The picker and folders offer what the decoder reads.
    #[test]
    fn all_formats_are_offered() {
        let script = include_str!("../../glue/disk.js");
        let words: Vec<&str> = script.split([' ', '"']).collect();
        for extension in cratedigger_decode::EXTENSIONS {
            assert!(ACCEPT.split(',').any(|one| one == format!(".{extension}")), "{extension}");
            assert!(words.contains(&extension), "{extension} in disk.js");
        }
    }

    /// What the decoder takes for a system's own folders is left out of folders here, too.
    #[test]
    fn clutter_is_the_decoders() {
        let script = include_str!("../../glue/disk.js");
        let (_, list) = script.split_once("const SYSTEM").unwrap_or_default();
        let (list, _) = list.split_once(");").unwrap_or_default();
        let names = list.split('"').skip(1).step_by(2).collect::<String>();
        let names: Vec<&str> = names.split(',').filter(|name| !name.is_empty()).collect();
        for name in &names {
            assert!(cratedigger_decode::is_clutter(name), "{name}");
        }
        for name in cratedigger_decode::SYSTEM_FOLDERS {
            assert!(names.contains(&name), "{name}");
        }
    }
}
