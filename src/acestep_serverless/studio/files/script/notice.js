// What must be seen at once? A sentence below the page's head: what did not work, or that the gateway is away.

import { byId, say } from "./dom.js";

/** Milliseconds for which a problem of one action stays. */
const STAYS = 8000;
let until = 0;

/** Show a lasting sentence, or none with ""; a problem that is being shown stays for its time. */
export function notice(sentence) {
  if (performance.now() < until) return;
  byId("banner").hidden = !sentence;
  say(byId("banner"), sentence);
}

/** Show that an action failed, for some seconds. */
export function problem(error) {
  until = 0;
  notice(`That did not work: ${error.message}.`);
  until = performance.now() + STAYS;
  setTimeout(() => performance.now() >= until && notice(""), STAYS + 50);
}
