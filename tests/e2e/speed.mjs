// Measures the built site: a song of four minutes with the full set of networks on the CPU. The browser pretends one
// core, then two, in turns. Prints JSON: for each number of cores, the number of workers and the megabytes of their
// memory as the diagnostics tell, and for each round the milliseconds from the drop to the first segment, to the
// settled answer and to the end.
// node speed.mjs ROUNDS

import { readFile } from "node:fs/promises";

import { drive, drop, open, part, state } from "./browser.mjs";
import { dist } from "./site.mjs";
import { song } from "./song.mjs";

const SECONDS = 240;
const CORES = [1, 2];
const rounds = Number(process.argv[2]);

/** Notes in the page when the parts of an answer appear. */
function watch() {
  window.times = {};
  const note = (name, selector) => {
    if (!(name in window.times) && document.querySelector(selector)) window.times[name] = performance.now();
  };
  new MutationObserver(() => {
    note("first", '[data-testid="segment"]');
    note("settled", '[data-testid="settled"], [data-testid="result-genre"]');
    note("end", '[data-testid="result-genre"]');
  }).observe(document.body, { attributes: true, childList: true, subtree: true });
  document.body.addEventListener("drop", () => (window.times.drop = performance.now()), { capture: true });
}

async function measure(cores, buffer) {
  let result;
  await drive({ permissions: ["clipboard-read", "clipboard-write"] }, async ({ page, site }) => {
    const pretend = `Object.defineProperty(navigator, "hardwareConcurrency", { get: () => ${cores} });\n`;
    site.overlay.set("worker-cpu.js", Buffer.from(pretend + (await readFile(dist("worker-cpu.js"), "utf8"))));
    await open(page, site);
    await page.evaluate(watch);
    await drop(page, [{ name: "song.wav", buffer }]);
    await state(page, "done");
    const { drop: start, first, settled, end } = await page.evaluate(() => window.times);
    await part(page, "open-settings").click();
    await part(page, "copy-diagnostics").click();
    const diagnostics = await page.evaluate(() => navigator.clipboard.readText());
    const [, workers, megabytes] = /workers (\d+), (\d+) MB/.exec(diagnostics).map(Number);
    result = { times: [first, settled, end].map((time) => time - start), workers, megabytes };
  });
  return result;
}

const buffer = song(4, SECONDS, { rate: 44_100, channels: 2 });
const results = CORES.map((cores) => ({ cores, rounds: [] }));
for (let round = 0; round < rounds; round += 1) {
  for (const { cores, rounds } of results) rounds.push(await measure(cores, buffer));
}
const last = ({ rounds }) => rounds.at(-1);
console.log(
  JSON.stringify(
    results.map((all) => [all.cores, last(all).workers, last(all).megabytes, all.rounds.map(({ times }) => times)]),
  ),
);
