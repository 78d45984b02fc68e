// Starts one worker's WebAssembly. The client declares `base` (the folder with the worker's files) and
// `name` above this text and runs it from a blob: URL; worker.rs says why.

// A worker receives messages as soon as this script has run, and the module is compiled only after
// that. Messages that come in between are kept, or they would be lost.
const early = [];
const keep = (event) => early.push(event.data);
self.addEventListener("message", keep);

const dead = (detail) =>
  self.postMessage([{ type: "failed", id: null, kind: "device", detail: String(detail) }]);

// A panic inside a future rejects a promise and raises no error event on the page.
self.addEventListener("unhandledrejection", (event) => dead(event.reason));

try {
  importScripts(`${base}${name}.js`);
  wasm_bindgen({ module_or_path: `${base}${name}_bg.wasm` }).then(() => {
    self.removeEventListener("message", keep);
    for (const data of early) self.dispatchEvent(new MessageEvent("message", { data }));
  }, dead);
} catch (error) {
  dead(error);
}
