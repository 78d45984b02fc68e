//! The song's genre, large, and all the others.

use cratedigger_protocol::DeviceKind;
use leptos::prelude::*;

use crate::app::Page;
use crate::state::{Outcome, State};
use crate::text;

/// Two genres nearer than this are called close.
const CLOSE: f32 = 0.15;
/// A winner below this is called a guess.
const GUESS: f32 = 0.4;

/// The result card.
#[component]
pub fn Result(page: Page) -> impl IntoView {
    let state = page.state;
    move || state.outcome.get().map(|outcome| card(state, outcome))
}

fn card(state: State, outcome: Outcome) -> impl IntoView {
    let ranked = text::ranked(&outcome.verdict.probabilities);
    let (best, share) = ranked.first().copied().unwrap_or((0, 0.0));
    let id = state.class(best);
    let length = state.outline.get_untracked().map(|outline| text::clock(outline.seconds));
    let (device, device_words) = match outcome.device {
        DeviceKind::Cpu => ("cpu", "the CPU"),
        DeviceKind::WebGpu => ("web-gpu", "WebGPU"),
    };
    view! {
        <section class="card result" aria-labelledby="result-title" data-class=best.to_string()>
            <div class="hero">
                <p class="file-name">
                    {state.file.get_untracked()}
                    {length.map(|length| view! { <span class="length">{length}</span> })}
                </p>
                <h2 id="result-title" class="genre" data-testid="result-genre" data-genre=id.clone()>
                    {text::heading(&id)}
                </h2>
                <p class="share">
                    <strong>{text::percent(share.into())}</strong>
                    " probable"
                </p>
                {doubt(state, &ranked).map(|words| view! { <p class="doubt">{words}</p> })}
                <p class="timing">
                    "Done by "
                    <span data-testid="device-used" data-device=device>
                        {device_words}
                    </span>
                    " in "
                    <span data-testid="timing">
                        {format!(
                            "{}, first segment after {}",
                            text::duration(outcome.milliseconds),
                            text::duration(outcome.milliseconds_to_first),
                        )}
                    </span>
                </p>
            </div>
            <ol class="bars" aria-label="All genres, most probable first">
                {ranked.into_iter().map(|(class, share)| bar(state, class, share)).collect_view()}
            </ol>
        </section>
    }
}

/// What to say when the winner isn't a clear one.
fn doubt(state: State, ranked: &[(usize, f32)]) -> Option<String> {
    let (_, first) = *ranked.first()?;
    let (class, second) = *ranked.get(1)?;
    let other = format!("{} ({})", text::genre(&state.class(class)), text::percent(second.into()));
    if first < GUESS {
        Some(format!("Not sure: more a guess than an answer. It could also be {other}."))
    } else if first - second < CLOSE {
        Some(format!("A close call: it could also be {other}."))
    } else {
        None
    }
}

fn bar(state: State, class: usize, share: f32) -> impl IntoView {
    let id = state.class(class);
    let width = format!("{:.2}%", (share * 100.0).clamp(0.0, 100.0));
    view! {
        <li
            class="bar"
            data-testid="genre-bar"
            data-class=class.to_string()
            data-genre=id.clone()
            data-probability=share.to_string()
        >
            <span class="bar-name">{text::genre(&id)}</span>
            <span class="bar-track">
                <span class="bar-fill" style:width=move || width.clone()></span>
            </span>
            <span class="bar-share">{text::percent(share.into())}</span>
        </li>
    }
}
