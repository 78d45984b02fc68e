// Takes screenshots of every view, on desktop, phone and projector, light and dark.
// node screenshots.mjs FOLDER

import { mkdir } from "node:fs/promises";
import path from "node:path";

import { allReady, cpuReady, drive, drop, open, part, rows, state, until } from "./browser.mjs";
import { drone, hiss, song } from "./song.mjs";

const folder = path.resolve(process.argv[2] ?? "screenshots");
await mkdir(folder, { recursive: true });

const SIZES = {
  desktop: { width: 1280, height: 900 },
  dark: { width: 1280, height: 900, colorScheme: "dark" },
  phone: { width: 390, height: 844, deviceScaleFactor: 2 },
  german: { width: 390, height: 844, deviceScaleFactor: 2, locale: "de-DE", colorScheme: "dark" },
  projector: { width: 1920, height: 1080 },
};

for (const [size, options] of Object.entries(SIZES)) {
  await drive({ ...options, reducedMotion: "reduce" }, async ({ page, site }) => {
    const take = async (view, fullPage = false) => {
      await page.evaluate(() => document.fonts.ready);
      const file = path.join(folder, `${view}-${size}.jpg`);
      await page.screenshot({ path: file, type: "jpeg", quality: 82, fullPage });
      console.log(file);
    };
    let letGo;
    site.hold.set("worker-cpu_bg.wasm", new Promise((resolve) => (letGo = resolve)));
    await open(page, site, { ready: false });
    await take("empty");
    await part(page, "example").click();
    await page.locator("main[data-state=analysing]").waitFor();
    await take("working");
    letGo();
    await cpuReady(page);
    await state(page, "done");
    await allReady(page);
    if (await part(page, "ask-all").count()) {
      await part(page, "ask-all").click();
      await part(page, "votes").waitFor();
    }
    await until("the spectrogram", () => part(page, "spectrogram").evaluate((canvas) => canvas.width > 1));
    await take("result");
    await part(page, "segment").nth(5).click();
    await part(page, "zoom-in").click();
    await part(page, "overview").waitFor();
    await page.mouse.move(2, 2);
    await take("zoom");
    await part(page, "zoom-whole").click();
    await part(page, "why-ask").click();
    await part(page, "why-answer").waitFor();
    await part(page, "why").scrollIntoViewIfNeeded();
    await take("why");
    const files = Array.from({ length: 5 }, (_, n) => ({ name: `Side ${n + 1}.wav`, buffer: song(n + 1, 6 + 3 * n) }));
    await drop(page, [...files, { name: "notes.mp3", buffer: Buffer.from("words, no song") }]);
    await until("the queue", async () => (await rows(page)).every(({ status }) => ["done", "failed"].includes(status)));
    await take("crate", true);
    await part(page, "row").filter({ hasText: "Side 3" }).getByTestId("row-alike").click();
    await until("the map", async () => (await part(page, "map-point").count()) === 6, 240_000);
    await take("alike");
    await part(page, "map").scrollIntoViewIfNeeded();
    await take("map");
    await part(page, "close-alike").click();
    await part(page, "open-teach").click();
    await part(page, "class-name").nth(0).fill("Bands");
    await part(page, "class-name").nth(1).fill("Drones");
    const drones = Array.from({ length: 4 }, (_, n) => ({ name: `Drone ${n + 1}.wav`, mimeType: "audio/wav", buffer: drone(n, 6) }));
    await part(page, "class-songs").nth(1).setInputFiles(drones);
    await part(page, "teach-crate").locator("summary").click();
    for (let side = 1; side <= 5; side += 1) {
      const choice = part(page, "teach-crate").locator("tr").filter({ hasText: `Side ${side}.` }).locator("select");
      await choice.selectOption({ index: 1 });
    }
    await part(page, "teach-crate").locator("summary").click();
    await until("the features", () => part(page, "teach-start").isEnabled(), 240_000);
    await take("teach");
    await part(page, "teach-start").click();
    await part(page, "taught").waitFor({ timeout: 240_000 });
    await part(page, "taught").scrollIntoViewIfNeeded();
    await take("taught");
    await part(page, "close-teach").click();
    await until("the own classes", async () => (await part(page, "row-own").count()) > 9);
    await take("own", true);
    await part(page, "open-tags").click();
    await part(page, "tags-own").check();
    await part(page, "tags-tempo").check();
    await until("the plan", async () => (await part(page, "tag-new").filter({ hasText: "Bands" }).count()) > 3);
    await take("tags");
    await part(page, "tags-state").scrollIntoViewIfNeeded();
    await take("tags-plan");
    await part(page, "close-write-tags").click();
    await part(page, "row").filter({ hasText: "notes.mp3" }).getByTestId("row-show").click();
    await state(page, "failed");
    await take("failed");
    await part(page, "open-about").click();
    await take("about");
    await part(page, "close-about").click();
    await part(page, "open-settings").click();
    await take("settings");
    await part(page, "close-settings").click();
    await drop(page, [{ name: "Hiss.wav", buffer: hiss(6) }]);
    await until("the hiss", async () => (await rows(page)).every(({ status }) => status !== "analysing"));
    await part(page, "row").filter({ hasText: "Hiss" }).getByTestId("row-show").click();
    await state(page, "done");
    await take("none");
    await part(page, "row").filter({ hasText: "Side 5" }).getByTestId("row-show").click();
    await state(page, "done");
    await part(page, "conference").click();
    await take("conference");
  });
}
