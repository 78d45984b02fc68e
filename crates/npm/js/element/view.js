// Draws <genre-drop>. The element decides what there is to see.

import { STYLE } from "./style.js";
import { answerName, clock, fill, genreName, sureness, titled } from "./words.js";

/** Longest name in the largest type. */
const LONG = 9;
/** Number of genres with a colour. */
const COLOURS = 10;
/** What a file picker offers: sound, video, and endings whose type some systems do not know. */
const ACCEPT = "audio/*,video/*,.aac,.aif,.aiff,.au,.caf,.flac,.m4a,.mka,.mp3,.ogg,.opus,.wav,.webm";

let sheet;

/** The style sheet of all elements. Not a `style` element, which a strict content security policy forbids. */
function styles() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
  }
  return sheet;
}

/** An element with attributes, properties and children. */
function make(tag, { part, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  if (part) node.setAttribute("part", part);
  node.append(...children);
  return node;
}

const slot = (name) => make("slot", { name });

export class View {
  #root;
  #parts;
  #runs = "";

  constructor(root, { choose, listen, stop }) {
    this.#root = root;
    root.adoptedStyleSheets = [styles()];
    const input = make("input", { type: "file", accept: ACCEPT, className: "hidden" });
    input.addEventListener("change", () => {
      const [file] = input.files;
      // The same file can be chosen again.
      input.value = "";
      if (file) choose(file);
    });
    const p = {
      input,
      heading: make("p", { part: "heading", className: "heading" }, slot("heading")),
      lead: make("p", { part: "lead", className: "lead" }, slot("lead")),
      name: make("p", { part: "name", className: "name" }),
      genre: make("p", { part: "genre", className: "genre" }, make("span")),
      sureness: make("p", { part: "sureness", className: "sureness" }),
      error: make("p", { part: "error", className: "error", role: "alert" }),
      progress: make("progress", { part: "progress" }),
      ribbon: make("div", { part: "ribbon", className: "ribbon" }),
      choose: make("label", { part: "button choose", className: "button" }, slot("choose"), input),
      microphone: make("button", { part: "button microphone", className: "button quiet", type: "button" }, slot("microphone")),
      stop: make("button", { part: "button stop", className: "button quiet", type: "button" }, slot("stop")),
      status: make("p", { className: "hidden", role: "status" }),
    };
    p.microphone.addEventListener("click", listen);
    p.stop.addEventListener("click", stop);
    p.cells = make("div");
    p.cells.setAttribute("aria-hidden", "true");
    p.runs = make("ol", { role: "list" });
    p.ribbon.append(p.cells, p.runs);
    p.room = make(
      "div",
      { part: "room", className: "room", role: "group" },
      make("div", { className: "words" }, p.heading, p.lead, p.name, p.genre, p.sureness, p.error),
      p.progress,
      p.ribbon,
      make("div", { className: "actions" }, p.choose, p.microphone, p.stop),
      p.status,
    );
    root.append(p.room);
    this.#parts = p;
  }

  /** Whether a file is being held over the element. */
  over(is) {
    this.#parts.room.toggleAttribute("data-over", is);
  }

  show(state, words) {
    const p = this.#parts;
    const { phase, answer, error } = state;
    const working = ["loading", "waiting", "decoding", "analysing", "listening"].includes(phase);
    p.room.dataset.state = phase;
    p.room.ariaLabel = words.label;
    this.#fallback(p.heading, words.heading);
    this.#fallback(p.lead, words.lead);
    this.#fallback(p.choose, words.choose);
    this.#fallback(p.microphone, words.microphone);
    this.#fallback(p.stop, phase === "listening" ? words.stop : words.cancel);
    p.heading.hidden = p.lead.hidden = phase !== "empty";
    p.name.textContent = state.name || (phase === "empty" ? "" : words.recording);
    p.name.hidden = phase === "empty";
    p.error.hidden = phase !== "failed";
    // The detail is for developers, who get it with the event.
    p.error.textContent = error ? (words.errors[error.code] ?? error.message.replace(` (${error.detail})`, "")) : "";
    this.#answer(phase === "failed" ? { ...state, answer: null } : state, words, working);
    p.progress.hidden = !working || phase === "listening";
    p.progress.ariaLabel = words.progress;
    if (state.total > 0) {
      p.progress.max = state.total;
      p.progress.value = state.done;
    } else p.progress.removeAttribute("value");
    this.#ribbon(state, words);
    this.#actions(working, phase);
    const said = phase === "done" ? `${titled(answerName(words, answer))}. ${p.sureness.textContent}` : (words[phase] ?? "");
    if (p.status.textContent !== said && phase !== "failed" && phase !== "empty") p.status.textContent = said;
  }

  /** Words for a slot into which the page puts nothing. */
  #fallback(node, words) {
    const place = node.querySelector("slot");
    if (place.textContent !== words) place.textContent = words;
  }

  /** The genre, or what is being done until there is one. */
  #answer(state, words, working) {
    const p = this.#parts;
    const { phase, answer, classes } = state;
    p.genre.hidden = phase === "empty";
    p.sureness.hidden = !working && phase !== "done";
    const name = answer ? titled(answerName(words, answer)) : (words[phase] ?? "");
    p.genre.firstChild.textContent = name;
    p.genre.classList.toggle("long", name.length > LONG);
    p.genre.classList.toggle("none", !answer || answer.none);
    this.#colour(p.genre, answer, classes);
    if (answer) p.sureness.textContent = sureness(words, answer);
    else p.sureness.textContent = "";
  }

  /** Colour and pattern of an answer. */
  #colour(node, answer, classes) {
    const at = answer && !answer.none ? classes.indexOf(answer.genre) : -1;
    if (at >= 0) node.dataset.class = at % COLOURS;
    else delete node.dataset.class;
    node.toggleAttribute("data-non-music", Boolean(answer?.nonMusic?.rejected));
  }

  /** One cell for each segment; and the name and the time of each run of segments with one genre. */
  #ribbon({ phase, segments, total, classes, answer }, words) {
    const p = this.#parts;
    const all = [...segments.values()].sort((a, b) => a.start - b.start);
    p.ribbon.hidden = all.length === 0;
    if (all.length === 0) {
      p.cells.replaceChildren();
      p.runs.replaceChildren();
      this.#runs = "";
      return;
    }
    // Until the end the last segment is not known.
    const each = all[0].end - all[0].start;
    const length = Math.max(all.at(-1).end, phase === "done" ? 0 : total * each);
    const place = (node, start, end) => {
      node.style.left = `${(100 * start) / length}%`;
      node.style.width = `${(100 * (end - start)) / length}%`;
      return node;
    };
    p.ribbon.classList.toggle("unsure", phase === "done" && answer.none);
    p.cells.replaceChildren(
      ...all.map((segment) => {
        const cell = place(make("span", { part: "segment", className: "cell" }), segment.start, segment.end);
        cell.toggleAttribute("data-silent", segment.silent);
        // A segment has the colour of its best genre, also where that is not sure.
        this.#colour(cell, segment.silent ? null : { ...segment, none: segment.nonMusic?.rejected ?? false }, classes);
        return cell;
      }),
    );
    const named = (segment) => {
      if (segment.silent) return words.silent;
      const sound = segment.nonMusic?.rejected && (words.sounds[segment.nonMusic.kind] ?? words.noMusic);
      return sound || genreName(words, segment.genre);
    };
    const runs = [];
    for (const segment of all) {
      const last = runs.at(-1);
      const name = named(segment);
      if (last?.name === name && Math.abs(last.end - segment.start) < 0.01) last.end = segment.end;
      else runs.push({ name, segment, start: segment.start, end: segment.end });
    }
    p.runs.ariaLabel = words.segments;
    const key = JSON.stringify([length, words.label, runs.map(({ name, start, end }) => [name, start, end])]);
    if (key === this.#runs) return;
    this.#runs = key;
    p.runs.replaceChildren(
      ...runs.map(({ name, segment, start, end }) => {
        const time = make("span", { className: "hidden" }, `${fill(words.fromTo, clock(start), clock(end))}: ${name}`);
        const titles = [
          make("span", { className: "title long" }, titled(name)),
          make("span", { className: "title short" }, titled(name).slice(0, 2)),
        ];
        for (const title of titles) title.setAttribute("aria-hidden", "true");
        const run = place(make("li", { part: "run", className: "run" }, time, ...titles), start, end);
        this.#colour(run, segment.silent ? null : { ...segment, none: segment.nonMusic?.rejected ?? false }, classes);
        return run;
      }),
    );
  }

  /** Shows the buttons that do something now. The focus goes to another one if its button disappears. */
  #actions(working, phase) {
    const p = this.#parts;
    const focused = this.#root.activeElement;
    p.choose.hidden = p.microphone.hidden = working;
    p.stop.hidden = !working;
    p.stop.classList.toggle("quiet", phase !== "listening");
    const gone = focused && focused.closest("[hidden]");
    if (gone) (working ? p.stop : p.input).focus();
  }
}
