// What does this browser remember? The inputs of its own jobs (the gateway does not give them back), what was put
// aside, and how the page is liked. Tabs of one browser share it and tell each other.

const MOST_JOBS = 200;
/** Characters of an input that is kept whole; audio inside an input would fill the browser's 5 MB at once. */
const LONGEST = 40_000;

const channel = "BroadcastChannel" in window ? new BroadcastChannel("acestep-studio") : null;
const listeners = new Map();

/** What was read last, by name: inputs are looked up for every job at every look, and mostly nothing has changed. */
const lately = new Map();

function read(name, otherwise) {
  try {
    const text = localStorage.getItem(name);
    if (lately.get(name)?.text !== text) lately.set(name, { text, value: JSON.parse(text ?? "null") });
    return lately.get(name).value ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Write, and tell whether there was room; where there is none this tab goes on, and a reload knows less. */
function write(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

function shorten(input) {
  const short = (value) => (typeof value === "string" && value.length > LONGEST ? null : value);
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [name, short(value)]));
}

/** Remember the input of a job that was just queued, and tell the other tabs. */
export function remember(endpoint, job, input) {
  const jobs = { ...read(`studio.jobs.${endpoint}`, {}), [job]: { input: shorten(input), at: Date.now() } };
  const newest = Object.entries(jobs).sort((one, other) => other[1].at - one[1].at);
  for (let kept = MOST_JOBS; kept >= 1; kept = Math.floor(kept / 4)) {
    if (write(`studio.jobs.${endpoint}`, Object.fromEntries(newest.slice(0, kept)))) break;
  }
  tell("jobs");
}

/** Give {input, at} of a job of this browser, or undefined. */
export function remembered(endpoint, job) {
  return read(`studio.jobs.${endpoint}`, {})[job];
}

/** Put an ended job aside: it is not shown in the queue any more. */
export function putAside(endpoint, job) {
  const aside = [job, ...read(`studio.aside.${endpoint}`, [])];
  write(`studio.aside.${endpoint}`, aside.slice(0, MOST_JOBS));
  tell("jobs");
}

/** Show a job again that was put aside. */
export function takeBack(endpoint, job) {
  write(`studio.aside.${endpoint}`, read(`studio.aside.${endpoint}`, []).filter((other) => other !== job));
}

export const isAside = (endpoint, job) => read(`studio.aside.${endpoint}`, []).includes(job);

/** How the page is liked: "theme", "loop", "endpoint", "autoplay". */
export const liking = {
  get: (name, otherwise) => read(`studio.like.${name}`, otherwise),
  set: (name, value) => {
    write(`studio.like.${name}`, value);
    tell("liking");
  },
};

/** What stands in the form of this tab, so that a reload does not lose it. */
export const draft = {
  get: () => {
    try {
      return JSON.parse(sessionStorage.getItem("studio.draft") ?? "null");
    } catch {
      return null;
    }
  },
  set: (input) => {
    try {
      sessionStorage.setItem("studio.draft", JSON.stringify(shorten(input)));
    } catch {
      // As above: a reload then begins with an empty form.
    }
  },
};

/** Tell the other tabs that something is new: "jobs", "liking" or "playing". */
export function tell(what) {
  channel?.postMessage(what);
}

/** Be told by other tabs, twice: by the channel at once, and by the storage event when what was written can be read
 * here. A message may be the faster of the two, and then leads to the old value. */
export function whenTold(what, listener) {
  listeners.set(what, [...(listeners.get(what) ?? []), listener]);
}

const spread = (what) => (listeners.get(what) ?? []).forEach((listener) => listener());
channel?.addEventListener("message", (event) => spread(event.data));
window.addEventListener("storage", (event) => spread(event.key?.startsWith("studio.like.") ? "liking" : "jobs"));
