"""How many durable jobs a second does the gateway take, how many looks at them, and what does a round trip cost?

On both databases, with more and more finished jobs stored. Rates of `/run` and `/status` are shares of bare routes in
the same process, asked in turns with them, so that what else the machine does falls on both. 32 connections each ask as
soon as they are answered; client and gateway share the machine's cores. `run_full` adds a million finished jobs and the
memory over 100,000 jobs, which takes many minutes.
"""

import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from bench.bare import CLIENT_KEY, SQLITE
from bench.filling import fill
from bench.load import measure, request
from bench.peer import ENDPOINT_PATH, Line, peers
from bench.places import DATABASES, process
from bench.trips import CLIENTS, CREW, JOB, crew_rate, round_trips, run_job, sdk_trips

STORED, STORED_FULL = (10, 10_000), (10, 10_000, 1_000_000)
"""Finished jobs in the database while it is measured."""
ROUNDS, TURN_SECONDS = 5, 0.6
"""Each operation is asked for so many turns of so many seconds; the median of the turns counts."""
ROUND_TRIPS = 300
SDK_ROUND_TRIPS = 5
CREW_SECONDS = 3.0
"""How long jobs per second are counted."""
MEMORY_JOBS = 100_000
IDS_KEPT = 1_000

Ask = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that is running: its port on loopback and its process id."""

    port: int
    pid: int

    def megabytes(self) -> float:
        """Its resident memory."""
        return float(psutil.Process(self.pid).memory_info().rss) / 2**20


def run() -> dict[str, float]:
    """Measure both databases with few finished jobs; rates are per second, shares are of the bare route's rate."""
    return {
        f"{name}_{key}": value
        for name in DATABASES
        for stored in STORED
        for key, value in _figures(name, stored, ROUNDS).items()
    }


def run_full() -> dict[str, float]:
    """Measure with a million finished jobs as well, and the memory over 100,000 jobs."""
    found = {
        f"{name}_{key}": value
        for name in DATABASES
        for stored in STORED_FULL
        for key, value in _figures(name, stored, 3 * ROUNDS).items()
    }
    for name, operation in itertools.product(DATABASES, ("run", "status")):
        few, many = (found[f"{name}_{stored}_stored_{operation}_share_of_bare"] for stored in (10, 1_000_000))
        found[f"{name}_{operation}_share_kept_with_a_million_stored"] = many / few
    for name in DATABASES:
        with gateway(name, 10) as served:
            found |= {f"{name}_{key}": value for key, value in memory(served, MEMORY_JOBS).items()}
    return found


def _figures(name: str, stored: int, rounds: int) -> dict[str, float]:
    with gateway(name, stored) as served:
        figures = round_trips(served.port, ROUND_TRIPS) | crew_rate(served.port, CREW_SECONDS)
        figures |= sdk_trips(served.port, SDK_ROUND_TRIPS, CREW_SECONDS)
        figures |= shares(served.port, rounds, TURN_SECONDS)
    return {f"{stored}_stored_{key}": value for key, value in figures.items()}


@contextmanager
def gateway(name: str, stored: int) -> Iterator[Gateway]:
    """Run a gateway on a new database of this kind (a key of DATABASES) with so many finished jobs."""
    with tempfile.TemporaryDirectory(prefix="acestep-serverless-bench-") as folder:
        data_dir = Path(folder, "house")
        data_dir.mkdir()
        with DATABASES[name](Path(folder)) as url_of:
            url = url_of(data_dir)
            fill(url, stored, int(time.time() * 1000))
            told = SQLITE if name == "sqlite" else url
            with process("-m", "bench.bare", str(data_dir), told) as (port, pid):
                yield Gateway(port, pid)


def shares(port: int, rounds: int, seconds: float) -> dict[str, float]:
    """Ask for each operation and its bare route in turns; the jobs stay in the queue."""
    submit = request("POST", f"{ENDPOINT_PATH}/run", JOB, CLIENT_KEY)
    first = measure(port, lambda: submit, seconds=min(seconds, 0.3), keep=IDS_KEPT)
    looks = itertools.cycle(
        [request("GET", f"{ENDPOINT_PATH}/status/{json.loads(body)['id']}", key=CLIENT_KEY) for body in first.bodies]
    )
    found = _in_turns(
        port, "run", lambda: submit, request("POST", f"{ENDPOINT_PATH}/bare", JOB, CLIENT_KEY), rounds, seconds
    )
    bare_look = request("GET", f"{ENDPOINT_PATH}/bare/{json.loads(first.bodies[0])['id']}", key=CLIENT_KEY)
    return found | _in_turns(port, "status", lambda: next(looks), bare_look, rounds, seconds)


def _in_turns(port: int, name: str, ask: Ask, bare: bytes, rounds: int, seconds: float) -> dict[str, float]:
    turns = [(measure(port, lambda: bare, seconds=seconds), measure(port, ask, seconds=seconds)) for _ in range(rounds)]
    median = statistics.median
    return {
        f"{name}_share_of_bare": median(real.per_second / plain.per_second for plain, real in turns),
        f"{name}_per_second": round(median(real.per_second for _, real in turns)),
        f"bare_{name}_per_second": round(median(plain.per_second for plain, _ in turns)),
        f"{name}_p50_ms": round(median(real.percentile_ms(0.5) for _, real in turns), 2),
        f"{name}_p99_ms": round(median(real.percentile_ms(0.99) for _, real in turns), 2),
    }


def memory(served: Gateway, jobs: int) -> dict[str, float]:
    """Bring so many jobs to their end; tells the gateway's memory after a tenth of them and after all."""

    async def some(share: int) -> None:
        async def client() -> None:
            line = await Line.to(served.port)
            for _ in range(share // CLIENTS):
                await run_job(line)
            line.close()

        async with peers(served.port, CREW):
            await asyncio.gather(*(client() for _ in range(CLIENTS)))

    uvloop.run(some(jobs // 10))
    early = served.megabytes()
    uvloop.run(some(jobs - jobs // 10))
    return {f"memory_mb_after_{jobs // 10}_jobs": early, f"memory_mb_after_{jobs}_jobs": served.megabytes()}
