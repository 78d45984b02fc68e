// Many files through one page, and workers that are lost. `cargo xtask test --all` runs the large versions.

import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { drive, gpuSettled, open, part, rows, until, WEBGPU, WEBGPU_PATIENCE } from "./browser.mjs";
import { au, bits24in32 } from "./files.mjs";
import { encode, without } from "./media.mjs";
import { memory } from "./memory.mjs";
import { LOSSY, run, sameProbabilities, TOLERANCE } from "./native.mjs";
import { dist } from "./site.mjs";
import { hiss, random, song } from "./song.mjs";

const LARGE = Boolean(process.env.CRATEDIGGER_ALL);
const skip = without("ffmpeg");
const skipLarge = !LARGE && "takes many minutes; `cargo xtask test --all` runs it";

/** Largest growth of the browser's memory from the 50th file to the last, in MB. */
const GROWTH = 100;
/** Files before the first measurement of the memory. */
const WARM = 50;
/** Without animations, which take more time than the songs where there is no GPU. */
const STILL = { reducedMotion: "reduce" };
/** Timeout in milliseconds for one song, on a busy machine. */
const PER_SONG = 20_000;

const WORDS = Buffer.from("These are words and no music at all.\n".repeat(40));
/** Files without a result: name and contents by their number. */
const BROKEN = [
  () => ["mp3", WORDS],
  () => ["wav", Buffer.alloc(0)],
  () => ["wav", song(1, 3).subarray(0, 40)],
  () => ["wav", song(1, 4, { silentFrom: 0 })],
  () => ["wav", song(1, 1 / 22_050)],
  () => ["flac", Buffer.concat([Buffer.from("fLaC"), WORDS])],
  () => ["ogg", Buffer.concat([Buffer.from("OggS"), WORDS])],
];

/** Kinds of files: the extension, and how a WAV file becomes one; by ffmpeg, if it is not said. */
const KINDS = [
  ["wav", (wav) => wav],
  ["mp3"],
  ["flac"],
  ["ogg"],
  // The browser decodes no .au and noise in these 32 bits, so the page's own decoder does.
  ["au", au],
  ["wav", bits24in32],
  ["m4a"],
  ["opus"],
  ["aiff"],
];

/** Writes `count` files of mixed kinds into a folder, every tenth of them broken; returns the names of these. */
async function crate(folder, from, count) {
  await mkdir(folder, { recursive: true });
  const broken = [];
  const name = (n, extension) => `${String(n).padStart(3, "0")}.${extension}`;
  for (let n = from; n < from + count; n += 1) {
    if (n % 10 === 0) {
      const [extension, contents] = BROKEN[(n / 10) % BROKEN.length]();
      await writeFile(path.join(folder, name(n, extension)), contents);
      broken.push(name(n, extension));
      continue;
    }
    const [extension, convert] = KINDS[n % KINDS.length];
    const rate = [22_050, 32_000, 44_100, 48_000][(n >> 2) % 4];
    const wav = n % 25 === 7 ? hiss(4, rate) : song(n, n % 8 ? 3.2 : 9.2, { rate, channels: 1 + (n % 2) });
    const contents = convert ? convert(wav) : await encode(path.dirname(folder), wav, extension);
    await writeFile(path.join(folder, name(n, extension)), contents);
  }
  return broken;
}

/** Opens the page with only the fast set, so that the results do not depend on when the full set is loaded. */
async function openFast(page, site) {
  await page.addInitScript(() => localStorage.setItem("cratedigger.networks", "fast"));
  await open(page, site, { full: false });
}

/** Gives a folder to the page. Waits until all `count` songs of the page have ended. */
async function finish(page, folder, count) {
  await part(page, "folder-input").first().setInputFiles(folder);
  const ended = async () => {
    const all = await rows(page);
    return all.length === count && all.every(({ status }) => ["done", "failed"].includes(status)) && all;
  };
  return until(`the end of ${count} songs`, ended, PER_SONG * count);
}

/** Fails unless exactly the files in `broken` have no result. */
const onlyFailed = (all, broken) =>
  assert.deepEqual(all.filter(({ status }) => status === "failed").map(({ name }) => name).sort(), [...broken].sort());

test("500 files in one page: each has a result or a reason, and the memory does not grow", { skip: skip || skipLarge }, (context) =>
  drive({ ...STILL, limit: 7_200_000 }, async ({ page, site, browser, folder }) => {
    await openFast(page, site);
    const broken = [];
    const measured = [];
    for (let count = WARM; count <= 500; count += WARM) {
      broken.push(...(await crate(`${folder}/${count}`, count - WARM + 1, WARM)));
      const all = await finish(page, `${folder}/${count}`, count);
      onlyFailed(all, broken);
      measured.push(Math.round(await memory(browser)));
      context.diagnostic(`${count} files: ${measured.at(-1)} MB`);
    }
    await reasons(page, broken);
    const growth = measured.at(-1) - measured[0];
    assert.ok(growth <= GROWTH, `${growth} MB more after the last file: ${measured.join(", ")}`);
  }));

/** Fails unless each of these songs has a reason and what to do. */
async function reasons(page, names) {
  for (const name of names) {
    await part(page, "row").filter({ hasText: name }).getByTestId("row-show").evaluate((button) => button.click());
    await page.locator(".song-name", { hasText: name }).waitFor();
    assert.match(await part(page, "error").innerText(), /\. .*\.$/, name);
  }
}

/** The page's record of each song, by name. */
async function records(page) {
  const [found] = await Promise.all([page.waitForEvent("download"), part(page, "export-json").click()]);
  const all = JSON.parse(await readFile(await found.path()));
  return new Map(all.map((record) => [record.name, record]));
}

/** Fails unless the page has exactly the songs of these folders that are not in `broken`, with the native answers. */
async function nativeAnswers(page, broken, ...folders) {
  const shown = await records(page);
  const listed = await Promise.all(
    folders.map(async (folder) => (await readdir(folder)).map((name) => path.join(folder, name))),
  );
  const good = listed.flat().filter((file) => !broken.includes(path.basename(file)));
  assert.equal(shown.size, good.length);
  const args = ["classify", "--format", "json", "--model", dist("models/manifest.json"), ...good];
  for (const line of (await run("CRATEDIGGER_BIN", ...args)).trim().split("\n")) {
    const { file, probabilities } = JSON.parse(line);
    const { classes, probabilities: values } = shown.get(path.basename(file));
    const found = Object.fromEntries(classes.map((name, at) => [name, values[at]]));
    sameProbabilities(found, probabilities, file, /\.(mp3|ogg|opus|m4a)$/.test(file) ? LOSSY : TOLERANCE);
  }
}

/** Whether a worker is the page's CPU worker, and is alive. */
const isCpu = (worker) => worker.evaluate(() => self.name === "worker-cpu").catch(() => false);

/** Ends the page's CPU worker by an error that it does not catch, or by a rejected promise, as a panic does. */
async function killCpu(page, rejects) {
  for (const worker of page.workers()) {
    if (!(await isCpu(worker))) continue;
    // The worker may be replaced at any time.
    await worker
      .evaluate((rejects) => {
        const error = new Error("killed on purpose");
        if (rejects) Promise.reject(error);
        else setTimeout(() => { throw error; });
      }, rejects)
      .catch(() => {});
    return true;
  }
  return false;
}

const working = (page) => part(page, "row").and(page.locator("[data-status=analysing]"));

/**
 * Loses workers at random moments while songs are analysed. Three songs end between two losses, because a song that
 * two workers were lost to is given up.
 */
async function lose(page, times, seed, kill) {
  const next = random(seed);
  const ended = async () => (await rows(page)).filter(({ status }) => ["done", "failed"].includes(status)).length;
  for (let n = 0; n < times; n += 1) {
    const before = n === 0 ? 0 : (await ended()) + 3;
    await until("the next songs", async () => (await ended()) >= before, PER_SONG * 10);
    await working(page).first().waitFor();
    await new Promise((resolve) => setTimeout(resolve, 400 * next()));
    await until("a worker to lose", () => kill(n));
  }
}

const [songs, kills] = LARGE ? [100, 10] : [40, 2];
test(`${songs} files, and the CPU worker is lost ${kills} times: each file has the native answer or a reason`, { skip }, () =>
  drive({ ...STILL, errors: [/on purpose/], acceptDownloads: true, limit: 3_600_000 }, async ({ page, site, folder }) => {
    await openFast(page, site);
    const broken = await crate(`${folder}/crate`, 1, songs);
    let starts = 0;
    page.on("worker", async (worker) => {
      if (await isCpu(worker)) starts += 1;
    });
    const ended = finish(page, `${folder}/crate`, songs);
    await lose(page, kills, 5, (n) => killCpu(page, n % 2 === 1));
    onlyFailed(await ended, broken);
    assert.equal(starts, kills, "a new worker for each that was lost");
    await nativeAnswers(page, broken, `${folder}/crate`);
  }));

test("the GPU is lost five times: each file has the native answer or a reason", { skip: skip || skipLarge }, () =>
  drive({ ...STILL, args: [...WEBGPU, "--disable-gpu-process-crash-limit"], errors: [/./], acceptDownloads: true, limit: 5_400_000 }, async ({ page, site, folder }) => {
    await openFast(page, site);
    const session = await page.context().newCDPSession(page);
    const choose = (id) => part(page, id).evaluate((button) => button.click());
    const next = random(11);
    const broken = [];
    const folders = [];
    for (let round = 0; round < 5; round += 1) {
      // Choosing WebGPU after it failed tries it again. The browser offers no adapter while its GPU process starts.
      const device = part(page, "device-status-gpu");
      await until(`the GPU, round ${round}`, async () => {
        await choose("device-choice-cpu");
        await choose("device-choice-gpu");
        await gpuSettled(page);
        return (await device.getAttribute("data-state")) === "ready";
      }, WEBGPU_PATIENCE * 2);
      folders.push(`${folder}/${round}`);
      broken.push(...(await crate(folders.at(-1), 1 + 10 * round, 10)));
      const ended = finish(page, folders.at(-1), 10 * (round + 1));
      await working(page).first().waitFor({ timeout: WEBGPU_PATIENCE });
      await new Promise((resolve) => setTimeout(resolve, 3000 * next()));
      await session.send("Browser.crashGpuProcess").catch(() => {});
      onlyFailed(await ended, broken);
      assert.equal(await device.getAttribute("data-state"), "failed", `round ${round}`);
    }
    await nativeAnswers(page, broken, ...folders);
  }));
