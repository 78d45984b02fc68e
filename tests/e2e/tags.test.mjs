// Tags in files: the plan, writing through handles, undo, and copies as a zip file. ffprobe reads what was written.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { unzipSync } from "fflate";

import { accessible, drive, open, part, rows, until } from "./browser.mjs";
import { encode, without } from "./media.mjs";
import { dist } from "./site.mjs";
import { drone } from "./song.mjs";

const run = promisify(execFile);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const skip = without("ffmpeg") || without("ffprobe");

/** Songs in several formats, each with title and artist; the first one has a genre. */
async function songs(folder) {
  const made = [];
  for (const [place, extension] of ["mp3", "flac", "m4a", "ogg"].entries()) {
    const tags = { title: "A title", artist: "Künstler", ...(place === 0 && { genre: "Skiffle" }) };
    const more = Object.entries(tags).flatMap(([key, value]) => ["-metadata", `${key}=${value}`]);
    const buffer = await encode(folder, drone(place + 1, 6), extension, more);
    made.push({ name: `${place + 1} song.${extension}`, mimeType: "audio/wav", buffer });
  }
  return made;
}

/** The tags that ffprobe reads, and a hash of the sound as it is coded. */
async function probe(folder, name, bytes) {
  const file = path.join(folder, `probe${path.extname(name)}`);
  await writeFile(file, bytes);
  const { stdout } = await run("ffprobe", ["-v", "error", "-show_format", "-show_streams", "-of", "json", file]);
  const { format, streams } = JSON.parse(stdout);
  // In Ogg, tags belong to the stream.
  const tags = Object.entries({ ...streams[0].tags, ...format.tags }).map(([key, value]) => [key.toLowerCase(), value]);
  const sound = await run("ffmpeg", ["-v", "error", "-i", file, "-map", "0:a", "-c", "copy", "-f", "md5", "-"]);
  return { tags: Object.fromEntries(tags), sound: sound.stdout.trim() };
}

/** Lets the networks take sounds without instruments for music. */
async function anySound(site) {
  for (const name of ["models/manifest.json", "models/full.json"]) {
    const manifest = JSON.parse(await readFile(dist(name), "utf8"));
    manifest.ensemble.non_music_above = 1;
    site.overlay.set(name, Buffer.from(JSON.stringify(manifest)));
  }
}

/** Gives songs to the page, waits until they are done, and opens the sheet. */
async function planned(page, list) {
  await part(page, "file-input").first().setInputFiles(list);
  await until("the songs", async () => (await rows(page)).filter(({ status }) => status === "done").length === list.length);
  await part(page, "open-tags").click();
  await until("the tags", async () => (await part(page, "tag-row").count()) === list.length);
  await outcomes(page, "read", list.length);
  await part(page, "tags-sure").selectOption("50");
}

const row = (page, name) => part(page, "tag-row").filter({ hasText: name });

const outcomes = (page, outcome, count) =>
  until(`${count} files ${outcome}`, async () => (await page.locator(`[data-outcome="${outcome}"]`).count()) === count);

/** The genre in the new column of a row. */
const genre = async (page, name) => {
  const line = row(page, name).getByTestId("tag-new").locator("p").first();
  await until(`a genre for ${name}`, async () => /^[a-z]+$/.test(await line.innerText()));
  return line.innerText();
};

/** A folder of the browser's own file system, which the page gets in place of one that the visitor chooses. */
const folderOf = (page, list) =>
  page.evaluate(async (list) => {
    const root = await navigator.storage.getDirectory();
    const inner = await (await root.getDirectoryHandle("music", { create: true })).getDirectoryHandle("inner", { create: true });
    for (const [name, text] of list) {
      const stream = await (await inner.getFileHandle(name, { create: true })).createWritable();
      await stream.write(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
      await stream.close();
    }
    window.showDirectoryPicker = async () => root.getDirectoryHandle("music");
  }, list.map(({ name, buffer }) => [name, buffer.toString("base64")]));

/** A file of that folder. */
async function stored(page, name) {
  const text = await page.evaluate(async (name) => {
    const root = await navigator.storage.getDirectory();
    const inner = await (await root.getDirectoryHandle("music")).getDirectoryHandle("inner");
    const bytes = new Uint8Array(await (await (await inner.getFileHandle(name)).getFile()).arrayBuffer());
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(text);
  }, name);
  return Buffer.from(text, "base64");
}

test("ticked songs are written and restored to the byte, also after a reload", { skip }, () =>
  // A service worker would fetch everything for offline use.
  drive({ serviceWorkers: "block" }, async ({ page, site, folder }) => {
    await anySound(site);
    await open(page, site);
    assert.ok(!site.requests.some((name) => name.startsWith("worker-tags")));
    const list = await songs(folder);
    await folderOf(page, list);
    await planned(page, list);

    // The first file has a genre, which is replaced only on demand.
    const first = row(page, "1 song");
    assert.equal(await first.getByTestId("tag-old").innerText(), "Skiffle");
    await until("the reason", async () => (await first.innerText()).includes("has a genre"));
    assert.ok(await first.getByTestId("tag-tick").isDisabled());
    await part(page, "tags-replace").check();
    await part(page, "tags-tempo").check();
    const genres = {};
    for (const { name } of list) genres[name] = await genre(page, name);
    assert.match(await part(page, "tags-state").innerText(), /4 of 4 songs .* 4 of them are not found on disk/);
    assert.equal(await part(page, "tags-write").count(), 0);
    await accessible(page, "the plan");

    // By keyboard: choose the folder, leave a song out, write.
    await part(page, "tags-folder").focus();
    await page.keyboard.press("Enter");
    await part(page, "tags-write").waitFor();
    await row(page, "2 song").getByTestId("tag-tick").focus();
    await page.keyboard.press("Space");
    // Another program changes a file after the plan.
    const other = Buffer.concat([list[3].buffer, Buffer.from("more")]);
    await folderOf(page, [{ name: list[3].name, buffer: other }]);
    await part(page, "tags-write").focus();
    await page.keyboard.press("Enter");
    await part(page, "tags-state").filter({ hasText: "Files written: 2. Left as they were: 4 song.ogg." }).waitFor();
    await outcomes(page, "written", 2);
    assert.match(await row(page, "4 song").innerText(), /changed by another program/);
    await accessible(page, "the result");

    for (const place of [0, 2]) {
      const { name, buffer } = list[place];
      const [before, after] = [await probe(folder, name, buffer), await probe(folder, name, await stored(page, name))];
      assert.equal(after.tags.genre, genres[name], name);
      assert.equal(after.sound, before.sound, name);
      assert.deepEqual([after.tags.title, after.tags.artist], ["A title", "Künstler"], name);
      // The row shows the file as it is now.
      assert.equal(await row(page, name).getByTestId("tag-old").innerText(), genres[name]);
    }
    assert.equal(sha256(await stored(page, list[1].name)), sha256(list[1].buffer));
    assert.equal(sha256(await stored(page, list[3].name)), sha256(other));

    // What restores the files outlasts the page.
    await open(page, site);
    await part(page, "open-tags").click();
    await part(page, "tags-restorable").filter({ hasText: "The old bytes of 2 files" }).waitFor();
    await part(page, "tags-undo").click();
    await part(page, "tags-restorable").waitFor({ state: "detached" });
    for (const place of [0, 2]) {
      assert.equal(sha256(await stored(page, list[place].name)), sha256(list[place].buffer), list[place].name);
    }
  }));

test("a song that was written is played on, undone in the same visit, and listed", { skip }, () =>
  drive({ acceptDownloads: true }, async ({ page, site, folder }) => {
    await anySound(site);
    await open(page, site);
    const [, flac] = await songs(folder);
    await folderOf(page, [flac]);
    await planned(page, [flac]);
    await part(page, "tags-folder").click();
    await part(page, "tags-write").click();
    await outcomes(page, "written", 1);
    await part(page, "close-write-tags").click();
    assert.equal(await page.evaluate(async () => {
      const audio = document.querySelector("audio");
      audio.muted = true;
      await audio.play();
      audio.pause();
      return audio.error;
    }), null);
    await part(page, "open-tags").click();
    await part(page, "tags-undo").click();
    await outcomes(page, "restored", 1);
    assert.equal(sha256(await stored(page, flac.name)), sha256(flac.buffer));

    // Lists for other programs.
    await part(page, "tags-path").fill("/home/me/My Music/");
    const [found] = await Promise.all([page.waitForEvent("download"), part(page, "list-rekordbox").click()]);
    const xml = await readFile(await found.path(), "utf8");
    assert.match(xml, /Name="A title" Artist="Künstler"/);
    assert.match(xml, /Location="file:\/\/localhost\/home\/me\/My%20Music\/2%20song\.flac"/);
    assert.ok(!xml.includes("Tonality"));
  }));

// The browser's question whether the page may write cannot be answered by a test.
test("files and folders that were dropped are found on disk without being chosen", () =>
  drive({}, async ({ page, site, folder }) => {
    await anySound(site);
    await open(page, site);
    const [single, music] = [path.join(folder, "single.wav"), path.join(folder, "music")];
    await mkdir(music);
    await writeFile(single, drone(1, 6));
    await writeFile(path.join(music, "inner.wav"), drone(2, 6));
    const session = await page.context().newCDPSession(page);
    for (const file of [single, music]) {
      const data = { items: [], files: [file], dragOperationsMask: 1 };
      for (const type of ["dragEnter", "dragOver", "drop"]) {
        await session.send("Input.dispatchDragEvent", { type, x: 600, y: 400, data });
      }
    }
    await until("the songs", async () => (await rows(page)).filter(({ status }) => status === "done").length === 2);
    await part(page, "open-tags").click();
    await outcomes(page, "read", 2);
    await part(page, "tags-write").waitFor();
    assert.equal(await part(page, "tags-state").innerText(), "2 of 2 songs have something to write.");
    assert.equal(await part(page, "tags-folder").count(), 0);
  }));

test("where a page cannot write files, tagged copies are a zip file", { skip }, () =>
  drive({ acceptDownloads: true, width: 390, height: 844, serviceWorkers: "block" }, async ({ page, site, folder }) => {
    await anySound(site);
    await page.addInitScript(() => delete window.showDirectoryPicker);
    await open(page, site);
    const list = [...(await songs(folder)), { name: "5 song.wav", mimeType: "audio/wav", buffer: drone(5, 6) }];
    await planned(page, list);
    assert.equal(await part(page, "tags-folder").count(), 0);

    // A worker that cannot be loaded is told, and the next opening tries again.
    await part(page, "close-write-tags").click();
    const late = { name: "6 song.mp3", mimeType: "audio/wav", buffer: list[0].buffer };
    site.overlay.set("worker-tags_bg.wasm", Buffer.from("no module"));
    await part(page, "file-input").first().setInputFiles([late]);
    await until("the late song", async () => (await rows(page)).filter(({ status }) => status === "done").length === 6);
    await part(page, "open-tags").click();
    await outcomes(page, "failed", 1);
    assert.match(await row(page, "6 song").innerText(), /failed; try again/);
    site.overlay.delete("worker-tags_bg.wasm");
    await part(page, "close-write-tags").click();
    await part(page, "open-tags").click();
    await outcomes(page, "read", 6);

    const genres = {};
    for (const { name } of list.slice(1)) genres[name] = await genre(page, name);
    await row(page, "3 song").getByTestId("tag-tick").uncheck();
    await accessible(page, "the plan on a phone");
    const width = await page.evaluate(() => document.querySelector("dialog[open]").scrollWidth);
    assert.ok(width <= 390, `${width} pixels wide`);
    const [found] = await Promise.all([page.waitForEvent("download"), part(page, "tags-copies").click()]);
    assert.equal(found.suggestedFilename(), "cratedigger-tagged.zip");
    const copies = unzipSync(new Uint8Array(await readFile(await found.path())));
    assert.deepEqual(Object.keys(copies), ["2 song.flac", "4 song.ogg", "5 song.wav"]);
    for (const [name, bytes] of Object.entries(copies)) {
      const before = await probe(folder, name, list.find((song) => song.name === name).buffer);
      const after = await probe(folder, name, bytes);
      assert.deepEqual([after.tags.genre, after.sound], [genres[name], before.sound], name);
    }
    await outcomes(page, "copied", 3);
  }));
