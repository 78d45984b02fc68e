// Songs in compressed formats, encoded by ffmpeg. Also, which programs this machine has.

import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

/** The path of the first of these programs that the machine has, or `undefined`. */
export const program = (...names) =>
  (process.env.PATH ?? "")
    .split(path.delimiter)
    .flatMap((folder) => names.map((name) => path.join(folder, name)))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

/** The reason to skip a test: the first of these programs that is missing. `false` if all are there. */
export const without = (...names) => {
  const missing = names.find((name) => !program(name));
  return missing ? `${missing} is missing; \`cargo xtask setup\` installs it` : false;
};

const CODECS = {
  aiff: ["-c:a", "pcm_s16be"],
  flac: ["-c:a", "flac"],
  m4a: ["-c:a", "aac", "-b:a", "160k"],
  mp3: ["-c:a", "libmp3lame", "-b:a", "192k"],
  ogg: ["-c:a", "libvorbis", "-q:a", "5"],
  opus: ["-c:a", "libopus", "-b:a", "128k"],
};

/** Encodes a WAV file; returns the encoded file. `folder` is for temporary files; `more` are options of ffmpeg. */
export async function encode(folder, wav, extension, more = []) {
  const [from, to] = [path.join(folder, "encode.wav"), path.join(folder, `encode.${extension}`)];
  await writeFile(from, wav);
  const options = ["-hide_banner", "-loglevel", "error", "-y", "-i", from, ...CODECS[extension], ...more];
  await promisify(execFile)("ffmpeg", [...options, "-map_metadata", "-1", to]);
  return readFile(to);
}
