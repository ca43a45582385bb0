// How is a request composed? The form is built from the schema; what it holds is the job's input, nothing more.

import { byId, h } from "./dom.js";
import { Field } from "./field.js";
import { layOut, SIMPLE } from "./groups.js";
import { plainProblems } from "./problems.js";
import { draft } from "./store.js";
import { offerTasks } from "./tasks.js";

const SECTIONS = ["[Verse]", "[Chorus]", "[Bridge]", "[Instrumental]"];

/** The form, holding `input`; `whenChanged` is called with the input after each change, `submit` with one that looks
 * right. */
export class ComposeForm {
  constructor(schema, { submit, whenChanged }, input = draft.get() ?? {}) {
    this.properties = schema.properties;
    this.tasksByModel = schema["x-engine"].task_types_by_model;
    this.whenChanged = whenChanged;
    this.fields = new Map(Object.entries(this.properties).map(([name, one]) => [name, new Field(name, one)]));
    this.#build(schema["x-engine"].name ?? "");
    const form = byId("form");
    form.oninput = (event) => this.#changed(event.target.name);
    form.onsubmit = (event) => {
      event.preventDefault();
      this.submitted(submit);
    };
    byId("clear").onclick = () => this.write({}) ?? this.fields.get("caption").focus();
    this.write(input);
  }

  /** Build the form for another schema, and go on in it where somebody was: same texts, same folds, same field. */
  rebuilt(schema, calls) {
    const folds = () => [...document.querySelectorAll("#more-fields details")];
    const titleOfFold = (fold) => fold.querySelector(".fold-count").dataset.group;
    const open = new Set(folds().filter((fold) => fold.open).map(titleOfFold));
    const { id, selectionStart, selectionEnd } = document.activeElement;
    const form = new ComposeForm(schema, calls, this.read());
    for (const fold of folds()) fold.open = open.has(titleOfFold(fold));
    const again = id && id !== document.activeElement.id && byId("form").querySelector(`#${CSS.escape(id)}`);
    if (again) {
      again.focus({ preventScroll: true });
      if (typeof selectionStart === "number") again.setSelectionRange(selectionStart, selectionEnd);
    }
    return form;
  }

  #build(engine) {
    byId("simple-fields").replaceChildren(...SIMPLE.map((name) => this.fields.get(name).element));
    const lyrics = this.fields.get("lyrics");
    lyrics.control.after(this.#sections(lyrics.control));
    byId("more-fields").replaceChildren(...layOut(this.properties, engine).map((group) => this.#group(group)));
  }

  #group({ title, sentence, names, idle }) {
    const fields = names.map((name) => this.fields.get(name).element);
    const count = h("span", { class: "fold-count", data: { group: title } });
    return h(
      "details",
      { class: idle ? "fold idle" : "fold" },
      h("summary", {}, title, count),
      h("div", { class: "fold-body" }, h("p", { class: "fold-sentence" }, sentence), h("div", { class: "grid" }, ...fields)),
    );
  }

  #sections(area) {
    const insert = (word) => {
      const before = area.value && !area.value.endsWith("\n") ? "\n" : "";
      area.value += `${before}${word}\n`;
      area.focus();
      area.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const buttons = SECTIONS.map((word) => h("button", { type: "button", class: "chip small", "aria-label": `Add ${word} to the lyrics`, on: { click: () => insert(word) } }, word));
    return h("div", { class: "sections" }, ...buttons);
  }

  #changed(name) {
    this.fields.get(name)?.complain("");
    byId("form-problem").hidden = true;
    this.#told();
  }

  #told() {
    const input = this.read();
    offerTasks(this.fields.get("task_type").control, this.tasksByModel, input.model ?? "");
    draft.set(input);
    for (const fold of document.querySelectorAll("#more-fields details")) {
      const set = [...fold.querySelectorAll(".field")].filter((field) => field.dataset.field in input).length;
      fold.querySelector(".fold-count").textContent = set ? `${set} set` : "";
    }
    this.whenChanged(input);
  }

  /** Give the input: only fields that hold something. */
  read() {
    const entries = [...this.fields].map(([name, field]) => [name, field.read()]);
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  }

  /** Fill the form with an input; fields that it does not name are left open. */
  write(input) {
    for (const [name, field] of this.fields) {
      field.write(input[name]);
      field.complain("");
    }
    byId("form-problem").hidden = true;
    this.#told();
  }

  /** Check what is plain, then hand the input on. */
  submitted(submit) {
    const input = this.read();
    const problems = plainProblems(input, this.properties);
    if (problems.length) this.complain(problems);
    else submit(input);
  }

  /** Show problems at their fields and go to the first; with no field, a sentence stands above the form. */
  complain(problems, sentence = "") {
    for (const field of this.fields.values()) field.complain("");
    for (const [name, problem] of problems) this.fields.get(name).complain(problem);
    const above = byId("form-problem");
    above.textContent = sentence || (problems.length > 1 ? `${problems.length} fields need another look.` : "");
    above.hidden = !above.textContent;
    for (const [name] of problems) this.fields.get(name).reveal();
    const elsewhere = document.activeElement?.closest(".stage, .player, .top, dialog");
    if (problems.length && !elsewhere) this.fields.get(problems[0][0]).focus();
  }
}
