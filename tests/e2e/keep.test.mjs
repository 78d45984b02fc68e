// Data that the page stores: exports, images, the history, the offline copy. Also, that it sends nothing.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { cpuReady, drive, drop, open, part, pick, rows, state, until, WEBGPU, WEBGPU_PATIENCE } from "./browser.mjs";
import { dist, serve } from "./site.mjs";
import { song } from "./song.mjs";

const clip = (name, seed = 1, seconds = 6) => ({ name, buffer: song(seed, seconds) });

/** Chromium's errors when the server does not answer. */
const OFFLINE = [
  /ERR_INTERNET_DISCONNECTED|ERR_CONNECTION|ERR_EMPTY_RESPONSE|Failed to load resource/,
  /fetching the script/,
];

async function download(page, act) {
  const [found] = await Promise.all([page.waitForEvent("download"), act()]);
  return [found.suggestedFilename(), await readFile(await found.path())];
}

test("results are sorted, exported as JSON and CSV, and saved as images", () =>
  drive({ permissions: ["clipboard-read", "clipboard-write"], acceptDownloads: true }, async ({ page, site }) => {
    await open(page, site);
    await drop(page, [clip("=b, \"quoted\".wav", 1, 9), clip("a.wav", 2, 3.2), clip("c.wav", 3, 6)]);
    await until("three", async () => (await rows(page)).filter(({ status }) => status === "done").length === 3);

    const head = (column) => part(page, "shelf").locator(`th[data-column="${column}"]`);
    const order = async () => (await rows(page)).map(({ name }) => name);
    await head("name").getByRole("button").click();
    await until("sorting", async () => (await head("name").getAttribute("aria-sort")) === "ascending");
    assert.equal((await order())[1], "a.wav");
    await head("length").getByRole("button").click();
    assert.equal((await order())[0], "a.wav");
    await head("length").getByRole("button").click();
    await until("the other way", async () => (await order())[2] === "a.wav");
    assert.equal(await head("length").getAttribute("aria-sort"), "descending");

    const [jsonName, json] = await download(page, () => part(page, "export-json").click());
    assert.equal(jsonName, "cratedigger.json");
    const records = JSON.parse(json);
    assert.equal(records.length, 3);
    for (const record of records) {
      assert.equal(record.classes.length, 10);
      assert.ok(record.classes.includes(record.genre));
      assert.ok(Math.abs(record.probabilities.reduce((a, b) => a + b) - 1) < 1e-3);
      assert.ok(record.segments.length >= 1 && record.seconds > 3);
    }
    const [, csv] = await download(page, () => part(page, "export-csv").click());
    const lines = csv.toString().trim().split("\r\n");
    assert.equal(lines.length, 4);
    assert.match(lines[0], /^song,genre,sure_enough,seconds,added,blues,/);
    // A spreadsheet must not run a name as a formula.
    assert.ok(lines.some((line) => line.startsWith("\"'=b, \"\"quoted\"\".wav\",")), csv.toString());

    const [pictureName, picture] = await download(page, () => part(page, "save-picture").click());
    assert.match(pictureName, /\.png$/);
    assert.equal(picture.subarray(1, 4).toString(), "PNG");
    assert.ok(picture.length > 10_000);
    await part(page, "copy-picture").click();
    await part(page, "notice").filter({ hasText: "Copied" }).waitFor();
    const types = await page.evaluate(async () => (await navigator.clipboard.read()).flatMap((item) => item.types));
    assert.ok(types.includes("image/png"), String(types));
  }));

test("the history survives a reload, without sound; it can be cleared and turned off", () =>
  drive({}, async ({ page, site }) => {
    await open(page, site);
    await pick(page, clip("kept.wav", 4, 9));
    await state(page, "done");
    const genre = await part(page, "result-genre").innerText();
    const databases = () =>
      page.evaluate(
        () =>
          new Promise((resolve, reject) => {
            const request = indexedDB.open("cratedigger");
            request.onerror = () => reject(request.error);
            request.onsuccess = () => {
              const all = request.result.transaction("songs").objectStore("songs").getAll();
              all.onsuccess = () => resolve(all.result);
            };
          }),
      );
    await until("the record", async () => (await databases()).length === 1);
    const [record] = await databases();
    // Results only, no sound.
    assert.ok(JSON.stringify(record).length < 5_000, JSON.stringify(record).length);

    await open(page, site);
    await part(page, "row").waitFor();
    assert.deepEqual(await rows(page), [{ name: "kept.wav", status: "done" }]);
    await part(page, "row-show").click();
    await state(page, "done");
    assert.equal(await part(page, "result-genre").innerText(), genre);
    assert.equal(await part(page, "segment").count(), 3);
    assert.ok(await part(page, "play").isDisabled());
    // The timeline may be under the pointer now, which would select a moment.
    await page.mouse.move(0, 0);
    await until("the hint", async () => /sound is not/.test(await part(page, "moment").innerText()));

    await part(page, "open-settings").click();
    await part(page, "clear-history").click();
    await until("an empty database", async () => (await databases()).length === 0);
    await part(page, "keep-history").click();
    await part(page, "close-settings").click();
    await pick(page, clip("not-kept.wav", 5, 4));
    await state(page, "done");
    assert.equal((await databases()).length, 0);
    await open(page, site);
    assert.equal(await part(page, "row").count(), 0);
  }));

test("after loading the page requests nothing, and its content security policy forbids it, also in workers", () =>
  drive({ errors: [/Content Security Policy/] }, async ({ page, site }) => {
    await open(page, site);
    await page.evaluate(() => navigator.serviceWorker.ready);
    const loaded = site.requests.length;
    await pick(page, clip("secret.wav", 6, 7));
    await state(page, "done");
    await part(page, "track").click();
    await part(page, "open-about").click();
    await part(page, "close-about").click();
    await part(page, "open-settings").click();
    await part(page, "theme-dark").check({ force: true });
    await part(page, "language-de").check({ force: true });
    await part(page, "close-settings").click();
    await part(page, "conference").click();
    assert.deepEqual(site.requests.slice(loaded), []);
    // Another server would answer, but the policy blocks the request, both from the page and from a worker
    // that is started in the same way as the page's workers.
    const other = await serve();
    const refused = await page.evaluate(async (urls) => {
      const attempt = async (scope, url) => {
        const violation = new Promise((resolve) => {
          scope.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective), { once: true });
        });
        return fetch(url, { mode: "no-cors" }).then(() => "sent", () => violation);
      };
      const source = `onmessage = async ({ data }) => postMessage(await (${attempt})(self, data));`;
      const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
      const inWorker = new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
      worker.postMessage(urls[1]);
      return [await attempt(document, urls[0]), await attempt(document, urls[1]), await inWorker];
    }, ["https://example.org/", other.url]);
    await other.close();
    assert.deepEqual(refused, ["connect-src", "connect-src", "connect-src"]);
    assert.deepEqual(other.requests, []);
  }));

test("without a network the page opens and classifies songs; it announces a newer version and installs it", () =>
  drive({ errors: OFFLINE }, async ({ page, site }) => {
    await open(page, site);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await until("the copy", () => page.evaluate(async () => Boolean(await caches.match("worker-cpu_bg.wasm"))));
    assert.ok(!site.requests.some((name) => name.startsWith("worker-gpu")), "the WebGPU worker is loaded without a GPU");

    site.down = true;
    await page.reload();
    await cpuReady(page);
    await pick(page, clip("offline.wav", 7, 6));
    await state(page, "done");
    site.down = false;

    const worker = await readFile(dist("sw.js"), "utf8");
    site.overlay.set("sw.js", Buffer.from(worker.replace(/const VERSION = "\w+"/, 'const VERSION = "newer"')));
    await page.reload();
    await cpuReady(page);
    await part(page, "update").waitFor();
    await Promise.all([page.waitForNavigation(), part(page, "update").getByRole("button").click()]);
    await cpuReady(page);
    await until("the newer copy alone", () =>
      page.evaluate(async () => String(await caches.keys()) === "cratedigger-newer"),
    );
    // The manifest and its icons exist, so that browsers can install the page.
    const manifest = JSON.parse(await readFile(dist("app.webmanifest"), "utf8"));
    for (const { src } of manifest.icons) await readFile(dist(src));
  }));

test("without a network the page still uses WebGPU", () =>
  drive({ args: WEBGPU, errors: OFFLINE }, async ({ page, site }) => {
    const gpu = '[data-testid="device-status-gpu"][data-state="ready"]';
    await open(page, site);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.locator(gpu).waitFor({ state: "attached", timeout: WEBGPU_PATIENCE });
    await until("the large worker's copy", () =>
      page.evaluate(async () => Boolean(await caches.match("worker-gpu_bg.wasm"))), WEBGPU_PATIENCE);

    site.down = true;
    await page.reload();
    await page.locator(gpu).waitFor({ state: "attached", timeout: WEBGPU_PATIENCE });
    await part(page, "open-settings").click();
    await part(page, "device-choice-gpu").check({ force: true });
    await part(page, "close-settings").click();
    await pick(page, clip("offline.wav", 7, 6));
    await page.locator('main[data-state="done"]').waitFor({ timeout: WEBGPU_PATIENCE });
    assert.match(await part(page, "device-used").innerText(), /WebGPU/);
  }));
