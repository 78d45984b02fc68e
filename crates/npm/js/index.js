// The package in a browser: a page or a worker of it.

import { assets } from "./assets.js";
import * as binding from "./binding/cratedigger.js";
import { classifierOf } from "./classifier.js";
import { CratediggerError } from "./error.js";

const binary = "cratedigger_bg.wasm";
let started;

const platform = {
  Engine: binding.Engine,
  assets,
  /** An absolute URL; a relative one belongs to the page. */
  absolute: (url) => new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href).href,
  /** Compiles the module, once. A failed try is repeated by the next call. */
  start(base) {
    const url = base === undefined ? assets[binary] : new URL(binary, base).href;
    started ??= binding.default({ module_or_path: url }).catch((error) => {
      started = undefined;
      throw new CratediggerError(
        "package",
        `The package's WebAssembly cannot be started. Check that ${url} is served, and that the content security ` +
          "policy allows script-src 'wasm-unsafe-eval'.",
        String(error?.message ?? error),
      );
    });
    return started;
  },
};

export const Classifier = classifierOf(platform);
export { CratediggerError };
