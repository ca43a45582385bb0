// How does a song look? Bars of its loudness on a canvas, filled up to where it plays; a slider on top seeks.

import { h } from "./dom.js";

const watchers = new Map();
const eye = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    eye.unobserve(entry.target);
    watchers.get(entry.target)?.();
    watchers.delete(entry.target);
  }
}, { rootMargin: "150px" });

/** A wave of one song; `seek(share)` is called with 0 to 1. */
export class Wave {
  constructor(title, seconds, seek) {
    this.seconds = seconds || 1;
    this.canvas = h("canvas", { class: "wave-canvas", "aria-hidden": "true" });
    this.slider = h("input", { type: "range", class: "wave-slider", min: 0, max: Math.round(this.seconds * 10), value: 0, "aria-label": `Position in ${title}` });
    this.slider.addEventListener("input", () => seek(Number(this.slider.value) / Number(this.slider.max)));
    this.element = h("div", { class: "wave" }, this.canvas, this.slider);
    this.share = 0;
    this.span = null;
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.#speak();
  }

  /** Call once when the wave comes near the screen. */
  whenSeen(call) {
    watchers.set(this.element, call);
    eye.observe(this.element);
  }

  show(outline) {
    this.outline = outline;
    this.element.classList.add("drawn");
    this.draw();
  }

  /** Move to a share of the song, 0 to 1. */
  move(share) {
    if (Math.abs(share - this.share) < 1e-4) return;
    this.share = share;
    if (document.activeElement !== this.slider || !this.slider.matches(":active")) this.slider.value = share * Number(this.slider.max);
    this.#speak();
    this.draw();
  }

  #speak() {
    this.slider.setAttribute("aria-valuetext", `${clock(this.share * this.seconds)} of ${clock(this.seconds)}`);
  }

  draw() {
    const { canvas } = this;
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const colours = getComputedStyle(this.element);
    const [played, rest] = [colours.getPropertyValue("--played"), colours.getPropertyValue("--rest")];
    if (this.span) {
      pen.fillStyle = colours.getPropertyValue("--span");
      pen.fillRect(this.span[0] * width, 0, (this.span[1] - this.span[0]) * width, height);
    }
    const count = Math.max(24, Math.min(160, Math.floor(width / 4)));
    const step = width / count;
    for (let bar = 0; bar < count; bar += 1) {
      const loud = this.outline ? this.outline[Math.floor((bar / count) * this.outline.length)] : 0.06;
      const tall = Math.max(2, loud ** 0.8 * height * 0.94);
      pen.fillStyle = (bar + 0.5) / count <= this.share ? played : rest;
      pen.beginPath();
      pen.roundRect(bar * step + step * 0.16, (height - tall) / 2, step * 0.68, tall, step);
      pen.fill();
    }
  }
}

/** Seconds as minutes: 61.5 is "1:01". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
