//! Cratedigger's page: drop a song, see its genre, and why.
//!
//! The page draws. `cratedigger-client` decodes files, runs the workers and reports their results.
//!
//! - `app`: the page as a whole, and events of the window
//! - `state`: what the page knows, as signals; `ui` draws it
//! - `i18n`: all texts in all languages; `text`: numbers as text
//! - `probabilities`, `time_range`, `spectrogram`, `peaks`: data and how they are drawn, without a
//!   browser; `fine`: the parts of a long song's spectrogram that are kept outside; `share_image`: a result
//!   as an image
//! - `history`: results of earlier visits, and exports; `example`: the built-in example
//! - `engine`: connects the page to the client: requests go in, updates go into the `state`
//! - `collection`: classes of one's own and similar songs: asks the client, and keeps features and what was taught
//! - `ear`: live sound on the page
//! - `settings`: the visitor's choices; `trouble`: everything that can go wrong
//! - `glue`: the page's own JavaScript, for browser functions that would be long in Rust

#![deny(unsafe_code)]

mod app;
mod collection;
mod ear;
mod engine;
mod example;
mod fine;
mod glue;
mod history;
mod i18n;
mod peaks;
mod probabilities;
mod settings;
mod share_image;
mod spectrogram;
mod state;
mod tagging;
mod text;
mod time_range;
mod trouble;
mod ui;

use wasm_bindgen::JsCast;

fn main() {
    console_error_panic_hook::set_once();
    let root = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.get_element_by_id("app"))
        .and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(root) = root {
        // Removes the text that asks the visitor to wait.
        root.set_inner_html("");
        leptos::mount::mount_to(root, app::App).forget();
    }
}
