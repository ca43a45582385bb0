// Runs a page's script as a browser of an origin would: `Origin` is sent, other servers are asked before anything that
// is not simple, and answers that do not name the origin are kept from the page.
// usage: node browser.mjs PAGE ORIGIN EXPRESSION
import {readFileSync} from "node:fs";
import vm from "node:vm";

const [page, origin, expression] = process.argv.slice(2);
const SIMPLE_TYPES = /^(text\/plain|multipart\/form-data|application\/x-www-form-urlencoded)/;

async function pageFetch(url, options = {}) {
  const request = new Request(url, options);
  const asked = [...request.headers.keys()].filter(
    (name) => name !== "content-type" || !SIMPLE_TYPES.test(request.headers.get(name)),
  );
  if (asked.length) {
    const question = {Origin: origin, "Access-Control-Request-Method": request.method,
      "Access-Control-Request-Headers": asked.join(",")};
    allowed(await fetch(url, {method: "OPTIONS", headers: question}), true);
  }
  return allowed(await fetch(new Request(request, {headers: {...Object.fromEntries(request.headers), Origin: origin}})));
}

function allowed(response, first = false) {
  const named = response.headers.get("access-control-allow-origin");
  if ((first && !response.ok) || (named !== origin && named !== "*")) throw new TypeError("blocked by CORS");
  return response;
}

const script = readFileSync(page, "utf8").match(/<script>(.*?)<\/script>/s)[1];
const world = vm.createContext({fetch: pageFetch, FormData, Blob, setTimeout, console, URL, Uint8Array});
vm.runInContext(script, world);
try {
  console.log(JSON.stringify({value: await vm.runInContext(expression, world)}));
} catch (error) {
  console.log(JSON.stringify({error: error.message}));
}
