// What does one input field look like? Its control follows from its schema: words, ranges, texts, switches, files.

import { h } from "./dom.js";
import { LONG_TEXTS, SOUNDS, titleOf } from "./groups.js";

const LARGEST_FILE = 7 * 1024 * 1024;

/**
 * One field: `element` for the page, `read()` gives its JSON value or undefined when it is left open, `write(value)`,
 * `complain(sentence)` shows a problem ("" takes it away), `focus()`.
 */
export class Field {
  constructor(name, schema) {
    this.name = name;
    this.schema = schema;
    this.types = [schema.type].flat().filter((type) => type !== "null");
    this.id = `field-${name}`;
    this.problem = h("p", { class: "problem", id: `${this.id}-problem`, hidden: true });
    this.control = this.#control();
    this.element = this.#frame();
  }

  get isSwitch() {
    return this.types[0] === "boolean";
  }

  #control() {
    const shared = { id: this.id, name: this.name, "aria-describedby": `${this.id}-problem ${this.id}-help` };
    if (this.isSwitch) return this.#choice(shared, ["true", "false"], this.schema.default ? "on" : "off");
    if (this.schema.enum) return this.#choice(shared, [...this.schema.enum.filter((word) => word !== null), ...(this.schema["x-refused"] ?? [])], this.schema.default);
    if (LONG_TEXTS.has(this.name)) {
      const rows = { caption: 3, lyrics: 5 }[this.name] ?? 2;
      return h("textarea", { ...shared, rows, placeholder: PLACEHOLDERS[this.name] ?? "", required: this.name === "caption" });
    }
    const numeric = this.types.length === 1 && ["integer", "number"].includes(this.types[0]);
    const hint = this.schema.default ?? PLACEHOLDERS[this.name] ?? (numeric ? "open" : "");
    return h("input", {
      ...shared,
      type: "text",
      inputMode: numeric ? (this.types[0] === "integer" ? "numeric" : "decimal") : "text",
      placeholder: String(hint),
      autocomplete: "off",
      spellcheck: false,
      list: this.schema.examples ? `${this.id}-examples` : null,
    });
  }

  #choice(shared, words, usual) {
    const open = h("option", { value: "" }, usual === undefined ? "open" : `${usual} (default)`);
    const shown = this.isSwitch ? { true: "on", false: "off" } : {};
    return h("select", shared, open, ...words.map((word) => h("option", { value: word }, shown[word] ?? word)));
  }

  #frame() {
    const allowed = this.schema.enum || this.schema["x-allowed"] === "a string" ? "" : capital(this.schema["x-allowed"] ?? "");
    const words = `${this.schema.description}. ${allowed}`.replaceAll("`", "").trim();
    return h(
      "div",
      { class: "field", data: { field: this.name } },
      h("label", { htmlFor: this.id }, titleOf(this.name)),
      this.name === "duration" ? this.#slider() : null,
      this.control,
      SOUNDS.has(this.name) ? this.#file() : null,
      this.schema.examples && h("datalist", { id: `${this.id}-examples` }, ...this.schema.examples.map((word) => h("option", { value: word }))),
      this.problem,
      h("p", { class: "help", id: `${this.id}-help` }, words),
    );
  }

  /** A slider beside the number of seconds; most songs are short, so it ends at five minutes. */
  #slider() {
    const max = Math.min(300, this.schema.maximum);
    const slider = h("input", { type: "range", min: 5, max, step: 5, value: this.schema.default, class: "slider", "aria-label": "Duration in seconds, in steps of five" });
    slider.addEventListener("input", () => {
      this.control.value = slider.value;
      this.control.dispatchEvent(new Event("input", { bubbles: true }));
    });
    this.follow = () => (slider.value = this.control.value || this.schema.default);
    this.control.addEventListener("input", this.follow);
    return slider;
  }

  /** A file of this machine becomes a data: URI in the request. */
  #file() {
    const pick = h("input", { type: "file", accept: "audio/*", class: "file", "aria-label": `${titleOf(this.name)}: a file of this machine` });
    pick.addEventListener("change", () => {
      const file = pick.files[0];
      if (!file) return;
      if (file.size > LARGEST_FILE) return this.complain("must be at most 7 MB as a file; give a link to larger ones");
      const reader = new FileReader();
      reader.addEventListener("load", () => {
        this.write(reader.result);
        this.control.dispatchEvent(new Event("input", { bubbles: true }));
      });
      reader.readAsDataURL(file);
    });
    return pick;
  }

  read() {
    const text = this.control.value;
    if (this.isSwitch) return text === "" ? undefined : text === "true";
    if (text.trim() === "") return undefined;
    if (LONG_TEXTS.has(this.name)) return text;
    const list = text.split(",").map((part) => part.trim()).filter(Boolean);
    if (this.name === "seed") return list.length > 1 ? list.map(number) : number(text);
    if (this.types[0] === "array") return list;
    return this.types.some((type) => ["integer", "number"].includes(type)) ? number(text) : text.trim();
  }

  write(value) {
    const text = value === undefined || value === null ? "" : Array.isArray(value) ? value.join(", ") : String(value);
    this.control.value = text;
    this.follow?.();
  }

  complain(sentence) {
    this.problem.textContent = sentence && capital(sentence);
    this.problem.hidden = !sentence;
    this.element.classList.toggle("wrong", Boolean(sentence));
    if (sentence) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
  }

  /** Open the fold that the field is in. */
  reveal() {
    this.element.closest("details")?.setAttribute("open", "");
  }

  focus() {
    this.reveal();
    this.control.focus();
  }
}

const PLACEHOLDERS = {
  caption: "Warm lo-fi hip hop, dusty drums, soft electric piano, rain on the window",
  lyrics: "[Verse]\nLeave empty for an instrumental",
  seed: "random",
  key_scale: "any",
  time_signature: "any",
  bpm: "any",
  model: "the server's own",
  src_audio: "https://… or /v1/audio?filename=…",
  reference_audio: "https://… or /v1/audio?filename=…",
};

const capital = (text) => text && text[0].toUpperCase() + text.slice(1);

/** A number where the text is one; what is none goes to the API as it is, whose answer says what is wrong. */
function number(text) {
  const value = Number(text);
  return text.trim() !== "" && Number.isFinite(value) ? value : text.trim();
}
