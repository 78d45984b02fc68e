// What the browser offers and Rust's bindings make long: folders, capture, the clipboard, the
// database. Nothing here computes anything about music, and nothing here speaks to a network.

// ---- Files -------------------------------------------------------------------------------

const SOUND = /\.(wav|wave|mp3|flac|ogg|oga|opus|m4a|m4b|mp4|aac|aif|aiff|aifc|webm|weba|mka|caf)$/i;
const isSound = (file) => /^(audio|video)\//.test(file.type) || SOUND.test(file.name);
const hidden = (name) => name.startsWith(".");
const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;

const entriesOf = async (folder) => {
  const reader = folder.createReader();
  const all = [];
  // A reader gives some entries at a time, and none when it is through.
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

// The files of a drop or of a paste. A single file is taken whatever it is, so that its owner
// hears why it is no song; of a folder only what looks like sound. The entries have to be asked for
// before this function first waits: afterwards the browser has emptied the list.
export async function filesOf(data) {
  const items = [...(data?.items ?? [])].filter((item) => item.kind === "file");
  const taken = items.map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]);
  const found = { files: [], left: 0, folder: false };
  for (const [entry, file] of taken) {
    if (entry?.isDirectory) {
      found.folder = true;
      await walk(entry, found);
    } else if (file) found.files.push(file);
  }
  return found;
}

// The files of a folder that was picked.
export function filesOfFolder(list) {
  const all = [...list].filter((file) => !hidden(file.name));
  const path = (file) => file.webkitRelativePath || file.name;
  const files = all.filter(isSound).sort((a, b) => order(path(a), path(b)));
  return { files, left: all.length - files.length, folder: true };
}

// ---- Out ---------------------------------------------------------------------------------

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has its own hold of the data as soon as it has begun.
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
  // Given as a promise, since some browsers only take it in the same turn as the click.
  await navigator.clipboard.write([new ClipboardItem({ "image/png": png(canvas) })]);
}

// ---- History: results, never sound ----------------------------------------------------------

let database;

function open() {
  database ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("cratedigger", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("songs", { keyPath: "added" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
  return database;
}

async function within(mode, act) {
  const songs = (await open()).transaction("songs", mode);
  const request = act(songs.objectStore("songs"));
  return new Promise((resolve, reject) => {
    songs.oncomplete = () => resolve(request.result);
    songs.onerror = songs.onabort = () => reject(songs.error);
  });
}

export const historyAll = () => within("readonly", (songs) => songs.getAll());
export const historyPut = (song) => within("readwrite", (songs) => songs.put(song));
export const historyDelete = (key) => within("readwrite", (songs) => songs.delete(key));
export const historyClear = () => within("readwrite", (songs) => songs.clear());

// ---- Live sound ------------------------------------------------------------------------------

const SEGMENT_SECONDS = 3;
const LONGEST_SECONDS = 600;

function wav(blocks, rate, name) {
  const length = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * length));
  const text = (at, words) => [...words].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * length, true);
  let at = 44;
  for (const block of blocks)
    for (const sample of block) {
      view.setInt16(at, Math.max(-1, Math.min(1, sample)) * 32767, true);
      at += 2;
    }
  return new File([view], name, { type: "audio/wav" });
}

// Sound made here, as a file.
export const wavFile = (samples, rate, name) => wav([samples], rate, name);

const microphone = () =>
  navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });

const display = () =>
  navigator.mediaDevices.getDisplayMedia({
    video: true, // without it no browser offers a choice of tabs
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    systemAudio: "include",
  });

export const offers = () => [
  Boolean(navigator.mediaDevices?.getUserMedia),
  Boolean(navigator.mediaDevices?.getDisplayMedia) && !/android|iphone|ipad/i.test(navigator.userAgent),
  "webkitdirectory" in HTMLInputElement.prototype && !/android|iphone|ipad/i.test(navigator.userAgent),
];

// Listens until `stop` is called, the stream ends, or ten minutes are over. `onPiece` gets the
// last three seconds about once a second; `onLevel` how loud it is; `onEnd` is called when
// the stream ends by itself. Everything stays in this page's memory.
export async function listen(tab, onPiece, onLevel, onEnd) {
  const stream = await (tab ? display() : microphone());
  const quiet = () => stream.getTracks().forEach((track) => track.stop());
  const [track] = stream.getAudioTracks();
  if (!track) {
    quiet();
    throw new Error("no sound");
  }
  const context = new AudioContext();
  try {
    await context.audioWorklet.addModule(new URL("tap.js", document.baseURI));
    await context.resume();
  } catch (error) {
    quiet();
    await context.close();
    throw error;
  }
  const rate = context.sampleRate;
  const blocks = [];
  let total = 0;
  let told = 0;
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const tap = new AudioWorkletNode(context, "tap");
  const mute = new GainNode(context, { gain: 0 });
  source.connect(tap).connect(mute).connect(context.destination);
  tap.port.onmessage = ({ data }) => {
    blocks.push(data);
    total += data.length;
    let peak = 0;
    for (const sample of data) peak = Math.max(peak, Math.abs(sample));
    onLevel(peak, total / rate);
    const wanted = Math.round(SEGMENT_SECONDS * rate);
    if (total >= wanted && total - told >= rate) {
      told = total;
      const piece = new Float32Array(wanted);
      let end = wanted;
      for (let i = blocks.length - 1; i >= 0 && end > 0; i -= 1) {
        const part = blocks[i].subarray(Math.max(0, blocks[i].length - end));
        end -= part.length;
        piece.set(part, end);
      }
      onPiece(piece, rate);
    }
    if (total / rate > LONGEST_SECONDS) onEnd();
  };
  track.onended = onEnd;
  return {
    async stop(name) {
      tap.port.onmessage = null;
      track.onended = null;
      quiet();
      await context.close().catch(() => {});
      return total ? wav(blocks, rate, name) : null;
    },
  };
}

export const stopListening = (ear, name) => ear.stop(name);

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
    // Refused: large type without a full screen is still large type.
  }
}

// ---- Offline ----------------------------------------------------------------------------------

// Registers the service worker once the page has what it needs, so that nothing competes with
// the first answer. `onUpdate` is called when a newer version lies ready.
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

// Has the worker for graphics cards kept, too, once it is of use here.
export async function keepGpuWorker() {
  const registration = await navigator.serviceWorker?.ready;
  registration?.active?.postMessage("keep the large worker");
}

// Lets the waiting version take over, and starts it.
export async function update() {
  const registration = await navigator.serviceWorker?.getRegistration();
  navigator.serviceWorker?.addEventListener("controllerchange", () => location.reload(), { once: true });
  registration?.waiting?.postMessage("take over");
}
