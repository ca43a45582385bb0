"""Reads streams with the official Python client; prints one JSON object."""

import json
import sys
import time

import runpod

runpod.api_key = "none"
endpoint = runpod.Endpoint(sys.argv[1])
seen = {"whole": list(endpoint.run({"input": {"chunks": 5, "pause": 0.05}}).stream())}

endless = endpoint.run({"input": {"chunks": 1000, "pause": 0.05}})
while endless.status() != "IN_PROGRESS":
    time.sleep(0.05)
began = time.monotonic()
for number, _ in enumerate(endless.stream()):
    if number == 3:
        endless.cancel()
seen["cancelled"] = endless.job_id
seen["seconds"] = time.monotonic() - began
print(json.dumps(seen))
