// Which part of a song is to be made anew? A span that is dragged over the wave, or typed as two numbers.

import { h } from "./dom.js";
import { clock } from "./wave.js";

/** The repaint tool below a wave; `take([from, to])` is called with seconds. */
export class SpanTool {
  constructor(wave, take) {
    this.wave = wave;
    this.from = this.#number("From (s)", () => this.#typed());
    this.to = this.#number("To (s)", () => this.#typed());
    this.said = h("p", { class: "span-said" }, "Drag over the wave, or type two seconds.");
    this.use = h("button", { type: "button", class: "primary small", disabled: true, on: { click: () => take(this.seconds) } }, "Repaint this span");
    this.element = h("div", { class: "span-tool", hidden: true }, this.from.label, this.to.label, this.use, this.said);
    this.#dragging();
  }

  #number(title, changed) {
    const input = h("input", { type: "number", min: 0, max: this.wave.seconds, step: 0.1, on: { input: changed } });
    return { input, label: h("label", { class: "span-number" }, title, input) };
  }

  get seconds() {
    return (this.wave.span ?? [0, 0]).map((share) => Math.round(share * this.wave.seconds * 10) / 10);
  }

  /** Show or hide the tool; while it shows, dragging over the wave marks a span instead of seeking. */
  toggle() {
    this.element.hidden = !this.element.hidden;
    this.wave.element.classList.toggle("marking", !this.element.hidden);
    if (this.element.hidden) this.#mark(null);
    return !this.element.hidden;
  }

  #dragging() {
    const { element } = this.wave;
    const shareAt = (event) => {
      const box = element.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    let begun = null;
    element.addEventListener("pointerdown", (event) => {
      if (this.element.hidden) return;
      event.preventDefault();
      element.setPointerCapture(event.pointerId);
      begun = shareAt(event);
      this.#mark([begun, begun]);
    });
    element.addEventListener("pointermove", (event) => {
      if (begun === null) return;
      const here = shareAt(event);
      this.#mark([Math.min(begun, here), Math.max(begun, here)]);
    });
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => (begun = null));
  }

  #typed() {
    const [from, to] = [this.from.input, this.to.input].map((input) => Number(input.value) / this.wave.seconds);
    const right = from >= 0 && to <= 1.001 && from < to;
    this.#mark(right ? [from, Math.min(1, to)] : null, false);
  }

  #mark(span, fill = true) {
    this.wave.span = span;
    this.wave.draw();
    const [from, to] = this.seconds;
    this.use.disabled = !(to > from);
    if (fill && span) [this.from.input.value, this.to.input.value] = [from, to];
    this.said.textContent = to > from ? `${clock(from)} to ${clock(to)}, ${(to - from).toFixed(1)} s` : "Drag over the wave, or type two seconds.";
  }
}
