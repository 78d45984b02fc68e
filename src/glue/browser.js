// Browser features for which Rust's bindings are long: folders, the clipboard, the database, full
// screen, the service worker. Nothing here computes anything about music.

import { hidden, isSound, remember } from "./disk.js";

// ---- Files -------------------------------------------------------------------------------

const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;

const entriesOf = async (folder) => {
  const reader = folder.createReader();
  const all = [];
  // A reader returns the entries in batches; an empty batch is the end.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all.sort((a, b) => order(a.name, b.name));
    all.push(...some);
  }
};

const walk = async (entry, found) => {
  if (hidden(entry.name)) return;
  if (entry.isDirectory) {
    for (const inner of await entriesOf(entry).catch(() => [])) await walk(inner, found);
    return;
  }
  const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
  if (file && isSound(file)) found.files.push(file);
  else found.left += 1;
};

// Whether a drop or a paste holds the address of a local file. Some browsers give that instead of the file;
// WebKitGTK names the type and hides the address.
export const hasAddress = (data) => {
  if (![...(data?.types ?? [])].includes("text/uri-list")) return false;
  const list = data.getData("text/uri-list");
  return !list || /^file:/im.test(list);
};

// The files of a drop or a paste. A single file is taken whatever its type, so that the user learns
// why it is not a song; a folder gives only files that look like sound. The entries must be read
// before the first await, because the browser empties the list after it.
export async function filesOf(data) {
  const items = [...(data?.items ?? [])].filter((item) => item.kind === "file");
  const taken = items.map((item) => {
    const [entry, file] = [item.webkitGetAsEntry?.(), item.getAsFile()];
    remember(item, entry?.isDirectory ? null : file);
    return [entry, file];
  });
  const found = { files: [], left: 0, folder: false, address: hasAddress(data) };
  for (const [entry, file] of taken) {
    if (entry?.isDirectory) {
      found.folder = true;
      await walk(entry, found);
    } else if (file) found.files.push(file);
  }
  return found;
}

// The files of a picked folder.
export function filesOfFolder(list) {
  const path = (file) => file.webkitRelativePath || file.name;
  // The chosen folder itself may have any name.
  const inside = (file) => path(file).split("/").slice(file.webkitRelativePath ? 1 : 0);
  const all = [...list].filter((file) => !inside(file).some(hidden));
  const files = all.filter(isSound).sort((a, b) => order(path(a), path(b)));
  return { files, left: all.length - files.length, folder: true, address: false };
}

// ---- Out ---------------------------------------------------------------------------------

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // A download that has begun no longer needs the URL.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export function saveText(text, type, name) {
  save(new Blob([text], { type }), name);
}

export const pretty = (value) => JSON.stringify(value, null, 2);

export async function copyText(text) {
  await navigator.clipboard.writeText(text);
}

const png = (canvas) =>
  new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png");
  });

export async function savePicture(canvas, name) {
  save(await png(canvas), name);
}

export async function copyPicture(canvas) {
  // As a promise, because some browsers require the write in the same turn as the click.
  await navigator.clipboard.write([new ClipboardItem({ "image/png": png(canvas) })]);
}

// SHA-256 of a file's content in hexadecimal. Without a secure context browsers have no hash; then what they know
// about the file takes its place.
export async function contentOf(file) {
  if (!globalThis.crypto?.subtle) return `${file.name}|${file.size}|${file.lastModified}`;
  const hash = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const bytesOf = async (file) => new Uint8Array(await file.arrayBuffer());

export function saveBytes(bytes, type, name) {
  saveParts([bytes], type, name);
}

// Parts may be blobs, which a browser can keep on disk.
export function saveParts(parts, type, name) {
  save(new Blob(parts, { type }), name);
}

// ---- History: results, no sound ----------------------------------------------------------

let database;

// Results by time, features of songs by content, the network that the visitor taught, and what restores files whose
// tags were written.
const STORES = { songs: "added", features: "content", own: "key", written: "key" };

function open() {
  database ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("cratedigger", 3);
    request.onupgradeneeded = () => {
      const there = request.result.objectStoreNames;
      for (const [name, keyPath] of Object.entries(STORES)) {
        if (!there.contains(name)) request.result.createObjectStore(name, { keyPath });
      }
    };
    request.onsuccess = () => {
      // A newer version of the page in another tab must not wait for this one.
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
  return database;
}

async function within(mode, act, store = "songs") {
  const transaction = (await open()).transaction(store, mode);
  const request = act(transaction.objectStore(store));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

export const historyAll = () => within("readonly", (songs) => songs.getAll());
export const historyPut = (song) => within("readwrite", (songs) => songs.put(song));
export const historyDelete = (key) => within("readwrite", (songs) => songs.delete(key));
export const historyClear = () => within("readwrite", (songs) => songs.clear());

// The other stores.
export const kept = (store, key) => within("readonly", (all) => all.get(key), store);
export const keep = (store, value) => within("readwrite", (all) => all.put(value), store);
export const allKept = (store) => within("readonly", (all) => all.getAll(), store);
export const countKept = (store) => within("readonly", (all) => all.count(), store);
export const dropKept = (store, key) => within("readwrite", (all) => all.delete(key), store);
export const clearKept = (store) => within("readwrite", (all) => all.clear(), store);

// ---- Capabilities ----------------------------------------------------------------------------

// Whether the browser offers a microphone, the sound of a tab, and the choice of a folder.
export const offers = () => [
  Boolean(navigator.mediaDevices?.getUserMedia),
  Boolean(navigator.mediaDevices?.getDisplayMedia) && !/android|iphone|ipad/i.test(navigator.userAgent),
  "webkitdirectory" in HTMLInputElement.prototype && !/android|iphone|ipad/i.test(navigator.userAgent),
];

// ---- Screen -----------------------------------------------------------------------------------

let awake;

export async function conference(on) {
  try {
    if (on) {
      await document.documentElement.requestFullscreen?.();
      awake = await navigator.wakeLock?.request("screen");
    } else {
      await awake?.release();
      if (document.fullscreenElement) await document.exitFullscreen();
    }
  } catch {
    // If the browser refuses the full screen, the large type stays.
  }
}

// ---- Offline ----------------------------------------------------------------------------------

// Registers the service worker. The page calls this after the first worker is ready, so that the
// offline copy does not delay the first answer. `onUpdate` is called when a newer version is ready.
export async function goOffline(onUpdate) {
  const workers = navigator.serviceWorker;
  if (!workers || !window.isSecureContext) return;
  try {
    const registration = await workers.register(new URL("sw.js", document.baseURI));
    const look = () => {
      if (registration.waiting && workers.controller) onUpdate();
    };
    const follow = (worker) => worker?.addEventListener("statechange", look);
    look();
    follow(registration.installing);
    registration.addEventListener("updatefound", () => follow(registration.installing));
  } catch (error) {
    console.warn("no offline copy:", error.message);
  }
}

// Adds the WebGPU worker to the offline copy, where it is in use.
export async function keepGpuWorker() {
  const registration = await navigator.serviceWorker?.ready;
  registration?.active?.postMessage("keep the large worker");
}

// Activates the waiting version and reloads the page.
export async function update() {
  const registration = await navigator.serviceWorker?.getRegistration();
  navigator.serviceWorker?.addEventListener("controllerchange", () => location.reload(), { once: true });
  registration?.waiting?.postMessage("take over");
}
