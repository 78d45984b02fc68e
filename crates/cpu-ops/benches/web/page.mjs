// Runs in the page: times both sides alternately, on one thread.

import init, { Bench } from "/ours/web.js";
import * as ort from "/ort/ort.wasm.min.mjs";

import { networks } from "./networks.mjs";

/** Minimum duration of one measurement in milliseconds. */
const TURN = 40;

async function time(run, count) {
  const start = performance.now();
  for (let i = 0; i < count; i++) await run();
  return (performance.now() - start) / count;
}

/** For each network: its name, the largest relative difference of outputs, and milliseconds per item of both sides. */
globalThis.measure = async (rounds) => {
  await init();
  ort.env.wasm.wasmPaths = "/ort/";
  ort.env.wasm.numThreads = 1;
  const results = [];
  for (const { name, shape, weights, input, onnx } of networks()) {
    const bench = new Bench(name, weights, input);
    const session = await ort.InferenceSession.create(onnx, {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "all",
    });
    const feeds = { x: new ort.Tensor("float32", input, shape) };
    const sides = {
      ours: () => bench.run(),
      ort: async () => Object.values(await session.run(feeds))[0].data,
    };
    const [ours, theirs] = [await sides.ours(), await sides.ort()];
    const largest = theirs.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    const difference = theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i])), 0) / largest;
    const times = { ours: [], ort: [] };
    // Warm-up: the engine recompiles a function with optimisation after a few runs.
    const counts = {};
    for (const side of ["ours", "ort"]) {
      await time(sides[side], 30);
      counts[side] = Math.ceil(TURN / (await time(sides[side], 10)));
    }
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 ? ["ort", "ours"] : ["ours", "ort"];
      for (const side of order) times[side].push((await time(sides[side], counts[side])) / shape[0]);
    }
    results.push([name, difference, times.ours, times.ort]);
  }
  return results;
};
globalThis.ready = true;
