// The memory of the browser.

import { readFileSync } from "node:fs";

/** Memory of all the browser's processes in MB, after a garbage collection; shared pages count once. Linux only. */
export async function memory(browser) {
  const page = await browser.newCDPSession(browser.pages()[0]);
  await page.send("HeapProfiler.collectGarbage");
  await page.detach();
  return resident(browser);
}

/** The same, at any moment. */
export async function resident(browser) {
  const session = (await browser.browser()?.newBrowserCDPSession()) ?? (await browser.newCDPSession(browser.pages()[0]));
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  let all = 0;
  for (const { id } of processInfo) {
    try {
      all += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, "utf8"))?.[1] ?? 0);
    } catch {
      // It has ended.
    }
  }
  return all / 1000;
}
