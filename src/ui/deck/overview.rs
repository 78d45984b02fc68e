//! The whole song in one line, below a timeline that shows a part of it. The visitor can drag the
//! visible part.

use leptos::ev;
use leptos::html::Div;
use leptos::prelude::*;

use super::zoom::Zoom;
use crate::state::{Answer, Run, Sound, State};
use crate::text;
use crate::time_range::TimeRange;

/// Distance of an arrow key, in fractions of the visible part.
const STEP: f64 = 0.1;

/// The line. `controls` is the id of the element that it moves.
#[component]
pub fn Overview(state: State, runs: Memo<Vec<Run>>, zoom: Zoom, controls: &'static str) -> impl IntoView {
    let w = move || &state.words().deck;
    let Zoom { seconds, view, .. } = zoom;
    let drag = Drag { zoom, line: NodeRef::new(), grip: StoredValue::new(0.5) };
    let frame = move || view.get().place(TimeRange::whole(seconds.get()));
    let spoken = move || {
        let shown = view.get();
        let (from, to) = (text::clock(shown.from), text::clock(shown.to()));
        text::fill(w().part_of, &[&from, &to, &text::clock(seconds.get())])
    };
    view! {
        <div
            class="overview"
            node_ref=drag.line
            on:pointerdown=move |event| drag.down(&event)
            on:pointermove=move |event| drag.moved(&event)
        >
            <div class="overview-song" aria-hidden="true">{move || blocks(&runs.get(), seconds.get())}</div>
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
                // Keeps a minimum width to grab in a long song.
                style:left=move || format!("min({}, calc(100% - 0.75rem))", frame().0)
                style:width=move || frame().1
                on:keydown=move |event| key(zoom, &event)
            ></div>
        </div>
    }
}

/// One block for each run of segments with one answer.
fn blocks(runs: &[Run], seconds: f64) -> impl IntoView + use<> {
    let whole = TimeRange::whole(seconds);
    runs.iter()
        .map(|run| {
            let (left, width) = run.range.place(whole);
            let class = run.class().map(|class| class.to_string());
            let sound = run.answer.and_then(Answer::sound).map(Sound::id);
            view! {
                <span
                    data-class=class
                    data-non-music=sound
                    style:left=move || left.clone()
                    style:width=move || width.clone()
                ></span>
            }
        })
        .collect_view()
}

/// Keys of the visible part.
fn key(zoom: Zoom, event: &ev::KeyboardEvent) {
    let (all, now) = (zoom.seconds_now(), zoom.view_now());
    let to = match event.key().as_str() {
        "ArrowLeft" | "ArrowUp" => now.moved(all, -STEP),
        "ArrowRight" | "ArrowDown" => now.moved(all, STEP),
        "PageUp" => now.moved(all, -1.0),
        "PageDown" => now.moved(all, 1.0),
        "Home" => TimeRange { from: 0.0, ..now },
        "End" => TimeRange::put(all, all, 1.0, now.span),
        _ => return,
    };
    event.prevent_default();
    zoom.set(to);
}

/// Dragging the visible part.
#[derive(Clone, Copy)]
struct Drag {
    zoom: Zoom,
    line: NodeRef<Div>,
    /// Position of the pointer in fractions of the visible part.
    grip: StoredValue<f64>,
}

impl Drag {
    /// The time under a pointer.
    fn time_of(self, event: &ev::PointerEvent) -> Option<f64> {
        let bounds = self.line.get_untracked()?.get_bounding_client_rect();
        let fraction = (f64::from(event.client_x()) - bounds.left()) / bounds.width().max(1.0);
        Some(fraction * self.zoom.seconds_now())
    }

    fn go(self, event: &ev::PointerEvent) {
        if let Some(time) = self.time_of(event) {
            let span = self.zoom.view_now().span;
            self.zoom.set(TimeRange::put(self.zoom.seconds_now(), time, self.grip.get_value(), span));
        }
    }

    fn down(self, event: &ev::PointerEvent) {
        if event.button() != 0 {
            return;
        }
        let now = self.zoom.view_now();
        let inside = self.time_of(event).filter(|time| now.shows(*time));
        self.grip.set_value(inside.map_or(0.5, |time| now.fraction(time)));
        self.go(event);
        if let Some(line) = self.line.get_untracked() {
            // Without capture, a drag that leaves the line ends there.
            let _ = line.set_pointer_capture(event.pointer_id());
        }
    }

    fn moved(self, event: &ev::PointerEvent) {
        if event.buttons() & 1 == 1 {
            self.go(event);
        }
    }
}
