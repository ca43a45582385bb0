"""A worker made of the unmodified Runpod SDK with a handler that does what its input says. Run as a process of its own.

python sdk_worker.py GATEWAY ENDPOINT WORKER_KEY WORKER_ID MODE        MODE: async, sync, generator
"""

import asyncio
import os
import sys
import time

from acestep_serverless.client.gateway import GatewayClient
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.sdk import prepare_environment, run


def outcome(wish):
    """Return, raise or exit as the input asks."""
    if "raise" in wish:
        raise ValueError(wish["raise"])
    if "exit" in wish:
        os._exit(wish["exit"])
    if wish.get("unencodable"):
        return {"value": object()}
    if wish.get("nan"):
        return {"value": float("nan")}
    return wish.get("return", {"echo": wish})


def make_async(sdk):
    async def handler(job):
        wish = job["input"]
        for step in range(wish.get("steps", 0)):
            sdk.serverless.progress_update(job, {"step": step})
            await asyncio.sleep(0.05)
        await asyncio.sleep(wish.get("sleep", 0))
        return outcome(wish)

    return handler


def make_sync(_sdk):
    def handler(job):
        time.sleep(job["input"].get("sleep", 0))
        return outcome(job["input"])

    return handler


def make_generator(_sdk):
    async def handler(job):
        for number in range(job["input"].get("chunks", 0)):
            yield {"n": number, "word": "é"}
            await asyncio.sleep(job["input"].get("pause", 0))

    return handler


MODES = {"async": make_async, "sync": make_sync, "generator": make_generator}


def main() -> None:
    gateway, endpoint_id, key, worker_id, mode = sys.argv[1:6]
    sys.argv = sys.argv[:1]
    enrolment = GatewayClient(gateway, endpoint_id, key).enrol(worker_id, from_fleet=False)
    link = GatewayLink(gateway, endpoint_id, worker_id, enrolment.token)
    prepare_environment(os.environ, link, ping_interval_ms=enrolment.heartbeat_ms)
    run(MODES[mode], os.environ)


if __name__ == "__main__":
    main()
