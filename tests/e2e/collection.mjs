// Measures the built worker for collections in Chromium, without the page: the search among 10,000 songs, the map of 500
// songs, and a lesson of five classes with ten songs of 30 s each. Prints JSON: milliseconds of each round of the
// search, of each map, of the features of all songs of the lesson, and of the lesson itself.
// node collection.mjs ROUNDS

import { drive } from "./browser.mjs";
import { song } from "./song.mjs";
import { load, openBlank } from "./worker.mjs";

const WIDTH = 200;
const SONGS = 10_000;
const MAPPED = 500;
const MAPS = 3;
const CLASSES = 5;
const OF_CLASS = 10;
const RATE = 22_050;
const rounds = Number(process.argv[2]);

/** Runs in the page: one random embedding for each song, and a function that has the worker do a task. */
function prepare([songs, width]) {
  let seed = 1;
  const random = () => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 31 - 1;
  window.embeddings = Array.from({ length: songs }, () => Float32Array.from({ length: width }, random));
  // As the page does it: the payload is copied.
  window.collection = (task, payload) =>
    new Promise((resolve, reject) => {
      const start = performance.now();
      window.worker.onerror = ({ message }) => reject(new Error(message));
      window.worker.onmessage = ({ data: [header, values] }) => {
        if (header.type === "failed") reject(new Error(header.detail));
        if (header.answer?.answer !== "fitting") resolve([performance.now() - start, values]);
      };
      window.worker.postMessage([{ type: "collection", id: 1, task }, ...payload]);
    });
}

const search = (page, at) =>
  page.evaluate(
    async ([at, songs]) => {
      const artists = new Array(songs).fill(null);
      return (await window.collection({ task: "compare", song: at, artists, count: 20 }, window.embeddings))[0];
    },
    [at, SONGS],
  );

const map = (page) =>
  page.evaluate(async (n) => (await window.collection({ task: "map" }, window.embeddings.slice(0, n)))[0], MAPPED);

/** The milliseconds of the features of all songs, and of the lesson. */
async function lesson(page, site) {
  const songs = [];
  for (let at = 0; at < CLASSES * OF_CLASS; at += 1) {
    site.overlay.set(`${at}.wav`, song(at, 30, { rate: RATE }));
    songs.push({ class: at % CLASSES, content: `${at}`, name: `${at}` });
  }
  return page.evaluate(
    async ([songs, rate, classes]) => {
      let spent = 0;
      const features = [];
      for (const { name } of songs) {
        const bytes = await (await fetch(`${name}.wav`)).arrayBuffer();
        const audio = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
        const [time, values] = await window.collection({ task: "features", sampleRate: rate }, [
          audio.getChannelData(0),
        ]);
        spent += time;
        // The last values are the song's embedding.
        features.push(values.slice(0, values.length - 200));
      }
      const names = Array.from({ length: classes }, (_, n) => `class ${n}`);
      const task = { task: "teach", name: "own", classes: names, songs };
      return [spent, (await window.collection(task, features))[0]];
    },
    [songs, RATE, CLASSES],
  );
}

await drive({}, async ({ page, site }) => {
  await openBlank(page, site);
  await load(page, site, "worker-collection");
  await page.evaluate(prepare, [SONGS, WIDTH]);
  const searches = [];
  for (let round = 0; round < rounds; round += 1) searches.push(await search(page, round));
  const maps = [];
  for (let round = 0; round < MAPS; round += 1) maps.push(await map(page));
  const [features, teach] = await lesson(page, site);
  console.log(JSON.stringify({ searches, maps, features, teach }));
});
