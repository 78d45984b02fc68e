// Live sound on its way to predictions.

import { answer } from "./answer.js";
import { Stream } from "./stream.js";

/** Live sound: an iterator over predictions, about one a second. */
export class Listening {
  #classes;
  #stream = new Stream();
  #recorder = null;
  #recording = null;
  #level = 0;
  #seconds = 0;

  constructor(classes) {
    this.#classes = classes;
  }

  /** Peak level of the last moment, 0…1. */
  get level() {
    return this.#level;
  }

  /** Seconds that were heard so far. */
  get seconds() {
    return this.#seconds;
  }

  /** Stops and resolves to the recording, a WAV file, or to `null` if nothing was heard. */
  stop() {
    this.#stream.end();
    return this.#release();
  }

  [Symbol.asyncIterator]() {
    return this.#stream.values();
  }

  /** Resolves when it has stopped. */
  get ended() {
    return this.#stream.ended;
  }

  onLevel = (level, seconds) => {
    this.#level = level;
    this.#seconds = seconds;
  };

  // The recording stays until it is asked for.
  onEnd = () => void this.stop();

  begin(recorder) {
    this.#recorder = recorder;
    if (this.#stream.isOver) this.#release();
  }

  fail(error) {
    this.#stream.end(error);
    this.#release();
  }

  take({ probabilities, nonMusic }) {
    const seconds = this.#seconds;
    if (!probabilities) return this.#stream.push({ seconds, silent: true, genre: null, none: true, probabilities: null, nonMusic: null });
    const sound = answer(this.#classes, probabilities, nonMusic?.rejected ?? false, nonMusic);
    return this.#stream.push({ seconds, silent: false, ...sound });
  }

  #release() {
    const recorder = this.#recorder;
    this.#recorder = null;
    // `stop` takes the recorder, so it is called once.
    if (recorder) this.#recording = recorder.stop("recording.wav").then((file) => file ?? null);
    return this.#recording ?? Promise.resolve(null);
  }
}
