// Times every task in WebAssembly and prints the milliseconds as JSON.
// node wasm.mjs FOLDER ROUNDS, where FOLDER holds what wasm-bindgen wrote for Node.js.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [folder, rounds] = process.argv.slice(2);
const { Bench, tasks } = createRequire(import.meta.url)(join(resolve(folder), "cratedigger_bench.js"));
const bench = new Bench();
const times = {};
for (const task of tasks()) {
  // The engine compiles a second time, and better, once a function has run for a while.
  for (let i = 0; i < 3; i++) bench.run(task);
  times[task] = Array.from({ length: Number(rounds) }, () => {
    const start = performance.now();
    bench.run(task);
    return performance.now() - start;
  });
}
console.log(JSON.stringify(times));
