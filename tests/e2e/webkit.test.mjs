// The page in WebKitGTK.

import { until } from "./browser.mjs";
import { engine, paste, text } from "./engines.mjs";
import { song } from "./song.mjs";
import { NEEDS, start } from "./webkit.mjs";

engine("WebKitGTK", start, NEEDS, (check) => {
  // WebKitGTK gives the page the type of an address and no file.
  check("a file from the clipboard gives an error message", async (tab) => {
    await paste(tab, "pasted.wav", song(3, 4));
    await until("the message", async () => /address of the file/.test((await text(tab, "notice")) ?? ""));
  });
});
