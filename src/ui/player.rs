//! The invisible player of the shown song. The timeline has its controls.

use leptos::html;
use leptos::prelude::*;
use web_sys::Url;

use crate::app::Page;
use crate::trouble::Notice;

/// Plays the shown song from its file.
#[component]
pub fn Player(page: Page) -> impl IntoView {
    let state = page.state;
    let playback = state.playback;
    let element = NodeRef::<html::Audio>::new();
    Effect::new(move |_| page.audio.set_value(element.get()));
    // Before its length is known, a song may be no song at all.
    let playable = Memo::new(move |_| {
        let song = state.song()?;
        song.info.get().is_some().then(|| (song.id, song.renewed.get()))
    });
    // The file as a URL, which holds the file until it is revoked.
    Effect::new(move |old: Option<Option<String>>| {
        if let Some(Some(old)) = old {
            // If this fails, the browser frees the file when the page closes.
            let _ = Url::revoke_object_url(&old);
        }
        let (Some(audio), shown) = (element.get(), playable.get()) else { return None };
        let _ = audio.pause();
        let url = shown.and_then(|(id, _)| object_url(page, id));
        match &url {
            Some(url) => audio.set_src(url),
            // An empty `src` would mean this page.
            None => {
                let _ = audio.remove_attribute("src");
            }
        }
        url
    });
    let follow = move || {
        if let Some(audio) = element.get_untracked() {
            playback.position.set(audio.current_time());
        }
    };
    view! {
        <audio
            node_ref=element
            preload="none"
            on:play=move |_| {
                playback.hover.set(None);
                playback.playing.set(true);
                each_frame(page, follow);
            }
            // The page's own decoder reads formats that the browser does not play.
            on:error=move |_| {
                playback.playing.set(false);
                if element.get_untracked().is_some_and(|audio| audio.has_attribute("src")) {
                    state.notice.set(Some(Notice::NotPlayed));
                }
            }
            on:pause=move |_| playback.playing.set(false)
            on:ended=move |_| {
                playback.playing.set(false);
                if state.conference.get_untracked() {
                    page.turn(true);
                }
            }
        ></audio>
    }
}

/// URL of a song's file; `None` for a song of an earlier visit.
fn object_url(page: Page, song: u32) -> Option<String> {
    let mut url = None;
    page.engine(|engine| {
        url = engine.file(song).and_then(|file| Url::create_object_url_with_blob(&file).ok());
    });
    url
}

/// Calls in every frame while the song plays.
fn each_frame(page: Page, act: impl Fn() + Copy + 'static) {
    request_animation_frame(move || {
        if page.state.playback.playing.get_untracked() {
            act();
            each_frame(page, act);
        }
    });
}
