// The native program's predictions, as the reference for the page's.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

import { dist } from "./site.mjs";

/**
 * Maximum difference of a probability between browser and native program. Both run the same code in 32 bits,
 * but SIMD, threads and shaders compute in another order, and a browser may scale 16-bit samples by 1/32767
 * instead of 1/32768. Differences of about 1e-5 were measured; a wrong feature or weight changes tenths.
 */
export const TOLERANCE = 5e-4;

/** The same for formats with loss, whose decoders differ between browser and program. */
export const LOSSY = 1e-2;

/** Maximum difference of a time in seconds. */
const TIME_TOLERANCE = 1e-3;

/** Runs a native program, whose path is in an environment variable; returns its standard output. */
export async function run(variable, ...args) {
  const program = process.env[variable];
  assert.ok(program, `${variable} is not set: run these tests with \`cargo xtask test\``);
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 2 ** 26 });
  return stdout;
}

/** Classifies a song with the networks of a manifest in the site. `folder` is for temporary files. */
export async function classify(folder, buffer, manifest, extension = "wav") {
  const file = path.join(folder, `native.${extension}`);
  await writeFile(file, buffer);
  const args = ["classify", "--format", "json", "--model", dist(`models/${manifest}`), file];
  return JSON.parse(await run("CRATEDIGGER_BIN", ...args));
}

/** Fails unless two numbers differ by at most `tolerance`. NaN fails. */
export const near = (actual, expected, tolerance, what) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual}, native ${expected}`);

/** Fails unless both objects have the same genres with the same probabilities, within `tolerance`. */
export function sameProbabilities(actual, expected, what, tolerance = TOLERANCE) {
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort(), what);
  for (const [genre, p] of Object.entries(actual)) near(p, expected[genre], tolerance, `${what}, ${genre}`);
}

/** The page's result with all digits, read from `data-` attributes, because the texts are rounded. */
export const shown = (page) =>
  page.evaluate(() => {
    const all = (id) => [...document.querySelectorAll(`[data-testid="${id}"]`)];
    const [genre] = all("result-genre");
    const [device] = all("device-used");
    return {
      genre: genre.dataset.genre,
      none: genre.dataset.none === "true",
      device: device.dataset.device,
      probabilities: Object.fromEntries(all("genre-bar").map(({ dataset }) => [dataset.genre, Number(dataset.probability)])),
      segments: all("segment").map(({ dataset }) => ({
        index: Number(dataset.index),
        start: Number(dataset.start),
        end: Number(dataset.end),
        genre: "silent" in dataset ? null : dataset.genre,
      })),
    };
  });

/** Fails unless the page's result equals the native one. */
export function same(result, native) {
  assert.equal(Object.keys(result.probabilities).length, 10);
  sameProbabilities(result.probabilities, native.probabilities, "song");
  assert.equal(result.genre, native.genre);
  assert.equal(result.none, native.none);
  assert.deepEqual(result.segments.map(({ index }) => index), [...result.segments.keys()]);
  const audible = result.segments.filter(({ genre }) => genre !== null);
  assert.equal(audible.length, native.segments.length, "audible segments");
  for (const [at, { index, start, end, genre }] of audible.entries()) {
    const expected = native.segments[at];
    near(start, expected.start, TIME_TOLERANCE, `start of segment ${index}`);
    near(end, expected.end, TIME_TOLERANCE, `end of segment ${index}`);
    // A non-music segment has no genre.
    if (expected.non_music?.rejected) {
      assert.equal(genre, undefined, `segment ${index}`);
      continue;
    }
    const [[best, first], [, second]] = Object.entries(expected.probabilities).sort(([, a], [, b]) => b - a);
    // Two genres within the tolerance may swap.
    assert.ok(genre === best || first - second <= 2 * TOLERANCE, `segment ${index}: ${genre}, native ${best}`);
  }
}
