// Starts the page's WebAssembly. It is a separate file because the content security policy allows no
// inline script. The build writes the paths of the two parts into this script's element.
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
          "This page could not start. It needs WebAssembly and a browser from the last four years. " +
          "Reload the page or try another browser.";
      }
    });
})();
