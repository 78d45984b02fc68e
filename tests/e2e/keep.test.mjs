// What is kept: exports, pictures, the history, the offline copy; and what is never sent.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { cpuReady, drive, drop, open, part, pick, rows, state, until } from "./browser.mjs";
import { song } from "./song.mjs";

const clip = (name, seed = 1, seconds = 6) => ({ name, buffer: song(seed, seconds) });

/** What Chromium says of a server that is gone. */
const OFFLINE = [
  /ERR_INTERNET_DISCONNECTED|ERR_CONNECTION|ERR_EMPTY_RESPONSE|Failed to load resource/,
  /fetching the script/,
];
/** A graphics card in software, so that it can be tested anywhere; it takes its time. */
const WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const PATIENCE = 240_000;

async function download(page, act) {
  const [found] = await Promise.all([page.waitForEvent("download"), act()]);
  return [found.suggestedFilename(), await readFile(await found.path())];
}

test("results are sorted, exported as JSON and CSV, and kept as pictures", () =>
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
    // A name is words, even where a spreadsheet would see a formula.
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
    // Results only: nothing in there is as large as sound.
    assert.ok(JSON.stringify(record).length < 5_000, JSON.stringify(record).length);

    await open(page, site);
    await part(page, "row").waitFor();
    assert.deepEqual(await rows(page), [{ name: "kept.wav", status: "done" }]);
    await part(page, "row-show").click();
    await state(page, "done");
    assert.equal(await part(page, "result-genre").innerText(), genre);
    assert.equal(await part(page, "segment").count(), 3);
    assert.ok(await part(page, "play").isDisabled());
    assert.match(await part(page, "moment").innerText(), /sound is not/);

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

test("after load nothing is asked for, whatever the visitor does; the policy forbids the rest", () =>
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
    const refused = await page.evaluate(() => fetch("https://example.org/").then(() => "sent", () => "refused"));
    assert.equal(refused, "refused");
  }));

test("with the network cut the page opens and judges songs; a newer version is announced and taken", () =>
  drive({ errors: OFFLINE }, async ({ page, site }) => {
    await open(page, site);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await until("the copy", () => page.evaluate(async () => Boolean(await caches.match("worker-cpu_bg.wasm"))));
    assert.ok(!site.requests.some((name) => name.startsWith("worker-gpu")), "the large worker is not for everyone");

    site.down = true;
    await page.reload();
    await cpuReady(page);
    await pick(page, clip("offline.wav", 7, 6));
    await state(page, "done");
    site.down = false;

    const worker = await readFile(`${process.env.CRATEDIGGER_DIST}/sw.js`, "utf8");
    site.overlay.set("sw.js", Buffer.from(worker.replace(/const VERSION = "\w+"/, 'const VERSION = "newer"')));
    await page.reload();
    await cpuReady(page);
    await part(page, "update").waitFor();
    await Promise.all([page.waitForNavigation(), part(page, "update").getByRole("button").click()]);
    await cpuReady(page);
    await until("the newer copy alone", () =>
      page.evaluate(async () => String(await caches.keys()) === "cratedigger-newer"),
    );
    // It can be installed: the manifest and its icons are there.
    const manifest = JSON.parse(await readFile(`${process.env.CRATEDIGGER_DIST}/app.webmanifest`, "utf8"));
    for (const { src } of manifest.icons) await readFile(`${process.env.CRATEDIGGER_DIST}/${src}`);
  }));

test("with the network cut, a graphics card is still used", () =>
  drive({ args: WEBGPU, errors: OFFLINE }, async ({ page, site }) => {
    const gpu = '[data-testid="device-status-gpu"][data-state="ready"]';
    await open(page, site);
    await page.evaluate(() => navigator.serviceWorker.ready);
    // A card in software takes its time to compile and to prove itself.
    await page.locator(gpu).waitFor({ state: "attached", timeout: PATIENCE });
    await until("the large worker's copy", () =>
      page.evaluate(async () => Boolean(await caches.match("worker-gpu_bg.wasm"))), PATIENCE);

    site.down = true;
    await page.reload();
    await page.locator(gpu).waitFor({ state: "attached", timeout: PATIENCE });
    await part(page, "open-settings").click();
    await part(page, "device-choice-gpu").check({ force: true });
    await part(page, "close-settings").click();
    await pick(page, clip("offline.wav", 7, 6));
    await page.locator('main[data-state="done"]').waitFor({ timeout: PATIENCE });
    assert.match(await part(page, "device-used").innerText(), /WebGPU/);
  }));
