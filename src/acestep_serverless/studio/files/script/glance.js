// How is the endpoint? Workers, waiting jobs and how fast songs come, in one line that is always in sight.

import { byId, h, say } from "./dom.js";

const LATELY = 20;

/** The line in the page's head. */
export class Glance {
  constructor(follower) {
    this.follower = follower;
    this.cells = ["workers", "waiting", "speed"].map((name) => h("p", { class: "cell", data: { glance: name } }));
    byId("glance").replaceChildren(...this.cells);
    follower.addEventListener("change", () => this.show());
  }

  show() {
    const { health } = this.follower;
    if (!health) return;
    const { ready, running, initializing, unhealthy } = health.workers;
    const busy = running ? `, ${running} busy` : "";
    const coming = initializing ? `, ${initializing} starting` : "";
    const ill = unhealthy ? `, ${unhealthy} silent` : "";
    const [workers, waiting, speed] = this.cells;
    say(workers, `${ready} ${ready === 1 ? "worker" : "workers"}${busy}${coming}${ill}`);
    workers.dataset.state = ready === 0 ? "none" : running ? "busy" : "idle";
    say(waiting, `${health.jobs.inQueue} waiting · ${health.jobs.completed} made`);
    const pace = this.#pace();
    say(speed, pace ? `${pace}× real time` : "");
    speed.hidden = !pace;
  }

  /** Seconds of music for a second of work, over the latest songs. */
  #pace() {
    const done = [...this.follower.jobs.values()].filter((job) => job.output?.results && job.executionTime).slice(0, LATELY);
    const music = done.flatMap((job) => job.output.results).reduce((sum, item) => sum + (item.seconds ?? 0), 0);
    const work = done.reduce((sum, job) => sum + job.executionTime / 1000, 0);
    if (!music || !work) return "";
    const pace = music / work;
    return pace < 10 ? pace.toFixed(1) : String(Math.round(pace));
  }
}
