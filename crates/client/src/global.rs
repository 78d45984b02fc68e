//! The global object of a page, a worker or Node.js, which have different names for it.

#![allow(unsafe_code, reason = "wasm_bindgen generates it for imported functions")]

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &JsValue, milliseconds: i32) -> JsValue;
}

/// A property of the global object; `undefined` if there is none.
pub(crate) fn get(name: &str) -> JsValue {
    Reflect::get(&js_sys::global(), &name.into()).unwrap_or(JsValue::UNDEFINED)
}

/// Calls a function after a time.
pub(crate) fn call_after(milliseconds: i32, callback: impl FnOnce() + 'static) {
    set_timeout(&Closure::once_into_js(callback), milliseconds);
}
