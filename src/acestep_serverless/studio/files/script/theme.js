// Light or dark? As the system says, until somebody says otherwise here.

import { byId, icon } from "./dom.js";
import { liking, whenTold } from "./store.js";

const system = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => ({ dark: true, light: false })[liking.get("theme", "")] ?? system.matches;

function show() {
  const dark = isDark();
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  const button = byId("theme");
  const words = dark ? "Switch to light colours" : "Switch to dark colours";
  button.replaceChildren(icon(dark ? "sun" : "moon"));
  button.setAttribute("aria-label", words);
  button.title = words;
  window.dispatchEvent(new Event("themed"));
}

/** Show the theme and let it be switched. */
export function installTheme() {
  show();
  system.addEventListener("change", show);
  whenTold("liking", show);
  byId("theme").addEventListener("click", () => {
    liking.set("theme", isDark() ? "light" : "dark");
    show();
  });
}
