// How does the page speak with the gateway? Only through its public HTTP API, with the key that this tab was given.

const KEY = "studio.key";

/** An answer that is no success; `status` 0 when there was none, `retryAfter` in seconds. */
export class ApiError extends Error {
  constructor(status, message, retryAfter = 0) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** Where the gateway is: beside this page, also behind a proxy that gives it a folder. */
export const BASE = new URL(".", document.baseURI);

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => (text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY)),
};

let askForKey = async () => false;

/** Say who asks for the key: called with the gateway's sentence, gives true once there is a new one. */
export function onKeyNeeded(ask) {
  let asking = null;
  askForKey = (sentence) => (asking ??= ask(sentence).finally(() => (asking = null)));
}

/** Give the address of a gateway path, such as "/v1/audio?filename=..." or "v2/ace-step/run". */
export function addressOf(path) {
  return new URL(path.replace(/^\//, ""), BASE);
}

/** Send one request; a 401 asks for the key and sends it again. @returns {Promise<Response>} */
export async function send(path, options = {}) {
  for (;;) {
    const used = key.get();
    const answer = await once(path, options, used);
    if (answer.ok) return answer;
    const error = await problemOf(answer);
    if (answer.status !== 401) throw error;
    const changed = key.get() !== used || (await askForKey(used ? error.message : ""));
    if (!changed) throw error;
  }
}

async function once(path, options, used) {
  const headers = { ...options.headers, ...(used ? { Authorization: `Bearer ${used}` } : {}) };
  try {
    return await fetch(addressOf(path), { ...options, headers, credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "the gateway does not answer");
  }
}

async function problemOf(answer) {
  let sentence = `the gateway answered ${answer.status}`;
  try {
    const body = await answer.json();
    if (typeof body.error === "string") sentence = body.error;
  } catch {
    // An answer of something between the gateway and here; its code says enough.
  }
  return new ApiError(answer.status, sentence, Number(answer.headers.get("Retry-After")) || 0);
}

async function json(path, method = "GET", body = undefined) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  return (await send(path, { method, ...sent })).json();
}

export const endpoints = async () => (await json("v2")).endpoints.map((endpoint) => endpoint.id);

/** The operations of one endpoint. */
export class Endpoint {
  constructor(id) {
    this.id = id;
    this.path = `v2/${encodeURIComponent(id)}`;
  }

  schema() {
    return json(`${this.path}/schema`);
  }

  run(input) {
    return json(`${this.path}/run`, "POST", { input });
  }

  status(job) {
    return json(`${this.path}/status/${encodeURIComponent(job)}`);
  }

  requests(limit, { offset = 0, state = "" } = {}) {
    return json(`${this.path}/requests?limit=${limit}&offset=${offset}${state && `&status=${state}`}`);
  }

  cancel(job) {
    return json(`${this.path}/cancel/${encodeURIComponent(job)}`, "POST");
  }

  retry(job) {
    return json(`${this.path}/retry/${encodeURIComponent(job)}`, "POST");
  }

  health() {
    return json(`${this.path}/health`);
  }
}
