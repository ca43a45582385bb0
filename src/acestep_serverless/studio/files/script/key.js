// Where does the key come from? A dialog asks for it when the gateway wants one; it stays in this tab's session.

import { key, onKeyNeeded } from "./api.js";
import { byId, h } from "./dom.js";

/** Make the dialog ready and be the one who asks. */
export function installKeyDialog() {
  const dialog = byId("key-dialog");
  const field = h("input", {
    id: "key-field",
    type: "password",
    autocomplete: "off",
    spellcheck: false,
    required: true,
    "aria-describedby": "key-help key-problem",
  });
  const problem = h("p", { class: "problem", id: "key-problem", role: "alert" });
  const form = h(
    "form",
    { method: "dialog", class: "dialog-form" },
    h("h2", { id: "key-title" }, "This gateway wants a key"),
    h("p", { id: "key-help" }, "It is kept in this tab until you close it, and sent to this gateway only."),
    h("label", { htmlFor: "key-field" }, "API key"),
    field,
    problem,
    h(
      "div",
      { class: "dialog-buttons" },
      h("button", { class: "primary", type: "submit" }, "Open the studio"),
    ),
  );
  dialog.replaceChildren(form);
  onKeyNeeded(
    (sentence) =>
      new Promise((resolve) => {
        problem.textContent = sentence;
        field.value = "";
        const answer = (event) => {
          event.preventDefault();
          if (!field.value.trim()) return;
          key.set(field.value.trim());
          field.value = "";
          dialog.close();
          finish(true);
        };
        const refuse = () => finish(false);
        const finish = (given) => {
          form.removeEventListener("submit", answer);
          dialog.removeEventListener("cancel", refuse);
          resolve(given);
        };
        form.addEventListener("submit", answer);
        dialog.addEventListener("cancel", refuse);
        if (!dialog.open) dialog.showModal();
        field.focus();
      }),
  );
}
