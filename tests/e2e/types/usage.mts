// A use of the package that must compile, and misuses that must not. It is compiled, never run.

import { Classifier, CratediggerError, type Result, type SegmentEvent } from "cratedigger";

const classifier = await Classifier.load({
  device: "auto",
  models: new URL("https://a.example/manifest.json"),
  signal: AbortSignal.timeout(5),
});
const song = classifier.classify(new File([], "a"), { onProgress: ({ done, total }) => done / total });
for await (const segment of song) {
  const event: SegmentEvent = segment;
  if (!event.silent) console.log(event.probabilities["rock"], event.song?.genre);
}
const result: Result = await song;
const genre: string = result.genre;
classifier.classify({ samples: new Float32Array(4), sampleRate: 3 }).catch((error) => {
  if (error instanceof CratediggerError && error.code === "too-short") return genre;
});
declare const audio: AudioBuffer;
classifier.classify(audio);
const listening = await classifier.listen("microphone");
const file: File | null = await listening.stop();
console.log(file?.name);
classifier.close();

// @ts-expect-error A path is no sound.
classifier.classify("song.mp3");
// @ts-expect-error Only `load` makes one.
new Classifier();
// @ts-expect-error There is no such device.
await Classifier.load({ device: "tpu" });
