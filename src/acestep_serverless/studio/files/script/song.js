// What does one song look like? A card with its wave, what can be done with it, and what is known of it.

import { h, icon } from "./dom.js";
import { besideBlob, canHave, Sound } from "./sound.js";
import { SpanTool } from "./span.js";
import { clock, Wave } from "./wave.js";

/** Files that may lie beside a song, by their names in results. */
const BESIDE = { midi: "MIDI", lrc: "Timed lyrics" };

/** What a result says of the song, without the word for nothing. */
const said = (value) => (value === "N/A" ? "" : value);

const HUES = [18, 42, 158, 186, 212, 262, 322, 350];

/** A song of a finished job; `desk` is the library, which plays, edits and submits. */
export class Song {
  constructor(job, index, desk) {
    this.item = job.output.results[index];
    Object.assign(this, { job, index, desk });
    this.key = `${job.id}/${index}`;
    this.title = (this.item.prompt || job.input?.caption || "A song").trim().split("\n")[0];
    this.hue = HUES[Math.abs(this.item.seed ?? index) % HUES.length];
    this.sound = new Sound(this.item);
    this.wave = new Wave(this.title, this.item.seconds, (share) => desk.player.play(this, share).catch(desk.problem));
    this.element = this.#card();
    this.wave.whenSeen(() => this.sound.isHere && this.sound.isSmall && this.outline());
  }

  /** The input that made this song: as it was sent from this browser, else as far as the result tells. */
  get settings() {
    const { metas = {}, seed } = this.item;
    const output = this.job.output;
    const told = {
      caption: this.item.prompt,
      lyrics: this.item.lyrics || undefined,
      duration: output.duration,
      bpm: Number(metas.bpm) || undefined,
      key_scale: said(metas.keyscale) || undefined,
    };
    const input = { ...(this.job.input ?? told) };
    if (seed !== null && seed !== undefined) input.seed = seed;
    input.batch_size = undefined;
    input.use_random_seed = undefined;
    return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined && value !== null));
  }

  async outline() {
    try {
      this.wave.show(await this.sound.outline());
    } catch {
      this.element.classList.add("no-wave"); // The file is gone, or in a format that this browser cannot read.
    }
  }

  #card() {
    const { item } = this;
    this.button = h("button", { type: "button", class: "round", on: { click: () => this.#play() } });
    const heading = h("div", { class: "song-heading" }, h("h3", {}, this.title), h("p", { class: "song-line" }, this.#line()));
    const head = h("div", { class: "song-head" }, this.button, heading, h("span", { class: "song-time" }, clock(item.seconds)));
    const card = h("li", { class: "song", tabIndex: -1, data: { song: this.key } }, head, this.wave.element, this.#tools(), this.#details());
    card.style.setProperty("--hue", this.hue);
    this.showPlaying(false);
    return card;
  }

  #line() {
    const { metas = {}, engine, dit_model: model } = this.item;
    const beat = Number(metas.bpm) ? `${metas.bpm} bpm` : "";
    return [said(metas.genres), beat, said(metas.keyscale), engine === model ? engine : [engine, model].filter(Boolean).join(" · ")].filter(Boolean).join(" · ");
  }

  #tools() {
    const tool = (title, picture, click) =>
      h("button", { type: "button", class: "tool", "aria-label": `${title}: ${this.title}`, on: { click } }, icon(picture), h("span", {}, title));
    const tools = [
      tool("Another seed", "dice", () => this.desk.again(this)),
      tool("Edit settings", "edit", () => this.desk.edit(this.settings)),
      this.sound.isHere ? tool("Download", "download", () => this.#download()) : this.#link(),
    ];
    for (const [kind, title] of Object.entries(BESIDE)) {
      if (canHave(this.item[kind])) tools.push(tool(title, "download", () => this.#save(besideBlob(this.item[kind]), this.item[kind].file)));
    }
    this.span = new SpanTool(this.wave, ([from, to]) => this.desk.repaint(this, from, to));
    this.repaintTool = tool("Repaint", "brush", () => this.#toggleSpan());
    this.repaintTool.setAttribute("aria-expanded", "false");
    this.offer();
    return h("div", { class: "song-tools" }, h("div", { class: "tools" }, ...tools, this.repaintTool), this.span.element);
  }

  #toggleSpan() {
    this.repaintTool.setAttribute("aria-expanded", String(this.span.toggle()));
  }

  /** Show the tools that the library offers; a tool that goes takes what it had open along. */
  offer() {
    this.repaintTool.hidden = !(this.desk.canRepaint && this.sound.isHere);
    if (this.repaintTool.hidden && !this.span.element.hidden) this.#toggleSpan();
  }

  #link() {
    const { link } = this.sound;
    if (!link) return h("span", { class: "song-line" }, "The file is not kept here");
    return h("a", { class: "tool", href: link, target: "_blank", rel: "noopener noreferrer" }, icon("download"), h("span", {}, "Open the file"));
  }

  #details() {
    const { item, job } = this;
    const rows = [
      ["Seed", item.seed],
      ["Key", said(item.metas?.keyscale)],
      ["Beats in a bar", said(item.metas?.timesignature)],
      ["Made in", job.executionTime ? `${(job.executionTime / 1000).toFixed(1)} s` : null],
      ["Waited", job.delayTime ? `${(job.delayTime / 1000).toFixed(1)} s` : null],
      ["File", [item.content_type, item.bytes ? `${(item.bytes / 1e6).toFixed(2)} MB` : ""].filter(Boolean).join(", ")],
      ["Engine", item.engine],
      ["Language model", item.lm_model],
      ["Job", job.id],
      ["Settings", job.input ? JSON.stringify(job.input) : null],
    ].filter(([, value]) => value !== null && value !== undefined && value !== "");
    const list = h("dl", { class: "facts" }, ...rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value)))));
    const notes = (job.output.warnings ?? []).map((warning) => h("p", { class: "note" }, warning));
    return h("details", { class: "song-details" }, h("summary", { "aria-label": `Seed and settings: ${this.title}` }, "Seed and settings"), list, ...notes);
  }

  async #play() {
    try {
      await this.desk.player.toggle(this);
      if (!this.wave.outline) await this.outline();
    } catch (error) {
      this.desk.problem(error);
    }
  }

  #download() {
    return this.#save(this.sound.blob(), this.item.file);
  }

  /** Save a blob under a name that says what it is; the suffix is that of the file at the gateway. */
  async #save(asked, file) {
    try {
      const name = new URL(file, "http://here/").searchParams.get("filename") ?? file;
      const words = this.title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 48).replace(/^-|-$/g, "");
      const address = URL.createObjectURL(await asked);
      h("a", { href: address, download: `${words || "song"}-${this.item.seed ?? this.index}.${name.split(".").pop()}` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch (error) {
      this.desk.problem(error);
    }
  }

  showPlaying(playing) {
    this.button.replaceChildren(icon(playing ? "pause" : "play"));
    this.button.setAttribute("aria-label", `${playing ? "Pause" : "Play"}: ${this.title}`);
    this.button.disabled = !this.sound.isHere;
    this.element?.classList.toggle("playing", playing);
  }
}
