// Every file, and every length: what the browser does not decode, the page's own decoder does.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { colours, drive, drop, open, part, rows, state, until } from "./browser.mjs";
import { au, bits24in32, codedFiles, have, plainFiles } from "./files.mjs";
import { memory, resident } from "./memory.mjs";
import { song } from "./song.mjs";

/** Minutes that the page may take to analyse a long file on a busy machine. */
const LONG_PATIENCE = 3_000_000;

const row = (page, name) => part(page, "row").filter({ hasText: name });

/** Gives files to the page, and checks their lengths and what the page says about each. */
async function check(page, files) {
  for (const [name, buffer] of files) await drop(page, [{ name, buffer }]);
  await until("all songs", async () => {
    const all = await rows(page);
    return all.length === files.length && all.every(({ status }) => !["waiting", "decoding", "analysing"].includes(status));
  }, 600_000);
  const wrong = [];
  for (const [name, , seconds, note] of files) {
    const line = row(page, name);
    await line.getByTestId("row-show").click();
    const status = await line.getAttribute("data-status");
    if (status !== "done") {
      wrong.push(`${name}: ${status}: ${await part(page, "error").innerText().catch(() => "")}`);
      continue;
    }
    const length = Number(await part(page, "track").getAttribute("aria-valuemax"));
    const notes = await part(page, "note").allInnerTexts();
    if (Math.abs(length - seconds) > 0.5) wrong.push(`${name}: ${length} s, not ${seconds} s`);
    if (note && !notes.some((text) => note.test(text))) wrong.push(`${name} says: ${notes.join(" ")}`);
  }
  assert.deepEqual(wrong, []);
}

test("odd headers, .au, 24 bits in 32 and channels that cancel: all of the sound, and a word", () =>
  drive({}, async ({ page, site }) => {
    await open(page, site, { full: false });
    await check(page, plainFiles());
  }));

const encoders = have("ffmpeg", "lame", "flac", "oggenc") ? false : "needs ffmpeg, lame, flac and oggenc";
test("joined, chained, changing and unusual codings: all of the sound, and a word", { skip: encoders }, () =>
  drive({}, async ({ page, site }) => {
    await open(page, site, { full: false });
    await check(page, codedFiles());
  }));

test("a file that cannot be read gets the reason that fits it, in both languages", () =>
  drive({}, async ({ page, site }) => {
    await open(page, site, { full: false });
    const png = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(500, 1)]);
    const files = {
      "picture.mp3": [png, /PNG picture/, /PNG-Bild/],
      "old.wma": [Buffer.concat([Buffer.from("\x30\x26\xb2\x75\x8e\x66\xcf\x11", "latin1"), Buffer.alloc(400)]), /Windows Media/, /Windows Media/],
      "words.txt": [Buffer.from("Only words.\n".repeat(20)), /plain text/, /einfacher Text/],
      "zeros.wav": [Buffer.alloc(3000), /nothing but zeros/, /nur Nullen/],
      "empty.flac": [Buffer.alloc(0), /0 bytes/, /0 Byte/],
    };
    for (const [name, [buffer]] of Object.entries(files)) await drop(page, [{ name, buffer }]);
    await until("all refused", async () => {
      const all = await rows(page);
      return all.length === 5 && all.every(({ status }) => status === "failed");
    });
    const said = async (name) => {
      await row(page, name).getByTestId("row-show").click();
      return part(page, "error").innerText();
    };
    for (const [name, [, english]] of Object.entries(files)) assert.match(await said(name), english, name);
    await part(page, "open-settings").click();
    await part(page, "language-de").check({ force: true });
    await part(page, "close-settings").click();
    for (const [name, [, , german]] of Object.entries(files)) assert.match(await said(name), german, name);
  }));

test("the decoder is fetched only when a file needs it, and a file that needs it says so where it is missing", () =>
  drive({ errors: [/worker-decode/, /404/], serviceWorkers: "block" }, async ({ page, site }) => {
    await open(page, site, { full: false });
    await drop(page, [{ name: "plain.wav", buffer: song(1, 6) }]);
    await state(page, "done");
    assert.ok(!site.requests.some((name) => name.startsWith("worker-decode")));
    site.overlay.set("worker-decode_bg.wasm", Buffer.from("no module"));
    await drop(page, [{ name: "sun.au", buffer: au(song(2, 6)) }]);
    await state(page, "failed");
    assert.match(await part(page, "error").innerText(), /own decoder could not be loaded/);
    site.overlay.delete("worker-decode_bg.wasm");
    await part(page, "retry").click();
    await state(page, "done");
    assert.ok(site.requests.includes("worker-decode_bg.wasm"));
  }));

/** The page's own example as a WAV file: its segments have a genre. The page must be opened with `bypassCSP`. */
async function example(page) {
  await part(page, "example").click();
  await state(page, "done");
  const base64 = await page.evaluate(async () => {
    const bytes = new Uint8Array(await (await fetch(document.querySelector("audio").src)).arrayBuffer());
    let text = "";
    for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    return btoa(text);
  });
  await part(page, "row-remove").first().click();
  await state(page, "idle");
  return Buffer.from(base64, "base64");
}

test("a drop that holds only the address of a file says so", () =>
  drive({}, async ({ page, site }) => {
    await open(page, site, { full: false });
    await page.evaluate(() => {
      const data = new DataTransfer();
      data.setData("text/uri-list", "file:///home/someone/song.mp3");
      document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
    });
    assert.match(await part(page, "notice").innerText(), /only the address/);
    await page.evaluate(() => {
      const data = new DataTransfer();
      data.setData("text/uri-list", "https://example.org/");
      document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
    });
    await until("another sentence", async () => /no file/.test(await part(page, "notice").innerText()));
  }));

/** Explains a segment, and returns the answer. */
async function why(page, index) {
  await page.locator(`[data-testid=segment][data-index="${index}"]`).evaluate((cell) => cell.click());
  await part(page, "why-ask").click();
  await part(page, "why-answer").waitFor();
  return part(page, "why-answer").innerText();
}

test("a segment of a file that the browser refuses is explained", () =>
  drive({ bypassCSP: true }, async ({ page, site }) => {
    await open(page, site);
    const wav = await example(page);
    await drop(page, [{ name: "wide.wav", buffer: bits24in32(wav) }]);
    await state(page, "done");
    assert.match(await why(page, 2), /0:06 and 0:09/);
  }));

/** Writes a WAV file that repeats another one, without holding it. */
function writeLong(file, wav, times) {
  const header = Buffer.from(wav.subarray(0, 44));
  header.writeUInt32LE(36 + times * (wav.length - 44), 4);
  header.writeUInt32LE(times * (wav.length - 44), 40);
  const out = openSync(file, "w");
  writeSync(out, header);
  for (let n = 0; n < times; n += 1) writeSync(out, wav, 44);
  closeSync(out);
}

/** Analyses a long file from the disk; prints times and memory. */
async function long({ page, browser }, file, seconds, { whole = true, limit = 300 } = {}) {
  const before = await memory(browser);
  const start = Date.now();
  await part(page, "file-input").first().setInputFiles(file);
  await part(page, "segment").first().waitFor({ timeout: LONG_PATIENCE });
  const first = Date.now() - start;
  let most = before;
  const watch = async (ended) => {
    for (;;) {
      most = Math.max(most, await resident(browser));
      if (await ended()) return;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  };
  const size = (statSync(file).size / 1e6).toFixed(0);
  const status = () => part(page, "row").first().getAttribute("data-status");
  if (whole) {
    await watch(async () => (await status()) !== "analysing");
    assert.equal(await status(), "done");
    const length = Number(await part(page, "track").getAttribute("aria-valuemax"));
    // Each of a hundred parts of an MP3 file has the encoder's padding.
    assert.ok(Math.abs(length - seconds) <= 0.003 * seconds, `${length} s, not ${seconds} s`);
    assert.ok(Math.abs((await part(page, "segment").count()) - length / 3) <= 1);
    await until("the spectrogram", async () => (await colours(part(page, "spectrogram"))) > 16);
  } else {
    await watch(async () => (await part(page, "segment").count()) >= 100);
    // What the whole hour does not show comes back where one zooms in: 78 columns instead of 26.
    const zoomIn = part(page, "zoom-in");
    while ((await zoomIn.getAttribute("aria-disabled")) !== "true") await zoomIn.click();
    await until("a finer spectrogram", async () => (await steps(part(page, "spectrogram"))) > 30);
    const asked = Date.now();
    await part(page, "cancel").click();
    await until("the end", async () => (await status()) === "cancelled");
    console.log(`cancelled after ${Date.now() - asked} ms`);
  }
  const more = most - before;
  console.log(`${path.basename(file)} (${size} MB, ${seconds} s): first segment ${first} ms after the drop, ` +
    `${((Date.now() - start) / 1000).toFixed(0)} s in all, at most ${more.toFixed(0)} MB more than ${before.toFixed(0)} MB`);
  assert.ok(more < limit, `${more} MB more`);
}

/** Runs a test with a folder for large files. */
async function withFolder(act) {
  const folder = mkdtempSync(path.join(tmpdir(), "cratedigger-long-"));
  try {
    await act(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a test with the page, a folder for large files, and the page's example as a WAV file of 36 seconds. */
const withExample = (act) =>
  withFolder((folder) =>
    drive({ limit: LONG_PATIENCE, bypassCSP: true }, async (world) => {
      await open(world.page, world.site);
      await act({ ...world, folder, wav: await example(world.page) });
    }));

test("twenty minutes are analysed piece by piece, in little memory", () =>
  withExample(async ({ folder, wav, ...world }) => {
    const { page } = world;
    const file = path.join(folder, "twenty.wav");
    writeLong(file, wav, 34);
    await long(world, file, 34 * 36);
    // A late segment is explained from its own samples. The example repeats, so the reasons do.
    const late = await why(page, 33 * 12 + 2);
    assert.match(late, /19:54 and 19:57/);
    const early = await why(page, 2);
    assert.match(early, /0:06 and 0:09/);
    const parts = (text) => text.replace(/[.:\d]+/g, "");
    assert.equal(parts(late), parts(early));
    const zoomIn = part(page, "zoom-in");
    while ((await zoomIn.getAttribute("aria-disabled")) !== "true") await zoomIn.click();
    const zoomed = part(page, "spectrogram");
    // Six seconds have 78 columns, some of them alike in one row.
    await until("a finer spectrogram", async () => (await steps(zoomed)) > 30);
  }));

/** The number of places in the middle row of a canvas at which its colour changes. */
const steps = (canvas) =>
  canvas.evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, canvas.height >> 1, canvas.width, 1);
    let count = 0;
    for (let at = 4; at < data.length; at += 4) count += data[at] !== data[at - 4] || data[at + 1] !== data[at - 3];
    return count;
  });

test("an hour begins to be analysed at once, in little memory, and is cancelled at once", () =>
  withExample(async ({ folder, wav, ...world }) => {
    const file = path.join(folder, "hour.wav");
    writeLong(file, wav, 100);
    await long(world, file, 3600, { whole: false });
  }));

const ALL = process.env.CRATEDIGGER_ALL ? encoders : "takes many minutes: `cargo xtask test --all`";
for (const [title, hours, name, line] of [
  // Without a bit reservoir, frames can be repeated.
  ["an hour of MP3", 1, "hour.mp3", "lame --quiet -b 128 --nores -t part.wav part.mp3; for n in $(seq 100); do cat part.mp3; done > hour.mp3"],
  ["an hour of FLAC", 1, "hour.flac", "ffmpeg -v error -stream_loop 99 -i part.wav hour.flac"],
  ["four hours of MP3", 4, "four.mp3", "lame --quiet -b 128 --nores -t part.wav part.mp3; for n in $(seq 400); do cat part.mp3; done > four.mp3"],
]) {
  test(`${title} is analysed in little memory`, { skip: ALL }, () =>
    withExample(async ({ folder, wav, ...world }) => {
      writeFileSync(path.join(folder, "part.wav"), wav);
      execFileSync("sh", ["-ec", line], { cwd: folder });
      await long(world, path.join(folder, name), 3600 * hours, { limit: 200 + 100 * hours });
    }));
}
