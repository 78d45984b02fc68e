// The npm package in the examples, built from the packed tarball, in Chromium.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { WEBGPU, drive, until } from "./browser.mjs";
import { TOLERANCE, classify, near, sameProbabilities } from "./native.mjs";
import { dist } from "./site.mjs";
import { song } from "./song.mjs";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));
const PACKAGE = path.join(EXAMPLES, "node_modules/cratedigger");
const LENGTH = 12;

const run = (program, args, options = {}) =>
  promisify(execFile)(program, args, { cwd: EXAMPLES, maxBuffer: 2 ** 26, ...options });

/** Runs a test in a page of a folder, which may use the unpacked package. */
const inFolder = (folder, options, act) =>
  drive({ root: path.join(EXAMPLES, folder), ...options }, async (given) => {
    given.site.folders.set("cratedigger", PACKAGE);
    // The browser asks for it, and the examples have none.
    given.site.overlay.set("favicon.ico", "");
    await given.page.goto(given.site.url);
    await act(given);
  });

/** The same in the example without a bundler. */
const inPage = (options, act) => inFolder("plain", options, act);

/** Gives a song to an example; returns the shown genre and the probabilities with all digits. */
async function shown(page, buffer) {
  await page.locator("input[type=file]").setInputFiles({ name: "song.wav", mimeType: "audio/wav", buffer });
  await until("the answer", () =>
    page.evaluate(() => document.querySelector("h1")?.textContent && !document.querySelector("progress:not([hidden])")),
  );
  return page.evaluate(() => ({
    heading: document.querySelector("h1").textContent,
    probabilities: Object.fromEntries(
      [...document.querySelectorAll("meter")].map((bar) => [bar.getAttribute("aria-label"), bar.value]),
    ),
  }));
}

/** Fails unless a result of the package equals the native one. */
function same(result, native, what) {
  sameProbabilities(result.probabilities, native.probabilities, what);
  assert.equal(result.genre, native.genre, what);
  assert.equal(result.none, native.none, what);
}

const BUILT = { plain: "plain", vite: "vite/dist", webpack: "webpack/dist", "react-vite": "react-vite/dist" };

/** Fails unless an example answers like the native program. */
async function answers(page, folder, name, seconds) {
  const buffer = song(3, seconds, { channels: 2, rate: 44100 });
  const native = await classify(folder, buffer, "full.json");
  const { heading, probabilities } = await shown(page, buffer);
  sameProbabilities(probabilities, native.probabilities, name);
  assert.equal(heading, native.none ? "None of these" : native.genre);
}

for (const [name, folder] of Object.entries(BUILT)) {
  test(`the example ${name} answers like the native program, under a strict policy`, async () => {
    if (name !== "plain") await run("npm", ["run", "build", "--workspace", name]);
    await inFolder(folder, {}, async ({ page, site, folder }) => {
      await answers(page, folder, name, LENGTH);
      assert.ok(!site.requests.some((file) => file.includes("worker-gpu")), "there is no adapter");
    });
    // With an adapter, the large worker is found among the bundler's files, too, and may take over at any time.
    await inFolder(folder, { args: WEBGPU }, async ({ page, site, folder }) => {
      await until("the WebGPU worker", () => site.requests.some((file) => /worker-gpu.*wasm/.test(file)));
      await answers(page, folder, `${name}, WebGPU`, 6);
    });
  });
}

test("the page that `cratedigger export --for-web` writes uses the networks beside it", () =>
  inFolder("../trainer/src/eval/web_page", {}, async ({ page, site, folder }) => {
    site.folders.set("networks", dist("models"));
    const buffer = song(4, LENGTH);
    const native = await classify(folder, buffer, "full.json");
    const { heading, probabilities } = await shown(page, buffer);
    sameProbabilities(probabilities, native.probabilities, "page");
    assert.equal(heading, native.none ? "None of these" : native.genre);
    assert.ok(site.requests.includes("networks/full.json"));
    assert.ok(!site.requests.some((name) => name.startsWith("cratedigger/assets/models")), String(site.requests));
  }));

test("a file, a blob, its bytes, an AudioBuffer and samples have the same answer; several at once queue up", () =>
  inPage({}, async ({ page, folder }) => {
    const buffer = song(7, LENGTH, { channels: 2, rate: 44100 });
    const native = await classify(folder, buffer, "full.json");
    const results = await page.evaluate(async (encoded) => {
      const { Classifier } = await import("./cratedigger/index.js");
      const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
      const decoded = await new OfflineAudioContext(2, 1, 44100).decodeAudioData(bytes.slice().buffer);
      const samples = [0, 1].map((channel) => decoded.getChannelData(channel));
      const inputs = {
        file: new File([bytes], "song.wav"),
        blob: new Blob([bytes]),
        bytes: bytes.buffer,
        audio: decoded,
        samples: { samples, sampleRate: 44100 },
      };
      const classifier = await Classifier.load();
      const order = [];
      const songs = Object.entries(inputs).map(([name, input]) =>
        classifier.classify(input).then((result) => {
          order.push(name);
          return [name, result];
        }),
      );
      // They are the caller's: what happens to them now has no effect.
      samples[0].fill(0);
      const all = Object.fromEntries(await Promise.all(songs));
      classifier.close();
      return { all, order };
    }, buffer.toString("base64"));
    assert.deepEqual(results.order, ["file", "blob", "bytes", "audio", "samples"]);
    for (const [name, result] of Object.entries(results.all)) same(result, native, name);
    const { segments, sections, tags, networks, timing, set, device } = results.all.file;
    assert.equal(segments.length, native.segments.length);
    for (const [index, segment] of segments.entries()) {
      assert.equal(segment.index, index);
      near(segment.start, native.segments[index].start, 1e-3, "start");
      sameProbabilities(segment.probabilities, native.segments[index].probabilities, `segment ${index}`);
    }
    assert.ok(sections.length > 0 && tags.length > 0 && networks.length === 2);
    assert.ok(timing.milliseconds >= timing.millisecondsToFirst && timing.millisecondsToFirst > 0);
    assert.deepEqual([set, device], ["full", "cpu"]);
  }));

test("segments and progress come while a song is analysed, and the last one has the whole song", () =>
  inPage({}, async ({ page }) => {
    const seen = await page.evaluate(async (encoded) => {
      const { Classifier } = await import("./cratedigger/index.js");
      const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
      const classifier = await Classifier.load({ models: "fast", device: "cpu" });
      const progress = [];
      const song = classifier.classify(bytes, { onProgress: (one) => progress.push(one) });
      const events = [];
      for await (const event of song) events.push(event);
      return { events, progress, result: await song, info: classifier.info };
    }, song(9, LENGTH).toString("base64"));
    const { events, progress, result, info } = seen;
    assert.equal(events.length, 4);
    assert.deepEqual(events.map(({ done, total }) => [done, total]), [[1, 4], [2, 4], [3, 4], [4, 4]]);
    sameProbabilities(events.at(-1).song.probabilities, result.probabilities, "song", 1e-6);
    assert.equal(events.at(-1).settled, true);
    assert.deepEqual([...new Set(progress.map(({ phase }) => phase))], ["waiting", "decoding", "analysing"]);
    assert.deepEqual(Object.keys(result.probabilities), info.classes);
    assert.equal(info.classes.length, 10);
    assert.equal(info.set, "fast");
    assert.ok(info.metrics.every(({ protocol, n }) => protocol && n > 0) && info.metrics.length > 0);
    assert.match(info.licences[0].notice, /Universitat Pompeu Fabra/);
    assert.equal(info.devices.cpu.state, "ready");
    assert.equal(info.devices.gpu.state, "off");
  }));

test("errors have a code and say what to do; an aborted song ends with the signal's reason", () =>
  inPage({ errors: [/404/] }, async ({ page, site }) => {
    const found = await page.evaluate(async (encoded) => {
      const { Classifier, CratediggerError } = await import("./cratedigger/index.js");
      const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
      const errors = {};
      const note = (name, promise) =>
        Promise.resolve(promise).then(
          () => (errors[name] = null),
          (error) => {
            const own = error instanceof CratediggerError;
            errors[name] = [own, own ? error.code : error.name, error.message];
          },
        );
      await note("device", Classifier.load({ device: "abacus" }));
      await note("nowhere", Classifier.load({ models: "nowhere/manifest.json" }));
      const classifier = await Classifier.load({ device: "cpu" });
      await note("number", classifier.classify(7));
      await note("rate", classifier.classify({ samples: new Float32Array(9) }));
      await note("empty", classifier.classify(new Blob([])));
      await note("text", classifier.classify(new Blob(["<!doctype html><title>No song</title>"])));
      await note("silent", classifier.classify({ samples: new Float32Array(200_000), sampleRate: 22_050 }));
      await note("nan", classifier.classify({ samples: new Float32Array(200_000).fill(NaN), sampleRate: 22_050 }));
      await note("source", classifier.listen("radio"));
      const gone = new AbortController();
      const [first, second] = [classifier.classify(bytes, { signal: gone.signal }), classifier.classify(bytes)];
      for await (const _ of first) break;
      gone.abort();
      await note("aborted", first);
      await note("after", second);
      await note("before", classifier.classify(bytes, { signal: gone.signal }));
      const open = classifier.classify(bytes);
      classifier.close();
      await note("open", open);
      await note("closed", classifier.classify(bytes));
      return errors;
    }, song(11, LENGTH).toString("base64"));
    const codes = Object.fromEntries(Object.entries(found).map(([name, error]) => [name, error?.[1] ?? null]));
    assert.deepEqual(codes, {
      device: "bad-input",
      nowhere: "models",
      number: "bad-input",
      rate: "bad-input",
      empty: "empty",
      text: "other-file",
      silent: "silent",
      nan: "bad-samples",
      source: "bad-input",
      aborted: "AbortError",
      after: null,
      before: "AbortError",
      open: "closed",
      closed: "closed",
    });
    for (const [name, error] of Object.entries(found)) {
      if (!error || error[1] === "AbortError") continue;
      assert.equal(error[0], true, `${name} is a CratediggerError`);
      assert.match(error[2], /[.)]$/, error[2]);
    }
    assert.match(found.nowhere[2], /nowhere\/manifest\.json: HTTP 404/);
    assert.ok(site.requests.includes("nowhere/manifest.json"));
  }));

test("files in another folder, one's own networks, and a web worker", () =>
  inPage({}, async ({ page, site, folder }) => {
    site.folders.set("elsewhere", path.join(PACKAGE, "assets"));
    site.folders.set("mine", dist("models"));
    site.overlay.set(
      "worker.js",
      `import { Classifier } from "./cratedigger/index.js";
      onmessage = async ({ data }) => {
        const classifier = await Classifier.load({ device: "cpu", models: new URL("mine/full.json", location.href) });
        postMessage(await classifier.classify(data));
        classifier.close();
      };`,
    );
    const buffer = song(13, LENGTH);
    const native = await classify(folder, buffer, "full.json");
    const { plain, worker } = await page.evaluate(async (encoded) => {
      const { Classifier } = await import("./cratedigger/index.js");
      const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
      const classifier = await Classifier.load({ base: "elsewhere", device: "cpu" });
      const plain = await classifier.classify(bytes);
      classifier.close();
      const thread = new Worker("worker.js", { type: "module" });
      const worker = await new Promise((resolve, reject) => {
        thread.onmessage = ({ data }) => resolve(data);
        thread.onerror = ({ message }) => reject(new Error(message));
        thread.postMessage(new Blob([bytes]));
      });
      return { plain, worker };
    }, buffer.toString("base64"));
    same(plain, native, "base");
    same(worker, native, "worker");
    assert.ok(site.requests.includes("elsewhere/models/full.json"));
    assert.ok(site.requests.includes("mine/full.json"));
    assert.ok(site.requests.includes("elsewhere/worker-cpu_bg.wasm"));
  }));

test("it listens to a stream, which goes on afterwards", () =>
  inPage({ args: ["--autoplay-policy=no-user-gesture-required"] }, async ({ page }) => {
    const heard = await page.evaluate(async (encoded) => {
      const { Classifier } = await import("./cratedigger/index.js");
      const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
      const context = new AudioContext();
      const source = new AudioBufferSourceNode(context, { buffer: await context.decodeAudioData(bytes.buffer), loop: true });
      const output = new MediaStreamAudioDestinationNode(context);
      source.connect(output);
      source.start();
      const classifier = await Classifier.load({ device: "cpu" });
      const listening = await classifier.listen(output.stream);
      const events = [];
      for await (const event of listening) if (events.push(event) === 2) break;
      const recording = await listening.stop();
      const result = await classifier.classify(recording);
      const [track] = output.stream.getAudioTracks();
      classifier.close();
      return { events, result, track: track.readyState, seconds: listening.seconds, type: recording.type };
    }, song(15, 6).toString("base64"));
    assert.equal(heard.events.length, 2);
    for (const event of heard.events) assert.ok(event.seconds >= 3 && Object.keys(event.probabilities).length === 10);
    assert.equal(heard.track, "live");
    assert.equal(heard.type, "audio/wav");
    assert.ok(heard.seconds >= 3 && heard.result.segments.length >= 1);
  }));

test("on WebGPU, the answer is the same", () =>
  inPage({ args: WEBGPU }, async ({ page, site, folder }) => {
    // Without the example, whose classifier would share the software GPU.
    site.overlay.set("blank.html", "<!doctype html><title>blank</title>");
    await page.goto(`${site.url}blank.html`);
    const buffer = song(17, 6);
    const native = await classify(folder, buffer, "manifest.json");
    const result = await page.evaluate(async (encoded) => {
      const { Classifier } = await import("./cratedigger/index.js");
      const classifier = await Classifier.load({ device: "gpu", models: "fast" });
      return classifier.classify(Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0))).then((result) => result);
    }, buffer.toString("base64"));
    assert.deepEqual([result.device, result.set], ["gpu", "fast"]);
    same(result, native, "gpu");
    for (const [index, segment] of result.segments.entries()) {
      sameProbabilities(segment.probabilities, native.segments[index].probabilities, `segment ${index}`, TOLERANCE);
    }
  }));

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const tool = (name) => here(`node_modules/.bin/${name}`);

test("the types allow the documented uses, and no others", () => run(tool("tsc"), ["--project", here("types")]));

test("publint and arethetypeswrong have no complaints about the tarball", async () => {
  const tarball = process.env.CRATEDIGGER_TARBALL;
  const lint = await run(tool("publint"), [tarball, "--strict"]);
  assert.match(lint.stdout, /All good!/);
  await run(tool("attw"), [tarball, "--profile", "esm-only"]);
});
