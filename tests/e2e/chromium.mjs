// Starts Chromium as a `Tab` of engines.mjs.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { launch, part } from "./browser.mjs";

/** Chromium is required: `cargo xtask setup` fails without it. */
export const NEEDS = [];

/** Starts Chromium; see `Tab` in engines.mjs for what it returns. */
export async function start() {
  const folder = await mkdtemp(path.join(tmpdir(), "cratedigger-"));
  const browser = await launch(path.join(folder, "profile"));
  const [page] = browser.pages();
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", ({ message }) => errors.push(message));
  // Playwright's name of a download is no file name.
  page.on("download", (download) => download.saveAs(path.join(folder, download.suggestedFilename())));
  return {
    folder,
    go: (url) => page.goto(url),
    reload: () => page.reload(),
    // Playwright takes one argument.
    evaluate: (act, ...given) => page.evaluate(`(${act})(...${JSON.stringify(given)})`),
    click: (id) => part(page, id).first().click(),
    press: (...keys) => page.keyboard.press(keys.join("+")),
    choose: (id, ...files) => part(page, id).first().setInputFiles(files),
    errors: () => errors.splice(0).filter((text) => !/ERR_EMPTY_RESPONSE|ERR_CONNECTION|fetching the script/.test(text)),
    async close() {
      await browser.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
