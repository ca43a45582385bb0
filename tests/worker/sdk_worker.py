"""A whole worker in its own process: the official SDK, our handler, an ACE-Step server in process and the tiny
engine.

python sdk_worker.py GATEWAY_URL TOKEN FOLDER [--test_input JSON]

Without a gateway ("") the SDK runs the one job of `--test_input`. Jobs whose caption is "hold" last until they are
stopped. The variable JOBS_AT_ONCE says how many jobs it holds.
"""

import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import httpx
from tone_engine import ToneEngine

from acestep_serverless.acestep_api import create_app
from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.engines.base import Made, Piece
from acestep_serverless.worker.delivery import GatewaySink, InlineSink
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.loop import JobHandler, Tools, job_handler
from acestep_serverless.worker.sdk import prepare_environment, run

ENDPOINT, WORKER = "ace-step", "w-1"


class HoldingEngine(ToneEngine):
    def generate(self, pieces: Sequence[Piece]) -> Iterator[Made]:
        (self.hold.set if pieces[0].request.caption == "hold" else self.hold.clear)()
        return super().generate(pieces)


def main() -> None:
    gateway_url, token, folder = sys.argv[1:4]
    ids, seeds = itertools.count(1), itertools.count(1)
    app = create_app(
        engine=HoldingEngine(),
        folder=Path(folder),
        clock=SYSTEM_CLOCK,
        new_id=lambda: f"task-{next(ids)}",
        new_seed=lambda: next(seeds),
    )
    link = GatewayLink(gateway_url, ENDPOINT, WORKER, token) if gateway_url else None
    sink = GatewaySink(link, SYSTEM_CLOCK) if link else InlineSink()

    async def open_tools() -> Tools:
        app.state.tasks.start()
        sys.stdout.write(f"home: {os.environ['HOME']} {Path.home()}\n")
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://acestep")
        return Tools(AceStepClient(http, clock=SYSTEM_CLOCK), sink)

    def make_handler(sdk: ModuleType) -> JobHandler:
        return job_handler(sdk, open_tools, environ=os.environ, clock=SYSTEM_CLOCK)

    prepare_environment(os.environ, link, ping_interval_ms=1_000)
    run(make_handler, os.environ, jobs=int(os.environ.get("JOBS_AT_ONCE", "1")))


if __name__ == "__main__":
    main()
