// A virtual screen with its own clipboard, for browsers that need one.

import { spawn } from "node:child_process";
import { once } from "node:events";

/** Starts a virtual screen; returns its environment, and functions for its clipboard and its end. */
export async function screen() {
  // With `-displayfd` the server chooses a free number and writes it when it is ready.
  const options = ["-displayfd", "3", "-screen", "0", "1400x1000x24", "-nolisten", "tcp"];
  const server = spawn("Xvfb", options, { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const [number] = await once(server.stdio[3], "data");
  const env = { ...process.env, DISPLAY: `:${String(number).trim()}` };
  // A session of Wayland, or a browser without a window, would not use this screen.
  for (const name of ["WAYLAND_DISPLAY", "MOZ_HEADLESS"]) delete env[name];
  let owner;
  return {
    env,
    /** Puts data on the clipboard; returns when it is there. */
    async copy(type, text) {
      owner?.kill();
      // The program keeps the clipboard until it ends, and writes a line when it has it.
      owner = spawn("xclip", ["-verbose", "-selection", "clipboard", "-t", type], { env, stdio: ["pipe", "ignore", "pipe"] });
      owner.stdin.end(text);
      let said = "";
      while (!said.includes("Waiting for selection requests")) said += String((await once(owner.stderr, "data"))[0]);
      owner.stderr.resume();
    },
    close() {
      owner?.kill();
      server.kill();
    },
  };
}
