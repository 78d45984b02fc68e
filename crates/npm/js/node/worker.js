// Node.js has no web workers. This class has the part of `Worker` that the client and the CPU worker use, on a thread.

import { resolveObjectURL } from "node:buffer";
import { MessageChannel, Worker as Thread } from "node:worker_threads";

/** The script of the thread that this module runs on, from which a worker starts its helpers. */
const own = { url: null, source: null };

export function rememberOwn(url, source) {
  own.url = url;
  own.source = source;
}

/**
 * A file as a thread gets it. The thread reads it synchronously, piece by piece: it asks for a piece by the port and
 * waits for the flag.
 */
function lend(file, ports) {
  const { port1, port2 } = new MessageChannel();
  const flag = new Int32Array(new SharedArrayBuffer(4));
  port1.on("message", async ({ start, end }) => {
    try {
      const piece = await file.slice(start, end).arrayBuffer();
      port1.postMessage({ piece }, [piece]);
    } catch (error) {
      port1.postMessage({ error: String(error) });
    }
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
  });
  ports.push(port1);
  return [{ lentFile: { name: file.name ?? "", size: file.size, port: port2, flag } }, port2];
}

export class Worker {
  onmessage = null;
  onerror = null;
  #thread;
  #ports = [];
  #sent;

  constructor(url, { name = "" } = {}) {
    this.#thread = new Thread(new URL("./thread.js", import.meta.url), { name, workerData: { name, url } });
    this.#thread.on("message", (data) => this.onmessage?.({ data }));
    this.#thread.on("error", (error) => this.onerror?.({ message: String(error?.message ?? error), preventDefault() {} }));
    const source = url === own.url ? Promise.resolve(own.source) : resolveObjectURL(url).text();
    this.#sent = source.then((text) => this.#thread.postMessage({ source: text }));
  }

  postMessage(message, transfer = []) {
    const moved = [...transfer];
    const parts = !Array.isArray(message) ? message : message.map((part) => {
      if (!(part instanceof Blob)) return part;
      const [lent, port] = lend(part, this.#ports);
      moved.push(port);
      return lent;
    });
    // After the script, and in order.
    this.#sent = this.#sent.then(() => this.#thread.postMessage(parts, moved));
    this.#sent.catch((error) => this.onerror?.({ message: String(error), preventDefault() {} }));
  }

  terminate() {
    for (const port of this.#ports) port.close();
    void this.#thread.terminate();
  }
}
