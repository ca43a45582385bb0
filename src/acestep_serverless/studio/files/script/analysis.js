// What does a job show that found words in place of songs? A card with what was found, and a way to go on with it.

import { h, icon } from "./dom.js";

const TITLES = {
  analysis_only: "A plan of a song",
  full_analysis_only: "A song in words",
  extract_codes_only: "Audio as codes",
};

/** One analysis of a finished job; `desk` is the library, which puts words into the form. */
export class Analysis {
  constructor(job, index, desk) {
    this.item = job.output.results[index];
    this.title = TITLES[this.item.analysis] ?? "What was found";
    const edit = h(
      "button",
      { type: "button", class: "tool", on: { click: () => desk.edit(this.settings) } },
      icon("edit"),
      h("span", {}, "Compose with these words"),
    );
    const rows = this.#rows().map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value))));
    this.element = h("li", { class: "song analysis" }, h("h3", {}, this.title), h("dl", { class: "facts" }, ...rows), h("div", { class: "tools" }, edit));
  }

  #rows() {
    const { metas = {}, prompt, lyrics, vocal_language: language, audio_codes: codes } = this.item;
    const found = [["Tempo", metas.bpm], ["Key", metas.keyscale], ["Beats in a bar", metas.timesignature], ["Language", language]];
    const long = [["Codes", codes], ["Lyrics", lyrics], ["Caption", prompt]];
    return [...found, ...long].filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== "N/A");
  }

  /** What of it an input can begin with. */
  get settings() {
    const { metas = {}, prompt, lyrics, audio_codes: codes } = this.item;
    const key = metas.keyscale === "N/A" ? undefined : metas.keyscale;
    const input = { caption: prompt, lyrics, bpm: Number(metas.bpm) || undefined, key_scale: key, audio_code_string: codes };
    return Object.fromEntries(Object.entries(input).filter(([, value]) => value));
  }
}
