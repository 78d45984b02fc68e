// Starts WebKitGTK's MiniBrowser with the built site, over WebDriver.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

import { SOON, until } from "./browser.mjs";
import { screen } from "./screen.mjs";

/** Programs without which WebKitGTK cannot be tested. */
export const NEEDS = ["WebKitWebDriver", "dbus-run-session", "Xvfb", "xclip"];

/** WebDriver's codes of keys that write no character. */
const KEYS = { ArrowRight: "\uE014", ArrowLeft: "\uE012", Home: "\uE011", End: "\uE010", Escape: "\uE00C", Control: "\uE009" };

/** The key of an element's reference in WebDriver's messages. */
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts MiniBrowser; see `Tab` in engines.mjs for what it returns. */
export async function start() {
  const folder = await mkdtemp(path.join(tmpdir(), "cratedigger-"));
  const display = await screen();
  const port = await freePort();
  const driver = spawn("dbus-run-session", ["--", "WebKitWebDriver", `--port=${port}`], {
    // The driver cannot set a folder: downloads, the profile and the service worker's copy go into HOME.
    env: { ...display.env, HOME: folder, XDG_RUNTIME_DIR: folder, LIBGL_ALWAYS_SOFTWARE: "1" },
    stdio: "ignore",
    detached: true,
  });
  let session = "";
  const call = async (method, command, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${session}${command}`, { method, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${command}: ${value.error}: ${value.message}`);
    return value;
  };
  await until("WebKitWebDriver", () => call("GET", "/status").catch(() => null));
  const { sessionId } = await call("POST", "/session", { capabilities: {} });
  session = `/session/${sessionId}`;
  await call("POST", "/timeouts", { script: SOON, pageLoad: SOON });
  const evaluate = async (act, ...given) => {
    const script = `
      const done = arguments[arguments.length - 1];
      Promise.resolve((${act})(...[...arguments].slice(0, -1)))
        .then((value) => done({ value: value ?? null }), (error) => done({ error: String(error) }));`;
    const { value, error } = await call("POST", "/execute/async", { script, args: given });
    if (error) throw new Error(error);
    return value;
  };
  const element = async (id) => (await call("POST", "/element", { using: "css selector", value: `[data-testid="${id}"]` }))[ELEMENT];
  return {
    folder,
    keepsDelay: true,
    go: (url) => call("POST", "/url", { url }),
    reload: () => call("POST", "/refresh", {}),
    evaluate,
    click: async (id) => call("POST", `/element/${await element(id)}/click`, {}),
    async press(...keys) {
      const values = keys.map((key) => KEYS[key] ?? key);
      const actions = [
        ...values.map((value) => ({ type: "keyDown", value })),
        ...values.reverse().map((value) => ({ type: "keyUp", value })),
      ];
      await call("POST", "/actions", { actions: [{ type: "key", id: "keyboard", actions }] });
    },
    choose: async (id, ...files) => call("POST", `/element/${await element(id)}/value`, { text: files.join("\n") }),
    copy: display.copy,
    // The driver does not report the console; `watch` in engines.mjs stores it.
    errors: () =>
      evaluate(() => {
        const all = JSON.parse(sessionStorage.getItem("errors") ?? "[]");
        sessionStorage.removeItem("errors");
        return all;
      }),
    async close() {
      await call("DELETE", "").catch(() => {});
      // The group, because the driver's own bus ends only with it.
      try {
        process.kill(-driver.pid);
      } catch {
        // It has ended by itself.
      }
      display.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
