// What is in the works? One card for each job that waits, is being made or did not work out; it moves by itself.

import { announce, arrange, byId, h, icon, say } from "./dom.js";
import { OPEN } from "./follower.js";
import { isAside, putAside, takeBack } from "./store.js";

const ENDED = { FAILED: "Did not work out", CANCELLED: "Cancelled", TIMED_OUT: "Took too long" };
const MOST_ENDED = 6;

/** The list of cards. `edit(job)` puts a job's input into the form. */
export class Queue {
  constructor(follower, { edit, problem }) {
    Object.assign(this, { follower, edit, problem });
    this.cards = new Map();
    follower.addEventListener("change", () => this.show());
    follower.addEventListener("ended", (event) => this.#tell(event.detail));
  }

  show() {
    const jobs = [...this.follower.jobs.values()].filter((job) => job.status !== "COMPLETED");
    const open = jobs.filter((job) => OPEN.has(job.status));
    const ended = jobs.filter((job) => !OPEN.has(job.status) && !isAside(this.follower.endpoint.id, job.id));
    const shown = [...open.reverse(), ...ended.slice(0, MOST_ENDED)];
    byId("queue-section").hidden = shown.length === 0;
    const cards = shown.map((job) => {
      if (!this.cards.has(job.id)) this.cards.set(job.id, new QueueCard(job, this));
      const card = this.cards.get(job.id);
      card.show(job);
      return card.element;
    });
    arrange(byId("queue"), cards);
    for (const id of this.cards.keys()) if (!this.follower.jobs.has(id)) this.cards.delete(id);
  }

  #tell(job) {
    if (job.status !== "COMPLETED") announce(`${ENDED[job.status]}: ${titleOf(job)}. ${job.error ?? ""}`);
  }
}

/** Give a job's title: the words it was asked with. */
export function titleOf(job) {
  const words = job.input?.caption || job.output?.results?.[0]?.prompt || "";
  return words.trim().split("\n")[0] || (job.input?.sample_query ?? "") || "A song from elsewhere";
}

class QueueCard {
  constructor(job, queue) {
    this.id = job.id;
    this.queue = queue;
    this.quarter = 0;
    this.title = h("h3", { class: "job-title" });
    this.state = h("p", { class: "job-state" });
    this.bar = h("progress", { max: 1, "aria-label": "Progress" });
    this.error = h("p", { class: "job-error" });
    this.buttons = {
      cancel: this.#button("Cancel", "close", () => this.#ask("cancel")),
      retry: this.#button("Try again", "loop", () => this.#ask("retry")),
      edit: this.#button("Edit", "edit", () => this.queue.edit(this.job)),
      aside: this.#button("Put aside", "close", () => this.#aside()),
    };
    const buttons = h("div", { class: "job-buttons" }, ...Object.values(this.buttons));
    this.element = h("li", { class: "job", data: { job: job.id } }, h("div", { class: "job-head" }, this.title, buttons), this.state, this.bar, this.error);
  }

  #button(label, picture, click) {
    return h("button", { type: "button", class: "tool", on: { click } }, icon(picture), h("span", {}, label));
  }

  show(job) {
    this.job = job;
    const open = OPEN.has(job.status);
    const title = titleOf(job);
    say(this.title, title);
    this.element.dataset.state = job.status;
    this.#showState(job);
    this.bar.hidden = !open;
    this.error.hidden = !job.error;
    say(this.error, job.error ?? "");
    this.buttons.cancel.hidden = !open;
    this.buttons.retry.hidden = !["FAILED", "TIMED_OUT"].includes(job.status);
    this.buttons.edit.hidden = open || !job.input;
    this.buttons.aside.hidden = open;
    for (const button of Object.values(this.buttons)) button.setAttribute("aria-label", `${button.textContent}: ${title}`);
  }

  #showState(job) {
    const progress = job.status === "IN_PROGRESS" ? job.output?.progress : undefined;
    if (typeof progress === "number") this.bar.value = progress;
    else this.bar.removeAttribute("value");
    if (job.status === "IN_QUEUE") {
      const place = this.queue.follower.placeOf(job.id);
      const ready = this.queue.follower.health?.workers.ready;
      say(this.state, ready === 0 ? `Number ${place} in the queue · no worker is ready yet` : place === 1 ? "Next in the queue" : `Number ${place} in the queue`);
    } else if (job.status === "IN_PROGRESS") {
      const stage = typeof job.output?.stage === "string" ? job.output.stage : "starting";
      const percent = typeof progress === "number" ? `${Math.round(progress * 100)} % · ` : "";
      const seconds = Math.round((job.executionTime ?? 0) / 1000);
      say(this.state, `${percent}${stage} · ${seconds} s`);
      this.#announce(job, progress ?? 0, stage);
    } else say(this.state, ENDED[job.status]);
  }

  /** A word at every quarter is enough for whoever listens to the page. */
  #announce(job, progress, stage) {
    const quarter = Math.floor(progress * 4);
    if (quarter <= this.quarter) return;
    this.quarter = quarter;
    announce(`${titleOf(job)}: ${quarter * 25} percent, ${stage}`);
  }

  async #ask(operation) {
    const { follower, problem } = this.queue;
    if (this.asking) return;
    this.asking = true;
    try {
      const answer = await follower.endpoint[operation](this.id);
      takeBack(follower.endpoint.id, this.id);
      const { error: _error, output: _output, ...rest } = this.job;
      follower.jobs.set(this.id, { ...rest, status: answer.status });
      this.quarter = 0;
      announce(operation === "cancel" ? `Cancelled: ${titleOf(this.job)}` : `Queued again: ${titleOf(this.job)}`);
    } catch (error) {
      problem(error);
    }
    this.asking = false;
    this.queue.show();
    if (this.buttons[operation].hidden) Object.values(this.buttons).find((button) => !button.hidden)?.focus();
    follower.poke();
  }

  #aside() {
    putAside(this.queue.follower.endpoint.id, this.id);
    this.queue.show();
    byId("songs").focus();
  }
}
