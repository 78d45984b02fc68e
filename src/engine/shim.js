// Starts one worker's WebAssembly. `base` (the page's folder) and `name` are declared above this
// text by the page, which runs it from a blob: URL (see client.rs for why).

// A worker delivers messages from the moment this script has run, and the module is compiled
// after that: keep what comes in between, or it is lost.
const early = [];
const keep = (event) => early.push(event.data);
self.addEventListener("message", keep);

const dead = (detail) =>
  self.postMessage([{ type: "failed", id: null, kind: "device", detail: String(detail) }]);

// A panic inside a future rejects a promise, of which the page would never hear.
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
