// A worker of the site, without the page.

import { readFile } from "node:fs/promises";

/** Starts a worker in the same way as the page. */
const SHIM = new URL("../../crates/client/src/shim.js", import.meta.url);

/** Opens an empty page of the site, without the page's code and content security policy. */
export async function openBlank(page, site) {
  site.overlay.set("blank.html", Buffer.from("<!doctype html><link rel=icon href=data:,><title>blank</title>"));
  await page.goto(`${site.url}blank.html`);
}

/**
 * Starts a worker and has it load the networks in `models`; returns its answer as `[header, logits]`. The worker and
 * its helpers run `before` first.
 */
export async function load(page, site, name, models = "models", before = "") {
  const shim = await readFile(SHIM, "utf8");
  const [main, binary] = [`${name}.js`, `${name}_bg.wasm`].map((file) => JSON.stringify(site.url + file));
  const script = `${before}\nconst script = ${main}; const binary = ${binary};\n${shim}`;
  site.overlay.set("start.js", Buffer.from(script));
  await page.evaluate(() => {
    window.worker?.terminate();
    window.worker = new Worker("start.js");
  });
  return ask(page, { type: "load", models: `${site.url}${models}/` });
}

/** Sends a request to the worker; returns its next message as `[header, payload]`. */
export const ask = (page, request) =>
  page.evaluate(
    (request) =>
      new Promise((resolve, reject) => {
        const { worker } = window;
        worker.onmessage = ({ data: [header, payload] }) => resolve([header, payload ? [...payload] : []]);
        worker.onerror = ({ message }) => reject(new Error(message));
        worker.postMessage([request]);
      }),
    request,
  );
