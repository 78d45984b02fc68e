//! Waits for the WebGPU worker while `cargo xtask serve` still builds it.

use serde::Deserialize;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

/// Milliseconds between two requests for the status.
const INTERVAL: i32 = 2_000;

/// The contents of the status file.
#[derive(Deserialize)]
struct Status {
    /// Names of the workers that are still being built.
    building: Vec<String>,
}

/// Waits until the worker with this name is built.
///
/// Only a page that is served during the build has the element that names the status file. Every other page
/// requests nothing, and its workers count as built. So does a worker whose status cannot be read: starting
/// it then shows the reason.
pub async fn built(worker: &str) {
    let Some(url) = status_url() else { return };
    while status(&url).await.is_ok_and(|status| status.building.iter().any(|name| name == worker)) {
        pause().await;
    }
}

/// The URL of the status file, from `<meta name="build-status" content="…">`.
fn status_url() -> Option<String> {
    let element = web_sys::window()?.document()?.query_selector("meta[name=build-status]").ok()??;
    element.get_attribute("content")
}

async fn status(url: &str) -> Result<Status, JsValue> {
    let window = web_sys::window().ok_or(JsValue::NULL)?;
    let response: Response = JsFuture::from(window.fetch_with_str(url)).await?.dyn_into()?;
    let json = JsFuture::from(response.json()?).await?;
    Ok(serde_wasm_bindgen::from_value(json)?)
}

async fn pause() {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        if let Some(window) = web_sys::window() {
            // An error would leave the promise pending, and the page on the CPU.
            let _ = window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, INTERVAL);
        }
    });
    let _ = JsFuture::from(promise).await;
}
