"""What a user of the official Python client does, against a base URL in the environment; prints one JSON object."""

import json
import sys
import time

import runpod

runpod.api_key = sys.argv[1]
endpoint = runpod.Endpoint("ace-step")
seen = {"before": endpoint.health()}

seen["run_sync"] = endpoint.run_sync({"input": {"caption": "two bars of funk", "duration": 4, "seed": 1}}, timeout=60)

job = endpoint.run({"input": {"caption": "two bars of jazz", "duration": 4, "seed": 1}})
seen["job_id"] = job.job_id
seen["status"] = job.status()
seen["output"] = job.output(timeout=60)
seen["final"] = job.status()

long = endpoint.run({"input": {"caption": "slow strings", "duration": 600, "batch_size": 8}})
while long.status() != "IN_PROGRESS":
    time.sleep(0.05)
waiting = [endpoint.run({"input": {"caption": "later"}}) for _ in range(2)]
seen["purge"] = endpoint.purge_queue()
seen["purged"] = [one.status() for one in waiting]
seen["cancel"] = long.cancel()
seen["cancelled"] = long.status()

failing = endpoint.run({"input": {"caption": ""}})
while failing.status() not in ("FAILED", "COMPLETED"):
    time.sleep(0.05)
seen["failed"] = failing.status()
seen["after"] = endpoint.health()
print(json.dumps(seen))
