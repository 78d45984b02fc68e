// Starts the page's WebAssembly. It is a separate file because the content security policy allows no
// inline script. The build writes the paths of the two parts into this script's element.
(() => {
  const { js, wasm } = document.currentScript.dataset;
  const here = (path) => new URL(path, document.baseURI).href;
  const german = /^de\b/i.test(navigator.language);
  const say = (english, germanText) => {
    const text = document.querySelector("#app .boot");
    if (text) text.textContent = german ? germanText : english;
  };

  // The newest features that the page needs, of WebAssembly and of its style. A module with one SIMD
  // instruction shows the first. docs/deploying.md names the versions of browsers.
  const simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
  const able =
    typeof WebAssembly === "object" &&
    WebAssembly.validate(new Uint8Array(simd)) &&
    CSS.supports("color: color-mix(in srgb, red, blue)") &&
    CSS.supports("selector(:has(a))");
  if (!able) {
    say(
      "This browser is too old for this page, which needs Chrome or Edge 111, Firefox 121, Safari 16.4, or a " +
        "newer one. Update your browser, or open this page in another one.",
      "Dieser Browser ist zu alt für diese Seite. Sie braucht mindestens Chrome oder Edge 111, Firefox 121 oder " +
        "Safari 16.4. Aktualisiere deinen Browser, oder öffne diese Seite in einem anderen.",
    );
    return;
  }

  import(here(js))
    .then((module) => module.default({ module_or_path: here(wasm) }))
    .catch((error) => {
      console.error(error);
      say(
        "This page could not start. Check your connection, then reload the page.",
        "Diese Seite konnte nicht starten. Prüfe deine Verbindung und lade die Seite neu.",
      );
    });
})();
