//! The player without a look: the deck shows it.

use leptos::html;
use leptos::prelude::*;
use web_sys::Url;

use crate::app::Page;

/// Plays the shown song from its own file.
#[component]
pub fn Audio(page: Page) -> impl IntoView {
    let state = page.state;
    let element = NodeRef::<html::Audio>::new();
    Effect::new(move |_| page.audio.set_value(element.get()));
    // What has a length has been decoded, so it can be played, too.
    let playable = Memo::new(move |_| {
        let song = state.song()?;
        song.outline.get().is_some().then_some(song.id)
    });
    // The song's file as a URL, which holds on to the file until it is revoked.
    Effect::new(move |old: Option<Option<String>>| {
        if let Some(Some(old)) = old {
            // A URL that can't be revoked is nothing that anyone could act on.
            let _ = Url::revoke_object_url(&old);
        }
        let (Some(audio), shown) = (element.get(), playable.get()) else { return None };
        let _ = audio.pause();
        let mut url = None;
        page.engine(|engine| {
            url = shown
                .and_then(|id| engine.file(id))
                .and_then(|file| Url::create_object_url_with_blob(&file).ok());
        });
        match &url {
            Some(url) => audio.set_src(url),
            // Not an empty `src`: that would name this page.
            None => {
                let _ = audio.remove_attribute("src");
            }
        }
        url
    });
    let follow = move || {
        if let Some(audio) = element.get_untracked() {
            state.position.set(audio.current_time());
        }
    };
    view! {
        <audio
            node_ref=element
            preload="none"
            on:play=move |_| {
                state.hover.set(None);
                state.playing.set(true);
                frame(page, follow);
            }
            on:pause=move |_| state.playing.set(false)
            on:ended=move |_| {
                state.playing.set(false);
                if state.conference.get_untracked() {
                    page.turn(true);
                }
            }
        ></audio>
    }
}

/// Moves the cursor with every frame for as long as the song plays.
fn frame(page: Page, follow: impl Fn() + Copy + 'static) {
    request_animation_frame(move || {
        if page.state.playing.get_untracked() {
            follow();
            frame(page, follow);
        }
    });
}
