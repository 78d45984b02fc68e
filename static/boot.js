// Starts the page's WebAssembly, if the browser has what the page needs. It is a separate file because the
// content security policy allows no inline script. The build writes the paths of the two parts into this
// script's element.
(() => {
  const { js, wasm } = document.currentScript.dataset;
  const here = (path) => new URL(path, document.baseURI).href;
  const german = /^de/i.test(navigator.language);
  const say = (english, deutsch) => {
    const text = document.querySelector("#app .boot");
    if (text) text.textContent = german ? deutsch : english;
  };
  // A function that returns a 128-bit vector.
  const simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
  const needs = () =>
    CSS.supports("color", "color-mix(in srgb, red, blue)") &&
    CSS.supports("selector(:has(a))") &&
    WebAssembly.validate(new Uint8Array(simd));
  let able = false;
  try {
    able = needs();
  } catch {
    // It lacks even the means to ask.
  }
  if (!able) {
    say(
      "This browser is too old for this page. It needs Chrome or Edge 111, Firefox 121, Safari 16.4, or newer. " +
        "Update the browser, or try another one.",
      "Dieser Browser ist zu alt für diese Seite. Sie braucht Chrome oder Edge 111, Firefox 121, Safari 16.4 " +
        "oder neuer. Aktualisiere den Browser, oder nimm einen anderen.",
    );
    return;
  }
  import(here(js))
    .then((module) => module.default({ module_or_path: here(wasm) }))
    .catch((error) => {
      console.error(error);
      say(
        "This page could not start. Reload the page or try another browser.",
        "Diese Seite konnte nicht starten. Lade sie neu, oder nimm einen anderen Browser.",
      );
    });
})();
