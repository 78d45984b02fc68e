//! Cratedigger's page: drop a song, see its genre, and why.
//!
//! The page draws. `cratedigger-client` decodes files, runs the workers and reports their results.
//!
//! - `engine`: connects the page to the client: requests go in, updates go into the `state`
//! - `ear`: live sound on the page; `example`: sound made here
//! - `state`: what the page knows, as signals; `components` show it
//! - `history`: what outlasts a visit, and exports; `settings`: the user's choices
//! - `spectrogram`, `waveform`: levels to pixels, of any `stretch` of a song; `picture`: a result to
//!   keep
//! - `words`: every sentence, in every language; `text`: numbers to words; `trouble`: what can
//!   go wrong
//! - `typical`: how each genre usually is, measured
//! - `glue`: the page's own JavaScript, for what the browser offers and bindings make long

#![deny(unsafe_code)]

mod app;
mod components;
mod ear;
mod engine;
mod example;
mod glue;
mod history;
mod picture;
mod settings;
mod spectrogram;
mod state;
mod stretch;
mod text;
mod trouble;
mod typical;
mod waveform;
mod words;

use wasm_bindgen::JsCast;

fn main() {
    console_error_panic_hook::set_once();
    let root = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.get_element_by_id("app"))
        .and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(root) = root {
        // What stood there told the visitor to wait.
        root.set_inner_html("");
        leptos::mount::mount_to(root, app::App).forget();
    }
}
