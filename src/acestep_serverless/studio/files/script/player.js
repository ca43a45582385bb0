// What is heard? One audio element for the whole page, a bar with its controls, and the lyrics of what plays.

import { announce, byId, h, icon, say } from "./dom.js";
import { LyricSheet } from "./lyrics.js";
import { besideBlob } from "./sound.js";
import { liking, tell, whenTold } from "./store.js";
import { clock } from "./wave.js";

/** Plays songs (song.js). "change" is dispatched whenever another song plays, or playing begins or stops. */
export class Player extends EventTarget {
  constructor() {
    super();
    this.song = null;
    this.audio = new Audio();
    this.audio.loop = liking.get("loop", false);
    this.sheet = new LyricSheet((seconds) => this.seek(seconds));
    this.#build();
    for (const event of ["play", "pause", "ended"]) this.audio.addEventListener(event, () => this.#changed());
    this.audio.addEventListener("timeupdate", () => this.#moved());
    this.audio.addEventListener("play", () => this.#run());
    document.addEventListener("keydown", (event) => this.#key(event));
    whenTold("playing", () => this.audio.pause());
  }

  #build() {
    this.button = h("button", { type: "button", class: "round", on: { click: () => this.toggle() } });
    this.title = h("p", { class: "player-title" });
    this.time = h("p", { class: "player-time" });
    this.slider = h("input", { type: "range", class: "slider", min: 0, max: 1000, value: 0, "aria-label": "Position" });
    this.slider.addEventListener("input", () => this.seek((this.slider.value / 1000) * this.seconds));
    this.loop = this.#toggle("Loop", "loop", this.audio.loop, (on) => {
      this.audio.loop = on;
      liking.set("loop", on);
    });
    this.words = this.#toggle("Lyrics", "words", false, (on) => (this.sheet.element.hidden = !on));
    this.sheet.element.hidden = true;
    const middle = h("div", { class: "player-middle" }, this.title, this.slider);
    const row = h("div", { class: "player-row" }, this.button, middle, this.time, this.loop, this.words);
    const bar = byId("player");
    bar.replaceChildren(this.sheet.element, row);
    // What else stands at the bottom of the page stands above the player, however high its lyrics make it.
    new ResizeObserver(() => document.body.style.setProperty("--player", `${bar.offsetHeight}px`)).observe(bar);
  }

  #toggle(title, picture, on, changed) {
    const button = h("button", { type: "button", class: "icon-button", "aria-label": title, title, "aria-pressed": String(on) }, icon(picture));
    button.addEventListener("click", () => {
      const pressed = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(pressed));
      changed(pressed);
    });
    return button;
  }

  get seconds() {
    return Number.isFinite(this.audio.duration) ? this.audio.duration : (this.song?.item.seconds ?? 0);
  }

  get playing() {
    return !this.audio.paused && !this.audio.ended;
  }

  /** Play a song from a share of its length, or go on with it. */
  async play(song, share = null) {
    if (this.song !== song) await this.#take(song);
    if (share !== null) this.seek(share * this.seconds);
    tell("playing");
    try {
      await this.audio.play();
    } catch (error) {
      if (error.name === "NotAllowedError") announce(`Ready: ${song.title}. Press play to listen.`);
      else if (error.name !== "AbortError") throw error;
    }
  }

  async #take(song) {
    const address = await song.sound.address();
    this.song?.wave.move(0);
    this.song = song;
    this.audio.src = address;
    byId("player").hidden = false;
    document.body.classList.add("with-player");
    say(this.title, song.title);
    byId("player").style.setProperty("--hue", song.hue);
    this.#showWords(song);
  }

  /** Timed lyrics lie beside the song, as a file; a song without them shows its plain ones. */
  async #showWords({ item }) {
    const timed = item.lrc ? await besideBlob(item.lrc).then((blob) => blob.text(), () => "") : "";
    if (this.song?.item !== item) return;
    const any = this.sheet.show(timed, item.lyrics || item.metas?.lyrics);
    this.words.hidden = !any;
    this.sheet.element.hidden = !any || this.words.getAttribute("aria-pressed") !== "true";
    if (timed && any && this.sheet.element.hidden) this.words.click();
  }

  toggle(song = this.song) {
    if (song === this.song && this.playing) this.audio.pause();
    else if (song) return this.play(song);
  }

  seek(seconds) {
    this.audio.currentTime = Math.max(0, Math.min(seconds, this.seconds || seconds));
    this.#moved();
  }

  #changed() {
    const playing = this.playing;
    this.button.replaceChildren(icon(playing ? "pause" : "play"));
    this.button.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.#moved();
    this.dispatchEvent(new Event("change"));
  }

  /** While it plays, the wave moves with every picture; `timeupdate` comes four times a second only. */
  #run() {
    if (!this.playing) return;
    this.#moved();
    requestAnimationFrame(() => this.#run());
  }

  #moved() {
    const [now, all] = [this.audio.currentTime, this.seconds];
    if (!this.slider.matches(":active")) this.slider.value = all ? (now / all) * 1000 : 0;
    this.slider.setAttribute("aria-valuetext", `${clock(now)} of ${clock(all)}`);
    say(this.time, `${clock(now)} / ${clock(all)}`);
    this.song?.wave.move(all ? now / all : 0);
    this.sheet.follow(now);
  }

  /** Space plays and pauses wherever it has no meaning of its own. */
  #key(event) {
    if (event.key !== " " || event.ctrlKey || event.altKey || event.metaKey || !this.song) return;
    if (event.target.closest("input:not([type=range]), textarea, select, button, summary, a, dialog, pre")) return;
    event.preventDefault();
    this.toggle();
  }
}
