// Endurance: hundreds of files through one page, and workers that are lost again and again.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { drive, drop, open, part, rows, until } from "./browser.mjs";
import { antiphase, au, bits24in32, have, inFolder } from "./files.mjs";
import { memory } from "./memory.mjs";
import { song } from "./song.mjs";

const skip = process.env.CRATEDIGGER_ALL ? false : "takes many minutes: `cargo xtask test --all`";
const LIMIT = 3_000_000;
const underWay = ({ status }) => ["waiting", "decoding", "analysing"].includes(status);

/** Short files of many kinds, the coded ones only where the encoders are. */
function kinds() {
  const wav = (seed) => song(seed, 4 + (seed % 3), { rate: seed % 2 ? 44100 : 22050, channels: 1 + (seed % 2) });
  const plain = [1, 2, 3, 4].map((seed) => ["wav", wav(seed)]);
  plain.push(["au", au(wav(5))], ["wav", bits24in32(wav(7))], ["wav", antiphase(song(8, 4))]);
  if (!have("ffmpeg", "lame", "flac", "oggenc")) return plain;
  return inFolder((folder, run) => {
    writeFileSync(path.join(folder, "a.wav"), wav(9));
    run(`lame --quiet -V2 a.wav a.mp3; flac -s -f a.wav; oggenc -Q a.wav; f='ffmpeg -v error -y -i a.wav'
      $f a.opus; $f a.m4a; $f a.aiff; $f -c:a alac alac.m4a`);
    const coded = ["a.mp3", "a.flac", "a.ogg", "a.opus", "a.m4a", "a.aiff", "alac.m4a"];
    return [...plain, ...coded.map((name) => [path.extname(name).slice(1), readFileSync(path.join(folder, name))])];
  });
}

/** Files that cannot be analysed. */
const BROKEN = [Buffer.alloc(0), Buffer.alloc(400), Buffer.from("words ".repeat(90)), song(1, 1).subarray(0, 30)];

test("500 files of mixed kinds, every tenth broken: each has a result or a reason, and memory stays", { skip }, () =>
  drive({ limit: LIMIT }, async ({ page, site, browser }) => {
    await open(page, site, { full: false });
    const good = kinds();
    const files = Array.from({ length: 500 }, (_, n) => {
      const name = `song-${String(n).padStart(3, "0")}`;
      if (n % 10 === 9) return { name: `${name}.wav`, buffer: BROKEN[(n / 10) % BROKEN.length | 0] };
      const [extension, buffer] = good[n % good.length];
      return { name: `${name}.${extension}`, buffer };
    });
    const measure = async (count) => {
      await until(`${count} songs`, async () => {
        const all = await rows(page);
        return all.length === count && !all.some(underWay);
      }, LIMIT);
      return memory(browser);
    };
    let after50 = 0;
    for (let at = 0; at < files.length; at += 50) {
      await drop(page, files.slice(at, at + 50));
      const now = await measure(at + 50);
      if (at === 0) after50 = now;
      console.log(`${at + 50} files: ${now.toFixed(0)} MB`);
    }
    const all = await rows(page);
    const failed = all.filter(({ status }) => status === "failed").map(({ name }) => Number(name.slice(5, 8)));
    assert.deepEqual([...new Set(all.map(({ status }) => status))].sort(), ["done", "failed"]);
    assert.ok(failed.every((n) => n % 10 === 9) && failed.length === 50, String(failed));
    const more = (await memory(browser)) - after50;
    assert.ok(more < 100, `${more} MB more than after 50 files`);
  }));

test("the CPU worker is lost at ten moments: every song still gets its answer", { skip }, () =>
  drive({ limit: LIMIT }, async ({ page, site }) => {
    await page.addInitScript(() => {
      window.started = [];
      window.Worker = class extends Worker {
        constructor(url, options) {
          super(url, options);
          if (options?.name === "worker-cpu") window.started.push(this);
        }
      };
    });
    await open(page, site, { full: false });
    const files = Array.from({ length: 10 }, (_, n) => {
      const wav = song(n + 1, 24, { channels: 1 + (n % 2) });
      // Every second one goes through the page's own decoder.
      return n % 2 ? { name: `lost-${n}.au`, buffer: au(wav) } : { name: `lost-${n}.wav`, buffer: wav };
    });
    await drop(page, files);
    let seed = 20;
    for (const { name } of files) {
      const line = part(page, "row").filter({ hasText: name });
      await until(`${name} to be under way`, async () =>
        ["decoding", "analysing", "done"].includes(await line.getAttribute("data-status")), LIMIT);
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      await page.evaluate(async (wait) => {
        await new Promise((resolve) => setTimeout(resolve, wait));
        const worker = window.started.at(-1);
        worker.terminate();
        worker.dispatchEvent(new ErrorEvent("error", { message: "lost on purpose" }));
      }, (seed / 2 ** 31) * 400);
      await until(`${name} to be done`, async () => (await line.getAttribute("data-status")) === "done", LIMIT);
    }
    assert.ok((await rows(page)).every(({ status }) => status === "done"));
    assert.ok((await page.evaluate(() => window.started.length)) >= 11);
  }));
