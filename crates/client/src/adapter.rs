//! Asks the browser for a GPU.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;

use crate::global;
use crate::trouble::Reason;

/// Asks whether there is a GPU adapter. Through reflection, because the bindings for WebGPU are
/// unstable and the client needs no more of them.
///
/// # Errors
///
/// [`Reason::NoApi`] and [`Reason::NoAdapter`].
pub(crate) async fn find() -> Result<(), Reason> {
    let navigator = global::get("navigator");
    if !navigator.is_object() {
        return Err(Reason::NoApi);
    }
    let gpu = Reflect::get(&navigator, &"gpu".into()).map_err(|_| Reason::NoApi)?;
    if !gpu.is_object() {
        return Err(Reason::NoApi);
    }
    let request: Function =
        Reflect::get(&gpu, &"requestAdapter".into()).and_then(JsCast::dyn_into).map_err(|_| Reason::NoApi)?;
    let promise: Promise = request.call0(&gpu).and_then(JsCast::dyn_into).map_err(|_| Reason::NoAdapter)?;
    let adapter = JsFuture::from(promise).await.map_err(|_| Reason::NoAdapter)?;
    if adapter.is_object() { Ok(()) } else { Err(Reason::NoAdapter) }
}
