// The custom element <genre-drop>: takes a dropped, chosen or recorded song, and shows its genre.

import { View } from "./element/view.js";
import { languageOf } from "./element/words.js";
import { Classifier, CratediggerError } from "./index.js";

/** What is shown before there is a song. */
const EMPTY = { phase: "empty", name: "", answer: null, segments: new Map(), classes: [], done: 0, total: 0, error: null };

// On a server there are no elements; the module can be imported all the same.
const Base = globalThis.HTMLElement ?? class {};

export class GenreDrop extends Base {
  static observedAttributes = ["base", "device", "lang", "models"];

  #view;
  #state = EMPTY;
  #frame = 0;
  /** Ends what is under way. */
  #control = null;
  #listening = null;
  /** The promise of a classifier, and whether it is this element's own. */
  #loading = null;
  #shared = null;

  constructor() {
    super();
    this.#view = new View(this.attachShadow({ mode: "open" }), {
      choose: (file) => this.#take(file),
      listen: () => this.#run(() => this.listen()),
      stop: () => this.stop(),
    });
    // The networks load while somebody reaches for the element.
    const prepare = () => void this.#load().catch(() => {});
    for (const type of ["pointerenter", "focusin", "dragenter"]) this.addEventListener(type, prepare, { once: true });
    this.addEventListener("dragenter", (event) => this.#drag(event));
    this.addEventListener("dragover", (event) => this.#drag(event));
    this.addEventListener("dragleave", (event) => {
      if (!this.contains(event.relatedTarget)) this.#view.over(false);
    });
    this.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#view.over(false);
      this.#take(event.dataTransfer?.files[0]);
    });
  }

  connectedCallback() {
    this.#draw();
  }

  disconnectedCallback() {
    // It may only be moved to another place.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.cancel();
      this.#drop();
    });
  }

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (name === "lang") this.#draw();
    else this.#drop();
  }

  get models() {
    return this.getAttribute("models") ?? "full";
  }

  set models(value) {
    this.setAttribute("models", value);
  }

  get device() {
    return this.getAttribute("device") ?? "auto";
  }

  set device(value) {
    this.setAttribute("device", value);
  }

  /** A classifier that the page also uses itself; this element does not close it. */
  get classifier() {
    return this.#shared;
  }

  set classifier(value) {
    this.#drop();
    this.#shared = value;
  }

  /** Classifies a sound instead of the one under way. */
  classify(sound) {
    const name = sound?.name ?? "";
    return this.#begin(name, (signal, classifier) => this.#song(sound, signal, classifier));
  }

  /** Listens to the microphone until `stop`, then classifies the recording. */
  listen() {
    return this.#begin("", async (signal, classifier) => {
      const listening = await classifier.listen("microphone", { signal });
      this.#listening = listening;
      this.#set({ phase: "listening" });
      for await (const event of listening) {
        this.#set({ answer: event.silent ? null : event, seconds: event.seconds });
      }
      const recording = await listening.stop();
      this.#listening = null;
      if (recording) return this.#song(recording, signal, classifier);
      this.#set(EMPTY);
      return null;
    });
  }

  /** Ends a recording, or cancels the song under way. */
  stop() {
    if (this.#listening) void this.#listening.stop();
    else this.cancel();
  }

  /** Cancels what is under way. */
  cancel() {
    const control = this.#control;
    if (!control) return;
    this.#control = null;
    this.#listening = null;
    control.abort();
    this.#set(EMPTY);
  }

  #drag(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    this.#view.over(true);
  }

  #take(file) {
    this.#run(() =>
      file
        ? this.classify(file)
        : this.#begin("", () => Promise.reject(new CratediggerError("no-file", this.#words().errors["no-file"]))),
    );
  }

  /** Runs an action of a person: its error is shown, and its cancellation is none. */
  #run(act) {
    act().catch(() => {});
  }

  async #begin(name, act) {
    this.cancel();
    const control = new AbortController();
    this.#control = control;
    this.#set({ ...EMPTY, phase: "loading", name });
    try {
      const classifier = await this.#load();
      control.signal.throwIfAborted();
      this.#state.classes = classifier.info.classes;
      return await act(control.signal, classifier);
    } catch (error) {
      if (control === this.#control) {
        this.#set({ phase: "failed", error });
        this.#emit("error", error);
      }
      throw error;
    } finally {
      if (control === this.#control) this.#control = null;
    }
  }

  async #song(sound, signal, classifier) {
    this.#set({ phase: "waiting", answer: null, name: this.#listening ? "" : this.#state.name });
    const onProgress = ({ phase, done, total }) => {
      if (!signal.aborted) this.#set({ phase, done, total });
    };
    const song = classifier.classify(sound, { signal, onProgress });
    for await (const event of song) {
      signal.throwIfAborted();
      const segments = new Map(this.#state.segments).set(event.index, event);
      this.#set({ phase: "analysing", segments, answer: event.song ?? this.#state.answer, settled: event.settled });
      this.#emit("segment", event);
    }
    const result = await song;
    const segments = new Map(result.segments.map((segment) => [segment.index, segment]));
    this.#set({ phase: "done", answer: result, segments });
    this.#emit("result", result);
    return result;
  }

  /** The classifier; a failed try is repeated by the next song. */
  #load() {
    if (this.#shared) return Promise.resolve(this.#shared);
    if (!this.#loading) {
      const base = this.getAttribute("base") ?? undefined;
      const loading = Classifier.load({ models: this.models, device: this.device, base });
      loading.catch(() => {
        if (this.#loading === loading) this.#loading = null;
      });
      this.#loading = loading;
    }
    return this.#loading;
  }

  /** Closes the element's own classifier. */
  #drop() {
    const loading = this.#loading;
    this.#loading = null;
    loading?.then((classifier) => classifier.close(), () => {});
  }

  #emit(type, detail) {
    // They do not bubble: an `error` at the window would look like one of the page's scripts.
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #words() {
    return languageOf(this);
  }

  #set(change) {
    this.#state = { ...this.#state, ...change };
    this.#draw();
  }

  /** Draws once for all changes in this frame. */
  #draw() {
    if (this.#frame || !this.isConnected) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#view.show(this.#state, this.#words());
    });
  }
}

if (globalThis.customElements && !customElements.get("genre-drop")) customElements.define("genre-drop", GenreDrop);
