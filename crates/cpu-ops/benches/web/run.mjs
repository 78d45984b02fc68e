// Opens the page in headless Chromium and prints its times as JSON.
// node run.mjs OURS PACKAGES ROUNDS: the folder that wasm-bindgen wrote, and the one with node_modules.

import { readFile } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const [ours, packages, rounds] = process.argv.slice(2);
const { chromium } = createRequire(path.join(path.resolve(packages), "package.json"))("playwright-core");
const folders = {
  ours: path.resolve(ours),
  ort: path.resolve(packages, "node_modules/onnxruntime-web/dist"),
  web: import.meta.dirname,
};
const TYPES = { ".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };

const server = http.createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://x");
  const [, folder, name] = pathname.split("/");
  const file = name && folders[folder] ? path.join(folders[folder], path.basename(name)) : null;
  const page = pathname === "/" ? '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/web/page.mjs"></script>' : null;
  const body = page ?? (file && (await readFile(file).catch(() => null)));
  if (body === null) return response.writeHead(404).end();
  const type = page ? "text/html" : (TYPES[path.extname(file)] ?? "application/octet-stream");
  return response.writeHead(200, { "content-type": type }).end(body);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await chromium.launch({
  executablePath: process.env.CHROME ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-quic", "--disable-sync"],
});
try {
  const page = await browser.newPage();
  page.on("console", (message) => console.error(message.text()));
  page.on("pageerror", (error) => console.error(error.message));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction(() => globalThis.ready, null, { timeout: 60_000 });
  console.log(JSON.stringify(await page.evaluate((rounds) => globalThis.measure(rounds), Number(rounds))));
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
}
