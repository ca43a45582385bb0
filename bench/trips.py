"""How long does a job take from its `/runsync` to its end, and how many a second? With peers, and with the real SDK.

The handlers answer at once, so all of it is overhead: the gateway's with a peer, and the SDK's on top with the SDK.
"""

import asyncio
import json
import time
from contextlib import AbstractAsyncContextManager, nullcontext

import uvloop

from bench.bare import CLIENT_KEY
from bench.load import request
from bench.peer import ENDPOINT_PATH, Line, peers
from bench.sdk import sdk_worker

JOB = json.dumps({"input": {"caption": "Cinematic orchestral trailer music", "duration": 45}}).encode()
RUNSYNC = request("POST", f"{ENDPOINT_PATH}/runsync", JOB, CLIENT_KEY)
CREW, CLIENTS = 4, 16
"""Peers and clients that measure jobs per second."""
SDK_CONCURRENCY = 8
"""Jobs that the SDK's worker runs at once where jobs per second are measured."""

Workers = AbstractAsyncContextManager[None]


async def run_job(line: Line) -> None:
    """Bring one job to its end. Raises RuntimeError when it does not end well, TimeoutError after 30 s."""
    status = json.loads(await asyncio.wait_for(line.ask(RUNSYNC), 30))["status"]
    if status != "COMPLETED":
        raise RuntimeError(f"a job of the benchmark ended {status}")


def round_trips(port: int, count: int) -> dict[str, float]:
    """Time `/runsync` with one peer that waits for work."""
    waits = uvloop.run(_waits(port, count, peers(port, 1)))
    return {
        "runsync_overhead_p50_ms": round(waits[len(waits) // 2], 2),
        "runsync_overhead_p99_ms": round(waits[int(len(waits) * 0.99)], 2),
    }


def sdk_trips(port: int, count: int, seconds: float) -> dict[str, float]:
    """Time the same with a worker of the real SDK at concurrency 1, and count its jobs at concurrency 8."""
    with sdk_worker(port, 1):
        waits = uvloop.run(_waits(port, count, nullcontext()))
    with sdk_worker(port, SDK_CONCURRENCY):
        rate = uvloop.run(_rate(port, seconds, nullcontext()))
    return {
        "runsync_with_sdk_p50_ms": round(waits[len(waits) // 2], 2),
        "jobs_per_second_with_sdk": round(rate, 1),
    }


def crew_rate(port: int, seconds: float) -> dict[str, float]:
    """Count the jobs that a crew of peers brings to their end each second, submitted by `/runsync`."""
    return {"jobs_per_second": round(uvloop.run(_rate(port, seconds, peers(port, CREW))))}


async def _waits(port: int, count: int, workers: Workers) -> list[float]:
    waits = []
    async with workers:
        line = await Line.to(port)
        for _ in range(count):
            asked_at = time.perf_counter()
            await run_job(line)
            waits.append((time.perf_counter() - asked_at) * 1000)
        line.close()
    return sorted(waits[count // 10 :])


async def _rate(port: int, seconds: float, workers: Workers) -> float:
    began = time.perf_counter()
    async with workers:
        counts = await asyncio.gather(*(_jobs_until(port, began + seconds) for _ in range(CLIENTS)))
        return sum(counts) / (time.perf_counter() - began)


async def _jobs_until(port: int, until: float) -> int:
    line, count = await Line.to(port), 0
    while time.perf_counter() < until:
        await run_job(line)
        count += 1
    line.close()
    return count
