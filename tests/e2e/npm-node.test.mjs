// The npm package in Node.js, from the packed tarball.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { classify, sameProbabilities } from "./native.mjs";
import { dist } from "./site.mjs";
import { song } from "./song.mjs";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));

/** The package as Node.js finds it. */
const cratedigger = () => import(path.join(EXAMPLES, "node_modules/cratedigger/node.js"));

/** Runs a test with a temporary folder. */
async function inFolder(act) {
  const folder = await mkdtemp(path.join(tmpdir(), "cratedigger-"));
  try {
    await act(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The samples of a song of one channel. */
function samplesOf(buffer) {
  const samples = new Int16Array(buffer.buffer, buffer.byteOffset + 44, (buffer.length - 44) / 2);
  return Float32Array.from(samples, (sample) => sample / 2 ** 15);
}

test("the example node tags a folder like the native program", () =>
  inFolder(async (folder) => {
    const buffer = song(5, 30, { channels: 2, rate: 44100 });
    await writeFile(path.join(folder, "a.wav"), buffer);
    await writeFile(path.join(folder, "b.mp3"), "<!doctype html><title>No song</title>");
    const { stdout, stderr } = await promisify(execFile)("node", ["node/tag.mjs", folder], { cwd: EXAMPLES });
    const [a, b, ...others] = JSON.parse(stdout);
    assert.deepEqual([stderr, others], ["", []]);
    const native = await classify(folder, buffer, "full.json");
    sameProbabilities(a.probabilities, native.probabilities, "node");
    assert.equal(a.genre, native.none ? null : native.genre);
    assert.equal(b.error, "other-file");
    assert.match(b.message, /web page/);
  }));

test("files and samples, one's own networks, several at once", () =>
  inFolder(async (folder) => {
    const { Classifier } = await cratedigger();
    // Long enough for helpers on other cores.
    const buffer = song(6, 60, { rate: 44100 });
    const native = await classify(folder, buffer, "manifest.json");
    const classifier = await Classifier.load({ models: dist("models/manifest.json") });
    const wanted = await Classifier.load({ models: "fast" });
    try {
      const samples = { samples: samplesOf(buffer), sampleRate: 44100 };
      const songs = [buffer, new Blob([buffer]), samples].map((sound) => wanted.classify(sound));
      const segments = [];
      for await (const { index } of songs[0]) segments.push(index);
      assert.deepEqual(segments.sort((a, b) => a - b), [...segments.keys()]);
      for (const result of await Promise.all(songs)) {
        sameProbabilities(result.probabilities, native.probabilities, "node");
        assert.deepEqual([result.genre, result.none, result.set, result.device], [native.genre, native.none, "fast", "cpu"]);
        assert.equal(result.segments.length, 20);
      }
      assert.equal((await classifier.classify(buffer)).set, "full");
    } finally {
      classifier.close();
      wanted.close();
    }
  }));

test("errors have the same codes as in a page", async () => {
  const { Classifier, CratediggerError } = await cratedigger();
  const codeOf = (promise) =>
    promise.then(
      () => null,
      (error) => (error instanceof CratediggerError ? error.code : error.name),
    );
  assert.equal(await codeOf(Classifier.load({ models: "/nowhere/manifest.json" })), "models");
  assert.equal(await codeOf(Classifier.load({ device: "gpu" })), "no-api");
  const classifier = await Classifier.load({ models: "fast" });
  const gone = new AbortController();
  const long = classifier.classify(song(8, 60), { signal: gone.signal });
  for await (const _ of long) break;
  gone.abort();
  const codes = [long, ...[new Blob([]), "song.mp3"].map((sound) => classifier.classify(sound))].map(codeOf);
  assert.deepEqual(await Promise.all(codes), ["AbortError", "empty", "bad-input"]);
  assert.equal(await codeOf(classifier.listen("microphone")), "no-output");
  classifier.close();
  assert.equal(await codeOf(classifier.classify(song(8, 6))), "closed");
});
