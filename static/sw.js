// Keeps a copy of one version of the site, so that it opens without a network. The build writes the
// version and the list of files into the two lines below; names of workers don't change from build
// to build, so it is the version that keeps a page and its workers together.
const VERSION = "";
const FILES = [];

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

// The visitor wants the new version now.
self.addEventListener("message", ({ data }) => {
  if (data === "take over") self.skipWaiting();
});

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
  // Too large to be fetched for everyone, and worth keeping for those who use it.
  if (response.ok && url.pathname.includes("/worker-gpu")) await cache.put(request, response.clone());
  return response;
}
