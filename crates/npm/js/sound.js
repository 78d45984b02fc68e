// The forms in which a caller may have a sound.

import { CratediggerError } from "./error.js";

const WORDS =
  "classify() takes a File, a Blob, an ArrayBuffer or a typed array with a file's bytes, an AudioBuffer, or " +
  "{ samples, sampleRate } with a Float32Array or one for each channel.";

const bad = (why) => new CratediggerError("bad-input", `${why} ${WORDS}`);

const isAudioBuffer = (input) => typeof input.getChannelData === "function" && typeof input.sampleRate === "number";

/** The input as `{ file }`, or as `{ channels, sampleRate }`. */
export function soundOf(input) {
  if (input === null || typeof input !== "object") throw bad(`This is ${input === null ? "null" : typeof input}.`);
  if (input instanceof Blob) {
    return { file: input instanceof File ? input : new File([input], "sound", { type: input.type }) };
  }
  if (input instanceof ArrayBuffer || (ArrayBuffer.isView(input) && !(input instanceof Float32Array))) {
    return { file: new File([input], "sound") };
  }
  if (isAudioBuffer(input)) {
    const channels = Array.from({ length: input.numberOfChannels }, (_, index) => input.getChannelData(index).slice());
    return { channels, sampleRate: Math.round(input.sampleRate) };
  }
  if (!("samples" in input)) throw bad(input instanceof Float32Array ? "Samples need their rate." : "This is something else.");
  const { samples, sampleRate } = input;
  const channels = samples instanceof Float32Array ? [samples] : samples;
  if (!Array.isArray(channels) || !channels.length || !channels.every((channel) => channel instanceof Float32Array)) {
    throw bad("`samples` is no Float32Array and no list of them.");
  }
  if (!Number.isInteger(sampleRate) || sampleRate < 1) throw bad("`sampleRate` is no whole number of Hz.");
  // Copies, because the caller may change them while they wait.
  return { channels: channels.map((channel) => channel.slice()), sampleRate };
}
