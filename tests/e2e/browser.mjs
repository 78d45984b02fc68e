// Starts a browser with the built site, and controls the page.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { chromium } from "playwright-core";

import { serve } from "./site.mjs";

export const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

const ARGUMENTS = [
  // Containers lack the namespaces that the sandbox needs.
  "--no-sandbox",
  // No requests except to the test's own server.
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
];

/** WebGPU on a software GPU (SwiftShader), which works on every machine and is slow. */
export const WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/** Console errors of headless Chromium itself. */
const NOT_OURS = [/No available adapters/, /GPU stall due to ReadPixels/, /AudioContext encountered an error/];

/** Timeout in milliseconds for short operations, on a busy machine. */
export const SOON = 90_000;

/** Timeout in milliseconds for operations that compile shaders on a software GPU. */
export const WEBGPU_PATIENCE = 420_000;

/** Starts Chromium with a profile in a folder. `options` are Playwright's. */
export const launch = (profile, { args = [], ...options } = {}) =>
  chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROME ?? "/usr/bin/chromium",
    args: [...ARGUMENTS, ...args],
    locale: "en-GB",
    ...options,
  });

/**
 * Runs one test in its own browser, with the built site or the files in the folder `root`. Fails if the console has an error that matches none of `errors`, if the
 * browser requests something from another host, or after `limit` milliseconds.
 */
export async function drive(options, act) {
  const folder = await mkdtemp(path.join(tmpdir(), "cratedigger-"));
  const site = await serve(options.root);
  const { root: _, args = [], width = 1280, height = 900, permissions = [], errors: expected = [], limit = 900_000, ...context } = options;
  const browser = await launch(path.join(folder, "profile"), { args, viewport: { width, height }, permissions, ...context });
  browser.setDefaultTimeout(SOON);
  const page = browser.pages()[0] ?? (await browser.newPage());
  const errors = [];
  const foreign = [];
  const own = (text) => NOT_OURS.some((words) => words.test(text)) || expected.some((words) => words.test(text));
  page.on("console", (message) => {
    if (message.type() === "error" && !own(message.text())) errors.push(message.text());
  });
  page.on("pageerror", ({ message }) => {
    if (!own(message)) errors.push(message);
  });
  browser.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(site.url) && !/^(blob|data|about|chrome)/.test(url)) foreign.push(url);
  });
  // Also ends a test whose page does not respond.
  const timer = setTimeout(() => browser.close(), limit);
  try {
    await act({ page, site, browser, folder, errors });
    assert.deepEqual(errors, [], "errors in the console");
    assert.deepEqual(foreign, [], "requests to elsewhere");
  } catch (error) {
    const text = await page.locator("body").innerText({ timeout: 2000 }).catch(() => "");
    console.error(`--- the page says\n${text}\n--- console\n${errors.join("\n")}`);
    throw error;
  } finally {
    clearTimeout(timer);
    await browser.close();
    await site.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** An element by its `data-testid`. */
export const part = (page, id) => page.locator(`[data-testid="${id}"]`);

/** Calls a function repeatedly until its result is truthy, and returns the result. */
export async function until(what, ask, patience = SOON) {
  const end = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < end, `still waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

/** Opens the page. Waits for the CPU worker (`ready`) and for the full set of networks (`full`). */
export async function open(page, site, { ready = true, full = true, hash = "" } = {}) {
  await page.goto(site.url + hash);
  await page.locator("main[data-state]").waitFor();
  if (ready) await (full ? allReady : cpuReady)(page);
}

/** Waits for the CPU worker, and for the full set of networks if the site has one. */
export async function allReady(page) {
  await cpuReady(page);
  const open = '[data-testid="networks"]:not([data-state="ready"]):not([data-state="failed"])';
  await page.locator(open).waitFor({ state: "detached" });
}

export const cpuReady = (page) =>
  page.locator('[data-testid="device-status-cpu"][data-state="ready"]').waitFor({ state: "attached" });

/** Waits until the GPU worker has been checked and timed, or has failed. */
export const gpuSettled = (page) =>
  page
    .locator('[data-testid="device-status-gpu"]:not([data-state="off"], [data-state="loading"])')
    .waitFor({ state: "attached", timeout: WEBGPU_PATIENCE });

export const state = (page, name) => page.locator(`main[data-state="${name}"]`).waitFor();

/** Gives songs to the page with the file picker. */
export const pick = (page, files) =>
  part(page, "file-input").first().setInputFiles(
    [files].flat().map(({ name, buffer }) => ({ name, mimeType: "audio/wav", buffer })),
  );

/** Drops songs on the page (or pastes them), as if from the desktop. */
export async function drop(page, files, type = "drop") {
  const encoded = files.map(({ name, buffer }) => [name, buffer.toString("base64")]);
  await page.evaluate(
    ([files, type]) => {
      const data = new DataTransfer();
      for (const [name, text] of files) {
        data.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name));
      }
      if (type === "paste") {
        document.body.dispatchEvent(
          new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: data }),
        );
        return;
      }
      for (const type of ["dragenter", "dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data }));
      }
    },
    [encoded, type],
  );
}

/** The number of colours in a canvas. */
export const colours = (canvas) =>
  canvas.evaluate((canvas) => {
    if (!canvas.width || !canvas.height) return 0;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3]) seen.add(data[i] * 65536 + data[i + 1] * 256 + data[i + 2]);
    }
    return seen.size;
  });

/** Name and status of each row in the table of songs, from the top. */
export const rows = (page) =>
  part(page, "row").evaluateAll((rows) =>
    rows.map((row) => ({ name: row.querySelector("th").innerText.trim(), status: row.dataset.status })),
  );

/** Fails if axe-core finds a violation of WCAG 2.2 A or AA, or of its best practices. */
export async function accessible(page, what) {
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)));
  if (!(await page.evaluate(() => "axe" in window))) {
    // Not with a script element, which the page's content security policy forbids.
    const { readFile } = await import("node:fs/promises");
    await page.evaluate(await readFile(AXE, "utf8"));
  }
  const found = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  const words = found.violations.map(
    (v) => `${v.id}: ${v.help}\n${v.nodes.map((n) => `    ${n.target} ${n.failureSummary}`).slice(0, 4).join("\n")}`,
  );
  assert.equal(words.length, 0, `${what}:\n${words.join("\n")}`);
}
