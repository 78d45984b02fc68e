// A thread of Node.js that looks like a dedicated web worker to the package's workers. The globals are those of this
// thread only.

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { runInThisContext } from "node:vm";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";

import { Worker, rememberOwn } from "./worker.js";

/** A file of the main thread, or a piece of it. */
class File {
  constructor(lent, start = 0, end = lent.size) {
    this.lent = lent;
    this.start = start;
    this.size = end - start;
    this.name = lent.name;
  }

  slice(start, end) {
    return new File(this.lent, this.start + start, Math.min(this.start + end, this.lent.size));
  }
}

class FileReaderSync {
  readAsArrayBuffer({ lent, start, size }) {
    const { port, flag } = lent;
    Atomics.store(flag, 0, 0);
    port.postMessage({ start, end: start + size });
    Atomics.wait(flag, 0, 0);
    const { piece, error } = receiveMessageOnPort(port).message;
    if (error) throw new Error(error);
    return piece;
  }
}

const TYPES = { wasm: "application/wasm", json: "application/json" };
const webFetch = globalThis.fetch;

/** Node.js' fetch reads no files. */
async function fetchAny(url, options) {
  if (!String(url).startsWith("file:")) return webFetch(url, options);
  const path = fileURLToPath(url);
  const headers = { "content-type": TYPES[path.split(".").at(-1)] ?? "application/octet-stream" };
  return new Response(await readFile(path), { headers });
}

function importScripts(url) {
  if (!url.startsWith("file:")) throw new Error(`in Node.js the package's files are read from a folder, not from ${url}`);
  const path = fileURLToPath(url);
  runInThisContext(readFileSync(path, "utf8"), { filename: path });
}

const target = new EventTarget();

function dispatchEvent(event) {
  target.dispatchEvent(event);
  if (event.type === "message") globalThis.onmessage?.(event);
}

const globals = {
  self: globalThis,
  name: workerData.name,
  onmessage: null,
  location: { href: workerData.url },
  navigator: { hardwareConcurrency: availableParallelism() },
  postMessage: (message, transfer = []) => parentPort.postMessage(message, [...transfer]),
  addEventListener: (...given) => target.addEventListener(...given),
  removeEventListener: (...given) => target.removeEventListener(...given),
  dispatchEvent,
  importScripts,
  fetch: fetchAny,
  File,
  FileReaderSync,
  Worker,
};
for (const [name, value] of Object.entries(globals)) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}

process.on("unhandledRejection", (reason) => dispatchEvent(Object.assign(new Event("unhandledrejection"), { reason })));

const received = (part) => (part?.lentFile ? new File(part.lentFile) : part);

parentPort.once("message", ({ source }) => {
  rememberOwn(workerData.url, source);
  parentPort.on("message", (message) => {
    const data = Array.isArray(message) ? message.map(received) : message;
    dispatchEvent(new MessageEvent("message", { data }));
  });
  // A script of its own, in a function because its declarations are not global in a browser's worker either.
  runInThisContext(`(() => {${source}\n})()`, { filename: workerData.url });
});
