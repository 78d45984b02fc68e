// Starts Firefox with the built site, over WebDriver BiDi.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import puppeteer from "puppeteer-core";

import { SOON } from "./browser.mjs";
import { program } from "./media.mjs";
import { screen } from "./screen.mjs";

const BROWSER = process.env.FIREFOX ?? program("firefox-esr", "firefox");

/** Programs without which Firefox cannot be tested. */
export const NEEDS = [...(BROWSER ? [] : ["firefox-esr"]), "Xvfb", "xclip"];

const preferences = (folder) => ({
  // Downloads go into the folder without a question.
  "browser.download.dir": folder,
  "browser.download.folderList": 2,
  "intl.accept_languages": "en-GB",
  // A microphone that plays a tone, and no audio output: there is no such library.
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.cubeb.backend": "none",
});

/** Starts Firefox; see `Tab` in engines.mjs for what it returns. */
export async function start() {
  const folder = await mkdtemp(path.join(tmpdir(), "cratedigger-"));
  const display = await screen();
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: BROWSER,
    // Only a browser with a window has the clipboard of its screen.
    headless: false,
    env: display.env,
    args: ["--width=1280", "--height=950"],
    defaultViewport: null,
    extraPrefsFirefox: preferences(folder),
    protocolTimeout: SOON,
  });
  const [page] = await browser.pages();
  page.setDefaultTimeout(SOON);
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  const find = (id) => `[data-testid="${id}"]`;
  return {
    folder,
    go: (url) => page.goto(url),
    reload: () => page.reload(),
    evaluate: (act, ...given) => page.evaluate(act, ...given),
    click: (id) => page.locator(find(id)).click(),
    async press(...keys) {
      for (const key of keys) await page.keyboard.down(key);
      for (const key of keys.reverse()) await page.keyboard.up(key);
    },
    choose: async (id, ...files) => (await page.$(find(id))).uploadFile(...files),
    copy: display.copy,
    errors: () => errors.splice(0),
    async close() {
      await browser.close();
      display.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
