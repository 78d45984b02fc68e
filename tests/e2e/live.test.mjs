// Live sound: Chromium's fake microphone plays a synthetic song.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { accessible, drive, open, part, rows, state, until } from "./browser.mjs";
import { song } from "./song.mjs";

test("the microphone gives a genre about once a second, and at the end a recording", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "cratedigger-"));
  const file = path.join(folder, "microphone.wav");
  await writeFile(file, song(3, 30, { rate: 44_100 }));
  const args = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-audio-capture=${file}`,
  ];
  await drive({ args, permissions: ["microphone"] }, async ({ page, site }) => {
    await open(page, site);
    await part(page, "microphone").first().click();
    await state(page, "live");
    await part(page, "live-ribbon").locator(".live-cell").nth(2).waitFor();
    const genre = await part(page, "live-genre").innerText();
    assert.match(genre, /\S/);
    assert.equal(await part(page, "genre-bar").count(), 10);
    await accessible(page, "live");
    const seconds = Number((await part(page, "live-time").innerText()).split(":")[1]);
    const cells = await part(page, "live-ribbon").locator(".live-cell").count();
    assert.ok(cells >= 3 && cells <= seconds + 1, `${cells} in ${seconds} s`);
    await part(page, "stop").click();
    await state(page, "done");
    const [recording] = await rows(page);
    assert.match(recording.name, /^Recording/);
    await until("it can be played", () => part(page, "play").isEnabled());
  }).finally(() => rm(folder, { recursive: true, force: true }));
});

test("a refused microphone gives an error message, and the page continues", () =>
  drive({ args: ["--deny-permission-prompts"] }, async ({ page, site }) => {
    await open(page, site);
    await part(page, "microphone").first().click();
    await part(page, "notice").waitFor();
    assert.match(await part(page, "notice").innerText(), /microphone .*\. .*\./i);
    assert.equal(await page.locator("main").getAttribute("data-state"), "idle");
  }));

test("the page listens to a tab where the browser supports it, and continues after a refusal", () =>
  drive({}, async ({ page, site }) => {
    // Headless Chromium cannot share a tab. This replacement returns a stream at the first call, and rejects
    // the second.
    await page.addInitScript(() => {
      let asked = 0;
      navigator.mediaDevices.getDisplayMedia = async ({ audio, video }) => {
        if (!audio || !video) throw new Error("asked for the wrong thing");
        asked += 1;
        if (asked > 1) throw new DOMException("refused", "NotAllowedError");
        const context = new AudioContext();
        const tone = new OscillatorNode(context, { frequency: 220, type: "sawtooth" });
        const out = context.createMediaStreamDestination();
        tone.connect(out);
        tone.start();
        return out.stream;
      };
    });
    await open(page, site);
    await part(page, "tab-sound").first().click();
    await state(page, "live");
    await part(page, "live-ribbon").locator(".live-cell").first().waitFor();
    await part(page, "stop").click();
    await state(page, "done");
    assert.match((await rows(page))[0].name, /^Tab recording/);
    await part(page, "tab-sound").first().click();
    await part(page, "notice").filter({ hasText: "No sound was shared" }).waitFor();
  }));
