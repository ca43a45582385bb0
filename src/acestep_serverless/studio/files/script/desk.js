// Who passes what on? The form's input goes to the gateway, its jobs to queue and library, a failure to the fields.

import { announce, byId, say } from "./dom.js";
import { showExamples } from "./examples.js";
import { Follower } from "./follower.js";
import { ComposeForm } from "./form.js";
import { Glance } from "./glance.js";
import { Library } from "./library.js";
import { notice, problem } from "./notice.js";
import { Player } from "./player.js";
import { problemsIn } from "./problems.js";
import { Queue } from "./queue.js";
import { Snippets } from "./snippets.js";
import { remember, whenTold } from "./store.js";

/** What came in from a form goes out, and a failure comes back to the fields it names. */
export class Desk {
  constructor(endpoint, schema) {
    this.endpoint = endpoint;
    this.last = { id: null, text: "" };
    const submit = (input) => this.submit(input);
    this.snippets = new Snippets(endpoint);
    this.calls = { submit, whenChanged: (input) => this.snippets.show(input) };
    this.follower = new Follower(endpoint);
    this.player = new Player();
    const edit = (input, revealed) => this.edit(input, revealed);
    this.library = new Library(this.follower, this.player, { submit, edit, problem });
    this.queue = new Queue(this.follower, { problem, edit: (job) => this.editJob(job) });
    this.glance = new Glance(this.follower);
    this.follower.addEventListener("ended", (event) => this.#ended(event.detail));
    this.follower.addEventListener("change", () => notice(this.follower.problem && `The latest look failed: ${this.follower.problem}. Trying again.`));
    whenTold("jobs", () => this.follower.poke());
    showExamples((input) => this.edit(input));
    this.#furnish(schema);
    this.follower.addEventListener("change", () => this.#lookAtWorkers());
    this.follower.start();
  }

  /** Offer what a schema says: the form's fields and tasks, and what can be done with a song. */
  #furnish(schema) {
    this.schema = JSON.stringify(schema);
    this.names = new Set(Object.keys(schema.properties));
    this.form = this.form ? this.form.rebuilt(schema, this.calls) : new ComposeForm(schema, this.calls);
    const { name, task_types: tasks } = schema["x-engine"];
    say(byId("engine"), name ? `with the ${name} engine` : "");
    this.library.offer(tasks);
  }

  /** What can be asked for is what live workers tell, so it is asked anew whenever workers have come or gone. */
  async #lookAtWorkers() {
    const { ready, initializing, unhealthy } = this.follower.health?.workers ?? {};
    const seen = JSON.stringify([ready, initializing, unhealthy]);
    if (ready === undefined || this.follower.problem || seen === this.workers) return;
    this.workers = seen;
    try {
      const schema = await this.endpoint.schema();
      if (JSON.stringify(schema) !== this.schema) this.#furnish(schema);
    } catch {
      this.workers = ""; // The follower says that the gateway is away; its next look asks again.
    }
  }

  async submit(input) {
    if (this.sending) return;
    this.sending = true;
    try {
      const { id } = await this.endpoint.run(input);
      remember(this.endpoint.id, id, input);
      this.last = { id, text: JSON.stringify(input) };
      this.library.await(id);
      this.follower.add(id, input);
      announce("Queued. It plays when it is ready.");
    } catch (error) {
      const named = problemsIn(error.message.replace(/^input\./, ""), this.names);
      this.form.complain(named, named.length ? "" : `That did not work: ${error.message}.`);
    }
    this.sending = false;
  }

  /** Put an input into the form; `revealed` names a field that is to be seen with it. */
  edit(input, revealed = "caption") {
    this.form.write(input);
    this.form.fields.get(revealed).reveal();
    this.#toForm();
    this.form.fields.get("caption").focus({ preventScroll: true });
    announce("The settings are in the form.");
  }

  /** Take a failed job's input up again, with what was wrong at its fields. */
  editJob(job) {
    this.edit(job.input);
    this.form.complain(problemsIn(job.error ?? "", this.names));
  }

  #toForm() {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    byId("compose-title").scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
  }

  /** A job of this form failed and the form is still as it was: the problems belong to its fields. */
  #ended(job) {
    if (job.status !== "FAILED" || job.id !== this.last.id) return;
    const problems = problemsIn(job.error ?? "", this.names);
    if (problems.length && JSON.stringify(this.form.read()) === this.last.text) this.form.complain(problems);
  }
}
