// The page's predictions equal the native program's, on the CPU and on WebGPU, also after errors.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { allReady, colours, drive, drop, gpuSettled, open, part, pick, rows, state, until, WEBGPU, WEBGPU_PATIENCE } from "./browser.mjs";
import { classify, same, shown } from "./native.mjs";
import { dist } from "./site.mjs";
import { hiss, song } from "./song.mjs";

const FAST = "manifest.json";
const FULL = "full.json";

/** Opens the page with only the fast set, so that the results do not depend on when the full set is loaded. */
async function openFast(page, site) {
  await page.addInitScript(() => localStorage.setItem("cratedigger.networks", "fast"));
  await open(page, site, { full: false });
}

/** Gives one song to the page, waits until it is finished and shows it; returns `done` or `failed`. */
async function finish(page, name, buffer, { by = drop, timeout } = {}) {
  await by(page, [{ name, buffer }]);
  const row = part(page, "row").filter({ hasText: name });
  const end = async () => {
    const found = (await rows(page)).find((row) => row.name === name)?.status;
    return ["done", "failed"].includes(found) && found;
  };
  const status = await until(`the end of ${name}`, end, timeout);
  await row.getByTestId("row-show").click();
  await state(page, status);
  return status;
}

/** The same for a song that succeeds; returns its result. */
async function judge(page, name, buffer, options) {
  const status = await finish(page, name, buffer, options);
  assert.equal(status, "done", status === "failed" ? await part(page, "error").innerText() : name);
  // The timeline may be under the pointer now; the bars would then show a moment.
  await page.mouse.move(2, 2);
  await page.locator("main").evaluate(() => new Promise(requestAnimationFrame));
  return shown(page);
}

/** Chooses a radio button, also in a closed dialog. */
const choose = (page, id) => part(page, id).evaluate((button) => button.click());
const device = (page, id) => part(page, `device-status-${id}`);

test("a song gets the native answer on the CPU", () =>
  drive({}, async ({ page, site, folder }) => {
    await openFast(page, site);
    const stereo = song(1, 9, { rate: 44_100, channels: 2 });
    const first = await judge(page, "stereo.wav", stereo);
    assert.equal(first.device, "cpu");
    assert.equal(first.segments.length, 3);
    same(first, await classify(folder, stereo, FAST));
    await until("the spectrogram", async () => (await colours(part(page, "spectrogram"))) > 16);

    // At the networks' own rate, with silence in the middle and an incomplete last segment.
    const mono = song(2, 10.7, { silentFrom: 3, silentTo: 6 });
    const second = await judge(page, "mono.wav", mono, { by: pick });
    assert.equal(second.segments.filter(({ genre }) => genre === null).length, 1);
    same(second, await classify(folder, mono, FAST));

    await device(page, "gpu").and(page.locator("[data-state=unavailable]")).waitFor({ state: "attached" });
    assert.match(await device(page, "gpu").textContent(), /not available/);
  }));

test("all networks give the native answer, and say when it is none of the genres", () =>
  drive({}, async ({ page, site, folder }) => {
    await openFast(page, site);
    const music = song(16, 9, { rate: 44_100, channels: 2 });
    same(await judge(page, "song.wav", music), await classify(folder, music, FAST));

    await choose(page, "networks-full");
    await allReady(page);
    await part(page, "ask-all").click();
    await part(page, "votes").waitFor();
    await state(page, "done");
    same(await shown(page), await classify(folder, music, FULL));
    assert.ok((await part(page, "votes").locator("tbody tr").count()) > 1);

    const noise = hiss(6, 44_100);
    const result = await judge(page, "hiss.wav", noise);
    const native = await classify(folder, noise, FULL);
    assert.ok(native.none, `hiss was classified as ${native.genre}`);
    same(result, native);
    assert.match(await part(page, "result-genre").innerText(), /None|No music/);
  }));

test("a file without audio gets an error message, and the next song is classified", () =>
  drive({}, async ({ page, site, folder }) => {
    await openFast(page, site);
    const files = {
      "words.mp3": Buffer.from("These are words and no music at all.\n".repeat(40)),
      "empty.wav": Buffer.alloc(0),
      "blip.wav": song(1, 1 / 44_100, { rate: 44_100 }),
      "silence.wav": song(1, 5, { rate: 44_100, silentFrom: 0 }),
      "cut.wav": song(3, 3).subarray(0, 40),
    };
    const messages = new Set();
    for (const [name, buffer] of Object.entries(files)) {
      assert.equal(await finish(page, name, buffer), "failed", name);
      const error = part(page, "error");
      assert.equal(await error.getAttribute("role"), "alert");
      const words = (await error.innerText()).trim();
      assert.match(words, /^.{20,}\.$/s, name);
      messages.add(words);
    }
    // Text and a truncated header may have the same message.
    assert.ok(messages.size >= 4, [...messages].join("\n"));

    const good = song(4, 4, { rate: 48_000, channels: 2 });
    same(await judge(page, "good.wav", good), await classify(folder, good, FAST));
    assert.equal(await part(page, "error").count(), 0);
  }));

test("a long song can be cancelled, and another dropped while it is analysed", () =>
  drive({}, async ({ page, site, folder }) => {
    await openFast(page, site);
    // Clicks inside the page, because the song may be finished before a click from here arrives.
    await page.evaluate(() => {
      const observer = new MutationObserver(() => {
        const segments = document.querySelectorAll("[data-testid=segment]").length;
        const cancel = [...document.querySelectorAll("main button")].find((button) => button.innerText.trim() === "Cancel");
        if (!segments || !cancel) return;
        observer.disconnect();
        window.segments = segments;
        cancel.click();
      });
      observer.observe(document.querySelector("main"), { childList: true, subtree: true });
    });
    const long = song(10, 120);
    await drop(page, [{ name: "long.wav", buffer: long }]);
    const segments = await until("the cancellation", () => page.evaluate(() => window.segments));
    assert.ok(segments < 40, `${segments} segments before it was cancelled`);
    await state(page, "idle");
    const second = song(11, 6);
    same(await judge(page, "second.wav", second), await classify(folder, second, FAST));

    await drop(page, [{ name: "longer.wav", buffer: long }]);
    const third = song(12, 9, { rate: 44_100 });
    same(await judge(page, "third.wav", third), await classify(folder, third, FAST));
    assert.match(await page.locator(".song-name").innerText(), /third\.wav/);
  }));

test("WebGPU gives the native answer, and so does the CPU after it", () =>
  drive({ args: WEBGPU }, async ({ page, site, folder }) => {
    await openFast(page, site);
    await gpuSettled(page);
    assert.equal(await device(page, "gpu").getAttribute("data-state"), "ready", await device(page, "gpu").textContent());
    const short = song(5, 3, { rate: 44_100 });
    const native = await classify(folder, short, FAST);
    await choose(page, "device-choice-gpu");
    const gpu = await judge(page, "gpu.wav", short, { timeout: WEBGPU_PATIENCE });
    assert.equal(gpu.device, "web-gpu");
    same(gpu, native);
    await choose(page, "device-choice-cpu");
    const cpu = await judge(page, "cpu.wav", short);
    assert.equal(cpu.device, "cpu");
    same(cpu, native);
  }));

/** GPU workers that fail, and the reason that the page shows. */
const BROKEN = [
  ["it does not start", "throw new Error('no such luck');", /stopped/],
  ["its message is invalid", "self.wasm_bindgen = async () => { self.onmessage = () => postMessage(['garbage']); };", /stopped/],
  ["its logits are wrong", failing("golden-mismatch", "off by 3"), /differ from the reference/],
  ["the GPU lacks a feature", failing("no-gpu", "no timestamp queries"), /lacks something/],
];

function failing(kind, detail) {
  const message = JSON.stringify([{ type: "failed", id: null, kind, detail }]);
  return `self.wasm_bindgen = async () => { self.onmessage = () => postMessage(${message}); };`;
}

/** A worker that passes its check, is the fastest, and fails at its first song. */
const CRASHES_ON_A_SONG = `
  self.wasm_bindgen = async () => {
    self.onmessage = ({ data: [request] }) => {
      if (request.type !== "load") setTimeout(() => { throw new Error("device lost"); });
      else postMessage([{
        type: "ready", device: "web-gpu", deviceName: "made up", models: [],
        classes: ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"],
        goldenDifference: 0, goldenTolerance: 0.002, millisecondsPerSegment: 0.000001,
      }, new Float32Array(10)]);
    };
  };`;

test("when the GPU worker fails, the CPU gives the native answer", async () => {
  const short = song(13, 4.5);
  const crashes = ["it crashes on a song", CRASHES_ON_A_SONG, /stopped/];
  for (const [name, script, reason] of [...BROKEN, crashes]) {
    // The errors come from the worker.
    await drive({ args: WEBGPU, errors: [/./] }, async ({ page, site, folder }) => {
      site.overlay.set("worker-gpu.js", Buffer.from(script));
      await openFast(page, site);
      await gpuSettled(page);
      const state = script === CRASHES_ON_A_SONG ? "ready" : "failed";
      assert.equal(await device(page, "gpu").getAttribute("data-state"), state, name);
      const result = await judge(page, "song.wav", short);
      assert.equal(result.device, "cpu", name);
      same(result, await classify(folder, short, FAST));
      assert.equal(await device(page, "gpu").getAttribute("data-state"), "failed", name);
      assert.match(await device(page, "gpu").textContent(), reason, name);
      if (state === "ready") assert.match(await page.locator("main").innerText(), /GPU stopped/);
    });
  }
});

test("the page starts to use a WebGPU worker that is built after the page, without a reload", () =>
  drive({ args: WEBGPU }, async ({ page, site }) => {
    const status = (...building) => site.overlay.set("building.json", Buffer.from(JSON.stringify({ building })));
    const html = await readFile(dist("index.html"), "utf8");
    site.overlay.set("index.html", Buffer.from(html.replace("</head>", '<meta name="build-status" content="building.json" /></head>')));
    status("worker-gpu");
    site.overlay.set("worker-gpu.js", Buffer.from(CRASHES_ON_A_SONG));
    await openFast(page, site);
    const asked = () => site.requests.filter((name) => name === "building.json").length;
    await until("two requests for the status", () => asked() >= 2);
    assert.equal(await device(page, "gpu").getAttribute("data-state"), "loading");
    assert.ok(!site.requests.includes("worker-gpu.js"));
    status();
    await gpuSettled(page);
    assert.equal(await device(page, "gpu").getAttribute("data-state"), "ready");
  }));
