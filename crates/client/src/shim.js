// Starts one worker's WebAssembly. The client declares `script` and `binary` (the URLs of the worker's
// two files) above this text and runs it from a blob: URL; worker.rs says why. A worker starts its helpers with
// the same script; these get the compiled module as their first message.

// A worker receives messages as soon as this script has run, and the module is compiled only after
// that. Messages that come in between are kept, or they would be lost.
const early = [];
let take;
const given = new Promise((resolve) => (take = resolve));
const keep = ({ data }) => (data instanceof WebAssembly.Module ? take(data) : early.push(data));
self.addEventListener("message", keep);

const dead = (detail) =>
  self.postMessage([{ type: "failed", id: null, kind: "device", detail: String(detail) }]);

// A panic inside a future rejects a promise and raises no error event on the page.
self.addEventListener("unhandledrejection", (event) => dead(event.reason));

try {
  importScripts(script);
  const module = self.name === "helper" ? given : binary;
  wasm_bindgen({ module_or_path: module }).then(() => {
    self.removeEventListener("message", keep);
    for (const data of early) self.dispatchEvent(new MessageEvent("message", { data }));
  }, dead);
} catch (error) {
  dead(error);
}
