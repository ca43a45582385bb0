// How are elements made? From names and texts, never from markup: whatever comes from outside stays text.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element. Properties: `class`, `on` ({event: listener}), `data` and ARIA attributes by their names; what an
 * element knows as a property is set as one, anything else as an attribute. null and false leave a property out.
 * @param {string} name
 * @param {Record<string, any>} [properties]
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {any}
 */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) set(element, key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function set(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key === "class") element.className = value;
  else if (key === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
  else if (key === "data") Object.assign(element.dataset, value);
  else if (key in element && !key.startsWith("aria") && key !== "list" && key !== "form") element[key] = value;
  else element.setAttribute(key, value === true ? "" : String(value));
}

const PATHS = {
  play: "M8 5.5v13l11-6.5z",
  pause: "M7 5h3.6v14H7zM13.4 5H17v14h-3.6z",
  loop: "M17 2l4 4-4 4V7.2H8A3.8 3.8 0 0 0 4.2 11v1H2v-1a6 6 0 0 1 6-6h9zM7 22l-4-4 4-4v2.8h9a3.8 3.8 0 0 0 3.8-3.8v-1H22v1a6 6 0 0 1-6 6H7z",
  download: "M11 3h2v9.2l3.3-3.3 1.4 1.4L12 16l-5.7-5.7 1.4-1.4 3.3 3.3zM4 18h16v2.4H4z",
  dice: "M5 3h14a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zm.4 2.4v13.2h13.2V5.4zM8.4 7a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2zm7.2 0a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2zM12 10.4a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2zm-3.6 3.4a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2zm7.2 0a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2z",
  edit: "M16.6 3.2l4.2 4.2L8.6 19.6 3 21l1.4-5.6zM6.5 16.5l-.6 1.6 1.6-.6L17.4 7.6l-1-1z",
  brush: "M20.7 3.3a1.8 1.8 0 0 1 0 2.5l-8.3 8.8-3-3 8.8-8.3a1.8 1.8 0 0 1 2.5 0zM8 12.8l3.2 3.2c.2 3-2 5-8 5 1.7-1 1.6-2 1.7-4 .1-2.600 1.400-4 3.100-4.200z",
  sun: "M12 7a5 5 0 1 1 0 10 5 5 0 0 1 0-10zm-1-6h2v3.500h-2zm0 18.500h2V23h-2zM1 11h3.500v2H1zm18.500 0H23v2h-3.500zM4.200 2.800l2.500 2.500-1.400 1.400-2.500-2.500zm13.100 13.100l2.500 2.500-1.400 1.400-2.500-2.500zm2.500-11.700l-2.500 2.500-1.400-1.400 2.500-2.500zM6.700 17.300l-2.500 2.500-1.400-1.400 2.500-2.500z",
  moon: "M20.500 14.600A8.800 8.800 0 0 1 9.400 3.500a9 9 0 1 0 11.100 11.100z",
  close: "M5.700 4.300L12 10.600l6.300-6.300 1.400 1.400-6.300 6.300 6.300 6.300-1.400 1.400-6.300-6.300-6.300 6.300-1.400-1.400 6.300-6.300-6.300-6.300z",
  words: "M4 5h16v2.200H4zm0 6h11v2.200H4zm0 6h14v2.200H4z",
};

/** Make one of the page's own pictures, hidden from screen readers: the button around it has the words. */
export function icon(name) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 24 24");
  picture.setAttribute("class", "icon");
  picture.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  picture.append(path);
  return picture;
}

/** Find an element that index.html has. @returns {any} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found;
}

/** Replace the children only if what they say is new, so that nothing flickers and no focus is lost. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Make children of `parent` those of `nodes`, in their order, moving none that is in its place. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
}

/** Have a screen reader say a sentence when it has the time; the same one twice is said twice. */
export function announce(sentence) {
  const live = byId("live");
  if (live.textContent !== sentence) live.textContent = sentence;
  else {
    live.textContent = "";
    setTimeout(() => (live.textContent ||= sentence), 100);
  }
}
