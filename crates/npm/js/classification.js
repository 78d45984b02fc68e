// One song on its way to a result.

import { answer, section } from "./answer.js";
import { CratediggerError } from "./error.js";
import { Stream } from "./stream.js";

/** A song under way: a promise of the result, and an iterator over the segments. */
export class Classification {
  #classes;
  #onProgress;
  #stream = new Stream();
  #result;
  #settle;
  #segments = new Map();
  #notes = [];
  #progress = { phase: "waiting", done: 0, total: 0 };

  constructor(classes, onProgress) {
    this.#classes = classes;
    this.#onProgress = onProgress;
    this.#result = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // A caller may only iterate, which throws the same error.
    this.#result.catch(() => {});
  }

  then(onResult, onError) {
    return this.#result.then(onResult, onError);
  }

  catch(onError) {
    return this.#result.catch(onError);
  }

  finally(onEnd) {
    return this.#result.finally(onEnd);
  }

  [Symbol.asyncIterator]() {
    return this.#stream.values();
  }

  get [Symbol.toStringTag]() {
    return "Classification";
  }

  /** Resolves when there is a result or an error. */
  get ended() {
    return this.#stream.ended;
  }

  fail(error) {
    if (this.#stream.isOver) return;
    this.#settle.reject(error);
    this.#stream.end(error);
  }

  status(status) {
    if (status === "cancelled") this.fail(new CratediggerError("cancelled", "The song was cancelled. Classify it again."));
    else if (status !== "done") this.#tell({ phase: status });
    // A new try has its own notes.
    if (status === "decoding") this.#notes = [];
  }

  note(notes) {
    this.#notes.push(...notes);
  }

  take(event, device) {
    switch (event.type) {
      case "started":
        // A song that is analysed again starts over.
        this.#segments.clear();
        return this.#tell({ done: 0, total: event.segments });
      case "length":
        return this.#tell({ total: event.segments });
      case "noted":
        return this.note([event.note]);
      case "segment":
      case "silent":
        return this.#segment(event);
      case "finished":
        return this.#finish(event, device);
    }
  }

  #segment(event) {
    const { index, start, end } = event;
    const silent = event.type === "silent";
    // The probability of non-music of a segment above the threshold means that it is none of the classes.
    const sound = silent
      ? { genre: null, none: true, probabilities: null, nonMusic: null }
      : answer(this.#classes, event.probabilities, event.nonMusic?.rejected ?? false, event.nonMusic);
    const segment = { index, start, end, silent, ...sound };
    this.#segments.set(index, segment);
    this.#tell({ done: this.#segments.size });
    const song = silent ? null : answer(this.#classes, event.song, event.none, event.songNonMusic);
    const { done, total } = this.#progress;
    this.#stream.push({ ...segment, song, settled: event.settled ?? false, done, total });
  }

  #finish(event, device) {
    const classes = this.#classes;
    const networks = event.members.map(({ model, probabilities }) => ({
      name: model,
      probabilities: answer(classes, probabilities, false).probabilities,
    }));
    this.#settle.resolve({
      ...answer(classes, event.probabilities, event.none, event.nonMusic),
      segments: [...this.#segments.values()].sort((a, b) => a.index - b.index),
      sections: event.sections.map((one) => section(classes, one)),
      tags: event.tags,
      networks,
      conditions: event.conditions,
      notes: this.#notes,
      set: event.set,
      device,
      timing: {
        milliseconds: event.milliseconds,
        millisecondsToFirst: event.millisecondsToFirst,
        workers: event.workers,
        memory: event.memory,
      },
    });
    this.#stream.end();
  }

  #tell(change) {
    this.#progress = { ...this.#progress, ...change };
    this.#onProgress?.({ ...this.#progress });
  }
}
