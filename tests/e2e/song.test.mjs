// From a song to its genre: files, the queue, the timeline, explanations, zoom.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accessible, colours, cpuReady, drive, drop, open, part, pick, rows, state, until } from "./browser.mjs";
import { song } from "./song.mjs";

const clip = (name, seed = 1, seconds = 9) => ({ name, buffer: song(seed, seconds) });
const probabilities = (page) =>
  part(page, "genre-bar").evaluateAll((bars) => bars.map((bar) => Number(bar.dataset.probability)));

test("the example gives a genre, ten probabilities, a waveform, a spectrogram and a ribbon", () =>
  drive({}, async ({ page, site }) => {
    await open(page, site);
    assert.equal(await page.locator("main").getAttribute("data-state"), "idle");
    await part(page, "example").click();
    await state(page, "done");
    const all = await probabilities(page);
    assert.equal(all.length, 10);
    assert.ok(Math.abs(all.reduce((a, b) => a + b) - 1) < 1e-3, String(all));
    const best = await part(page, "genre-bar").nth(all.indexOf(Math.max(...all))).getAttribute("data-genre");
    assert.equal(await part(page, "result-genre").getAttribute("data-genre"), best);
    assert.match(await part(page, "sure").innerText(), /\d+%/);
    assert.equal(await part(page, "segment").count(), 12);
    await until("the spectrogram", async () => (await colours(part(page, "spectrogram"))) > 16);
    await until("the waveform", async () => (await colours(part(page, "waveform"))) >= 1);
    // The genre has the largest type on the page.
    const sizes = await page.evaluate(() => {
      const size = (e) => Number.parseFloat(getComputedStyle(e).fontSize);
      const genre = document.querySelector("[data-testid=result-genre]");
      const others = [...document.querySelectorAll("body *")].filter((e) => !genre.contains(e));
      return [size(genre), Math.max(...others.map(size))];
    });
    assert.ok(sizes[0] > 2 * sizes[1], String(sizes));
  }));

test("mouse and keys move the cursor, the probabilities follow it, and the song plays", () =>
  drive({ args: ["--autoplay-policy=no-user-gesture-required"] }, async ({ page, site }) => {
    await open(page, site);
    await part(page, "example").click();
    await state(page, "done");
    const whole = await probabilities(page);
    const track = part(page, "track");
    const box = await track.boundingBox();
    await page.mouse.click(box.x + box.width / 2, box.y + 20);
    await until("the middle", async () => Math.abs(Number(await track.getAttribute("aria-valuenow")) - 18) <= 1);
    assert.match(await part(page, "clock").innerText(), /^0:18/);
    assert.notDeepEqual(await probabilities(page), whole);
    await page.mouse.move(5, 5);
    await track.focus();
    for (const [key, seconds] of [["ArrowRight", 19], ["ArrowLeft", 18], ["End", 36], ["Home", 0], ["PageUp", 10]]) {
      await page.keyboard.press(key);
      await until(`${key}`, async () => Number(await track.getAttribute("aria-valuenow")) === seconds);
    }
    assert.match(await track.getAttribute("aria-valuetext"), /^0:10, \S/);
    await page.keyboard.press("Home");
    await until("the whole song", async () => String(await probabilities(page)) === String(whole));

    // The ribbon is one tab stop; the arrow keys go from segment to segment.
    await part(page, "segment").first().focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await until("the second segment", async () => (await part(page, "clock").innerText()).startsWith("0:03"));

    await part(page, "play").click();
    await until("the sound", async () => Number(await track.getAttribute("aria-valuenow")) >= 4);
    await page.keyboard.press("Space");
    await part(page, "play").and(page.getByRole("button", { name: "Play" })).waitFor();
  }));

test("sharp at any pixel ratio, and no horizontal scrolling at any width", async () => {
  for (const [ratio, ...widths] of [[3, 320, 360, 390], [1, 1920, 768]]) {
    await drive({ width: widths[0], height: 800, deviceScaleFactor: ratio }, async ({ page, site }) => {
      await open(page, site);
      const fits = async (when) => {
        for (const width of widths) {
          await page.setViewportSize({ width, height: 800 });
          const [inner, scroll] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
          assert.ok(scroll <= inner, `${width}, ${when}: ${scroll} of ${inner}`);
        }
      };
      await fits("empty");
      await pick(page, clip(`${"a-long-name-without-a-space".repeat(5)}.wav`, 2, 61));
      await state(page, "done");
      await fits("done");
      for (const id of ["spectrogram", "waveform"]) {
        await until(`a sharp ${id}`, () =>
          part(page, id).evaluate((c, ratio) => Math.abs(c.width - c.clientWidth * ratio) <= 1, ratio),
        );
      }
      await part(page, "as-table").locator("summary").click();
      await fits("with the table");
      await part(page, "open-settings").click();
      await part(page, "diagnostics").waitFor();
      await fits("settings");
      await part(page, "close-settings").click();
      await page.evaluate(() => { for (const fold of document.querySelectorAll("details")) fold.open = true; });
      await fits("with all details open");
      await pick(page, { name: `${"broken".repeat(20)}.wav`, buffer: Buffer.from("no song") });
      await until("the error", async () => (await rows(page)).some(({ status }) => status === "failed"));
      await part(page, "row").filter({ hasText: "broken" }).getByTestId("row-show").click();
      await state(page, "failed");
      await fits("with an error");
    });
  }
});

test("a folder with thirty files, some of them broken: all are classified, in order", () =>
  drive({}, async ({ page, site, folder }) => {
    const { mkdir, writeFile } = await import("node:fs/promises");
    const crate = `${folder}/crate`;
    await mkdir(`${crate}/inner`, { recursive: true });
    const broken = { 4: Buffer.from("no song at all, but words"), 11: Buffer.alloc(0), 18: song(1, 4).subarray(0, 40), 25: song(1, 4, { silentFrom: 0 }) };
    for (let n = 1; n <= 30; n += 1) {
      const place = n > 20 ? `${crate}/inner` : crate;
      await writeFile(`${place}/${n}.wav`, broken[n] ?? song(n, 3.2));
    }
    await writeFile(`${crate}/cover.jpg`, "a picture");
    await writeFile(`${crate}/.hidden.wav`, "hidden");
    await open(page, site);
    await part(page, "folder-input").first().setInputFiles(crate);
    await until("all thirty", async () => {
      const all = await rows(page);
      return all.length === 30 && all.every(({ status }) => ["done", "failed"].includes(status));
    });
    const all = await rows(page);
    assert.deepEqual(
      all.filter(({ status }) => status === "failed").map(({ name }) => name).sort(),
      ["11.wav", "18.wav", "25.wav", "4.wav"],
    );
    assert.match(await part(page, "shelf-summary").innerText(), /30 songs, 4 without a result/);
    assert.match(await part(page, "notice").first().innerText(), /^1 other/);
    // The folder's first song is shown; each error message gives the reason and what to do.
    assert.match(await page.locator(".song-name").innerText(), /^1\.wav$/);
    const sentences = new Set();
    for (const name of ["4.wav", "11.wav", "25.wav"]) {
      await part(page, "row").filter({ hasText: new RegExp(`^${name}`) }).getByTestId("row-show").click();
      sentences.add(await part(page, "error").innerText());
    }
    assert.equal(sentences.size, 3);
    for (const sentence of sentences) assert.match(sentence, /\. .*\.$/);
  }));

test("the queue: order, raise, cancel, cancel all, retry, remove", () =>
  drive({}, async ({ page, site }) => {
    // All songs wait until the worker is loaded.
    let letGo;
    site.hold.set("worker-cpu_bg.wasm", new Promise((resolve) => (letGo = resolve)));
    await open(page, site, { ready: false });
    await drop(page, ["a", "b", "c", "d", "e"].map((name, n) => clip(`${name}.wav`, n + 1, 3)));
    await until("five songs", async () => (await rows(page)).length === 5);
    const names = async () => (await rows(page)).map(({ name }) => name[0]).join("");
    assert.equal(await names(), "abcde");
    const row = (name) => part(page, "row").filter({ hasText: `${name}.wav` });
    await row("d").getByTestId("row-raise").click();
    await until("the new order", async () => (await names()) === "abdce");
    await row("e").getByTestId("row-cancel").click();
    await row("e").and(page.locator("[data-status=cancelled]")).waitFor();
    await part(page, "cancel-all").click();
    await until("nothing open", async () => (await rows(page)).every(({ status }) => status === "cancelled"));
    assert.equal(await page.locator("main").getAttribute("data-state"), "idle");
    letGo();
    await cpuReady(page);
    await row("b").getByTestId("row-retry").click();
    await row("b").and(page.locator("[data-status=done]")).waitFor();
    await row("b").getByTestId("row-show").click();
    await state(page, "done");
    await row("a").getByTestId("row-remove").click();
    await until("one less", async () => (await rows(page)).length === 4);
    await accessible(page, "the queue");
  }));

test("a pasted file is classified, pasted text is ignored", () =>
  drive({}, async ({ page, site }) => {
    await open(page, site);
    await page.evaluate(() => {
      const data = new DataTransfer();
      data.setData("text/plain", "words");
      document.body.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, clipboardData: data }));
    });
    await drop(page, [clip("pasted.wav", 3, 4)], "paste");
    await state(page, "done");
    assert.deepEqual((await rows(page)).map(({ name }) => name), ["pasted.wav"]);
    assert.equal(await part(page, "notice").count(), 0);
  }));

test("why: the reasons for a genre are marked in the spectrogram and listed; the song's character has figures", () =>
  drive({}, async ({ page, site }) => {
    await open(page, site);
    await part(page, "example").click();
    await state(page, "done");
    // A segment of the example with a genre, because a synthetic sound can also be non-music.
    const genres = await part(page, "segment").evaluateAll((all) => all.map((cell) => cell.dataset.class));
    const index = genres.findIndex((genre, place) => place > 0 && genre !== undefined);
    const genre = genres[index];
    assert.match(String(genre), /^\d$/, String(genres));
    const clock = (place) => `0:${String(3 * place).padStart(2, "0")}`;
    await part(page, "segment").nth(index).click();
    await until("the segment's genre", async () => (await part(page, "why-genre").inputValue()) === genre);
    await until("the segment's moment", async () => (await part(page, "why").innerText()).includes(`${clock(index)} · `));
    await part(page, "why-ask").click();
    await part(page, "why-answer").waitFor();
    const [left, right] = await part(page, "spotlight").evaluate((canvas) => {
      const [here, lane] = [canvas.getBoundingClientRect(), canvas.parentElement.getBoundingClientRect()];
      return [(here.left - lane.left) / lane.width, (here.right - lane.left) / lane.width];
    });
    assert.ok(Math.abs(left - index / 12) < 0.01 && Math.abs(right - (index + 1) / 12) < 0.01, `${left} to ${right}`);
    assert.ok((await colours(part(page, "spotlight"))) >= 1);
    const first = await part(page, "why-answer").innerText();
    assert.ok(first.includes(`${clock(index)} and ${clock(index + 1)}`), first);
    // The reasons for another genre differ.
    await part(page, "why-genre").selectOption(String((Number(genre) + 3) % 10));
    await part(page, "why-ask").click();
    await until("another answer", async () => {
      const words = await part(page, "why-answer").innerText().catch(() => first);
      return words !== first;
    });
    await part(page, "why-stop").click();
    await until("no spotlight", async () => (await part(page, "spotlight").count()) === 0);
    const traits = await part(page, "traits").innerText();
    assert.match(traits, /\d+ beats per minute/);
    assert.match(traits, /kHz/);
    assert.match(traits, /443 clips/);
    await accessible(page, "why");
  }));

test("zoom: keys, wheel, buttons, the overview and two fingers; all lanes stay aligned", () =>
  drive({ hasTouch: true, height: 1100 }, async ({ page, site, browser }) => {
    await open(page, site);
    await pick(page, clip("long.wav", 6, 90));
    await state(page, "done");
    const box = (locator) => locator.evaluate((element) => element.getBoundingClientRect().toJSON());
    const cell = (index) => page.locator(`[data-testid=segment][data-index="${index}"]`);
    const middle = ({ left, right }) => (left + right) / 2;
    const lanes = await box(page.locator(".lanes"));
    const inSight = async (index) => {
      const { left, right } = await box(cell(index));
      return left > lanes.left - 2 && right < lanes.right + 2;
    };
    const wide = (await box(cell(3))).width;
    const off = (id) => part(page, id).and(page.locator("[aria-disabled=true]")).waitFor();
    await off("zoom-out");
    assert.equal(await part(page, "overview").count(), 0);

    // Keys zoom around the cursor.
    await part(page, "track").focus();
    for (let second = 0; second < 30; second += 10) await page.keyboard.press("PageUp");
    const before = middle(await box(part(page, "cursor")));
    for (let n = 0; n < 3; n += 1) await page.keyboard.press("+");
    await until("eight times as wide", async () => Math.abs((await box(cell(3))).width / wide - 8) < 0.1);
    assert.equal(await part(page, "overview").getAttribute("aria-valuetext"), "0:26 to 0:38 of 1:30");
    const cursor = middle(await box(part(page, "cursor")));
    assert.ok(Math.abs(cursor - before) < 1, `${before} ${cursor}`);
    // Second 30 is at the same place in ribbon, cursor and axis.
    assert.ok(Math.abs((await box(cell(10))).left - cursor) < 1.5);
    const tick = page.locator(".tick").filter({ hasText: /^0:30$/ });
    assert.ok(Math.abs((await box(tick)).left - cursor) < 1.5);
    assert.ok((await colours(part(page, "spectrogram"))) > 20);
    await accessible(page, "a part of the song");
    // The visible part follows the cursor.
    for (let n = 0; n < 12; n += 1) await page.keyboard.press("ArrowRight");
    await until("the next page", () => inSight(14));
    await page.keyboard.press("Home");
    await until("the beginning", () => inSight(0));
    assert.ok(!(await inSight(14)));

    // A segment that gets the focus becomes visible; the ribbon itself does not scroll.
    await cell(0).focus();
    await page.keyboard.press("End");
    await until("the last segment", () => inSight(29));
    assert.equal(await page.locator(".ribbon").evaluate((ribbon) => ribbon.scrollLeft), 0);

    // A neighbour that is partly visible becomes fully visible, and no more.
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await until("the neighbour", () => inSight(25));
    assert.ok(Math.abs((await box(cell(25))).left - lanes.left) < 2);
    // Pressing the mouse button does not scroll the segment away.
    const edge = await box(cell(28));
    await page.mouse.click((edge.left + Math.min(edge.right, lanes.right)) / 2, edge.top + 8);
    await page.mouse.move(2, 2);
    await until("its moment", async () => (await page.locator(".clock-now").innerText()) === "1:24");

    // The wheel zooms around the pointer with Ctrl, and scrolls horizontally without.
    const [x, y] = [lanes.left + lanes.width * 0.7, lanes.top + 80];
    const under = () => page.evaluate(([x, y]) => document.elementFromPoint(x, y).dataset.index, [x, lanes.top + 10]);
    const pointed = await under();
    await page.mouse.move(x, y);
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -120);
    await page.keyboard.up("Control");
    await until("closer", async () => (await box(cell(3))).width / wide > 12);
    assert.equal(await under(), pointed);
    await part(page, "zoom-in").click();
    await off("zoom-in");
    const from = async () => Number(await part(page, "overview").getAttribute("aria-valuenow"));
    const start = await from();
    assert.equal(await page.locator(".cursor.ghost").count(), 0);
    await page.mouse.move(x, y);
    await page.mouse.wheel(-lanes.width, 0);
    await until("one page back", async () => Math.abs((await from()) - (start - 6)) < 0.2);

    // A click sets the cursor within the visible part.
    await page.mouse.click(lanes.left + lanes.width / 2, y);
    const clock = await page.locator(".clock-now").innerText();
    const [minutes, seconds] = clock.split(":").map(Number);
    assert.ok(Math.abs(60 * minutes + seconds - ((await from()) + 3)) <= 0.6, `${clock} ${await from()}`);

    // The overview, by pointer and by key.
    const line = await box(page.locator(".overview"));
    await page.mouse.click(line.left + line.width / 2, line.top + line.height / 2);
    await until("the middle", async () => Math.abs((await from()) - 42) < 0.3);
    await part(page, "overview").focus();
    await page.keyboard.press("PageDown");
    await until("one page on", async () => Math.abs((await from()) - 48) < 0.3);
    await part(page, "zoom-whole").click();
    await until("the whole song", async () => (await part(page, "overview").count()) === 0);
    assert.ok(Math.abs((await box(cell(3))).width - wide) < 0.5);

    // A tap sets the cursor; two fingers zoom around the moments under them, and do not set it.
    const touch = await browser.newCDPSession(page);
    const fingers = (type, ...places) =>
      touch.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: places.map((fraction, id) => ({ x: lanes.left + fraction * lanes.width, y, id })),
      });
    await fingers("touchStart", 0.2);
    await fingers("touchEnd");
    await until("second 18", async () => (await page.locator(".clock-now").innerText()) === "0:18");
    await fingers("touchStart", 0.4);
    await fingers("touchStart", 0.4, 0.5);
    for (const step of [0.05, 0.1, 0.15, 0.2]) await fingers("touchMove", 0.4 - step, 0.5 + step);
    await fingers("touchEnd");
    await until("five times as wide", async () => Math.abs((await box(cell(3))).width / wide - 5) < 0.1);
    // Touch positions are whole pixels, which the zoom has multiplied by five.
    const held = (await box(cell(12))).left - (lanes.left + 0.2 * lanes.width);
    assert.ok(Math.abs(held) < 6, `${held}`);
    assert.equal(await page.locator(".clock-now").innerText(), "0:18");
  }));
