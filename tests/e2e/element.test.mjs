// The custom element <genre-drop> of the npm package, in real Chromium: files by drop and by the picker, the
// microphone, events, languages, and axe-core.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { accessible, drive, until } from "./browser.mjs";
import { classify, sameProbabilities } from "./native.mjs";
import { song } from "./song.mjs";

const PACKAGE = fileURLToPath(new URL("../../examples/node_modules/cratedigger", import.meta.url));
/** The policy that the package documents, which leaves no place for inline styles; and this page's empty icon. */
const POLICY = "default-src 'none'; img-src data:; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self' blob:";

const html = (attributes, inside = "") => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <link rel="icon" href="data:," />
    <title>A page</title>
    <script type="module" src="cratedigger/element.js"></script>
    <script type="module" src="events.js"></script>
  </head>
  <body>
    <main>
      <h1>A page</h1>
      <genre-drop ${attributes}>${inside}</genre-drop>
    </main>
  </body>
</html>`;

const EVENTS = `
  window.events = { segment: [], result: [], error: [] };
  for (const type in events)
    document.querySelector("genre-drop").addEventListener(type, ({ detail }) => events[type].push(detail));
`;

/** Runs a test in a page with the element. */
const inPage = ({ attributes = "", inside, ...options }, act) =>
  drive(options, async (given) => {
    const { page, site } = given;
    site.folders.set("cratedigger", PACKAGE);
    site.overlay.set("index.html", html(attributes, inside));
    site.overlay.set("events.js", EVENTS);
    await page.goto(site.url);
    const room = page.locator("genre-drop .room");
    await room.locator("xpath=self::*[@data-state]").waitFor();
    const state = (name) => until(name, async () => (await room.getAttribute("data-state")) === name);
    const events = () =>
      page.evaluate(() => ({
        segments: events.segment,
        results: events.result,
        errors: events.error.map(({ code, message }) => ({ code, message })),
      }));
    await act({ ...given, room, state, events });
  });

const choose = (page, name, buffer) =>
  page.locator("genre-drop input[type=file]").setInputFiles({ name, mimeType: "audio/wav", buffer });

/** Drops a file from the disk with the browser's own drag and drop. */
async function dropFile(page, target, file) {
  const box = await target.boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [file], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) await session.send("Input.dispatchDragEvent", { type, x, y, data });
}

for (const [name, options] of [
  ["desktop, light, English", { colorScheme: "light", words: { empty: /Drop a song/, probable: /Next|could also|Almost|confidence|No music|music/ } }],
  ["phone, dark, German", { colorScheme: "dark", width: 390, height: 844, attributes: 'lang="de"', words: { empty: /Zieh ein Stück/, probable: /Danach|könnte|gleich|sicher|Musik/ } }],
]) {
  test(`genre-drop: a dropped song has the native program's answer, and every state passes axe-core: ${name}`, () =>
    inPage(options, async ({ page, folder, room, state, events }) => {
      const { words } = options;
      assert.match(await room.innerText(), words.empty);
      await accessible(page, "empty");
      const buffer = song(3, 24, { channels: 2, rate: 44100 });
      const native = await classify(folder, buffer, "full.json");
      const file = path.join(folder, "a dropped song.wav");
      await writeFile(file, buffer);
      await dropFile(page, room, file);
      await state("done");
      const { segments, results, errors } = await events();
      assert.equal(results.length, 1);
      sameProbabilities(results[0].probabilities, native.probabilities, "the song");
      assert.equal(results[0].none, native.none);
      assert.deepEqual(segments.map(({ index }) => index).sort((a, b) => a - b), native.segments.map((_, index) => index));
      assert.deepEqual(errors, []);
      assert.match(await room.innerText(), words.probable);
      assert.match(await room.innerText(), /a dropped song/);
      // The ribbon covers the song without gaps, for the eye and for a screen reader.
      const runs = await room.locator(".run").evaluateAll((all) => all.map((run) => [run.style.left, run.style.width, run.textContent]));
      const sum = runs.reduce((total, [, width]) => total + parseFloat(width), 0);
      assert.ok(Math.abs(sum - 100) < 0.1, JSON.stringify(runs));
      assert.match(runs[0][2], /^0:00 (to|bis) /);
      await until("the announcement", async () => /%/.test(await room.getByRole("status").innerText()));
      await accessible(page, "done");
      await choose(page, "words.wav", Buffer.from("words, no song"));
      await state("failed");
      assert.equal((await events()).errors.length, 1);
      assert.ok((await room.getByRole("alert").innerText()).length > 20);
      await accessible(page, "failed");
    }));
}

test("genre-drop: the picker, the keyboard, cancelling, and a second song", () =>
  inPage({ attributes: 'models="fast" device="cpu"' }, async ({ page, room, state, events }) => {
    // Before the key by a few messages: the browser must know that the picker's dialog is taken over.
    const picker = page.waitForEvent("filechooser");
    await page.keyboard.press("Tab");
    const focused = () => page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.type ?? "none");
    assert.equal(await focused(), "file");
    await page.keyboard.press("Space");
    await (await picker).setFiles({ name: "long.wav", mimeType: "audio/wav", buffer: song(1, 240) });
    await until("a segment", async () => (await events()).segments.length > 0);
    // The focus is on the button that is there now.
    await until("the focus", async () => (await focused()) === "button");
    await page.keyboard.press("Enter");
    await state("empty");
    await until("the focus", async () => (await focused()) === "file");
    await choose(page, "short.wav", song(2, 6));
    await state("done");
    const { results, errors } = await events();
    assert.deepEqual([results.length, results[0].set, results[0].segments.length, errors], [1, "fast", 2, []]);
    assert.match(await room.innerText(), /short\.wav/);
  }));

test("genre-drop: the microphone, then the recording", () =>
  inPage(
    {
      permissions: ["microphone"],
      args: ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"],
    },
    async ({ page, room, state, events }) => {
      await room.getByRole("button", { name: "Microphone" }).click();
      await state("listening");
      // Chromium's microphone beeps once a second.
      await until("a prediction", async () => (await room.locator(".sureness").innerText()).includes("%"));
      await accessible(page, "listening");
      await room.getByRole("button", { name: "Stop" }).click();
      await state("done");
      const { results } = await events();
      assert.ok(results.length === 1 && results[0].segments.length >= 1);
    },
  ));

test("genre-drop: words of one's own, custom properties, parts, a shared classifier, and leaving the page", () =>
  inPage(
    { inside: '<span slot="heading">Hier abladen</span><b slot="choose">Pick one</b>' },
    async ({ page, room, events }) => {
      assert.match(await room.innerText(), /See its genre/);
      await page.getByText("Hier abladen").waitFor();
      const looks = await page.evaluate(async () => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync("genre-drop::part(room) { border-radius: 0 }");
        document.adoptedStyleSheets = [sheet];
        document.querySelector("genre-drop").style.setProperty("--genre-drop-accent", "rgb(1, 2, 3)");
        const root = document.querySelector("genre-drop").shadowRoot;
        const of = (selector) => getComputedStyle(root.querySelector(selector));
        return [of(".room").borderRadius, of(".button").backgroundColor];
      });
      assert.deepEqual(looks, ["0px", "rgb(1, 2, 3)"]);
      const answer = await page.evaluate(async (encoded) => {
        const { Classifier } = await import("./cratedigger/index.js");
        const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
        const drop = document.querySelector("genre-drop");
        const classifier = await Classifier.load({ models: "fast", device: "cpu" });
        drop.classifier = classifier;
        const { genre, set } = await drop.classify(new Blob([bytes]));
        const left = drop.classify(new Blob([bytes])).catch((error) => error.name);
        drop.remove();
        const name = await left;
        const open = !classifier.closed;
        classifier.close();
        return { genre, set, name, open };
      }, song(4, 6).toString("base64"));
      assert.deepEqual({ ...answer, genre: typeof answer.genre }, { genre: "string", set: "fast", name: "AbortError", open: true });
      assert.equal((await events()).results.length, 1);
    },
  ));
