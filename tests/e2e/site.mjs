// A static file server for the built site. It records requests and can replace, delay or refuse responses.

import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

const root = process.env.CRATEDIGGER_DIST;
if (!root) throw new Error("CRATEDIGGER_DIST is not set: run these tests with `cargo xtask test`");

/** The path of a file in the built site. */
export const dist = (name) => path.join(root, name);

/**
 * Starts a server of a folder, by default the built site. Paths have no leading slash.
 * `overlay`: contents by path, which replace the site's files.
 * `folders`: other folders by path, such as `designs`.
 * `hold`: promises by path; the response waits for them.
 * `down`: closes every connection without a response.
 * `requests`: all requested paths; `bytes`: sizes of responses by path.
 */
export async function serve(base = root) {
  const site = { requests: [], bytes: new Map(), overlay: new Map(), folders: new Map(), hold: new Map(), down: false };
  const read = (name) => {
    const [first, ...rest] = path.normalize(`/${name}`).slice(1).split("/");
    const folder = site.folders.get(first);
    return readFile(folder ? path.join(folder, ...rest) : path.join(base, first, ...rest)).catch(() => null);
  };
  const server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    const name = pathname.endsWith("/") ? `${pathname.slice(1)}index.html` : pathname.slice(1);
    site.requests.push(name);
    if (site.down) return request.socket.destroy();
    await site.hold.get(name);
    const body = site.overlay.get(name) ?? (await read(name));
    if (body === null) return response.writeHead(404).end();
    site.bytes.set(name, body.length);
    response.writeHead(200, {
      "content-type": TYPES[path.extname(name)] ?? "application/octet-stream",
      "cache-control": "no-cache",
    });
    return response.end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  site.url = `http://127.0.0.1:${server.address().port}/`;
  site.close = () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); });
  return site;
}
