//! Gestures on the timeline: pointers, the wheel and keys.

use leptos::ev;
use leptos::html::Div;
use leptos::prelude::*;

use super::zoom::Zoom;
use crate::app::Page;
use crate::state::Playback;
use crate::time_range::TimeRange;

/// Seconds that an arrow key moves the cursor.
const STEP: f64 = 1.0;
/// Seconds with Shift, or with a page key.
const LONG_STEP: f64 = 10.0;

/// The gestures of the track; copies are handles to the same state.
#[derive(Clone, Copy)]
pub struct Gestures {
    page: Page,
    playback: Playback,
    zoom: Zoom,
    /// The element that the gestures are on.
    track: NodeRef<Div>,
    fingers: StoredValue<Fingers>,
}

impl Gestures {
    /// No finger on the screen.
    pub fn new(page: Page, zoom: Zoom, track: NodeRef<Div>) -> Self {
        let fingers = StoredValue::new(Fingers::default());
        Self { page, playback: page.state.playback, zoom, track, fingers }
    }

    /// Position of a client coordinate in fractions of the track's width.
    fn fraction_of(self, x: i32) -> Option<f64> {
        let bounds = self.track.get_untracked()?.get_bounding_client_rect();
        Some((f64::from(x) - bounds.left()) / bounds.width().max(1.0))
    }

    /// The time under a pointer, if the length of the song is known.
    fn time_of(self, event: &ev::PointerEvent) -> Option<f64> {
        let fraction = self.fraction_of(event.client_x())?.clamp(0.0, 1.0);
        (self.zoom.seconds_now() > 0.0).then(|| self.zoom.view_now().time(fraction))
    }

    /// A pointer goes down.
    pub fn down(self, event: &ev::PointerEvent) {
        if event.pointer_type() == "touch" {
            // This may be the first of two fingers, or the start of a scroll: wait for what follows.
            if let Some(fraction) = self.fraction_of(event.client_x()) {
                let _ = self.fingers.try_update_value(|f| f.put(event.pointer_id(), fraction));
            }
        } else if event.button() == 0
            && let Some(time) = self.time_of(event)
        {
            self.page.seek(time);
            if let Some(track) = self.track.get_untracked() {
                // Without capture, a drag that leaves the track ends there.
                let _ = track.set_pointer_capture(event.pointer_id());
            }
        }
    }

    /// A pointer is lifted or lost.
    pub fn lifted(self, event: &ev::PointerEvent) {
        let _ = self.fingers.try_update_value(|f| f.lift(event.pointer_id()));
    }

    /// A pointer goes up. A tap moves the cursor.
    pub fn up(self, event: &ev::PointerEvent) {
        let tapped = self.fingers.try_update_value(|f| !f.pinching && f.lift(event.pointer_id()));
        if let Some(time) = self.time_of(event).filter(|_| tapped == Some(true)) {
            self.page.seek(time);
        }
        self.lifted(event);
    }

    /// A pointer moves.
    pub fn moved(self, event: &ev::PointerEvent) {
        if event.pointer_type() == "touch" {
            return self.finger_moved(event);
        }
        let time = self.time_of(event);
        if event.buttons() & 1 == 1 {
            if let Some(time) = time {
                self.page.seek(time);
            }
            self.playback.hover.set(None);
        } else if event.pointer_type() == "mouse" {
            self.playback.hover.set(time);
        }
    }

    /// A finger moves: two pinch, one moves the cursor.
    fn finger_moved(self, event: &ev::PointerEvent) {
        let fraction = self.fraction_of(event.client_x()).unwrap_or_default();
        let moved = self.fingers.try_update_value(|f| {
            let before = f.two();
            let drags = f.follow(event.pointer_id(), fraction);
            (before.zip(f.two()), drags && !f.pinching)
        });
        match moved {
            Some((Some((before, after)), _)) => {
                self.zoom.set(self.zoom.view_now().pinched(self.zoom.seconds_now(), before, after));
            }
            Some((None, true)) => {
                if let Some(time) = self.time_of(event) {
                    self.page.seek(time);
                }
            }
            _ => {}
        }
    }

    /// The pointer leaves the track.
    pub fn left(self) {
        self.playback.hover.set(None);
    }

    /// The wheel turns: with Ctrl it zooms, with Shift or sideways it scrolls.
    pub fn wheel(self, event: &ev::WheelEvent) {
        let (all, now) = (self.zoom.seconds_now(), self.zoom.view_now());
        let width = self.track.get_untracked().map_or(1.0, |track| f64::from(track.client_width().max(1)));
        let pixels = |delta: f64| match event.delta_mode() {
            ev::WheelEvent::DOM_DELTA_PIXEL => delta,
            ev::WheelEvent::DOM_DELTA_LINE => 16.0 * delta,
            _ => width * delta,
        };
        let (x, y) = (pixels(event.delta_x()), pixels(event.delta_y()));
        let fraction = self.fraction_of(event.client_x());
        // Browsers report a pinch on a touchpad as a wheel event with Ctrl.
        if event.ctrl_key() || event.meta_key() {
            let Some(fraction) = fraction.filter(|_| TimeRange::possible(all)) else { return };
            event.prevent_default();
            let factor = (0.008 * y).clamp(-0.6, 0.6).exp();
            self.zoom.set(now.scaled(all, factor, now.time(fraction.clamp(0.0, 1.0))));
        } else if self.zoom.is_part_now() && (event.shift_key() || x.abs() > y.abs()) {
            event.prevent_default();
            // With Shift, some browsers swap the axes themselves.
            let along = if x == 0.0 { y } else { x };
            self.zoom.set(now.moved(all, along / width));
        }
        // Another time is under the pointer now.
        if self.playback.hover.get_untracked().is_some() {
            self.playback.hover.set(fraction.map(|fraction| self.zoom.view_now().time(fraction)));
        }
    }

    /// A key is pressed on the track.
    pub fn key(self, event: &ev::KeyboardEvent) {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let now = self.playback.position.get_untracked();
        let step = if event.shift_key() { LONG_STEP } else { STEP };
        let to = match event.key().as_str() {
            "ArrowLeft" | "ArrowDown" => now - step,
            "ArrowRight" | "ArrowUp" => now + step,
            "PageDown" => now - LONG_STEP,
            "PageUp" => now + LONG_STEP,
            "Home" => 0.0,
            "End" => self.zoom.seconds_now(),
            " " | "Enter" => {
                event.prevent_default();
                return self.page.toggle();
            }
            "+" | "=" => return self.zoom.scale(1.0 / Zoom::STEP),
            "-" => return self.zoom.scale(Zoom::STEP),
            "0" => return self.zoom.show_all(),
            _ => return,
        };
        event.prevent_default();
        self.page.seek(to);
    }
}

/// Distance in fractions of the width from which a finger drags.
const DRAG: f64 = 0.015;

/// One finger on a touch screen.
struct Finger {
    /// `pointer_id` of this touch.
    id: i32,
    /// Position where it went down, in fractions of the width.
    start: f64,
    /// Current position, in fractions of the width.
    fraction: f64,
    /// Whether it moved far enough for a drag.
    drags: bool,
}

/// All fingers on the screen.
#[derive(Default)]
struct Fingers {
    down: Vec<Finger>,
    /// Whether two fingers were down at once. It stays so until the last one is lifted, because a finger
    /// that remains must not move the cursor.
    pinching: bool,
}

impl Fingers {
    fn put(&mut self, id: i32, fraction: f64) {
        self.lift(id);
        self.down.push(Finger { id, start: fraction, fraction, drags: false });
        self.pinching |= self.down.len() > 1;
    }

    /// Removes a finger; returns whether it was down.
    fn lift(&mut self, id: i32) -> bool {
        let before = self.down.len();
        self.down.retain(|finger| finger.id != id);
        self.pinching &= !self.down.is_empty();
        self.down.len() < before
    }

    /// Moves a finger; returns whether it drags.
    fn follow(&mut self, id: i32, fraction: f64) -> bool {
        let Some(finger) = self.down.iter_mut().find(|finger| finger.id == id) else { return false };
        finger.fraction = fraction;
        finger.drags |= (fraction - finger.start).abs() > DRAG;
        finger.drags
    }

    /// Positions of the first two fingers.
    fn two(&self) -> Option<[f64; 2]> {
        match self.down.as_slice() {
            [a, b, ..] => Some([a.fraction, b.fraction]),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_finger_drags_only_after_some_distance() {
        let mut fingers = Fingers::default();
        fingers.put(1, 0.5);
        assert!(!fingers.follow(1, 0.51));
        assert!(fingers.follow(1, 0.6));
        assert!(fingers.follow(1, 0.5));
        assert!(!fingers.follow(2, 0.9));
    }

    #[test]
    fn a_pinch_lasts_until_the_last_finger_is_lifted() {
        let mut fingers = Fingers::default();
        fingers.put(1, 0.2);
        fingers.put(2, 0.8);
        assert_eq!(fingers.two(), Some([0.2, 0.8]));
        assert!(fingers.lift(1) && fingers.pinching && fingers.two().is_none());
        assert!(fingers.lift(2) && !fingers.pinching);
        assert!(!fingers.lift(2));
    }
}
