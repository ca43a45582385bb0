// How does the page come to life? Theme, key, endpoint; then its schema makes the form, and its jobs make the rest.

import { Endpoint, endpoints } from "./api.js";
import { Desk } from "./desk.js";
import { byId, h } from "./dom.js";
import { installKeyDialog } from "./key.js";
import { notice } from "./notice.js";
import { liking } from "./store.js";
import { installTheme } from "./theme.js";

async function chooseEndpoint() {
  const ids = await endpoints();
  const liked = liking.get("endpoint", "");
  const chosen = ids.includes(liked) ? liked : ids[0];
  const pick = byId("endpoint");
  pick.replaceChildren(...ids.map((id) => h("option", { value: id, selected: id === chosen }, id)));
  byId("endpoint-pick").hidden = ids.length < 2;
  pick.addEventListener("change", () => {
    liking.set("endpoint", pick.value);
    location.reload();
  });
  return new Endpoint(chosen);
}

async function open() {
  installTheme();
  installKeyDialog();
  try {
    const endpoint = await chooseEndpoint();
    const schema = await endpoint.schema();
    new Desk(endpoint, schema);
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    notice(`The studio cannot open: ${error.message}.`);
    byId("banner").append(" ", h("button", { type: "button", class: "quiet small", on: { click: () => location.reload() } }, "Try again"));
  }
}

open();
