// The look of <genre-drop>: that of Cratedigger's page, in small. Colour and pattern of each genre are the page's, and
// the name is written beside both, so that neither is needed.

const LIGHT = `
  --paper: var(--genre-drop-paper, #fbf8f1);
  --ink: var(--genre-drop-ink, #1f1a14);
  --soft: var(--genre-drop-soft, #645b4d);
  --line: var(--genre-drop-line, #ddd3c1);
  --lane: var(--genre-drop-lane, #ece4d4);
  --wave: #b9ad99;
  --accent: var(--genre-drop-accent, #a8401a);
  --on-accent: var(--genre-drop-on-accent, #fff);
  --alert: var(--genre-drop-alert, #9c1c1c);
  --blank: #d9cfbd;
  --print: rgb(255 250 240 / 34%);
  --on-dark: #fff;
  --on-light: #17110a;
  --g0: var(--genre-drop-g0, #4d98da); --g1: var(--genre-drop-g1, #ba8b13); --g2: var(--genre-drop-g2, #6a4830);
  --g3: var(--genre-drop-g3, #7c027f); --g4: var(--genre-drop-g4, #6756cf); --g5: var(--genre-drop-g5, #1b746b);
  --g6: var(--genre-drop-g6, #303848); --g7: var(--genre-drop-g7, #e1629d); --g8: var(--genre-drop-g8, #70a055);
  --g9: var(--genre-drop-g9, #a52f08);
  color-scheme: light;`;

const DARK = `
  --paper: var(--genre-drop-paper, #1c1813);
  --ink: var(--genre-drop-ink, #f4ede0);
  --soft: var(--genre-drop-soft, #b5aa98);
  --line: var(--genre-drop-line, #3a3228);
  --lane: var(--genre-drop-lane, #2a231b);
  --wave: #6f6557;
  --accent: var(--genre-drop-accent, #f0905f);
  --on-accent: var(--genre-drop-on-accent, #221006);
  --alert: var(--genre-drop-alert, #ffab9d);
  --blank: #3b342a;
  --print: rgb(20 14 6 / 30%);
  --on-dark: #120d07;
  --on-light: #120d07;
  --g0: var(--genre-drop-g0, #71adf1); --g1: var(--genre-drop-g1, #c29c00); --g2: var(--genre-drop-g2, #f2d1b2);
  --g3: var(--genre-drop-g3, #c650ae); --g4: var(--genre-drop-g4, #887bf8); --g5: var(--genre-drop-g5, #73edf7);
  --g6: var(--genre-drop-g6, #7d7d7d); --g7: var(--genre-drop-g7, #fc91b8); --g8: var(--genre-drop-g8, #80b365);
  --g9: var(--genre-drop-g9, #d2512e);
  color-scheme: dark;`;

/** Pattern of each genre, and whether its colour is a light one. */
const SLEEVES = [
  ["repeating-linear-gradient(0deg, var(--print) 0 2px, transparent 2px 7px)", true],
  ["repeating-linear-gradient(90deg, var(--print) 0 1px, transparent 1px 5px)", true],
  ["repeating-linear-gradient(0deg, var(--print) 0 5px, transparent 5px 10px), repeating-linear-gradient(90deg, var(--print) 0 5px, transparent 5px 10px)", false],
  ["radial-gradient(circle at 3px 3px, var(--print) 0 1.6px, transparent 2px) 0 0 / 6px 6px", false],
  ["repeating-linear-gradient(135deg, var(--print) 0 5px, transparent 5px 11px)", false],
  ["repeating-linear-gradient(45deg, var(--print) 0 1.5px, transparent 1.5px 6px)", false],
  ["repeating-linear-gradient(45deg, var(--print) 0 1px, transparent 1px 5px), repeating-linear-gradient(135deg, var(--print) 0 1px, transparent 1px 5px)", false],
  ["radial-gradient(circle at 6px 6px, var(--print) 0 3.5px, transparent 4px) 0 0 / 13px 13px", true],
  ["repeating-linear-gradient(0deg, var(--print) 0 5px, transparent 5px 13px)", true],
  ["none", false],
];

const sleeve = ([pattern, light], index) =>
  `[data-class="${index}"] { --hue: var(--g${index}); --on-sleeve: var(--on-${light ? "light" : "dark"}); --pattern: ${pattern}; }`;

export const STYLE = `
:host { display: block; container-type: inline-size; ${LIGHT} }
@media (prefers-color-scheme: dark) { :host { ${DARK} } }
:host([theme="light"]) { ${LIGHT} }
:host([theme="dark"]) { ${DARK} }
:host([hidden]) { display: none; }
${SLEEVES.map(sleeve).join("\n")}
[data-non-music] { --hue: var(--blank); --pattern: radial-gradient(circle at 2px 2px, var(--soft) 0 1px, transparent 1.4px) 0 0 / 4px 4px; }

*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
p, ol { margin: 0; padding: 0; }
ol { list-style: none; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
:focus-visible, .button:has(:focus-visible) { outline: 3px solid var(--accent); outline-offset: 2px; }

.room {
  position: relative;
  display: flex;
  flex-direction: column;
  gap: 0.9rem;
  padding: clamp(1rem, 5cqi, 1.8rem);
  border: 1.5px dashed var(--line);
  border-radius: var(--genre-drop-radius, 10px);
  background: var(--paper);
  color: var(--ink);
  font: 400 1rem/1.45 var(--genre-drop-font, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif);
  overflow-wrap: anywhere;
}
.room[data-over] { border-color: var(--accent); border-style: solid; }
.room:not([data-state="empty"]) { border-style: solid; }
.words { display: flex; flex-direction: column; justify-content: flex-end; min-height: 8.2rem; }
.heading { font-size: clamp(1.9rem, 9cqi, 3.2rem); font-weight: 750; line-height: 1.02; letter-spacing: -0.03em; }
.lead { max-width: 33rem; margin-top: 0.5rem; color: var(--soft); }
.name { overflow: hidden; color: var(--soft); font-size: 0.92rem; text-overflow: ellipsis; white-space: nowrap; }
.genre { font-size: clamp(2.5rem, 14cqi, 4.6rem); font-weight: 750; line-height: 1; letter-spacing: -0.03em; }
.genre.long { font-size: clamp(1.9rem, 9cqi, 3.2rem); }
.genre.none { color: var(--soft); }
.genre span { display: inline-block; position: relative; }
.genre:is([data-class], [data-non-music]) span { padding-bottom: 0.14em; }
.genre:is([data-class], [data-non-music]) span::after { content: ""; position: absolute; inset: auto 0.03em 0; height: 0.1em; border-radius: 2px; background: var(--pattern, none), var(--hue, var(--line)); }
.sureness { margin-top: 0.35rem; }
.error { margin-top: 0.5rem; padding-left: 0.8rem; border-left: 4px solid var(--alert); }

progress { display: block; width: 100%; height: 0.4rem; appearance: none; border: 0; border-radius: 99px; overflow: hidden; background: var(--line); color: var(--accent); }
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { background: var(--accent); border-radius: 99px; }
progress::-moz-progress-bar { background: var(--accent); }

.ribbon { position: relative; height: 2.1rem; border-radius: 5px; overflow: clip; background: var(--lane); }
.cell { position: absolute; inset-block: 0; border-right: 1px solid var(--paper); background: var(--pattern, none), var(--hue, transparent); }
.cell[data-silent] { background: repeating-linear-gradient(135deg, var(--lane) 0 5px, var(--wave) 5px 6px); }
.unsure .cell { filter: grayscale(1); }
.run { position: absolute; inset-block: 0; display: flex; align-items: center; container-type: inline-size; padding-left: 0.3rem; overflow: hidden; font-size: 0.84rem; white-space: nowrap; }
.run > .title { padding: 0.05em 0.4em; border-radius: 3px; background: var(--hue, var(--paper)); color: var(--on-sleeve, var(--ink)); font-weight: 650; }
.run[data-non-music] > .title { background: var(--paper); color: var(--ink); }
.unsure .run > .title { background: var(--paper); color: var(--ink); }
.run > .short { display: none; }
@container (max-width: 4.8rem) { .run > .long { display: none; } .run > .short { display: inline; } }
@container (max-width: 2.2rem) { .run > .short { display: none; } }

.actions { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.button {
  position: relative;
  display: inline-flex;
  align-items: center;
  min-height: 2.5rem;
  padding: 0.25em 1.05em;
  border: 1.5px solid transparent;
  border-radius: 99px;
  background: var(--accent);
  color: var(--on-accent);
  font: inherit;
  font-size: 0.95rem;
  font-weight: 600;
  cursor: pointer;
}
.button:hover { background: color-mix(in srgb, var(--accent) 86%, var(--ink)); }
.button.quiet { border-color: var(--line); background: none; color: var(--ink); font-weight: 500; }
.button.quiet:hover { border-color: var(--ink); }
@media (forced-colors: active) { .cell, .genre span::after, .run > .title { forced-color-adjust: none; } }
`;
