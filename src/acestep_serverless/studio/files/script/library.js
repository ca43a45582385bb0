// Which songs are there? Every finished one of the endpoint, newest first; where there is none, what to do.

import { Analysis } from "./analysis.js";
import { announce, arrange, byId, h, icon, say } from "./dom.js";
import { FIRST } from "./examples.js";
import { Song } from "./song.js";
import { liking } from "./store.js";

/** The list of songs; `submit(input)` queues a request, `edit(input, revealed)` puts one into the form. */
export class Library {
  constructor(follower, player, { submit, edit, problem }) {
    Object.assign(this, { follower, player, submit, edit, problem });
    this.canRepaint = false;
    this.songs = new Map();
    this.awaited = new Set();
    byId("more").onclick = () => follower.older();
    byId("song-list").replaceChildren();
    follower.addEventListener("change", () => this.show());
    follower.addEventListener("ended", (event) => this.#arrived(event.detail));
    player.addEventListener("change", () => this.#showPlaying());
    window.addEventListener("themed", () => this.songs.forEach((song) => song.wave?.draw()));
  }

  /** Offer on each song what can be done with one; `tasks` null: everything. */
  offer(tasks) {
    this.canRepaint = !tasks || tasks.includes("repaint");
    for (const song of this.songs.values()) song.offer?.();
  }

  show() {
    const { follower } = this;
    if (!follower.ready) return;
    const wanted = [];
    for (const job of follower.jobs.values()) {
      if (job.status === "COMPLETED") (job.output?.results ?? []).forEach((_, index) => wanted.push(this.#entry(job, index)));
    }
    const songs = wanted.filter((one) => one instanceof Song);
    const kept = new Set(wanted);
    for (const [key, song] of this.songs) if (!kept.has(song)) this.songs.delete(key);
    arrange(byId("song-list"), wanted.map((song) => song.element));
    say(byId("song-count"), songs.length ? this.#count(songs) : "");
    byId("more").hidden = follower.total <= follower.jobs.size;
    this.#showEmpty(wanted.length === 0);
  }

  #entry(job, index) {
    const key = `${job.id}/${index}`;
    const Kind = job.output.results[index].analysis ? Analysis : Song;
    if (!this.songs.has(key)) this.songs.set(key, new Kind(job, index, this));
    return this.songs.get(key);
  }

  #count(songs) {
    const seconds = songs.reduce((sum, song) => sum + (song.item.seconds ?? 0), 0);
    const length = seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
    return `${songs.length} ${songs.length === 1 ? "song" : "songs"}, ${length}`;
  }

  #showEmpty(isEmpty) {
    const place = byId("songs-empty");
    const soon = isEmpty && this.follower.open.length > 0;
    byId("songs-soon").hidden = !soon;
    place.hidden = !isEmpty || soon;
    if (!isEmpty || place.childElementCount) return;
    const bars = Array.from({ length: 23 }, (_, bar) => {
      const one = h("i", {});
      one.style.setProperty("--tall", `${24 + 62 * Math.abs(Math.sin(bar * 0.62) * Math.cos(bar * 0.23))}%`);
      return one;
    });
    place.replaceChildren(
      h("div", { class: "empty-wave", "aria-hidden": "true" }, ...bars),
      h("h3", {}, "Nothing here yet. Let it play something."),
      h("p", {}, "One press makes twenty seconds of warm lo-fi and plays it as soon as it is there. Or compose one of your own."),
      h("button", { type: "button", class: "primary", id: "first", on: { click: () => this.submit(FIRST) } }, icon("play"), h("span", {}, "Play me a first song")),
    );
  }

  /** A job of this tab: its first song plays when it is there and nothing else does. */
  await(id) {
    this.awaited.add(id);
  }

  #arrived(job) {
    if (job.status !== "COMPLETED") return;
    this.show();
    const song = this.songs.get(`${job.id}/0`);
    if (!song) return;
    announce(`Ready: ${song.title}`);
    if (this.awaited.delete(job.id) && song.sound && liking.get("autoplay", true) && !this.player.playing) this.player.play(song).catch(this.problem);
  }

  #showPlaying() {
    for (const song of this.songs.values()) song.showPlaying?.(song === this.player.song && this.player.playing);
  }

  again(song) {
    const { seed: _seed, ...input } = song.settings;
    this.submit(input);
  }

  repaint(song, from, to) {
    const { seed: _seed, ...input } = song.settings;
    this.edit({ ...input, task_type: "repaint", src_audio: song.item.file, repainting_start: from, repainting_end: to }, "task_type");
  }
}
