// What the bindings use of a browser's globals and Node.js has not, or has differently.

export { Worker } from "./worker.js";

/** A timer that does not keep the process alive: the threads do, as long as there is work. */
export const setTimeout = (callback, milliseconds) => globalThis.setTimeout(callback, milliseconds).unref();
