//! The whole song in one line, below a deck that shows a part of it: where the part lies, and how to
//! get elsewhere.

use leptos::ev;
use leptos::html::Div;
use leptos::prelude::*;

use crate::state::{Run, State};
use crate::stretch::Stretch;
use crate::text;

/// How far an arrow key goes, as a share of the part in sight.
const STEP: f64 = 0.1;

/// The line; `controls` is the id of what it moves.
#[component]
pub fn Overview(
    state: State,
    runs: Memo<Vec<Run>>,
    seconds: Memo<f64>,
    view: Memo<Stretch>,
    set: Callback<Stretch>,
    controls: &'static str,
) -> impl IntoView {
    let w = move || state.words();
    let line = NodeRef::<Div>::new();
    let time_of = move |event: &ev::PointerEvent| -> Option<f64> {
        let bounds = line.get_untracked()?.get_bounding_client_rect();
        let share = (f64::from(event.client_x()) - bounds.left()) / bounds.width().max(1.0);
        Some(share * seconds.get_untracked())
    };
    // Which share of the part the pointer holds.
    let grip = StoredValue::new(0.5);
    let go = move |event: &ev::PointerEvent| {
        if let Some(time) = time_of(event) {
            let span = view.get_untracked().span;
            set.run(Stretch::put(seconds.get_untracked(), time, grip.get_value(), span));
        }
    };
    let down = move |event: ev::PointerEvent| {
        if event.button() == 0 {
            let now = view.get_untracked();
            let inside = time_of(&event).filter(|time| now.shows(*time));
            grip.set_value(inside.map_or(0.5, |time| now.share(time)));
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
            "Home" => Stretch { from: 0.0, ..now },
            "End" => Stretch::put(all, all, 1.0, now.span),
            _ => return,
        };
        event.prevent_default();
        set.run(to);
    };
    let spoken = move || {
        let all = text::clock(seconds.get());
        let (from, to) = (text::clock(view.get().from), text::clock(view.get().to()));
        text::fill(w().part_of, &[&from, &to, &all])
    };
    let frame = move || {
        let whole = Stretch::whole(seconds.get());
        view.get().place(whole)
    };
    let blocks = move || {
        let whole = Stretch::whole(seconds.get());
        runs.get()
            .into_iter()
            .map(|run| {
                let (left, width) = run.stretch.place(whole);
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
                // A long song's part is a narrow one, and still a thing to grab.
                style:left=move || format!("min({}, calc(100% - 0.75rem))", frame().0)
                style:width=move || frame().1
                on:keydown=key
            ></div>
        </div>
    }
}
