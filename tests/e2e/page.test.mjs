// Accessibility, languages, settings, keyboard, conference mode, loading, and the votes of the networks.

import assert from "node:assert/strict";
import { test } from "node:test";

import { accessible, cpuReady, drive, drop, open, part, pick, rows, state, until } from "./browser.mjs";
import { song } from "./song.mjs";

const clip = (name, seed = 1, seconds = 6) => ({ name, buffer: song(seed, seconds) });

for (const [name, options] of [
  ["desktop, light, English", { colorScheme: "light" }],
  ["phone, dark, German", { colorScheme: "dark", width: 390, height: 844, locale: "de-DE" }],
]) {
  test(`axe-core finds no violation in any view: ${name}`, () =>
    drive(options, async ({ page, site }) => {
      await open(page, site);
      assert.equal(await page.locator("html").getAttribute("lang"), options.locale ? "de" : "en");
      await accessible(page, "empty");
      await drop(page, [clip("fine.wav", 1, 9), { name: "words.mp3", buffer: Buffer.from("words, no song") }]);
      await until("both", async () => (await rows(page)).every(({ status }) => ["done", "failed"].includes(status)));
      await state(page, "done");
      await part(page, "as-table").locator("summary").click();
      await accessible(page, "done");
      await part(page, "row").filter({ hasText: "words.mp3" }).getByTestId("row-show").click();
      await state(page, "failed");
      await accessible(page, "failed");
      await part(page, "open-about").click();
      await accessible(page, "about");
      await part(page, "close-about").click();
      await part(page, "open-settings").click();
      await accessible(page, "settings");
      await part(page, "close-settings").click();
      await part(page, "row").filter({ hasText: "fine.wav" }).getByTestId("row-show").click();
      await part(page, "conference").click();
      await accessible(page, "conference");
    }));
}

test("about the model: figures with intervals, weaknesses, data, networks", () =>
  drive({}, async ({ page, site }) => {
    await open(page, site);
    await part(page, "open-about").click();
    const words = await part(page, "about").innerText();
    const manifest = await page.evaluate(async () => (await fetch("models/manifest.json")).json());
    for (const model of manifest.models) assert.ok(words.includes(model.name), model.name);
    assert.match(words, /\d+% to \d+%/);
    assert.match(words, /fault-filtered/);
    assert.match(words, /Known limitations/);
    assert.match(words, /GTZAN/);
    await page.keyboard.press("Escape");
    await part(page, "about").waitFor({ state: "hidden" });
  }));

test("settings: theme, language, motion and device are stored; the diagnostics name no file", () =>
  drive({ permissions: ["clipboard-read", "clipboard-write"] }, async ({ page, site }) => {
    await open(page, site);
    await pick(page, clip("private-name.wav", 2, 4));
    await state(page, "done");
    await part(page, "open-settings").click();
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    await part(page, "theme-dark").check({ force: true });
    assert.notEqual(await background(), light);
    await part(page, "still").check();
    await part(page, "device-choice-cpu").check({ force: true });
    await part(page, "copy-diagnostics").click();
    await until("the clipboard", async () => (await page.evaluate(() => navigator.clipboard.readText())).length > 0);
    const diagnostics = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(diagnostics, /CPU: ready, [\d.]+ ms per segment/);
    assert.match(diagnostics, /4 s: .*, workers 1, \d+ MB/);
    assert.doesNotMatch(diagnostics, /private-name/);
    await part(page, "language-de").check({ force: true });
    assert.match(await part(page, "settings").innerText(), /Einstellungen/);
    await open(page, site);
    assert.equal(await page.locator("html").getAttribute("lang"), "de");
    assert.notEqual(await background(), light);
    assert.equal(await page.locator("html").getAttribute("data-motion"), "still");
    assert.ok(await part(page, "device-choice-cpu").isChecked());
    assert.match(await page.locator("h1").innerText(), /Zieh ein Stück/);
  }));

test("everything works by keyboard alone", () =>
  drive({}, async ({ page, site }) => {
    await open(page, site);
    const focused = () => page.evaluate(() => document.activeElement?.dataset.testid ?? document.activeElement?.className);
    const tabTo = async (id) => {
      for (let presses = 0; presses < 40; presses += 1) {
        await page.keyboard.press("Tab");
        if ((await focused()) === id) return;
      }
      assert.fail(`the Tab key does not reach ${id}`);
    };
    await page.keyboard.press("Tab");
    assert.equal(await focused(), "skip");
    await tabTo("example");
    await page.keyboard.press("Enter");
    await state(page, "done");
    await part(page, "announcer").filter({ hasText: "Result: " }).waitFor({ state: "attached" });
    await tabTo("play");
    await tabTo("segment");
    await tabTo("track");
    await page.keyboard.press("ArrowRight");
    await until("a step", async () => (await part(page, "track").getAttribute("aria-valuenow")) === "1");
    await tabTo("row-show");
  }));

test("conference mode: large type, and keys go from song to song", () =>
  drive({ width: 1920, height: 1080 }, async ({ page, site }) => {
    await open(page, site);
    await drop(page, [clip("one.wav", 1, 4), clip("two.wav", 2, 4)]);
    await until("both", async () => (await rows(page)).every(({ status }) => status === "done"));
    const size = () => part(page, "result-genre").evaluate((e) => Number.parseFloat(getComputedStyle(e).fontSize));
    const before = await size();
    await part(page, "conference").click();
    await until("large type", async () => (await size()) > before);
    const [inner, scroll] = await page.evaluate(() => [innerHeight, document.documentElement.scrollHeight]);
    assert.ok(scroll <= inner + 1, `everything on one screen: ${scroll} of ${inner}`);
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("ArrowRight");
    await page.locator(".song-name", { hasText: "two.wav" }).waitFor();
    await page.keyboard.press("ArrowRight");
    await page.locator(".song-name", { hasText: "one.wav" }).waitFor();
    await page.keyboard.press("Escape");
    await until("normal type", async () => (await size()) <= before);
  }));

test("conference mode goes from song to song by itself, but waits while a song plays", () =>
  drive({ args: ["--autoplay-policy=no-user-gesture-required"] }, async ({ page, site }) => {
    // Timers run in real time, and the test can fast-forward them.
    await page.clock.install();
    await open(page, site);
    await drop(page, [clip("one.wav", 1, 4), clip("two.wav", 2, 20)]);
    await until("both", async () => (await rows(page)).every(({ status }) => status === "done"));
    const shown = (name) => page.locator(".song-name", { hasText: name }).waitFor();
    await part(page, "row").filter({ hasText: "one.wav" }).getByTestId("row-show").click();
    await shown("one.wav");
    await part(page, "conference").click();
    await page.clock.fastForward(9_500);
    await shown("two.wav");
    await part(page, "play").click();
    await until("playing", () => page.evaluate(() => !document.querySelector("audio").paused));
    await page.clock.fastForward(9_500);
    await shown("two.wav");
    // The end of the song leads to the next one.
    await page.evaluate(() => {
      const sound = document.querySelector("audio");
      sound.currentTime = sound.duration - 0.2;
    });
    await shown("one.wav");
  }));

test("an older browser gets a page that says which one it needs, and nothing starts", async () => {
  const lacks = {
    "WebAssembly SIMD": () => (WebAssembly.validate = () => false),
    "color-mix": () => (CSS.supports = (text) => !text.includes("color-mix")),
    ":has()": () => (CSS.supports = (text) => !text.includes(":has")),
  };
  for (const [what, lack] of Object.entries(lacks)) {
    const locale = what === "color-mix" ? "de-DE" : "en-GB";
    await drive({ locale }, async ({ page, site }) => {
      await page.addInitScript(lack);
      await page.goto(site.url);
      const words = page.locator("#app .boot", { hasText: /Chrome .* 111.* Firefox 121.* Safari 16\.4/ });
      await words.waitFor();
      assert.match(await words.innerText(), locale === "de-DE" ? /Aktualisiere/ : /Update your browser/, what);
      assert.equal(await page.locator("main").count(), 0, what);
      assert.ok(!site.requests.some((name) => name.startsWith("worker-")), what);
    });
  }
});

test("the page paints before any worker is loaded; prints paint, blocking time, layout shift and bytes", (context) =>
  drive({}, async ({ page, site }) => {
    await page.addInitScript(() => {
      window.seen = { paint: 0, blocked: 0, shift: 0 };
      const watch = (type, act) => new PerformanceObserver((list) => list.getEntries().forEach(act)).observe({ type, buffered: true });
      watch("largest-contentful-paint", (entry) => (window.seen.paint = entry.startTime));
      watch("longtask", (entry) => (window.seen.blocked += Math.max(0, entry.duration - 50)));
      watch("layout-shift", (entry) => { if (!entry.hadRecentInput) window.seen.shift += entry.value; });
    });
    let letGo;
    const held = new Promise((resolve) => (letGo = resolve));
    for (const name of ["worker-cpu.js", "worker-cpu_bg.wasm"]) site.hold.set(name, held);
    await open(page, site, { ready: false });
    await until("the paint", async () => (await page.evaluate(() => window.seen.paint)) > 0);
    assert.equal(await page.locator('[data-testid="device-status-cpu"]').getAttribute("data-state"), "loading");
    letGo();
    await cpuReady(page);
    // The full set is loaded after the first answer.
    const names = [...site.bytes.keys()];
    const later = names.indexOf("models/full.json");
    const first = names.slice(0, later < 0 ? names.length : later);
    const bytes = first.reduce((sum, name) => sum + site.bytes.get(name), 0);
    // Measured before a result is shown, because its elements are larger.
    const { paint, blocked } = await page.evaluate(() => window.seen);
    await pick(page, clip("song.wav", 1, 9));
    await state(page, "done");
    await part(page, "track").waitFor();
    const { shift } = await page.evaluate(() => window.seen);
    const [, timing] = (await part(page, "timing").innerText()).split(", ");
    context.diagnostic(
      `largest paint ${paint.toFixed(0)} ms, blocked ${blocked.toFixed(0)} ms, layout shift ${shift.toFixed(4)}, ` +
        `${(bytes / 1e6).toFixed(2)} MB before the first answer (not compressed); ${timing}`,
    );
    assert.ok(shift < 0.1, `layout shift ${shift}`);
  }));

/** A worker with two networks that disagree about the second half of every song. */
const TWO_NETWORKS = `
  const classes = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"];
  const sure = (class_) => classes.map((_, at) => (at === class_ ? 0.91 : 0.01));
  const both = (a, b) => [{ model: "ears", probabilities: sure(a) }, { model: "eyes", probabilities: sure(b) }];
  const model = (name) => ({ name, summary: "made up", parameters: 7, bytes: 7, metrics: [
    { protocol: "fault-filtered", level: "track", n: 10, accuracy: 0.5, interval: [0.24, 0.76],
      confusion: classes.map((_, row) => classes.map((_, column) => (row === column ? 1 : 0))) }] });
  self.wasm_bindgen = async () => {
    self.onmessage = ({ data: [request] }) => {
      const { id } = request;
      if (request.type === "load") {
        postMessage([{ type: "ready", device: "cpu", deviceName: "made up", classes, models: [model("ears"), model("eyes")],
          goldenDifference: 0, goldenTolerance: 0.002, millisecondsPerSegment: 1 }, new Float32Array(20)]);
      } else if (request.type === "analyse") {
        postMessage([{ type: "started", id, seconds: 6, segments: 2, bands: 2, columns: 2 }]);
        for (const index of [0, 1]) {
          const picture = new Float32Array([0, -20, -40, -60]);
          postMessage([{ type: "segment", id, index, start: 3 * index, end: 3 * index + 3, probabilities: sure(5),
            members: both(5, index ? 9 : 5) }, picture]);
        }
        postMessage([{ type: "finished", id, probabilities: sure(5), members: both(5, 9), milliseconds: 9, millisecondsToFirst: 3 }]);
      }
    };
  };`;

test("the votes of the networks are shown, and where they disagree", () =>
  drive({}, async ({ page, site }) => {
    site.overlay.set("worker-cpu.js", Buffer.from(TWO_NETWORKS));
    await open(page, site);
    await pick(page, clip("song.wav", 1, 6));
    await state(page, "done");
    const votes = await part(page, "votes").innerText();
    assert.match(votes, /whole song: 1 of 2 networks/);
    assert.match(votes, /disagree at 0:03/);
    assert.match(votes, /ears[\s\S]*jazz[\s\S]*eyes[\s\S]*rock/);
    await accessible(page, "votes");
    // The votes at the moment of the first disagreement, also after a reload, when the sound is not available.
    const split = async () => {
      await part(page, "split").click();
      await until("that moment", async () => /At 0:03: 1 of 2/.test(await part(page, "votes").innerText()));
      assert.match(await part(page, "votes").innerText(), /ears[\s\S]*jazz[\s\S]*eyes[\s\S]*≠?[\s\S]*rock/);
      assert.equal(await part(page, "votes").locator("tr.other").count(), 1);
      // At the other moment, they agree.
      await part(page, "segment").first().hover();
      await until("the other moment", async () => /At 0:00: all 2/.test(await part(page, "votes").innerText()));
      await part(page, "votes").hover();
    };
    await split();
    await open(page, site);
    await part(page, "row-show").click();
    await state(page, "done");
    await split();
    await part(page, "open-about").click();
    const cells = part(page, "confusion").locator("td.right");
    assert.equal(await cells.count(), 10);
    assert.match(await part(page, "about").innerText(), /24% to 76%/);
    await accessible(page, "confusion");
  }));
