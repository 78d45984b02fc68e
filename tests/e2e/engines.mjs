// The tests that run in every engine: what a visitor does, from a song to its picture and back.
//
// A `Tab` is a page in a browser, the same for each driver: `folder` (for downloads and temporary files), `go`,
// `reload`, `evaluate`, `click`, `press` (keys together), `choose` (files), `copy` (to the clipboard of the screen),
// `errors` (of the console, since the last call), `close`, and `keepsDelay`, whether its decoder leaves the delay of an
// MP3 encoder in. Elements are named by their `data-testid`.

import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { SOON, until } from "./browser.mjs";
import { encode, without } from "./media.mjs";
import { classify, LOSSY, sameProbabilities, shown } from "./native.mjs";
import { dist, serve } from "./site.mjs";
import { song } from "./song.mjs";

/**
 * Maximum difference of a probability where the coding loses nothing. Chromium and Firefox scale positive 16-bit
 * samples by 1/32767 instead of 1/32768; WebKitGTK does not, and differs by 1e-7.
 */
const LOSSLESS = 3e-5;

/** Stores the console's errors in the session's storage, for drivers that do not report them. */
function watch() {
  const add = (text) => {
    const all = JSON.parse(sessionStorage.getItem("errors") ?? "[]");
    sessionStorage.setItem("errors", JSON.stringify([...all, String(text)]));
  };
  const { error } = console;
  console.error = (...given) => {
    add(given.join(" "));
    error.apply(console, given);
  };
  addEventListener("error", ({ message, target }) => add(message ?? `${target.src ?? target.href} did not load`), true);
  addEventListener("unhandledrejection", ({ reason }) => add(reason));
  addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => add(`${effectiveDirective} ${blockedURI}`));
}

/** Runs `act` with a page that is ready, of a new site, whose storage is empty. Fails if the console has an error. */
async function drive(tab, act) {
  const site = await serve();
  const boot = await readFile(dist("boot.js"), "utf8");
  site.overlay.set("boot.js", Buffer.from(`(${watch})();\n${boot}`));
  site.overlay.set("blank.html", Buffer.from("<!doctype html><link rel=icon href=data:,><title>blank</title>"));
  try {
    // Only the fast set, so that the results do not depend on when the full set is loaded.
    await tab.go(`${site.url}blank.html`);
    await tab.evaluate(() => localStorage.setItem("cratedigger.networks", "fast"));
    await tab.go(site.url);
    await ready(tab);
    await act(tab, site);
    assert.deepEqual(await tab.errors(), [], "errors in the console");
  } catch (error) {
    const text = await tab.evaluate(() => document.body.innerText).catch(() => "");
    console.error(`--- the page says\n${text}\n--- console\n${await Promise.resolve(tab.errors()).catch(() => "")}`);
    throw error;
  } finally {
    await site.close();
  }
}

const ready = (tab) =>
  until("the CPU worker", () =>
    tab.evaluate(() => document.querySelector('[data-testid="device-status-cpu"]')?.dataset.state === "ready"));

/** The text of the first such element, or null. */
export const text = (tab, id) =>
  tab.evaluate((id) => document.querySelector(`[data-testid="${id}"]`)?.innerText ?? null, id);

/** The number of such elements. */
const count = (tab, id) => tab.evaluate((id) => document.querySelectorAll(`[data-testid="${id}"]`).length, id);

const attribute = (tab, id, name) =>
  tab.evaluate((id, name) => document.querySelector(`[data-testid="${id}"]`)?.getAttribute(name) ?? null, id, name);

/** Waits until a song is shown with its result. */
export const done = (tab, name) =>
  until(`the result of ${name}`, () =>
    tab.evaluate((name) => {
      const main = document.querySelector("main");
      if (main.dataset.state === "failed") throw new Error(main.innerText);
      return main.dataset.state === "done" && document.querySelector(".song-name").innerText.trim() === name;
    }, name));

/** Gives a song to the page by the file picker; waits for its result. */
async function judge(tab, name, buffer) {
  const file = path.join(tab.folder, name);
  await writeFile(file, buffer);
  await tab.choose("file-input", file);
  await done(tab, name);
}

/** Shows a song again. */
async function show(tab, name) {
  await tab.evaluate((name) => {
    const rows = [...document.querySelectorAll('[data-testid="row"]')];
    const row = rows.find((row) => row.querySelector("th").innerText.trim() === name);
    row.querySelector('[data-testid="row-show"]').click();
  }, name);
  await done(tab, name);
}

/** Every picture of the shown song, as text: the pixels of canvases, and the shapes of its character. */
const pictures = (tab) =>
  tab.evaluate(async () => {
    // Canvases are painted in the frame after their change.
    for (let n = 0; n < 2; n += 1) await new Promise(requestAnimationFrame);
    const canvas = (id) => {
      const element = document.querySelector(`[data-testid="${id}"]`);
      const { width, height } = element;
      const { data } = element.getContext("2d").getImageData(0, 0, width, height);
      let hash = 2166136261;
      const colours = new Set();
      for (let at = 0; at < data.length; at += 4) {
        const colour = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
        colours.add(colour);
        hash = Math.imul(hash ^ colour, 16777619);
      }
      return { hash, colours: colours.size, width, height };
    };
    return {
      spectrogram: canvas("spectrogram"),
      waveform: canvas("waveform"),
      ribbon: [...document.querySelectorAll('[data-testid="segment"]')].map(({ dataset }) => dataset.class ?? "").join(),
      character: document.querySelector('[data-testid="traits"]')?.innerHTML ?? "",
    };
  });

/** The pictures when they no longer change. */
async function settled(tab, what) {
  let last;
  return until(what, async () => {
    const now = await pictures(tab);
    const same = JSON.stringify(now) === JSON.stringify(last);
    last = now;
    return same && now.character && now.spectrogram.colours > 16 && now;
  });
}

/** The only file in the folder whose name ends so, when it is complete. */
const downloaded = (tab, ending) =>
  until(`a file ${ending}`, async () => {
    const name = (await readdir(tab.folder)).find((name) => name.endsWith(ending));
    const contents = name && (await readFile(path.join(tab.folder, name), "utf8"));
    return contents && contents.trimEnd().endsWith("]") && contents;
  });

const COMMON = {
  "four formats get the native answer": async (tab, site, context) => {
    const wav = song(1, 7, { rate: 44_100, channels: 2 });
    for (const extension of ["wav", "flac", "mp3", "ogg"]) {
      const buffer = extension === "wav" ? wav : await encode(tab.folder, wav, extension);
      await judge(tab, `song.${extension}`, buffer);
      // Without this header, which gives the encoder's delay, the native program does not cut the delay either.
      const reference = extension === "mp3" && tab.keepsDelay ? await encode(tab.folder, wav, "mp3", ["-write_xing", "0"]) : buffer;
      const native = await classify(tab.folder, reference, "manifest.json", extension);
      const { genre, none, device, probabilities, segments } = await shown(tab);
      assert.equal(device, "cpu");
      assert.equal(genre, native.genre);
      assert.equal(none, native.none);
      assert.equal(segments.length, native.segments.length);
      const differences = Object.entries(probabilities).map(([genre, p]) => Math.abs(p - native.probabilities[genre]));
      context.diagnostic(`${extension}: largest difference from a native probability ${Math.max(...differences).toExponential(1)}`);
      sameProbabilities(probabilities, native.probabilities, extension, ["wav", "flac"].includes(extension) ? LOSSLESS : LOSSY);
    }
  },

  "each of two songs has its own pictures, also when it is shown again": async (tab) => {
    const names = ["one.wav", "two.wav"];
    const first = [];
    for (const [at, name] of names.entries()) {
      await judge(tab, name, song(2 + 3 * at, 9));
      first.push(await settled(tab, `the pictures of ${name}`));
    }
    for (const picture of ["spectrogram", "waveform", "character"]) {
      assert.notDeepEqual(first[0][picture], first[1][picture], `both songs have the same ${picture}`);
    }
    for (const at of [0, 1, 0]) {
      await show(tab, names[at]);
      assert.deepEqual(await settled(tab, `the pictures of ${names[at]}`), first[at], names[at]);
    }
  },

  "timeline, why, export, conference mode, and the height of the page": async (tab) => {
    const size = await tab.evaluate(() => {
      const { scrollHeight, scrollWidth } = document.documentElement;
      return { height: scrollHeight - innerHeight, width: scrollWidth - innerWidth };
    });
    assert.deepEqual(size, { height: 0, width: 0 }, "the empty page scrolls");
    // The example, because a synthetic song may be non-music, which has no genre to explain.
    await tab.click("example");
    await done(tab, "Example in three styles.wav");

    const cursor = async () => Number(await attribute(tab, "track", "aria-valuenow"));
    await tab.click("track");
    await until("the middle", async () => Math.abs((await cursor()) - 18) <= 1);
    await tab.evaluate(() => document.querySelector('[data-testid="track"]').focus());
    for (const [key, seconds] of [["Home", 0], ["ArrowRight", 1], ["End", 36]]) {
      await tab.press(key);
      await until(key, async () => (await cursor()) === seconds);
    }

    await tab.evaluate(() => {
      const cells = [...document.querySelectorAll('[data-testid="segment"]')];
      cells.find(({ dataset }) => dataset.class !== undefined).click();
    });
    await until("a genre to explain", async () => (await attribute(tab, "why-ask", "disabled")) === null);
    await tab.click("why-ask");
    await until("the reasons", () => count(tab, "why-answer"));
    assert.match(await text(tab, "why-answer"), /\S/);
    assert.equal(await count(tab, "spotlight"), 1);

    await tab.click("export-json");
    const [record] = JSON.parse(await downloaded(tab, "cratedigger.json"));
    assert.equal(record.segments.length, 12);
    assert.ok(Math.abs(record.probabilities.reduce((a, b) => a + b) - 1) < 1e-3);

    const conference = () => tab.evaluate(() => document.querySelector(".page").classList.contains("conference"));
    await tab.click("conference");
    await until("conference mode", conference);
    await tab.press("Escape");
    await until("the end of conference mode after one Escape", async () => !(await conference()));
  },

  "the history survives a reload, and the page works without a network": async (tab, site) => {
    await judge(tab, "kept.wav", song(4, 6));
    const genre = await text(tab, "result-genre");
    await until("the offline copy", () =>
      tab.evaluate(async () => {
        await navigator.serviceWorker.ready;
        return Boolean(await caches.match("worker-cpu_bg.wasm"));
      }));
    site.down = true;
    await tab.reload();
    await ready(tab);
    await until("the history", () => count(tab, "row"));
    await show(tab, "kept.wav");
    assert.equal(await text(tab, "result-genre"), genre);
    assert.equal(await count(tab, "segment"), 2);
    await judge(tab, "offline.wav", song(5, 4));
  },
};

/**
 * Declares the tests of an engine. `start` starts its browser once for all of them. All are skipped if a program in
 * `needs` is missing. `more` declares tests that only this engine has, with a function like node's `test`.
 */
export function engine(name, start, needs, more = () => {}) {
  const skip = without(...needs, "ffmpeg");
  const limit = { timeout: 10 * SOON };
  describe(name, () => {
    let tab;
    before(async () => (tab = skip ? null : await start()), limit);
    after(() => tab?.close());
    const check = (what, act) =>
      test(what, { ...limit, skip }, (context) => drive(tab, (tab, site) => act(tab, site, context)));
    Object.entries(COMMON).forEach(([what, act]) => check(what, act));
    more(check);
  });
}

/** Puts a file on the clipboard and pastes it with the keyboard. */
export async function paste(tab, name, buffer) {
  const file = path.join(tab.folder, name);
  await writeFile(file, buffer);
  await tab.copy("text/uri-list", `${pathToFileURL(file).href}\r\n`);
  await tab.press("Control", "v");
}
