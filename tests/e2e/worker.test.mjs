// The workers without the page: their logits compared with the manifest's and the native ones, and modified
// networks.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { drive, drop, open, part, rows, state, until, WEBGPU } from "./browser.mjs";
import { classify, near, run, sameProbabilities } from "./native.mjs";
import { dist } from "./site.mjs";
import { song } from "./song.mjs";
import { ask, load, openBlank } from "./worker.mjs";

/** Maximum difference of a logit, relative to the largest logit of the network, or absolute below 1. */
const LOGIT_TOLERANCE = 1e-4;

/** Has the worker analyse a song; returns all its messages, each with the length of its payload and its sum. */
async function analyse(page, site, buffer, rate) {
  site.overlay.set("song.wav", buffer);
  return page.evaluate(async (sampleRate) => {
    const bytes = await (await fetch("song.wav")).arrayBuffer();
    const audio = await new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(bytes);
    const channels = Array.from({ length: audio.numberOfChannels }, (_, n) => audio.getChannelData(n).slice());
    const events = [];
    return new Promise((resolve, reject) => {
      const { worker } = window;
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.onmessage = ({ data: [header, payload] }) => {
        events.push({ ...header, payload: payload?.length ?? 0, sum: payload?.reduce((sum, value) => sum + value, 0) });
        if (["finished", "failed", "cancelled"].includes(header.type)) resolve(events);
      };
      worker.postMessage([{ type: "analyse", id: 7, sampleRate }, ...channels], channels.map(({ buffer }) => buffer));
    });
  }, rate);
}

const manifestOf = async (name) => JSON.parse(await readFile(dist(`models/${name}`), "utf8"));
const largest = (values) => Math.max(...values.map(Math.abs));
const difference = (a, b) => largest(a.map((value, at) => value - b[at]));

/** Fails unless the worker has the golden logits of its networks. */
async function sameLogits(ready, logits, manifest) {
  const golden = (await manifestOf(manifest)).models.flatMap((model) => model.golden.logits);
  assert.ok(golden.length > 0);
  assert.equal(logits.length, golden.length);
  const tolerance = ready.goldenTolerance;
  assert.ok(tolerance > 0 && tolerance < 0.0021, `a tolerance of ${tolerance}`);
  const found = difference(golden, logits);
  assert.ok(found <= tolerance, `difference of ${found}: ${logits}`);
  assert.ok(Math.abs(ready.goldenDifference - found) < 1e-5, `the worker measured ${ready.goldenDifference}, not ${found}`);
}

/** Fails unless the worker's messages about a song are complete, in order, and have the native probabilities. */
function sameSong(events, classes, native) {
  assert.ok(events.every(({ id }) => id === 7), "ids");
  const of = (...types) => events.filter(({ type }) => types.includes(type));
  const [first, last] = [events[0], events.at(-1)];
  assert.deepEqual([first.type, last.type], ["started", "finished"]);

  const rest = events.filter(({ type }) => !["started", "finished", "segment", "silent", "waveform"].includes(type));
  assert.equal(rest.length, 1, JSON.stringify(rest));
  const [{ character, traits }] = rest;
  const { tempo } = character ?? traits;
  assert.ok(tempo > 30 && tempo < 320, `a tempo of ${tempo}`);

  // The waveform covers the song without gaps.
  let slices = 0;
  for (const wave of of("waveform")) {
    assert.equal(wave.first, slices);
    slices += wave.payload / 2;
  }
  const { step } = of("waveform").at(-1);
  assert.ok(Math.abs(slices * step - first.seconds) <= step, `${slices} slices of ${step} s for ${first.seconds} s`);

  // The order of the segments is spread over the song.
  const audible = of("segment").sort((a, b) => a.index - b.index);
  assert.equal(first.segments, audible.length + of("silent").length);
  assert.equal(audible.length, native.segments.length);
  const probabilities = (event) => Object.fromEntries(classes.map((name, at) => [name, event.probabilities[at]]));
  for (const [at, event] of audible.entries()) {
    const expected = native.segments[at];
    near(event.start, expected.start, 1e-3, `start of segment ${event.index}`);
    sameProbabilities(probabilities(event), expected.probabilities, `segment ${event.index}`);
    assert.ok(event.payload > 0);
    assert.equal(event.payload, first.bands * first.columns, `spectrogram of segment ${event.index}`);
  }
  sameProbabilities(probabilities(last), native.probabilities, "song");
}

test("the CPU worker has the golden logits, and the native probabilities of every segment", () =>
  drive({}, async ({ page, site, folder }) => {
    await openBlank(page, site);
    const rate = 32_000;
    const buffer = song(6, 13, { rate, channels: 2, silentFrom: 3, silentTo: 6 });
    const [fast, fastLogits] = await load(page, site, "worker-cpu");
    assert.equal(fast.type, "ready", JSON.stringify(fast));
    assert.deepEqual([fast.device, fast.set, fast.more], ["cpu", "fast", true]);
    await sameLogits(fast, fastLogits, "manifest.json");
    sameSong(await analyse(page, site, buffer, rate), fast.classes, await classify(folder, buffer, "manifest.json"));

    const [full, fullLogits] = await ask(page, { type: "load", models: `${site.url}models/`, set: "full" });
    assert.deepEqual([full.type, full.device, full.set], ["ready", "cpu", "full"]);
    await sameLogits(full, fullLogits, "full.json");
    sameSong(await analyse(page, site, buffer, rate), full.classes, await classify(folder, buffer, "full.json"));
  }));

/** Runs in a worker: pretends a number of cores. Helpers behave as `harm` says. */
function cores(count, harm) {
  Object.defineProperty(navigator, "hardwareConcurrency", { get: () => count });
  if (self.name !== "helper") {
    // Each turn waits until every helper has said something, so that all take part, however busy the machine is.
    const helpers = [];
    const { Worker } = self;
    self.Worker = class extends Worker {
      constructor(...given) {
        super(...given);
        helpers.push(new Promise((resolve) => ["message", "error"].forEach((type) => this.addEventListener(type, resolve))));
      }
    };
    const { postMessage } = MessagePort.prototype;
    MessagePort.prototype.postMessage = function (...given) {
      Promise.all(helpers).then(() => postMessage.apply(this, given));
    };
    return;
  }
  if (harm === "no start") throw new Error("on purpose");
  const post = self.postMessage.bind(self);
  let said = 0;
  self.postMessage = (...given) => {
    said += 1;
    if (harm === "none" || said === 1) post(...given);
    if (harm === "wrong" && said > 1) post([{ type: "nonsense" }]);
    if (harm === "close" && said > 1) self.close();
  };
}

test("helpers share a long song, and its messages are those of one worker, even if helpers are lost", () =>
  drive({ errors: [/on purpose/] }, async ({ page, site }) => {
    await openBlank(page, site);
    const buffer = song(9, 100, { silentFrom: 30, silentTo: 36 });
    const told = async (count, harm) => {
      const before = `(${cores})(${count}, "${harm}");`;
      const [ready] = await load(page, site, "worker-cpu", "models", before);
      assert.equal(ready.type, "ready", JSON.stringify(ready));
      const events = await analyse(page, site, buffer, 22_050);
      const { milliseconds, millisecondsToFirst, workers, memory, ...last } = events.pop();
      assert.equal(last.type, "finished", JSON.stringify(last));
      assert.ok(milliseconds >= millisecondsToFirst && memory > 1e6 * workers, `${memory} bytes for ${workers}`);
      return { workers, events: [...events, last] };
    };
    const alone = await told(1, "none");
    assert.equal(alone.workers, 1);
    assert.equal(alone.events.filter(({ type }) => ["segment", "silent"].includes(type)).length, 33);
    for (const [count, harm, expected] of [
      [2, "none", 2],
      [16, "none", 3],
      [3, "no start", 1],
      [3, "wrong", 1],
      [3, "close", 1],
      [3, "no answer", 1],
    ]) {
      const { workers, events } = await told(count, harm);
      assert.equal(workers, expected, `${count} cores, ${harm}`);
      assert.deepEqual(events, alone.events, `${count} cores, ${harm}`);
    }
  }));

test("the WebGPU worker has the golden logits, and the native probabilities of every segment", () =>
  drive({ args: WEBGPU }, async ({ page, site, folder }) => {
    await openBlank(page, site);
    const [fast] = await load(page, site, "worker-gpu");
    assert.equal(fast.type, "ready", JSON.stringify(fast));
    // The full set includes the fast one.
    const [full, logits] = await ask(page, { type: "load", models: `${site.url}models/`, set: "full" });
    assert.deepEqual([full.type, full.device, full.set], ["ready", "web-gpu", "full"]);
    await sameLogits(full, logits, "full.json");
    const buffer = song(7, 6);
    sameSong(await analyse(page, site, buffer, 22_050), full.classes, await classify(folder, buffer, "full.json"));
  }));

describe("designs with random weights have the native logits", () => {
  let folder;
  let manifest;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "cratedigger-"));
    await run("CRATEDIGGER_DESIGNS", folder);
    manifest = JSON.parse(await readFile(path.join(folder, "manifest.json"), "utf8"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Compares the designs with these names. */
  async function agree(page, site, worker, device, names) {
    const models = manifest.models.filter(({ name }) => names.includes(name));
    assert.equal(models.length, names.length, `${names}`);
    site.folders.set("designs", folder);
    site.overlay.set("designs/manifest.json", Buffer.from(JSON.stringify({ ...manifest, models })));
    const [ready, logits] = await load(page, site, worker, "designs");
    assert.equal(ready.type, "ready", `${names}: ${JSON.stringify(ready)}`);
    assert.equal(ready.device, device);
    const classes = manifest.classes.length;
    assert.equal(logits.length, models.length * classes);
    for (const [at, { name, golden }] of models.entries()) {
      const found = logits.slice(at * classes, (at + 1) * classes);
      const scale = largest(golden.logits);
      assert.ok(scale > 0.05, `the logits of ${name} are too small to compare: ${golden.logits}`);
      assert.ok(
        difference(found, golden.logits) <= LOGIT_TOLERANCE * Math.max(1, scale),
        `${worker}, ${name}: ${found}, native ${golden.logits}`,
      );
    }
  }

  test("every design on the CPU", () =>
    drive({}, async ({ page, site }) => {
      await openBlank(page, site);
      await agree(page, site, "worker-cpu", "cpu", manifest.models.map(({ name }) => name));
    }));

  // A software GPU compiles these within a minute or two, recurrent designs in more than two minutes each.
  test("designs of several kinds on WebGPU", () =>
    drive({ args: WEBGPU }, async ({ page, site }) => {
      await openBlank(page, site);
      await agree(page, site, "worker-gpu", "web-gpu", ["mobilenet-v2", "short-chunk-cnn", "transformer"]);
    }));

  const skip = !process.env.CRATEDIGGER_ALL && "takes many minutes on a software GPU; `cargo xtask test --all` runs it";
  test("every design but VGG19 on WebGPU", { skip }, () =>
    drive({ args: WEBGPU, limit: 3_600_000 }, async ({ page, site }) => {
      await openBlank(page, site);
      // VGG19 has 140 million parameters: a software GPU needs more than seven minutes.
      for (const { name } of manifest.models.filter(({ name }) => name !== "vgg19")) {
        await agree(page, site, "worker-gpu", "web-gpu", [name]);
      }
    }));
});

test("modified networks are refused, by the worker and on the page", () =>
  drive({ errors: [/./] }, async ({ page, site }) => {
    await openBlank(page, site);
    const manifest = await manifestOf("manifest.json");
    const [model] = manifest.models;

    // One changed bit of the weights.
    const weights = await readFile(dist(`models/${model.weights}`));
    weights[weights.length >> 1] ^= 1;
    site.overlay.set("flipped/manifest.json", Buffer.from(JSON.stringify(manifest)));
    site.overlay.set(`flipped/${model.weights}`, weights);
    const [flipped] = await load(page, site, "worker-cpu", "flipped");
    assert.deepEqual([flipped.type, flipped.kind], ["failed", "models"], JSON.stringify(flipped));

    // An input spec that differs from that of the training. Its key in manifests is `recipe`.
    const hash = model.spec_hash ?? model.recipe_hash;
    (model.input_spec ?? model.recipe).inputs[0].gain += 1;
    site.overlay.set("models/manifest.json", Buffer.from(JSON.stringify(manifest)));
    const [changed] = await load(page, site, "worker-cpu");
    assert.deepEqual([changed.type, changed.kind], ["failed", "models"], JSON.stringify(changed));
    const hashes = new Set(changed.detail.match(/\b[0-9a-f]{16}\b/g));
    assert.ok(hashes.size === 2 && hashes.has(hash), `the error names both hashes: ${changed.detail}`);

    await open(page, site, { ready: false });
    await page.locator('[data-testid="device-status-cpu"][data-state="failed"]').waitFor({ state: "attached" });
    await drop(page, [{ name: "song.wav", buffer: song(8, 3) }]);
    await until("the failure", async () => (await rows(page))[0]?.status === "failed");
    await state(page, "failed");
    assert.match(await part(page, "error").innerText(), /networks/);
  }));
