"""A worker made of the unmodified Runpod SDK with a handler that does what its input says. Run as a process of its own.

python sdk_worker.py GATEWAY ENDPOINT WORKER_KEY WORKER_ID MODE [VARIABLE=VALUE ...]        MODE: a key of MODES

Which version of the SDK it is depends on the module path alone. The variables are set after ours, over them.
"""

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

from acestep_serverless.client.gateway import GatewayClient
from acestep_serverless.worker.lifeline import keep_children_with_this_process
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.sdk import load_sdk, prepare_environment, redact_output


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
    if "letters" in wish:
        return "x" * wish["letters"]
    return wish.get("return", {"echo": wish})


def make_async(sdk):
    async def handler(job):
        wish = job["input"]
        for step in range(wish.get("steps", 0)):
            sdk.serverless.progress_update(job, {"step": step})
            await asyncio.sleep(0.05)
        await asyncio.sleep(wish.get("sleep", 0))
        if "afterthought" in wish:  # progress of a thread that knows nothing of the handler's end
            threading.Timer(0.3, sdk.serverless.progress_update, (job, wish["afterthought"])).start()
        return outcome(wish)

    return handler


def make_gathering(_sdk):
    """Each job waits until as many as its input says have been here together, then tells what it was handed."""
    arrived, news = [], asyncio.Condition()

    async def handler(job):
        async with news:
            arrived.append(job["id"])
            news.notify_all()
            await news.wait_for(lambda: len(arrived) >= GATHERING)
        return {"together": len(arrived), "job": job}

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


def make_openai(_sdk):
    """A language model's worker: one object, or server-sent events of which the second waits for a file to appear."""

    async def handler(job):
        asked = job["input"]["openai_input"] or {}
        if asked.get("stream"):
            yield 'data: {"n": 1}\n\n'
            while not Path(asked["gate"]).exists():
                await asyncio.sleep(0.02)
            yield 'data: {"n": 2}\n\n'
        yield {"error": asked["error"]} if "error" in asked else "data: [DONE]\n\n" if asked else job["input"]

    return handler


GATHERING = 3
MODES = {
    "async": (make_async, {}),
    "sync": (make_sync, {}),
    "generator": (make_generator, {}),
    "aggregate": (make_generator, {"return_aggregate_stream": True}),
    "openai": (make_openai, {"return_aggregate_stream": True}),
    "refresh": (make_async, {"refresh_worker": True}),
    "three": (make_async, {"concurrency_modifier": lambda _current: GATHERING}),
    "gathering": (make_gathering, {"concurrency_modifier": lambda _current: GATHERING}),
}
"""What `runpod.serverless.start` is given: a handler of its kind, and the rest of its configuration."""


def main() -> None:
    gateway, endpoint_id, key, worker_id, mode, *variables = sys.argv[1:]
    sys.argv = sys.argv[:1]
    enrolment = GatewayClient(gateway, endpoint_id, key).enrol(worker_id)
    link = GatewayLink(gateway, endpoint_id, worker_id, enrolment.token)
    prepare_environment(os.environ, link, ping_interval_ms=enrolment.heartbeat_ms)
    os.environ.update(variable.split("=", 1) for variable in variables)
    redact_output()
    keep_children_with_this_process()
    sdk = load_sdk(os.environ)
    make_handler, config = MODES[mode]
    sdk.serverless.start({"handler": make_handler(sdk), **config})


if __name__ == "__main__":
    main()
