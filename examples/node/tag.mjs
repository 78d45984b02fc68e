// Prints the genres of all sound files in a folder as JSON: node tag.mjs FOLDER

import { openAsBlob } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";

import { Classifier } from "cratedigger";

const SOUNDS = /\.(aac|aif|aiff|au|caf|flac|m4a|mka|mkv|mp3|mp4|oga|ogg|opus|wav|webm)$/i;

const [folder = "."] = process.argv.slice(2);
const names = (await readdir(folder, { recursive: true })).filter((name) => SOUNDS.test(name)).sort();
const classifier = await Classifier.load();
const songs = [];
for (const name of names) {
  try {
    // The file is read piece by piece.
    const file = await openAsBlob(path.join(folder, name));
    const { genre, none, probabilities, tags } = await classifier.classify(file);
    songs.push({ name, genre: none ? null : genre, probabilities, tags });
  } catch (error) {
    songs.push({ name, error: error.code ?? "unknown", message: error.message });
  }
}
classifier.close();
console.log(JSON.stringify(songs, null, 2));
