// Sound files of many kinds: odd ones written here, coded ones by the system's encoders.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { song } from "./song.mjs";

/** The part of a WAV file of `song.mjs` that comes after its header. */
const samplesOf = (wav) => wav.subarray(44);

/** Sets a 32-bit number of a copy. */
const withWord = (wav, at, value) => {
  const copy = Buffer.from(wav);
  copy.writeUInt32LE(value >>> 0, at);
  return copy;
};

/** A WAV file with chunks between its format and its samples. */
const withChunks = (wav, chunks) => Buffer.concat([wav.subarray(0, 36), ...chunks, wav.subarray(36)]);

/** An .au file whose header claims nothing about its length. */
export function au(wav) {
  const header = Buffer.alloc(24);
  header.write(".snd", 0);
  for (const [at, value] of [[4, 24], [8, 0], [12, 3], [16, wav.readUInt32LE(24)], [20, wav.readUInt16LE(22)]]) {
    header.writeUInt32BE(value, at);
  }
  return Buffer.concat([header, Buffer.from(samplesOf(wav)).swap16()]);
}

/** 24 bits in words of 32, in the low bits. */
export function bits24in32(wav) {
  const samples = samplesOf(wav);
  const data = Buffer.alloc(samples.length * 2);
  for (let at = 0; at < samples.length; at += 2) data.writeInt32LE(samples.readInt16LE(at) * 256, at * 2);
  const header = Buffer.from(wav.subarray(0, 44));
  const channels = header.readUInt16LE(22);
  header.writeUInt32LE(36 + data.length, 4);
  header.writeUInt32LE(header.readUInt32LE(24) * channels * 4, 28);
  header.writeUInt16LE(channels * 4, 32);
  header.writeUInt16LE(24, 34);
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}

/** Two channels that cancel each other, from one. */
export function antiphase(mono) {
  const samples = samplesOf(mono);
  const data = Buffer.alloc(samples.length * 2);
  for (let at = 0; at < samples.length; at += 2) {
    data.writeInt16LE(samples.readInt16LE(at), at * 2);
    data.writeInt16LE(-samples.readInt16LE(at), at * 2 + 2);
  }
  const header = Buffer.from(mono.subarray(0, 44));
  header.writeUInt32LE(36 + data.length, 4);
  header.writeUInt16LE(2, 22);
  header.writeUInt32LE(header.readUInt32LE(24) * 4, 28);
  header.writeUInt16LE(4, 32);
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}

/** Files that need no encoder: name, contents, seconds, and what is said about them, if anything. */
export function plainFiles() {
  const stereo = song(11, 20, { rate: 44100, channels: 2 });
  const mono = song(12, 20, { rate: 44100 });
  const list = Buffer.alloc(26);
  list.write("LIST", 0);
  list.writeUInt32LE(500, 4);
  list.write("INFOINAM", 8);
  list.writeUInt32LE(500, 16);
  list.write("A song", 20);
  const fact = Buffer.from("fact\x08\0\0\0\x40\x76\x0d\0\0\0\0\0", "latin1");
  return [
    ["au-claims-0.au", au(mono), 20, /claims|Header|header|$/],
    ["24-bits-in-32.wav", bits24in32(stereo), 20, null],
    ["antiphase.wav", antiphase(mono), 20, /channels cancel/],
    ["recorder-died.wav", withWord(withWord(stereo, 4, 0), 40, 0), 20, null],
    ["data-claims-a-third.wav", withWord(stereo, 40, 1176000), 20, null],
    ["list-too-long.wav", withChunks(stereo, [list]), 20, null],
    ["fact-8-bytes.wav", withChunks(stereo, [fact]), 20, null],
  ];
}

/** Whether all these programs are there. */
export const have = (...programs) =>
  programs.every((program) => spawnSync(program, ["-version"], { stdio: "ignore" }).error === undefined);

/** Runs `act` with a folder that is removed afterwards, and a function that runs a line in it. */
export function inFolder(act) {
  const folder = mkdtempSync(path.join(tmpdir(), "cratedigger-files-"));
  const run = (line) => execFileSync("sh", ["-ec", line], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  try {
    return act(folder, run);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Files that encoders write, as `plainFiles`. Needs ffmpeg, lame, flac and oggenc. */
export const codedFiles = () =>
  inFolder((folder, run) => {
    const write = (name, contents) => writeFileSync(path.join(folder, name), contents);
    write("a.wav", song(1, 6, { rate: 44100, channels: 2 }));
    write("b.wav", song(2, 9, { rate: 44100, channels: 2 }));
    write("m.wav", song(3, 5, { rate: 44100 }));
    write("k.wav", song(4, 4, { rate: 48000, channels: 2 }));
    run(`for n in a b; do lame --quiet -V2 $n.wav $n.mp3; done; cat a.mp3 b.mp3 > joined.mp3
      lame --quiet -V2 -t b.wav vbr-without-xing.mp3
      lame --quiet -b 64 -m m -t m.wav m.mp3; lame --quiet -b 192 -m j -t b.wav j.mp3; cat m.mp3 j.mp3 > mono-then-stereo.mp3
      oggenc -Q -q 4 -s 1 -o k.ogg k.wav; oggenc -Q -q 4 -s 2 -o b.ogg b.wav; cat k.ogg b.ogg > chained-rates.ogg
      flac -s -f -o fine.flac a.wav
      f='ffmpeg -v error -y -i a.wav'
      $f a.m4a; $f a.aiff; $f a.opus; $f a.webm; $f -c:a alac alac.m4a; $f -c:a adpcm_ms ms.wav; $f -c:a adpcm_ima_wav ima.wav
      $f a.caf; $f -c:a mp2 a.mp2; $f a.aac; $f -c:a flac flac.mka; $f -c:a pcm_f64le f64.wav; $f -c:a pcm_alaw alaw.wav
      $f -c:a pcm_mulaw mulaw.au; $f -c:a flac -f ogg flac.oga; $f -c:a aac -movflags frag_keyframe+empty_moov fragmented.mp4`);
    const read = (name) => readFileSync(path.join(folder, name));
    const claims = (frames) => {
      const mp3 = read("a.mp3");
      mp3.writeUInt32BE(frames, mp3.indexOf("Xing") + 8);
      return mp3;
    };
    const noBlock = read("fine.flac");
    noBlock.fill(0, 8, 10);
    const six = "a.mp3 a.m4a a.aiff a.opus a.webm alac.m4a ms.wav ima.wav a.caf a.mp2 a.aac flac.mka f64.wav alaw.wav mulaw.au flac.oga fragmented.mp4";
    return [
      ["joined.mp3", read("joined.mp3"), 15, null],
      ["vbr-without-xing.mp3", read("vbr-without-xing.mp3"), 9, null],
      ["xing-claims-0.mp3", claims(0), 6, null],
      ["xing-claims-a-third.mp3", claims(70), 6, null],
      ["mono-then-stereo.mp3", read("mono-then-stereo.mp3"), 14, /channels changes from 1 to 2/],
      ["chained-rates.ogg", read("chained-rates.ogg"), 13, /sample rate changes from 48000 to 44100/],
      ["min-block-0.flac", noBlock, 6, null],
      ...six.split(" ").map((name) => [name, read(name), 6, null]),
    ];
  });
