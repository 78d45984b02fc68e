// The package in Node.js: the same client and the same workers, on threads.

import { readFile } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

import { assets } from "./assets.js";
import { classifierOf } from "./classifier.js";
import { CratediggerError } from "./error.js";
import * as binding from "./node/cratedigger.js";

const binary = "cratedigger_bg.wasm";
let started;

async function bytes(url) {
  if (url.startsWith("file:")) return readFile(fileURLToPath(url));
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
  return response.arrayBuffer();
}

const platform = {
  Engine: binding.Engine,
  assets,
  /** An absolute URL; a relative one, or a path, belongs to the working directory. */
  absolute: (url) => new URL(url, pathToFileURL(`${process.cwd()}/`)).href,
  /** Compiles the module, once. A failed try is repeated by the next call. */
  start(base) {
    const url = base === undefined ? assets[binary] : new URL(binary, base).href;
    started ??= bytes(url)
      .then((module) => binding.default({ module_or_path: module }))
      .catch((error) => {
        started = undefined;
        throw new CratediggerError(
          "package",
          `The package's WebAssembly cannot be started. Check that ${url} is there.`,
          String(error?.message ?? error),
        );
      });
    return started;
  },
};

export const Classifier = classifierOf(platform);
export { CratediggerError };
