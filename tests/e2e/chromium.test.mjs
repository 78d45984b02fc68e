// The tests of the other engines, in Chromium.

import { NEEDS, start } from "./chromium.mjs";
import { engine } from "./engines.mjs";

engine("Chromium", start, NEEDS);
