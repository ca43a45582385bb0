// What a user of the official JavaScript client does with every operation; prints one JSON object as its last line.
import runpodSdk from "runpod-sdk";

const [baseUrl, key, mode] = process.argv.slice(2);
const endpoint = runpodSdk(key, { baseUrl }).endpoint("ace-step");

async function started(id) {
  for (let look = 0; look < 500; look++) {
    const { status } = await endpoint.status(id);
    if (status !== "IN_QUEUE") return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${id} was not taken`);
}

async function jobs() {
  const seen = { quick: await endpoint.runSync({ input: { return: "é" } }) };
  // Longer than it has /runsync wait, so that it goes on with /status-sync.
  seen.slow = await endpoint.runSync({ input: { sleep: 2.1, return: 1 } }, 2000);
  seen.failed = await endpoint.runSync({ input: { return: { error: "bad input" } } });

  seen.run = await endpoint.run({ input: { sleep: 60 }, policy: { executionTimeout: 90000 } });
  await started(seen.run.id);
  seen.running = await endpoint.status(seen.run.id);
  seen.waited = await endpoint.statusSync(seen.run.id, 1000);
  for (const caption of ["first", "second"]) await endpoint.run({ input: { caption } });
  seen.health = await endpoint.health();
  seen.purge = await endpoint.purgeQueue();
  seen.cancel = await endpoint.cancel(seen.run.id);
  seen.cancelled = await endpoint.status(seen.run.id);
  return seen;
}

async function streams() {
  const { id } = await endpoint.run({ input: { chunks: 4, pause: 0.05 } });
  const seen = { chunks: [] };
  for await (const chunk of endpoint.stream(id)) seen.chunks.push(chunk.output);
  seen.after = await endpoint.status(id);

  const endless = await endpoint.run({ input: { chunks: 1000, pause: 0.05 } });
  seen.before = 0;
  for await (const _chunk of endpoint.stream(endless.id)) {
    seen.before += 1;
    if (seen.before === 3) await endpoint.cancel(endless.id);
  }
  seen.cancelled = await endpoint.status(endless.id);
  return seen;
}

async function refusals() {
  const seen = {};
  const attempts = {
    key: () => runpodSdk("wrong", { baseUrl }).endpoint("ace-step").health(),
    endpoint: () => runpodSdk(key, { baseUrl }).endpoint("nowhere").run({ input: {} }),
    job: () => endpoint.status("no-such-job"),
    body: () => endpoint.run({ inputs: {} }),
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    seen[name] = await attempt().catch((error) => error.message);
  }
  return seen;
}

const modes = { jobs, streams, refusals };
console.log(JSON.stringify(await modes[mode]()));
