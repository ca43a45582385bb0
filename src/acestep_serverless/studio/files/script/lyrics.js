// Which line is sung now? Timed lyrics (LRC) become lines with their seconds; plain lyrics are lines without.

import { h } from "./dom.js";

const STAMP = /\[(\d{1,3}):(\d{1,2})(?:[.:](\d{1,3}))?\]/g;

/**
 * Read LRC: "[00:12.50]words", several stamps a line allowed, other tags left out, in the order of time.
 * @returns {{at: number, words: string}[]}
 */
export function readTimed(text) {
  const lines = [];
  for (const line of String(text).split(/\r?\n/)) {
    const words = line.replace(STAMP, "").replace(/<\d+:\d+(?:\.\d+)?>/g, "").trim();
    for (const [, minutes, seconds, part = "0"] of line.matchAll(STAMP)) {
      if (words) lines.push({ at: Number(minutes) * 60 + Number(seconds) + Number(`0.${part}`), words });
    }
  }
  return lines.sort((one, other) => one.at - other.at);
}

/** The lyrics beside the player: `seek(seconds)` when a line is chosen. */
export class LyricSheet {
  constructor(seek) {
    this.seek = seek;
    this.element = h("div", { class: "sheet", tabIndex: 0, role: "region", "aria-label": "Lyrics" });
  }

  /** Show a song's lyrics, timed ones as buttons. Gives whether there are any. */
  show(timed, plain) {
    this.lines = readTimed(timed);
    this.now = -1;
    const rows = this.lines.length
      ? this.lines.map(({ at, words }) => h("button", { type: "button", class: "line", on: { click: () => this.seek(at) } }, words))
      : String(plain ?? "").split("\n").map((words) => h("p", { class: /^\[.*\]$/.test(words.trim()) ? "line part" : "line" }, words || "\u00a0"));
    const any = this.lines.length > 0 || Boolean(String(plain ?? "").trim());
    this.element.replaceChildren(...(any ? rows : []));
    this.element.scrollTop = 0;
    return any;
  }

  /** Mark the line of this second and keep it in sight. */
  follow(seconds) {
    if (!this.lines?.length) return;
    const next = this.lines.findIndex((line) => line.at > seconds + 0.05);
    const now = (next === -1 ? this.lines.length : next) - 1;
    if (now === this.now) return;
    this.element.children[this.now]?.removeAttribute("aria-current");
    this.now = now;
    const row = this.element.children[now];
    if (!row) return;
    row.setAttribute("aria-current", "true");
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.element.scrollTo({ top: row.offsetTop - this.element.clientHeight / 2, behavior: calm ? "auto" : "smooth" });
  }
}
