// How is the same request sent without this page? As curl, Python and JavaScript, each complete and without the key.

import { addressOf, key } from "./api.js";
import { announce, byId, h } from "./dom.js";

const VARIABLE = "ACESTEP_KEY";

/** Quote for a POSIX shell. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** JSON as a Python literal: the text itself is read again, so every value keeps its meaning. */
const pythonText = (text) => `r'''${text}'''`;

export function curl(url, input, keyed) {
  const header = keyed ? `  -H "Authorization: Bearer $${VARIABLE}" \\\n` : "";
  return `curl -X POST ${quoted(url)} \\\n${header}  -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify({ input }, null, 2))}\n`;
}

export function python(url, input, keyed) {
  const body = JSON.stringify({ input }, null, 2);
  const safe = body.includes("'''") ? JSON.stringify(JSON.stringify({ input })) : pythonText(body);
  const header = keyed ? `\nheaders["Authorization"] = "Bearer " + os.environ["${VARIABLE}"]` : "";
  return `import json
${keyed ? "import os\n" : ""}import urllib.request

body = json.loads(${safe})
headers = {"Content-Type": "application/json"}${header}
request = urllib.request.Request("${url}", json.dumps(body).encode(), headers)
with urllib.request.urlopen(request) as answer:
    job = json.load(answer)
if job["status"] != "COMPLETED":
    raise SystemExit(job.get("error", job["status"]))
for song in job["output"]["results"]:
    print(song["file"])
`;
}

export function javascript(url, input, keyed) {
  const header = keyed ? `\n    Authorization: \`Bearer \${process.env.${VARIABLE}}\`,` : "";
  return `const answer = await fetch("${url}", {
  method: "POST",
  headers: {
    "Content-Type": "application/json",${header}
  },
  body: JSON.stringify(${JSON.stringify({ input }, null, 2).replaceAll("\n", "\n  ")}),
});
const job = await answer.json();
if (job.status !== "COMPLETED") throw new Error(job.error ?? job.status);
for (const song of job.output.results) console.log(song.file);
`;
}

const LANGUAGES = [["curl", curl], ["Python", python], ["JavaScript", javascript]];

/** The fold below the form: one text, three languages, a button that copies it. */
export class Snippets {
  constructor(endpoint) {
    this.url = String(addressOf(`${endpoint.path}/runsync`));
    this.input = {};
    this.write = curl;
    this.text = h("code", {});
    const pre = h("pre", { tabIndex: 0, role: "region", "aria-label": "The request as code" }, this.text);
    const choice = ([name, write]) =>
      h("label", { class: "segment" }, h("input", { type: "radio", name: "language", checked: write === curl, on: { change: () => this.#choose(write) } }), h("span", {}, name));
    this.copied = h("button", { type: "button", class: "quiet", id: "copy-code", on: { click: () => this.#copy() } }, "Copy");
    const bar = h("div", { class: "code-bar" }, h("div", { class: "segments", role: "radiogroup", "aria-label": "Language" }, ...LANGUAGES.map(choice)), this.copied);
    byId("code-body").replaceChildren(bar, pre);
  }

  #choose(write) {
    this.write = write;
    this.show(this.input);
  }

  /** Show the request with this input. */
  show(input) {
    this.input = input;
    this.text.textContent = this.write(this.url, input, Boolean(key.get()));
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.text.textContent);
      this.copied.textContent = "Copied";
      announce("The code is in the clipboard.");
    } catch {
      getSelection().selectAllChildren(this.text);
      this.copied.textContent = "Press Ctrl+C";
    }
    setTimeout(() => (this.copied.textContent = "Copy"), 2500);
  }
}
