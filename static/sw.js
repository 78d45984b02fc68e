// Service worker: keeps a copy of one version of the site for offline use. The build writes the version
// and the list of files into the two lines below. The file names of the workers are the same in every
// build, so only the version keeps a page and its workers together.
const VERSION = "";
const FILES = [];

// Too large to fetch for every visitor; kept only where it is used.
const LARGE = ["worker-gpu.js", "worker-gpu_bg.wasm"];

const PREFIX = "cratedigger-";
const CACHE = PREFIX + VERSION;
const scope = new URL(self.registration.scope);

self.addEventListener("install", (event) => {
  const fresh = (file) => new Request(new URL(file, scope), { cache: "no-cache" });
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES.map(fresh))));
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("message", (event) => {
  // The visitor chose to use the new version now.
  if (event.data === "take over") self.skipWaiting();
  // The page uses WebGPU. On the first visit the page fetched the large worker before this service worker
  // was active. The browser's HTTP cache still has it, so it is not downloaded again.
  if (event.data === "keep the large worker") event.waitUntil(keepLarge());
});

async function keepLarge() {
  const cache = await caches.open(CACHE);
  const missing = async (file) => ((await cache.match(new URL(file, scope))) ? [] : [new URL(file, scope)]);
  await cache.addAll((await Promise.all(LARGE.map(missing))).flat());
}

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const ours = event.request.method === "GET" && url.origin === scope.origin && url.pathname.startsWith(scope.pathname);
  if (ours) event.respondWith(answer(event.request, url));
});

async function answer(request, url) {
  const cache = await caches.open(CACHE);
  const key = request.mode === "navigate" ? new URL("./", scope) : request;
  const kept = await cache.match(key, { ignoreSearch: true });
  if (kept) return kept;
  const response = await fetch(request);
  const large = LARGE.some((file) => url.pathname === new URL(file, scope).pathname);
  if (response.ok && large) await cache.put(request, response.clone());
  return response;
}
