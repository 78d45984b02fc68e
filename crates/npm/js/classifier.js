// The class `Classifier`: makes promises and iterators of the client's messages. The queue, the choice of the device,
// recovery and checks are the client's.

import { Classification } from "./classification.js";
import { CratediggerError } from "./error.js";
import { Listening } from "./listening.js";
import { soundOf } from "./sound.js";

const DEVICES = ["auto", "cpu", "gpu"];
const SETS = ["fast", "full"];

const badInput = (message) => new CratediggerError("bad-input", message);

/** Settles like a promise, or rejects with the signal's reason as soon as that aborts. */
function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** The options in the form that the client takes. */
function optionsOf(platform, { device = "auto", models = "full", base }) {
  if (!DEVICES.includes(device)) throw badInput(`There is no device "${device}". Use "auto", "cpu" or "gpu".`);
  const absolute = (url, what) => {
    try {
      return platform.absolute(url);
    } catch {
      throw badInput(`${what} is no URL: ${url}. Pass an absolute URL, or one relative to the page.`);
    }
  };
  const set = SETS.includes(models) ? models : "full";
  const manifest = SETS.includes(models) ? null : absolute(models, "models");
  if (base === undefined) return { device, set, manifest, folder: "", moved: platform.assets };
  const folder = absolute(`${base}`.endsWith("/") ? base : `${base}/`, "base");
  return { device, set, manifest, folder, moved: {} };
}

/** The class for a platform: a browser or Node.js. */
export function classifierOf({ Engine, assets, absolute, start }) {
  const platform = { assets, absolute };

  return class Classifier {
    #engine;
    #options;
    #songs = new Map();
    #next = 1;
    #listening = null;
    #devices = { cpu: { state: "off" }, gpu: { state: "off" } };
    #full = "none";
    #sets = {};
    #models = { classes: [], set: "fast", networks: [], metrics: [] };
    #ready;
    #settle;

    static async load(options = {}) {
      const { signal } = options;
      signal?.throwIfAborted();
      const chosen = optionsOf(platform, options);
      await abortable(start(options.base === undefined ? undefined : chosen.folder), signal);
      const classifier = new Classifier(chosen);
      try {
        await abortable(classifier.#ready, signal);
      } catch (error) {
        classifier.close();
        throw error;
      }
      return classifier;
    }

    constructor(options) {
      if (!options?.device || !("moved" in options)) throw badInput("Use `await Classifier.load()`.");
      this.#options = options;
      this.#ready = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
      this.#ready.catch(() => {});
      // In a later turn, so that this may be closed by whoever gets the message.
      this.#engine = new Engine(options, (message) => queueMicrotask(() => this.#engine && this.#take(message)));
    }

    /** Whether it is closed. */
    get closed() {
      return this.#engine === null;
    }

    get info() {
      const { classes, set, networks, metrics } = this.#models;
      const licences = networks.filter(({ licence }) => licence).map(({ name, licence }) => ({ network: name, notice: licence }));
      return structuredClone({ classes, set, networks, metrics, licences, devices: this.#devices });
    }

    classify(input, { signal, onProgress } = {}) {
      const id = this.#next++;
      const song = new Classification(this.#models.classes, onProgress);
      const drop = () => {
        if (this.#songs.delete(id)) this.#engine?.remove(id);
      };
      const abort = () => song.fail(signal.reason);
      song.ended.finally(() => {
        signal?.removeEventListener("abort", abort);
        drop();
      });
      if (!this.#engine) song.fail(closed());
      else if (signal?.aborted) abort();
      else {
        signal?.addEventListener("abort", abort, { once: true });
        this.#songs.set(id, song);
        try {
          this.#open(id, soundOf(input));
        } catch (error) {
          song.fail(error);
        }
      }
      return song;
    }

    async listen(source, { signal } = {}) {
      if (!this.#engine) throw closed();
      signal?.throwIfAborted();
      if (typeof AudioContext === "undefined" || typeof AudioWorkletNode === "undefined") {
        throw new CratediggerError(
          "no-output",
          "There is no live sound here. Call listen() in a page with HTTPS; elsewhere, classify files or samples.",
        );
      }
      if (this.#listening) throw new CratediggerError("busy", "This Classifier already listens. Stop that first, or load another one.");
      const listening = new Listening(this.#models.classes);
      this.#listening = listening;
      listening.ended.finally(() => (this.#listening = null));
      try {
        listening.begin(await this.#engine.listen(source, listening.onLevel, listening.onEnd));
      } catch (error) {
        const { code, message, detail } = error ?? {};
        const known = typeof code === "string" ? new CratediggerError(code, message, detail) : error;
        listening.fail(known);
        throw known;
      }
      signal?.addEventListener("abort", () => listening.fail(signal.reason), { once: true });
      if (signal?.aborted) listening.fail(signal.reason);
      return listening;
    }

    close() {
      const engine = this.#engine;
      if (!engine) return;
      this.#engine = null;
      this.#settle.reject(closed());
      for (const song of [...this.#songs.values()]) song.fail(closed());
      this.#listening?.fail(closed());
      engine.cancelAll();
      engine.free();
    }

    #open(id, { file, channels, sampleRate }) {
      if (file) this.#engine.open(id, file);
      else this.#engine.openSamples(id, channels, sampleRate);
    }

    #take(message) {
      const song = this.#songs.get(message.song);
      switch (message.type) {
        case "status":
          return song?.status(message.status);
        case "failed":
          return song?.fail(new CratediggerError(message.code, message.message, message.detail));
        case "notes":
          return song?.note(message.notes);
        case "output":
          return song?.take(message.event, message.device);
        case "live":
          return this.#listening?.take(message);
        case "device": {
          const { type, device, ...state } = message;
          this.#devices[device] = Object.fromEntries(Object.entries(state).filter(([, value]) => value !== null));
          break;
        }
        case "full":
          this.#full = message.state;
          break;
        case "classes":
          this.#models.classes = message.classes;
          break;
        case "models":
          this.#sets[message.device] = message.set;
          this.#models = { ...this.#models, set: message.set, networks: message.models, metrics: message.metrics };
          break;
        case "kept":
          this.#sets[message.device] = "kept";
          break;
      }
      this.#consider();
    }

    /** Settles the promise of `load` when it is clear how it ends. */
    #consider() {
      const { cpu, gpu } = this.#devices;
      const fail = ({ code, message, detail }) => this.#settle.reject(new CratediggerError(code, message, detail));
      if (cpu.state === "failed") return fail(cpu);
      if (cpu.state !== "ready") return;
      const needed = this.#options.device === "gpu" ? ["cpu", "gpu"] : ["cpu"];
      if (needed.includes("gpu")) {
        if (gpu.state === "failed" || gpu.state === "unavailable") return fail(gpu);
        if (gpu.state !== "ready") return;
      }
      if (this.#options.set === "full" && this.#full !== "none") {
        if (needed.some((device) => this.#sets[device] === "kept")) {
          const words = "The full set of networks cannot be loaded. Check that its files are served, or use models: \"fast\".";
          return this.#settle.reject(new CratediggerError("models", words));
        }
        if (needed.some((device) => this.#sets[device] !== "full")) return;
      }
      this.#settle.resolve();
    }
  };
}

const closed = () => new CratediggerError("closed", "This Classifier is closed. Load another one.");
