// The page in Firefox.

import assert from "node:assert/strict";

import { until } from "./browser.mjs";
import { done, engine, paste, text } from "./engines.mjs";
import { NEEDS, start } from "./firefox.mjs";
import { song } from "./song.mjs";

engine("Firefox", start, NEEDS, (check) => {
  check("a file from the clipboard is classified, text is ignored", async (tab) => {
    await tab.copy("UTF8_STRING", "words");
    await tab.evaluate(() => addEventListener("paste", ({ isTrusted }) => (window.pasted = isTrusted)));
    await tab.press("Control", "v");
    await until("the paste", () => tab.evaluate(() => window.pasted));
    const found = await tab.evaluate(() => document.querySelectorAll('[data-testid="row"], [data-testid="notice"]').length);
    assert.equal(found, 0);
    await paste(tab, "pasted.wav", song(3, 4));
    await done(tab, "pasted.wav");
  });

  check("without an audio output, the microphone gives an error message", async (tab) => {
    await tab.click("microphone");
    await until("the message", async () => /audio output/.test((await text(tab, "notice")) ?? ""));
    assert.equal(await tab.evaluate(() => document.querySelector("main").dataset.state), "idle");
  });
});
