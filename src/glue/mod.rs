//! The page's own JavaScript: browser features for which Rust's bindings are long.

#![allow(unsafe_code, reason = "wasm_bindgen generates it for imported functions")]

use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{Blob, DataTransfer, File, FileList, HtmlCanvasElement};

#[wasm_bindgen(module = "/src/glue/browser.js")]
extern "C" {
    /// Files of a drop or a paste, and the number that was left out.
    pub type Found;
    #[wasm_bindgen(method, getter)]
    pub fn files(this: &Found) -> Array;
    #[wasm_bindgen(method, getter)]
    pub fn left(this: &Found) -> u32;
    #[wasm_bindgen(method, getter)]
    pub fn folder(this: &Found) -> bool;
    #[wasm_bindgen(method, getter)]
    pub fn address(this: &Found) -> bool;

    #[wasm_bindgen(js_name = hasAddress)]
    pub fn has_address(data: &DataTransfer) -> bool;

    /// Promise of a [`Found`]. The list is read before this returns, since browsers empty it afterwards.
    #[wasm_bindgen(js_name = filesOf)]
    pub fn files_of(data: Option<&DataTransfer>) -> Promise;
    #[wasm_bindgen(js_name = filesOfFolder)]
    pub fn files_of_folder(list: &FileList) -> Found;

    #[wasm_bindgen(js_name = saveText)]
    pub fn save_text(text: &str, kind: &str, name: &str);
    pub fn pretty(value: &JsValue) -> String;
    #[wasm_bindgen(js_name = copyText, catch)]
    pub async fn copy_text(text: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(js_name = savePicture, catch)]
    pub async fn save_picture(canvas: &HtmlCanvasElement, name: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(js_name = copyPicture, catch)]
    pub async fn copy_picture(canvas: &HtmlCanvasElement) -> Result<(), JsValue>;

    #[wasm_bindgen(js_name = historyAll, catch)]
    pub async fn history_all() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = historyPut, catch)]
    pub async fn history_put(song: JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = historyDelete, catch)]
    pub async fn history_delete(key: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = historyClear, catch)]
    pub async fn history_clear() -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub async fn kept(store: &str, key: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    pub async fn keep(store: &str, value: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = allKept, catch)]
    pub async fn all_kept(store: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = countKept, catch)]
    pub async fn count_kept(store: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = dropKept, catch)]
    pub async fn drop_kept(store: &str, key: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = clearKept, catch)]
    pub async fn clear_kept(store: &str) -> Result<JsValue, JsValue>;

    /// SHA-256 of a file's content, or what identifies it where the browser has no hash.
    #[wasm_bindgen(js_name = contentOf, catch)]
    pub async fn content_of(file: &File) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = bytesOf, catch)]
    pub async fn bytes_of(file: &Blob) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = saveBytes)]
    pub fn save_bytes(bytes: &Uint8Array, kind: &str, name: &str);
    #[wasm_bindgen(js_name = saveParts)]
    pub fn save_parts(parts: &Array, kind: &str, name: &str);

    pub fn offers() -> Array;

    pub async fn conference(on: bool);
    #[wasm_bindgen(js_name = goOffline)]
    pub async fn go_offline(on_update: &Closure<dyn FnMut()>);
    #[wasm_bindgen(js_name = keepGpuWorker)]
    pub async fn keep_gpu_worker();
    pub async fn update();
}

/// Files on disk that a page may write.
#[wasm_bindgen(module = "/src/glue/disk.js")]
extern "C" {
    /// A file on disk, with the folder that it was found in.
    #[derive(Clone)]
    pub type Place;

    /// Whether the browser lets a page write files, if the visitor allows it.
    #[wasm_bindgen(js_name = canWrite)]
    pub fn can_write() -> bool;
    #[wasm_bindgen(js_name = chooseFolder, catch)]
    pub async fn choose_folder() -> Result<JsValue, JsValue>;
    /// The [`Place`]s where a file may lie.
    #[wasm_bindgen(js_name = placesOf, catch)]
    pub async fn places_of(file: &File) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = fileAt, catch)]
    pub async fn file_at(place: &Place) -> Result<JsValue, JsValue>;
    /// For each place, whether it may be written.
    pub async fn permitted(places: &Array) -> JsValue;
    #[wasm_bindgen(catch)]
    pub async fn replace(place: &Place, bytes: &Uint8Array, seen: &File) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = pathInside)]
    pub fn path_inside(file: &File) -> String;
}
