// Classes of one's own, and similar songs.

import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { unzipSync, zipSync } from "fflate";

import { accessible, drive, open, part, pick, rows, until } from "./browser.mjs";
import { near, run, TOLERANCE } from "./native.mjs";
import { dist } from "./site.mjs";
import { drone, hiss, song } from "./song.mjs";

const bands = [1, 2, 3].map((seed) => ({ name: `Band ${seed}.wav`, buffer: song(seed, 7) }));
const drones = [1, 2, 3].map((seed) => ({ name: `Drone ${seed}.wav`, buffer: drone(seed, 7) }));
/** A song that is in no lesson. */
const other = { name: "Other band.wav", buffer: song(9, 6) };

const files = (list) => list.map(({ name, buffer }) => ({ name, mimeType: "audio/wav", buffer }));

const done = (page, count) =>
  until(`${count} songs`, async () => (await rows(page)).filter(({ status }) => status === "done").length === count);

async function download(page, act) {
  const [found] = await Promise.all([page.waitForEvent("download"), act()]);
  return [found.suggestedFilename(), await readFile(await found.path())];
}

/** The files of a zip file, by name. */
const unzip = (bytes) => unzipSync(new Uint8Array(bytes));

/** Presses a key on an element. */
async function press(element, key) {
  await element.focus();
  await element.page().keyboard.press(key);
}

/** Makes the worker keep the result of a lesson to itself, as if the lesson took long. */
async function slowLessons(site) {
  const name = "worker-collection.js";
  const silent = `const post = self.postMessage.bind(self);
self.postMessage = (message, ...rest) => message[0].answer?.answer === "taught" || post(message, ...rest);\n`;
  site.overlay.set(name, Buffer.from(silent + (await readFile(dist(name), "utf8"))));
  return () => site.overlay.delete(name);
}

/** A WAV file with an artist in its INFO chunk. */
function byArtist({ name, buffer }, artist) {
  const text = Buffer.from(artist.padEnd(artist.length + 2 - (artist.length % 2), "\0"));
  const chunk = (id, content) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(content.length);
    return Buffer.concat([Buffer.from(id), size, content]);
  };
  const list = chunk("LIST", Buffer.concat([Buffer.from("INFO"), chunk("IART", text)]));
  const tagged = Buffer.concat([buffer, list]);
  tagged.writeUInt32LE(tagged.length - 8, 4);
  return { name, buffer: tagged };
}

/** Numbers of records in the stores of features and of what was taught. */
const kept = (page) =>
  page.evaluate(async () => {
    const database = await new Promise((resolve, reject) => {
      const request = indexedDB.open("cratedigger");
      request.onerror = () => reject(request.error);
      request.onsuccess = () => resolve(request.result);
    });
    const count = (name) =>
      new Promise((resolve) => {
        const request = database.transaction(name).objectStore(name).count();
        request.onsuccess = () => resolve(request.result);
      });
    return Promise.all(["features", "own"].map(count));
  });

/** The own class of the song in the row with this name. */
const ownOf = (page, name) =>
  part(page, "row").filter({ hasText: name }).getByTestId("row-own").evaluate(({ dataset }) => ({
    own: dataset.own,
    probabilities: dataset.probabilities.split(" ").map(Number),
  }));

test("classes are taught by keyboard, saved, used by the native program, forgotten and imported", () =>
  drive({ acceptDownloads: true, serviceWorkers: "block" }, async ({ page, site, folder }) => {
    await open(page, site);
    const fast = await slowLessons(site);
    await pick(page, [other]);
    await done(page, 1);
    assert.ok(!site.requests.some((name) => name.startsWith("worker-collection")), "fetched before it is needed");
    await press(part(page, "open-teach"), "Enter");
    await accessible(page, "the empty lesson");
    assert.equal(await part(page, "own-class").count(), 2);
    for (const [place, name, list] of [[0, "bands", bands], [1, "drones", drones]]) {
      await part(page, "class-name").nth(place).focus();
      await page.keyboard.type(name);
      const [chooser] = await Promise.all([
        page.waitForEvent("filechooser"), press(part(page, "class-songs").nth(place), "Space"),
      ]);
      await chooser.setFiles(files(list));
    }
    assert.equal(await part(page, "class-song").count(), 6);
    const ready = () => until("the features", () => part(page, "teach-start").isEnabled(), 240_000);
    await ready();
    await press(part(page, "teach-start"), "Enter");
    await part(page, "teach-state").filter({ hasText: "6 of 6" }).waitFor({ timeout: 240_000 });
    await press(part(page, "teach-cancel"), "Enter");
    assert.equal(await part(page, "taught").count(), 0);
    fast();
    await ready();
    await press(part(page, "teach-start"), "Enter");
    await part(page, "taught").waitFor({ timeout: 240_000 });
    // Sounds that differ this much are told apart, each by a network that was taught without it.
    assert.equal(await part(page, "taught-accuracy").getAttribute("data-accuracy"), "1");
    assert.match(await part(page, "taught-accuracy").innerText(), /6 of 6 songs .*95 % interval 61% to >99%/);
    assert.equal(await part(page, "confused").count(), 0);
    await until("all own classes", async () => (await part(page, "row-own").count()) === 7);
    await accessible(page, "the result");

    const [name, zip] = await download(page, () => part(page, "teach-export").click());
    assert.equal(name, "own.zip");
    const own = path.join(folder, "own");
    await mkdir(own);
    for (const [file, bytes] of Object.entries(unzip(zip))) await writeFile(path.join(own, file), bytes);
    for (const { name, buffer } of [other, bands[0], drones[2]]) {
      const answer = await ownOf(page, name);
      assert.equal(answer.own, name.startsWith("Drone") ? "drones" : "bands", name);
      const file = path.join(folder, "song.wav");
      await writeFile(file, buffer);
      const native = JSON.parse(await run("CRATEDIGGER_BIN", "classify", "--format", "json", "--model", own, file));
      const expected = ["bands", "drones"].map((own) => native.probabilities[own]);
      expected.forEach((p, n) => near(answer.probabilities[n], p, TOLERANCE, `${name}, class ${n}`));
    }

    await until("the features in the database", async () => String(await kept(page)) === "7,1");
    await open(page, site);
    await until("the own classes of earlier songs", async () => (await part(page, "row-own").count()) === 7);
    assert.equal((await ownOf(page, other.name)).own, "bands");
    await part(page, "open-teach").click();
    await part(page, "taught").waitFor();
    assert.equal(await part(page, "class-name").nth(1).inputValue(), "drones");
    assert.equal(await part(page, "class-song").count(), 6);

    await part(page, "teach-forget").click();
    await until("an empty database", async () => String(await kept(page)) === "0,0");
    assert.equal(await part(page, "row-own").count(), 0);
    assert.equal(await part(page, "taught").count(), 0);
    await open(page, site);
    await part(page, "row").first().waitFor();
    assert.equal(await part(page, "row-own").count(), 0);

    await part(page, "open-teach").click();
    const choose = (buffer) =>
      part(page, "teach-import").setInputFiles([{ name: "own.zip", mimeType: "application/zip", buffer }]);
    await choose(Buffer.from("no zip file"));
    await part(page, "teach-state").filter({ hasText: "holds no classes" }).waitFor();
    // Packed again by a person: a folder, compressed.
    const again = Object.entries(unzip(zip)).map(([name, bytes]) => [`own/${name}`, bytes]);
    await choose(Buffer.from(zipSync(Object.fromEntries(again), { level: 9 })));
    await part(page, "taught").waitFor();
    await part(page, "close-teach").click();
    await pick(page, [{ name: "New drone.wav", buffer: drone(8, 6) }]);
    await part(page, "row").filter({ hasText: "New drone" }).getByTestId("row-own").waitFor();
    assert.equal((await ownOf(page, "New drone")).own, "drones");
  }));

test("similar songs are ranked, put into a playlist and drawn on a map, by keyboard alone", () =>
  drive({ acceptDownloads: true }, async ({ page, site }) => {
    await open(page, site);
    // The same song at another sample rate.
    const copy = { name: "Copier - Copy.wav", buffer: song(1, 9, { rate: 44100 }) };
    const first = { name: "First - Song.wav", buffer: song(1, 9) };
    const noise = { name: "Noise.wav", buffer: hiss(6) };
    const tagged = drones.slice(0, 2).map((drone) => byArtist(drone, "The Drones"));
    await pick(page, [first, noise, ...tagged, copy]);
    await done(page, 5);
    const row = part(page, "row").filter({ hasText: "First - Song" });
    await row.getByTestId("row-alike").focus();
    await page.keyboard.press("Enter");
    await until("all songs", async () => (await part(page, "alike-item").count()) === 4, 240_000);
    const names = await part(page, "alike-item").allInnerTexts();
    assert.match(names[0], /Copier - Copy/);
    assert.match(names[0], /0\.9\d|1\.00/);
    await until("the map", async () => (await part(page, "map-point").count()) === 5);
    await accessible(page, "similar songs");

    let lines;
    // Two songs whose tags name the same artist are not neighbours, although they are alike.
    await until("the artists", async () => {
      const [name, list] = await download(page, () => press(part(page, "alike-playlist"), "Enter"));
      assert.equal(name, "cratedigger.m3u8");
      lines = list.toString().trim().split("\n");
      const [one, two] = tagged.map(({ name }) => lines.indexOf(name));
      assert.ok(one > 0 && two > 0, lines.join());
      return Math.abs(one - two) > 2;
    });
    assert.deepEqual(lines.slice(0, 5), [
      "#EXTM3U", "#EXTINF:9,First - Song", "First - Song.wav", "#EXTINF:9,Copier - Copy", "Copier - Copy.wav",
    ]);
    assert.equal(lines.length, 11);

    // On the map, keys move from left to right, and Enter chooses the song.
    await part(page, "map").focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    const active = await part(page, "map").getAttribute("aria-activedescendant");
    await page.keyboard.press("Enter");
    await page.locator(`#${active}[aria-selected="true"]`).waitFor();
    const chosen = await part(page, "alike-song").evaluate((list) => list.selectedOptions[0].text);
    assert.ok((await page.locator(`#${active}`).getAttribute("aria-label")).startsWith(chosen));
    await page.keyboard.press("Escape");
    assert.ok(!(await part(page, "alike").isVisible()));
  }));
