// Values that come over time, for `for await`, and their end.

/** Collects values. Each iteration gets all of them from the first on. */
export class Stream {
  #values = [];
  #end = null;
  #wake = [];
  #settle;

  constructor() {
    /** Resolves when it has ended, in whatever way. */
    this.ended = new Promise((resolve) => (this.#settle = resolve));
  }

  get isOver() {
    return this.#end !== null;
  }

  push(value) {
    if (this.#end) return;
    this.#values.push(value);
    this.#stir();
  }

  /** Ends it; with an error, iterations throw it. Only the first end counts. */
  end(error) {
    if (this.#end) return;
    this.#end = error === undefined ? {} : { error };
    this.#settle();
    this.#stir();
  }

  async *values() {
    for (let at = 0; ; at += 1) {
      while (at >= this.#values.length) {
        if (this.#end) {
          if ("error" in this.#end) throw this.#end.error;
          return;
        }
        await new Promise((resolve) => this.#wake.push(resolve));
      }
      yield this.#values[at];
    }
  }

  #stir() {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
