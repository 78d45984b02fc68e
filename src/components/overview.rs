//! The whole song in one line, below a deck that shows a part of it: where the part lies, and how to
//! get elsewhere.

use leptos::ev;
use leptos::html::Div;
use leptos::prelude::*;

use super::deck::{Run, place};
use crate::state::State;
use crate::text;
use crate::zoom::Zoom;

/// How far an arrow key goes, as a share of the part in sight.
const STEP: f64 = 0.1;

/// The line; `controls` is the id of what it moves.
#[component]
pub fn Overview(
    state: State,
    runs: Memo<Vec<Run>>,
    seconds: Memo<f64>,
    view: Memo<Zoom>,
    set: Callback<Zoom>,
    controls: &'static str,
) -> impl IntoView {
    let w = move || state.words();
    let line = NodeRef::<Div>::new();
    let go = move |event: &ev::PointerEvent| {
        let Some(line) = line.get_untracked() else { return };
        let bounds = line.get_bounding_client_rect();
        let share = (f64::from(event.client_x()) - bounds.left()) / bounds.width().max(1.0);
        let all = seconds.get_untracked();
        set.run(Zoom::put(all, share * all, 0.5, view.get_untracked().span));
    };
    let down = move |event: ev::PointerEvent| {
        if event.button() == 0 {
            go(&event);
            if let Some(line) = line.get_untracked() {
                // Without it a drag that leaves the line just ends there.
                let _ = line.set_pointer_capture(event.pointer_id());
            }
        }
    };
    let moved = move |event: ev::PointerEvent| {
        if event.buttons() & 1 == 1 {
            go(&event);
        }
    };
    let key = move |event: ev::KeyboardEvent| {
        let (all, now) = (seconds.get_untracked(), view.get_untracked());
        let to = match event.key().as_str() {
            "ArrowLeft" | "ArrowUp" => now.moved(all, -STEP),
            "ArrowRight" | "ArrowDown" => now.moved(all, STEP),
            "PageUp" => now.moved(all, -1.0),
            "PageDown" => now.moved(all, 1.0),
            "Home" => Zoom { from: 0.0, ..now },
            "End" => Zoom::put(all, all, 1.0, now.span),
            _ => return,
        };
        event.prevent_default();
        set.run(to);
    };
    let spoken = move || {
        let (from, to) = (text::clock(view.get().from), text::clock(view.get().to()));
        text::fill(w().part_of, &[&from, &to, &text::clock(seconds.get())])
    };
    let frame = move || place(view.get(), Zoom::whole(seconds.get()));
    let blocks = move || {
        let whole = Zoom::whole(seconds.get());
        runs.get()
            .into_iter()
            .map(|run| {
                let (left, width) = place(run.stretch(), whole);
                let class = run.class.map(|class| class.to_string());
                view! { <span data-class=class style:left=move || left.clone() style:width=move || width.clone()></span> }
            })
            .collect_view()
    };
    view! {
        <div class="overview" node_ref=line on:pointerdown=down on:pointermove=moved>
            <div class="overview-song" aria-hidden="true">{blocks}</div>
            <div
                class="overview-part"
                role="scrollbar"
                tabindex="0"
                data-testid="overview"
                aria-label=move || w().overview
                aria-controls=controls
                aria-orientation="horizontal"
                aria-valuemin="0"
                aria-valuemax=move || format!("{:.1}", (seconds.get() - view.get().span).max(0.0))
                aria-valuenow=move || format!("{:.1}", view.get().from)
                aria-valuetext=spoken
                style:left=move || frame().0
                style:width=move || frame().1
                on:keydown=key
            ></div>
        </div>
    }
}
