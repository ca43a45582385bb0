"""A whole worker in its own process: the official SDK, our handler, an ACE-Step server in process and the tiny
engine.

python sdk_worker.py GATEWAY_URL TOKEN FOLDER [--test_input JSON]

Without a gateway ("") the SDK runs the one job of `--test_input`. Jobs whose caption is "hold" last until they are
stopped, and one whose caption is "hold until seen" until somebody was told that it is being made. The variable
JOBS_AT_ONCE says how many jobs it holds.
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
    until_seen = False

    def generate(self, pieces: Sequence[Piece]) -> Iterator[Made]:
        (self.hold.set if pieces[0].request.caption.startswith("hold") else self.hold.clear)()
        self.until_seen = pieces[0].request.caption == "hold until seen"
        return super().generate(pieces)

    async def see(self, answer: httpx.Response) -> None:
        """Read an answer of the ACE-Step API; one that names the engine's stage lets "hold until seen" go on."""
        if answer.request.url.path == "/query_result" and b"tuning" in await answer.aread() and self.until_seen:
            self.hold.clear()


def main() -> None:
    gateway_url, token, folder = sys.argv[1:4]
    ids, seeds, engine = itertools.count(1), itertools.count(1), HoldingEngine()
    app = create_app(
        engine=engine,
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
        inside = httpx.ASGITransport(app=app)
        http = httpx.AsyncClient(transport=inside, base_url="http://acestep", event_hooks={"response": [engine.see]})
        return Tools(AceStepClient(http, clock=SYSTEM_CLOCK), sink)

    def make_handler(sdk: ModuleType) -> JobHandler:
        return job_handler(sdk, open_tools, environ=os.environ, clock=SYSTEM_CLOCK)

    prepare_environment(os.environ, link, ping_interval_ms=1_000)
    run(make_handler, os.environ, jobs=int(os.environ.get("JOBS_AT_ONCE", "1")))


if __name__ == "__main__":
    main()
