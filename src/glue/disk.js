// Files on disk: which ones are sound, and those that a page may write, where the browser has the File System Access
// API. Nothing is written except by `replace`.

const SOUND = new Set(
  ("wav wave bwf rf64 mp3 mp2 mp1 mpga mpa flac fla ogg oga ogx opus m4a m4b m4r mp4 m4v mov 3gp 3g2 aac adts " +
    "aif aiff aifc afc caf au snd webm weba mka mkv").split(" "),
);
export const isSound = (file) =>
  /^(audio|video)\//.test(file.type) || SOUND.has(/\.([^.]+)$/.exec(file.name)?.[1].toLowerCase());
// Folders that systems keep for themselves: trash, thumbnails, resource forks, snapshots.
const SYSTEM = new Set(
  ("$recycle.bin,recycler,recycled,system volume information,lost+found,@eadir,@recycle,#recycle,#snapshot," +
    "@tmp,__macosx").split(","),
);
export const hidden = (name) => name.startsWith(".") || SYSTEM.has(name.toLowerCase());

export const canWrite = () => typeof window.showDirectoryPicker === "function";

// Handles of files that were dropped, as promises, by the `File`.
const dropped = new WeakMap();
// Folders that were dropped or chosen: promises of a handle and of the handles of the sound files in it, by their name.
const folders = [];

// The files of a folder by name, with those of its subfolders.
async function index(folder, found = new Map()) {
  for await (const handle of folder.values()) {
    if (hidden(handle.name)) continue;
    if (handle.kind === "directory") await index(handle, found);
    else if (isSound(handle)) found.set(handle.name, [...(found.get(handle.name) ?? []), handle]);
  }
  return found;
}

const add = (folder) => folders.push({ folder, files: undefined });

// Remembers what a drop gives access to. Must be called before the first await of its handler. `file` is null for a
// folder.
export function remember(item, file) {
  if (!canWrite()) return;
  // A file that was made by a script has no handle.
  const handle = item.getAsFileSystemHandle?.().catch(() => null);
  if (!handle) return;
  if (file) dropped.set(file, handle);
  else add(handle);
}

// Asks the visitor for a folder; returns whether there is one. Must be called in the handler of a click.
export async function chooseFolder() {
  try {
    const folder = await window.showDirectoryPicker({ id: "songs", mode: "readwrite" });
    add(Promise.resolve(folder));
    return true;
  } catch (error) {
    // The visitor has changed their mind.
    if (error.name === "AbortError") return false;
    throw error;
  }
}

// Places where a file may lie: its own handle from the drop, or files of its name and size in known folders. A place is
// `{ handle, folder }`.
export async function placesOf(file) {
  const places = [];
  const own = await dropped.get(file);
  if (own) places.push({ handle: own, folder: null });
  for (const known of folders) {
    const folder = await known.folder;
    if (!folder) continue;
    known.files ??= index(folder).catch(() => new Map());
    for (const handle of (await known.files).get(file.name) ?? []) {
      const found = await handle.getFile().catch(() => null);
      if (found?.size === file.size) places.push({ handle, folder });
    }
  }
  return places;
}

export const fileAt = (place) => place.handle.getFile();

// Asks for permission to write, once for each folder. Returns for each place whether there is one. Must be called in
// the handler of a click.
export async function permitted(places) {
  const rights = { mode: "readwrite" };
  const ask = async (handle) => {
    try {
      if (!handle.queryPermission || (await handle.queryPermission(rights)) === "granted") return true;
      return (await handle.requestPermission(rights)) === "granted";
    } catch {
      return false;
    }
  };
  const known = [];
  const answers = [];
  for (const { handle, folder } of places) {
    const asked = folder ?? handle;
    let answer;
    for (const [other, before] of known) if (await other.isSameEntry(asked)) answer = before;
    if (answer === undefined) known.push([asked, (answer = await ask(asked))]);
    answers.push(answer);
  }
  return answers;
}

// Replaces the content of a file, which must still be `seen`. The browser writes beside it and puts the new content in
// its place at the end, all at once. Returns the new `File`.
export async function replace(place, bytes, seen) {
  const stream = await place.handle.createWritable();
  try {
    await stream.write(bytes);
    const now = await place.handle.getFile();
    if (now.lastModified !== seen.lastModified || now.size !== seen.size) throw new Error("changed meanwhile");
    await stream.close();
  } catch (error) {
    await stream.abort().catch(() => {});
    throw error;
  }
  return place.handle.getFile();
}

// The path of a file inside the folder that was chosen; its name if there was none.
export const pathInside = (file) => file.webkitRelativePath?.split("/").slice(1).join("/") || file.name;
