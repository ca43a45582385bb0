// What is going on at the endpoint? Asks the gateway again and again: often while songs are made, ever more rarely while
// nothing happens, not at all while nobody looks, and with growing pauses when it does not answer.

import { remembered } from "./store.js";

/** Jobs of the newest page; older songs are asked for one page at a time. */
const PAGE = 30;
const QUICK = 1000;
/** `/requests` may be asked 10 times in 10 s with one key, and other tabs ask as well. */
const LISTING = 3000;
const IDLE = 5000;
const CALMEST = 20000;
const SLOWEST = 30000;

export const OPEN = new Set(["IN_QUEUE", "IN_PROGRESS"]);

/**
 * Follows one endpoint. `jobs` are status objects by id, newest first, with `input` and `at` where this browser sent
 * them; "change" is dispatched after each look, "ended" (detail: the job) when one ends that was seen open.
 */
export class Follower extends EventTarget {
  constructor(endpoint) {
    super();
    this.endpoint = endpoint;
    this.jobs = new Map();
    this.health = null;
    this.total = 0;
    this.problem = "";
    this.ready = false;
    this.pages = 1;
    this.pause = IDLE;
    this.listed = -Infinity;
    this.watching = null;
  }

  start() {
    document.addEventListener("visibilitychange", () => !document.hidden && this.poke());
    this.poke();
  }

  /** Look now: something has happened here. */
  poke() {
    this.pause = QUICK;
    this.listed = -Infinity;
    clearTimeout(this.timer);
    if (this.looking) this.again = true;
    else this.#look();
  }

  /** Show one page more of older songs. */
  older() {
    this.pages += 1;
    this.poke();
  }

  get open() {
    return [...this.jobs.values()].filter((job) => OPEN.has(job.status));
  }

  async #look() {
    if (document.hidden) return; // visibilitychange looks again
    this.looking = true;
    try {
      if (performance.now() - this.listed >= LISTING * this.pages - 50 || !this.open.length) await this.#list();
      else await this.#refresh();
      await this.#outputs();
      this.problem = "";
      this.ready = true;
      const calm = Math.max(IDLE, LISTING * this.pages);
      this.pause = this.open.length || this.listed === -Infinity ? QUICK : Math.max(calm, Math.min(this.pause * 1.2, CALMEST));
    } catch (error) {
      this.problem = error.message;
      this.pause = Math.min(Math.max(this.pause * 2, error.retryAfter * 1000, 2 * QUICK), SLOWEST);
    }
    this.looking = false;
    this.dispatchEvent(new Event("change"));
    this.timer = setTimeout(() => this.#look(), this.again ? 0 : this.pause);
    this.again = false;
  }

  async #list() {
    const offsets = Array.from({ length: this.pages }, (_, page) => page * PAGE);
    const asked = offsets.map((offset) => this.endpoint.requests(PAGE, { offset }));
    const [health, ...pages] = await Promise.all([this.endpoint.health(), ...asked]);
    this.health = health;
    this.total = pages[0].total;
    this.listed = performance.now();
    const before = this.jobs;
    this.jobs = new Map();
    for (const job of pages.flatMap((page) => page.requests)) this.#note(job, before.get(job.id));
    for (const [id, job] of before) if (job.fresh && !this.jobs.has(id)) this.jobs = new Map([[id, job], ...this.jobs]);
  }

  async #refresh() {
    const views = await Promise.all(this.open.slice(0, 10).map((job) => this.endpoint.status(job.id)));
    for (const view of views) this.#note(view, this.jobs.get(view.id));
  }

  #note(view, known) {
    const own = known?.input ? known : remembered(this.endpoint.id, view.id);
    const job = { ...view, input: own?.input, at: own?.at };
    if (view.status === known?.status) job.output ??= known.output; // The list comes without outputs.
    this.jobs.set(view.id, job);
    if (known && OPEN.has(known.status) && !OPEN.has(view.status)) job.news = true;
  }

  /** Fetch the outputs of finished songs that are not here yet: the list comes without them. */
  async #outputs() {
    const lacking = [...this.jobs.values()].filter((job) => job.status === "COMPLETED" && !job.output);
    for (let index = 0; index < lacking.length; index += 6) {
      const views = await Promise.all(lacking.slice(index, index + 6).map((job) => this.#outputOf(job)));
      views.forEach((view) => view && this.jobs.set(view.id, { ...this.jobs.get(view.id), ...view }));
    }
    for (const job of this.jobs.values()) {
      if (!job.news) continue;
      job.news = false;
      this.listed = -Infinity; // What is made changes the counts.
      this.dispatchEvent(new CustomEvent("ended", { detail: job }));
    }
  }

  async #outputOf(job) {
    try {
      return await this.endpoint.status(job.id);
    } catch (error) {
      if (error.status === 404) return null; // Its time was over between list and look.
      throw error;
    }
  }

  /** Show a job that was queued a moment ago, before the next list names it. */
  add(id, input) {
    this.jobs = new Map([[id, { id, status: "IN_QUEUE", input, at: Date.now(), fresh: true }], ...this.jobs]);
    this.dispatchEvent(new Event("change"));
    this.poke();
  }

  /** Where a waiting job stands: 1 is next. Counted from the end of the queue, whose length `/health` tells. */
  placeOf(id) {
    const waiting = [...this.jobs.values()].filter((job) => job.status === "IN_QUEUE").map((job) => job.id);
    const behind = waiting.indexOf(id);
    return Math.max(1, Math.max(this.health?.jobs.inQueue ?? 0, waiting.length) - behind);
  }
}
