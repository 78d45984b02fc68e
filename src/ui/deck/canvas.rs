//! Helpers for canvases whose pixels match the screen's.

use leptos::html::Canvas;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ResizeObserver};

/// Largest width in pixels; browsers do not support much wider canvases.
const WIDEST: f64 = 16_384.0;
/// Largest height in pixels.
const HIGHEST: f64 = 2048.0;

/// A signal that changes when the size of the canvas or the screen's pixel ratio changes.
pub fn resized(canvas: NodeRef<Canvas>) -> RwSignal<u32> {
    let resized = RwSignal::new(0u32);
    // Kept until the view is removed.
    let observer = StoredValue::new_local(None::<(ResizeObserver, Closure<dyn FnMut()>)>);
    Effect::new(move |_| {
        let Some(canvas) = canvas.get() else { return };
        let notify = Closure::<dyn FnMut()>::new(move || resized.update(|n| *n = n.wrapping_add(1)));
        if let Ok(observe) = ResizeObserver::new(notify.as_ref().unchecked_ref()) {
            observe.observe(&canvas);
            observer.set_value(Some((observe, notify)));
        }
    });
    on_cleanup(move || {
        let _ = observer.try_update_value(|held| {
            if let Some((observe, _)) = held {
                observe.disconnect();
            }
        });
    });
    resized
}

/// The size that matches the screen's pixels: width and height.
fn wanted(canvas: &HtmlCanvasElement) -> (u32, u32) {
    let ratio = window().device_pixel_ratio().clamp(0.5, 4.0);
    let width = (f64::from(canvas.client_width()) * ratio).clamp(1.0, WIDEST);
    let height = (f64::from(canvas.client_height()) * ratio).clamp(1.0, HIGHEST);
    (width.round() as u32, height.round() as u32)
}

/// Whether the canvas has the size that matches the screen's pixels.
pub fn fits(canvas: &HtmlCanvasElement) -> bool {
    (canvas.width(), canvas.height()) == wanted(canvas)
}

/// Gives the canvas that size; returns whether this changed it and so cleared the canvas.
pub fn fit(canvas: &HtmlCanvasElement) -> bool {
    if fits(canvas) {
        return false;
    }
    let (width, height) = wanted(canvas);
    canvas.set_width(width);
    canvas.set_height(height);
    true
}

/// The context to draw with.
pub fn context(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok()??.dyn_into().ok()
}
