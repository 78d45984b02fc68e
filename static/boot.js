// Starts the page's WebAssembly. A file of its own because the content security policy allows no
// inline script; where its two parts lie is written at this script's element by the build.
(() => {
  const { js, wasm } = document.currentScript.dataset;
  const here = (path) => new URL(path, document.baseURI).href;
  import(here(js))
    .then((module) => module.default({ module_or_path: here(wasm) }))
    .catch((error) => {
      console.error(error);
      const text = document.querySelector("#app .boot");
      if (text) {
        text.textContent =
          "This page could not start. It needs a browser of the last four years, with WebAssembly. " +
          "Try to reload it, or another browser.";
      }
    });
})();
