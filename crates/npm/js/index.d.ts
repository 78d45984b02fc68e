/** Classifies music by genre, computed on the machine that runs it. Nothing is uploaded. */

/** What can be classified. Bytes are those of a sound or video file in any usual format. */
export type Sound = Blob | ArrayBuffer | Uint8Array | AudioBufferLike | Samples;

/** Web Audio's `AudioBuffer`, named by its shape, because Node.js does not have it. */
export interface AudioBufferLike {
  readonly sampleRate: number;
  readonly numberOfChannels: number;
  getChannelData(channel: number): Float32Array;
}

/** Samples, nominally in −1…1. */
export interface Samples {
  /** One channel, or a list of channels of the same length. */
  samples: Float32Array | Float32Array[];
  /** Samples a second, in Hz. */
  sampleRate: number;
}

export interface LoadOptions {
  /**
   * Where to compute. `"auto"` answers on the CPU at once, and changes to the GPU if there is one and it measured
   * faster. `"gpu"` waits for the GPU, and fails without one. Default: `"auto"`; in Node.js there is only the CPU.
   */
  device?: "auto" | "cpu" | "gpu";
  /**
   * Which networks: `"fast"` for the smallest download, `"full"` for the most accurate answers, or the URL of the
   * `manifest.json` of your own, as `cratedigger export` writes it, with its weights beside it. Relative URLs belong to
   * the page; in Node.js, to the working directory. Default: `"full"`.
   */
  models?: "fast" | "full" | (string & {}) | URL;
  /**
   * Folder with a copy of the package's `assets`, if they are not found relative to the module. In Node.js, a folder on
   * the disk.
   */
  base?: string | URL;
  /** Gives up loading. */
  signal?: AbortSignal;
}

export interface ClassifyOptions {
  /** Cancels this song; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called whenever there is news. */
  onProgress?: (progress: Progress) => void;
}

export interface Progress {
  /** `"waiting"` in the queue, then `"decoding"`, then `"analysing"`. */
  phase: "waiting" | "decoding" | "analysing";
  /** Segments that are done. */
  done: number;
  /** Segments of the song; expected, if it is still decoded. 0 until that is known. */
  total: number;
}

/** The probability that a sound is no music. */
export interface NonMusic {
  /** The most probable kind, such as `"speech"`. */
  kind: string;
  /** Of all kinds together, 0…1. */
  probability: number;
  /** Whether this is above the threshold, so that the answer is none of the classes. */
  rejected: boolean;
}

export interface Answer {
  /** The most probable class, also if `none` is true. */
  genre: string;
  /** Whether the answer is none of the classes: it is no music, or the networks are not sure enough. */
  none: boolean;
  /** One probability for each class; they sum to 1. */
  probabilities: Record<string, number>;
  /** `null` if no network predicts it. */
  nonMusic: NonMusic | null;
}

/** Three seconds of a song. */
export type Segment = { index: number; /** Seconds. */ start: number; /** Seconds. */ end: number } & (
  | ({ silent: false } & Answer)
  | { silent: true; genre: null; none: true; probabilities: null; nonMusic: null }
);

/**
 * A segment that has just been predicted. Segments come in an order that spreads over the song. If a worker is lost,
 * the song starts over: a repeated `index` replaces the earlier one.
 */
export type SegmentEvent = Segment & {
  /** The answer for the song from all segments so far; `null` with a silent segment. */
  song: Answer | null;
  /** Whether the song's answer is unlikely to change. */
  settled: boolean;
  /** Segments that are done. */
  done: number;
  /** Segments of the song. */
  total: number;
};

export interface Section {
  /** Seconds. */
  start: number;
  /** Seconds. */
  end: number;
  kind: "class" | "non-music" | "silence";
  /** The class, or the kind of non-music; `null` for silence. */
  name: string | null;
  /** Mean over the section's segments, 0…1. */
  probability: number;
}

export interface Result extends Answer {
  /** In order of time. */
  segments: Segment[];
  /** In order of time, without gaps. */
  sections: Section[];
  /** Eras, moods, instruments and styles, the strongest first. Not calibrated. Empty if no network predicts them. */
  tags: { name: string; /** 0…1 */ strength: number }[];
  /** Each network's own probabilities. */
  networks: { name: string; probabilities: Record<string, number> }[];
  /** Conditions under which the networks are measurably less accurate. */
  conditions: ("telephone" | "clipped")[];
  /** What was left out or mended while the file was decoded. */
  notes: ({ type: string } & Record<string, unknown>)[];
  /** The set of networks that was used. */
  set: "fast" | "full";
  /** The device that was used. */
  device: "cpu" | "gpu";
  timing: {
    /** From the start of the analysis to its end. */
    milliseconds: number;
    /** From the start of the analysis to the first segment. */
    millisecondsToFirst: number;
    /** Workers that predicted segments. */
    workers: number;
    /** Their WebAssembly memory in bytes. */
    memory: number;
  };
}

/** A song under way: `await` it for the result, or iterate over its segments as they come, or both. */
export interface Classification extends Promise<Result>, AsyncIterable<SegmentEvent> {}

/** A prediction for the last three seconds of live sound. */
export type LiveEvent = { /** Seconds that were heard so far. */ seconds: number } & (
  | ({ silent: false } & Answer)
  | { silent: true; genre: null; none: true; probabilities: null; nonMusic: null }
);

/** Live sound. Ends after ten minutes, or when its source ends. */
export interface Listening extends AsyncIterable<LiveEvent> {
  /** Peak level of the last moment, 0…1. */
  readonly level: number;
  /** Seconds that were heard so far. */
  readonly seconds: number;
  /** Stops, and resolves to the recording as a WAV file, or to `null` if nothing was heard. */
  stop(): Promise<File | null>;
}

export interface Network {
  name: string;
  /** Architecture and input in one line. */
  summary: string;
  parameters: number;
  /** Size of the weights. */
  bytes: number;
  metrics: Metric[];
  /** Licence notice of weights from a third party. */
  licence?: string | null;
}

/** A measured accuracy with its protocol. */
export interface Metric {
  /** How training and test data were split. */
  protocol: string;
  /** What was counted: `"track"`, `"segment"`, `"non-music"` or `"music-accepted"`. */
  level: string;
  /** How the recordings were altered before; absent for unaltered ones. */
  condition?: string | null;
  n: number;
  /** 0…1 */
  accuracy: number;
  /** 95 % confidence interval. */
  interval?: [number, number] | null;
  /** One row for each label, one column for each predicted class. */
  confusion?: number[][] | null;
}

export interface Device {
  state: "off" | "unavailable" | "loading" | "ready" | "failed";
  /** The adapter, or the kind of CPU code. */
  name?: string;
  /** Time of the networks for one segment. */
  milliseconds?: number;
  /** Why it is out of use. */
  code?: string;
  /** Why it is out of use, and what to do. */
  message?: string;
}

export interface Info {
  classes: string[];
  /** The set that is loaded. */
  set: "fast" | "full";
  networks: Network[];
  /** Accuracies of all networks together. */
  metrics: Metric[];
  /** Notices that have to be shown with the networks. */
  licences: { network: string; notice: string }[];
  devices: { cpu: Device; gpu: Device };
}

/** Codes of {@link CratediggerError}. */
export type ErrorCode =
  // The caller
  | "bad-input" | "busy" | "cancelled" | "closed"
  // The sound
  | "empty" | "unreadable" | "not-audio" | "too-long" | "other-file" | "unsupported" | "protected" | "no-sound"
  | "damaged" | "decoder" | "too-short" | "silent" | "bad-samples"
  // Live sound
  | "no-output" | "no-source"
  // Files of the package, networks and devices
  | "package" | "models" | "device" | "mismatch" | "no-api" | "no-adapter" | "lacking" | "protocol" | "stopped";

/** An error with a code for programs, and a message that says what happened and what to do. */
export declare class CratediggerError extends Error {
  constructor(code: ErrorCode, message: string, detail?: string);
  readonly name: "CratediggerError";
  readonly code: ErrorCode;
  /** For a developer; may be empty. */
  readonly detail: string;
}

/** Classifies sounds. Several at once queue up. */
export declare class Classifier {
  private constructor();
  /**
   * Loads the package's WebAssembly and the networks.
   *
   * @throws {@link CratediggerError}, or the signal's reason.
   */
  static load(options?: LoadOptions): Promise<Classifier>;
  /** Classes, networks, figures with their protocol, licence notices and devices. */
  readonly info: Info;
  readonly closed: boolean;
  /** Classifies a sound. The promise rejects with a {@link CratediggerError}, or with the signal's reason. */
  classify(sound: Sound, options?: ClassifyOptions): Classification;
  /**
   * Listens to a stream, to the microphone or to a tab, and predicts about once a second. Only in a page. A stream of
   * your own goes on afterwards.
   */
  listen(source: MediaStream | "microphone" | "tab", options?: { signal?: AbortSignal }): Promise<Listening>;
  /** Ends the workers. What is under way rejects with the code `"closed"`. A Node.js process ends only after this. */
  close(): void;
}
