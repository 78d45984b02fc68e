// Measures every task of features.rs in WebAssembly and prints the milliseconds as JSON.
// node features.mjs FOLDER ROUNDS, where wasm-bindgen wrote its output for Node.js into FOLDER.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [folder, rounds] = process.argv.slice(2);
const { Bench, tasks } = createRequire(import.meta.url)(join(resolve(folder), "features.js"));
const bench = new Bench();
const times = {};
for (const task of tasks()) {
  // Warm-up: the engine recompiles a function with optimisation after a few runs.
  for (let i = 0; i < 3; i++) bench.run(task);
  times[task] = Array.from({ length: Number(rounds) }, () => {
    const start = performance.now();
    bench.run(task);
    return performance.now() - start;
  });
}
console.log(JSON.stringify(times));
